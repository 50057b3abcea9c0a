//! The engine's own client: the peer of a start, and a look into a running container.

use std::{
    process::Command,
    time::{Duration, Instant},
};

/// The image of the peer, which is also that of the runs.
const IMAGE: &str = "sandbox/base";

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().expect("docker");
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// What a plain container costs from the client's start to its end.
pub(crate) fn plain_run() -> Duration {
    let since = Instant::now();
    docker(&["run", "--rm", "--network", "none", IMAGE, "true"]);
    since.elapsed()
}

/// The status of PID 1 in the agent's container of a run.
pub(crate) fn status_of_pid1(run: &str) -> String {
    let filter = format!("label=sandbox.run={run}");
    let names = docker(&["ps", "--filter", &filter, "--format", "{{.Names}}"]);
    let name = names.lines().next().expect("the agent's container");
    docker(&["exec", name, "cat", "/proc/1/status"])
}
