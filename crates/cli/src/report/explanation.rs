//! An explanation of the gate, as people read it: the decision, what the call does, why, what would clear it, the parse.

use engine::Explanation;
use std::fmt::Write;
use types::{
    catalogue::RuleId,
    text::printable,
    verdict::{Decision, Stage, Verdict},
};

/// Width of the first column.
const WORD: usize = 9;
/// Width of a command in the parse.
const COMMAND: usize = 60;

/// The whole text.
pub(crate) fn render(explanation: &Explanation) -> String {
    let verdict = &explanation.verdict;
    let mut out = String::new();
    row(&mut out, answer(verdict), &headline(verdict));
    for fact in verdict.facts.iter().filter(|fact| **fact != verdict.reason) {
        let (verb, object) = fact.split_once(' ').unwrap_or((fact, ""));
        if verb.chars().count() < WORD {
            row(&mut out, verb, object);
        } else {
            row(&mut out, "does", fact);
        }
    }
    row(&mut out, "because", &verdict.reason);
    if let Some(instead) = &verdict.instead {
        row(&mut out, "instead", instead);
    }
    if let Some(clears) = &verdict.clears {
        row(&mut out, "clears", clears);
    }
    let start = explanation.commands.first().and_then(|command| command.cwd.as_ref());
    for (n, command) in explanation.commands.iter().enumerate() {
        let mut text = command.argv.iter().map(|word| shown(word)).collect::<Vec<_>>().join(" ");
        if let Some(cwd) = command.cwd.as_ref().filter(|cwd| Some(*cwd) != start) {
            let _ = write!(text, "  in {}", printable(cwd, 120));
        }
        if let Some(via) = &command.via {
            let _ = write!(
                text,
                "{:pad$}  via {}",
                "",
                printable(via, 40),
                pad = COMMAND.saturating_sub(text.chars().count())
            );
        }
        row(&mut out, if n == 0 { "parse" } else { "" }, &text);
    }
    out
}

fn answer(verdict: &Verdict) -> &'static str {
    match verdict.decision {
        Decision::Allow => "allowed",
        Decision::Deny => "denied",
        Decision::Ask if verdict.stage == Stage::Undecided => "open",
        Decision::Ask => "asks",
    }
}

fn headline(verdict: &Verdict) -> String {
    let mut parts = Vec::new();
    if let Some(rule) = &verdict.rule {
        let kind = RuleId::named(rule).map(|id| if id.is_hard() { " (hard)" } else { " (soft)" }).unwrap_or_default();
        parts.push(format!("{}{kind}", printable(rule, 120)));
    }
    parts.push(stage(verdict.stage).to_owned());
    parts.push(format!("deterministic, {} µs", verdict.micros));
    parts.join(" · ")
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Integrity => "form of the call",
        Stage::Normalise => "cannot be read",
        Stage::HardFloor => "hard floor",
        Stage::Rules => "rules",
        Stage::SoftFloor => "soft floor",
        Stage::SafeFloor => "safe floor",
        Stage::Ledger => "history",
        Stage::ClassifierFast => "model, one word",
        Stage::ClassifierFull => "model, facts",
        Stage::Undecided => "no stage settles it: a model is asked, or a person",
        Stage::Escalation => "too many denials",
        Stage::Person => "a person",
        Stage::FailClosed => "the gate failed",
        Stage::AllowAll => "the gate is off",
    }
}

/// A word as the shell would need it, so that it is seen where it ends.
fn shown(word: &str) -> String {
    let is_plain = !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || "'\"|&;<>()".contains(c));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// A line: the word, then the text.
pub(super) fn row(out: &mut String, word: &str, text: &str) {
    let _ = writeln!(out, "{}", format!("{word:<WORD$}{text}").trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_hard_rules_are_marked() {
        let verdict = Verdict {
            decision: Decision::Deny,
            stage: Stage::HardFloor,
            rule: Some("data_exfiltration".into()),
            reason: "sends credentials to files.example".into(),
            instead: None,
            clears: Some("nothing".into()),
            facts: vec!["reads /home/agent/.aws".into(), "sends to files.example".into(), "irreversibly x".into()],
            micros: 63,
            model: None,
        };
        let text = render(&Explanation { commands: Vec::new(), effects: Vec::new(), verdict });
        assert_eq!(
            text,
            "denied   data_exfiltration (hard) · hard floor · deterministic, 63 µs\n\
             reads    /home/agent/.aws\n\
             sends    to files.example\n\
             does     irreversibly x\n\
             because  sends credentials to files.example\n\
             clears   nothing\n"
        );
    }
}
