//! Every way in which a run can be cut short, with its exit code. Each time the work done so far is harvested, and nothing is left in
//! the engine.

use serde_json::{Value, json};
use system_tests::{
    Started, User,
    aftermath::{OPEN_GATE, bash, endless_step, step},
    is_event,
};

/// A user, and a run whose agent does one step and is in the middle of one that does not end.
fn in_the_middle(more: &[&str]) -> (User, Started) {
    let (user, started) = endless(more);
    started.wait_for_call(1);
    user.wait_for_line("two");
    (user, started)
}

/// The same, from its start.
fn endless(more: &[&str]) -> (User, Started) {
    let user = User::new();
    let task = user.task("Write a log.");
    let conversation = user.conversation(&[step("one"), endless_step("two")]);
    let started = user.start_task(&task, &conversation, &[&OPEN_GATE, more].concat());
    (user, started)
}

fn reason(result: &Value) -> &str {
    result["reason"].as_str().expect("reason")
}

#[test]
fn an_agent_that_is_killed_leaves_its_work() {
    let (user, started) = in_the_middle(&[]);
    let killed = ["exec", "--user", "1000", &user.agent_container(), "pkill", "-KILL", "-x", "claude"];
    assert!(user.docker(&killed).status().expect("docker").success());
    let _ = started.finish().expect_code(101);
    let result = user.assert_ended("truncated", &["one", "two"]);
    assert!(reason(&result).contains("exit code 137"), "{result:#}");
}

#[test]
fn an_agent_whose_own_command_kills_it_leaves_its_work() {
    let user = User::new();
    let conversation = user.conversation(&[step("one"), bash("echo two >> log.txt; kill -KILL $PPID"), step("three")]);
    let _ = user.run_task(&user.task("Write a log."), &conversation, &OPEN_GATE).expect_code(101);
    user.assert_ended("truncated", &["one", "two"]);
}

#[test]
fn a_container_that_is_killed_is_no_fault_of_the_agent() {
    let (user, started) = in_the_middle(&[]);
    assert!(user.docker(&["kill", &user.agent_container()]).output().expect("docker").status.success());
    let _ = started.finish().expect_code(105);
    let result = user.assert_ended("infrastructure", &["one", "two"]);
    assert!(reason(&result).contains("ended from outside (exit code 137)"), "{result:#}");
}

#[test]
fn a_container_that_is_removed_leaves_its_work() {
    let (user, started) = in_the_middle(&[]);
    assert!(user.docker(&["rm", "--force", &user.agent_container()]).output().expect("docker").status.success());
    let _ = started.finish().expect_code(105);
    user.assert_ended("infrastructure", &["one", "two"]);
}

#[test]
fn the_wall_clock_ends_a_run_and_partial_work_is_kept() {
    let (user, started) = endless(&["--set", "limits.timeout=12s"]);
    let _ = started.finish().expect_code(102);
    let result = user.assert_ended("limit", &["one", "two"]);
    assert!(reason(&result).starts_with("timeout"), "{result:#}");
}

#[test]
fn silence_ends_a_run_and_partial_work_is_kept() {
    let (user, started) = endless(&["--set", "limits.idle-timeout=8s"]);
    let _ = started.finish().expect_code(102);
    let result = user.assert_ended("limit", &["one", "two"]);
    assert!(reason(&result).starts_with("idle-timeout"), "{result:#}");
}

#[test]
fn turns_are_limited_and_partial_work_is_kept() {
    let user = User::new();
    let conversation = user.conversation(&["one", "two", "three", "four", "five"].map(step));
    let more = [&OPEN_GATE[..], &["--set", "limits.max-turns=2"]].concat();
    let _ = user.run_task(&user.task("Write a log."), &conversation, &more).expect_code(102);
    let result = user.assert_ended("limit", &["one", "two"]);
    assert!(reason(&result).starts_with("max-turns"), "{result:#}");
}

#[test]
fn the_budget_is_limited_and_partial_work_is_kept() {
    let user = User::new();
    let conversation = user.conversation(&["one", "two", "three", "four", "five"].map(step));
    let more = [&OPEN_GATE[..], &["--set", "limits.max-budget-usd=0.1"]].concat();
    let _ = user.run_task(&user.task("Write a log."), &conversation, &more).expect_code(102);
    let result = user.result();
    assert!(reason(&result).starts_with("max-budget-usd"), "{result:#}");
    let done = user.logged();
    assert!((1..5).contains(&done.len()), "{done:?} {result:#}");
    user.assert_nothing_is_left();
}

