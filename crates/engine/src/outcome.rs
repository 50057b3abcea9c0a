//! Why an attempt ended, before its work is harvested and verified.

use runtime::ContainerState;
use types::result::Status;

/// An end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// [`Status::Passed`] means here: the agent finished; `verify` has still to prove it.
    pub(crate) status: Status,
    pub(crate) reason: String,
    pub(crate) hint: Option<String>,
}

impl Outcome {
    pub(crate) fn new(status: Status, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), hint: None }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The agent finished.
    pub(crate) fn finished() -> Self {
        Self::new(Status::Passed, "the agent finished")
    }

    /// An agent that ended half way in a container that the kernel had to kill in was short of memory.
    pub(crate) fn considering(self, state: Option<&ContainerState>) -> Self {
        if self.status == Status::Truncated && state.is_some_and(|state| state.oom_killed) {
            return Self::new(Status::Limit, "container.memory-mb: the kernel killed a process for memory")
                .with_hint("raise container.memory-mb, or run fewer things at once");
        }
        self
    }
}

/// A chain of causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
