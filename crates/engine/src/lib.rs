//! The supervisor: carries runs from admission to a verified result. It emits events and never prints.
//!
//! What must stay true: no verdict means no; whatever ends a run, its work is harvested; every outside effect is recorded
//! before it is made; a run has one process at a time.

mod attempt;
mod claim;
mod classifier;
mod clock;
mod commands;
mod conversation;
mod credential;
mod doctor;
mod error;
mod events;
mod finish;
mod gate_tools;
mod ground;
mod held;
mod history;
mod join;
mod journal;
mod judge;
mod keys;
mod launches;
mod link;
mod listeners;
mod meter;
mod notify;
mod outcome;
mod outlet;
mod park;
mod paths;
mod place;
mod plan;
mod provision;
mod reconcile;
mod recorder;
pub mod redact;
pub mod replace;
mod request;
mod routes;
mod stop;
mod supervise;
mod surroundings;
mod sweep;
mod takeup;
mod throttle;
mod tokens;
mod tools;
mod transcript;
mod trust;
mod watch;

pub use attempt::Supervised;
pub use classifier::RowClassifier;
pub use doctor::{CheckState, DoctorCheck, DoctorReport, StandingGuarantee};
pub use error::EngineError;
pub use events::EventLog;
pub use gate::{Explanation, corpus, defaults as gate_defaults, render_page, rule_page};
pub use gate_tools::{
    Difference, GateToolError, ImportError, Imported, Question, Replayed, Tested, explain_call, import_claude,
    test_gate,
};
pub use ground::{
    GroundError,
    guarantees::{Base, GUARANTEES, Guarantee, Held, page as guarantees_page},
};
pub use journal::JournalError;
pub use link::LinkError;
pub use paths::Paths;
pub use request::Request;
pub use routes::{Listed, Origin};
pub use runtime::images::Progress as ImageProgress;
pub use stop::Stop;
pub use store::{Answer, Ask, Attempt};
pub use sweep::Swept;
pub use trust::{
    Asked, Change, Discovered, DiscoveredHost, EditError, Edited, Effective, Explained, ForGit, InvalidEntry,
    InvalidQuestion, Never, Proposal, Refusals, Suggestion, TrustAnswer, Weakness, WhyNot, add_entries, entry_line,
    explain_request, read_entry, remove_entries, suggest, weak_spots,
};

use plan::AttemptPlan;
use runtime::{AnyRuntime, Docker, images::Recipe};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use store::Store;
use types::{id::RunId, profile::Profile, result::AttemptResult, text};

/// One line of `sandbox ps`.
#[derive(Clone, Debug)]
pub struct RunRow {
    /// The attempt.
    pub attempt: Attempt,
    /// A process works on it.
    pub is_supervised: bool,
    /// Calls that wait for a person.
    pub waiting: usize,
}

/// What `apply` did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Made this branch.
    Branch(String),
    /// Changed index and work tree.
    Staged,
    /// The run changed nothing.
    Nothing,
}

/// The supervisor. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    paths: Arc<Paths>,
    store: Arc<Store>,
    guest: &'static [u8],
}

impl Engine {
    /// Opens the user's state; needs no container engine. `guest` is the static binary that is put into containers.
    ///
    /// # Errors
    /// [`EngineError::Path`], [`EngineError::Store`].
    pub fn open(paths: Paths, guest: &'static [u8]) -> Result<Self, EngineError> {
        // The owner of this process's own entry is its effective uid.
        let uid = fs::metadata("/proc/self")
            .map_err(|source| EngineError::Read { path: PathBuf::from("/proc/self"), source })?
            .uid();
        paths.prepare(uid)?;
        let store = Store::open(&paths.store())?;
        Ok(Self { paths: Arc::new(paths), store: Arc::new(store), guest })
    }

    async fn runtime(&self) -> Result<AnyRuntime, EngineError> {
        Ok(AnyRuntime::Docker(Docker::connect().await?))
    }

