//! The container engine stopped in the middle of a run and started again, with an engine of the test's own.

use system_tests::{User, private_engine::PrivateEngine, scenes::engine};

#[test]
fn a_run_whose_engine_stops_is_harvested_when_the_engine_is_back() {
    let mut engine = PrivateEngine::new();
    let user = User::new().with_env("DOCKER_HOST", &engine.host());
    engine::runs_whose_engine_stops_are_harvested_when_it_is_back(&mut engine, &[user]);
}
