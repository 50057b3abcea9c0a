//! Everything that carrying out one attempt needs, fixed when it is admitted and stored before anything is done, so that
//! another process can go on with it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::PathBuf};
use types::{
    id::{RunId, TaskName},
    profile::Profile,
    task::Changes,
};

/// Label that carries the run id, on everything that a run makes in the engine.
pub const LABEL_RUN: &str = "sandbox.run";
/// Label that carries the attempt's number.
pub const LABEL_ATTEMPT: &str = "sandbox.attempt";
/// Label that carries the role: `agent`, `harvest` or `verify`.
pub const LABEL_ROLE: &str = "sandbox.role";

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AttemptPlan {
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
    /// The agent's session id, a UUID.
    pub session: String,
    /// What the agent holds instead of a credential.
    pub placeholder: String,
}

/// What a container of a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
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
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Harvest => "harvest",
            Self::Verify => "verify",
        }
    }
}

impl AttemptPlan {
    /// Name of the container for a role.
    #[must_use]
    pub fn container(&self, role: Role) -> String {
        format!("sandbox-{}-{}-{}", self.run, self.attempt, role.as_str())
    }

    /// Name of a volume of a role: its `workspace`, `home` or `scratch`.
    #[must_use]
    pub fn volume(&self, role: Role, what: &str) -> String {
        format!("{}-{what}", self.container(role))
    }

    /// Labels of everything that is made for a role.
    #[must_use]
    pub fn labels(&self, role: Role) -> BTreeMap<String, String> {
        BTreeMap::from([
            (LABEL_RUN.to_owned(), self.run.to_string()),
            (LABEL_ATTEMPT.to_owned(), self.attempt.to_string()),
            (LABEL_ROLE.to_owned(), role.as_str().to_owned()),
        ])
    }
}

/// SHA-256 of a task's text in hex, by which the same task is recognised after a crash.
#[must_use]
pub fn task_digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
