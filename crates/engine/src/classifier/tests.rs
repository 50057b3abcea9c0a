//! Tries, waits and failures against a scripted endpoint.

use super::Asker;
use egress::{Backend, Budget, Config, Deaf, Egress, Keys, Limits, ModelConfig, scan::Secrets};
use gate::{
    World,
    classifier::{Case, Classifier, Prose},
};
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use types::{
    call::ToolCall,
    id::CallId,
    profile::{Layer, Profile, Resolved},
    replay::Replay,
    source::Source,
    verdict::{Decision, Stage, Verdict},
};

fn profile(settings: &[&str]) -> Profile {
    let default = include_str!("../../../../profiles/default.toml");
    let mut layers = vec![Layer::parse(Source::Default, default).expect("default")];
    layers.extend(settings.iter().map(|text| Layer::assignment(Source::Flag("set".into()), text).expect("set")));
    Resolved::new(&layers).expect("resolved").profile
}

fn asker(script: &Value, budget_usd: f64, settings: &[&str]) -> Asker {
    let replay = json!({"version": 1, "turns": [{"text": "hi"}], "classifier": script});
    let model = ModelConfig {
        budget: Budget { usd: Some(budget_usd), ..Budget::default() },
        ..ModelConfig::new(Backend::Replay(Replay::parse(&replay.to_string()).expect("script")), Vec::new())
    };
    let config = Config {
        routes: Vec::new(),
        keys: Keys::default(),
        model: Some(model),
        limits: Limits::default(),
        sink: Arc::new(Deaf),
        secrets: Secrets::default(),
    };
    Asker::new(&profile(settings).gate.classifier, Egress::new(config).expect("egress"))
}

fn case(command: &str) -> Case {
    let input = json!({ "command": command });
    let call =
        ToolCall { id: CallId("c".into()), tool: "Bash".into(), input, cwd: "/workspace".into(), subagent: None };
    let undecided = Verdict {
        decision: Decision::Ask,
        stage: Stage::Undecided,
        rule: Some("unverifiable".into()),
        ..Verdict::unavailable("")
    };
    Classifier::new(&Prose::default(), "do it", World::default()).case(&call, undecided, "5eed")
}

/// Decision, stage, requests and reason.
async fn judged(asker: &Asker, command: &str) -> (Decision, Stage, u32, String) {
    let verdict = asker.judge(case(command)).await;
    let model = verdict.model.expect("a bill");
    (verdict.decision, verdict.stage, model.requests, verdict.reason)
}

fn error(status: u16) -> Value {
    json!({"error": {"status": status, "kind": "x", "message": "no such model"}})
}

#[tokio::test]
async fn a_passing_failure_is_passed_over_and_a_lasting_one_is_not_waited_for() {
    let script = json!([
        {"contains": "twice", "times": 2, "answer": error(529)},
        {"contains": "twice", "answer": "allow"},
        {"contains": "locked", "answer": error(401)},
    ]);
    let asker = asker(&script, 5.0, &[]);
    let (decision, stage, requests, _) = judged(&asker, "twice").await;
    assert_eq!((decision, stage, requests), (Decision::Allow, Stage::ClassifierFast, 3));
    let since = Instant::now();
    let (decision, stage, requests, reason) = judged(&asker, "locked").await;
    assert_eq!((decision, stage, requests), (Decision::Deny, Stage::FailClosed, 2), "each model once");
    assert!(reason.contains("answers 401: no such model") && since.elapsed() < Duration::from_secs(1), "{reason}");
}

#[tokio::test]
async fn garbage_is_asked_about_once_more_and_the_other_model() {
    let facts = json!({"facts": {"effects": [], "destinations": [], "rule": "none", "risk": "none", "authorisation": "none",
                                 "consent_quote": "", "reason": "fine", "safer_path": ""}});
    let script = json!([
        {"contains": "mends", "model": "claude-opus-4-6", "answer": facts},
        {"answer": "garbage"},
    ]);
    let asker = asker(&script, 5.0, &[]);
    let (decision, stage, requests, _) = judged(&asker, "mends").await;
    assert_eq!((decision, stage, requests), (Decision::Allow, Stage::ClassifierFull, 3));
    let (decision, stage, requests, _) = judged(&asker, "stays").await;
    assert_eq!((decision, stage, requests), (Decision::Deny, Stage::FailClosed, 3));
}

#[tokio::test]
async fn an_empty_budget_ends_it_at_once() {
    let asker = asker(&json!([{"answer": "allow"}]), 0.000_001, &[]);
    assert_eq!(judged(&asker, "one").await.0, Decision::Allow, "what begins below the limit is completed");
    let (decision, stage, _, reason) = judged(&asker, "two").await;
    assert_eq!((decision, stage), (Decision::Deny, Stage::FailClosed), "{reason}");
    assert!(reason.contains("budget"), "{reason}");
}

#[tokio::test]
async fn while_the_endpoint_is_down_calls_are_held_and_then_denied_unasked() {
    let settings = ["gate.classifier.patience=1s", "gate.classifier.fallback-model="];
    let asker = asker(&json!([{"contains": "down", "answer": error(500)}, {"answer": "allow"}]), 5.0, &settings);
    assert_eq!(judged(&asker, "up").await.0, Decision::Allow, "control");
    let mut requests = 0;
    while requests < 6 {
        requests += judged(&asker, "down").await.2;
    }
    let since = Instant::now();
    let (decision, stage, requests, reason) = judged(&asker, "up").await;
    assert_eq!((decision, stage, requests), (Decision::Deny, Stage::FailClosed, 0), "{reason}");
    assert!(since.elapsed() >= Duration::from_secs(1), "held until the patience is over");
    assert!(reason.contains("the safety check is unavailable") && reason.contains("no judgement of the call"));
}

#[tokio::test]
async fn a_stall_ends_by_the_deadline() {
    let settings = ["gate.classifier.patience=1s", "gate.classifier.timeout=200ms"];
    let asker = asker(&json!([{"answer": "stall"}]), 5.0, &settings);
    let since = Instant::now();
    let (decision, stage, requests, _) = judged(&asker, "one").await;
    assert_eq!((decision, stage), (Decision::Deny, Stage::FailClosed));
    assert!(requests >= 2 && since.elapsed() < Duration::from_secs(3), "{requests}");
}
