//! Everything that carrying out one attempt needs, fixed when it is admitted and stored before anything is done, so that
//! another process can go on with it.

use runtime::{Labels, labels};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use types::{
    id::{RunId, TaskName},
    profile::Profile,
    task::Changes,
};

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AttemptPlan {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskName,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// The prompt.
    pub prompt: String,
    /// The operator's profile, narrowed by the task.
    pub profile: Profile,
    /// Commands before the agent.
    pub setup: Vec<String>,
    /// Commands that prove success.
    pub verify: Vec<String>,
    /// What the diff must be like.
    pub changes: Changes,
    /// The user's repository.
    pub repository: PathBuf,
    /// The commit that the work starts from.
    pub base: repo::Base,
    /// The recorded remotes: name and URL without credentials.
    pub remotes: Vec<repo::Remote>,
    /// The scripted conversation, when the model is replayed.
    pub replay: Option<PathBuf>,
    /// Where the conversation with the model is kept.
    #[serde(default)]
    pub record: Option<PathBuf>,
    /// The agent's session id, a UUID.
    pub session: String,
    /// What the agent holds instead of a credential.
    pub placeholder: String,
    /// What programs inside hold instead of the operator's secrets.
    #[serde(default)]
    pub placeholders: crate::keys::Placeholders,
}

/// What a container of a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The agent works in it.
    Agent,
    /// The work tree is read in it.
    Harvest,
    /// `verify` runs in it.
    Verify,
}

impl Role {
    /// The label's value.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Agent => labels::ROLE_AGENT,
            Self::Harvest => labels::ROLE_HARVEST,
            Self::Verify => labels::ROLE_VERIFY,
        }
    }
}

impl AttemptPlan {
    /// Name of the container for a role.
    #[must_use]
    pub(crate) fn container(&self, role: Role) -> String {
        format!("sandbox-{}-{}-{}", self.run, self.attempt, role.as_str())
    }

    /// Name of the container that fills a role's volumes and is never started.
    #[must_use]
    pub(crate) fn filler(&self, role: Role) -> String {
        format!("{}-fill", self.container(role))
    }

    /// Name of a volume of a role: its `workspace`, `home` or `scratch`.
    #[must_use]
    pub(crate) fn volume(&self, role: Role, what: &str) -> String {
        format!("{}-{what}", self.container(role))
    }

    /// Labels of everything that is made for a role.
    #[must_use]
    pub(crate) fn labels(&self, role: Role) -> Labels {
        Labels::from([
            (labels::RUN.to_owned(), self.run.to_string()),
            (labels::ATTEMPT.to_owned(), self.attempt.to_string()),
            (labels::ROLE.to_owned(), role.as_str().to_owned()),
        ])
    }
}

/// SHA-256 of a task's text in hex, by which the same task is recognised after a crash.
#[must_use]
pub(crate) fn task_digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
