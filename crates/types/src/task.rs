//! The task file: Markdown whose body is the prompt, with optional YAML front matter. A task only narrows policy.

use crate::{
    budget::{Cap, TokenCaps, TokenClass},
    host::Endpoint,
    id::{SecretName, TaskName},
    profile::{AgentKind, Profile},
    span::Span,
    text,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Largest accepted task file, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;

/// A task as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The front matter.
    pub front: FrontMatter,
    /// The prompt.
    pub prompt: String,
}

/// The front matter, `sandbox schema task`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FrontMatter {
    /// Name; the file's stem when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<TaskName>,
    /// The agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentChoice>,
    /// Branch, tag or commit to start from; HEAD when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Subset of the repository's remotes; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remotes: Option<Vec<String>>,
    /// The operator's profile to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Image of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Commands run before the agent, in the run's container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<String>,
    /// What the task needs to reach; only what the operator already trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Secrets of the operator that the task needs; all that his routes name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<SecretName>>,
    /// Wall clock; at most the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Silence; at most the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Span>,
    /// Turns; at most the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_turns: Option<u32>,
    /// Cost; at most the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_budget_usd: Option<f64>,
    /// Model requests; at most the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_requests: Option<Cap>,
    /// Tokens by class; at most the profile's. A class that is not named keeps the profile's cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<TokenCaps>,
    /// Commands that prove success, run on the harvested result in a fresh sandbox.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<String>,
    /// What the result must be like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

/// `agent: claude` or `agent: {kind, model}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AgentChoice {
    /// The adapter's name.
    Kind(AgentKind),
    /// The adapter and its model.
    Detailed(AgentDetails),
}

/// The long form of `agent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AgentDetails {
    /// The adapter.
    pub kind: AgentKind,
    /// The model; must be one that the operator allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// `network`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Network {
    /// Endpoints out of the operator's trusted ones; all others of them are closed for this task.
    pub allowed: Vec<Endpoint>,
}

/// `expect`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Expect {
    /// Whether the task must change the work tree.
    #[serde(default)]
    pub changes: Changes,
}

/// What is expected of the diff.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Changes {
    /// Any.
    #[default]
    Optional,
    /// At least one path.
    Required,
    /// No path.
    Forbidden,
}

/// Keys of the format that this build does not carry out yet.
const LATER: [&str; 4] = ["priority", "depends-on", "retries", "artifacts"];

/// Why a task file is refused.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTask {
    /// Too large.
    #[error("the task file has {bytes} bytes; at most {MAX_BYTES} are accepted")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The front matter has no closing line.
    #[error("the front matter that begins in line 1 has no closing `---`")]
    Unclosed,
    /// Not YAML, an unknown key, or a wrong value.
    #[error("the front matter is not valid: {cause}")]
    FrontMatter {
        /// What is wrong, with its place.
        cause: String,
        /// The key that it may have been meant to be.
        suggestion: Option<String>,
    },
    /// A key of the format that is not carried out yet.
    #[error("`{key}` is not supported yet")]
    NotSupported {
        /// The key.
        key: &'static str,
    },
    /// No prompt.
    #[error("the task has no prompt: the text below the front matter is empty")]
    NoPrompt,
    /// The task asks for more than the operator allows.
    #[error("the task asks for {what}, and the profile allows {allowed}")]
    Wider {
        /// What it asks for.
        what: String,
        /// What is allowed.
        allowed: String,
    },
}

impl InvalidTask {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::FrontMatter { suggestion: Some(word), .. } => Some(format!("did you mean `{word}`?")),
            Self::FrontMatter { suggestion: None, .. } => Some("`sandbox schema task` prints every key".to_owned()),
            Self::Unclosed => Some("end the front matter with a line `---`, or leave it out".to_owned()),
            Self::NotSupported { key } => Some(format!("remove `{key}`; this version would have to ignore it")),
            Self::NoPrompt => Some("write what the agent should do below the front matter".to_owned()),
            Self::Wider { .. } => Some("a task can only narrow; ask the operator to widen the profile".to_owned()),
            Self::TooLarge { .. } => None,
        }
    }
}

impl Task {
    /// Reads a task file.
    ///
    /// # Errors
    /// [`InvalidTask`]; unknown keys are errors, with a suggestion where one is likely.
    pub fn parse(source: &str) -> Result<Self, InvalidTask> {
        if source.len() > MAX_BYTES {
            return Err(InvalidTask::TooLarge { bytes: source.len() });
        }
        let (front, body) = split(source)?;
        let front = if front.trim().is_empty() { FrontMatter::default() } else { read_front(front)? };
        let prompt = body.trim().to_owned();
        if prompt.is_empty() {
            return Err(InvalidTask::NoPrompt);
        }
        Ok(Self { front, prompt })
    }

