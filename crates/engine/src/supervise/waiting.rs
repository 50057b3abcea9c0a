//! Calls that wait for a person: held, answered, deferred when the grace is over.
//!
//! What must stay true: while the run is held no call of it runs without a person's answer; the agent forgets all deferred calls
//! but the last one, so that exactly one is deferred and every other is denied, without a judgement.

use super::{Session, asking::Asked};
use crate::{
    held::{About, Answered, Due, Looked, Question, close, earlier},
    judge::Judged,
    listeners::WORKSPACE,
    notify::Notice,
    outcome::chain,
};
use agents::{Answer, RequestId};
use std::time::{Duration, Instant};
use store::AskState;
use types::{
    call::ToolCall,
    event::{Event, Phase},
    verdict::{Decision, Stage, Verdict},
};

impl Session<'_> {
    /// A call asks for its verdict.
    pub(super) fn judged(&mut self, request: RequestId, call: ToolCall) -> Vec<u8> {
        if self.is_parking {
            return self.refuse_unjudged(&request, call);
        }
        if self.was_asked(&call) {
            return self.ask_again(request, call);
        }
        if let Some(bytes) = self.held_back(&request, &call) {
            return bytes;
        }
        let since = self.last_output;
        match self.judge.judge(&call) {
            Judged::Settled(verdict) => self.settled(request, call, verdict, since),
            Judged::Open(opinion) => {
                self.asking.begin(Asked { request, call, since }, opinion);
                Vec::new()
            }
        }
    }

    /// A model's opinion about a call has come; meanwhile the run may have been held.
    pub(super) fn opined(&mut self, asked: Asked, verdict: Verdict) -> Vec<u8> {
        let Asked { request, call, since } = asked;
        if self.is_parking {
            return self.refuse_unjudged(&request, call);
        }
        if let Some(bytes) = self.held_back(&request, &call) {
            return bytes;
        }
        let verdict = self.judge.settle(&call, verdict);
        self.settled(request, call, verdict, since)
    }

    /// What a call gets while the run is held by the question about another one; none when it is to be judged.
    fn held_back(&mut self, request: &RequestId, call: &ToolCall) -> Option<Vec<u8>> {
        if self.judge.held().is_none_or(|held| *held == call.id) {
            return None;
        }
        if self.held.is_asked() {
            let text = format!("held until the run goes on: {}", call.summary(160));
            self.with.recorder.emit(Event::Notice { text });
            self.held.hold_back(request.clone(), call.clone());
            return Some(Vec::new());
        }
        // The question that holds the run could not wait. A call of the main thread can, and takes its place.
        call.subagent.is_some().then(|| self.refuse_unjudged(request, call.clone()))
    }

    /// Answers a call whose verdict is recorded, or holds it for a person.
    fn settled(&mut self, request: RequestId, call: ToolCall, mut verdict: Verdict, since: Instant) -> Vec<u8> {
        let mut bytes = Vec::new();
        match Answer::of(&verdict) {
            Some(answer) => bytes = self.answer(&request, &answer),
            None => match self.hold(request.clone(), &call, &verdict.reason) {
                Ok(()) => {}
                Err(unavailable) => {
                    bytes = self.answer(&request, &Answer::Deny { text: unavailable.agent_text() });
                    verdict = *unavailable;
                }
            },
        }
        self.judged.push((call, verdict, since));
        bytes
    }

    /// True for exactly a call that a person was asked about, whose answer was not used.
    pub(super) fn was_asked(&self, call: &ToolCall) -> bool {
        let asked = earlier(self.with.store, &self.with.plan.run, call, self.start());
        // An id that has had its result, or another input than the model's, is for the judge to refuse.
        matches!(asked, Ok(Some(_))) && self.with.watch.join().asked(call).is_ok()
    }

    /// Where a resumed agent begins, whatever directory it was in before.
    fn start(&self) -> Option<&'static str> {
        self.on_disk.is_resumed.then_some(WORKSPACE)
    }

    /// True when someone was asked, and a process that takes the run up has an answer to wait for or to carry out.
    pub(super) fn has_question(&self) -> bool {
        let asked = self.with.store.asks_of(&self.with.plan.run).unwrap_or_default();
        asked.iter().any(|ask| match ask.state {
            AskState::Open | AskState::Allowed | AskState::Denied | AskState::Expired => true,
            AskState::Withdrawn | AskState::Used => false,
        })
    }

    /// Holds a call about which a question stands already; the verdict is on record.
    fn ask_again(&mut self, request: RequestId, call: ToolCall) -> Vec<u8> {
        match self.hold(request.clone(), &call, "") {
            Ok(()) => Vec::new(),
            Err(unavailable) => {
                let bytes = self.answer(&request, &Answer::Deny { text: unavailable.agent_text() });
                self.judged.push((call, *unavailable, self.last_output));
                bytes
            }
        }
    }

    /// Holds a call for a person; where that cannot be recorded, it is denied.
    fn hold(&mut self, request: RequestId, call: &ToolCall, reason: &str) -> Result<(), Box<Verdict>> {
        let plan = self.with.plan;
        let limits = &plan.profile.limits;
        let about = About {
            run: &plan.run,
            attempt: plan.attempt,
            reason,
            deadline: limits.approval_deadline,
            grace: if self.is_past_grace { Duration::ZERO } else { limits.approval_grace.duration() },
            start: self.start(),
        };
        match self.held.hold(self.with.store, &about, request, call.clone()) {
            Ok(Question { ask, reason, is_new }) => {
                if is_new {
                    self.notices.send(&Notice::new(&plan.run, &ask, call, &reason));
                }
                self.with.recorder.emit(Event::Held { ask, call: call.clone(), reason });
                self.enter(Phase::Waiting, "");
                Ok(())
            }
            Err(error) => {
                let unavailable = Verdict::unavailable(format!("the question cannot be recorded: {}", chain(&error)));
                Err(Box::new(self.judge.settle(call, unavailable)))
            }
        }
    }

    /// What is to be written because people answered since the last look, or because they did not.
    pub(super) fn answers(&mut self) -> Vec<u8> {
        if self.held.is_empty() {
            return Vec::new();
        }
        let Looked { answered, due } = match self.held.look(self.with.store) {
            Ok(looked) => looked,
            Err(error) => {
                tracing::warn!(%error, "held calls cannot be looked up");
                return Vec::new();
            }
        };
        let mut out = Vec::new();
        for answered in answered {
            out.extend(self.carry_out(answered));
        }
        let (of_subagents, of_main): (Vec<_>, Vec<_>) = due.into_iter().partition(|due| due.call.subagent.is_some());
        for due in of_subagents {
            close(self.with.store, &due.ask);
            self.is_past_grace = self.judge.held().is_some();
            out.extend(self.refuse_unjudged(&due.request, due.call));
        }
        out.extend(self.park(of_main));
        // Either the run is held no longer, or a call of the main thread has to take the place of a question that is gone.
        if self.judge.held().is_none() || !self.held.is_asked() {
            self.is_past_grace &= self.judge.held().is_some();
            for (request, call) in self.held.let_go() {
                out.extend(self.judged(request, call));
            }
        }
        if self.held.is_empty() {
            self.last_sign = Instant::now();
            if !self.is_parking {
                self.enter(Phase::Running, "");
            }
        }
        out
    }

    fn carry_out(&mut self, answered: Answered<RequestId>) -> Vec<u8> {
        let Answered { ask, request, call, decision, reason } = answered;
        let verdict = self.judge.answered(&call, decision, &reason);
        let (answer, decision) = match Answer::of(&verdict) {
            Some(Answer::Allow) => (Answer::AllowIn { directory: call.cwd }, Decision::Allow),
            Some(Answer::AllowIn { .. } | Answer::Deny { .. } | Answer::Defer) | None => {
                (Answer::Deny { text: verdict.agent_text() }, Decision::Deny)
            }
        };
        let bytes = self.answer(&request, &answer);
        self.with.recorder.emit(Event::Answered { ask, decision, reason: verdict.reason });
        bytes
    }

    /// Defers one of these calls, the one that holds the run if it is among them, and denies everything else that waits.
    fn park(&mut self, mut due: Vec<Due<RequestId>>) -> Vec<u8> {
        let holder = due.iter().position(|due| self.judge.held() == Some(&due.call.id)).unwrap_or_default();
        if due.is_empty() {
            return Vec::new();
        }
        let deferred = due.swap_remove(holder);
        self.is_parking = true;
        let mut out = Vec::new();
        for due in due {
            close(self.with.store, &due.ask);
            out.extend(self.refuse_unjudged(&due.request, due.call));
        }
        for (request, call) in self.held.give_up(self.with.store) {
            out.extend(self.refuse_unjudged(&request, call));
        }
        out.extend(self.answer(&deferred.request, &Answer::Defer));
        let text = format!("no answer within limits.approval-grace: the agent's session is saved for {}", deferred.ask);
        self.with.recorder.emit(Event::Notice { text });
        out
    }

    /// Denies a call that cannot wait for the person for whom the run waits.
    fn refuse_unjudged(&mut self, request: &RequestId, call: ToolCall) -> Vec<u8> {
        let verdict = Verdict {
            stage: Stage::Escalation,
            rule: Some("waits_for_person".to_owned()),
            reason: "the run waits for a person and this call cannot; it was not judged".to_owned(),
            instead: Some(
                "stop here and report what is left to do; the call can be made again when the run goes on".to_owned(),
            ),
            ..Verdict::unavailable("")
        };
        let verdict = self.judge.settle(&call, verdict);
        let bytes = self.answer(request, &Answer::Deny { text: verdict.agent_text() });
        self.judged.push((call, verdict, self.last_output));
        bytes
    }
}
