//! The budget of a run: in dollars, in each class of tokens, in turns and in requests, also when many requests are made at once.

mod support;

use egress::{Budget, LimitReached, Limits, ModelConfig, Spent};
use futures::future::join_all;
use serde_json::json;
use std::time::Duration;
use support::{Fixture, Target, answer, ask_for, ask_of, message, message_by, post, read_to_end, upstream};
use tokio::io::AsyncWriteExt;
use types::{
    budget::{Cap, Limit, TokenCaps, TokenCounts},
    profile::ModelPrice,
    wire::Open,
};

/// What one answer takes in the tests below, and what that costs.
const TOKENS: [u64; 4] = [100, 50, 10, 1000];
const COST: f64 = (100.0 * 3.0 + 50.0 * 15.0 + 10.0 * 3.75 + 1000.0 * 0.3) / 1e6;

fn gateway(model: ModelConfig) -> Fixture {
    Fixture::new(Vec::new(), Some(model), Limits::default())
}

fn usd(amount: f64) -> Budget {
    Budget { usd: Some(amount), ..Budget::default() }
}

/// Makes so many requests at once; gives the status of each.
async fn at_once(fixture: &mut Fixture, count: usize) -> Vec<String> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = fixture.open(Open::Model);
        stream.write_all(&ask_for(100)).await.expect("write");
        streams.push(stream);
    }
    let answers = join_all(streams.iter_mut().map(read_to_end)).await;
    answers.into_iter().map(|text| text[9..12].to_owned()).collect()
}

#[tokio::test]
async fn fifty_requests_at_once_spend_one_budget() {
    let target = Target::slow(message(TOKENS), Duration::from_millis(20)).await;
    // Each is expected to take at most 0.0018 and takes 0.0014.
    let mut fixture = gateway(ModelConfig { budget: usd(0.01), ..upstream(target.address) });
    let statuses = at_once(&mut fixture, 50).await;
    let answered = statuses.iter().filter(|status| *status == "200").count();
    assert_eq!(statuses.iter().filter(|status| *status == "403").count(), 50 - answered, "{statuses:?}");
    // As many as fit, and the one with which the limit is passed.
    assert_eq!((answered, target.requests()), ((0.01 / COST) as usize + 1, answered));
    fixture.settle().await;
    fixture.seen.heard(|heard| {
        let spent: f64 = heard.usages.iter().map(|usage| usage.cost_usd).sum();
        assert!(spent < 0.01 + COST, "{spent}");
        assert!(matches!(heard.limits.as_slice(), [LimitReached::Budget { .. }]), "{:?}", heard.limits);
        assert_eq!(heard.closed.len(), answered);
    });

    let target = Target::slow(message(TOKENS), Duration::from_millis(20)).await;
    let mut rich = gateway(ModelConfig { budget: usd(1.0), ..upstream(target.address) });
    assert!(at_once(&mut rich, 50).await.iter().all(|status| status == "200"));
    assert!(target.connections() >= 10, "with enough money they run side by side: {}", target.connections());
}

/// What goes to the cache for an hour is the dearest of the input.
#[tokio::test]
async fn requests_at_once_are_reserved_for_with_the_dearest_input() {
    let usage = json!({
        "input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 20_000, "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 20_000},
    });
    let text = json!({"model": "claude-sonnet-4-6", "content": [], "usage": usage}).to_string();
    let target = Target::slow(answer("200 OK", &text), Duration::from_millis(50)).await;
    let ask = |words: usize| {
        let messages = json!([{"role": "user", "content": "a".repeat(words)}]);
        post("/v1/messages", &json!({"model": "claude-sonnet-4-6", "max_tokens": 1, "messages": messages}).to_string())
    };
    // Each takes 0.12; three at once would fit if the cache kept it for five minutes only.
    let mut fixture = gateway(ModelConfig { budget: usd(0.238), ..upstream(target.address) });
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = fixture.open(Open::Model);
        stream.write_all(&ask(40_000)).await.expect("write");
        streams.push(stream);
    }
    let answers = join_all(streams.iter_mut().map(read_to_end)).await;
    let answered = answers.iter().filter(|text| text.starts_with("HTTP/1.1 200 ")).count();
    assert_eq!((answered, target.requests()), (2, 2));
}