    /// Lays the task over the operator's profile. Limits can only shrink and choices must be among the allowed ones.
    ///
    /// # Errors
    /// [`InvalidTask::Wider`].
    pub fn narrow(&self, profile: &Profile) -> Result<Profile, InvalidTask> {
        let mut narrowed = profile.clone();
        let front = &self.front;
        if let Some(span) = front.timeout {
            shrink("a timeout of", span, &mut narrowed.limits.timeout)?;
        }
        if let Some(span) = front.idle_timeout {
            shrink("an idle-timeout of", span, &mut narrowed.limits.idle_timeout)?;
        }
        if let Some(turns) = front.max_turns {
            shrink("max-turns", turns, &mut narrowed.limits.max_turns)?;
        }
        if let Some(budget) = front.max_budget_usd {
            if budget.is_nan() || budget <= 0.0 {
                return Err(wider(format!("max-budget-usd {budget}"), "amounts above 0".to_owned()));
            }
            shrink("max-budget-usd", budget, &mut narrowed.limits.max_budget_usd)?;
        }
        if let Some(cap) = front.max_requests {
            shrink("max-requests", cap, &mut narrowed.limits.max_requests)?;
        }
        if let Some(caps) = front.max_tokens {
            for class in TokenClass::ALL.into_iter().filter(|class| caps.of(*class) != Cap::NONE) {
                shrink(class.limit().as_str(), caps.of(class), narrowed.limits.max_tokens.of_mut(class))?;
            }
        }
        if let Some(AgentChoice::Detailed(AgentDetails { model: Some(model), .. })) = &front.agent {
            if !narrowed.model.models.contains(model) {
                let model = text::printable(model, 60);
                return Err(wider(format!("the model `{model}`"), narrowed.model.models.join(", ")));
            }
            narrowed.agent.model.clone_from(model);
        }
        if let Some(image) = &front.image {
            narrowed.container.image.clone_from(image);
        }
        if let Some(network) = &front.network {
            let trusted = narrowed.trust.endpoints.clone();
            let wanted = |entry: &crate::trust::TrustEntry| {
                entry.route().is_ok_and(|route| network.allowed.contains(&route.endpoint))
            };
            narrowed.trust.endpoints.retain(wanted);
            for endpoint in &network.allowed {
                if !trusted.iter().any(|entry| entry.route().is_ok_and(|route| &route.endpoint == endpoint)) {
                    return Err(wider(format!("the network endpoint {endpoint}"), "only trust.endpoints".to_owned()));
                }
            }
        }
        if let Some(secrets) = &front.secrets {
            for name in secrets {
                if !narrowed.secrets.contains_key(name) {
                    let known: Vec<_> = narrowed.secrets.keys().map(SecretName::as_str).collect();
                    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    return Err(wider(format!("the secret `{name}`"), known));
                }
            }
            narrowed.secrets.retain(|name, _| secrets.contains(name));
            for entry in &mut narrowed.trust.endpoints {
                entry.without_others(secrets);
            }
        }
        Ok(narrowed)
    }
}

fn wider(what: String, allowed: String) -> InvalidTask {
    InvalidTask::Wider { what, allowed }
}

fn shrink<T: PartialOrd + Copy + std::fmt::Display>(what: &str, asked: T, limit: &mut T) -> Result<(), InvalidTask> {
    if asked > *limit {
        return Err(wider(format!("{what} {asked}"), format!("at most {limit}")));
    }
    *limit = asked;
    Ok(())
}

/// Splits at the `---` lines. Without one in the first line the whole text is the prompt.
fn split(source: &str) -> Result<(&str, &str), InvalidTask> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let Some(rest) = source.strip_prefix("---\n").or_else(|| source.strip_prefix("---\r\n")) else {
        return Ok(("", source));
    };
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Ok((&rest[..at], &rest[at + line.len()..]));
        }
        at += line.len();
    }
    Err(InvalidTask::Unclosed)
}

fn read_front(yaml: &str) -> Result<FrontMatter, InvalidTask> {
    serde_saphyr::from_str(yaml).map_err(|error| {
        let cause = error.to_string();
        let unknown = cause.split("unknown field `").nth(1).and_then(|rest| rest.split('`').next());
        let Some(unknown) = unknown else {
            return InvalidTask::FrontMatter { cause: text::printable_block(&cause), suggestion: None };
        };
        if let Some(key) = LATER.into_iter().find(|key| *key == unknown) {
            return InvalidTask::NotSupported { key };
        }
        let suggestion = text::nearest(unknown, KEYS).map(str::to_owned);
        InvalidTask::FrontMatter { cause: format!("unknown key `{}`", text::printable(unknown, 60)), suggestion }
    })
}

