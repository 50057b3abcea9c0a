//! The model gateway against a fake endpoint on loopback and against a scripted conversation.

mod support;

use egress::{Backend, Budget, Credential, Egress, Keys, LimitReached, Limits, ModelConfig, UpstreamConfig};
use serde_json::{Value, json};
use std::time::Duration;
use support::{Fixture, KEY, Target, post, read_until, upstream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    net::TcpListener,
    task::JoinSet,
};
use types::{budget::Cap, replay::Replay, secret::Secret, wire::Open};

const MODEL: &str = "claude-sonnet-4-6";

fn event(value: &Value) -> String {
    format!("event: {}\ndata: {value}\n\n", value["type"].as_str().expect("type"))
}

/// An answer with one tool call, as the API streams it.
fn stream() -> String {
    [
        json!({"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "model": MODEL, "content": [],
            "usage": {"input_tokens": 100, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 1000, "output_tokens": 1}}}),
        json!({"type": "ping"}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "h\u{e9}llo"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{\"command\":"}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "\"ls\"}"}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 50}}),
        json!({"type": "message_stop"}),
    ]
    .iter()
    .map(event)
    .collect()
}

fn http(status: &str, kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nrequest-id: req_1\r\n\r\n{body}",
        body.len()
    )
}

fn ask(model: &str) -> String {
    json!({"model": model, "max_tokens": 10, "stream": true, "tools": [{"name": "Bash"}], "messages": [{"role": "user", "content": "go"}]}).to_string()
}

fn usd(amount: f64) -> Budget {
    Budget { usd: Some(amount), ..Budget::default() }
}

