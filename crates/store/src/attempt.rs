//! Attempts: what was planned, where each one is, and how it ended. Rows are never deleted.

use crate::{Store, StoreError, failed, from_text, to_text};
use rusqlite::{OptionalExtension, Row, params};
use types::{event::Phase, id::RunId, result::Status};

/// An attempt to be recorded before anything is done for it.
#[derive(Clone, Debug)]
pub struct NewAttempt<'a> {
    /// The run.
    pub run: &'a RunId,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// The task's name.
    pub task: &'a str,
    /// Digest of the task's text, to recognise the same task after a crash.
    pub task_digest: &'a str,
    /// The user's repository.
    pub repository: &'a str,
    /// Everything needed to go on with the attempt, as JSON.
    pub plan: &'a str,
    /// Milliseconds since the epoch.
    pub now_ms: i64,
}

/// An attempt as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The run.
    pub run: RunId,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// The task's name.
    pub task: String,
    /// Digest of the task's text.
    pub task_digest: String,
    /// The user's repository.
    pub repository: String,
    /// Everything needed to go on with the attempt, as JSON.
    pub plan: String,
    /// Where it is.
    pub phase: Phase,
    /// How it ended, once that is known; it may be known before the work was harvested.
    pub status: Option<Status>,
    /// One line about the status.
    pub reason: String,
    /// The engine's id of the exec that runs the agent.
    pub agent_exec: Option<String>,
    /// Generation of the last channel session.
    pub generation: u64,
    /// The work tree was read and its result is on disk.
    pub harvested: bool,
    /// A person asked to cancel it.
    pub cancel: bool,
    /// Milliseconds since the epoch.
    pub created_ms: i64,
    /// Milliseconds since the epoch.
    pub ended_ms: Option<i64>,
}

const COLUMNS: &str = "run, attempt, task, task_digest, repository, plan, phase, status, reason, agent_exec, generation, \
    harvested, cancel, created_ms, ended_ms";

/// A row whose enums are still text.
struct Raw {
    run: String,
    phase: String,
    status: Option<String>,
    rest: Attempt,
}

fn raw(row: &Row<'_>, placeholder: &RunId) -> rusqlite::Result<Raw> {
    Ok(Raw {
        run: row.get(0)?,
        phase: row.get(6)?,
        status: row.get(7)?,
        rest: Attempt {
            run: placeholder.clone(),
            attempt: row.get(1)?,
            task: row.get(2)?,
            task_digest: row.get(3)?,
            repository: row.get(4)?,
            plan: row.get(5)?,
            phase: Phase::Admitted,
            status: None,
            reason: row.get(8)?,
            agent_exec: row.get(9)?,
            generation: row.get::<_, u32>(10)?.into(),
            harvested: row.get(11)?,
            cancel: row.get(12)?,
            created_ms: row.get(13)?,
            ended_ms: row.get(14)?,
        },
    })
}

impl Raw {
    fn read(self) -> Result<Attempt, StoreError> {
        let run = from_text("run id", &self.run)?;
        let phase = from_text("phase", &self.phase)?;
        let status = self.status.as_deref().map(|text| from_text("status", text)).transpose()?;
        Ok(Attempt { run, phase, status, ..self.rest })
    }
}

