//! Held calls: a question to a person, bound to the exact call, answered once.

use crate::{Store, StoreError, failed, from_text, to_text};
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};
use types::{call::ToolCall, id::RunId};

/// Where a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AskState {
    /// No one answered yet.
    Open,
    /// A person allowed it; not yet used.
    Allowed,
    /// A person denied it.
    Denied,
    /// The deadline passed.
    Expired,
    /// The run ended before an answer came.
    Withdrawn,
    /// The answer was carried out; it can not be used again.
    Used,
}

impl AskState {
    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Used => "used",
        }
    }
}

/// A person's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The call runs, once.
    Allow,
    /// The call does not run.
    Deny,
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// Short id, unique in the store; any unique prefix names it.
    pub id: String,
    /// The run that waits.
    pub run: RunId,
    /// Its attempt.
    pub attempt: u32,
    /// Digest of tool, directory and input; the answer holds for this call only.
    pub digest: String,
    /// The call.
    pub call: ToolCall,
    /// Why it is asked.
    pub reason: String,
    /// Where it is.
    pub state: AskState,
    /// The person's words.
    pub answer: String,
    /// Milliseconds since the epoch.
    pub created_ms: i64,
    /// Milliseconds since the epoch; after it the answer is no.
    pub deadline_ms: i64,
}

const COLUMNS: &str = "id, run, attempt, digest, call, reason, state, answer, created_ms, deadline_ms";

type Raw = (String, String, u32, String, String, String, String, String, i64, i64);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
        row.get(6)?,
        row.get(7)?,
        row.get(8)?,
        row.get(9)?,
    ))
}

fn read(
    (id, run, attempt, digest, call, reason, state, answer, created_ms, deadline_ms): Raw,
) -> Result<Ask, StoreError> {
    let call = serde_json::from_str(&call).map_err(|source| StoreError::Corrupt { what: "call", source })?;
    let run = from_text("run id", &run)?;
    let state = from_text("state", &state)?;
    Ok(Ask { id, run, attempt, digest, call, reason, state, answer, created_ms, deadline_ms })
}

