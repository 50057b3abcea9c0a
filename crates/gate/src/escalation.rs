//! When denials are too many to go on without a person.
//!
//! An agent that insists either misunderstands its task or follows someone else's; more denials teach it nothing. The call that
//! would be one denial too many is held instead, and with it every further call of the run, until a person has answered. Subagents
//! count together with their run.
//!
//! What must stay true: failures of the gate never count; the state follows from the recorded verdicts alone, so that a process
//! that takes the run up holds what the one before it held; a person's answer starts the row and the window anew, while the total
//! goes on from where it is to the next mark.

use std::collections::VecDeque;
use types::{
    id::CallId,
    verdict::{Decision, Stage, Verdict},
};

/// Denials in a row.
const ROW: u32 = 3;
/// Denials among the last [`WINDOW`] calls.
const RECENT: usize = 10;
/// Calls that are looked back on.
const WINDOW: usize = 50;
/// Denials of the run from one answer of a person to the next.
const TOTAL: u32 = 20;

/// Why a person is asked before the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Denials in a row.
    Row,
    /// Denials among the recent calls.
    Recent,
    /// Denials of the run.
    Total,
    /// One call that breaks a hard rule, after text that tries to instruct the agent came in.
    Injection,
}

impl Trigger {
    /// For people; the agent is never told.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Row => "3 denials in a row",
            Self::Recent => "10 denials in the last 50 calls",
            Self::Total => "20 denials since a person looked",
            Self::Injection => "a hard rule was broken after a suspected injection",
        }
    }
}

/// The denials of one run, as far as they lead to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    row: u32,
    /// The last calls, oldest first: true for a denial.
    recent: VecDeque<bool>,
    total: u32,
    /// The total at which a person is asked next.
    mark: u32,
    is_injection_suspected: bool,
    held: Option<CallId>,
}

impl Default for Escalation {
    fn default() -> Self {
        Self { row: 0, recent: VecDeque::new(), total: 0, mark: TOTAL, is_injection_suspected: false, held: None }
    }
}

impl Escalation {
    /// The verdict that is recorded for a call: a denial that is one too many becomes a question, and so does whatever would be
    /// answered while the run is held. Answers of people and failures of the gate stay as they are.
    #[must_use]
    pub fn weigh(&self, call: &CallId, verdict: Verdict) -> Verdict {
        let is_judgement = match verdict.stage {
            Stage::Integrity
            | Stage::Normalise
            | Stage::HardFloor
            | Stage::Rules
            | Stage::SoftFloor
            | Stage::SafeFloor
            | Stage::Ledger
            | Stage::ClassifierFast
            | Stage::ClassifierFull
            | Stage::Undecided => true,
            Stage::Escalation | Stage::Person | Stage::FailClosed | Stage::AllowAll => false,
        };
        let why = match (&self.held, verdict.decision) {
            _ if !is_judgement => return verdict,
            (Some(held), _) if held != call => "the run waits for a person",
            (Some(_), _) => return verdict,
            (None, Decision::Deny) => match self.trigger(&verdict) {
                Some(trigger) => trigger.as_str(),
                None => return verdict,
            },
            (None, Decision::Allow | Decision::Ask) => return verdict,
        };
        let clears = if can_lift(&verdict) {
            "a person's approval lets this call run, once, and the run go on; a denial with a reason sends the agent another way"
        } else {
            "an answer lets the run go on; the call itself stays denied, because no one can lift its rule"
        };
        Verdict {
            decision: Decision::Ask,
            stage: Stage::Escalation,
            reason: format!("{}; held: {why}", verdict.reason.trim_end_matches('.')),
            clears: Some(clears.to_owned()),
            ..verdict
        }
    }