#[tokio::test]
async fn every_class_of_tokens_has_its_own_cap() {
    for (caps, limit, answers) in [
        (TokenCaps { input: Cap::at(250), ..TokenCaps::default() }, Limit::MaxTokensInput, 3),
        (TokenCaps { output: Cap::at(100), ..TokenCaps::default() }, Limit::MaxTokensOutput, 2),
        (TokenCaps { cache_write: Cap::at(35), ..TokenCaps::default() }, Limit::MaxTokensCacheWrite, 4),
        (TokenCaps { cache_read: Cap::at(1000), ..TokenCaps::default() }, Limit::MaxTokensCacheRead, 1),
    ] {
        let target = Target::http(message(TOKENS)).await;
        let mut fixture =
            gateway(ModelConfig { budget: Budget { tokens: caps, ..Budget::default() }, ..upstream(target.address) });
        for n in 0..answers + 2 {
            let text = fixture.talk(Open::Model, &ask_for(10)).await;
            assert_eq!(text.starts_with("HTTP/1.1 200 "), n < answers, "{limit} {n}: {text}");
            assert_eq!(text.contains(limit.as_str()), n >= answers, "{limit} {n}: {text}");
        }
        assert_eq!(target.requests(), answers);
        fixture
            .seen
            .heard(|heard| assert_eq!(heard.limits.iter().map(LimitReached::limit).collect::<Vec<_>>(), [limit]));
    }
}

