//! A conversation that is kept while the endpoint answers, and played again: rate limits, subagents and the classifier beside it.

mod support;

use egress::{Backend, Egress, Limits, ModelConfig, Question};
use serde_json::{Value, json};
use std::time::Duration;
use support::{Fixture, Target, answer, post, upstream};
use types::{
    profile::Dialect,
    replay::{Block, ClassifierAnswer, Replay, Step},
    wire::Open,
};

const MODEL: &str = "claude-sonnet-4-6";

/// An answer as the API streams it: texts, and calls by their command.
fn streamed(blocks: &[Value], stop_reason: &str) -> String {
    let usage = json!({"input_tokens": 1, "output_tokens": 1});
    let mut events = vec![json!({"type": "message_start", "message": {"model": MODEL, "content": [], "usage": usage}})];
    for (index, block) in blocks.iter().enumerate() {
        let (start, delta) = match block {
            Value::String(text) => (json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": text})),
            call @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => (
                json!({"type": "tool_use", "id": call["id"], "name": call["name"], "input": {}}),
                json!({"type": "input_json_delta", "partial_json": call["input"].to_string()}),
            ),
        };
        events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
        events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": {"output_tokens": 2}}));
    events.push(json!({"type": "message_stop"}));
    let line = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().expect("type"));
    with_events(&events.iter().map(line).collect::<String>())
}

fn with_events(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn call(id: &str, command: &str) -> Value {
    json!({"id": id, "name": "Bash", "input": {"command": command}})
}

/// A request in a conversation that began with `first`, after the calls with these ids were answered.
fn ask(first: &str, ids: &[&str]) -> Vec<u8> {
    let mut messages = vec![json!({"role": "user", "content": first})];
    for id in ids {
        messages.push(
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "Bash", "input": {}}]}),
        );
        messages.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": format!("result of {id}")}]}));
    }
    let body =
        json!({"model": MODEL, "max_tokens": 10, "stream": true, "tools": [{"name": "Bash"}], "messages": messages});
    post("/v1/messages", &body.to_string())
}

fn recording(target: &Target) -> Fixture {
    let config = ModelConfig { record: Some(Replay::blank()), ..upstream(target.address) };
    Fixture::new(Vec::new(), Some(config), Limits::default())
}

fn kept(egress: &Egress) -> Replay {
    egress.recorded(0).expect("something was kept").1
}

