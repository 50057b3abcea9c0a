//! Every way in which a run can be cut short, with its exit code. Each time the work done so far is harvested, and nothing is left in
//! the engine.

use system_tests::{
    User,
    aftermath::{OPEN_GATE, docker, endless_step, step},
};

/// A user, a task, and an agent that does one step and then one that does not end.
fn cut_short(more: &[&str]) -> (User, system_tests::Started) {
    let user = User::new();
    let task = user.task("Write a log.");
    let conversation = user.conversation(&[step("one"), endless_step("two")]);
    let started = user.start_task(&task, &conversation, &[&OPEN_GATE, more].concat());
    (user, started)
}

#[test]
fn an_agent_that_is_killed_leaves_its_work() {
    let (user, started) = cut_short(&[]);
    started.wait_for_call(1);
    docker(&["exec", "--user", "1000", &user.agent_container(), "pkill", "-KILL", "-x", "claude"]);
    let _ = started.finish().expect_code(101);
    let result = user.assert_ended("truncated", &["one", "two"]);
    assert!(result["reason"].as_str().is_some_and(|reason| reason.contains("137")), "{result:#}");
}
