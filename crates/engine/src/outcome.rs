//! Why an attempt ended, before its work is harvested and verified.

use runtime::ContainerState;
use types::{
    id::RunId,
    result::{Resource, Status},
};

/// An end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// [`Status::Passed`] means here: the agent finished; `verify` has still to prove it.
    pub(crate) status: Status,
    pub(crate) reason: String,
    pub(crate) hint: Option<String>,
    /// The resource whose limit was reached.
    pub(crate) resource: Option<Resource>,
    /// The agent's session is saved and goes on when a person has answered: nothing of the run is removed.
    pub(crate) is_parked: bool,
}

impl Outcome {
    pub(crate) fn new(status: Status, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), hint: None, resource: None, is_parked: false }
    }

    /// The limit of a resource was reached.
    pub(crate) fn limit(resource: Resource, text: &str) -> Self {
        let reason = format!("resource-limit {}: {text}", resource.name());
        let outcome = Self::new(Status::Limit, reason)
            .with_hint("partial work is kept; raise the limit, or have less done at once");
        Self { resource: Some(resource), ..outcome }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The agent finished.
    pub(crate) fn finished() -> Self {
        Self::new(Status::Passed, "the agent finished")
    }

    /// The agent's session is saved until a person has answered.
    pub(crate) fn parked(run: &RunId) -> Self {
        let name = run.words();
        let hint = format!("`sandbox pending` shows the call; answer it, then `sandbox resume {name}` goes on");
        let parked =
            Self::new(Status::Waiting, "a call waits for a person; the agent's session is saved").with_hint(hint);
        Self { is_parked: true, ..parked }
    }

    /// Whose fault it is that an agent ended half way. It cannot end its own container: PID 1 belongs to another uid.
    pub(crate) fn considering(self, state: &Result<ContainerState, runtime::Error>) -> Self {
        match state {
            _ if self.status != Status::Truncated => self,
            Ok(state) if state.oom_killed => {
                Self::limit(Resource::Memory, "the kernel killed a process (container.memory-mb)")
            }
            Ok(state) if !state.running => {
                let code = state.exit_code.map_or_else(String::new, |code| format!(" (exit code {code})"));
                Self::new(Status::Infrastructure, format!("the agent's container was ended from outside{code}"))
                    .with_hint("was the engine stopped, or the container killed? run the task again")
            }
            Ok(_) => self,
            Err(error) if error.is_not_found() => {
                Self::new(Status::Infrastructure, "the agent's container was removed from outside")
            }
            Err(error) => Self::new(Status::Infrastructure, chain(error))
                .with_hint("the container engine does not answer; start it and run `sandbox resume`"),
        }
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
