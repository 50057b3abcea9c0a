//! The pipeline: integrity, normalise, hard floor, operator's rules, safe floor, ledger, ask. The first that decides wins.

use crate::{
    effect::{Effect, Finding, Severity},
    fail_closed, floor, integrity,
    ledger::{Ledger, SimilarDenial},
    made::is_made_here,
    policy::{Mode, Policy},
    rule::{self, Rule, RuleError},
    scrutiny,
    secret::secrecy,
    similar::{Form, Likeness},
    tool::{self, Reading, Written},
    world::World,
};
use std::time::Instant;
use types::{
    call::ToolCall,
    text::printable,
    verdict::{Decision, Stage, Verdict},
};

/// Most facts in one verdict.
const MAX_FACTS: usize = 16;

/// A verdict and what the call would change, before either is noted.
pub(crate) struct Review {
    pub(crate) verdict: Verdict,
    written: Vec<Written>,
    remotes: Vec<String>,
    reads_secret: bool,
    form: Form,
}

impl Review {
    /// A verdict about a call that was not read.
    fn bare(verdict: Verdict) -> Self {
        Self { verdict, written: Vec::new(), remotes: Vec::new(), reads_secret: false, form: Form::default() }
    }

    /// Notes the call in the ledger and gives the verdict.
    pub(crate) fn note(self, call: &ToolCall, ledger: &mut Ledger) -> Verdict {
        // A malformed call does not use up an id.
        if self.verdict.stage != Stage::Integrity {
            ledger.admit(call);
        }
        if self.verdict.decision == Decision::Deny && call.tool != "Bash" {
            // Should the file come to be all the same, it is judged by this content.
            for file in self.written.iter().filter(|file| file.content.is_some()) {
                if !ledger.was_written(&file.path) {
                    ledger.wrote(file);
                }
            }
        }
        if self.verdict.decision != Decision::Deny {
            for file in &self.written {
                ledger.wrote(file);
            }
            for remote in &self.remotes {
                ledger.changed_remote(remote);
            }
            if self.reads_secret {
                ledger.read_secret();
            }
        }
        // What was not read has no form, and may be too large to be digested for nothing.
        if self.verdict.decision != Decision::Allow && self.verdict.stage != Stage::Integrity {
            ledger.await_answer(call, self.form);
        }
        self.verdict
    }
}

/// Judges calls against one policy and one world.
#[derive(Clone, Debug)]
pub struct Gate {
    mode: Mode,
    only_by_rule: bool,
    allow: Vec<Rule>,
    ask: Vec<Rule>,
    deny: Vec<Rule>,
    world: World,
}

impl Gate {
    /// Reads the policy's rules.
    ///
    /// # Errors
    /// [`RuleError`] names the first rule that cannot be read, with a hint.
    pub fn new(policy: &Policy, world: World) -> Result<Self, RuleError> {
        let parse =
            |texts: &[String]| texts.iter().map(|text| Rule::parse(text, &world)).collect::<Result<Vec<_>, _>>();
        let (allow, ask, deny) = (parse(&policy.allow)?, parse(&policy.ask)?, parse(&policy.deny)?);
        Ok(Self { mode: policy.mode, only_by_rule: policy.only_by_rule, allow, ask, deny, world })
    }

    /// The facts this gate decides against.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Judges a call and notes in the ledger what it would change. The caller records the final answer with
    /// [`Ledger::answered`]. Recursion is bounded; 2 MiB of stack are enough.
    #[must_use]
    pub fn judge(&self, call: &ToolCall, ledger: &mut Ledger) -> Verdict {
        self.review(call, ledger).note(call, ledger)
    }

    /// Judges a call without changing the ledger.
    pub(crate) fn review(&self, call: &ToolCall, ledger: &Ledger) -> Review {
        let start = Instant::now();
        let mut review = self.decide(call, ledger);
        review.verdict.micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        review
    }

    fn decide(&self, call: &ToolCall, ledger: &Ledger) -> Review {
        if let Err(malformed) = integrity::check(call, ledger) {
            return Review::bare(fail_closed::malformed(&malformed));
        }
        if self.mode == Mode::AllowAll {
            return Review::bare(plain(Decision::Allow, Stage::AllowAll, "the gate is switched off by the operator"));
        }
        let reading = match tool::read(call, &self.world, ledger) {
            Ok(reading) => reading,
            Err(refusal) => return Review::bare(fail_closed::unreadable(refusal)),
        };
        let mut verdict = self.settle(call, &reading, ledger);
        if self.only_by_rule && verdict.decision == Decision::Allow && verdict.stage != Stage::Rules {
            verdict = fail_closed::not_automatic();
        }
        verdict.facts = facts(&reading);
        let form =
            if verdict.decision == Decision::Allow { Form::default() } else { Form::of(&reading, &self.world, ledger) };
        let reads_secret = reading.effects().any(|effect| match effect {
            Effect::Reads(place) => secrecy(place).is_some() || ledger.holds_secret(&place.path),
            Effect::Writes { .. }
            | Effect::Deletes { .. }
            | Effect::Network { .. }
            | Effect::Executes(_)
            | Effect::Risk(_)
            | Effect::Unverifiable(_) => false,
        });
        Review { verdict, written: reading.written, remotes: reading.remotes, reads_secret, form }
    }

