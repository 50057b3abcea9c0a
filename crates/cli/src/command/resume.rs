//! `sandbox resume`.

use super::watch::{View, supervise};
use crate::{
    args::{Format, ResumeArgs},
    failure::Failure,
    report::human::to_stderr,
};
use engine::{Engine, Supervised};
use std::time::Instant;
use tokio::sync::mpsc;
use types::exit::Exit;

pub(super) async fn run(args: ResumeArgs, started: Instant) -> Result<Exit, Failure> {
    go_on(&super::engine()?, &args.runs, args.format.get(), started).await
}

/// Takes up the named runs, or all whose process is gone, and carries them to their end.
pub(super) async fn go_on(engine: &Engine, runs: &[String], format: Format, started: Instant) -> Result<Exit, Failure> {
    let (sender, events) = mpsc::unbounded_channel();
    let supervised = engine.resume(runs, &sender, started)?;
    drop(sender);
    if supervised.is_empty() {
        to_stderr("every run is over or has its process");
        return Ok(Exit::NothingToRun);
    }
    let budget = supervised.iter().map(Supervised::budget_usd).fold(0.0, f64::max);
    let view = View { format, may_prompt: true, budget };
    supervise(engine, supervised, events, &view).await
}
