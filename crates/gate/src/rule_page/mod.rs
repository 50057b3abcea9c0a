//! A page for each built-in rule, as data: what `gate rules` prints and what stands in `docs/gate.md`.
//!
//! What must stay true: there is a page for every id, and the gate answers every example as its page says (tested below).

mod hard;
mod soft;

use serde::Serialize;
use std::fmt::Write;
use types::catalogue::RuleId;

/// A tool call on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The tool.
    pub tool: &'static str,
    /// The command of a Bash call, the input as JSON for other tools.
    pub input: &'static str,
}

const fn bash(input: &'static str) -> Example {
    Example { tool: "Bash", input }
}

const fn call(tool: &'static str, input: &'static str) -> Example {
    Example { tool, input }
}

/// What people can read about a rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RulePage {
    /// Its id, as in verdicts.
    pub id: RuleId,
    /// True when neither a rule of the operator nor a person's words override it.
    pub is_hard: bool,
    /// What it covers.
    pub covers: &'static str,
    /// For a soft rule, the part of it that nothing overrides; empty when there is none.
    pub never: &'static str,
    /// What changes the decision.
    pub clears: &'static str,
    /// Calls that it stops: they are denied, or a person is asked.
    pub stopped: &'static [Example],
    /// Calls that look like those and run.
    pub twins: &'static [Example],
}

/// The page of a rule.
#[must_use]
pub fn rule_page(id: RuleId) -> RulePage {
    match id {
        RuleId::DataExfiltration => hard::DATA_EXFILTRATION,
        RuleId::SandboxEscape => hard::SANDBOX_ESCAPE,
        RuleId::GateTampering => hard::GATE_TAMPERING,
        RuleId::InstructionPoisoning => hard::INSTRUCTION_POISONING,
        RuleId::ReverseChannel => hard::REVERSE_CHANNEL,
        RuleId::MassDeletion => soft::MASS_DELETION,
        RuleId::UntrustedCode => soft::UNTRUSTED_CODE,
        RuleId::SupplyChain => soft::SUPPLY_CHAIN,
        RuleId::GitRemote => soft::GIT_REMOTE,
        RuleId::CredentialAccess => soft::CREDENTIAL_ACCESS,
        RuleId::Persistence => soft::PERSISTENCE,
        RuleId::Privilege => soft::PRIVILEGE,
        RuleId::SharedInfra => soft::SHARED_INFRA,
        RuleId::ExternalWrite => soft::EXTERNAL_WRITE,
        RuleId::ResourceAbuse => soft::RESOURCE_ABUSE,
        RuleId::SafetyRegression => soft::SAFETY_REGRESSION,
        RuleId::UserBoundary => soft::USER_BOUNDARY,
    }
}

/// The page as text for a terminal or a Markdown file.
#[must_use]
pub fn render_page(page: &RulePage) -> String {
    let kind = if page.is_hard { "hard" } else { "soft" };
    let mut out = format!("### {} ({kind})\n\n{}\n", page.id.as_str(), page.covers);
    if !page.never.is_empty() {
        let _ = writeln!(out, "Never overridable: {}", page.never);
    }
    let _ = writeln!(out, "Clears it: {}", page.clears);
    for (title, examples) in [("Stopped", page.stopped), ("Runs", page.twins)] {
        let _ = write!(out, "\n{title}:\n\n```\n");
        for Example { tool, input } in examples {
            let _ = if *tool == "Bash" { writeln!(out, "{input}") } else { writeln!(out, "{tool} {input}") };
        }
        out.push_str("```\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Gate, Ledger, Policy, World};
    use types::{
        call::ToolCall,
        id::CallId,
        verdict::{Decision, Verdict},
    };

    fn judge(example: &Example) -> Verdict {
        let input = if example.tool == "Bash" {
            serde_json::json!({"command": example.input})
        } else {
            serde_json::from_str(example.input).expect(example.input)
        };
        let world = World {
            remotes: vec![("origin".to_owned(), "git@forge.example:acme/app.git".to_owned())],
            session_branch: Some("feature/login".to_owned()),
            ..World::default()
        };
        let call = ToolCall {
            id: CallId("x".to_owned()),
            tool: example.tool.to_owned(),
            input,
            cwd: world.worktree.clone(),
            subagent: None,
        };
        Gate::new(&Policy::default(), world).expect("gate").judge(&call, &mut Ledger::default())
    }

    #[test]
    fn every_example_is_answered_as_its_page_says() {
        for id in RuleId::ALL {
            let page = rule_page(id);
            assert_eq!((page.id, page.is_hard), (id, id.is_hard()));
            assert!(page.stopped.len() >= 2 && page.twins.len() >= 2, "{id:?} has examples and twins");
            assert!(!page.is_hard || page.never.is_empty(), "{id:?}: all of a hard rule is never overridable");
            for example in page.stopped {
                let verdict = judge(example);
                assert_ne!(verdict.decision, Decision::Allow, "{example:?}");
                assert_eq!(verdict.rule.as_deref(), Some(id.as_str()), "{example:?}: {verdict:?}");
            }
            for example in page.twins {
                assert_eq!(judge(example).decision, Decision::Allow, "{id:?} {example:?}: {:?}", judge(example));
            }
        }
    }

    /// `UPDATE_DOCS=1 cargo nextest run -p gate rule_page` writes the pages anew.
    #[test]
    fn the_handbook_holds_the_pages() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/gate.md");
        let text = std::fs::read_to_string(path).expect("docs/gate.md");
        let (begin, end) = ("<!-- rules: generated -->\n", "<!-- rules: end -->");
        let (head, rest) = text.split_once(begin).expect("a begin mark");
        let (_, tail) = rest.split_once(end).expect("an end mark");
        let pages: Vec<_> = RuleId::ALL.iter().map(|id| render_page(&rule_page(*id))).collect();
        let wanted = format!("{head}{begin}\n{}\n{end}{tail}", pages.join("\n"));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &wanted).expect("write");
        } else {
            assert!(text == wanted, "docs/gate.md is out of date: UPDATE_DOCS=1 writes it");
        }
    }
}
