//! The operator's settings, key by key.

use crate::{
    budget::{Cap, TokenCaps},
    id::SecretName,
    route::BranchPattern,
    size::ByteSize,
    span::Span,
    trust::TrustEntry,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use crate::layers::{Layer, ProfileError, Resolved};

/// The profile in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Profile {
    /// Which agent, and where its binary comes from.
    pub agent: AgentProfile,
    /// Where the run lives.
    pub container: ContainerProfile,
    /// When the run ends.
    pub limits: LimitsProfile,
    /// The gate's mode and the operator's rules.
    pub gate: GateProfile,
    /// How the operator hears of held calls.
    #[serde(default)]
    pub notify: NotifyProfile,
    /// What may be reached.
    pub trust: TrustProfile,
    /// What git may do with the repository's remotes.
    #[serde(default)]
    pub git: GitProfile,
    /// Credentials that are added to requests outside, by the name that routes use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<SecretName, SecretProfile>,
    /// The model endpoint and its credential.
    pub model: ModelProfile,
}

/// `[agent]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AgentProfile {
    /// The adapter.
    pub kind: AgentKind,
    /// The model it asks for; must be one of `model.models`.
    pub model: String,
    /// Image that carries its binary.
    pub image: String,
}

/// The agents there are adapters for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AgentKind {
    /// Claude Code.
    Claude,
}

/// `[container]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ContainerProfile {
    /// Image of the run.
    pub image: String,
    /// OCI runtime; empty for the engine's default.
    pub runtime: String,
    /// Memory, MiB; swap is not given on top.
    pub memory_mb: u64,
    /// Processors.
    pub cpus: f64,
    /// Processes and threads.
    pub pids: u32,
    /// Open files per process.
    pub open_files: u32,
    /// Size of /tmp, MiB.
    pub tmp_mb: u64,
    /// Work tree and home, MiB on disk.
    #[serde(default = "disk_mb")]
    pub disk_mb: u64,
    /// Files and directories in them.
    #[serde(default = "disk_files")]
    pub disk_files: u64,
    /// Output of the agent, MiB for each stream.
    #[serde(default = "log_mb")]
    pub log_mb: u64,
    /// Advisories with which the engine's runtime may be used all the same.
    #[serde(default)]
    pub accept_risk: Vec<String>,
}

/// `[limits]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LimitsProfile {
    /// Wall clock of an attempt; waits for a person, and for a model endpoint that answers with rate limits, are not counted.
    pub timeout: Span,
    /// Silence of the agent.
    pub idle_timeout: Span,
    /// Turns of the model.
    pub max_turns: u32,
    /// Cost of model requests, US dollars.
    pub max_budget_usd: f64,
    /// Model requests, the gate's included.
    #[serde(default)]
    pub max_requests: Cap,
    /// Tokens by class.
    #[serde(default)]
    pub max_tokens: TokenCaps,
    /// Waits for a model endpoint that answers with rate limits, all of them together.
    #[serde(default = "rate_limit_timeout")]
    pub rate_limit_timeout: Span,
    /// Wait for a person's answer.
    pub approval_deadline: Span,
    /// Wait for it with the container running; after that the run is parked.
    #[serde(default = "approval_grace")]
    pub approval_grace: Span,
    /// All setup commands together.
    pub setup_timeout: Span,
    /// All verify commands together.
    pub verify_timeout: Span,
    /// Reading the work tree.
    pub harvest_timeout: Span,
}

/// `[gate]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GateProfile {
    /// Whether the gate judges.
    pub mode: GateMode,
    /// Rules that allow.
    pub allow: Vec<String>,
    /// Rules that ask.
    pub ask: Vec<String>,
    /// Rules that deny.
    pub deny: Vec<String>,
    /// Whether calls run that no rule of the operator allows.
    pub auto_mode: AutoMode,
    /// The model that is asked about calls that no rule and no floor settles.
    pub classifier: ClassifierProfile,
}

/// Whether the gate may allow on its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AutoMode {
    /// Calls run when a rule, a floor or the classifier allows them.
    #[default]
    Enabled,
    /// Every call that no rule of the operator allows asks a person.
    Disabled,
}

/// `[gate.classifier]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClassifierProfile {
    /// Off: undecided calls ask a person.
    pub enabled: bool,
    /// What the endpoint speaks.
    pub kind: Dialect,
    /// Base URL of an endpoint of its own; empty for the agent's model endpoint with its credential.
    pub url: String,
    /// Credential for an endpoint of its own: `api-key`, `bearer` or `oauth`, then env:NAME, file:PATH or command:COMMAND. Empty for none.
    pub credential: String,
    /// Where an OAuth credential of its own is refreshed; empty for `model.token-endpoint` if it is for the host of `model.upstream`, else none.
    #[serde(default)]
    pub token_endpoint: String,
    /// As whom; goes with the token endpoint.
    #[serde(default)]
    pub token_client_id: String,
    /// The model that is asked, whatever the agent works with.
    pub model: String,
    /// Asked when that one does not answer; empty for none.
    pub fallback_model: String,
    /// Deadline of one request.
    pub timeout: Span,
    /// How long an undecided call waits for the safety check in all, before it is denied without a judgement.
    pub patience: Span,
    /// What the classifier is told of the surroundings, in prose. `$defaults` stands for the built-in text, in each of the lists.
    pub environment: Vec<String>,
    /// What is fine, in prose.
    pub allow: Vec<String>,
    /// What needs the person's word, in prose.
    pub soft_deny: Vec<String>,
    /// What nothing allows, in prose; the built-in rules hold in any case.
    pub hard_deny: Vec<String>,
}

