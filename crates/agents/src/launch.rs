//! What an adapter needs to know to start its agent, and the process that it asks for.

use std::{collections::BTreeMap, net::SocketAddr};

/// Plain values for the launch line of any agent.
#[derive(Clone, Debug)]
pub struct LaunchConfig {
    /// The model, by the id that the model gateway allows.
    pub model: String,
    /// The agent's session, a UUID as text; the same one is used to resume.
    pub session_id: String,
    /// True to go on with the session that `home` holds.
    pub resume: bool,
    /// Working directory inside the container, absolute.
    pub cwd: String,
    /// `HOME` inside the container, absolute.
    pub home: String,
    /// Where the guest listens for the model gateway, on loopback.
    pub model_address: SocketAddr,
    /// Where the guest listens for the HTTP proxy, on loopback.
    pub proxy_address: SocketAddr,
    /// What the agent presents as its credential: worthless outside this run, and stripped by the gateway.
    pub placeholder: String,
    /// Text added to the agent's own instructions.
    pub append_system_prompt: Option<String>,
    /// Turns after which the agent stops by itself.
    pub max_turns: Option<u32>,
    /// Further variables, such as the CA variables; the adapter's own win over them.
    pub env: Vec<(String, String)>,
}

/// The process to start inside the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The whole environment, sorted by name, each name once.
    pub env: Vec<(String, String)>,
    /// Working directory.
    pub cwd: String,
}

/// What every process of a run gets: nothing of the host, and proxies for what does not go over loopback.
pub(crate) fn base_env(config: &LaunchConfig) -> BTreeMap<String, String> {
    const LOOPBACK: &str = "localhost,127.0.0.1,::1";
    let proxy = format!("http://{}", config.proxy_address);
    let mut env: BTreeMap<String, String> = config.env.iter().cloned().collect();
    for (name, value) in [
        ("HOME", config.home.as_str()),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("PWD", config.cwd.as_str()),
        ("LANG", "C.UTF-8"),
        ("TERM", "dumb"),
        ("HTTP_PROXY", proxy.as_str()),
        ("HTTPS_PROXY", proxy.as_str()),
        ("http_proxy", proxy.as_str()),
        ("https_proxy", proxy.as_str()),
        ("NO_PROXY", LOOPBACK),
        ("no_proxy", LOOPBACK),
    ] {
        env.insert(name.to_owned(), value.to_owned());
    }
    env
}