#[test]
fn an_interrupt_harvests() {
    let (user, started) = in_the_middle(&[]);
    started.signal("INT");
    let _ = started.finish().expect_code(130);
    user.assert_ended("interrupted", &["one", "two"]);
}

/// A run whose agent has written so much that its harvest takes a while, interrupted for the first time.
fn interrupted_with_much_work() -> (User, Started) {
    let user = User::new();
    let large =
        bash("for n in 1 2 3; do head -c 9000000 /dev/urandom > large.$n; done; echo one >> log.txt; sleep 100");
    let started = user.start_task(&user.task("Write."), &user.conversation(&[large]), &OPEN_GATE);
    started.wait_for_call(0);
    user.wait_for_line("one");
    started.press_ctrl_c();
    started.wait_for_words("Ctrl-C again kills it");
    (user, started)
}

fn assert_all_was_harvested(user: &User) {
    let result = user.assert_ended("interrupted", &["one"]);
    assert_eq!(result["harvest"]["changes"].as_array().map(Vec::len), Some(4), "{result:#}");
}

#[test]
fn a_second_ctrl_c_does_not_reach_the_programs_that_harvest() {
    let (user, started) = interrupted_with_much_work();
    // The host takes in what the harvest's container prints.
    started.wait_for_child("index-pack");
    started.press_ctrl_c();
    let _ = started.finish().expect_code(130);
    assert_all_was_harvested(&user);
}

#[test]
fn a_third_ctrl_c_leaves_at_once_and_the_work_is_harvested_later() {
    let (user, started) = interrupted_with_much_work();
    started.press_ctrl_c();
    started.wait_for_words("Ctrl-C again leaves at once");
    started.press_ctrl_c();
    let _ = started.finish().expect_code(130);
    assert!(!user.attempt().join("result.json").exists(), "the harvest was not waited for");
    let _ = user.run(&["resume"]).expect_code(130);
    assert_all_was_harvested(&user);
}

#[test]
fn a_termination_harvests() {
    let (user, started) = in_the_middle(&[]);
    started.signal("TERM");
    let _ = started.finish().expect_code(143);
    user.assert_ended("terminated", &["one", "two"]);
}

#[test]
fn another_process_cancels_a_run() {
    let (user, started) = in_the_middle(&[]);
    let _ = user.run(&["cancel", &user.run_id()]).expect_code(0);
    let _ = started.finish().expect_code(130);
    let result = user.assert_ended("interrupted", &["one", "two"]);
    assert_eq!(reason(&result), "cancelled");
    let refused = user.run(&["cancel", &user.run_id()]).expect_code(2);
    assert!(refused.stderr.contains("is over already"), "{}", refused.stderr);
}

#[test]
fn an_interrupt_is_heard_while_setup_runs() {
    let user = User::new();
    let task = user.task("---\nsetup: [\"echo made >> log.txt; sleep 100\"]\n---\nWrite a log.");
    let started = user.start_task(&task, &user.conversation(&[step("one")]), &OPEN_GATE);
    started.wait_for_phase("setup");
    user.wait_for_line("made");
    started.signal("INT");
    let _ = started.finish().expect_code(130);
    user.assert_ended("interrupted", &["made"]);
}

#[test]
fn an_interrupt_is_heard_while_verify_runs() {
    let user = User::new();
    let task = user.task("---\nverify: [\"sleep 100\"]\n---\nWrite a log.");
    let started = user.start_task(&task, &user.conversation(&[step("one")]), &OPEN_GATE);
    started.wait_for_phase("verifying");
    started.signal("INT");
    let _ = started.finish().expect_code(130);
    let result = user.assert_ended("interrupted", &["one"]);
    assert_eq!(result["verify"], Value::Null);
}

#[test]
fn background_work_that_never_ends_does_not_keep_a_run() {
    let user = User::new();
    let server =
        json!({"command": "echo one >> log.txt; sleep 1000", "run_in_background": true, "description": "a server"});
    let conversation = user.conversation(&[vec![("Bash", server)]]);
    let more = [&OPEN_GATE[..], &["--set", "limits.idle-timeout=8s"]].concat();
    let ran = user.run_task(&user.task("Start a server."), &conversation, &more).expect_code(0);
    assert!(ran.events().iter().any(|event| is_event(event, "done")));
    user.assert_ended("passed", &["one"]);
}