impl Store {
    /// Records a new attempt in phase `admitted`.
    ///
    /// # Errors
    /// [`StoreError::Statement`], also when the attempt exists.
    pub fn admit(&self, new: &NewAttempt<'_>) -> Result<(), StoreError> {
        self.lock()
            .execute(
                "insert into attempts (run, attempt, task, task_digest, repository, plan, phase, created_ms)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    new.run.as_str(),
                    new.attempt,
                    new.task,
                    new.task_digest,
                    new.repository,
                    new.plan,
                    to_text(&Phase::Admitted),
                    new.now_ms
                ],
            )
            .map(drop)
            .map_err(failed("admit an attempt"))
    }

    fn set(
        &self,
        action: &'static str,
        column: &str,
        run: &RunId,
        attempt: u32,
        value: impl rusqlite::ToSql,
    ) -> Result<(), StoreError> {
        self.lock()
            .execute(
                &format!("update attempts set {column} = ?3 where run = ?1 and attempt = ?2"),
                params![run.as_str(), attempt, value],
            )
            .map(drop)
            .map_err(failed(action))
    }

    /// The attempt entered a phase.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn set_phase(&self, run: &RunId, attempt: u32, phase: Phase) -> Result<(), StoreError> {
        self.set("record a phase", "phase", run, attempt, to_text(&phase))
    }

    /// The engine's id of the exec that runs the agent, recorded before it is started.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn set_agent_exec(&self, run: &RunId, attempt: u32, exec: &str) -> Result<(), StoreError> {
        self.set("record the agent's exec", "agent_exec", run, attempt, exec)
    }

    /// The next generation of the channel, recorded before it is used.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn next_generation(&self, run: &RunId, attempt: u32) -> Result<u64, StoreError> {
        self.lock()
            .query_row(
                "update attempts set generation = generation + 1 where run = ?1 and attempt = ?2 returning generation",
                params![run.as_str(), attempt],
                |row| row.get::<_, u32>(0).map(u64::from),
            )
            .map_err(failed("raise the generation"))
    }

    /// How the attempt ended. The first status stays: a later failure to harvest does not hide why the run ended.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn set_status(&self, run: &RunId, attempt: u32, status: Status, reason: &str) -> Result<(), StoreError> {
        self.lock()
            .execute(
                "update attempts set status = ?3, reason = ?4 where run = ?1 and attempt = ?2 and status is null",
                params![run.as_str(), attempt, to_text(&status), reason],
            )
            .map(drop)
            .map_err(failed("record a status"))
    }

    /// The work was harvested: from now on cleaning up may remove the attempt's volumes.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn set_harvested(&self, run: &RunId, attempt: u32) -> Result<(), StoreError> {
        self.set("record the harvest", "harvested", run, attempt, true)
    }

    /// The attempt is over with this final status, and its `result.json` is written.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn finish(
        &self,
        run: &RunId,
        attempt: u32,
        status: Status,
        reason: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.lock()
            .execute(
                "update attempts set phase = ?3, status = ?4, reason = ?5, ended_ms = ?6 where run = ?1 and attempt = ?2",
                params![run.as_str(), attempt, to_text(&Phase::Done), to_text(&status), reason, now_ms],
            )
            .map(drop)
            .map_err(failed("finish an attempt"))
    }

    /// A person asks to cancel the run. False when it is over already.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn request_cancel(&self, run: &RunId) -> Result<bool, StoreError> {
        self.lock()
            .execute(
                "update attempts set cancel = 1 where run = ?1 and phase <> ?2",
                params![run.as_str(), to_text(&Phase::Done)],
            )
            .map(|rows| rows > 0)
            .map_err(failed("record a cancellation"))
    }

    /// One attempt.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn attempt(&self, run: &RunId, attempt: u32) -> Result<Option<Attempt>, StoreError> {
        let found = self
            .lock()
            .query_row(
                &format!("select {COLUMNS} from attempts where run = ?1 and attempt = ?2"),
                params![run.as_str(), attempt],
                |row| raw(row, run),
            )
            .optional()
            .map_err(failed("read an attempt"))?;
        found.map(Raw::read).transpose()
    }

    /// Every attempt, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn attempts(&self) -> Result<Vec<Attempt>, StoreError> {
        let placeholder = RunId::mint(0, 0);
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached(&format!("select {COLUMNS} from attempts order by created_ms desc, run, attempt desc"))
            .map_err(failed("list attempts"))?;
        let rows = statement.query_map([], |row| raw(row, &placeholder)).map_err(failed("list attempts"))?;
        rows.map(|row| row.map_err(failed("list attempts")).and_then(Raw::read)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store, RunId) {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(&dir.path().join("s.db")).expect("store");
        let run = RunId::mint(1, 2);
        let new =
            NewAttempt { run: &run, attempt: 1, task: "t", task_digest: "d", repository: "/r", plan: "{}", now_ms: 5 };
        store.admit(&new).expect("admit");
        assert!(store.admit(&new).is_err(), "an attempt is admitted once");
        (dir, store, run)
    }

    #[test]
    fn an_attempt_is_read_back_as_it_was_written() {
        let (dir, store, run) = store();
        store.set_phase(&run, 1, Phase::Running).expect("phase");
        store.set_agent_exec(&run, 1, "e").expect("exec");
        assert_eq!((store.next_generation(&run, 1).ok(), store.next_generation(&run, 1).ok()), (Some(1), Some(2)));
        drop(store);
        let again = Store::open(&dir.path().join("s.db")).expect("again");
        let attempt = again.attempt(&run, 1).expect("read").expect("some");
        assert_eq!((attempt.phase, attempt.generation, attempt.agent_exec.as_deref()), (Phase::Running, 2, Some("e")));
        assert_eq!(again.attempts().expect("list"), vec![attempt]);
    }

    #[test]
    fn the_first_status_stays_until_the_attempt_is_finished() {
        let (_dir, store, run) = store();
        store.set_status(&run, 1, Status::Limit, "time").expect("first");
        store.set_status(&run, 1, Status::Infrastructure, "later").expect("second");
        assert_eq!(store.attempt(&run, 1).expect("read").and_then(|a| a.status), Some(Status::Limit));
        assert!(store.request_cancel(&run).expect("cancel"));
        store.finish(&run, 1, Status::Limit, "time", 9).expect("finish");
        assert!(!store.request_cancel(&run).expect("cancel"), "a finished run cannot be cancelled");
    }
}
