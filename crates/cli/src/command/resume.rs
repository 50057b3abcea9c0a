//! `sandbox resume`.

use super::watch::{View, supervise};
use crate::{args::ResumeArgs, failure::Failure, report::human::to_stderr};
use std::time::Instant;
use tokio::sync::mpsc;
use types::exit::Exit;

pub(super) async fn run(args: ResumeArgs, started: Instant) -> Result<Exit, Failure> {
    let engine = super::engine()?;
    let (sender, events) = mpsc::unbounded_channel();
    let supervised = engine.resume(&args.runs, &sender, started)?;
    drop(sender);
    if supervised.is_empty() {
        to_stderr("every run is over or has its process");
        return Ok(Exit::NothingToRun);
    }
    let budget = supervised.iter().map(engine::Supervised::budget_usd).fold(0.0, f64::max);
    let view = View { format: args.format.get(), may_prompt: true, budget };
    supervise(&engine, supervised, events, &view).await
}
