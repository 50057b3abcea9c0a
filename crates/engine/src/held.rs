//! Calls that are held until a person answers: recorded in the store, so that any process of the user can answer them. And calls
//! that wait behind such a question without one of their own, because the whole run is held.

use crate::{clock::now_ms, redact};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use store::{Ask, AskState, Store, StoreError};
use types::{call::ToolCall, id::RunId, span::Span, verdict::Decision};

/// Whose call is held, why, and for how long.
pub(crate) struct About<'a> {
    pub(crate) run: &'a RunId,
    pub(crate) attempt: u32,
    pub(crate) reason: &'a str,
    /// After it the answer is no.
    pub(crate) deadline: Span,
    /// After it the agent does not wait any longer.
    pub(crate) grace: Duration,
    /// Where an agent begins that goes on with a saved session; none for one that works since the start.
    pub(crate) start: Option<&'a str>,
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
}

/// A held call for which the agent waits no longer.
#[derive(Debug)]
pub(crate) struct Due<R> {
    /// Id of the question, which stays open.
    pub(crate) ask: String,
    /// The agent's request that waits.
    pub(crate) request: R,
    /// The call.
    pub(crate) call: ToolCall,
}

/// What came of the held calls since the last look.
#[derive(Debug)]
pub(crate) struct Looked<R> {
    pub(crate) answered: Vec<Answered<R>>,
    pub(crate) due: Vec<Due<R>>,
}

/// What holding a call came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Its id.
    pub(crate) ask: String,
    /// Why it is asked.
    pub(crate) reason: String,
    /// False when an earlier process asked it.
    pub(crate) is_new: bool,
}

#[derive(Debug)]
struct Open<R> {
    request: R,
    call: ToolCall,
    /// When the agent stops waiting; none when the person's time was over before the call was held, so that it is answered.
    due_ms: Option<i64>,
}

/// The held calls of one attempt; `R` names the agent's request that each answers.
#[derive(Debug)]
pub(crate) struct Held<R> {
    open: BTreeMap<String, Open<R>>,
    behind: Vec<(R, ToolCall)>,
    since: Option<Instant>,
    waited: Duration,
}

impl<R> Default for Held<R> {
    fn default() -> Self {
        Self { open: BTreeMap::new(), behind: Vec::new(), since: None, waited: Duration::ZERO }
    }
}

