//! Exit codes: one closed set, documented, each with a test that reaches it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the process ends. The number is part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// 0: the task passed and was verified.
    Passed,
    /// 1: a defect of ours.
    Internal,
    /// 2: bad usage or an invalid file.
    Usage,
    /// 4: nothing to do.
    NothingToRun,
    /// 75: parked; trying later can help.
    Parked,
    /// 100: the agent finished and verification failed, or an expectation was not met.
    Failed,
    /// 101: the agent crashed or stopped half way.
    Truncated,
    /// 102: a limit was reached (time, turns, budget, memory, disk, processes).
    Limit,
    /// 103: stopped by policy.
    Policy,
    /// 104: waiting for a person.
    Waiting,
    /// 105: the engine, the host or the network failed.
    Infrastructure,
    /// 106: the task's setup failed.
    Setup,
    /// 107: no usable credential, or the model endpoint refused it.
    Authentication,
    /// 108: the result does not apply cleanly.
    ApplyConflict,
    /// 130: interrupted, after harvest.
    Interrupted,
    /// 143: terminated, after harvest.
    Terminated,
}

impl Exit {
    /// Every code, in the order of the table in the documentation.
    pub const ALL: [Self; 16] = [
        Self::Passed,
        Self::Internal,
        Self::Usage,
        Self::NothingToRun,
        Self::Parked,
        Self::Failed,
        Self::Truncated,
        Self::Limit,
        Self::Policy,
        Self::Waiting,
        Self::Infrastructure,
        Self::Setup,
        Self::Authentication,
        Self::ApplyConflict,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The process's exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::NothingToRun => 4,
            Self::Parked => 75,
            Self::Failed => 100,
            Self::Truncated => 101,
            Self::Limit => 102,
            Self::Policy => 103,
            Self::Waiting => 104,
            Self::Infrastructure => 105,
            Self::Setup => 106,
            Self::Authentication => 107,
            Self::ApplyConflict => 108,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// What the code means, one line.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Passed => "passed and verified",
            Self::Internal => "internal error",
            Self::Usage => "usage error or invalid file",
            Self::NothingToRun => "nothing to run",
            Self::Parked => "parked, retry later",
            Self::Failed => "verification failed or an expectation was not met",
            Self::Truncated => "the agent crashed or stopped half way",
            Self::Limit => "a limit was reached",
            Self::Policy => "stopped by policy",
            Self::Waiting => "waiting for a person",
            Self::Infrastructure => "the engine, host or network failed",
            Self::Setup => "the task's setup failed",
            Self::Authentication => "no usable model credential",
            Self::ApplyConflict => "the result does not apply cleanly",
            Self::Interrupted => "interrupted, after harvest",
            Self::Terminated => "terminated, after harvest",
        }
    }

    /// When several tasks end differently, the smallest rank decides the process's code.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            Self::Interrupted | Self::Terminated => 0,
            Self::Internal => 1,
            Self::Policy => 2,
            Self::Authentication => 3,
            Self::Infrastructure => 4,
            Self::Setup => 5,
            Self::Truncated => 6,
            Self::Limit => 7,
            Self::Failed => 8,
            Self::ApplyConflict => 9,
            Self::Waiting => 10,
            Self::Parked => 11,
            Self::Usage => 12,
            Self::NothingToRun => 13,
            Self::Passed => 14,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_ordered() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(codes, sorted);
    }
}
