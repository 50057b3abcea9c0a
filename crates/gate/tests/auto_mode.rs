//! With auto mode off nothing runs but what a rule of the operator allows; denials stay denials.

use gate::{Gate, Ledger, Policy, World};
use types::{
    call::ToolCall,
    id::CallId,
    verdict::{Decision, Stage, Verdict},
};

fn judged(policy: &Policy, command: &str) -> Verdict {
    let call = ToolCall {
        id: CallId(command.into()),
        tool: "Bash".into(),
        input: serde_json::json!({ "command": command }),
        cwd: "/workspace".into(),
        subagent: None,
    };
    Gate::new(policy, World::default()).expect("rules").judge(&call, &mut Ledger::default())
}

#[test]
fn only_rules_allow_when_auto_mode_is_off() {
    let rules = Policy { allow: vec!["Bash(git status)".into()], ..Policy::default() };
    let off = Policy { only_by_rule: true, ..rules.clone() };
    assert_eq!(judged(&rules, "ls").decision, Decision::Allow, "control");
    let asked = judged(&off, "ls");
    assert_eq!((asked.decision, asked.stage), (Decision::Ask, Stage::Rules), "{asked:?}");
    assert!(!gate::classifier::Classifier::is_asked(&asked), "no model stands in for the person");
    assert_eq!(judged(&off, "git status").decision, Decision::Allow);
    assert_eq!(judged(&off, "rm -rf /").decision, Decision::Deny);
}
