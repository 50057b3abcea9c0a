//! The host's own questions: over the gateway's credential and budget, to an endpoint of their own, and scripted.

mod support;

use egress::{AskError, Backend, Budget, Credential, Limits, ModelConfig, Question, UpstreamConfig};
use serde_json::{Value, json};
use std::time::Duration;
use support::{Fixture, Target, upstream};
use types::{profile::Dialect, replay::Replay, replay::Step, secret::Secret};

const MODEL: &str = "claude-sonnet-4-6";

fn question(dialect: Dialect, step: Step, about: &str) -> Question {
    let body =
        json!({"model": MODEL, "max_tokens": 10, "messages": [], "tool_choice": {"type": "tool", "name": "report"}});
    Question { dialect, model: MODEL.into(), body: body.to_string().into_bytes(), step, about: about.into() }
}

fn http(status: &str, more: &str, body: &Value) -> String {
    let body = body.to_string();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{more}content-length: {}\r\n\r\n{body}", body.len())
}

fn usd(amount: f64) -> Budget {
    Budget { usd: Some(amount), ..Budget::default() }
}

fn gateway(model: ModelConfig) -> Fixture {
    Fixture::new(Vec::new(), Some(model), Limits::default())
}

#[tokio::test]
async fn it_takes_the_credential_and_the_budget_of_the_gateway() {
    let usage = json!({"input_tokens": 100, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 1000, "output_tokens": 50});
    let target = Target::http(http("200 OK", "", &json!({"model": MODEL, "usage": usage, "content": []}))).await;
    let fixture = gateway(ModelConfig { budget: usd(0.002), models: Vec::new(), ..upstream(target.address) });
    for _ in 0..2 {
        let reply = fixture.egress.ask(question(Dialect::Messages, Step::Fast, "")).await.expect("reply");
        assert_eq!((reply.status, reply.usage.cache_read_tokens, reply.usage.is_gate), (200, 1000, true));
        assert!((reply.usage.cost_usd - 0.001_387_5).abs() < 1e-9, "{:?}", reply.usage);
    }
    let spent = fixture.egress.ask(question(Dialect::Messages, Step::Fast, "")).await;
    assert!(matches!(spent, Err(AskError::Limit(_))), "{spent:?}");
    let sent = target.text(0);
    assert!(sent.starts_with("POST /v1/messages HTTP/1.1\r\n") && sent.contains("anthropic-version: "), "{sent}");
    assert!(sent.contains(&format!("x-api-key: {}", support::KEY)), "{sent}");
    fixture.seen.heard(|heard| {
        assert!(heard.usages.iter().all(|usage| usage.is_gate) && heard.usages.len() == 2 && heard.turns == 0);
        assert_eq!(heard.limits.len(), 1);
    });
}

#[tokio::test]
async fn an_endpoint_of_its_own_gets_its_own_credential_only() {
    let agents = Target::http(http("200 OK", "", &json!({}))).await;
    let own = Target::http(http(
        "200 OK",
        "",
        &json!({"model": "local", "usage": {"prompt_tokens": 30, "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 20}}, "echo": "sk-own"}),
    ))
    .await;
    let credential = Credential::Bearer(Secret::new("sk-own"));
    let url = format!("http://{}/prefix", own.address).parse().expect("url");
    let config = ModelConfig { own: Some(UpstreamConfig { url, credential }), ..upstream(agents.address) };
    let fixture = gateway(config);
    let reply = fixture.egress.ask(question(Dialect::Openai, Step::Full, "")).await.expect("reply");
    let usage = &reply.usage;
    assert_eq!((usage.input_tokens, usage.cache_read_tokens, usage.output_tokens), (10, 20, 2));
    assert!(!String::from_utf8_lossy(&reply.body).contains("sk-own"), "a reflected credential is cleaned");
    let sent = own.text(0);
    assert!(sent.starts_with("POST /prefix/v1/chat/completions HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains("authorization: Bearer sk-own\r\n") && !sent.contains(support::KEY), "{sent}");
    assert_eq!(agents.connections(), 0);
}

#[tokio::test]
async fn errors_come_with_their_status_and_cost_nothing() {
    let target = Target::http(http("429 Too Many Requests", "retry-after: 7\r\n", &json!({"type": "error"}))).await;
    let fixture = gateway(upstream(target.address));
    let reply = fixture.egress.ask(question(Dialect::Messages, Step::Fast, "")).await.expect("reply");
    assert_eq!((reply.status, reply.retry_after), (429, Some(Duration::from_secs(7))));
    fixture.seen.heard(|heard| assert!(heard.usages.is_empty()));
}

#[tokio::test]
async fn a_script_answers_in_the_classifier_s_place() {
    let facts = json!({"risk": "high"});
    let script = json!({"version": 1, "turns": [{"text": "hi"}], "classifier": [
        {"contains": "one", "times": 1, "answer": {"error": {"status": 529, "kind": "overloaded_error", "retry-after": 1}}},
        {"contains": "one", "answer": "allow"},
        {"contains": "two", "answer": {"facts": facts}},
        {"contains": "three", "model": "other", "answer": "allow"},
        {"contains": "four", "step": "full", "answer": "garbage"},
    ]});
    let config = |script: &Value| {
        ModelConfig::new(Backend::Replay(Replay::parse(&script.to_string()).expect("script")), vec![MODEL.into()])
    };
    let fixture = gateway(config(&script));
    let ask = async |about: &str, step| {
        let reply = fixture.egress.ask(question(Dialect::Messages, step, about)).await.expect("reply");
        (reply.status, serde_json::from_slice::<Value>(&reply.body).unwrap_or_default())
    };
    assert_eq!(ask("one", Step::Fast).await.0, 529);
    assert_eq!(ask("one", Step::Fast).await.1["content"][0]["text"], "allow");
    assert_eq!(ask("two", Step::Fast).await.1["content"][0]["text"], "flag");
    let block = &ask("two", Step::Full).await.1["content"][0];
    assert_eq!((&block["name"], &block["input"]), (&"report".into(), &facts));
    assert_eq!(ask("three", Step::Fast).await.0, 500);
    assert_eq!(ask("four", Step::Fast).await.0, 500);
    assert_eq!(ask("four", Step::Full).await, (200, Value::Null));
    let silent = gateway(config(&json!({"version": 1, "turns": [{"text": "hi"}]})));
    let none = silent.egress.ask(question(Dialect::Messages, Step::Fast, "one")).await;
    assert!(matches!(none, Err(AskError::NoModel)), "{none:?}");
}
