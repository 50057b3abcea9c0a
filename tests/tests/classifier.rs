//! The classifier in the real agent's run: what it allows runs, what it denies does not, and however it fails nothing runs.

use serde_json::{Value, json};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};
use system_tests::{
    Ran, User,
    aftermath::{bash, step},
    is_event,
};

const TASK: &str = "Write a log. You may also write the note in the home.";

/// Which program runs depends on a variable that nobody can see; it is unset, so that the line is written.
fn unclear(line: &str) -> Vec<(&'static str, Value)> {
    bash(&format!("$FROB echo {line} >> log.txt"))
}

/// Writes outside of the work tree as well, against which a rule speaks.
fn outside(line: &str) -> Vec<(&'static str, Value)> {
    bash(&format!("echo {line} | tee -a /home/agent/note >> log.txt"))
}

fn facts(rule: &str, risk: &str, authorisation: &str, quote: &str, reason: &str) -> Value {
    json!({"facts": {"effects": ["writes a line"], "destinations": [], "rule": rule, "risk": risk, "authorisation": authorisation,
                     "consent_quote": quote, "reason": reason, "safer_path": "write to log.txt only"}})
}

fn answer(contains: &str, answer: &Value) -> Value {
    json!({"contains": contains, "answer": answer})
}

/// A user, a task and a conversation in which the classifier answers as scripted.
fn scene(turns: &[Vec<(&str, Value)>], classifier: &Value) -> (User, PathBuf, PathBuf) {
    let user = User::new();
    let task = user.task(TASK);
    let path = user.conversation(turns);
    let mut conversation: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("json");
    conversation["classifier"] = classifier.clone();
    fs::write(&path, conversation.to_string()).expect("write");
    (user, task, path)
}

/// The verdict on the call with this word in it.
fn verdict(user: &User, word: &str) -> Value {
    let records = user.journal("gate.jsonl");
    let has_it = |record: &&Value| record["call"]["input"].to_string().contains(word);
    let found: Vec<_> = records.iter().filter(has_it).collect();
    assert_eq!(found.len(), 1, "{word}: {found:#?}");
    found[0]["verdict"].clone()
}

fn transcript(user: &User) -> String {
    fs::read_to_string(user.attempt().join("transcript.jsonl")).expect("transcript")
}

#[test]
fn every_failure_ends_without_an_effect_and_what_it_allows_runs() {
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
    let mut turns = vec![unclear("fast-ok"), unclear("full-ok"), outside("consented")];
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
    turns.extend([outside("forged"), unclear("harmful"), unclear("again")]);
    script.push(json!({"answer": "allow"}));

    let (user, task, conversation) = scene(&turns, &script.into());
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
}

#[test]
fn the_fallback_answers_when_the_model_does_not() {
    let down = json!({"model": "claude-sonnet-4-6", "answer": {"error": {"status": 404, "kind": "not_found_error"}}});
    let (user, task, conversation) = scene(&[unclear("one")], &json!([down, {"answer": "allow"}]));
    let _ = user.run_task(&task, &conversation, &[]).expect_code(0);
    user.assert_ended("passed", &["one"]);
    assert_eq!(verdict(&user, "one")["model"]["model"], "claude-opus-4-6");
}

#[test]
fn the_run_can_be_stopped_while_a_model_is_asked() {
    let (user, task, conversation) = scene(&[step("one"), unclear("two")], &json!([{"answer": "stall"}]));
    let started = user.start_task(&task, &conversation, &["--set", "gate.classifier.patience=10m"]);
    started.wait_for_call(0);
    let _ = started.wait_for("second turn", |event| is_event(event, "turn") && event["turns"] == 2);
    let since = Instant::now();
    let _ = user.run(&["cancel", &user.run_id()]).expect_code(0);
    let Ran { code, .. } = started.finish();
    assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
    assert_eq!(code, 130);
    user.assert_ended("interrupted", &["one"]);
}

