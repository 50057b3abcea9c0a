//! The second half of an attempt: reading the work tree, proving the result, writing what a run leaves.

use crate::{
    attempt::{Work, Worked},
    clock::now_ms,
    commands::Commands,
    error::EngineError,
    gate_tools::sarif,
    keys,
    link::Link,
    meter::Meter,
    outcome::{Outcome, chain},
    paths::write_atomic,
    place::{PlaceError, clear},
    plan::Role,
    reconcile::has_tree,
    tools::Tools,
};
use jiff::Timestamp;
use repo::{Mirror, UserRepo, harvest, review};
use runtime::{AnyRuntime, ContainerId, ExecId, Runtime};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use types::{
    event::{Event, Phase},
    harvest::Harvest,
    result::{AttemptResult, Status, VERSION, Verify},
    task::Changes,
    text::printable_block,
};

/// Image in which work trees are read: it has git and a shell, and it is ours.
pub(crate) const READER_IMAGE: &str = "sandbox/base";
/// Grace for a container to stop.
pub(crate) const STOP_GRACE: Duration = Duration::from_secs(2);
/// Longest kept last words of the agent, in characters.
const MAX_SUMMARY: usize = 4000;

/// Why a work tree could not be read or a result not be proven; nothing is lost by it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FinishError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("no container could be made for it")]
    Place(#[from] PlaceError),
    #[error("the work tree could not be taken in{}", said_by(.said))]
    Refused {
        said: String,
        #[source]
        source: repo::HarvestError,
    },
    #[error("the job that reads the work tree ended with {code}{}", said_by(.said))]
    Job { code: i64, said: String },
    #[error("the work tree was not read within {0:?}")]
    Deadline(Duration),
}

impl From<runtime::Error> for FinishError {
    fn from(error: runtime::Error) -> Self {
        Self::Engine(error.into())
    }
}