#[tokio::test]
async fn turns_and_requests_are_counted_before_they_are_made() {
    let target = Target::slow(message(TOKENS), Duration::from_millis(20)).await;
    let three_turns = Budget { turns: Cap::at(3), ..Budget::default() };
    let mut fixture = gateway(ModelConfig { budget: three_turns, ..upstream(target.address) });
    let statuses = at_once(&mut fixture, 10).await;
    assert_eq!(statuses.iter().filter(|status| *status == "200").count(), 3, "{statuses:?}");
    assert_eq!(target.requests(), 3);
    fixture.seen.heard(|heard| {
        assert_eq!(heard.turns, 3);
        assert_eq!(heard.limits, [LimitReached::Turns { limit: 3 }]);
    });

    // A request that fails is no turn; it is a request.
    let target = Target::http(answer("500 Oops", "{}")).await;
    let budget = Budget { turns: Cap::at(1), requests: Cap::at(4), ..Budget::default() };
    let mut fixture = gateway(ModelConfig { budget, ..upstream(target.address) });
    for status in ["500", "500", "500", "500", "403"] {
        assert_eq!(&fixture.talk(Open::Model, &ask_for(10)).await[9..12], status);
    }
    assert_eq!(target.requests(), 4);
    fixture.seen.heard(|heard| {
        assert_eq!(heard.limits, [LimitReached::Requests { limit: 4 }]);
        assert_eq!((heard.admitted.len(), heard.closed.len(), heard.usages.len()), (4, 4, 0));
        assert_eq!(heard.admitted.iter().map(|admission| admission.request).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!(
            heard.admitted.iter().all(|admission| admission.lost.input_tokens > 0 && admission.lost.cost_usd > 0.0)
        );
    });
}

#[tokio::test]
async fn a_request_that_went_up_is_paid_for_also_without_an_answer() {
    let whole = message(TOKENS);
    let cut = whole.split_once("\"usage\"").expect("usage").0;
    let error = "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}";
    let events = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nevent: error\ndata: {error}\n\n");
    let uncounted = answer("200 OK", "{\"model\":\"claude-sonnet-4-6\",\"content\":[]}");
    let failed = answer("500 Oops", "{}");
    // What the endpoint does, and the tokens of output that are paid for; none: nothing is due.
    for (what, bytes, due) in [
        ("silent", "", Some(32_000)),
        ("garbage", "no HTTP\r\n\r\n", Some(32_000)),
        ("a redirect", "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n", Some(32_000)),
        ("half an answer", cut, Some(32_000)),
        ("an answer without a count", uncounted.as_str(), Some(10)),
        ("an error for an answer", events.as_str(), Some(error.len() as u64 / 4)),
        ("an error", failed.as_str(), None),
        ("a count", whole.as_str(), Some(50)),
    ] {
        let target = Target::http(bytes).await;
        let limits = Limits { idle: Duration::from_millis(200), ..Limits::default() };
        let mut fixture = Fixture::new(Vec::new(), Some(upstream(target.address)), limits);
        fixture.talk(Open::Model, &ask_for(32_000)).await;
        fixture.settle().await;
        fixture.seen.heard(|heard| {
            let found: Vec<_> = heard.usages.iter().map(|usage| usage.output_tokens).collect();
            assert!(heard.usages.iter().all(|usage| usage.input_tokens > 20 && usage.cost_usd > 0.0), "{what}");
            assert_eq!(found, due.into_iter().collect::<Vec<_>>(), "{what}");
            assert_eq!((heard.admitted[0].lost.output_tokens, heard.closed.len()), (32_000, 1), "{what}");
        });
    }

    // Nobody took it.
    let closed =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("address");
    let mut fixture = gateway(upstream(closed));
    assert!(fixture.talk(Open::Model, &ask_for(32_000)).await.starts_with("HTTP/1.1 502 "));
    fixture.seen.heard(|heard| assert_eq!((heard.usages.len(), heard.closed.len()), (0, 1)));
}

#[tokio::test]
async fn who_hangs_up_before_the_answer_begins_pays_for_the_whole_of_it() {
    let target = Target::http("").await;
    // What is asked for costs 0.48.
    let mut fixture = gateway(ModelConfig { budget: usd(0.4), ..upstream(target.address) });
    let mut agent = fixture.open(Open::Model);
    agent.write_all(&ask_for(32_000)).await.expect("write");
    while target.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(agent);
    fixture.settle().await;
    let text = fixture.talk(Open::Model, &ask_for(10)).await;
    assert!(text.contains("x-sandbox-refused: budget"), "{text}");
    fixture.seen.heard(|heard| assert_eq!(heard.usages[0].output_tokens, 32_000));
}

#[tokio::test]
async fn what_earlier_processes_spent_is_spent() {
    let spent =
        Spent { usd: 0.009, tokens: TokenCounts { output: 990, ..TokenCounts::default() }, turns: 9, requests: 12 };
    let output = TokenCaps { output: Cap::at(1000), ..TokenCaps::default() };
    for (budget, limit) in [
        (usd(0.01), Limit::MaxBudgetUsd),
        (Budget { tokens: output, ..Budget::default() }, Limit::MaxTokensOutput),
        (Budget { turns: Cap::at(10), ..Budget::default() }, Limit::MaxTurns),
        (Budget { requests: Cap::at(13), ..Budget::default() }, Limit::MaxRequests),
    ] {
        let target = Target::http(message(TOKENS)).await;
        let mut fixture = gateway(ModelConfig { budget, spent, ..upstream(target.address) });
        for status in ["200", "403"] {
            assert_eq!(&fixture.talk(Open::Model, &ask_for(10)).await[9..12], status, "{limit}");
        }
        fixture.seen.heard(|heard| {
            assert_eq!(heard.limits.iter().map(LimitReached::limit).collect::<Vec<_>>(), [limit]);
            assert_eq!(heard.admitted[0].request, 13);
        });
    }
}

#[tokio::test]
async fn a_model_without_a_price_is_charged_like_the_dearest() {
    let body = message_by("claude-haiku-4-5", TOKENS);
    let price =
        ModelPrice { model: "claude-haiku-4-5".into(), input: 1.0, output: 5.0, cache_write: None, cache_read: None };
    for (prices, cost) in [(Vec::new(), COST / 3.0 * 5.0), (vec![price], COST / 3.0)] {
        let target = Target::http(body.clone()).await;
        let models = vec!["claude-haiku-4-5".to_owned()];
        let mut fixture = gateway(ModelConfig { models, prices, ..upstream(target.address) });
        let text = fixture.talk(Open::Model, &ask_of("claude-haiku-4-5", 10)).await;
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        let found = fixture.seen.heard(|heard| heard.usages[0].cost_usd);
        assert!((found - cost).abs() < 1e-12, "{found} {cost}");
    }
}
