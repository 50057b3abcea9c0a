//! What the host established before the run: where the work is and whom it may talk to. Never taken from the repository.

use types::host::Endpoint;

/// The facts that decisions are made against.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// The work tree, absolute, inside the container.
    pub worktree: String,
    /// The agent's home, absolute.
    pub home: String,
    /// The scratch directory, absolute.
    pub tmp: String,
    /// The remotes recorded at the start of the run: name and URL.
    pub remotes: Vec<(String, String)>,
    /// Endpoints the operator trusts.
    pub trusted: Vec<Endpoint>,
    /// The branch the run works on, if it has one of its own.
    pub session_branch: Option<String>,
    /// The branch that others build on, if the host knows it.
    pub default_branch: Option<String>,
    /// Hosts that packages may be installed from and that nothing is sent to; `*.example` for the hosts below a name.
    pub registries: Vec<String>,
    /// Files that the person's task names, absolute; see [`World::with_task`].
    pub named: Vec<String>,
    /// Deeds that the person's task asks for; see [`World::with_task`].
    pub asked: crate::Asked,
    /// The gate's own control endpoints as `host:port`; a call that reaches for one is self-approval.
    pub control: Vec<String>,
}

impl Default for World {
    /// The layout of a run's container, with nothing trusted.
    fn default() -> Self {
        Self {
            worktree: "/workspace".to_owned(),
            home: "/home/agent".to_owned(),
            tmp: "/tmp".to_owned(),
            remotes: Vec::new(),
            trusted: Vec::new(),
            session_branch: None,
            default_branch: None,
            registries: Vec::new(),
            named: Vec::new(),
            asked: crate::Asked::default(),
            control: Vec::new(),
        }
    }
}

impl World {
    /// True when `name` is a remote recorded at the start, by name or by URL.
    pub(crate) fn is_remote(&self, name: &str) -> bool {
        self.remotes.iter().any(|(known, url)| known == name || url == name)
    }

    /// True for the address of a registry that packages may come from: one that is there for installs, or an endpoint that the
    /// operator trusts.
    pub(crate) fn is_registry(&self, url: &str) -> bool {
        let Some(rest) = url.trim().strip_prefix("https://") else { return false };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
        !host.contains(['@', ':', '\\'])
            && (self.trusts(&host, 443)
                || self.registries.iter().any(|known| match known.strip_prefix('*') {
                    Some(end) => host.len() > end.len() && host.ends_with(end),
                    None => host == *known,
                }))
    }

    /// True for a branch that others build on.
    pub(crate) fn is_shared_branch(&self, branch: &str) -> bool {
        const NAMES: [&str; 6] = ["main", "master", "trunk", "develop", "production", "release"];
        self.default_branch.as_deref() == Some(branch) || NAMES.contains(&branch)
    }

    /// True when the operator trusts `host` on `port`.
    pub(crate) fn trusts(&self, host: &str, port: u16) -> bool {
        self.trusted.iter().any(|endpoint| endpoint.port == port && endpoint.host.as_str() == host)
    }
}
