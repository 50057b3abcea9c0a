//! The operator's settings: one table made of layers, in which every value knows who set it.
//!
//! The embedded default profile names every key, so that it is at once the documentation, the list of known keys and the
//! lowest layer.

use crate::{
    budget::{Cap, TokenCaps},
    id::SecretName,
    route::BranchPattern,
    size::ByteSize,
    source::Source,
    span::Span,
    text,
    trust::TrustEntry,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::{Table, Value};

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

/// The section whose names the operator makes up.
const SECRETS: &str = "secrets.";

/// One layer of settings.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Who set it.
    pub source: Source,
    /// The keys it sets.
    pub table: Table,
}

/// Settings and where each came from.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The values in force.
    pub profile: Profile,
    /// Dotted key to the layer that set it last.
    pub sources: BTreeMap<String, Source>,
    /// Dotted key to the value, as TOML text.
    pub values: BTreeMap<String, String>,
}

/// Why settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The text is not TOML.
    #[error("{origin} is not valid TOML")]
    Syntax {
        /// Who set it.
        origin: Source,
        /// What is wrong, with line and column.
        #[source]
        cause: Box<toml::de::Error>,
    },
    /// A key that no build knows.
    #[error("unknown key `{key}` in {origin}")]
    UnknownKey {
        /// The dotted key.
        key: String,
        /// Who set it.
        origin: Source,
        /// A key that it may have been meant to be.
        suggestion: Option<String>,
    },
    /// A value of the wrong type or out of range.
    #[error("bad value for `{key}` in {origin}")]
    BadValue {
        /// The dotted key.
        key: String,
        /// Who set it.
        origin: Source,
        /// What is wrong.
        #[source]
        cause: Box<toml::de::Error>,
    },
    /// A `KEY=VALUE` setting without a key or an equals sign.
    #[error("`{text}` is not KEY=VALUE")]
    Assignment {
        /// The text as given.
        text: String,
    },
}

impl ProfileError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { suggestion: Some(word), .. } => Some(format!("did you mean `{word}`?")),
            Self::UnknownKey { suggestion: None, .. } => Some("`sandbox config show` lists every key".to_owned()),
            Self::Assignment { .. } => Some("write it like --set limits.timeout=45m".to_owned()),
            Self::Syntax { .. } | Self::BadValue { .. } => None,
        }
    }
}

impl Layer {
    /// Reads a layer from TOML text.
    ///
    /// # Errors
    /// [`ProfileError::Syntax`].
    pub fn parse(source: Source, text: &str) -> Result<Self, ProfileError> {
        match text.parse() {
            Ok(table) => Ok(Self { source, table }),
            Err(cause) => Err(ProfileError::Syntax { origin: source, cause: Box::new(cause) }),
        }
    }

    /// Reads the settings of whoever manages the machine, which win over every other layer. Beside the profile's keys there is
    /// `disable-auto-mode = "disable"`: every call that no rule allows asks a person.
    ///
    /// # Errors
    /// [`ProfileError::Syntax`]; [`ProfileError::UnknownKey`] for another value of that key, which must not pass for leave.
    pub fn managed(source: Source, text: &str) -> Result<Self, ProfileError> {
        let mut layer = Self::parse(source, text)?;
        match layer.table.remove("disable-auto-mode") {
            None => {}
            Some(Value::String(word)) if word == "disable" => {
                put(&mut layer.table, "gate.auto-mode", &Value::String("disabled".to_owned()));
            }
            Some(other) => {
                return Err(ProfileError::UnknownKey {
                    key: text::printable(&format!("disable-auto-mode = {other}"), 80),
                    origin: layer.source,
                    suggestion: Some("disable-auto-mode = \"disable\"".to_owned()),
                });
            }
        }
        Ok(layer)
    }

