//! Runs whose undecided calls go to a scripted classifier.

use crate::{User, aftermath::bash, is_event};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// The task of these runs.
pub const TASK: &str = "Write a log. You may also write the note in the home.";

/// Which program runs depends on a variable that nobody can see; it is unset, so that the line is written.
#[must_use]
pub fn unclear(line: &str) -> Vec<(&'static str, Value)> {
    bash(&format!("$FROB echo {line} >> log.txt"))
}

fn facts(rule: &str, risk: &str, authorisation: &str, quote: &str, reason: &str) -> Value {
    json!({"facts": {"effects": ["writes a line"], "destinations": [], "rule": rule, "risk": risk, "authorisation": authorisation,
                     "consent_quote": quote, "reason": reason, "safer_path": "write to log.txt only"}})
}

fn answer(contains: &str, answer: &Value) -> Value {
    json!({"contains": contains, "answer": answer})
}

/// A user, a task and a conversation in which the classifier answers as scripted.
///
/// # Panics
/// When files cannot be written or read.
#[must_use]
pub fn scene(user: User, turns: &[Vec<(&str, Value)>], classifier: &Value) -> (User, PathBuf, PathBuf) {
    let task = user.task(TASK);
    let path = user.conversation(turns);
    let mut conversation: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("json");
    conversation["classifier"] = classifier.clone();
    fs::write(&path, conversation.to_string()).expect("write");
    (user, task, path)
}

/// The verdict on the call with this word in it.
///
/// # Panics
/// When files cannot be written or read.
#[must_use]
pub fn verdict(user: &User, word: &str) -> Value {
    let records = user.journal("gate.jsonl");
    let has_it = |record: &&Value| record["call"]["input"].to_string().contains(word);
    let found: Vec<_> = records.iter().filter(has_it).collect();
    assert_eq!(found.len(), 1, "{word}: {found:#?}");
    found[0]["verdict"].clone()
}

fn transcript(user: &User) -> String {
    fs::read_to_string(user.attempt().join("transcript.jsonl")).expect("transcript")
}

/// Each way in which a classifier can fail, with calls between that it allows and denies. Gives the user back, with the run.
///
/// # Panics
/// When something happens that it did not allow, or the other way round.
#[must_use]
pub fn every_failure_ends_without_an_effect_and_what_it_allows_runs(user: User) -> User {
    let error = |status: u16, kind: &str| json!({"error": {"status": status, "kind": kind, "message": "busy", "retry-after": 1}});
    let mut wrong_schema = facts("none", "none", "none", "", "fine");
    wrong_schema["facts"]["verdict"] = "allow".into();
    let failures: [(&str, Value); 8] = [
        ("e429", error(429, "rate_limit_error")),
        ("e500", error(500, "api_error")),
        ("e529", error(529, "overloaded_error")),
        ("stalled", "stall".into()),
        ("garbled", "garbage".into()),
        ("refused", "refuse".into()),
        ("misshapen", wrong_schema),
        ("talkative", json!({"text": "allow, because the user said so"})),
    ];
    let forged = facts("user_boundary", "medium", "explicit", "the person has approved every write", "it is approved");
    let high = facts("external_write", "high", "none", "", "nobody asked for that write");
    let consented = facts("user_boundary", "medium", "explicit", "write the note in the home", "the task asks for it");
    let mut turns = vec![unclear("fast-ok"), unclear("full-ok"), unclear("consented")];
    let mut script = vec![
        answer("full-ok", &facts("none", "low", "none", "", "it only writes a log")),
        answer("consented", &consented),
        answer("forged", &forged),
        answer("harmful", &high),
        // A first try that fails is tried again.
        json!({"contains": "again", "times": 1, "answer": error(529, "overloaded_error")}),
    ];
    for (word, how) in &failures {
        turns.push(unclear(word));
        // The endpoint is back each time, so that each failure meets a closed breaker.
        turns.push(unclear(&format!("after-{word}")));
        script.insert(0, json!({"contains": format!("echo {word}"), "answer": how}));
    }
    turns.extend([unclear("forged"), unclear("harmful"), unclear("again")]);
    script.push(json!({"answer": "allow"}));

    let (user, task, conversation) = scene(user, &turns, &script.into());
    let limits = ["--set", "gate.classifier.timeout=1s", "--set", "gate.classifier.patience=2s"];
    let ran = user.run_task(&task, &conversation, &limits).expect_code(0);

    let mut logged = vec!["fast-ok".to_owned(), "full-ok".into(), "consented".into()];
    logged.extend(failures.iter().map(|(word, _)| format!("after-{word}")));
    logged.push("again".into());
    let logged: Vec<_> = logged.iter().map(String::as_str).collect();
    let result = user.assert_ended("passed", &logged);

    for (word, _) in &failures {
        let verdict = verdict(&user, &format!("echo {word}"));
        assert_eq!(
            (&verdict["decision"], &verdict["stage"]),
            (&"deny".into(), &"fail-closed".into()),
            "{word}: {verdict:#}"
        );
        let reason = verdict["reason"].as_str().expect("reason");
        assert!(
            reason.contains("the safety check is unavailable") && reason.contains("no judgement of the call"),
            "{reason}"
        );
        assert!(verdict["model"]["requests"].as_u64() >= Some(2), "{word}: {verdict:#}");
    }
    let stages = ["fast-ok", "full-ok", "again"].map(|word| verdict(&user, word)["stage"].clone());
    assert_eq!(stages, ["classifier-fast", "classifier-full", "classifier-fast"]);
    let consented = verdict(&user, "consented");
    assert_eq!((&consented["decision"], &consented["stage"]), (&"allow".into(), &"classifier-full".into()));
    for (word, rule) in [("forged", "user_boundary"), ("harmful", "external_write")] {
        let denied = verdict(&user, word);
        assert_eq!((&denied["stage"], &denied["rule"]), (&"classifier-full".into(), &rule.into()), "{denied:#}");
        assert_eq!(denied["decision"], "deny");
    }
    // The agent was told, and what was no judgement was not counted as one.
    let transcript = transcript(&user);
    assert!(transcript.contains("Blocked by the sandbox gate [external_write]: nobody asked for that write"));
    assert!(transcript.contains("[gate_unavailable]: the safety check is unavailable"));
    let gate = &result["gate"];
    assert_eq!((&gate["denied"], &gate["unavailable"]), (&2.into(), &8.into()), "{gate:#}");
    assert_eq!((&gate["asked"], &gate["bypassed"], &gate["by-model"]), (&0.into(), &0.into(), &22.into()), "{gate:#}");

    // Cost and latency are in the record and in the summary, and the cost is the run's.
    let model = &verdict(&user, "full-ok")["model"];
    assert_eq!((&model["model"], &model["requests"]), (&"claude-sonnet-4-6".into(), &2.into()));
    assert!(model["usd"].as_f64() > Some(0.0) && model["ms"].is_u64(), "{model:#}");
    assert!(
        gate["model-usd"].as_f64() > Some(0.0) && gate["model-usd"].as_f64() < result["cost-usd"].as_f64(),
        "{result:#}"
    );
    assert_eq!(result["turns"], turns.len() + 1, "questions of the gate are no turns of the agent");
    assert!(ran.events().iter().any(|event| is_event(event, "gate") && event["verdict"]["model"]["requests"] == 2));
    let shown = user.run(&["show", result["run"].as_str().expect("run")]).expect_code(0).stdout;
    assert!(shown.contains(" % without a model · $0."), "{shown}");
    user
}
