//! What counts as a secret: credential files by place, and variables by name.

use crate::place::Place;

/// How sure we are that a path holds a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Secrecy {
    /// Often holds credentials, often does not: `.env`, `*.pem`.
    Likely,
    /// A credential store.
    Certain,
}

/// The whole environment, as the place that `env` and `printenv` read.
pub(crate) const ENVIRONMENT: &str = "the environment";
/// One variable whose name says that it is secret.
pub(crate) const VARIABLE: &str = "a secret variable";

/// The pseudo place of that name.
pub(crate) fn pseudo(name: &'static str) -> Place {
    Place { path: name.to_owned(), known: true, glob: false }
}

/// Directories and files that hold nothing but credentials, as a part of a lower-case path.
pub(crate) const CERTAIN: [&str; 40] = [
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/security/opasswd",
    "/etc/ssh/ssh_host",
    "/.ssh/id_",
    "/.ssh/identity",
    "/.aws/credentials",
    "/.aws/sso",
    "/.config/gcloud",
    "/.azure",
    "/.kube/config",
    "/.docker/config.json",
    "/.netrc",
    "/.pypirc",
    "/.git-credentials",
    "/.config/gh/hosts",
    "/.cargo/credentials",
    "/.gnupg",
    "/.docker/trust",
    "/.config/op",
    "/.vault-token",
    "/.terraform.d/credentials",
    "/.mozilla/firefox",
    "/.config/google-chrome",
    "/.local/share/keyrings",
    "/.password-store",
    "/.bash_history",
    "/.sh_history",
    "/.zsh_history",
    "/.mysql_history",
    "/.psql_history",
    "/.python_history",
    "/.claude/.credentials",
    "/.codex/auth",
    "/run/secrets",
    "/var/run/secrets",
    "/etc/kubernetes/admin.conf",
    "/.pgpass",
    "/.config/chromium",
];
/// Components that usually mean a credential.
pub(crate) const LIKELY_NAMES: [&str; 12] = [
    ".npmrc",
    ".yarnrc.yml",
    "credentials",
    "credentials.json",
    "secrets.yml",
    "secrets.yaml",
    "secrets.json",
    "id_rsa",
    "id_ed25519",
    "id_ecdsa",
    "id_dsa",
    "master.key",
];
pub(crate) const LIKELY_ENDS: [&str; 7] = [".pem", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk"];

/// Tells whether reading the place would read a credential.
pub(crate) fn secrecy(place: &Place) -> Option<Secrecy> {
    let path = place.path.to_ascii_lowercase();
    if path == ENVIRONMENT || path == VARIABLE {
        return Some(Secrecy::Likely);
    }
    if CERTAIN.iter().any(|part| path.contains(part)) || is_process_environment(&path) {
        return Some(Secrecy::Certain);
    }
    if place.glob {
        // A walk over a whole tree passes by credentials; naming one by a pattern is reading it.
        let hit =
            !path.contains("**") && CERTAIN.iter().any(|part| part.starts_with("/etc/") && glob_matches(&path, part));
        let in_ssh = path.contains("/.ssh/") || path.contains("/.aws/");
        if hit || in_ssh {
            return Some(Secrecy::Certain);
        }
    }
    if place.glob
        && path.contains("**")
        && CERTAIN.iter().any(|part| part.starts_with("/etc/") && glob_matches(&path, part))
    {
        return Some(Secrecy::Likely);
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    let sample =
        [".example", ".sample", ".template", ".dist", ".pub", ".test", ".md", ".rs", ".py", ".ts", ".js", ".go"];
    if sample.iter().any(|end| name.ends_with(end)) {
        return None;
    }
    let env = name == ".env" || name.starts_with(".env.") || name.starts_with(".env*") || name == ".env?";
    let likely = env || LIKELY_NAMES.contains(&name) || LIKELY_ENDS.iter().any(|end| name.ends_with(end));
    let key_file = name.ends_with(".key") || name.starts_with("id_rsa");
    let glob_env = place.glob && name.starts_with('.') && glob_matches(name, ".env");
    (likely || key_file || glob_env || path.ends_with("/.ssh")).then_some(Secrecy::Likely)
}

/// `/proc/<pid>/environ` and its neighbours, whoever the process is.
fn is_process_environment(path: &str) -> bool {
    let mut parts = path.trim_start_matches('/').split('/');
    parts.next() == Some("proc")
        && parts.next().is_some_and(|pid| pid != "sys")
        && path.rsplit('/').next().is_some_and(|name| matches!(name, "environ" | "mem" | "auxv"))
}

/// True when a variable of this name usually holds a secret.
pub(crate) fn is_secret_variable(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    const PARTS: [&str; 9] =
        ["SECRET", "TOKEN", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "PRIVATE_KEY", "ACCESS_KEY", "CREDENTIAL"];
    PARTS.iter().any(|part| upper.contains(part))
        || upper.ends_with("_KEY")
        || upper.ends_with("_AUTH")
        || upper.ends_with("_PAT")
}

/// Shell globbing without brackets' details: `*` any run, `?` one character, `[…]` one character. Linear with one
/// backtrack point, so that no pattern is slow.
pub(crate) fn glob_matches(pattern: &str, text: &str) -> bool {
    let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut i, mut j, mut star, mut mark) = (0, 0, None, 0);
    while j < t.len() {
        let step = match p.get(i) {
            Some('*') => {
                star = Some(i);
                mark = j;
                i += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') if p[i..].contains(&']') => p[i..].iter().position(|c| *c == ']').map(|end| end + 1),
            Some(c) if *c == t[j] => Some(1),
            Some(_) | None => None,
        };
        match (step, star) {
            (Some(width), _) => {
                i += width;
                j += 1;
            }
            (None, Some(at)) => {
                i = at + 1;
                mark += 1;
                j = mark;
            }
            (None, None) => return false,
        }
    }
    p[i..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{place::has_glob, world::World};

    fn of(text: &str) -> Option<Secrecy> {
        secrecy(&Place::resolve(text, has_glob(text), Some("/workspace"), &World::default()))
    }

    #[test]
    fn credential_stores_and_their_twins() {
        for text in [
            "/etc/shadow",
            "~/.ssh/id_rsa",
            "~/.aws/credentials",
            "/proc/1/environ",
            "/proc/self/environ",
            "/e*/sh?dow",
            "~/.ssh/*",
            "/etc/sha[d]ow",
        ] {
            assert_eq!(of(text), Some(Secrecy::Certain), "{text}");
        }
        for text in [".env", "server.pem", "config/.env.production", "tls.key"] {
            assert_eq!(of(text), Some(Secrecy::Likely), "{text}");
        }
        for text in [".env.example", "src/token.rs", "/etc/passwd", "/proc/cpuinfo", "src/*.rs", "~/.ssh/id.pub/x.md"] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn globs_match_as_the_shell_does() {
        assert!(glob_matches("/e*c/sh?dow", "/etc/shadow"));
        assert!(glob_matches("*", ""));
        assert!(!glob_matches("a*b", "ac"));
        assert!(glob_matches("a*b*c", "axxbyybzc"));
    }
}
