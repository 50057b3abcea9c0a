//! The boundary without the gate (invariants 2 and 3): from inside, nothing is reached but what the operator trusts.
//!
//! The plan of the attack suite runs four times: in the task's `setup`, by the agent with a gate that allows all, and in `setup` and
//! `verify` of the fresh sandbox that proves the result. `just attack` makes the same attempts on every runtime, and many more.

use std::{fs, process::Command};
use system_tests::User;

#[test]
fn nothing_is_reached_but_what_is_trusted() {
    let output = Command::new(env!("CARGO_BIN_EXE_attack")).arg("--inside").output().expect("the attack suite");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    let held = told.lines().filter(|line| line.contains(" held ")).count();
    assert!(held > 60, "only {held} cases were tried:\n{told}");
}

#[test]
fn an_endpoint_that_would_be_the_container_itself_is_refused_early() {
    let user = User::new();
    let (task, conversation) = (user.task("Go.\n"), user.conversation(&[]));
    let own = r#"trust.endpoints=[{endpoint="http://localhost:8080", address="127.0.0.1:8080"}]"#;
    let ran = user.run_task(&task, &conversation, &["--set", own]).expect_code(2);
    assert!(ran.stderr.contains("`localhost` is the container itself inside"), "{}", ran.stderr);
    assert_eq!(fs::read_dir(user.home().join("state/sandbox/runs")).expect("runs").count(), 0);
}
