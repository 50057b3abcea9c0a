//! The container engine's own client, for what a test does to the engine itself.

use std::process::{Command, Output};

/// Runs `docker` and returns its stdout.
///
/// # Panics
/// When it fails.
#[must_use]
pub fn docker(args: &[&str]) -> String {
    let Output { status, stdout, stderr } = Command::new("docker").args(args).output().expect("docker");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(status.success(), "docker {args:?}: {status}\n{}\n{}", text(&stdout), text(&stderr));
    text(&stdout)
}
