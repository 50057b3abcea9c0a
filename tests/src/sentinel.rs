//! Secrets that are looked for. All of them hold the same two marks, so that one search finds every one of them, whichever leaks;
//! and each search also has to find a decoy that lies where it looks.

use crate::User;
use base64::Engine as _;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The model's credential.
pub const KEY: &str = "sk-ant-api03-Zq7-key-4c1e90";
/// What is there to be found.
pub const DECOY: &str = "Zq7-decoy-4c1e90";
/// Matches every secret and not itself.
pub const PATTERN: &str = "[Z]q7-[a-z]+-4c1e90";

/// Whole secrets in `bytes`, the decoy left out.
#[must_use]
pub fn secrets_in(bytes: &[u8]) -> BTreeSet<String> {
    let (head, tail) = (b"Zq7-", b"-4c1e90");
    let starts = bytes.windows(head.len()).enumerate().filter(|(_, window)| window == head).map(|(at, _)| at);
    starts
        .filter_map(|at| {
            let rest = &bytes[at + head.len()..];
            let length = rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
            rest[length..].starts_with(tail).then(|| String::from_utf8_lossy(&bytes[at..at + 11 + length]).into_owned())
        })
        .filter(|found| found != DECOY)
        .collect()
}

/// Spellings of a secret that are found in `bytes`: hexadecimal digits, percent signs, base64 at any place.
#[must_use]
pub fn spelled_in(secret: &str, bytes: &[u8]) -> BTreeSet<String> {
    let lower = bytes.to_ascii_lowercase();
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let has = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let mut found: BTreeSet<String> = [hex, percent].into_iter().filter(|text| has(&lower, text)).collect();
    for shift in 0..3 {
        let encoded = base64::engine::general_purpose::STANDARD.encode([&b"xx"[..shift], secret.as_bytes()].concat());
        // Sixteen characters from the inside, which depend on nothing but the secret.
        let inner = encoded[4..20].to_owned();
        if has(bytes, &inner) {
            found.insert(inner);
        }
    }
    found
}

/// Every regular file below `dir`.
///
/// # Panics
/// When something in it cannot be looked at.
#[must_use]
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("entry").path());
    paths
        .flat_map(|path| {
            let kind = fs::symlink_metadata(&path).expect("metadata").file_type();
            if kind.is_dir() { files_below(&path) } else { Vec::from_iter(kind.is_file().then_some(path)) }
        })
        .collect()
}

/// What was found in the files of the user's state, cache and configuration.
#[derive(Debug)]
pub struct OnDisk {
    /// Files that hold a secret, with it.
    pub secrets: Vec<(PathBuf, BTreeSet<String>)>,
    /// The text that must be found for this to say anything was found.
    pub has_control: bool,
}

/// Searches what the runs of a user have left; `control` is a text that lies there.
///
/// # Panics
/// When a file cannot be read.
#[must_use]
pub fn on_disk(user: &User, control: &str) -> OnDisk {
    let mut found = OnDisk { secrets: Vec::new(), has_control: false };
    for path in ["state", "cache", "config"].iter().flat_map(|dir| files_below(&user.home().join(dir))) {
        let bytes = fs::read(&path).expect("read");
        found.has_control |= bytes.windows(control.len()).any(|window| window == control.as_bytes());
        let mut secrets = secrets_in(&bytes);
        secrets.extend(spelled_in(KEY, &bytes));
        if !secrets.is_empty() {
            found.secrets.push((path, secrets));
        }
    }
    found
}

impl User {
    /// The same user, with an environment and a repository full of secrets that no run may see, and with a search for them.
    #[must_use]
    pub fn careless(self) -> Self {
        let user = self
            .with_env("ANTHROPIC_API_KEY", KEY)
            .with_env("AWS_SECRET_ACCESS_KEY", "Zq7-aws-4c1e90")
            .with_env("GITHUB_TOKEN", "Zq7-github-4c1e90")
            .with_env("SSH_AUTH_SOCK", "/tmp/Zq7-agent-4c1e90")
            .with_env("SANDBOX_LOG", "trace")
            .with_env("RUST_BACKTRACE", "1");
        user.write("search.sh", include_str!("../fixtures/search.sh"));
        user.write("memory.py", include_str!("../fixtures/memory.py"));
        user.write("patterns", &format!("{PATTERN}\n"));
        user.write("decoy.txt", &format!("{DECOY}\n"));
        user.commit("a search");
        // A commit that was taken back, another branch, a stash, and files that were never added.
        user.write("gone.txt", "Zq7-undone-4c1e90\n");
        user.commit("a mistake");
        user.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
        user.git(&["switch", "--quiet", "--create", "other"]);
        user.write("other.txt", "Zq7-branch-4c1e90\n");
        user.commit("elsewhere");
        user.git(&["tag", "elsewhere"]);
        user.git(&["switch", "--quiet", "main"]);
        user.write("README.md", "Zq7-stash-4c1e90\n");
        user.git(&["stash", "--quiet"]);
        user.write(".env", "TOKEN=Zq7-dotenv-4c1e90\n");
        user.write("README.md", "Zq7-unstaged-4c1e90\n");
        user.git(&["remote", "add", "origin", "https://user:Zq7-remote-4c1e90@git.test/acme/app.git"]);
        user.git(&["config", "http.extraHeader", "Authorization: Basic Zq7-header-4c1e90"]);
        user
    }
}