fn gateway(model: ModelConfig) -> Fixture {
    Fixture::new(Vec::new(), Some(model), Limits::default())
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_is_read() {
    let with = |url: &str, credential| ModelConfig {
        backend: Backend::Upstream(UpstreamConfig { url: url.parse().expect("url"), credential }),
        ..upstream(([127, 0, 0, 1], 9).into())
    };
    let key = || Credential::ApiKey(Secret::new(KEY));
    let check = |config: &ModelConfig| Egress::check(&[], &Keys::default(), config);
    assert!(check(&with("https://api.example/prefix", key())).is_ok());
    for bad in [
        with("https://user:password@api.example", key()),
        with("https://api.example/?key=x", key()),
        with("ftp://api.example", key()),
        with("https://api.example", Credential::ApiKey(Secret::new("a\u{1}"))),
        ModelConfig { budget: usd(0.0), ..with("https://api.example", key()) },
    ] {
        let error = check(&bad).expect_err("refused").to_string();
        assert!(!error.contains("password") && !error.contains("key=x") && !error.contains(KEY), "{error}");
    }
}

#[tokio::test]
async fn only_our_credential_goes_up_and_the_answer_comes_down_unchanged() {
    let target = Target::http(http("200 OK", "text/event-stream", &stream())).await;
    let mut fixture = gateway(upstream(target.address));
    let body = ask(MODEL);
    let request = format!(
        "POST /v1/messages?beta=true HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-Api-Key: sentinel\r\nAuthorization: Bearer sentinel\r\n\
         Cookie: sentinel\r\nProxy-Authorization: sentinel\r\nX-Goog-Api-Key: sentinel\r\nX-Custom: sentinel\r\nAnthropic-Beta: a-1\r\nAnthropic-Version: 2023-06-01\r\n\
         Accept-Encoding: gzip\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let text = fixture.talk(Open::Model, request.as_bytes()).await;
    fixture.settle().await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("request-id: req_1"), "{text}");
    for piece in stream().split_inclusive("\n\n") {
        assert!(text.contains(piece), "{piece} in {text}");
    }
    let sent = target.text(0);
    assert!(sent.starts_with("POST /v1/messages?beta=true HTTP/1.1\r\n"), "{sent}");
    assert!(sent.ends_with(&body) && !sent.contains("sentinel"), "{sent}");
    assert!(
        sent.contains(&format!("x-api-key: {KEY}\r\n")) && sent.contains("accept-encoding: identity\r\n"),
        "{sent}"
    );
    assert!(sent.contains("anthropic-beta: a-1\r\n") && sent.contains("anthropic-version: 2023-06-01\r\n"), "{sent}");

    fixture.seen.heard(|heard| {
        let [call] = heard.tool_uses.as_slice() else { panic!("{:?}", heard.tool_uses) };
        assert_eq!(
            (call.id.0.as_str(), call.tool.as_str(), &call.input),
            ("toolu_1", "Bash", &json!({"command": "ls"}))
        );
        let [usage] = heard.usages.as_slice() else { panic!("{:?}", heard.usages) };
        assert_eq!((usage.input_tokens, usage.output_tokens), (100, 50));
        assert_eq!((usage.cache_write_tokens, usage.cache_read_tokens), (10, 1000));
        assert!((usage.cost_usd - (100.0 * 3.0 + 50.0 * 15.0 + 10.0 * 3.75 + 1000.0 * 0.3) / 1e6).abs() < 1e-12);
        assert_eq!((heard.turns, heard.records.len()), (1, 1));
        assert!(heard.records[0].allowed && heard.records[0].status == Some(200), "{:?}", heard.records);
    });
}

#[tokio::test]
async fn oauth_brings_its_beta() {
    let target = Target::http(http("200 OK", "text/event-stream", &stream())).await;
    let mut config = upstream(target.address);
    config.backend = Backend::Upstream(UpstreamConfig {
        url: format!("http://{}/prefix/", target.address).parse().expect("url"),
        credential: Credential::OAuth(Secret::new("tok")),
    });
    gateway(config).talk(Open::Model, &post("/v1/messages", &ask(MODEL))).await;
    let sent = target.text(0);
    assert!(sent.starts_with("POST /prefix/v1/messages HTTP/1.1\r\n"), "{sent}");
    assert!(
        sent.contains("authorization: Bearer tok\r\n") && sent.contains("anthropic-beta: oauth-2025-04-20\r\n"),
        "{sent}"
    );
    assert!(!sent.contains("x-api-key"), "{sent}");
}

#[tokio::test]
async fn health_and_counting_work_and_other_paths_do_not() {
    let target = Target::http(http("200 OK", "application/json", "{\"input_tokens\":7}")).await;
    let mut fixture = gateway(upstream(target.address));
    for method in ["GET", "HEAD"] {
        let text = fixture
            .talk(Open::Model, format!("{method} / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes())
            .await;
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    }
    let text = fixture.talk(Open::Model, &post("/v1/messages/count_tokens", &ask(MODEL))).await;
    assert!(text.ends_with("{\"input_tokens\":7}"), "{text}");
    assert_eq!(target.connections(), 1);
    for path in ["/v1/files", "/v1/messages/batches", "/v1/messages?key=x", "//v1/messages", "/v1/organizations"] {
        let text = fixture.talk(Open::Model, &post(path, &ask(MODEL))).await;
        assert!(text.starts_with("HTTP/1.1 403 ") && text.contains("x-sandbox-refused: method_not_allowed"), "{text}");
        assert!(text.contains("\"type\":\"permission_error\""), "{text}");
    }
    assert_eq!(target.connections(), 1);
    assert!(fixture.talk(Open::Model, b"GET / HTTP/9\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
    fixture.settle().await;
    assert_eq!(fixture.seen.rules().last().map(String::as_str), Some("bad_request"));
}

#[tokio::test]
async fn models_bodies_and_server_side_tools_off_the_list_are_refused() {
    let target = Target::http(http("200 OK", "text/event-stream", &stream())).await;
    let mut fixture = gateway(upstream(target.address));
    let with = |key: &str, value: Value| {
        let mut body: Value = serde_json::from_str(&ask(MODEL)).expect("json");
        body[key] = value;
        body.to_string()
    };
    for (body, status, rule) in [
        (ask("claude-haiku-4-5"), 403, "model_not_allowed"),
        (ask("claude-sonnet-4-60"), 403, "model_not_allowed"),
        (ask(""), 403, "model_not_allowed"),
        (format!("{{\"model\":\"claude-haiku-4-5\",{}", &ask(MODEL)[1..]), 400, "bad_request"),
        ("{".to_owned(), 400, "bad_request"),
        (with("tools", json!([{"type": "web_fetch_20250910", "name": "web_fetch"}])), 403, "server_side"),
        (with("mcp_servers", json!([{"type": "url", "url": "https://evil.example"}])), 403, "server_side"),
    ] {
        let text = fixture.talk(Open::Model, &post("/v1/messages", &body)).await;
        assert!(
            text.starts_with(&format!("HTTP/1.1 {status} ")) && text.contains(&format!("x-sandbox-refused: {rule}")),
            "{body}: {text}"
        );
        let shown: Value = serde_json::from_str(text.split_once("\r\n\r\n").expect("body").1).expect("json");
        assert_eq!((&shown["type"], &shown["error"]["retryable"]), (&"error".into(), &false.into()));
    }
    let form =
        String::from_utf8(post("/v1/messages", &ask(MODEL))).expect("text").replace("application/json", "text/plain");
    assert!(fixture.talk(Open::Model, form.as_bytes()).await.starts_with("HTTP/1.1 400 "));
    assert_eq!(target.connections(), 0);
    for model in [MODEL, "claude-opus-4-6", "claude-opus-4-6-20260101"] {
        let text = fixture.talk(Open::Model, &post("/v1/messages", &ask(model))).await;
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    }
}

/// The endpoint writes one byte at a time; after each, whatever the agent has must be covered by what the observer heard.
#[tokio::test]
async fn the_observer_has_a_call_before_the_agent_has_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let (mut tell, mut hear) = duplex(64);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (mut stream_up, _) = listener.accept().await.expect("accept");
        stream_up.set_nodelay(true).expect("nodelay");
        let mut got = vec![0; 4096];
        assert!(stream_up.read(&mut got).await.expect("read") > 0);
        stream_up.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").await.expect("head");
        let body = stream();
        let end = body.find("event: content_block_stop\ndata: {\"index\":1").expect("the call's end");
        let end = end + body[end..].find("\n\n").expect("end") + 1;
        for byte in &body.as_bytes()[..end] {
            stream_up.write_all(&[*byte]).await.expect("byte");
            tokio::task::yield_now().await;
        }
        // One byte is missing at the end of the block; it goes when the test has looked.
        hear.read_u8().await.expect("told");
        stream_up.write_all(&body.as_bytes()[end..]).await.expect("rest");
    });
    let mut fixture = gateway(upstream(address));
    let mut agent = fixture.open(Open::Model);
    agent.write_all(&post("/v1/messages", &ask(MODEL))).await.expect("write");
    let before = read_until(
        &mut agent,
        "\\\"ls\\\"}\",\"type\":\"input_json_delta\"},\"index\":1,\"type\":\"content_block_delta\"}\n\n",
    )
    .await;
    assert!(!before.contains("\"index\":1,\"type\":\"content_block_stop\""), "{before}");
    assert_eq!(fixture.seen.heard(|heard| heard.tool_uses.len()), 0);
    tell.write_u8(1).await.expect("tell");
    read_until(&mut agent, "data: {\"index\":1,\"type\":\"content_block_stop\"}").await;
    assert_eq!(fixture.seen.heard(|heard| heard.tool_uses.len()), 1);
    read_until(&mut agent, "0\r\n\r\n").await;
    assert_eq!(fixture.seen.heard(|heard| heard.turns), 1);
}

#[tokio::test]
async fn what_is_not_understood_is_not_passed_on() {
    let start = stream().split_inclusive("\n\n").take(2).collect::<String>();
    let hidden = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_x","name":"Bash","input":{}}}"#;
    let stop = event(&json!({"type": "content_block_stop", "index": 0}));
    let open = format!("data: {hidden}\n\n");
    for bad in [
        format!("data: {}\n\n{stop}", hidden.replacen("{\"type\"", "{\"type\":\"ping\",\"type\"", 1)),
        format!("event: ping\ndata: {hidden}\n\n{stop}"),
        format!("data: {hidden}\rdata: x\n\n{stop}"),
        format!("data: {hidden}\n\n{}", event(&json!({"type": "message_stop"}))),
        format!("data: {hidden}\n\n{open}{stop}"),
        format!("data: {}\n\n", hidden.replace("\"id\":\"toolu_x\",", "")),
        format!("{}{stop}", hidden),
        format!("data: {hidden}"),
        String::new(),
        event(&json!({"type": "error", "error": {"type": "overloaded_error"}})) + &open,
        format!("{}{open}", stream()),
        event(&json!({"type": "note", "text": "x"})) + "event: other\ndata: {\"type\":\"note\"}\n\n",
    ] {
        let body = if bad.starts_with("event: message_start") { bad.clone() } else { format!("{start}{bad}") };
        let target = Target::http(http("200 OK", "text/event-stream", &body)).await;
        let mut fixture = gateway(upstream(target.address));
        let text = fixture.talk(Open::Model, &post("/v1/messages", &ask(MODEL))).await;
        fixture.settle().await;
        assert!(text.contains("event: ping"), "what came before is passed on: {text}");
        assert!(!text.contains(KEY) && !text.ends_with("0\r\n\r\n"), "{bad}: {text}");
        let has_end = text.contains("toolu_x") && text.contains(&stop);
        let was_told = fixture.seen.heard(|heard| heard.tool_uses.iter().any(|call| call.id.0 == "toolu_x"));
        assert!(was_told || !has_end, "{bad}: {text}");
        assert_eq!(fixture.seen.rules(), ["bad_answer"], "{bad}");
    }
    for (kind, extra) in [("text/plain", ""), ("text/event-stream", "content-encoding: gzip\r\n"), ("", "")] {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{extra}content-length: 3\r\n\r\nabc");
        let target = Target::http(answer).await;
        let text = gateway(upstream(target.address)).talk(Open::Model, &post("/v1/messages", &ask(MODEL))).await;
        assert!(text.starts_with("HTTP/1.1 502 ") && !text.contains("abc"), "{text}");
    }
}

#[tokio::test]
async fn a_reflected_credential_is_taken_out_of_the_events_that_hold_it() {
    let spelled: String = KEY.bytes().map(|byte| format!("{byte:02x}")).collect();
    let reflecting = stream()
        .replace("h\u{e9}llo", &format!("it is {KEY}, or {spelled}"))
        .replace("ls\\\"}", &format!("echo {KEY}\\\"}}"));
    assert_eq!(reflecting.matches(KEY).count(), 2, "{reflecting}");
    let target = Target::http(http("200 OK", "text/event-stream", &reflecting)).await;
    let mut fixture = gateway(upstream(target.address));
    let text = fixture.talk(Open::Model, &post("/v1/messages", &ask(MODEL))).await;
    assert!(
        text.contains("it is [redacted by sandbox], or [redacted by sandbox]") && text.ends_with("0\r\n\r\n"),
        "{text}"
    );
    assert!(!text.contains(KEY) && !text.contains(&spelled), "{text}");
    fixture.settle().await;
    fixture.seen.heard(|heard| {
        // What is told of a call is what the agent gets.
        assert_eq!(heard.tool_uses[0].input, json!({"command": "echo [redacted by sandbox]"}));
        let reason = "answered; a secret of the operator was taken out of the answer";
        assert_eq!(heard.records[0].reason, reason);
    });
}

#[tokio::test]
async fn whole_answers_are_watched_too() {
    let message = json!({"type": "message", "model": MODEL, "usage": {"input_tokens": 5, "output_tokens": 6},
        "content": [{"type": "tool_use", "id": "toolu_9", "name": "Read", "input": {"file_path": "a"}}]});
    let target = Target::http(http("200 OK", "application/json", &message.to_string())).await;
    let mut fixture = gateway(upstream(target.address));
    let text = fixture.talk(Open::Model, &post("/v1/messages", &ask(MODEL))).await;
    assert!(text.ends_with(&message.to_string()), "{text}");
    fixture.seen.heard(|heard| {
        assert_eq!((heard.tool_uses.len(), heard.usages.len(), heard.turns), (1, 1, 1));
        assert_eq!(heard.tool_uses[0].input, json!({"file_path": "a"}));
    });
}

#[tokio::test]
async fn errors_are_told_and_the_credential_never_comes_back() {
    for (status, told_auth, told_rate) in [
        ("401 Unauthorized", 1, 0),
        ("403 Forbidden", 1, 0),
        ("429 Too Many", 0, 1),
        ("529 Overloaded", 0, 1),
        ("500 Oops", 0, 0),
    ] {
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nretry-after: 7\r\nrequest-id: {KEY}\r\ncontent-length: 25\r\n\r\nbad key {KEY}!!"
        );
        let target = Target::http(answer).await;
        let mut fixture = gateway(upstream(target.address));
        let text = fixture.talk(Open::Model, &post("/v1/messages", &ask(MODEL))).await;
        assert!(text.starts_with(&format!("HTTP/1.1 {} ", &status[..3])) && text.contains("retry-after: 7"), "{text}");
        assert!(text.contains("bad key [redacted by sandbox]!!") && !text.contains(KEY), "{text}");
        fixture.settle().await;
        fixture.seen.heard(|heard| {
            assert_eq!((heard.auth.len(), heard.rate.len(), heard.usages.len()), (told_auth, told_rate, 0), "{status}");
            assert!(heard.rate.iter().all(|(_, wait)| *wait == Some(Duration::from_secs(7))));
            assert!(!format!("{:?}", heard.records).contains(KEY));
        });
    }
    let target =
        Target::http("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://evil.example/\r\ncontent-length: 0\r\n\r\n")
            .await;
    let text = gateway(upstream(target.address)).talk(Open::Model, &post("/v1/messages", &ask(MODEL))).await;
    assert!(text.starts_with("HTTP/1.1 502 ") && !text.contains("evil.example"), "{text}");
    assert_eq!(target.connections(), 1);
}

#[tokio::test]
async fn the_budget_holds_also_against_hanging_up() {
    let target = Target::http(http("200 OK", "text/event-stream", &stream())).await;
    // One answer costs 0.0013875.
    let config = ModelConfig { budget: usd(0.002), ..upstream(target.address) };
    let mut fixture = gateway(config);
    for allowed in [true, true, false, false] {
        let text = fixture.talk(Open::Model, &post("/v1/messages", &ask(MODEL))).await;
        assert_eq!(text.starts_with("HTTP/1.1 200 "), allowed, "{text}");
        assert_eq!(
            text.contains("x-sandbox-refused: budget") && text.contains("x-should-retry: false"),
            !allowed,
            "{text}"
        );
    }
    fixture
        .seen
        .heard(|heard| assert!(matches!(heard.limits.as_slice(), [LimitReached::Budget { .. }]), "{:?}", heard.limits));

    let cut = stream().split_inclusive("\n\n").take(4).collect::<String>();
    let target = Target::http(format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{cut}")).await;
    let mut fixture = gateway(ModelConfig {
        budget: Budget { requests: Cap::at(1), ..Budget::default() },
        ..upstream(target.address)
    });
    let mut agent = fixture.open(Open::Model);
    agent.write_all(&post("/v1/messages", &ask(MODEL))).await.expect("write");
    read_until(&mut agent, "content_block_delta\"}\n\n").await;
    drop(agent);
    let text = fixture.talk(Open::Model, &post("/v1/messages", &ask(MODEL))).await;
    assert!(text.contains("x-sandbox-refused: budget"), "{text}");
    drop(target);
    fixture.settle().await;
    fixture.seen.heard(|heard| {
        let [usage] = heard.usages.as_slice() else { panic!("{:?}", heard.usages) };
        assert!(usage.input_tokens == 100 && usage.output_tokens > 50, "{usage:?}");
        assert!(matches!(heard.limits.as_slice(), [LimitReached::Requests { limit: 1 }]));
    });
}

#[tokio::test]
async fn tool_results_are_reported_once() {
    let target = Target::http(http("200 OK", "text/event-stream", &stream())).await;
    let mut fixture = gateway(upstream(target.address));
    let result = |id: &str, error: bool| json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "is_error": error, "content": "no such file"}]});
    let mut body: Value = serde_json::from_str(&ask(MODEL)).expect("json");
    for history in
        [json!([result("a", true)]), json!([result("a", true), result("b", false)]), json!([result("b", false)])]
    {
        body["messages"] = history;
        fixture.talk(Open::Model, &post("/v1/messages", &body.to_string())).await;
    }
    // Evidence counts also in a request that is refused.
    body["model"] = "other".into();
    body["messages"] = json!([result("c", false)]);
    fixture.talk(Open::Model, &post("/v1/messages", &body.to_string())).await;
    fixture.seen.heard(|heard| {
        let seen: Vec<_> = heard
            .tool_results
            .iter()
            .map(|result| (result.id.0.as_str(), result.is_error, result.head.as_str()))
            .collect();
        assert_eq!(seen, [("a", true, "no such file"), ("b", false, "no such file"), ("c", false, "no such file")]);
    });
}

