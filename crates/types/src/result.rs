//! What an attempt came to: the content of `result.json`, written last and atomically.

use crate::{
    event::EgressRecord,
    exit::Exit,
    harvest::Harvest,
    id::{RunId, TaskName},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of `result.json`.
pub const VERSION: u32 = 1;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The agent finished and `verify` passed.
    Passed,
    /// The agent finished; `verify` or an expectation did not hold.
    Failed,
    /// The agent crashed or stopped half way.
    Truncated,
    /// Wall clock, idle time, turns, budget, memory, disk or processes.
    Limit,
    /// Stopped by policy: a bypass of the gate, or a canary that surprised.
    Policy,
    /// Held for a person until the deadline passed.
    Waiting,
    /// Engine, host or network failed.
    Infrastructure,
    /// The task's setup failed.
    Setup,
    /// The model endpoint refused the credential.
    Authentication,
    /// Cancelled by a person.
    Interrupted,
    /// Ended by SIGTERM.
    Terminated,
    /// A defect of ours.
    Internal,
}

impl Status {
    /// The exit code of a run that consists of this attempt.
    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            Self::Passed => Exit::Passed,
            Self::Failed => Exit::Failed,
            Self::Truncated => Exit::Truncated,
            Self::Limit => Exit::Limit,
            Self::Policy => Exit::Policy,
            Self::Waiting => Exit::Waiting,
            Self::Infrastructure => Exit::Infrastructure,
            Self::Setup => Exit::Setup,
            Self::Authentication => Exit::Authentication,
            Self::Interrupted => Exit::Interrupted,
            Self::Terminated => Exit::Terminated,
            Self::Internal => Exit::Internal,
        }
    }
}

/// A resource of the container that is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// Memory.
    Memory,
    /// Processes and threads.
    Processes,
    /// Bytes in the work tree and the home.
    Disk,
    /// Files in the work tree and the home.
    Files,
    /// What the agent prints.
    Log,
}

impl Resource {
    /// Its name in reasons.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::Disk => "disk",
            Self::Files => "files",
            Self::Log => "log",
        }
    }
}

/// Outcome of `verify`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Verify {
    /// True when every command ended with 0 in the fresh sandbox.
    pub passed: bool,
    /// The container that ran it, never the agent's.
    pub container: String,
    /// Every command that ran.
    pub commands: Vec<VerifyCommand>,
    /// Paths of the diff that change what verify itself runs (tests, build files).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touched: Vec<String>,
}

/// One command of `verify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct VerifyCommand {
    /// As in the task.
    pub command: String,
    /// Exit code; -1 when it did not end by itself.
    pub code: i64,
    /// Milliseconds.
    pub millis: u64,
    /// Log file, relative to the attempt's directory.
    pub log: String,
}

/// Counts of the gate's answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct GateCounts {
    /// Calls allowed.
    pub allowed: u64,
    /// Calls denied by judgement.
    pub denied: u64,
    /// Calls that a person was asked about.
    pub asked: u64,
    /// Calls denied because the gate was not available; no judgement.
    pub unavailable: u64,
    /// Calls that the agent refused before its gate.
    pub rejected_before_gate: u64,
    /// Calls that had an effect without a verdict: always 0, or the run was stopped.
    pub bypassed: u64,
    /// Tool results that looked like an attempt to steer the agent.
    #[serde(default)]
    pub suspected: u64,
    /// Tool results that reached the model without having been looked at.
    #[serde(default)]
    pub unprobed: u64,
    /// Calls about which a model was asked.
    #[serde(default)]
    pub by_model: u64,
    /// What asking it cost, US dollars; part of the attempt's cost.
    #[serde(default)]
    pub model_usd: f64,
}

impl GateCounts {
    /// The share of the calls that were settled without a model, in whole per cent; none before the first call. Never 100 when a
    /// model was asked.
    #[must_use]
    pub fn percent_without_model(&self) -> Option<u64> {
        let judged = self.allowed + self.denied + self.asked + self.unavailable;
        judged.saturating_sub(self.by_model).saturating_mul(100).checked_div(judged)
    }
}

/// Counts of what left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct EgressCounts {
    /// Connections and requests let out.
    pub allowed: u64,
    /// Connections and requests refused.
    pub refused: u64,
    /// Bytes towards the world.
    pub bytes_up: u64,
    /// Bytes from the world.
    pub bytes_down: u64,
}

impl EgressCounts {
    /// Counts one record.
    pub fn add(&mut self, record: &EgressRecord) {
        self.bytes_up += record.bytes_up;
        self.bytes_down += record.bytes_down;
        if record.allowed {
            self.allowed += 1
        } else {
            self.refused += 1
        };
    }
}

/// Where the time went until the agent was executed, in microseconds since the start of the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Timing {
    /// The step.
    pub step: String,
    /// When it ended.
    pub at_micros: u64,
    /// How long it took.
    pub micros: u64,
}

/// `result.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct AttemptResult {
    /// [`VERSION`].
    pub version: u32,
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskName,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// How it ended.
    pub status: Status,
    /// One line: which limit, which command, which cause.
    pub reason: String,
    /// What a person can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The resource whose limit was reached, where that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// When the attempt began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it ended.
    #[schemars(with = "String")]
    pub ended: Timestamp,
    /// Turns of the agent.
    pub turns: u32,
    /// Cost in US dollars.
    pub cost_usd: f64,
    /// The agent's last words, escaped and cut.
    pub summary: String,
    /// The work, also after a failure; none when there was nothing to harvest.
    pub harvest: Option<Harvest>,
    /// Outcome of `verify`; none when the task has none or it was not reached.
    pub verify: Option<Verify>,
    /// What the gate did.
    pub gate: GateCounts,
    /// What left.
    pub egress: EgressCounts,
    /// Where the time to the agent's start went.
    pub timings: Vec<Timing>,
}

impl AttemptResult {
    /// The run's own branch name on the reviewer's side.
    #[must_use]
    pub fn branch(&self) -> String {
        format!("sandbox/{}", self.run)
    }
}