const KEYS: [&str; 17] = [
    "name",
    "agent",
    "base",
    "remotes",
    "profile",
    "image",
    "setup",
    "network",
    "secrets",
    "timeout",
    "idle-timeout",
    "max-turns",
    "max-budget-usd",
    "max-requests",
    "max-tokens",
    "verify",
    "expect",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        let default = include_str!("../../../profiles/default.toml");
        let layer = crate::profile::Layer::parse(crate::source::Source::Default, default).expect("layer");
        crate::profile::Resolved::new(&[layer]).expect("profile").profile
    }

    #[test]
    fn front_matter_is_optional() {
        let task = Task::parse("Fix the test.\n").expect("task");
        assert_eq!((task.front, task.prompt.as_str()), (FrontMatter::default(), "Fix the test."));
    }

    #[test]
    fn a_full_task_reads() {
        let text = "---\nname: fix-login\nagent: {kind: claude, model: claude-opus-4-6}\nbase: main\nremotes: [origin]\n\
            image: rust\nsetup: [\"cargo fetch\"]\nnetwork: {allowed: []}\nsecrets: []\ntimeout: 10m\nidle-timeout: 8m\nmax-turns: 80\n\
            max-budget-usd: 3.00\nmax-requests: 200\nmax-tokens: {output: 90000}\nverify: [\"cargo test\"]\nexpect: {changes: required}\n---\nDo it.\n";
        let task = Task::parse(text).expect("task");
        let narrowed = task.narrow(&profile()).expect("narrowed");
        assert_eq!(narrowed.limits.timeout.duration().as_secs(), 600);
        assert_eq!(narrowed.agent.model, "claude-opus-4-6");
        let limits = &narrowed.limits;
        assert_eq!((limits.max_requests, limits.max_tokens.output), (Cap::at(200), Cap::at(90_000)));
        assert_eq!(limits.max_tokens.input, Cap::NONE, "a class that is not named keeps the profile's cap");
        assert_eq!(task.front.expect.map(|expect| expect.changes), Some(Changes::Required));
    }

    #[test]
    fn known_keys_are_the_schema_s() {
        let schema = serde_json::to_value(schemars::schema_for!(FrontMatter)).expect("schema");
        let mut known: Vec<_> = schema["properties"].as_object().expect("object").keys().cloned().collect();
        let mut listed = KEYS.map(str::to_owned).to_vec();
        known.sort();
        listed.sort();
        assert_eq!(known, listed);
    }

    #[test]
    fn slips_and_later_keys_are_told_apart() {
        let error = |text: &str| Task::parse(&format!("---\n{text}\n---\nx")).expect_err(text);
        assert_eq!(error("timout: 3m").hint().as_deref(), Some("did you mean `timeout`?"));
        assert!(matches!(error("depends-on: [a]"), InvalidTask::NotSupported { key: "depends-on" }));
        assert!(matches!(error("timeout: soon"), InvalidTask::FrontMatter { .. }));
        assert!(matches!(error("name: ../x"), InvalidTask::FrontMatter { .. }));
        assert!(matches!(Task::parse("---\nname: x\n"), Err(InvalidTask::Unclosed)));
        assert!(matches!(Task::parse("---\nname: x\n---\n  \n"), Err(InvalidTask::NoPrompt)));
    }

    #[test]
    fn a_yaml_bomb_costs_little() {
        let mut bomb = String::from("---\na0: &a0 [x, x]\n");
        for n in 1..40 {
            bomb.push_str(&format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1));
        }
        bomb.push_str("---\nx");
        assert!(Task::parse(&bomb).is_err());
    }

    #[test]
    fn a_task_never_widens() {
        let mut profile = profile();
        profile.limits.max_requests = Cap::at(100);
        profile.limits.max_tokens.output = Cap::at(1000);
        for wide in [
            "timeout: 2h",
            "max-turns: 101",
            "max-budget-usd: 6",
            "max-budget-usd: -1",
            "max-budget-usd: .nan",
            "max-requests: 101",
            "max-requests: none",
            "max-tokens: {output: 1001}",
            "agent: {kind: claude, model: gpt}",
            "network: {allowed: [evil.example]}",
            "secrets: [api]",
        ] {
            let task = Task::parse(&format!("---\n{wide}\n---\nx")).expect(wide);
            assert!(matches!(task.narrow(&profile), Err(InvalidTask::Wider { .. })), "{wide}");
        }
    }
}