    /// Counts a verdict as it was recorded.
    pub fn note(&mut self, call: &CallId, verdict: &Verdict) {
        let is_of_held = self.held.as_ref() == Some(call);
        match (verdict.stage, verdict.decision) {
            (Stage::Person, _) => {
                self.row = 0;
                self.recent.clear();
                self.mark = self.total.saturating_add(TOTAL);
                self.is_injection_suspected = false;
                if is_of_held {
                    self.held = None;
                }
            }
            // No judgement. Where not even the question could be recorded, no one would ever answer it.
            (Stage::FailClosed, _) if is_of_held => self.held = None,
            (Stage::FailClosed, _) => {}
            (Stage::Escalation, Decision::Ask) => {
                self.total = self.total.saturating_add(u32::from(!is_of_held));
                self.held = Some(call.clone());
            }
            // A call that could not wait for the person: no judgement, and the run stays held.
            (Stage::Escalation, Decision::Deny | Decision::Allow) => {}
            (
                Stage::Integrity
                | Stage::Normalise
                | Stage::HardFloor
                | Stage::Rules
                | Stage::SoftFloor
                | Stage::SafeFloor
                | Stage::Ledger
                | Stage::ClassifierFast
                | Stage::ClassifierFull
                | Stage::Undecided
                | Stage::AllowAll,
                decision,
            ) => self.count(decision),
        }
    }

    /// Something that came in tries to instruct the agent: until a person has looked, one broken hard rule is enough.
    pub fn suspect_injection(&mut self) {
        self.is_injection_suspected = true;
    }

    /// The call whose question holds the run.
    #[must_use]
    pub fn held(&self) -> Option<&CallId> {
        self.held.as_ref()
    }

    /// Denials so far, in a row and in all.
    #[must_use]
    pub fn denials(&self) -> (u32, u32) {
        (self.row, self.total)
    }

    fn count(&mut self, decision: Decision) {
        let is_denied = match decision {
            Decision::Allow => false,
            Decision::Deny => true,
            // Not an answer yet.
            Decision::Ask => return,
        };
        self.row = if is_denied { self.row.saturating_add(1) } else { 0 };
        self.total = self.total.saturating_add(u32::from(is_denied));
        if self.recent.len() >= WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(is_denied);
    }

    /// What one more denial would reach.
    fn trigger(&self, denial: &Verdict) -> Option<Trigger> {
        let looked_back = self.recent.iter().rev().take(WINDOW - 1).filter(|denied| **denied).count();
        if self.is_injection_suspected && denial.stage == Stage::HardFloor {
            Some(Trigger::Injection)
        } else if self.row + 1 >= ROW {
            Some(Trigger::Row)
        } else if looked_back + 1 >= RECENT {
            Some(Trigger::Recent)
        } else if self.total.saturating_add(1) >= self.mark {
            Some(Trigger::Total)
        } else {
            None
        }
    }
}