impl<R> Held<R> {
    /// True when nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.behind.is_empty()
    }

    /// True when a person is asked about something.
    pub(crate) fn is_asked(&self) -> bool {
        !self.open.is_empty()
    }

    /// True when the request waits for a person's answer.
    pub(crate) fn waits_for(&self, request: &R) -> bool
    where
        R: PartialEq,
    {
        self.open.values().any(|open| open.request == *request) || self.behind.iter().any(|(open, _)| open == request)
    }

    /// How long the run has waited for people in all; it does not count against the wall clock.
    pub(crate) fn waited(&self) -> Duration {
        self.waited + self.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Holds a call and gives the question. The same call that an earlier process held keeps its question.
    ///
    /// # Errors
    /// [`StoreError`]: the call must be denied then.
    pub(crate) fn hold(
        &mut self,
        store: &Store,
        about: &About<'_>,
        request: R,
        call: ToolCall,
    ) -> Result<Question, StoreError> {
        let now = now_ms();
        let earlier = earlier(store, about.run, &call, about.start)?;
        let is_new = earlier.is_none();
        let (ask, call) = match earlier {
            // As it was asked about: a resumed agent has lost its directory.
            Some(ask) => (ask.clone(), ask.call),
            None => {
                let ask = Ask {
                    id: short_id(),
                    run: about.run.clone(),
                    attempt: about.attempt,
                    digest: call.digest(),
                    // The store is a file like any other; what is allowed or denied is the call as it came.
                    call: redact::record(call.clone())
                        .map_err(|source| StoreError::Corrupt { what: "call", source })?,
                    reason: redact::text(about.reason).into_owned(),
                    state: AskState::Open,
                    answer: String::new(),
                    created_ms: now,
                    deadline_ms: now.saturating_add(millis(about.deadline.duration())),
                };
                store.ask(&ask)?;
                (ask, call)
            }
        };
        let due = ask.created_ms.saturating_add(millis(about.grace)).min(ask.deadline_ms);
        let due_ms = (ask.state == AskState::Open && now < ask.deadline_ms).then_some(due);
        self.open.insert(ask.id.clone(), Open { request, call, due_ms });
        self.since.get_or_insert_with(Instant::now);
        Ok(Question { ask: ask.id, reason: ask.reason, is_new })
    }

    /// Keeps a call waiting until the run is held no longer.
    pub(crate) fn hold_back(&mut self, request: R, call: ToolCall) {
        self.behind.push((request, call));
    }

    /// The calls that waited for the run; they are to be judged now.
    pub(crate) fn let_go(&mut self) -> Vec<(R, ToolCall)> {
        std::mem::take(&mut self.behind)
    }

    /// Everything that waits; nobody has to answer it any more.
    pub(crate) fn give_up(&mut self, store: &Store) -> Vec<(R, ToolCall)> {
        let mut out = self.let_go();
        for (id, open) in std::mem::take(&mut self.open) {
            close(store, &id);
            out.push((open.request, open.call));
        }
        self.rest();
        out
    }

    /// What came since the last look. An answer holds for the exact call that was asked about, once.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is released then.
    pub(crate) fn look(&mut self, store: &Store) -> Result<Looked<R>, StoreError> {
        let mut looked = Looked { answered: Vec::new(), due: Vec::new() };
        let now = now_ms();
        let ids: Vec<_> = self.open.iter().map(|(id, open)| (id.clone(), open.due_ms)).collect();
        for (id, due_ms) in ids {
            let is_due = due_ms.is_some_and(|due| due <= now);
            if is_due && store.find_ask(&id)?.state == AskState::Open {
                if let Some(Open { request, call, .. }) = self.open.remove(&id) {
                    looked.due.push(Due { ask: id, request, call });
                }
                continue;
            }
            let Some(ask) = store.take_answer(&id, now)? else { continue };
            let Some(Open { request, call, .. }) = self.open.remove(&id) else { continue };
            let (decision, reason) = said(&ask, &call);
            looked.answered.push(Answered { ask: id, request, call, decision, reason });
        }
        self.rest();
        Ok(looked)
    }

    fn rest(&mut self) {
        if self.open.is_empty()
            && let Some(since) = self.since.take()
        {
            self.waited += since.elapsed();
        }
    }
}

/// Nobody has to answer this question any more. What cannot be closed now is closed with the run.
pub(crate) fn close(store: &Store, ask: &str) {
    if let Err(error) = store.withdraw_ask(ask) {
        tracing::warn!(%error, "a question was not withdrawn");
    }
}

/// The question about exactly this call that has not been used up. An agent that goes on with a saved session asks again from the
/// directory `start`, wherever it was.
///
/// # Errors
/// [`StoreError`].
pub(crate) fn earlier(
    store: &Store,
    run: &RunId,
    call: &ToolCall,
    start: Option<&str>,
) -> Result<Option<Ask>, StoreError> {
    let is_it = |ask: &Ask| {
        let there = ToolCall { cwd: ask.call.cwd.clone(), ..call.clone() };
        let is_moved = call.subagent.is_none() && start == Some(call.cwd.as_str()) && ask.digest == there.digest();
        ask.call.id == call.id && (ask.digest == call.digest() || is_moved)
    };
    Ok(store.asks_of(run)?.into_iter().find(is_it))
}