impl From<repo::RepoError> for FinishError {
    fn from(error: repo::RepoError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<repo::HarvestError> for FinishError {
    fn from(error: repo::HarvestError) -> Self {
        Self::Engine(error.into())
    }
}

/// What the job in the harvest container said, cut.
fn said_by(stderr: &str) -> String {
    let text = types::text::printable(stderr.trim(), 300);
    if text.is_empty() { text } else { format!(" ({text})") }
}

/// The exit code of a process whose output has ended; the engine notes it a moment later.
async fn ended(runtime: &AnyRuntime, exec: &ExecId) -> Result<Option<i64>, FinishError> {
    for _ in 0..100 {
        let state = runtime.exec_state(exec).await?;
        if !state.running {
            return Ok(state.exit_code);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(None)
}

/// A harvest, and the archive of its tree for `verify`.
pub(crate) struct Harvested {
    pub(crate) harvest: Harvest,
    pub(crate) tree: PathBuf,
}

impl Work<'_> {
    /// Stops the agent's container and reads its work tree in another one. None when there was never a work tree.
    pub(crate) async fn harvest(&self, runtime: &AnyRuntime, tools: &Tools) -> Result<Option<Harvested>, FinishError> {
        let agent = ContainerId(self.plan.container(Role::Agent));
        match runtime.stop(&agent, STOP_GRACE).await {
            Ok(()) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        let workspace = self.plan.volume(Role::Agent, "workspace");
        let attempt = self.engine.store.attempt(&self.plan.run, self.plan.attempt).map_err(EngineError::from)?;
        let had_tree = attempt.is_some_and(|attempt| has_tree(attempt.phase));
        if !had_tree || runtime.volume(&workspace).await?.is_none() {
            return Ok(None);
        }
        self.record_phase(Phase::Harvesting, "")?;
        let since = Instant::now();
        let harvested = self.read_work(runtime, tools).await?;
        self.recorder.step("harvest", since);
        Ok(Some(harvested))
    }

    /// Reads the work tree of a stopped container.
    pub(crate) async fn read_work(&self, runtime: &AnyRuntime, tools: &Tools) -> Result<Harvested, FinishError> {
        let workspace = self.plan.volume(Role::Agent, "workspace");
        let span = self.plan.profile.limits.harvest_timeout.duration();
        tokio::time::timeout(span, self.read_tree(runtime, tools, &workspace))
            .await
            .map_err(|_| FinishError::Deadline(span))?
    }

    async fn read_tree(&self, runtime: &AnyRuntime, tools: &Tools, workspace: &str) -> Result<Harvested, FinishError> {
        // An earlier process may have died half way through this.
        clear(runtime, &self.engine.store, &self.plan, Role::Harvest).await?;
        let user = UserRepo::discover(&self.plan.repository).await?;
        let mirror = Mirror::open(&self.engine.paths.cache, &user)?;
        let base = mirror.snapshot(&self.plan.base, &self.plan.remotes).await?;
        let reader = self.places(runtime).make_reader(tools, workspace, &base).await?;
        let job = harvest::job(self.plan.run.as_str(), &self.plan.base);
        let exec = runtime.exec(&reader, &crate::place::reader_command(job.argv, job.env)).await?;
        let git = self.files.file("git");
        match fs::remove_dir_all(&git) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(EngineError::Read { path: git, source }.into()),
        }
        let job_id = exec.id().clone();
        let (_stdin, stdout, stderr) = exec.into_parts();
        let received = harvest::receive(&mirror, &self.plan.base, stdout, &git).await;
        let (harvest, result) = received.map_err(|source| FinishError::Refused { said: stderr.text(), source })?;
        // A job that failed after it had printed has no usable result.
        match ended(runtime, &job_id).await? {
            Some(0) => {}
            code => return Err(FinishError::Job { code: code.unwrap_or(-1), said: stderr.text() }),
        }
        // A checkpoint may have left one.
        let bundle = self.files.file("changes.bundle");
        match fs::remove_file(&bundle) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(EngineError::Read { path: bundle, source }.into()),
        }
        if !harvest.changes.is_empty() {
            result.bundle(&harvest, self.plan.run.as_str(), &self.files.file("changes.bundle")).await?;
        }
        result.patch(&harvest, &self.files.file("changes.patch")).await?;
        let tree = self.files.file("result.tar");
        if !self.plan.verify.is_empty() {
            result.tree_tar(&harvest, &self.plan.base.branch, &self.plan.remotes, &tree).await?;
        }
        clear(runtime, &self.engine.store, &self.plan, Role::Harvest).await?;
        Ok(Harvested { harvest, tree })
    }

    /// Expectations first, then `verify` in a fresh sandbox made from the harvested result.
    pub(crate) async fn prove(
        &self,
        runtime: &AnyRuntime,
        tools: &Tools,
        harvested: &Harvested,
    ) -> Result<(Option<Verify>, Outcome), FinishError> {
        let changed = !harvested.harvest.changes.is_empty();
        let broken = match self.plan.changes {
            Changes::Required if !changed => Some("expect: changes are required and there are none"),
            Changes::Forbidden if changed => Some("expect: changes are forbidden and there are some"),
            Changes::Optional | Changes::Required | Changes::Forbidden => None,
        };
        if let Some(reason) = broken {
            return Ok((None, Outcome::new(Status::Failed, reason)));
        }
        if self.plan.verify.is_empty() {
            let outcome = Outcome::new(Status::Passed, "the agent finished; the task names no verify command");
            return Ok((None, outcome));
        }
        if let Some(outcome) = self.asked_to_stop() {
            return Ok((None, outcome));
        }
        self.record_phase(Phase::Verifying, &format!("{} (fresh sandbox)", self.plan.verify.join(" · ")))?;
        clear(runtime, &self.engine.store, &self.plan, Role::Verify).await?;
        let verified = self.verify(runtime, tools, harvested).await?;
        clear(runtime, &self.engine.store, &self.plan, Role::Verify).await?;
        let verify = match verified {
            Ok(verify) => verify,
            Err(outcome) => return Ok((None, outcome)),
        };
        let outcome = match verify.commands.iter().find(|command| command.code != 0) {
            None if verify.passed => Outcome::new(Status::Passed, "verify passed in a fresh sandbox"),
            None => Outcome::new(Status::Failed, "verify: the task's setup failed in the fresh sandbox"),
            Some(failed) => {
                Outcome::new(Status::Failed, format!("verify: `{}` ended with {}", failed.command, failed.code))
                    .with_hint(format!("its output is in {}", self.files.file(&failed.log).display()))
            }
        };
        Ok((Some(verify), outcome))
    }

    /// Runs the task's commands on the result; the inner error is the end that someone asked for meanwhile.
    async fn verify(
        &self,
        runtime: &AnyRuntime,
        tools: &Tools,
        harvested: &Harvested,
    ) -> Result<Result<Verify, Outcome>, FinishError> {
        let surroundings = &self.out.surroundings;
        let egress = self.out.egress(&self.plan.profile, None, self.watch.clone())?;
        let container = self.places(runtime).make(Role::Verify, tools, &harvested.tree).await?;
        let generation =
            self.engine.store.next_generation(&self.plan.run, self.plan.attempt).map_err(EngineError::from)?;
        let (mut link, _) = Link::attach(runtime, &container, &egress, generation).await.map_err(PlaceError::from)?;
        let configured = surroundings.configure(&mut link.control, &self.plan.session).await;
        configured.map_err(|error| PlaceError::Link(error.into()))?;
        let commands = Commands {
            runtime,
            container: &container,
            surroundings,
            paths: &self.files,
            recorder: &self.recorder,
            setup_logs: "verify/setup-",
        };
        let limits = &self.plan.profile.limits;
        let proof = async {
            let set_up = commands.run(Phase::Setup, &self.plan.setup, limits.setup_timeout.duration()).await?;
            let is_set_up = set_up.iter().all(|command| command.code == 0);
            let ran = if is_set_up {
                commands.run(Phase::Verifying, &self.plan.verify, limits.verify_timeout.duration()).await?
            } else {
                Vec::new()
            };
            Ok::<_, FinishError>((is_set_up, ran))
        };
        let mut meter = Meter::new(runtime, &container, &self.plan.profile.container);
        let (is_set_up, ran) = tokio::select! {
            proof = proof => proof?,
            outcome = self.interrupted() => return Ok(Err(outcome)),
            outcome = meter.reached(link.reports.clone()) => return Ok(Err(outcome)),
        };
        let has_failed = !is_set_up || ran.iter().any(|command| command.code != 0);
        if has_failed && let Some(outcome) = meter.killed_for_memory(&mut link.reports).await {
            return Ok(Err(outcome));
        }
        Ok(Ok(Verify {
            passed: is_set_up && ran.len() == self.plan.verify.len() && ran.iter().all(|command| command.code == 0),
            container: container.0,
            commands: ran,
            touched: review::touched_by_verify(&harvested.harvest.changes, &self.plan.verify),
        }))
    }

    /// Writes `result.json`, last and atomically.
    pub(crate) fn conclude(
        &self,
        worked: Worked,
        harvest: Option<Harvest>,
        verify: Option<Verify>,
    ) -> Result<AttemptResult, EngineError> {
        let result = self.result(worked, harvest, verify);
        let json = serde_json::to_vec_pretty(&result)
            .map_err(|source| EngineError::Plan { run: self.plan.run.clone(), source })?;
        write_atomic(&self.files.file("result.json"), &json)?;
        Ok(result)
    }

    /// The result that an earlier process wrote before it died.
    pub(crate) fn concluded(&self) -> Result<Option<AttemptResult>, EngineError> {
        let path = self.files.file("result.json");
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|source| EngineError::Damaged { path, source }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(EngineError::Read { path, source }),
        }
    }

    /// Closes the attempt: its result is written, and nothing of it is left in the engine.
    pub(crate) fn finish(&self, result: &AttemptResult) -> Result<(), EngineError> {
        keys::forget_authority(&self.files)?;
        self.write_sarif();
        self.engine.store.finish(&self.plan.run, self.plan.attempt, result.status, &result.reason, now_ms())?;
        self.recorder.emit(Event::Done { result: Box::new(result.clone()) });
        Ok(())
    }

    /// The denials for other tools; a view of `gate.jsonl`, so that a run does not fail for want of it.
    fn write_sarif(&self) {
        if let Err(error) = sarif::write(&self.engine.paths.run(&self.plan.run), &self.files) {
            self.recorder.emit(Event::Notice { text: format!("{} was not written: {}", sarif::FILE, chain(&error)) });
        }
    }

    /// The work tree could not be read now. Nothing is removed and the attempt stays open: `sandbox resume` harvests it.
    pub(crate) fn unharvested(&self, mut worked: Worked, error: &FinishError) -> AttemptResult {
        let name = self.plan.run.words();
        if worked.outcome.status == Status::Passed {
            worked.outcome = Outcome::new(Status::Infrastructure, "the work was not harvested yet");
        }
        worked.outcome.reason =
            format!("{}; the work is kept and was not read yet: {}", worked.outcome.reason, chain(error));
        worked.outcome.hint = Some(format!("when the engine works again, `sandbox resume {name}` harvests it"));
        let mut result = self.result(worked, None, None);
        if result.status.exit().rank() > Status::Infrastructure.exit().rank() {
            result.status = Status::Infrastructure;
        }
        self.recorder.emit(Event::Done { result: Box::new(result.clone()) });
        result
    }

    pub(crate) fn result(&self, worked: Worked, harvest: Option<Harvest>, verify: Option<Verify>) -> AttemptResult {
        let totals = self.watch.totals();
        AttemptResult {
            version: VERSION,
            run: self.plan.run.clone(),
            task: self.plan.task.clone(),
            attempt: self.plan.attempt,
            status: worked.outcome.status,
            reason: worked.outcome.reason,
            hint: worked.outcome.hint,
            resource: worked.outcome.resource,
            started: self.started,
            ended: Timestamp::now(),
            turns: totals.turns,
            cost_usd: totals.cost_usd,
            summary: printable_block(&worked.summary).chars().take(MAX_SUMMARY).collect(),
            harvest,
            verify,
            gate: worked.gate,
            egress: totals.egress,
            timings: self.recorder.timings(),
        }
    }

    /// Removes what the run made in the engine. What cannot be removed now is left to `sandbox gc`.
    pub(crate) async fn clean(&self, runtime: &AnyRuntime) {
        for role in [Role::Agent, Role::Harvest, Role::Verify] {
            if let Err(error) = clear(runtime, &self.engine.store, &self.plan, role).await {
                let text =
                    format!("something of the run is left in the engine: {}; `sandbox gc` removes it", chain(&error));
                self.recorder.emit(Event::Notice { text });
            }
        }
        for left in ["git", "result.tar"] {
            let path = self.files.file(left);
            let removed = if Path::is_dir(&path) { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            if let Err(error) = removed
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::debug!(%error, "a temporary file of the run is left");
            }
        }
    }
}
