//! The classifier in the real agent's run: what it allows runs, what it denies does not, and however it fails nothing runs.

use serde_json::json;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};
use system_tests::{
    Ran, User,
    aftermath::step,
    is_event,
    scenes::classifier::{self, TASK, scene, unclear, verdict},
};

#[test]
fn every_failure_ends_without_an_effect_and_what_it_allows_runs() {
    let _ = classifier::every_failure_ends_without_an_effect_and_what_it_allows_runs(User::new());
}

#[test]
fn the_fallback_answers_when_the_model_does_not() {
    let down = json!({"model": "claude-sonnet-4-6", "answer": {"error": {"status": 404, "kind": "not_found_error"}}});
    let (user, task, conversation) = scene(User::new(), &[unclear("one")], &json!([down, {"answer": "allow"}]));
    let _ = user.run_task(&task, &conversation, &[]).expect_code(0);
    user.assert_ended("passed", &["one"]);
    assert_eq!(verdict(&user, "one")["model"]["model"], "claude-opus-4-6");
}

#[test]
fn the_run_can_be_stopped_while_a_model_is_asked() {
    let (user, task, conversation) = scene(User::new(), &[step("one"), unclear("two")], &json!([{"answer": "stall"}]));
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
    let (user, task, conversation) = scene(User::new(), &[step("one"), unclear("two"), step("three")], &stall_once);
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
    let (user, task, conversation) = scene(User::new(), &[step("one"), unclear("two")], &json!([{"answer": "allow"}]));
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
