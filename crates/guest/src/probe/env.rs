//! The environment must carry nothing of the host (C-07, C-09): no variable that looks like a credential, a socket or
//! a way to the engine.

use super::checks::Checks;
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
};
use types::text::printable;

/// Variables that agents need to be set, and the only shape of value they may have there.
const PLACEHOLDERS: &[&str] = &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "GEMINI_API_KEY"];
/// What a placeholder's value must contain; no provider's key does.
const MARK: &str = "placeholder";
/// Names of sockets, agents and configurations of a host.
const NAMES: &[&str] = &[
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "GPG_AGENT_INFO",
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_HOST",
    "DOCKER_CONFIG",
    "CONTAINER_HOST",
    "KUBECONFIG",
    "NETRC",
    "PGPASSFILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "XAUTHORITY",
    "SUDO_USER",
    "SUDO_COMMAND",
    "SSH_CONNECTION",
    "SSH_CLIENT",
    "VAULT_ADDR",
    "BASH_ENV",
    "LD_AUDIT",
    "LD_PRELOAD",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
    "GIT_SSH_COMMAND",
];
/// Beginnings that belong to cloud and forge credentials.
const PREFIXES: &[&str] = &["AWS_", "AZURE_", "ACTIONS_", "CI_JOB_", "VAULT_", "DOCKER_AUTH"];
/// Words that a credential's name is made with.
const WORDS: &[&str] = &[
    "KEY",
    "APIKEY",
    "TOKEN",
    "SECRET",
    "SECRETS",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "CREDENTIALS",
    "PAT",
    "COOKIE",
    "BEARER",
];

/// Judges every variable by its name, placeholders by their value, and those that the host set by the very value that it set.
pub(super) fn check(
    checks: &mut Checks,
    known: &BTreeMap<String, String>,
    vars: impl Iterator<Item = (OsString, OsString)>,
) {
    let found = carriers(known, vars);
    let detail = if found.is_empty() { "none".to_owned() } else { found.join(" ") };
    checks.holds("env.secrets", found.is_empty(), &detail);
}

/// Names of the variables in the text of a `/proc/PID/environ` that could be credentials.
pub(super) fn carriers_in(environ: &[u8]) -> Vec<String> {
    let variables = environ.split(|byte| *byte == 0).map(|variable| {
        let end = variable.iter().position(|byte| *byte == b'=').unwrap_or(variable.len());
        let (name, value) = variable.split_at(end);
        (OsStr::from_bytes(name).to_owned(), OsStr::from_bytes(value.get(1..).unwrap_or_default()).to_owned())
    });
    carriers(&BTreeMap::new(), variables)
}

fn carriers(known: &BTreeMap<String, String>, vars: impl Iterator<Item = (OsString, OsString)>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in vars {
        if known.get(&*name.to_string_lossy()).is_some_and(|known| value == known.as_str()) {
            continue;
        }
        let name = name.to_string_lossy().to_ascii_uppercase();
        let is_placeholder = PLACEHOLDERS.contains(&name.as_str()) && value.to_string_lossy().contains(MARK);
        if is_carrier(&name) && !is_placeholder {
            found.push(printable(&name, 60));
        }
    }
    found
}

fn is_carrier(name: &str) -> bool {
    NAMES.contains(&name)
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || name.split('_').any(|word| WORDS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(name: &str, value: &str) -> bool {
        let mut checks = Checks::default();
        let known = BTreeMap::from([("API_TOKEN".to_owned(), "known".to_owned())]);
        check(&mut checks, &known, [(name.into(), value.into())].into_iter());
        checks.outcome("env.secrets").unwrap()
    }

    #[test]
    fn carriers_are_found_by_name() {
        for name in [
            "GITHUB_TOKEN",
            "AWS_PROFILE",
            "MY_API_KEY",
            "SSH_AUTH_SOCK",
            "db_password",
            "NPM_TOKEN",
            "LD_PRELOAD",
            "ANTHROPIC_API_KEY",
            "DOCKER_HOST",
            "GH_PAT",
        ] {
            assert!(!passes(name, "x"), "{name}");
        }
        for name in ["PATH", "HOME", "HTTPS_PROXY", "SSL_CERT_FILE", "ANTHROPIC_BASE_URL", "KEYBOARD", "MONKEY", "LANG"]
        {
            assert!(passes(name, "x"), "{name}");
        }
    }

    #[test]
    fn a_process_s_environment_is_read_as_the_kernel_shows_it() {
        assert_eq!(carriers_in(b"PATH=/bin\0GITHUB_TOKEN=x=y\0AWS_X\0"), ["GITHUB_TOKEN", "AWS_X"]);
        assert_eq!(carriers_in(b"PATH=/bin\0LANG=C\0"), [] as [&str; 0]);
        assert_eq!(carriers_in(b""), [] as [&str; 0]);
    }

    #[test]
    fn placeholders_pass_by_name_and_value() {
        assert!(passes("ANTHROPIC_API_KEY", "sandbox-placeholder"));
        assert!(!passes("ANTHROPIC_API_KEY", "sk-something"));
        assert!(!passes("STRIPE_API_KEY", "sandbox-placeholder"));
        assert!(passes("API_TOKEN", "known") && !passes("API_TOKEN", "known-2") && !passes("api_token", "known"));
    }
}
