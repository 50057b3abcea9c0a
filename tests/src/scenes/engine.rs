//! The container engine stopped in the middle of runs.

use crate::{
    User,
    aftermath::{OPEN_GATE, endless_step, step},
    private_engine::PrivateEngine,
};

/// Stops it while an agent of each user works, and starts it again later.
///
/// # Panics
/// When something is lost.
pub fn runs_whose_engine_stops_are_harvested_when_it_is_back(engine: &mut PrivateEngine, users: &[User]) {
    let start = |user: &User| {
        let conversation = user.conversation(&[step("one"), endless_step("two")]);
        user.start_task(&user.task("Write a log."), &conversation, &OPEN_GATE)
    };
    let started: Vec<_> = users.iter().map(start).collect();
    for (user, started) in users.iter().zip(&started) {
        started.wait_for_call(1);
        user.wait_for_line("two");
    }

    engine.stop();
    for (user, started) in users.iter().zip(started) {
        let ended = started.finish().expect_code(105);
        assert!(ended.stdout.contains("sandbox resume"), "{}", ended.stdout);
        // Without the engine there is nothing to harvest from, and nothing is given up.
        let early = user.run(&["resume"]).expect_code(105);
        assert!(early.stderr.contains("no container engine answers"), "{}", early.stderr);
        assert!(!user.attempt().join("result.json").exists());
    }

    engine.start();
    for user in users {
        let swept = user.run(&["gc", "--json"]).expect_code(0).stdout;
        let is_kept = swept.contains("\"removed\":[]") && swept.contains("workspace");
        assert!(is_kept, "nothing unharvested is removed: {swept}");
        let _ = user.run(&["resume", &user.run_id()]).expect_code(105);
        let result = user.assert_ended("infrastructure", &["one", "two"]);
        assert!(result["harvest"]["commit"] != result["harvest"]["base"], "{result:#}");
    }
}
