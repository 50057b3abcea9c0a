//! Everything that can go wrong before or around an attempt, with the exit code and the way out.

use crate::{
    credential::CredentialError, ground::GroundError, journal::JournalError, link::LinkError, paths::PathError,
};
use std::path::PathBuf;
use store::StoreError;
use types::{
    exit::Exit,
    host::{Endpoint, InvalidEndpoint},
    id::{RunId, SecretName},
    replay::InvalidReplay,
};

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A directory of ours.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The container engine.
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    /// What the engine offers a run.
    #[error(transparent)]
    Ground(#[from] GroundError),
    /// The repository or its result.
    #[error(transparent)]
    Repo(#[from] repo::RepoError),
    /// The result of the harvest.
    #[error(transparent)]
    Harvest(#[from] repo::HarvestError),
    /// Applying a result.
    #[error(transparent)]
    Apply(#[from] repo::ApplyError),
    /// The model credential.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// A trusted endpoint of the profile.
    #[error("trust.endpoints is not valid")]
    Trust(#[from] InvalidEndpoint),
    /// Settings that the egress refuses.
    #[error("the egress cannot be set up")]
    Egress(#[from] egress::ConfigError),
    /// A secret of a route cannot be found.
    #[error("the secret `{name}` cannot be found")]
    Secret {
        /// Its name in `[secrets]`.
        name: SecretName,
        /// Why.
        #[source]
        source: CredentialError,
    },
    /// A secret of a route is empty.
    #[error("the secret `{name}` is empty: {source_text} holds nothing")]
    NoSecret {
        /// Its name in `[secrets]`.
        name: SecretName,
        /// Where it was looked for.
        source_text: String,
    },
    /// The credential of a forge cannot be found.
    #[error("the git credential for {endpoint} cannot be found")]
    GitCredential {
        /// The forge.
        endpoint: Endpoint,
        /// Why.
        #[source]
        source: CredentialError,
    },
    /// The run's certificate authority.
    #[error(transparent)]
    Authority(#[from] egress::AuthorityError),
    /// A rule of the operator.
    #[error("a gate rule is not valid")]
    Rule(#[from] gate::RuleError),
    /// The gate's thread.
    #[error(transparent)]
    Gate(#[from] gate::WorkerError),
    /// The model's URL.
    #[error("model.upstream `{url}` is not a URL")]
    Upstream {
        /// The setting, without credentials.
        url: String,
    },
    /// A token endpoint's URL.
    #[error("{key} `{url}` is not a URL")]
    TokenEndpoint {
        /// The setting's key.
        key: &'static str,
        /// The setting, without credentials.
        url: String,
    },
    /// The conversation would be written over a file.
    #[error("{path} is there already; a conversation is not written over it")]
    RecordExists {
        /// The file.
        path: PathBuf,
    },
    /// The task holds a secret of the operator, which would come into the container and into the run's files.
    #[error("the task file holds the operator's credential")]
    SecretInTask,
    /// The classifier's own URL.
    #[error("gate.classifier.url `{url}` is not a URL")]
    ClassifierUrl {
        /// The setting, without credentials.
        url: String,
    },
    /// Nobody to refresh the classifier's own credential.
    #[error("gate.classifier.credential is refreshed, and gate.classifier.token-endpoint or token-client-id is empty")]
    ClassifierTokens,
    /// The scripted conversation.
    #[error("cannot use the conversation {path}")]
    Replay {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: InvalidReplay,
    },
    /// A file that was named.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The task names remotes that the repository does not have.
    #[error("the repository has no remote `{name}` that can be used")]
    NoRemote {
        /// The name.
        name: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// A model that the profile does not list.
    #[error("agent.model `{model}` is not in model.models")]
    Model {
        /// The model.
        model: String,
    },
    /// An image that is not there and is not one of ours.
    #[error("the image `{image}` is not in the engine")]
    NoImage {
        /// Its reference.
        image: String,
    },
    /// The guest of a container that belongs to no run.
    #[error("the container's channel cannot be made")]
    Link(#[from] LinkError),
    /// No run has this name.
    #[error("no run is named `{name}`")]
    NoRun {
        /// The name as given.
        name: String,
        /// A run that it may have been meant to be.
        nearest: Option<String>,
    },
    /// Several runs begin with this name.
    #[error("`{name}` names {count} runs")]
    AmbiguousRun {
        /// The name as given.
        name: String,
        /// How many.
        count: usize,
    },
    /// The run has no result yet.
    #[error("the run {run} has no result yet")]
    NoResult {
        /// The run.
        run: RunId,
    },
    /// The run is over.
    #[error("the run {run} is over already")]
    Over {
        /// The run.
        run: RunId,
    },
    /// Another process works on the run.
    #[error("another process works on the run {run}")]
    Supervised {
        /// The run.
        run: RunId,
    },
    /// The run is parked, and nothing can go on before a person has answered.
    #[error("the run {run} waits for a person's answer to {ask}")]
    Waiting {
        /// The run.
        run: RunId,
        /// The question.
        ask: String,
    },
    /// A stored plan that this build cannot read.
    #[error("the plan of the run {run} cannot be read")]
    Plan {
        /// The run.
        run: RunId,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// A file of a run that is not what we wrote.
    #[error("the file {path} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
}

impl EngineError {
    /// The documented exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Runtime(_) | Self::Ground(_) | Self::NoImage { .. } | Self::Path(_) | Self::Link(_) => {
                Exit::Infrastructure
            }
            Self::Credential(CredentialError::Syntax { .. })
            | Self::Secret { source: CredentialError::Source { .. }, .. }
            | Self::GitCredential { source: CredentialError::Source { .. }, .. } => Exit::Usage,
            Self::Credential(_) | Self::Secret { .. } | Self::NoSecret { .. } | Self::GitCredential { .. } => {
                Exit::Authentication
            }
            Self::Apply(_) => Exit::ApplyConflict,
            Self::Waiting { .. } => Exit::Waiting,
            Self::Harvest(_) => Exit::Infrastructure,
            Self::Store(
                StoreError::NoSuchAsk { .. } | StoreError::AmbiguousAsk { .. } | StoreError::AskClosed { .. },
            )
            | Self::Repo(_)
            | Self::Trust(_)
            | Self::Egress(_)
            | Self::Rule(_)
            | Self::Upstream { .. }
            | Self::TokenEndpoint { .. }
            | Self::RecordExists { .. }
            | Self::SecretInTask
            | Self::ClassifierUrl { .. }
            | Self::ClassifierTokens
            | Self::Replay { .. }
            | Self::Read { .. }
            | Self::NoRemote { .. }
            | Self::Model { .. }
            | Self::NoRun { .. }
            | Self::AmbiguousRun { .. }
            | Self::NoResult { .. }
            | Self::Over { .. }
            | Self::Supervised { .. } => Exit::Usage,
            Self::Authority(_)
            | Self::Store(_)
            | Self::Journal(_)
            | Self::Gate(_)
            | Self::Plan { .. }
            | Self::Damaged { .. } => Exit::Internal,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Runtime(error) => error.hint().map(str::to_owned),
            Self::Ground(error) => Some(error.hint()),
            Self::Repo(error) => error.hint(),
            Self::Harvest(error) => error.hint(),
            Self::Apply(error) => error.hint(),
            Self::Path(PathError::Exposed { path }) => Some(format!("close it: chmod 700 {}", path.display())),
            Self::Path(PathError::Foreign { .. }) => Some("set XDG_STATE_HOME and XDG_CACHE_HOME to directories of yours".into()),
            Self::Credential(CredentialError::NotFound { .. }) => {
                Some("set ANTHROPIC_API_KEY, or play a conversation with --replay FILE; model.credentials names more sources".into())
            }
            Self::Secret { name, .. } | Self::NoSecret { name, .. } => {
                Some(format!("secrets.{name}.source says where it is: env:NAME, file:PATH or command:COMMAND"))
            }
            Self::GitCredential { .. } => {
                Some("git.credentials lists helper, env:NAME or command:COMMAND; an empty list fetches without".into())
            }
            Self::Egress(egress::ConfigError::UnknownSecret { name, .. }) => {
                Some(format!("add a section [secrets.{name}] to your profile"))
            }
            Self::NoImage { .. } => Some("`sandbox image build` builds ours; pull or build any other one first".into()),
            Self::Trust(_) => Some("write endpoints like api.example.com, api.example.com:8443 or http://mirror.example".into()),
            Self::Rule(error) => Some(error.hint.clone()),
            Self::ClassifierTokens => Some("name its provider's; a token that is never refreshed is a `bearer` one".into()),
            Self::RecordExists { .. } => Some("remove it, or name another file with --record".into()),
            Self::SecretInTask => Some("take it out; nothing of it is needed inside, because it is added on the way out".into()),
            Self::Replay { .. } => Some("`sandbox schema replay` prints the format".into()),
            Self::NoRemote { known, .. } if known.is_empty() => Some("it has no https or ssh remote".into()),
            Self::NoRemote { known, .. } => Some(format!("it has {}", known.join(", "))),
            Self::Model { .. } => Some("add it to model.models, or choose one of those".into()),
            Self::NoRun { nearest: Some(name), .. } => Some(format!("did you mean {name}? `sandbox ps -a` lists all")),
            Self::NoRun { nearest: None, .. } => Some("`sandbox ps -a` lists all runs".into()),
            Self::AmbiguousRun { .. } => Some("add more of its name; `sandbox ps -a --json` prints it whole".into()),
            Self::NoResult { run } => Some(format!("`sandbox logs -f {}` follows it", run.words())),
            Self::Waiting { ask, .. } => {
                Some(format!("`sandbox approve {ask}` or `sandbox deny {ask} --reason '…'` first; `sandbox pending` shows the call"))
            }
            Self::Store(StoreError::NoSuchAsk { .. } | StoreError::AmbiguousAsk { .. }) => {
                Some("`sandbox pending` lists the calls that wait".into())
            }
            Self::Store(StoreError::Newer { .. }) => Some("use the newer sandbox that wrote it".into()),
            Self::Path(_)
            | Self::Link(_)
            | Self::Authority(_)
            | Self::Store(_)
            | Self::Journal(_)
            | Self::Gate(_)
            | Self::Credential(_)
            | Self::Egress(_)
            | Self::Upstream { .. }
            | Self::TokenEndpoint { .. }
            | Self::ClassifierUrl { .. }
            | Self::Read { .. }
            | Self::Over { .. }
            | Self::Supervised { .. }
            | Self::Plan { .. }
            | Self::Damaged { .. } => None,
        }
    }
}
