//! Runs that more than one suite makes: the tests on the engine's default runtime, the attack suite on each.

pub mod classifier;
pub mod engine;
pub mod hooks;
pub mod judged;
pub mod killing;
pub mod limits;
pub mod planted;
