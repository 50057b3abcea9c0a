//! `sandbox approve` and `sandbox deny`.

use crate::{
    args::{ApproveArgs, DenyArgs},
    failure::Failure,
    report::{
        human::to_stderr,
        line::{Tone, line},
    },
};
use engine::Answer;
use types::exit::Exit;

pub(super) fn approve(args: &ApproveArgs) -> Result<Exit, Failure> {
    let ask = super::engine()?.answer(&args.ask, Answer::Allow, &args.reason)?;
    to_stderr(&line(Tone::Good, "Approved", &format!("once: {}", ask.call.summary(160))));
    Ok(Exit::Passed)
}

pub(super) fn deny(args: &DenyArgs) -> Result<Exit, Failure> {
    let ask = super::engine()?.answer(&args.ask, Answer::Deny, &args.reason)?;
    to_stderr(&line(Tone::Warn, "Denied", &ask.call.summary(160)));
    Ok(Exit::Passed)
}