#[tokio::test]
async fn one_connection_serves_request_after_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        // One upstream connection only: a second one would not be answered.
        let (mut stream_up, _) = listener.accept().await.expect("accept");
        let answer = http("200 OK", "text/event-stream", &stream());
        let mut got = Vec::new();
        loop {
            let mut buf = vec![0; 4096];
            let Ok(count @ 1..) = stream_up.read(&mut buf).await else { return };
            got.extend_from_slice(&buf[..count]);
            if got.ends_with(b"}") {
                got.clear();
                stream_up.write_all(answer.as_bytes()).await.expect("answer");
            }
        }
    });
    let mut fixture = gateway(upstream(address));
    for _ in 0..3 {
        let text = fixture.talk(Open::Model, &post("/v1/messages", &ask(MODEL))).await;
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    }
    assert_eq!(fixture.seen.heard(|heard| heard.turns), 3);
}

fn replay(script: &Value) -> ModelConfig {
    let replay = Replay::parse(&script.to_string()).expect("script");
    ModelConfig::new(Backend::Replay(replay), vec![MODEL.into()])
}

#[tokio::test]
async fn a_script_plays_through_the_same_checks() {
    let long = "\u{e9}".repeat(100);
    let mut fixture = gateway(replay(&json!({"version": 1, "turns": [
        {"text": "I look.", "tools": [{"name": "Bash", "input": {"command": "cat a", "description": long}}, {"name": "Read", "input": {"file_path": "b"}}]},
        {"error": {"status": 529, "kind": "overloaded_error", "message": "busy"}},
        {"when": {"contains": "passed"}, "text": "Done."},
        {"when": {"contains": "failed"}, "tools": [{"name": "Edit", "input": {}}]},
    ]})));
    let first = fixture.talk(Open::Model, &post("/v1/messages?beta=true", &ask(MODEL))).await;
    let order: Vec<_> = first.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let delta = "content_block_delta";
    assert_eq!(
        order,
        [
            "message_start",
            "ping",
            "content_block_start",
            delta,
            "content_block_stop",
            "content_block_start",
            delta,
            delta,
            delta,
            "content_block_stop",
            "content_block_start",
            delta,
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    fixture.seen.heard(|heard| {
        let ids: Vec<_> = heard.tool_uses.iter().map(|call| call.id.0.as_str()).collect();
        assert_eq!(ids, ["toolu_replay_0_0", "toolu_replay_0_1"]);
        assert_eq!(heard.tool_uses[0].input["description"], long.as_str());
        assert!(
            heard.usages[0].input_tokens > 0 && heard.usages[0].output_tokens > 0 && heard.usages[0].cost_usd > 0.0
        );
    });

    let mut body: Value = serde_json::from_str(&ask(MODEL)).expect("json");
    body["messages"] = json!([{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_replay_0_0", "content": "1 failed"}]}]);
    let busy = fixture.talk(Open::Model, &post("/v1/messages", &body.to_string())).await;
    assert!(busy.starts_with("HTTP/1.1 529 ") && busy.contains("overloaded_error"), "{busy}");
    let retried = fixture.talk(Open::Model, &post("/v1/messages", &body.to_string())).await;
    assert!(retried.contains("toolu_replay_3_0"), "{retried}");
    body["messages"][0]["content"][0]["tool_use_id"] = "toolu_replay_3_0".into();
    let ended = fixture.talk(Open::Model, &post("/v1/messages", &body.to_string())).await;
    assert!(ended.contains("(the script has ended)") && ended.contains("end_turn"), "{ended}");

    body["tools"] = json!([]);
    body["stream"] = false.into();
    let title = fixture.talk(Open::Model, &post("/v1/messages", &body.to_string())).await;
    let message: Value = serde_json::from_str(title.split_once("\r\n\r\n").expect("body").1).expect("json");
    assert_eq!((&message["content"][0]["text"], &message["stop_reason"]), (&"ok".into(), &"end_turn".into()));
    let counted = fixture.talk(Open::Model, &post("/v1/messages/count_tokens", &body.to_string())).await;
    assert!(counted.ends_with(&format!("{{\"input_tokens\":{}}}", body.to_string().len() / 4)), "{counted}");
    let other = fixture.talk(Open::Model, &post("/v1/messages", &ask("other"))).await;
    assert!(other.contains("model_not_allowed"), "{other}");
    fixture.settle().await;
    fixture.seen.heard(|heard| assert_eq!(heard.rate, [(529, None)]));
}