    fn settle(&self, call: &ToolCall, reading: &Reading, ledger: &Ledger) -> Verdict {
        let findings: Vec<Finding> =
            reading.effects().filter_map(|effect| floor::finding(effect, &self.world)).collect();
        let worst = |severity: Severity| findings.iter().find(|finding| finding.severity == severity);
        if let Some(finding) = worst(Severity::Forbidden) {
            return against(finding, Decision::Deny, Stage::HardFloor);
        }
        if let Some(verdict) = self.by_rules(call, reading, ledger) {
            return verdict;
        }
        if let Some(finding) = worst(Severity::Refused) {
            return against(finding, Decision::Deny, Stage::SoftFloor);
        }
        if ledger.was_denied(call) {
            let mut verdict = plain(Decision::Deny, Stage::Ledger, "the same call was denied before in this run");
            verdict.instead = Some("take another way; the denial's reason still holds".to_owned());
            return verdict;
        }
        let similar =
            ledger.has_denials().then(|| ledger.similar_form(&Form::of(reading, &self.world, ledger))).flatten();
        if let Some(earlier) = similar {
            return again(&earlier);
        }
        if let Some(finding) = worst(Severity::Questioned) {
            return against(finding, Decision::Ask, Stage::Undecided);
        }
        let is_open = |effect: &&Effect| {
            !floor::is_safe(effect, &self.world, ledger) && !is_made_here(effect, reading, &self.world)
        };
        match reading.effects().find(is_open) {
            None if tool::has_hole(call) => fail_closed::undecided("the call holds characters that no text has"),
            None => match scrutiny::of(reading, ledger) {
                Some(reason) => {
                    let mut verdict = plain(Decision::Ask, Stage::Ledger, &reason);
                    verdict.clears = Some("a person's approval".to_owned());
                    verdict
                }
                None => {
                    plain(Decision::Allow, Stage::SafeFloor, "everything the call does is safe inside the work tree")
                }
            },
            Some(effect) => fail_closed::undecided(&effect.to_string()),
        }
    }

    fn by_rules(&self, call: &ToolCall, reading: &Reading, ledger: &Ledger) -> Option<Verdict> {
        let ruled = |rule: &Rule, decision, reason: &str| {
            let mut verdict = plain(decision, Stage::Rules, reason);
            verdict.rule = Some(rule.text().to_owned());
            verdict
        };
        if let Some(rule) = rule::any(&self.deny, call, reading, &self.world) {
            return Some(ruled(rule, Decision::Deny, "a rule of the operator denies it"));
        }
        if let Some(rule) = rule::any(&self.ask, call, reading, &self.world) {
            return Some(ruled(rule, Decision::Ask, "a rule of the operator asks a person"));
        }
        let rule = rule::all(&self.allow, call, reading, &self.world)?;
        // A rule speaks of commands; what could not be read and where their output goes is not covered by it.
        let gaps =
            call.tool == "Bash" && reading.whole.iter().any(|effect| !floor::is_safe(effect, &self.world, ledger));
        let redirected = reading
            .commands
            .iter()
            .flat_map(|command| crate::program::redirections(command, &self.world))
            .any(|effect| !floor::is_safe(&effect, &self.world, ledger));
        (!gaps && !redirected).then(|| ruled(rule, Decision::Allow, "a rule of the operator allows it"))
    }

    /// The denied call of this run that the call is most like, if it is like one: the same deeds on the same targets, or the
    /// same commands, whatever the quoting, wrappers and company.
    #[must_use]
    pub fn similar_denied(&self, call: &ToolCall, ledger: &Ledger) -> Option<SimilarDenial> {
        let reading = tool::read(call, &self.world, ledger).ok()?;
        ledger.similar_form(&Form::of(&reading, &self.world, ledger))
    }

    /// What the gate sees in a call, without history: for `gate explain`.
    #[must_use]
    pub fn explain(&self, call: &ToolCall) -> crate::Explanation {
        let history = Ledger::default();
        let verdict = self.review(call, &history).verdict;
        let readable = integrity::check(call, &history).is_ok();
        let reading = readable.then(|| tool::read(call, &self.world, &history).ok()).flatten().unwrap_or_default();
        crate::Explanation::new(reading, verdict)
    }
}

/// A call that is like a denied one: the same deed is denied again, a related one is a question.
fn again(earlier: &SimilarDenial) -> Verdict {
    let (decision, what) = match earlier.likeness {
        Likeness::Same => (Decision::Deny, "this is a call in another form that was denied before"),
        Likeness::Near => (Decision::Ask, "this is close to a call that was denied before"),
    };
    let mut verdict = plain(decision, Stage::Ledger, &format!("{what}: {}", printable(&earlier.reason, 240)));
    verdict.rule.clone_from(&earlier.rule);
    verdict.instead =
        (decision == Decision::Deny).then(|| "take another way; the denial's reason still holds".to_owned());
    verdict.clears = Some("a person's approval of the call that was denied first".to_owned());
    verdict
}

fn plain(decision: Decision, stage: Stage, reason: &str) -> Verdict {
    Verdict {
        decision,
        stage,
        rule: None,
        reason: reason.to_owned(),
        instead: None,
        clears: None,
        facts: Vec::new(),
        micros: 0,
        model: None,
    }
}

fn against(finding: &Finding, decision: Decision, stage: Stage) -> Verdict {
    Verdict {
        decision,
        stage,
        rule: Some(finding.rule.as_str().to_owned()),
        reason: printable(&finding.reason, 300),
        instead: (!finding.instead.is_empty()).then(|| finding.instead.to_owned()),
        clears: Some(finding.clears.to_owned()),
        facts: Vec::new(),
        micros: 0,
        model: None,
    }
}

fn facts(reading: &Reading) -> Vec<String> {
    let mut facts: Vec<String> = Vec::new();
    for effect in reading
        .effects()
        .filter(|effect| !matches!(effect, Effect::Risk(finding) if finding.severity == Severity::Questioned))
    {
        let fact = printable(&effect.to_string(), 300);
        if facts.len() < MAX_FACTS && !facts.contains(&fact) {
            facts.push(fact);
        }
    }
    facts
}
