//! `sandbox approve` and `sandbox deny`.

use super::resume;
use crate::{
    args::{ApproveArgs, DenyArgs, ThenArgs},
    failure::Failure,
    report::{
        human::to_stderr,
        line::{Tone, line},
    },
};
use engine::{Answer, Ask, Engine};
use std::time::Instant;
use types::exit::Exit;

pub(super) async fn approve(args: &ApproveArgs, started: Instant) -> Result<Exit, Failure> {
    let engine = super::engine()?;
    let ask = engine.answer(&args.ask, Answer::Allow, &args.reason)?;
    to_stderr(&line(Tone::Good, "Approved", &format!("once: {}", ask.call.summary(160))));
    then(&engine, &ask, &args.then, started).await
}

pub(super) async fn deny(args: &DenyArgs, started: Instant) -> Result<Exit, Failure> {
    let engine = super::engine()?;
    let ask = engine.answer(&args.ask, Answer::Deny, &args.reason)?;
    to_stderr(&line(Tone::Warn, "Denied", &ask.call.summary(160)));
    then(&engine, &ask, &args.then, started).await
}

/// A run that no process works on goes on here, or the person is told how.
async fn then(engine: &Engine, ask: &Ask, args: &ThenArgs, started: Instant) -> Result<Exit, Failure> {
    if engine.is_supervised(&ask.run) {
        return Ok(Exit::Passed);
    }
    if args.resume {
        return resume::go_on(engine, &[ask.run.to_string()], args.format.get(), started).await;
    }
    to_stderr(&line(Tone::Dim, "next", &format!("sandbox resume {}", ask.run.words())));
    Ok(Exit::Passed)
}