    /// Reads `limits.timeout=45m`; the value is TOML where it parses as such, else a string.
    ///
    /// # Errors
    /// [`ProfileError::Assignment`].
    pub fn assignment(source: Source, text: &str) -> Result<Self, ProfileError> {
        let bad = || ProfileError::Assignment { text: text::printable(text, 80) };
        let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(bad)?;
        let parsed = format!("x = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("x"));
        let mut value = parsed.unwrap_or_else(|| Value::String(value.to_owned()));
        for part in key.rsplit('.') {
            value = Value::Table(Table::from_iter([(part.to_owned(), value)]));
        }
        match value {
            Value::Table(table) => Ok(Self { source, table }),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => Err(bad()),
        }
    }
}

impl Resolved {
    /// Lays `layers` over each other. The first one must be the default profile, which names every key but those of `[secrets]`.
    ///
    /// # Errors
    /// [`ProfileError`] names the key and the layer.
    pub fn new(layers: &[Layer]) -> Result<Self, ProfileError> {
        let mut merged: BTreeMap<String, (Value, Source)> = BTreeMap::new();
        for (n, layer) in layers.iter().enumerate() {
            for (key, value) in flatten(&layer.table) {
                if n > 0 && !merged.contains_key(&key) && !key.starts_with(SECRETS) {
                    let suggestion = text::nearest(&key, merged.keys().map(String::as_str)).map(str::to_owned);
                    let key = text::printable(&key, 80);
                    return Err(ProfileError::UnknownKey { key, origin: layer.source.clone(), suggestion });
                }
                let before = merged.insert(key.clone(), (value.clone(), layer.source.clone()));
                // A wrong value is reported with its key and layer: try it alone over what was valid before.
                if n > 0
                    && let Err(cause) = profile_of(&merged)
                {
                    drop(before);
                    return Err(ProfileError::BadValue { key, origin: layer.source.clone(), cause: Box::new(cause) });
                }
            }
        }
        let profile = profile_of(&merged).map_err(|cause| ProfileError::BadValue {
            key: "(profile)".to_owned(),
            origin: Source::Default,
            cause: Box::new(cause),
        })?;
        let values = merged.iter().map(|(key, (value, _))| (key.clone(), value.to_string())).collect();
        let sources = merged.into_iter().map(|(key, (_, source))| (key, source)).collect();
        Ok(Self { profile, sources, values })
    }
}

fn profile_of(merged: &BTreeMap<String, (Value, Source)>) -> Result<Profile, toml::de::Error> {
    let mut root = Table::new();
    for (key, (value, _)) in merged {
        put(&mut root, key, value);
    }
    root.try_into()
}

/// Sets a dotted key. Where a layer gave a plain value for a section, that value stays and is refused by its type.
fn put(table: &mut Table, key: &str, value: &Value) {
    let Some((section, rest)) = key.split_once('.') else {
        table.insert(key.to_owned(), value.clone());
        return;
    };
    if let Value::Table(inner) = table.entry(section).or_insert_with(|| Value::Table(Table::new())) {
        put(inner, rest, value);
    }
}

/// Tables become dotted keys; everything else, arrays with their tables too, is a value. So is each secret: a layer replaces it as a whole.
fn flatten(table: &Table) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(inner) if format!("{name}.") == SECRETS => {
                out.extend(inner.iter().map(|(secret, value)| (format!("{SECRETS}{secret}"), value.clone())));
            }
            Value::Table(inner) => {
                out.extend(flatten(inner).into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => out.push((name.clone(), value.clone())),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(more: &[Layer]) -> Result<Resolved, ProfileError> {
        let default = include_str!("../../../profiles/default.toml");
        let mut layers = vec![Layer::parse(Source::Default, default)?];
        layers.extend_from_slice(more);
        Resolved::new(&layers)
    }

    #[test]
    fn every_key_of_the_profile_stands_in_the_default() {
        let resolved = resolve(&[]).expect("default");
        let value = toml::Table::try_from(&resolved.profile).expect("table");
        let keys: Vec<_> = flatten(&value).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), resolved.sources.len(), "{keys:?}");
    }

    #[test]
    fn later_layers_win_and_are_named() {
        let set = Layer::assignment(Source::Flag("set".into()), "limits.timeout=45m").expect("set");
        let resolved = resolve(&[set]).expect("resolved");
        assert_eq!(resolved.profile.limits.timeout.duration().as_secs(), 2700);
        assert_eq!(resolved.sources["limits.timeout"], Source::Flag("set".into()));
        assert_eq!(resolved.sources["limits.max-turns"], Source::Default);
        let deeper = Layer::assignment(Source::Flag("set".into()), "gate.classifier.kind=openai").expect("set");
        let resolved = resolve(&[deeper]).expect("resolved");
        assert_eq!(resolved.profile.gate.classifier.kind, Dialect::Openai);
        assert_eq!(resolved.profile.gate.classifier.model, "claude-sonnet-4-6");
    }

    #[test]
    fn the_machine_s_manager_has_the_last_word_on_auto_mode() {
        let managed = |text| Layer::managed(Source::File("/etc/managed.toml".into()), text);
        let own = Layer::assignment(Source::Flag("set".into()), "gate.auto-mode=enabled").expect("set");
        let mode = |layers: &[Layer]| resolve(layers).expect("resolved").profile.gate.auto_mode;
        assert_eq!(mode(std::slice::from_ref(&own)), AutoMode::Enabled, "control");
        for text in
            ["disable-auto-mode = \"disable\"", "disable-auto-mode = \"disable\"\n[gate]\ndeny = [\"WebFetch\"]"]
        {
            assert_eq!(mode(&[own.clone(), managed(text).expect(text)]), AutoMode::Disabled);
        }
        for bad in ["disable-auto-mode = true", "disable-auto-mode = \"enable\""] {
            assert!(matches!(managed(bad), Err(ProfileError::UnknownKey { .. })), "{bad}");
        }
    }

    #[test]
    fn slips_are_refused_with_the_likely_word() {
        let error = Layer::assignment(Source::Flag("set".into()), "limits.timout=45m").and_then(|set| resolve(&[set]));
        assert_eq!(error.err().and_then(|e| e.hint()).as_deref(), Some("did you mean `limits.timeout`?"));
    }

    #[test]
    fn secrets_are_named_by_the_operator_and_replaced_whole() {
        let file = |text| Layer::parse(Source::File("/profile.toml".into()), text).expect(text);
        let one = file("[secrets.api]\nsource = \"env:API\"\nheader = \"x-api-key\"\nvalue = \"{}\"\n");
        let two = file("[secrets.api]\nsource = \"file:/k\"\n");
        let resolved = resolve(&[one.clone(), two]).expect("resolved");
        let secret = &resolved.profile.secrets[&SecretName::new("api").expect("name")];
        assert_eq!((secret.source.as_str(), secret.header.as_str()), ("file:/k", "authorization"));
        for bad in [
            "[secrets.api]\nsource = 1\n",
            "[secrets.api]\nheder = \"x\"\nsource = \"env:A\"\n",
            "[secrets]\napi = \"x\"\n",
        ] {
            assert!(matches!(resolve(&[one.clone(), file(bad)]), Err(ProfileError::BadValue { .. })), "{bad}");
        }
    }

    #[test]
    fn bad_values_name_their_key_and_layer() {
        for bad in [
            "limits.timeout=soon",
            "gate.mode=off",
            "limits.max-turns=-1",
            "trust.endpoints=yes",
            "agent=claude",
            "gate.classifier=off",
        ] {
            let set = Layer::assignment(Source::Flag("set".into()), bad).expect(bad);
            assert!(resolve(&[set]).is_err(), "{bad}");
        }
    }
}
