//! The engine stops under runs. It is everyone's engine, so that this is played when nothing else is.

use crate::{report::Report, stage::Stage};
use system_tests::{
    aftermath::{OPEN_GATE, endless_step, step},
    scenes::engine,
};

/// The name that cases ask for.
pub(crate) const NAME: &str = "engine away";

/// The engine stops under a run of each runtime, and images that are not there.
pub(crate) fn play(stage: &mut Stage, runtimes: &[&'static str], report: &mut Report) {
    let users: Vec<_> = runtimes.iter().map(|runtime| stage.user(runtime)).collect();
    let engine = stage.engine.as_mut().expect("an engine that may be stopped");
    engine::runs_whose_engine_stops_are_harvested_when_it_is_back(engine, &users);
    report.held("K-10", true, "runs whose engine stops are harvested later");
    for runtime in runtimes {
        let user = stage.user(runtime);
        let conversation = user.conversation(&[endless_step("one")]);
        let missing = ["--set", "container.image=sandbox/missing:1"];
        let ran = user.run_task(&user.task("Write a log."), &conversation, &missing);
        report.held("K-10", ran.code == 105, format!("a missing image ends with {}", ran.code));
        report.held("K-10", ran.stderr.contains("sandbox/missing:1"), "the image is not named");
        user.assert_nothing_is_left();
        let user = stage.user(runtime);
        let ran = user.run_task(&user.task("Write a log."), &user.conversation(&[step("one")]), &OPEN_GATE);
        let works = ran.code == 0 && user.logged() == ["one"];
        report.control("K-10", works, format!("with engine and image it ends with {}: {}", ran.code, ran.stderr));
    }
}
