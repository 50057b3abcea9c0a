//! Who has a run: the lock that a process holds for as long as it lives, and taking up what a dead one left.

use crate::{
    Engine,
    attempt::{Start, Supervised},
    clock::now_ms,
    error::EngineError,
    outlet,
    paths::{PathError, Paths},
    reconcile,
    recorder::Recorder,
};
use std::{
    fs::{self, File},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use store::{Ask, AskState, Attempt};
use tokio::sync::mpsc::UnboundedSender;
use types::{
    event::{EventRecord, Phase},
    id::RunId,
};

/// Times that a lock is tried for.
const LOOKS: u32 = 10;
/// Time between them.
const LOOK: Duration = Duration::from_millis(20);

/// Takes the run's lock; it is held for as long as the file is open, and let go by the kernel when the process dies.
pub(crate) fn lock(paths: &Paths, run: &RunId) -> Result<File, EngineError> {
    let path = paths.run(run).join("supervisor.lock");
    let io = |source| EngineError::from(PathError::Io { path: path.clone(), source });
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io)?;
    // Whoever only looks, such as `sandbox ps`, holds it for a moment.
    for _ in 0..LOOKS {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) => thread::sleep(LOOK),
            Err(fs::TryLockError::Error(source)) => return Err(io(source)),
        }
    }
    Err(EngineError::Supervised { run: run.clone() })
}

/// True when a process works on the run. Those who look do not see each other.
pub(crate) fn is_supervised(paths: &Paths, run: &RunId) -> bool {
    let Ok(file) = File::open(paths.run(run).join("supervisor.lock")) else { return false };
    matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock))
}

impl Engine {
    /// The run of this task and repository that a process left behind, if there is one.
    pub(crate) fn orphan(&self, digest: &str, repository: &str) -> Result<Option<Attempt>, EngineError> {
        let left = |attempt: &Attempt| {
            !attempt.phase.is_done()
                && attempt.task_digest == digest
                && attempt.repository == repository
                && !is_supervised(&self.paths, &attempt.run)
        };
        Ok(self.store.attempts()?.into_iter().find(left))
    }

    /// Takes up a run whose process is gone.
    ///
    /// # Errors
    /// [`EngineError::Supervised`], [`EngineError::Over`] when another process was faster; [`EngineError::Waiting`] when a person has
    /// to answer first.
    pub(crate) fn take_up(
        &self,
        attempt: &Attempt,
        events: UnboundedSender<EventRecord>,
        started: Instant,
    ) -> Result<Supervised, EngineError> {
        let plan = self.plan(attempt)?;
        let lock = lock(&self.paths, &plan.run)?;
        // What was read before the lock was held may be out of date.
        let attempt = match self.store.attempt(&plan.run, plan.attempt)? {
            Some(attempt) if !attempt.phase.is_done() => attempt,
            Some(_) | None => return Err(EngineError::Over { run: plan.run }),
        };
        if let Some(ask) = self.unanswered(&attempt)? {
            return Err(EngineError::Waiting { run: plan.run, ask });
        }
        let files = self.paths.attempt(&plan.run, &plan.task, plan.attempt);
        files.prepare()?;
        // Without a credential a working agent stays as it is; a harvest needs none.
        let backend = match reconcile::may_work(&attempt) {
            true => Some(outlet::backend(&plan.profile, plan.replay.as_deref())?),
            false => None,
        };
        let recorder = Arc::new(Recorder::open(&plan.run, &files.file("events.jsonl"), started, events)?);
        let start = Start::TakenUp { attempt: Box::new(attempt) };
        Ok(Supervised { plan, start, backend, recorder, files, _lock: lock })
    }

    /// The question without which a parked run can do nothing; none once it is answered or its deadline has passed.
    fn unanswered(&self, attempt: &Attempt) -> Result<Option<String>, EngineError> {
        if attempt.phase != Phase::Parked || attempt.cancel || attempt.status.is_some() {
            return Ok(None);
        }
        let open = |ask: &Ask| ask.state == AskState::Open && ask.deadline_ms > now_ms();
        Ok(self.store.asks_of(&attempt.run)?.into_iter().find(open).map(|ask| ask.id))
    }

    /// Takes up the named runs, or all whose process is gone.
    ///
    /// # Errors
    /// [`EngineError::Over`], [`EngineError::Supervised`] for a named run that needs no one.
    pub fn resume(
        &self,
        names: &[String],
        events: &UnboundedSender<EventRecord>,
        started: Instant,
    ) -> Result<Vec<Supervised>, EngineError> {
        let attempts = if names.is_empty() {
            let left = |attempt: &Attempt| !attempt.phase.is_done() && !is_supervised(&self.paths, &attempt.run);
            self.store.attempts()?.into_iter().filter(left).collect()
        } else {
            let mut named = Vec::new();
            for name in names {
                let attempt = self.find(name)?;
                if attempt.phase.is_done() {
                    return Err(EngineError::Over { run: attempt.run });
                }
                named.push(attempt);
            }
            named
        };
        let mut taken = Vec::new();
        for attempt in &attempts {
            match self.take_up(attempt, events.clone(), started) {
                Ok(supervised) => taken.push(supervised),
                // Another process was faster, which is as good.
                Err(EngineError::Supervised { .. } | EngineError::Over { .. } | EngineError::Waiting { .. })
                    if names.is_empty() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }
}