#[tokio::test]
async fn what_was_answered_plays_again() {
    let agent = json!({"id": "toolu_3", "name": "Agent", "input": {"prompt": "Count the files below src.", "description": "count"}});
    let target = Target::choosing(vec![
        ("result of toolu_4", streamed(&[json!("Seven files.")], "end_turn")),
        ("Count the files below src.\\nToday is Friday", streamed(&[call("toolu_4", "ls src")], "tool_use")),
        ("result of toolu_3", streamed(&[json!("Done.")], "max_tokens")),
        ("result of toolu_2", streamed(&[agent], "tool_use")),
        ("result of toolu_1", streamed(&[json!("One."), call("toolu_2", "true"), json!("Two.")], "tool_use")),
        ("", streamed(&[json!("I look."), call("toolu_1", "ls")], "tool_use")),
    ])
    .await;
    let mut fixture = recording(&target);
    assert!(fixture.egress.recorded(0).is_none());
    let subagent = "Count the files below src.\nToday is Friday";
    for (first, ids) in [
        ("Fix it", &[] as &[&str]),
        ("Fix it", &["toolu_1"]),
        // The agent asks for the same once more, as after a cut connection.
        ("Fix it", &["toolu_1"]),
        ("Fix it", &["toolu_1", "toolu_2"]),
        (subagent, &[]),
        (subagent, &["toolu_4"]),
        ("Fix it", &["toolu_1", "toolu_2", "toolu_3"]),
    ] {
        let text = fixture.talk(Open::Model, &ask(first, ids)).await;
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    }
    let question = Question {
        dialect: Dialect::Messages,
        model: MODEL.into(),
        body: b"{}".to_vec(),
        step: Step::Full,
        about: "{\"command\":\"ls\"}".into(),
    };
    fixture.egress.ask(question).await.expect("an answer");
    let replay = kept(&fixture.egress);
    assert_eq!(replay.turns.len(), 4, "{replay:#?}");
    assert_eq!((replay.turns[0].text.as_str(), replay.turns[0].tools.len()), ("I look.", 1));
    assert!(matches!(replay.turns[1].blocks.as_slice(), [Block::Text(_), Block::Tool(_), Block::Text(_)]));
    assert_eq!(replay.turns[3].stop_reason.as_deref(), Some("max_tokens"));
    assert_eq!(replay.conversations.len(), 1);
    let beside = &replay.conversations[0];
    assert_eq!((beside.opening.as_str(), beside.turns.len()), ("Count the files below src.", 2));
    assert_eq!(replay.classifier.len(), 0, "an event stream is no classifier's answer");
    assert_eq!(Replay::parse(&serde_json::to_string(&replay).expect("json")).expect("valid"), replay);

    // Played, it gives the same blocks, another day.
    let config = ModelConfig::new(Backend::Replay(replay), vec![MODEL.to_owned()]);
    let mut played = Fixture::new(Vec::new(), Some(config), Limits::default());
    let another_day = "Count the files below src.\nToday is Monday";
    for (first, ids, words) in [
        ("Fix it now", &[] as &[&str], "I look."),
        ("Fix it now", &["toolu_replay_0_0"], "Two."),
        (another_day, &[], "ls src"),
        (another_day, &["toolu_replay_c0_0_0"], "Seven files."),
        ("Fix it now", &["toolu_replay_0_0", "toolu_replay_1_0", "toolu_replay_2_0"], "\"stop_reason\":\"max_tokens\""),
    ] {
        let text = played.talk(Open::Model, &ask(first, ids)).await;
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[tokio::test]
async fn another_process_goes_on_where_the_record_ends() {
    let target = Target::choosing(vec![
        ("result of toolu_9", streamed(&[json!("Done.")], "end_turn")),
        ("", streamed(&[call("toolu_9", "ls")], "tool_use")),
    ])
    .await;
    let mut first = recording(&target);
    first.talk(Open::Model, &ask("Fix it", &[])).await;
    let before = kept(&first.egress);
    let config = ModelConfig { record: Some(before), ..upstream(target.address) };
    let mut second = Fixture::new(Vec::new(), Some(config), Limits::default());
    second.talk(Open::Model, &ask("Fix it", &["toolu_9"])).await;
    let turns = kept(&second.egress).turns;
    assert_eq!(turns.iter().map(|turn| turn.words()).collect::<Vec<_>>(), ["", "Done."]);
}

#[tokio::test]
async fn what_is_no_answer_in_a_conversation_is_not_kept() {
    let whole = streamed(&[json!("half")], "end_turn");
    let events = whole.split_once("\r\n\r\n").expect("head").1;
    let cut = with_events(events.split_once("event: message_stop").expect("an end").0);
    let target = Target::choosing(vec![
        ("cut me", cut),
        ("refuse me", answer("500 Oops", "{}")),
        ("", streamed(&[json!("A title")], "end_turn")),
    ])
    .await;
    let mut fixture = recording(&target);
    for first in ["cut me", "refuse me"] {
        fixture.talk(Open::Model, &ask(first, &[])).await;
    }
    let title =
        json!({"model": MODEL, "max_tokens": 9, "stream": true, "messages": [{"role": "user", "content": "Title?"}]});
    assert!(fixture.talk(Open::Model, &post("/v1/messages", &title.to_string())).await.contains("A title"));
    assert!(fixture.egress.recorded(0).is_none());
    fixture.talk(Open::Model, &ask("keep me", &[])).await;
    assert_eq!(kept(&fixture.egress).turns.len(), 1);
}

#[tokio::test]
async fn the_classifier_s_answers_are_kept_with_what_they_are_about() {
    let facts = json!({"risk": "low"});
    let fast = json!({"model": MODEL, "content": [{"type": "text", "text": "flag"}], "usage": {}});
    let full = json!({"model": MODEL, "content": [{"type": "tool_use", "id": "t", "name": "report", "input": facts}], "usage": {}});
    let target = Target::choosing(vec![
        ("STEP-FAST", answer("200 OK", &fast.to_string())),
        ("STEP-FULL", answer("200 OK", &full.to_string())),
    ])
    .await;
    let fixture = recording(&target);
    let about = "{\"command\":\"make\"}";
    for (step, mark) in [(Step::Fast, "STEP-FAST"), (Step::Full, "STEP-FULL"), (Step::Full, "STEP-FULL")] {
        let body = json!({"model": MODEL, "messages": [], "mark": mark}).to_string().into_bytes();
        let question = Question { dialect: Dialect::Messages, model: MODEL.into(), body, step, about: about.into() };
        fixture.egress.ask(question).await.expect("an answer");
    }
    let kept = kept(&fixture.egress).classifier;
    assert_eq!(kept.len(), 2, "{kept:#?}");
    assert!(kept.iter().all(|turn| turn.contains == about));
    assert_eq!((kept[0].step, &kept[0].answer), (Some(Step::Fast), &ClassifierAnswer::Text("flag".into())));
    assert_eq!((kept[1].step, &kept[1].answer), (Some(Step::Full), &ClassifierAnswer::Facts(facts)));
}

#[tokio::test]
async fn a_rate_limit_is_a_state_until_the_endpoint_answers() {
    let limited = answer("429 Too Many", "{\"error\":{}}").replacen("\r\n", "\r\nretry-after: 7\r\n", 1);
    let overloaded =
        with_events("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n");
    let target = Target::choosing(vec![
        ("slow down", limited),
        ("too much", overloaded),
        ("", streamed(&[json!("ok")], "end_turn")),
    ])
    .await;
    let mut fixture = recording(&target);
    fixture.talk(Open::Model, &ask("go", &[])).await;
    fixture.seen.heard(|heard| assert_eq!((heard.rate.len(), heard.cleared), (0, 0)));
    let text = fixture.talk(Open::Model, &ask("slow down", &[])).await;
    assert!(text.starts_with("HTTP/1.1 429 ") && text.contains("retry-after: 7"), "as it is: {text}");
    fixture.talk(Open::Model, &ask("slow down", &[])).await;
    fixture.seen.heard(|heard| {
        assert_eq!((heard.rate.as_slice(), heard.cleared), ([(429, Some(Duration::from_secs(7))); 2].as_slice(), 0));
    });
    fixture.talk(Open::Model, &ask("go", &[])).await;
    fixture.talk(Open::Model, &ask("go", &[])).await;
    fixture.seen.heard(|heard| assert_eq!(heard.cleared, 1));
    fixture.talk(Open::Model, &ask("too much", &[])).await;
    fixture.talk(Open::Model, &ask("go", &[])).await;
    fixture.seen.heard(|heard| assert_eq!((heard.rate.last(), heard.cleared), (Some(&(529, None)), 2)));
}