impl Store {
    /// Records a question.
    ///
    /// # Errors
    /// [`StoreError::Statement`], also when the id is taken.
    pub fn ask(&self, ask: &Ask) -> Result<(), StoreError> {
        let call = serde_json::to_string(&ask.call).map_err(|source| StoreError::Corrupt { what: "call", source })?;
        self.lock()
            .execute(
                "insert into asks (id, run, attempt, digest, call, reason, state, created_ms, deadline_ms)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    ask.id,
                    ask.run.as_str(),
                    ask.attempt,
                    ask.digest,
                    call,
                    ask.reason,
                    to_text(&ask.state),
                    ask.created_ms,
                    ask.deadline_ms
                ],
            )
            .map(drop)
            .map_err(failed("record a held call"))
    }

    /// The question that `prefix` names: an id, or its unique beginning.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAsk`], [`StoreError::AmbiguousAsk`].
    pub fn find_ask(&self, prefix: &str) -> Result<Ask, StoreError> {
        let all = self.asks("substr(id, 1, length(?1)) = ?1", prefix)?;
        let exact = all.iter().position(|ask| ask.id == prefix);
        let shown = || types::text::printable(prefix, 40);
        match (exact, all.len()) {
            (Some(at), _) => all.into_iter().nth(at).ok_or_else(|| StoreError::NoSuchAsk { ask: shown() }),
            (None, 0) => Err(StoreError::NoSuchAsk { ask: shown() }),
            (None, 1) => all.into_iter().next().ok_or_else(|| StoreError::NoSuchAsk { ask: shown() }),
            (None, _) => Err(StoreError::AmbiguousAsk { ask: shown() }),
        }
    }

    /// A person's answer to an open question, before its deadline.
    ///
    /// # Errors
    /// [`StoreError::AskClosed`] when it is answered, used or past its deadline.
    pub fn answer(&self, id: &str, answer: Answer, words: &str, now_ms: i64) -> Result<(), StoreError> {
        let state = match answer {
            Answer::Allow => AskState::Allowed,
            Answer::Deny => AskState::Denied,
        };
        let rows = self
            .lock()
            .execute(
                "update asks set state = ?2, answer = ?3, answered_ms = ?4
                 where id = ?1 and state = 'open' and deadline_ms > ?4",
                params![id, to_text(&state), words, now_ms],
            )
            .map_err(failed("record an answer"))?;
        if rows == 1 {
            return Ok(());
        }
        let ask = self.find_ask(id)?;
        let state = if ask.state == AskState::Open { "expired" } else { ask.state.name() };
        Err(StoreError::AskClosed { ask: ask.id, state })
    }

    /// Takes the answer to a question, once. None while it is open. Past the deadline an open question becomes `expired`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn take_answer(&self, id: &str, now_ms: i64) -> Result<Option<Ask>, StoreError> {
        self.close_if(id, "state = 'open' and deadline_ms <= ?2", AskState::Expired, now_ms)?;
        let ask = self.find_ask(id)?;
        match ask.state {
            AskState::Open => Ok(None),
            AskState::Allowed | AskState::Denied | AskState::Expired | AskState::Withdrawn => {
                self.close_if(id, "?2 = ?2", AskState::Used, now_ms)?;
                Ok(Some(ask))
            }
            AskState::Used => Err(StoreError::AskClosed { ask: ask.id, state: "used" }),
        }
    }

    /// The run is over: its open questions need no answer.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn withdraw_asks(&self, run: &RunId) -> Result<(), StoreError> {
        self.lock()
            .execute("update asks set state = 'withdrawn' where run = ?1 and state = 'open'", params![run.as_str()])
            .map(drop)
            .map_err(failed("withdraw held calls"))
    }

    /// The question needs no answer any more; an answer that was given is not used.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn withdraw_ask(&self, id: &str) -> Result<(), StoreError> {
        self.close_if(id, "?2 = ?2", AskState::Used, 0)
    }

    /// Every open question, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open_asks(&self) -> Result<Vec<Ask>, StoreError> {
        self.asks("state = ?1", "open")
    }

    /// Every question of a run that is not used up, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn asks_of(&self, run: &RunId) -> Result<Vec<Ask>, StoreError> {
        self.asks("run = ?1 and state <> 'used'", run.as_str())
    }

    fn asks(&self, condition: &str, value: &str) -> Result<Vec<Ask>, StoreError> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached(&format!("select {COLUMNS} from asks where {condition} order by created_ms, id"))
            .map_err(failed("list held calls"))?;
        let rows = statement.query_map([value], raw).map_err(failed("list held calls"))?;
        rows.map(|row| row.map_err(failed("list held calls")).and_then(read)).collect()
    }

    fn close_if(&self, id: &str, condition: &str, state: AskState, now_ms: i64) -> Result<(), StoreError> {
        self.lock()
            .execute(
                &format!("update asks set state = ?3 where id = ?1 and {condition}"),
                params![id, now_ms, to_text(&state)],
            )
            .map(drop)
            .map_err(failed("close a held call"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::id::CallId;

    fn with_ask(deadline_ms: i64) -> (tempfile::TempDir, Store, Ask) {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(&dir.path().join("s.db")).expect("store");
        let input = serde_json::json!({"command": "x"});
        let call = ToolCall { id: CallId("c".into()), tool: "Bash".into(), input, cwd: "/w".into(), subagent: None };
        let ask = Ask {
            id: "a3f".into(),
            run: RunId::mint(1, 2),
            attempt: 1,
            digest: call.digest(),
            call,
            reason: "because".into(),
            state: AskState::Open,
            answer: String::new(),
            created_ms: 0,
            deadline_ms,
        };
        store.ask(&ask).expect("ask");
        (dir, store, ask)
    }

    #[test]
    fn an_answer_is_given_once_and_used_once() {
        let (_dir, store, ask) = with_ask(100);
        assert_eq!(store.take_answer("a3f", 1).expect("open"), None);
        assert_eq!(store.find_ask("a3").expect("prefix"), ask);
        store.answer("a3f", Answer::Allow, "fine", 2).expect("answer");
        assert!(matches!(
            store.answer("a3f", Answer::Deny, "", 3),
            Err(StoreError::AskClosed { state: "allowed", .. })
        ));
        let taken = store.take_answer("a3f", 4).expect("take").expect("some");
        assert_eq!((taken.state, taken.answer.as_str()), (AskState::Allowed, "fine"));
        assert!(matches!(store.take_answer("a3f", 5), Err(StoreError::AskClosed { state: "used", .. })));
    }

    #[test]
    fn after_the_deadline_the_answer_is_no() {
        let (_dir, store, _) = with_ask(100);
        assert!(matches!(
            store.answer("a3f", Answer::Allow, "", 100),
            Err(StoreError::AskClosed { state: "expired", .. })
        ));
        assert_eq!(store.take_answer("a3f", 100).expect("take").map(|ask| ask.state), Some(AskState::Expired));
    }
}
