//! What counts as a secret: credential files by place, and variables by name.

pub(crate) use crate::secret_table::{CERTAIN, LIKELY_ENDS, LIKELY_NAMES};
use crate::{
    place::{Place, is_under},
    secret_table::{DATA_ENDS, KEY_DIRS, KEY_NAMES, STORE_WORDS, TEXTS},
    world::World,
};

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

/// A store that hands out credentials by a call.
pub(crate) const STORE: &str = "a store of credentials";

/// The pseudo place of that name.
pub(crate) fn pseudo(name: &'static str) -> Place {
    Place { path: name.to_owned(), known: true, glob: false }
}

/// Tells whether reading the place would read a credential.
pub(crate) fn secrecy(place: &Place) -> Option<Secrecy> {
    let path = place.path.to_ascii_lowercase();
    if path == ENVIRONMENT || path == VARIABLE {
        return Some(Secrecy::Likely);
    }
    if path == STORE {
        return Some(Secrecy::Certain);
    }
    const BEGINS: [&str; 6] = ["/.", "/etc/", "/run/", "/var/", "/jenkins/", "/library/"];
    let may_be = BEGINS.iter().any(|start| path.contains(start));
    if (may_be && CERTAIN.iter().any(|part| path.contains(part))) || is_process_environment(&path) {
        return Some(Secrecy::Certain);
    }
    if place.glob {
        // A walk over a whole tree passes by credentials; naming one by a pattern is reading it.
        // Another root has the same files below it.
        let path = path.find("/etc/").map_or(path.as_str(), |at| &path[at..]);
        let hit =
            !path.contains("**") && CERTAIN.iter().any(|part| part.starts_with("/etc/") && glob_matches(path, part));
        let in_ssh = path.contains("/.ssh/") || path.contains("/.aws/");
        if hit || in_ssh || is_spelled_as_store(path) {
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
    let is_text = TEXTS.iter().any(|end| name.ends_with(end));
    let is_store_dir = ["/.ssh", "/.aws", "/.kube", "/.gnupg"].iter().any(|dir| path.ends_with(dir));
    if is_store_dir || (!is_text && is_store(&path, name)) {
        return Some(Secrecy::Certain);
    }
    if LIKELY_NAMES.contains(&name) {
        return Some(Secrecy::Likely);
    }
    if is_text {
        return None;
    }
    if is_named_key(name, path.rsplit('/').nth(1).unwrap_or_default()) {
        return Some(Secrecy::Likely);
    }
    let env = name == ".env" || name.starts_with(".env.") || name.starts_with(".env*") || name == ".env?";
    let likely = env || LIKELY_ENDS.iter().any(|end| name.ends_with(end));
    let key_file = name.ends_with(".key") || name.starts_with("id_rsa");
    let glob_env = place.glob && name.starts_with('.') && glob_matches(name, ".env");
    (likely || key_file || glob_env).then_some(Secrecy::Likely)
}

/// A file of data whose name says that it is a key: `service_account_key.json`, `gcp-key.json`, `credentials.yml.enc`.
fn is_named_key(name: &str, dir: &str) -> bool {
    let Some((stem, end)) = name.split_once('.').filter(|(stem, _)| !stem.is_empty()) else { return name == ".envrc" };
    if !DATA_ENDS.contains(&end) {
        return false;
    }
    if KEY_DIRS.contains(&dir) {
        return true;
    }
    let plain: String = stem.chars().map(|c| if c == '-' || c == ' ' { '_' } else { c }).collect();
    KEY_NAMES.iter().any(|key| {
        let rest = plain.strip_suffix(key).or_else(|| plain.strip_prefix(key));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_') || rest.ends_with('_'))
            || key.len() > 12 && plain.contains(key)
    })
}

/// A pattern below a home that can only mean a store of credentials: `~/.docker/config.jso[n]`.
fn is_spelled_as_store(path: &str) -> bool {
    let in_home = ["/home/", "/users/", "/root/"].iter().any(|homes| path.starts_with(homes));
    if !in_home || path.contains("**") {
        return false;
    }
    let skip = if path.starts_with("/root/") { 2 } else { 3 };
    let parts: Vec<&str> = path.split('/').skip(skip).collect();
    let Some(first) = parts.first().filter(|part| part.starts_with('.')) else { return false };
    let second = first.as_bytes().get(1).copied();
    CERTAIN.iter().filter(|store| store.starts_with("/.")).any(|store| {
        let is_near =
            second.is_some_and(|byte| !byte.is_ascii_alphanumeric() || store.as_bytes().get(2) == Some(&byte));
        let count = store.bytes().filter(|byte| *byte == b'/').count();
        is_near
            && count <= parts.len()
            && parts.iter().zip(store[1..].split('/')).enumerate().all(|(n, (part, name))| {
                // The shell's patterns do not match a leading dot, and a bare `.*` means any file.
                let is_named = part.starts_with('.') == name.starts_with('.')
                    && part.bytes().filter(u8::is_ascii_alphanumeric).count() > 1;
                is_named && (glob_matches(part, name) || n + 1 == count && part.starts_with(name))
            })
    })
}

/// A file of a program's own directory in a home whose name says that it holds credentials.
fn is_store(path: &str, name: &str) -> bool {
    let below_home = ["/home/", "/users/"]
        .iter()
        .find_map(|homes| path.strip_prefix(homes)?.split_once('/').map(|(_, rest)| rest))
        .or_else(|| path.strip_prefix("/root/"));
    let Some(rest) = below_home.filter(|rest| rest.starts_with('.')) else { return false };
    let is_cache =
        [".cache/", ".npm/", ".cargo/registry/", ".cargo/git/", ".rustup/", ".local/lib/", ".venv/", ".m2/repository/"]
            .iter()
            .any(|dir| rest.starts_with(dir));
    !is_cache && rest.contains('/') && STORE_WORDS.iter().any(|word| name.contains(word))
}

/// True for a directory below which credentials are kept: a walk over all of it reads them.
pub(crate) fn keeps_secrets(path: &str, world: &World) -> bool {
    let path = path.trim_end_matches(['/', '*']);
    let lower = path.to_ascii_lowercase();
    let is_home = path == world.home
        || lower == "/root"
        || ["/home/", "/users/"].iter().any(|homes| lower.strip_prefix(homes).is_some_and(|user| !user.contains('/')));
    let is_above = matches!(lower.as_str(), "" | "/home" | "/users" | "/etc" | "/proc" | "/run" | "/var/run")
        || is_under(&world.home, path) && path != world.home;
    let is_own = is_under(&world.worktree, path) || path == world.tmp;
    let is_store_dir = lower.rsplit('/').next().is_some_and(|name| {
        matches!(
            name,
            ".ssh" | ".aws" | ".gnupg" | ".config" | ".azure" | ".kube" | ".docker" | "ssl" | ".claude" | ".codex"
        )
    }) && !is_under(path, &world.worktree);
    // Where the work tree is the home itself, or above it, searching it is the work.
    (is_home || is_above || is_store_dir) && (!is_own || is_above && path != world.worktree)
}

/// True when a pattern of a search looks for keys and passwords.
pub(crate) fn hunts(pattern: &str) -> bool {
    let lower = pattern.to_ascii_lowercase();
    #[rustfmt::skip]
    const MARKS: [&str; 24] = [
        "password", "passwd", "secret", "token", "private key", "private.key", "api_key", "apikey", "api-key", "aws_",
        "akia", "asia[", "begin rsa", "begin open", "begin pgp", "ghp_", "gho_", "github_pat", "glpat", "sk-ant",
        "sk-proj", "sk_live", "xox", "authtoken",
    ];
    MARKS.iter().any(|mark| lower.contains(mark))
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

/// Shell globbing without brackets' details: `*` any run, `?` one character, `[…]` one character. One backtrack point, so that no
/// pattern is slow, and no copies: every pattern that a call names is held against many names.
pub(crate) fn glob_matches(pattern: &str, text: &str) -> bool {
    let (mut left, mut text) = (pattern, text);
    let mut back: Option<(&str, &str)> = None;
    while let Some(c) = text.chars().next() {
        let after = match left.chars().next() {
            Some('*') => {
                left = &left[1..];
                back = Some((left, text));
                continue;
            }
            Some('?') => Some(&left[1..]),
            Some('[') if left.contains(']') => left.split_once(']').map(|(_, after)| after),
            Some(own) if own == c => Some(&left[own.len_utf8()..]),
            Some(_) | None => None,
        };
        match (after, back) {
            (Some(after), _) => (left, text) = (after, &text[c.len_utf8()..]),
            (None, Some((star, mark))) => {
                let mut mark = mark.chars();
                mark.next();
                (left, text) = (star, mark.as_str());
                back = Some((star, text));
            }
            (None, None) => return false,
        }
    }
    left.bytes().all(|byte| byte == b'*')
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
            "~/.docker/config.jso[n]",
            "~/.kub?/config",
        ] {
            assert_eq!(of(text), Some(Secrecy::Certain), "{text}");
        }
        for text in [".env", "server.pem", "config/.env.production", "tls.key"] {
            assert_eq!(of(text), Some(Secrecy::Likely), "{text}");
        }
        for text in ["service_account_key.json", "keys/gcp-key.json", "app-firebase-adminsdk-x1.json", ".envrc"] {
            assert_eq!(of(text), Some(Secrecy::Likely), "{text}");
        }
        for text in ["credentials_test.go", "src/service_account.rs", "keyboard.json", "api_keys.example"] {
            assert_eq!(of(text), None, "{text}");
        }
        for text in ["~/.config/tool/oauth_token.json", "~/.vault/secrets.json", "/root/.x/wallet.dat"] {
            assert_eq!(of(text), Some(Secrecy::Certain), "{text}");
        }
        for text in [
            "~/.cache/x/token.bin",
            "~/.rustup/x/secret.txt",
            ".env.example",
            "src/token.rs",
            "/etc/passwd",
            "/proc/cpuinfo",
            "src/*.rs",
            "~/.ssh/id.pub/x.md",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn every_store_is_found_by_its_beginning() {
        for store in CERTAIN {
            assert!(of(&format!("/x{store}y")).is_some() || of(&format!("{store}y")).is_some(), "{store}");
        }
    }

    #[test]
    fn walks_over_homes_and_their_twins() {
        let world = World::default();
        for path in ["/", "/home", "/home/agent", "/root", "/etc", "/proc", "/home/agent/.config", "/home/agent/.ssh"] {
            assert!(keeps_secrets(path, &world), "{path}");
        }
        for path in ["/workspace", "/workspace/src", "/usr/include", "/tmp", "/home/agent/projects", "/opt/x"] {
            assert!(!keeps_secrets(path, &world), "{path}");
        }
    }

    #[test]
    fn globs_match_as_the_shell_does() {
        assert!(glob_matches("/e*c/sh?dow", "/etc/shadow"));
        assert!(glob_matches("*", ""));
        assert!(!glob_matches("a*b", "ac"));
        assert!(glob_matches("a*b*c", "axxbyybzc"));
        assert!(glob_matches("*é[xy]?", "éaébü") && !glob_matches("*é[xy]?", "éaéb"));
        assert!(glob_matches("a[b", "a[b") && !glob_matches("a[b", "ab"));
    }
}
