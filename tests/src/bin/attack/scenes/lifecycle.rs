//! Ends that nobody wanted: the supervising process killed, everything inside killed, the clock.

use crate::{report::Report, stage::Stage};
use system_tests::{
    aftermath::{OPEN_GATE, bash, step},
    scenes::killing,
};

/// SIGKILL before, between and after everything that a run makes.
pub(super) fn killed_at_every_stage(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let codes = killing::at_every_stage(stage.user(runtime));
    // The last one may have been at its end already.
    let killed = codes.iter().filter(|code| **code == killing::KILLED).count();
    report.control("K-09", killed >= 6, format!("{killed} were killed: {codes:?}"));
    report.held("K-09", true, "every step was done once and nothing is left");
}

/// The agent kills whatever it can.
pub(super) fn kill_all(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let user = stage.user(runtime);
    let conversation = user.conversation(&[step("one"), bash("kill -9 -1; sleep 1"), step("three")]);
    let ran = user.run_task(&user.task("Write a log."), &conversation, &OPEN_GATE);
    report.held("K-07", [101, 105].contains(&ran.code), format!("ended with {}", ran.code));
    report.control("K-07", user.result()["gate"]["allowed"].as_u64() >= Some(2), "the command did not run");
    report.held("K-07", user.logged() == ["one"], "the work was not harvested");
    user.assert_nothing_is_left();
}

/// The agent's work has no end, and its hooks and processes have none either.
pub(super) fn endless(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let user = stage.user(runtime);
    let stubborn = bash("trap '' TERM INT HUP; echo one >> log.txt; (trap '' TERM; while :; do sleep 1; done) & wait");
    let conversation = user.conversation(&[stubborn]);
    let more = [&OPEN_GATE[..], &["--set", "limits.timeout=15s"]].concat();
    let started = user.start_task(&user.task("Write a log."), &conversation, &more);
    started.wait_for_call(0);
    let ran = started.finish();
    let result = user.result();
    report.held("T-18", ran.code == 102, format!("ended with {}", ran.code));
    let reason = result["reason"].as_str().unwrap_or_default().to_owned();
    report.held("T-18", reason.starts_with("timeout"), reason);
    report.control("T-18", user.logged() == ["one"], "the command did not run");
    user.assert_nothing_is_left();
}