/// What a model endpoint speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// The Messages API.
    #[default]
    Messages,
    /// Chat completions, as many local model servers speak it.
    Openai,
}

/// `[notify]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct NotifyProfile {
    /// A shell command on the host, with the question in its environment; empty for none.
    pub command: String,
    /// A URL to which the question is posted as JSON; empty for none.
    pub webhook: String,
}

/// The limits of plans that were stored before there were any.
fn disk_mb() -> u64 {
    10_240
}

fn disk_files() -> u64 {
    1_000_000
}

fn log_mb() -> u64 {
    256
}

/// The grace of plans that were stored before there was one.
fn approval_grace() -> Span {
    Span::from_minutes(10)
}

/// The same of the waits for an endpoint.
fn rate_limit_timeout() -> Span {
    Span::from_minutes(60)
}

/// Whether the gate judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GateMode {
    /// Every call is judged.
    Enforce,
    /// Every call is allowed and recorded: for tests of the boundary.
    AllowAll,
}

/// `[trust]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrustProfile {
    /// Trusted endpoints; empty means none.
    pub endpoints: Vec<TrustEntry>,
    /// Files with certificate authorities, PEM, that endpoints of decrypted routes are checked by, beside those of the host.
    #[serde(default)]
    pub ca_files: Vec<String>,
    /// Bytes that may go up over all routes of a run; the model is not counted.
    #[serde(default = "upload_max")]
    pub upload_max: ByteSize,
    /// Bytes that may come down, likewise.
    #[serde(default = "download_max")]
    pub download_max: ByteSize,
    /// Connections and requests of a run, refused ones too; the model is not counted.
    #[serde(default = "requests_max")]
    pub requests_max: u64,
}

/// The caps of plans that were stored before there were any.
fn upload_max() -> ByteSize {
    ByteSize::from(256 << 20)
}

fn download_max() -> ByteSize {
    ByteSize::from(16 << 30)
}

fn requests_max() -> u64 {
    100_000
}

/// `[git]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct GitProfile {
    /// Whether git inside may fetch from the remotes that the repository had when the run began.
    pub fetch: bool,
    /// Branches that git inside may create there; none by default.
    pub push: Vec<BranchPattern>,
    /// Where the user name and password for the remotes are looked for, in order: helper, env:NAME or command:COMMAND. Empty: none.
    pub credentials: Vec<String>,
}

impl Default for GitProfile {
    fn default() -> Self {
        Self { fetch: true, push: Vec::new(), credentials: Vec::new() }
    }
}

/// `[secrets.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecretProfile {
    /// Where it is on the host: env:NAME, file:PATH or command:COMMAND.
    pub source: String,
    /// The header that carries it.
    #[serde(default = "authorization")]
    pub header: String,
    /// The header's value; `{}` stands for the secret.
    #[serde(default = "bearer")]
    pub value: String,
    /// A variable inside that holds a placeholder, for programs that refuse to start without one. The placeholder is worthless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
}

fn authorization() -> String {
    "authorization".to_owned()
}

fn bearer() -> String {
    "Bearer {}".to_owned()
}

/// `[model]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ModelProfile {
    /// Base URL of the Messages API.
    pub upstream: String,
    /// Models that may be asked for; empty means none.
    pub models: Vec<String>,
    /// Where the credential is looked for, in order.
    pub credentials: Vec<String>,
    /// Where OAuth tokens that end are refreshed.
    #[serde(default = "token_endpoint")]
    pub token_endpoint: String,
    /// As whom.
    #[serde(default = "token_client_id")]
    pub token_client_id: String,
    /// What becomes of requests that make the endpoint itself fetch or run something.
    #[serde(default)]
    pub server_side: ServerSide,
    /// Prices of models that the build does not know, and of those that have another one here.
    #[serde(default)]
    pub prices: Vec<ModelPrice>,
}

fn token_endpoint() -> String {
    "https://platform.claude.com/v1/oauth/token".to_owned()
}

/// Claude Code's, for whose tokens this is.
fn token_client_id() -> String {
    "9d1c250a-e61b-44d9-88ed-5944d1962f5e".to_owned()
}

/// What becomes of a request that makes the model's endpoint itself fetch or run something: tools of its own, MCP servers, content
/// from a URL, uploaded files, containers, other models to fall back on, and fields that this build does not know. Each is a way
/// past the routes or the list of models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServerSide {
    /// The request is refused.
    #[default]
    Deny,
    /// It goes up without them; refused where that is not possible.
    Strip,
    /// It goes up as it is.
    Allow,
}

/// What a model costs, US dollars per million tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ModelPrice {
    /// The model; also its dated ids.
    pub model: String,
    /// Input.
    pub input: f64,
    /// Output.
    pub output: f64,
    /// Written to the cache; 1.25 times the input when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
    /// Read from the cache; a tenth of the input when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<f64>,
}