    /// Every run, newest first.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    pub fn runs(&self) -> Result<Vec<RunRow>, EngineError> {
        let mut waiting: BTreeMap<RunId, usize> = BTreeMap::new();
        for ask in self.store.open_asks()? {
            *waiting.entry(ask.run).or_default() += 1;
        }
        let row = |attempt: Attempt| RunRow {
            is_supervised: claim::is_supervised(&self.paths, &attempt.run),
            waiting: waiting.get(&attempt.run).copied().unwrap_or(0),
            attempt,
        };
        Ok(self.store.attempts()?.into_iter().map(row).collect())
    }

    /// The run that `name` names: its id, its words, or a unique beginning.
    ///
    /// # Errors
    /// [`EngineError::NoRun`], [`EngineError::AmbiguousRun`].
    pub fn find(&self, name: &str) -> Result<Attempt, EngineError> {
        let attempts = self.store.attempts()?;
        let exact = |attempt: &&Attempt| attempt.run.as_str() == name || attempt.run.words() == name;
        let mut found: Vec<_> = attempts.iter().filter(exact).collect();
        if found.is_empty() && !name.is_empty() {
            found = attempts.iter().filter(|attempt| attempt.run.as_str().starts_with(name)).collect();
        }
        match found.as_slice() {
            [] => {
                let nearest =
                    text::nearest(name, attempts.iter().map(|attempt| attempt.run.words())).map(str::to_owned);
                Err(EngineError::NoRun { name: text::printable(name, 60), nearest })
            }
            [attempt] => Ok((*attempt).clone()),
            [..] => Err(EngineError::AmbiguousRun { name: text::printable(name, 60), count: found.len() }),
        }
    }

    /// Every call that waits for a person, oldest first.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    pub fn pending(&self) -> Result<Vec<Ask>, EngineError> {
        Ok(self.store.open_asks()?)
    }

    /// A person's answer to a held call. It holds for that exact call, once.
    ///
    /// # Errors
    /// [`EngineError::Store`] says which call, and when it is closed.
    pub fn answer(&self, ask: &str, answer: Answer, words: &str) -> Result<Ask, EngineError> {
        let ask = self.store.find_ask(ask)?;
        self.store.answer(&ask.id, answer, words, clock::now_ms())?;
        Ok(ask)
    }

    /// True when a process works on the run.
    #[must_use]
    pub fn is_supervised(&self, run: &RunId) -> bool {
        claim::is_supervised(&self.paths, run)
    }

    /// Asks the process of a run to stop and harvest it.
    ///
    /// # Errors
    /// [`EngineError::Over`] when there is nothing to stop.
    pub fn cancel(&self, name: &str) -> Result<RunId, EngineError> {
        let attempt = self.find(name)?;
        if self.store.request_cancel(&attempt.run)? {
            Ok(attempt.run)
        } else {
            Err(EngineError::Over { run: attempt.run })
        }
    }

    fn plan(&self, attempt: &Attempt) -> Result<AttemptPlan, EngineError> {
        serde_json::from_str(&attempt.plan).map_err(|source| EngineError::Plan { run: attempt.run.clone(), source })
    }

    /// The directory with everything that a run's attempt left.
    ///
    /// # Errors
    /// [`EngineError::NoRun`] and its like.
    pub fn attempt_dir(&self, name: &str) -> Result<PathBuf, EngineError> {
        let attempt = self.find(name)?;
        let plan = self.plan(&attempt)?;
        Ok(self.paths.attempt(&plan.run, &plan.task, plan.attempt).root)
    }

    /// How a run ended.
    ///
    /// # Errors
    /// [`EngineError::NoResult`] while it goes on.
    pub fn result(&self, name: &str) -> Result<AttemptResult, EngineError> {
        let attempt = self.find(name)?;
        let path = self.attempt_dir(attempt.run.as_str())?.join("result.json");
        if !path.exists() {
            return Err(EngineError::NoResult { run: attempt.run });
        }
        let text = fs::read(&path).map_err(|source| EngineError::Read { path: path.clone(), source })?;
        serde_json::from_slice(&text).map_err(|source| EngineError::Damaged { path, source })
    }

    /// The diff of a run, to be escaped before it is shown.
    ///
    /// # Errors
    /// [`EngineError::Read`].
    pub fn patch(&self, name: &str) -> Result<String, EngineError> {
        let path = self.attempt_dir(name)?.join("changes.patch");
        let bytes = fs::read(&path).map_err(|source| EngineError::Read { path, source })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The events of a run, from the first one on.
    ///
    /// # Errors
    /// [`EngineError::NoRun`] and its like.
    pub fn events(&self, name: &str) -> Result<EventLog, EngineError> {
        Ok(EventLog::new(self.attempt_dir(name)?.join("events.jsonl")))
    }

    /// Follows the hash chains of a run's records; returns each file's name and last hash.
    ///
    /// # Errors
    /// [`EngineError::Journal`] names the first line that does not fit.
    pub fn audit(&self, name: &str) -> Result<Vec<(String, String)>, EngineError> {
        let dir = self.attempt_dir(name)?;
        let mut out = Vec::new();
        for file in ["gate.jsonl", "egress.jsonl"] {
            out.push((file.to_owned(), journal::verify_chain(&dir.join(file))?));
        }
        Ok(out)
    }

    /// Brings a run's work into a repository: a branch of its own, or index and work tree.
    ///
    /// # Errors
    /// [`EngineError::Repo`]; a conflict changes nothing.
    pub async fn apply(&self, name: &str, directory: Option<&Path>, stage: bool) -> Result<Applied, EngineError> {
        let attempt = self.find(name)?;
        let result = self.result(attempt.run.as_str())?;
        let harvest = result.harvest.clone().unwrap_or_default();
        if harvest.changes.is_empty() {
            return Ok(Applied::Nothing);
        }
        let dir = self.attempt_dir(attempt.run.as_str())?;
        let user = repo::UserRepo::discover(directory.unwrap_or(Path::new(&attempt.repository))).await?;
        if stage {
            repo::apply::stage(&user, &dir.join("changes.bundle"), &harvest).await?;
            return Ok(Applied::Staged);
        }
        let branch = result.branch();
        repo::apply::branch(&user, &dir.join("changes.bundle"), &harvest, &branch).await?;
        Ok(Applied::Branch(branch))
    }

    /// Removes what harvested runs left in the container engine.
    ///
    /// # Errors
    /// [`EngineError::Runtime`].
    pub async fn gc(&self, dry_run: bool) -> Result<Swept, EngineError> {
        sweep::sweep(&self.runtime().await?, &self.store, dry_run).await
    }

    /// Looks at everything that runs need.
    pub async fn doctor(&self, profile: &Profile) -> DoctorReport {
        doctor::examine(Docker::connect().await.map(AnyRuntime::Docker), profile).await
    }

    /// Builds the images of the profile that are ours; `progress` hears what goes on. Returns a line for each.
    ///
    /// # Errors
    /// [`EngineError::Runtime`].
    pub async fn build_images(
        &self,
        profile: &Profile,
        progress: &mut (dyn FnMut(ImageProgress) + Send),
    ) -> Result<Vec<String>, EngineError> {
        let runtime = self.runtime().await?;
        let mut out = Vec::new();
        let mut recipes = vec![Recipe::base()];
        if let Some(version) = profile.agent.image.strip_prefix("sandbox/claude:") {
            recipes.push(Recipe::claude(version)?);
        }
        for recipe in recipes {
            let id = runtime.ensure_image(&recipe, progress).await?;
            out.push(format!("{} {id}", recipe.reference()));
        }
        Ok(out)
    }
}
