//! The container engine stopped in the middle of a run.

use crate::{
    User,
    aftermath::{OPEN_GATE, endless_step, step},
    private_engine::PrivateEngine,
};

/// Stops it while the agent works, and starts it again later.
///
/// # Panics
/// When something is lost.
pub fn a_run_whose_engine_stops_is_harvested_when_the_engine_is_back(engine: &mut PrivateEngine, user: &User) {
    let task = user.task("Write a log.");
    let conversation = user.conversation(&[step("one"), endless_step("two")]);
    let started = user.start_task(&task, &conversation, &OPEN_GATE);
    started.wait_for_call(1);
    user.wait_for_line("two");

    engine.stop();
    let ended = started.finish().expect_code(105);
    assert!(ended.stdout.contains("sandbox resume"), "{}", ended.stdout);
    // Without the engine there is nothing to harvest from, and nothing is given up.
    let early = user.run(&["resume"]).expect_code(105);
    assert!(early.stderr.contains("no container engine answers"), "{}", early.stderr);
    assert!(!user.attempt().join("result.json").exists());

    engine.start();
    let swept = user.run(&["gc", "--json"]).expect_code(0).stdout;
    assert!(swept.contains("\"removed\":[]") && swept.contains("workspace"), "nothing unharvested is removed: {swept}");
    let _ = user.run(&["resume", &user.run_id()]).expect_code(105);
    let result = user.assert_ended("infrastructure", &["one", "two"]);
    assert!(result["harvest"]["commit"] != result["harvest"]["base"], "{result:#}");
}
