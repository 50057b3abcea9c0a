//! What happened, as data. The engine emits events and never prints; reporters and files are made from them.

use crate::{
    call::ToolCall,
    host::Endpoint,
    id::{CallId, RunId},
    probe::ProbeReport,
    result::AttemptResult,
    verdict::{Decision, Verdict},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One connection or request that tried to leave, a line of `egress.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct EgressRecord {
    /// When it was decided.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What was asked for, escaped; not always a valid endpoint when it was refused.
    pub asked: String,
    /// Method and path of a request that was looked at, without its query, escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// `proxy-connect`, `proxy-http`, `named`, `model`.
    pub via: String,
    /// True when it was let out.
    pub allowed: bool,
    /// The route or the rule that refused: `no_route`, `internal_address`, `sni_mismatch`, `not_tls`, `bad_request`, …
    pub rule: String,
    /// One line for people.
    pub reason: String,
    /// Where the connection went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub address: Option<std::net::SocketAddr>,
    /// HTTP status that the program inside saw, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Bytes towards the world.
    pub bytes_up: u64,
    /// Bytes from the world.
    pub bytes_down: u64,
    /// Time from the request to its end, in microseconds.
    pub micros: u64,
}

/// Tokens and cost of one model request, a line of `usage.jsonl`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Usage {
    /// The model that answered.
    pub model: String,
    /// Input tokens that were neither read from nor written to the cache.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Input tokens written to the cache.
    pub cache_write_tokens: u64,
    /// Input tokens read from the cache.
    pub cache_read_tokens: u64,
    /// Cost in US dollars by the price table of the build; 0 for a model that it does not know.
    pub cost_usd: f64,
    /// The gate asked about a call; not a turn of the agent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_gate: bool,
}

/// A tool call as the model emitted it, seen on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WireToolUse {
    /// The model's id.
    pub id: CallId,
    /// The tool's name.
    pub tool: String,
    /// The input, as streamed.
    pub input: serde_json::Value,
}

/// A tool result that the agent sent back, seen on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WireToolResult {
    /// The call that it answers.
    pub id: CallId,
    /// The agent marked it as an error.
    pub is_error: bool,
    /// First characters of the content, at most 400.
    pub head: String,
}

/// Where an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Recorded, nothing done yet.
    Admitted,
    /// Snapshot, container, channel, canary.
    Provisioning,
    /// The task's setup commands run.
    Setup,
    /// The agent works.
    Running,
    /// Calls are held until a person answers.
    Waiting,
    /// The model endpoint answers with rate limits; the agent tries again when it may.
    RateLimited,
    /// The same, with the agent's session saved and its container stopped; no process works on the run.
    Parked,
    /// The container is stopped and the work tree is read.
    Harvesting,
    /// The task's verify commands run on the harvested result.
    Verifying,
    /// `result.json` is written.
    Done,
}

impl Phase {
    /// True when a person's answer can still matter.
    #[must_use]
    pub fn can_wait(self) -> bool {
        matches!(self, Self::Running | Self::Waiting | Self::RateLimited | Self::Parked)
    }

    /// True when the attempt needs no one any more.
    #[must_use]
    pub fn is_done(self) -> bool {
        self == Self::Done
    }
}

/// A line of `events.jsonl` and of `--format jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct EventRecord {
    /// When it happened.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The run.
    pub run: RunId,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// A line of `gate.jsonl`: written before the answer is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct GateRecord {
    /// When it was decided.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The call.
    pub call: ToolCall,
    /// SHA-256 over tool, directory and input.
    pub digest: String,
    /// The answer.
    pub verdict: Verdict,
}

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The attempt was admitted.
    Launch {
        /// The task's name.
        task: String,
        /// The repository, by its directory's name.
        repository: String,
        /// Branch or revision and commit.
        base: String,
        /// The image.
        image: String,
        /// Where its files are.
        dir: std::path::PathBuf,
    },
    /// The attempt entered a phase.
    Phase {
        /// The new phase.
        phase: Phase,
        /// One line for people.
        detail: String,
    },
    /// One step of provisioning ended.
    Step {
        /// `snapshot`, `create`, `start`, `channel`, `canary`, …
        name: String,
        /// Microseconds since the start of the process.
        at_micros: u64,
        /// Microseconds the step took.
        micros: u64,
    },
    /// The canary's result.
    Canary {
        /// Every check.
        report: ProbeReport,
    },
    /// The agent's model answered; a turn began.
    Turn {
        /// Turns so far.
        turns: u32,
        /// Cost so far, in US dollars.
        cost_usd: f64,
    },
    /// The gate answered a call.
    Gate {
        /// The call.
        call: ToolCall,
        /// The answer.
        verdict: Verdict,
        /// Microseconds from the request received to the answer written; 0 for a call that was held.
        answered_micros: u64,
    },
    /// What a tool returned looks like an attempt to steer the agent.
    Suspected {
        /// The call that brought it.
        call: ToolCall,
        /// What it looks like, in a few words.
        trick: String,
        /// The words that gave it away, escaped, at most 160 characters.
        excerpt: String,
    },
    /// A call is held until a person answers.
    Held {
        /// Id of the question, for `sandbox approve`.
        ask: String,
        /// The call.
        call: ToolCall,
        /// Why it is asked.
        reason: String,
    },
    /// A person (or the deadline) answered.
    Answered {
        /// Id of the question.
        ask: String,
        /// The answer.
        decision: Decision,
        /// Who and why.
        reason: String,
    },
    /// The model endpoint answered with a rate limit.
    RateLimited {
        /// Its status, 429 or 529.
        status: u16,
        /// Seconds that it asks to wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_secs: Option<u64>,
    },
    /// Something was refused on the way out.
    Refused {
        /// What was asked for.
        asked: String,
        /// The rule.
        rule: String,
    },
    /// A trusted endpoint was reached for the first time.
    Reached {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// A verify or setup command ended.
    Command {
        /// `setup` or `verify`.
        phase: Phase,
        /// The command.
        command: String,
        /// Its exit code.
        code: i64,
        /// Milliseconds it took.
        millis: u64,
    },
    /// Something a person should know, that changes nothing.
    Notice {
        /// One line.
        text: String,
    },
    /// The attempt is over.
    Done {
        /// What came of it.
        result: Box<AttemptResult>,
    },
}