/// What a question's state means for the call.
fn said(ask: &Ask, call: &ToolCall) -> (Decision, String) {
    let said = |what: &str| if ask.answer.is_empty() { what.to_owned() } else { format!("{what}: {}", ask.answer) };
    match ask.state {
        AskState::Allowed if ask.digest == call.digest() => (Decision::Allow, said("a person approved it")),
        AskState::Allowed => (Decision::Deny, "the approval was for another call".to_owned()),
        AskState::Denied => (Decision::Deny, said("a person refused it")),
        AskState::Expired | AskState::Open | AskState::Withdrawn | AskState::Used => {
            (Decision::Deny, "no one answered in time".to_owned())
        }
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
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

    fn scene() -> (tempfile::TempDir, Store, RunId) {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(&dir.path().join("s.db")).expect("store");
        (dir, store, RunId::mint(1, 1))
    }

    fn about<'a>(run: &'a RunId, deadline: &str, grace_ms: u64) -> About<'a> {
        let deadline = Span::parse(deadline).expect("span");
        About { run, attempt: 1, reason: "because", deadline, grace: Duration::from_millis(grace_ms), start: None }
    }

    #[test]
    fn a_held_call_keeps_its_question_over_a_restart_and_is_answered_once() {
        let (_dir, store, run) = scene();
        let hour = about(&run, "1h", 3_600_000);
        let mut first: Held<u32> = Held::default();
        let Question { ask, is_new, .. } = first.hold(&store, &hour, 7, call("x")).expect("hold");
        let mut second: Held<u32> = Held::default();
        let again = second.hold(&store, &hour, 8, call("x")).expect("again");
        assert!(is_new && again == Question { ask: ask.clone(), reason: "because".into(), is_new: false });
        assert!(second.look(&store).expect("none").answered.is_empty());
        store.answer(&ask, Answer::Allow, "ok", now_ms()).expect("answer");
        let looked = second.look(&store).expect("look");
        assert_eq!((looked.answered[0].request, looked.answered[0].decision), (8, Decision::Allow));
        assert!(second.is_empty() && second.look(&store).expect("none").answered.is_empty());
        assert!(second.hold(&store, &hour, 9, call("x")).expect("used").is_new, "an answer is used once");
    }

    #[test]
    fn past_the_grace_the_agent_stops_waiting_and_the_question_stays_open() {
        let (_dir, store, run) = scene();
        let mut held: Held<u32> = Held::default();
        let ask = held.hold(&store, &about(&run, "1h", 0), 7, call("x")).expect("hold").ask;
        let looked = held.look(&store).expect("look");
        assert_eq!((looked.due[0].request, looked.answered.len(), held.is_empty()), (7, 0, true));
        store.answer(&ask, Answer::Deny, "no", now_ms()).expect("it can still be answered");
        // Resumed, the agent asks again, and the grace is over: the answer counts.
        held.hold(&store, &about(&run, "1h", 0), 8, call("x")).expect("hold");
        let looked = held.look(&store).expect("look");
        assert_eq!((looked.answered[0].request, looked.answered[0].decision), (8, Decision::Deny));
        assert!(looked.answered[0].reason.ends_with("no"));
    }

    #[test]
    fn after_the_deadline_the_answer_is_no_when_the_agent_asks_again() {
        let (_dir, store, run) = scene();
        let mut held: Held<u32> = Held::default();
        let soon = about(&run, "20ms", 3_600_000);
        held.hold(&store, &soon, 7, call("x")).expect("hold");
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(held.look(&store).expect("look").due.len(), 1);
        held.hold(&store, &soon, 8, call("x")).expect("hold");
        let looked = held.look(&store).expect("look");
        assert_eq!((looked.answered[0].decision, looked.due.len()), (Decision::Deny, 0));
        assert!(looked.answered[0].reason.contains("no one answered"));
    }

    #[test]
    fn what_is_given_up_needs_no_answer() {
        let (_dir, store, run) = scene();
        let mut held: Held<u32> = Held::default();
        let hour = about(&run, "1h", 3_600_000);
        held.hold(&store, &hour, 2, call("y")).expect("hold");
        held.hold_back(3, call("z"));
        let gone: Vec<_> = held.give_up(&store).into_iter().map(|(request, _)| request).collect();
        assert_eq!((gone, held.is_empty(), store.open_asks().expect("asks").len()), (vec![3, 2], true, 0));
    }

    #[test]
    fn a_resumed_agent_asks_from_its_first_directory() {
        let (_dir, store, run) = scene();
        let there = ToolCall { cwd: "/workspace/sub".into(), ..call("x") };
        Held::default().hold(&store, &about(&run, "1h", 0), 7, there.clone()).expect("hold");
        let found = |call: &ToolCall, start| earlier(&store, &run, call, start).expect("asks").is_some();
        assert!(found(&there, None) && found(&call("x"), Some("/workspace")));
        assert!(!found(&call("x"), None) && !found(&call("y"), Some("/workspace")), "another call");
        assert!(!found(&ToolCall { cwd: "/tmp".into(), ..call("x") }, Some("/workspace")));
    }
}
