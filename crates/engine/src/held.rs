//! Calls that are held until a person answers: recorded in the store, so that any process of the user can answer them.

use crate::clock::now_ms;
use std::{collections::BTreeMap, time::Instant};
use store::{Ask, AskState, Store, StoreError};
use types::{call::ToolCall, id::RunId, span::Span, verdict::Decision};

/// Whose call is held, why, and for how long.
pub(crate) struct About<'a> {
    pub(crate) run: &'a RunId,
    pub(crate) attempt: u32,
    pub(crate) reason: &'a str,
    pub(crate) deadline: Span,
}

/// A held call that got its answer.
#[derive(Debug)]
pub(crate) struct Answered<R> {
    /// Id of the question.
    pub(crate) ask: String,
    /// The agent's request that waits.
    pub(crate) request: R,
    /// The call.
    pub(crate) call: ToolCall,
    /// Allow or deny.
    pub(crate) decision: Decision,
    /// What is recorded and told.
    pub(crate) reason: String,
    /// True when no one answered in time.
    pub(crate) is_expired: bool,
}

/// The held calls of one attempt; `R` names the agent's request that each answers.
#[derive(Debug)]
pub(crate) struct Held<R> {
    open: BTreeMap<String, (R, ToolCall)>,
    since: Option<Instant>,
    waited: std::time::Duration,
}

impl<R> Default for Held<R> {
    fn default() -> Self {
        Self { open: BTreeMap::new(), since: None, waited: std::time::Duration::ZERO }
    }
}

impl<R> Held<R> {
    /// True when nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// True when the request waits for a person's answer.
    pub(crate) fn waits_for(&self, request: &R) -> bool
    where
        R: PartialEq,
    {
        self.open.values().any(|(open, _)| open == request)
    }

    /// How long the run has waited for people in all; it does not count against the wall clock.
    pub(crate) fn waited(&self) -> std::time::Duration {
        self.waited + self.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Holds a call and returns the id of the question. The same call that an earlier process held keeps its question.
    ///
    /// # Errors
    /// [`StoreError`]: the call must be denied then.
    pub(crate) fn hold(
        &mut self,
        store: &Store,
        about: &About<'_>,
        request: R,
        call: ToolCall,
    ) -> Result<String, StoreError> {
        let digest = call.digest();
        let earlier = store.asks_of(about.run)?.into_iter().find(|ask| ask.call.id == call.id && ask.digest == digest);
        let id = match earlier {
            Some(ask) => ask.id,
            None => {
                let created_ms = now_ms();
                let span = i64::try_from(about.deadline.duration().as_millis()).unwrap_or(i64::MAX);
                let ask = Ask {
                    id: short_id(),
                    run: about.run.clone(),
                    attempt: about.attempt,
                    digest,
                    call: call.clone(),
                    reason: about.reason.to_owned(),
                    state: AskState::Open,
                    answer: String::new(),
                    created_ms,
                    deadline_ms: created_ms.saturating_add(span),
                };
                store.ask(&ask)?;
                ask.id
            }
        };
        self.open.insert(id.clone(), (request, call));
        self.since.get_or_insert_with(Instant::now);
        Ok(id)
    }

    /// Takes the answers that came. An answer holds for the exact call that was asked about, once.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is released then.
    pub(crate) fn take(&mut self, store: &Store) -> Result<Vec<Answered<R>>, StoreError> {
        let mut out = Vec::new();
        let ids: Vec<_> = self.open.keys().cloned().collect();
        for id in ids {
            let Some(ask) = store.take_answer(&id, now_ms())? else { continue };
            let Some((request, call)) = self.open.remove(&id) else { continue };
            let said =
                |what: &str| if ask.answer.is_empty() { what.to_owned() } else { format!("{what}: {}", ask.answer) };
            let (decision, reason, is_expired) = match ask.state {
                AskState::Allowed if ask.digest == call.digest() => {
                    (Decision::Allow, said("a person approved it"), false)
                }
                AskState::Allowed => (Decision::Deny, "the approval was for another call".to_owned(), false),
                AskState::Denied => (Decision::Deny, said("a person refused it"), false),
                AskState::Expired | AskState::Open | AskState::Withdrawn | AskState::Used => {
                    (Decision::Deny, "no one answered in time".to_owned(), true)
                }
            };
            out.push(Answered { ask: id, request, call, decision, reason, is_expired });
        }
        if self.open.is_empty()
            && let Some(since) = self.since.take()
        {
            self.waited += since.elapsed();
        }
        Ok(out)
    }
}

/// Four letters and digits that are not mistaken for each other.
fn short_id() -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    (0..4).map(|_| char::from(ALPHABET[fastrand::usize(0..32)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Answer;
    use types::id::CallId;

    fn call(command: &str) -> ToolCall {
        let input = serde_json::json!({ "command": command });
        ToolCall { id: CallId("c".into()), tool: "Bash".into(), input, cwd: "/workspace".into(), subagent: None }
    }

    #[test]
    fn a_held_call_keeps_its_question_over_a_restart_and_is_answered_once() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(&dir.path().join("s.db")).expect("store");
        let run = RunId::mint(1, 1);
        let hour = About { run: &run, attempt: 1, reason: "because", deadline: Span::parse("1h").expect("span") };
        let mut first: Held<u32> = Held::default();
        let id = first.hold(&store, &hour, 7, call("x")).expect("hold");
        let mut second: Held<u32> = Held::default();
        assert_eq!(second.hold(&store, &hour, 8, call("x")).expect("again"), id);
        assert!(second.take(&store).expect("none").is_empty());
        store.answer(&id, Answer::Allow, "ok", now_ms()).expect("answer");
        let answered = second.take(&store).expect("take");
        assert_eq!((answered[0].request, answered[0].decision), (8, Decision::Allow));
        assert!(second.is_empty() && second.take(&store).expect("none").is_empty());
    }

    #[test]
    fn no_answer_is_no() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(&dir.path().join("s.db")).expect("store");
        let mut held: Held<u32> = Held::default();
        let run = RunId::mint(1, 1);
        let soon = About { run: &run, attempt: 1, reason: "because", deadline: Span::parse("1ms").expect("span") };
        held.hold(&store, &soon, 7, call("x")).expect("hold");
        std::thread::sleep(std::time::Duration::from_millis(5));
        let answered = held.take(&store).expect("take");
        assert_eq!((answered[0].decision, answered[0].is_expired), (Decision::Deny, true));
    }
}
