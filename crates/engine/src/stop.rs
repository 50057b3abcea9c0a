//! Graded shutdown: the first signal asks and harvests, the second kills and harvests, the third leaves.

use crate::outcome::Outcome;
use types::result::Status;

/// How far the person went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Go on.
    No,
    /// End the agent, harvest, clean up.
    Ask {
        /// By SIGTERM rather than SIGINT.
        by_term: bool,
    },
    /// Kill the agent at once, harvest, clean up.
    Kill {
        /// By SIGTERM rather than SIGINT.
        by_term: bool,
    },
    /// Leave everything as it is; `sandbox resume` goes on.
    Abandon,
}

impl Stop {
    /// The next stage.
    #[must_use]
    pub fn next(self, by_term: bool) -> Self {
        match self {
            Self::No => Self::Ask { by_term },
            Self::Ask { by_term } => Self::Kill { by_term },
            Self::Kill { .. } | Self::Abandon => Self::Abandon,
        }
    }

    /// The end that it asks for.
    pub(crate) fn outcome(self) -> Option<Outcome> {
        match self {
            Self::No => None,
            Self::Ask { by_term: true } | Self::Kill { by_term: true } => {
                Some(Outcome::new(Status::Terminated, "terminated by SIGTERM"))
            }
            Self::Ask { by_term: false } | Self::Kill { by_term: false } | Self::Abandon => {
                Some(Outcome::new(Status::Interrupted, "interrupted"))
            }
        }
    }

    /// What the person is told.
    #[must_use]
    pub fn announcement(self) -> &'static str {
        match self {
            Self::No => "",
            Self::Ask { .. } => "stopping the agent and harvesting its work; Ctrl-C again kills it",
            Self::Kill { .. } => {
                "killing the agent and harvesting; Ctrl-C again leaves at once, `sandbox resume` goes on"
            }
            Self::Abandon => "leaving",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_decides_the_exit_code_and_the_third_leaves() {
        let asked = Stop::No.next(true);
        let killed = asked.next(false);
        assert_eq!(killed, Stop::Kill { by_term: true });
        assert_eq!(killed.next(true), Stop::Abandon);
    }
}