/// True when a person's approval can make a call run that the gate would answer so. The hard floor, a call that is not what the
/// model emitted, text that cannot be read and a gate that failed are beyond anyone's word.
///
/// What the classifier denies is not, also where it names a hard rule: the floor knows what a call does, a model has an opinion
/// about it. No quote of the task lifts that opinion, but a person who has the exact call before them may.
#[must_use]
pub fn can_lift(verdict: &Verdict) -> bool {
    if verdict.decision != Decision::Deny {
        return true;
    }
    match verdict.stage {
        Stage::Rules
        | Stage::SoftFloor
        | Stage::SafeFloor
        | Stage::Ledger
        | Stage::ClassifierFast
        | Stage::ClassifierFull
        | Stage::Undecided
        | Stage::Escalation
        | Stage::Person => true,
        Stage::Integrity | Stage::Normalise | Stage::HardFloor | Stage::FailClosed | Stage::AllowAll => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(decision: Decision, stage: Stage) -> Verdict {
        Verdict { decision, stage, reason: "because.".into(), ..Verdict::unavailable("x") }
    }

    fn deny() -> Verdict {
        verdict(Decision::Deny, Stage::Rules)
    }

    fn allow() -> Verdict {
        verdict(Decision::Allow, Stage::SafeFloor)
    }

    fn id(n: usize) -> CallId {
        CallId(format!("c{n}"))
    }

    /// Judges call `n` as an engine does; gives what was recorded.
    fn call(state: &mut Escalation, n: usize, judged: Verdict) -> Verdict {
        let recorded = state.weigh(&id(n), judged);
        state.note(&id(n), &recorded);
        recorded
    }

    fn is_held(recorded: &Verdict) -> bool {
        (recorded.decision, recorded.stage) == (Decision::Ask, Stage::Escalation)
    }

    fn answer(state: &mut Escalation, n: usize, decision: Decision) {
        state.note(&id(n), &verdict(decision, Stage::Person));
    }

    #[test]
    fn the_third_denial_in_a_row_is_held_and_an_allowed_call_between_starts_the_row_anew() {
        let mut state = Escalation::default();
        for (n, judged) in [deny(), deny(), allow(), deny(), deny()].into_iter().enumerate() {
            assert!(!is_held(&call(&mut state, n, judged)), "{n}");
        }
        let held = call(&mut state, 5, deny());
        assert!(is_held(&held) && held.reason == "because; held: 3 denials in a row", "{held:?}");
        assert_eq!((state.held(), state.denials()), (Some(&id(5)), (2, 5)));
    }

    #[test]
    fn while_one_is_held_every_call_is_and_only_the_answer_to_it_ends_that() {
        let mut state = Escalation::default();
        (0..3).for_each(|n| drop(call(&mut state, n, deny())));
        assert!(is_held(&state.weigh(&id(7), allow())));
        answer(&mut state, 9, Decision::Allow);
        assert!(state.held().is_some(), "another question was answered");
        state.note(&id(8), &verdict(Decision::Deny, Stage::Escalation));
        assert!(state.held().is_some(), "a subagent's call could not wait");
        answer(&mut state, 2, Decision::Deny);
        assert_eq!((state.held(), state.denials().0), (None, 0));
        assert!(!is_held(&call(&mut state, 10, deny())) && !is_held(&call(&mut state, 11, deny())));
        assert!(is_held(&call(&mut state, 12, deny())), "the row counts anew");
    }

    #[test]
    fn ten_of_the_last_fifty_calls_are_too_many_and_ten_of_more_are_not() {
        let held_at = |period: usize| {
            let mut state = Escalation::default();
            (0..300).find(|n| {
                let judged = if n % period == 0 { deny() } else { allow() };
                is_held(&call(&mut state, *n, judged))
            })
        };
        assert_eq!(held_at(5), Some(45));
        // Of the calls 0, 6, … no fifty in a row hold ten: what is reached is the total.
        assert_eq!(held_at(6), Some(19 * 6));
    }

    #[test]
    fn the_total_stays_and_its_mark_rises_with_each_answer() {
        let mut state = Escalation::default();
        let mut held = Vec::new();
        for n in 0..700 {
            if is_held(&call(&mut state, n, if n % 7 == 0 { deny() } else { allow() })) {
                held.push(n / 7);
                answer(&mut state, n, Decision::Allow);
            }
        }
        assert_eq!(held, [19, 39, 59, 79, 99]);
        assert_eq!(state.denials().1, 100);
    }

    #[test]
    fn failures_of_the_gate_and_open_questions_never_count() {
        let mut state = Escalation::default();
        for n in 0..100 {
            let failed = call(&mut state, 2 * n, Verdict::unavailable("x"));
            assert_eq!(failed.stage, Stage::FailClosed);
            call(&mut state, 2 * n + 1, verdict(Decision::Ask, Stage::Undecided));
        }
        assert_eq!(state, Escalation::default());
    }

    #[test]
    fn a_hard_denial_is_enough_after_an_injection_and_no_one_can_lift_it() {
        let hard = || verdict(Decision::Deny, Stage::HardFloor);
        let mut state = Escalation::default();
        assert!(!is_held(&call(&mut state, 0, hard())), "control: one alone is denied");
        state.suspect_injection();
        assert!(!is_held(&call(&mut state, 1, deny())) && is_held(&call(&mut state, 2, hard())));
        answer(&mut state, 2, Decision::Allow);
        assert!(!is_held(&call(&mut state, 3, hard())), "a person has looked");
        assert!(!can_lift(&hard()) && can_lift(&deny()) && !can_lift(&Verdict::unavailable("x")));
    }

    #[test]
    fn the_state_follows_from_the_records_alone() {
        let mut state = Escalation::default();
        let records: Vec<_> = (0..3).map(|n| (id(n), call(&mut state, n, deny()))).collect();
        let mut again = Escalation::default();
        records.iter().for_each(|(call, verdict)| again.note(call, verdict));
        // The same question again, after a process was killed, is the same question.
        again.note(&records[2].0, &records[2].1);
        assert_eq!(again, state);
    }
}
