//! What a scene found out: checks, each of one case.

use std::{
    any::Any,
    panic::{self, AssertUnwindSafe, catch_unwind},
    thread,
    time::Instant,
};

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    /// The case.
    pub(crate) id: &'static str,
    /// What it was.
    pub(crate) what: String,
    /// True for a positive control.
    pub(crate) is_control: bool,
    /// As it must be.
    pub(crate) ok: bool,
}

/// All that a scene looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) checks: Vec<Check>,
    /// Why the scene did not come to its end.
    pub(crate) failure: Option<String>,
    /// Why it was not played.
    pub(crate) skipped: Option<String>,
    pub(crate) millis: u64,
}

impl Report {
    /// Something that must be so for the case to be held; `what` says what is wrong when it is not.
    pub(crate) fn held(&mut self, id: &'static str, ok: bool, what: impl Into<String>) {
        self.checks.push(Check { id, what: what.into(), is_control: false, ok });
    }

    /// Something that shows that the rest says anything.
    pub(crate) fn control(&mut self, id: &'static str, ok: bool, what: impl Into<String>) {
        self.checks.push(Check { id, what: what.into(), is_control: true, ok });
    }
}

/// Plays a scene to its end, or to the first thing in it that cannot go on.
pub(crate) fn play(scene: impl FnOnce(&mut Report)) -> Report {
    let since = Instant::now();
    let mut report = Report::default();
    let played = catch_unwind(AssertUnwindSafe(|| scene(&mut report)));
    report.failure = played.err().map(|panic| words(panic.as_ref()));
    report.millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    report
}

/// Name of the threads that play.
pub(crate) const PLAYER: &str = "player";

/// What ends a scene stands in its report, and nowhere else.
pub(crate) fn keep_quiet() {
    let told = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().name() != Some(PLAYER) {
            told(info);
        }
    }));
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_checked_before_a_failure_is_kept() {
        let report = play(|report| {
            report.held("K-01", true, "first");
            assert!(report.checks.is_empty(), "out of order");
        });
        assert_eq!(report.checks.len(), 1);
        assert!(report.failure.is_some_and(|text| text.contains("out of order")));
        assert!(play(|report| report.control("K-01", true, "x")).failure.is_none());
    }
}