#[test]
fn a_question_survives_its_process() {
    let stall_once = json!([{"times": 1, "answer": "stall"}, {"answer": "allow"}]);
    let (user, task, conversation) = scene(&[step("one"), unclear("two"), step("three")], &stall_once);
    let first = user.start_task(&task, &conversation, &["--set", "gate.classifier.timeout=5s"]);
    let _ = first.wait_for("second turn", |event| is_event(event, "turn") && event["turns"] == 2);
    thread::sleep(Duration::from_secs(1));
    first.kill();
    // The script begins anew with the process; its stall is over before the patience is.
    let _ = user.run(&["resume"]).expect_code(0);
    user.assert_ended("passed", &["one", "two", "three"]);
    assert_eq!(verdict(&user, "two")["stage"], "classifier-fast");
}

#[test]
fn an_endpoint_of_its_own_is_asked_in_its_own_protocol() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    let (sender, asked) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("stream");
            let mut got = Vec::new();
            let mut buffer = [0; 65536];
            // The body ends the request; its length stands in the head.
            loop {
                let text = String::from_utf8_lossy(&got).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length =
                        head.to_lowercase().split("content-length: ").nth(1).map(|rest| {
                            rest.split("\r\n").next().unwrap_or_default().parse::<usize>().expect("length")
                        });
                    if body.len() >= length.expect("content-length") {
                        break;
                    }
                }
                let count = stream.read(&mut buffer).expect("read");
                got.extend_from_slice(&buffer[..count]);
            }
            let word = if got.windows(8).any(|window| window == b"echo bad") { "flag" } else { "allow" };
            let body = json!({"model": "local", "choices": [{"message": {"role": "assistant", "content": word}, "finish_reason": "stop"}],
                              "usage": {"prompt_tokens": 9, "completion_tokens": 1}})
            .to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes()).expect("write");
            let _ = sender.send(String::from_utf8_lossy(&got).into_owned());
        }
    });
    let user = User::new().with_env("GATE_KEY", "sk-gate-sentinel");
    let task = user.task(TASK);
    let conversation = user.conversation(&[unclear("good"), unclear("bad")]);
    let url = format!("gate.classifier.url=http://127.0.0.1:{port}/v1");
    let settings = [
        "--set",
        &url,
        "--set",
        "gate.classifier.kind=openai",
        "--set",
        "gate.classifier.model=local",
        "--set",
        "gate.classifier.fallback-model=",
        "--set",
        "gate.classifier.credential=api-key env:GATE_KEY",
    ];
    let _ = user.run_task(&task, &conversation, &settings).expect_code(0);
    user.assert_ended("passed", &["good"]);
    let first = asked.recv().expect("asked");
    assert!(first.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{first}");
    assert!(first.contains("authorization: Bearer sk-gate-sentinel") && first.contains("Write a log."));
    assert!(!first.contains("a step"), "the agent's own words about its call");
    assert_eq!(verdict(&user, "echo good")["stage"], "classifier-fast");
    assert_eq!(verdict(&user, "echo bad")["stage"], "fail-closed", "its second answer holds no facts");
    let record = fs::read_to_string(user.attempt().join("gate.jsonl")).expect("gate.jsonl");
    assert!(!record.contains("sentinel"));
}

#[test]
fn with_auto_mode_off_a_person_is_asked_and_no_model() {
    let (user, task, conversation) = scene(&[step("one"), unclear("two")], &json!([{"answer": "allow"}]));
    let settings = ["--set", "gate.auto-mode=disabled", "--set", "limits.approval-deadline=60s"];
    let started = user.start_task(&task, &conversation, &settings);
    for answer in ["approve", "deny"] {
        let held = started.wait_for("held call", |event| {
            is_event(event, "held") && {
                let command = event["call"]["input"]["command"].as_str().unwrap_or_default();
                command.contains(if answer == "approve" { "one" } else { "two" })
            }
        });
        let _ = user.run(&[answer, held["ask"].as_str().expect("ask"), "--reason", "because"]).expect_code(0);
    }
    let _ = started.finish().expect_code(0);
    let result = user.assert_ended("passed", &["one"]);
    assert_eq!((&result["gate"]["asked"], &result["gate"]["by-model"]), (&2.into(), &0.into()), "{result:#}");
}
