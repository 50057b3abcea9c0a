//! What a container and the programs in it are told of the way out: where to connect, whom to trust, and what stands in place of
//! credentials.

use crate::{
    keys::Placeholders,
    listeners::{HOME, listeners, probe_plan},
};
use channel::{ChannelError, Control};
use std::collections::BTreeMap;
use types::{
    probe::{Kernel, ProbePlan},
    profile::Profile,
    route::Route,
    wire::{AUTHORITY_FILE, BUNDLE_FILE, Listeners},
};

/// Variables by which programs find the certificate authorities to trust: OpenSSL and what uses it, Go, Ruby; curl; Python's requests
/// and pip; git; cargo; the cloud's tools.
const BUNDLE_VARIABLES: [&str; 7] = [
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
];
/// The same for those that add to their own: Node and Deno.
const AUTHORITY_VARIABLES: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];

/// The surroundings of a container.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// What the guest listens on.
    pub(crate) listeners: Listeners,
    /// The run's certificate authority, PEM, where something is decrypted.
    pub(crate) authority: Option<String>,
    /// Variables that hold placeholders.
    placeholders: Vec<(String, String)>,
}

impl Surroundings {
    /// For a run with these routes.
    pub(crate) fn new(
        profile: &Profile,
        routes: &[Route],
        placeholders: &Placeholders,
        authority: Option<String>,
    ) -> Self {
        let held = placeholders.iter().filter_map(|(name, placeholder)| {
            let variable = profile.secrets.get(name)?.env.clone()?;
            Some((variable, placeholder.clone()))
        });
        Self { listeners: listeners(routes), authority, placeholders: held.collect() }
    }

    /// Has the guest listen, and put the authority where programs look for it.
    pub(crate) async fn configure(&self, control: &mut Control, session: &str) -> Result<(), ChannelError> {
        control.configure(self.listeners.clone(), session, self.authority.as_deref()).await
    }

    /// What the canary tries in these surroundings.
    pub(crate) fn probe_plan(&self, kernel: Kernel) -> ProbePlan {
        ProbePlan { variables: self.known_variables(), ..probe_plan(&self.listeners, kernel) }
    }

    /// Variables inside that are named like a credential, with what they hold: all else of such a name is a surprise to the canary.
    fn known_variables(&self) -> BTreeMap<String, String> {
        let bundles = BUNDLE_VARIABLES.map(|name| (name.to_owned(), BUNDLE_FILE.to_owned()));
        bundles.into_iter().chain(self.placeholders.iter().cloned()).collect()
    }

    /// The environment of every program that is run for the task: nothing of the host is in it.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let proxy = format!("http://{}", self.listeners.proxy);
        let fixed = [
            ("HOME", HOME),
            ("USER", "agent"),
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/home/agent/.local/bin"),
            ("LANG", "C.UTF-8"),
            ("TERM", "dumb"),
            ("CI", "true"),
            ("NO_PROXY", "localhost,127.0.0.1,::1"),
            ("no_proxy", "localhost,127.0.0.1,::1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("CARGO_HOME", "/home/agent/.cargo"),
            ("npm_config_cache", "/home/agent/.npm"),
            ("PIP_CACHE_DIR", "/home/agent/.cache/pip"),
            ("GOPATH", "/home/agent/go"),
        ];
        let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"];
        let decrypts = self.authority.is_some();
        let bundle = BUNDLE_VARIABLES.map(|name| (name, BUNDLE_FILE)).into_iter();
        let trusted = bundle.chain(AUTHORITY_VARIABLES.map(|name| (name, AUTHORITY_FILE))).filter(|_| decrypts);
        // What the operator named comes first: a variable of ours is never replaced by it.
        let placeholders = self.placeholders.iter().cloned();
        placeholders
            .chain(fixed.into_iter().chain(trusted).map(|(name, value)| (name.to_owned(), value.to_owned())))
            .chain(proxies.into_iter().map(|name| (name.to_owned(), proxy.clone())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use types::{
        profile::{Layer, Resolved},
        source::Source,
    };

    fn surroundings(text: &str, authority: Option<&str>) -> BTreeMap<String, String> {
        let default = include_str!("../../../profiles/default.toml");
        let layers = [
            Layer::parse(Source::Default, default).expect("default"),
            Layer::parse(Source::File("/profile.toml".into()), text).expect(text),
        ];
        let profile = Resolved::new(&layers).expect("profile").profile;
        let routes = crate::routes::routes(&profile, &[]).expect("routes");
        let placeholders = crate::keys::placeholders(&routes);
        let surroundings = Surroundings::new(&profile, &routes, &placeholders, authority.map(str::to_owned));
        surroundings.environment().into_iter().collect()
    }

    #[test]
    fn programs_are_told_of_the_authority_where_there_is_one() {
        let with = surroundings("", Some("-----"));
        assert_eq!(with["SSL_CERT_FILE"], BUNDLE_FILE);
        assert_eq!(with["NODE_EXTRA_CA_CERTS"], AUTHORITY_FILE);
        assert!(!surroundings("", None).contains_key("SSL_CERT_FILE"));
    }

    #[test]
    fn placeholders_stand_where_programs_look_for_credentials() {
        let text = |variable: &str| {
            format!(
                "[trust]\nendpoints = [{{endpoint='a.example', credential='api'}}]\n\
                 [secrets.api]\nsource = 'env:X'\nenv = '{variable}'\n"
            )
        };
        let held = surroundings(&text("API_TOKEN"), None);
        assert!(held["API_TOKEN"].starts_with("sandbox-placeholder-api-"));
        assert_eq!(surroundings(&text("HOME"), None)["HOME"], HOME, "ours stays");
    }
}
