//! Tokens that end: refreshed before they do and when they are refused, once for all who wait, kept before they are used.

mod support;

use egress::{
    Backend, Credential, Egress, Keys, Limits, ModelConfig, RefreshConfig, TokenStore, Tokens, UpstreamConfig,
};
use futures::future::join_all;
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use support::{Fixture, Target, answer, ask_for, message, read_to_end, upstream};
use tokio::io::AsyncWriteExt;
use types::{secret::Secret, wire::Open};

/// Tokens in memory, and what was done with them.
#[derive(Debug)]
struct Kept {
    tokens: Mutex<Tokens>,
    /// What someone else puts there after the first look.
    next: Mutex<Option<Tokens>>,
    saved: Mutex<Vec<Tokens>>,
    can_save: bool,
}

impl Kept {
    fn of(tokens: Tokens) -> Self {
        Self { tokens: Mutex::new(tokens), next: Mutex::default(), saved: Mutex::default(), can_save: true }
    }
}

impl TokenStore for Kept {
    fn lock(&self) -> Result<Box<dyn Send>, String> {
        Ok(Box::new(()))
    }
    fn load(&self) -> Result<Tokens, String> {
        let mut tokens = self.tokens.lock().expect("lock");
        let seen = tokens.clone();
        if let Some(next) = self.next.lock().expect("lock").take() {
            *tokens = next;
        }
        Ok(seen)
    }
    fn save(&self, tokens: &Tokens) -> Result<(), String> {
        if !self.can_save {
            return Err("no room".to_owned());
        }
        self.saved.lock().expect("lock").push(tokens.clone());
        *self.tokens.lock().expect("lock") = tokens.clone();
        Ok(())
    }
}

fn tokens(access: &str, refresh: Option<&str>, seconds: Option<i64>) -> Tokens {
    let expires = seconds.map(|seconds| Timestamp::now().checked_add(seconds.seconds()).expect("time"));
    Tokens { access: Secret::new(access), refresh: refresh.map(Secret::new), expires }
}

fn kept(tokens: Tokens) -> Arc<Kept> {
    Arc::new(Kept::of(tokens))
}

fn granted(access: &str, refresh: &str, expires_in: i64) -> String {
    answer("200 OK", &json!({"access_token": access, "refresh_token": refresh, "expires_in": expires_in}).to_string())
}

fn gateway(model: &Target, store: &Arc<Kept>, endpoint: &str) -> Fixture {
    Fixture::new(Vec::new(), Some(config(model, store, endpoint)), Limits::default())
}

fn config(model: &Target, store: &Arc<Kept>, endpoint: &str) -> ModelConfig {
    let refresh = RefreshConfig {
        store: Arc::clone(store) as Arc<dyn TokenStore>,
        endpoint: endpoint.parse().expect("url"),
        client_id: "client-1".to_owned(),
    };
    let url = format!("http://{}", model.address).parse().expect("url");
    ModelConfig {
        backend: Backend::Upstream(UpstreamConfig { url, credential: Credential::Refreshed(refresh) }),
        ..upstream(model.address)
    }
}

fn at(target: &Target) -> String {
    format!("http://{}/v1/oauth/token", target.address)
}

#[tokio::test]
async fn a_token_that_holds_is_sent_as_it_is() {
    let (model, vendor) = (Target::http(message([1; 4])).await, Target::http(granted("a2", "r2", 3600)).await);
    for ends in [Some(3600), None] {
        let store = kept(tokens("access-one", Some("refresh-one"), ends));
        let mut fixture = gateway(&model, &store, &at(&vendor));
        assert!(fixture.talk(Open::Model, &ask_for(10)).await.starts_with("HTTP/1.1 200 "));
    }
    assert_eq!(vendor.requests(), 0);
    let sent = model.text(0);
    assert!(sent.contains("authorization: Bearer access-one\r\n"), "{sent}");
    assert!(sent.contains("anthropic-beta: oauth-2025-04-20\r\n"), "{sent}");
}

#[tokio::test]
async fn one_that_is_about_to_end_is_replaced_once_for_all_who_wait() {
    let model = Target::http(message([1; 4])).await;
    let vendor = Target::slow(granted("access-two", "refresh-two", 3600), Duration::from_millis(50)).await;
    let store = kept(tokens("access-one", Some("refresh-one"), Some(60)));
    let mut fixture = gateway(&model, &store, &at(&vendor));
    let mut streams = Vec::new();
    for _ in 0..10 {
        let mut stream = fixture.open(Open::Model);
        stream.write_all(&ask_for(10)).await.expect("write");
        streams.push(stream);
    }
    let answers = join_all(streams.iter_mut().map(read_to_end)).await;
    assert!(answers.iter().all(|text| text.starts_with("HTTP/1.1 200 ")), "{answers:?}");
    assert_eq!(vendor.requests(), 1);
    let asked = vendor.text(0);
    assert!(asked.starts_with("POST /v1/oauth/token HTTP/1.1\r\n"), "{asked}");
    let body: serde_json::Value = serde_json::from_str(asked.split_once("\r\n\r\n").expect("body").1).expect("json");
    assert_eq!(body, json!({"grant_type": "refresh_token", "refresh_token": "refresh-one", "client_id": "client-1"}));
    let all: String = (0..model.connections()).map(|number| model.text(number)).collect();
    assert_eq!(all.matches("authorization: Bearer access-two\r\n").count(), 10);
    let saved = store.saved.lock().expect("lock").clone();
    let [pair] = saved.as_slice() else { panic!("{saved:?}") };
    assert_eq!((pair.access.expose(), pair.refresh.as_ref().map(Secret::expose)), ("access-two", Some("refresh-two")));
    let left = pair.expires.expect("an end").duration_since(Timestamp::now()).as_secs();
    assert!((3500..=3600).contains(&left), "{left}");
    fixture.settle().await;
    fixture.seen.heard(|heard| {
        let shown = format!("{:?}", heard.records);
        assert!(!shown.contains("access-") && !shown.contains("refresh-"), "{shown}");
        let record = heard.records.iter().find(|record| record.via == "oauth").expect("on record");
        assert!(
            record.allowed && record.status == Some(200) && record.reason == "the token was refreshed",
            "{record:?}"
        );
        assert!(heard.auth.is_empty());
    });
}

/// A model endpoint that takes only the second token.
async fn strict() -> Target {
    let refuse = answer("401 Unauthorized", "{\"error\":{}}");
    Target::choosing(vec![("Bearer access-two", message([1; 4])), ("", refuse)]).await
}

#[tokio::test]
async fn one_that_is_refused_is_replaced_and_the_request_is_made_once_more() {
    let model = strict().await;
    let vendor = Target::http(granted("access-two", "refresh-two", 3600)).await;
    let store = kept(tokens("access-one", Some("refresh-one"), None));
    let mut fixture = gateway(&model, &store, &at(&vendor));
    for _ in 0..2 {
        assert!(fixture.talk(Open::Model, &ask_for(10)).await.starts_with("HTTP/1.1 200 "));
    }
    assert_eq!((vendor.requests(), model.requests()), (1, 3));
    fixture.seen.heard(|heard| assert!(heard.auth.is_empty() && heard.admitted.len() == 2));

    // The second token is refused too: the agent sees the endpoint's answer, and nothing is tried again and again.
    let model = Target::http(answer("401 Unauthorized", "{\"error\":{}}")).await;
    let store = kept(tokens("access-one", Some("refresh-one"), None));
    let mut fixture = gateway(&model, &store, &at(&vendor));
    assert!(fixture.talk(Open::Model, &ask_for(10)).await.starts_with("HTTP/1.1 401 "));
    assert_eq!((vendor.requests(), model.requests()), (2, 2));
    fixture.seen.heard(|heard| assert_eq!(heard.auth, [401]));
}

#[tokio::test]
async fn one_that_someone_else_replaced_is_taken_from_the_store() {
    let model = strict().await;
    let vendor = Target::http(granted("access-three", "refresh-three", 3600)).await;
    // After the gateway's first look another program of the operator's refreshes.
    let store = Arc::new(Kept {
        next: Mutex::new(Some(tokens("access-two", Some("refresh-two"), Some(3600)))),
        ..Kept::of(tokens("access-one", Some("refresh-one"), None))
    });
    let mut fixture = gateway(&model, &store, &at(&vendor));
    assert!(fixture.talk(Open::Model, &ask_for(10)).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(vendor.requests(), 0);
    assert!(store.saved.lock().expect("lock").is_empty());
}

#[tokio::test]
async fn without_a_new_one_the_old_one_is_sent_as_long_as_it_holds() {
    for vendor_says in ["500 Oops", "400 Bad Request"] {
        let model = Target::http(message([1; 4])).await;
        let vendor = Target::http(answer(vendor_says, "{\"error\":\"invalid_grant\"}")).await;
        let store = kept(tokens("access-one", Some("refresh-one"), Some(60)));
        let mut fixture = gateway(&model, &store, &at(&vendor));
        for _ in 0..2 {
            assert!(fixture.talk(Open::Model, &ask_for(10)).await.starts_with("HTTP/1.1 200 "), "{vendor_says}");
        }
        assert_eq!(vendor.requests(), 1, "not asked again at once");

        let store = kept(tokens("access-one", Some("refresh-one"), Some(-5)));
        let mut fixture = gateway(&model, &store, &at(&vendor));
        let text = fixture.talk(Open::Model, &ask_for(10)).await;
        let is_final = vendor_says.starts_with("400");
        assert!(text.starts_with(if is_final { "HTTP/1.1 401 " } else { "HTTP/1.1 502 " }), "{text}");
        assert!(text.contains("x-sandbox-refused: credential"), "{text}");
        fixture.seen.heard(|heard| {
            assert_eq!(heard.auth, if is_final { vec![401] } else { Vec::new() }, "{vendor_says}");
            assert_eq!(heard.closed.len(), 1, "what was reserved is given back");
        });
    }
    let model = Target::http(message([1; 4])).await;
    let store = kept(tokens("access-one", None, Some(-5)));
    let mut fixture = gateway(&model, &store, "http://127.0.0.1:9/");
    let text = fixture.talk(Open::Model, &ask_for(10)).await;
    assert!(text.starts_with("HTTP/1.1 401 ") && text.contains("no refresh token"), "{text}");
    assert_eq!(model.requests(), 0);
}

#[tokio::test]
async fn a_pair_that_cannot_be_kept_is_used_and_told() {
    let model = Target::http(message([1; 4])).await;
    let vendor = Target::http(granted("access-two", "refresh-two", 3600)).await;
    let store = Kept::of(tokens("access-one", Some("refresh-one"), Some(1)));
    let store = Arc::new(Kept { can_save: false, ..store });
    let mut fixture = gateway(&model, &store, &at(&vendor));
    for _ in 0..2 {
        assert!(fixture.talk(Open::Model, &ask_for(10)).await.starts_with("HTTP/1.1 200 "));
    }
    assert_eq!(vendor.requests(), 1);
    fixture.settle().await;
    fixture.seen.heard(|heard| {
        let record = heard.records.iter().find(|record| record.via == "oauth").expect("on record");
        assert!(record.reason.contains("could not be kept: no room"), "{record:?}");
    });
}

/// The agent hangs up while the vendor takes its time: the new pair is kept all the same.
#[tokio::test]
async fn hanging_up_loses_no_pair() {
    let model = Target::http(message([1; 4])).await;
    let vendor = Target::slow(granted("access-two", "refresh-two", 3600), Duration::from_millis(200)).await;
    let store = kept(tokens("access-one", Some("refresh-one"), Some(1)));
    let mut fixture = gateway(&model, &store, &at(&vendor));
    let mut stream = fixture.open(Open::Model);
    stream.write_all(&ask_for(10)).await.expect("write");
    while vendor.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(stream);
    drop(fixture);
    for _ in 0..400 {
        if !store.saved.lock().expect("lock").is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the pair was lost");
}

#[tokio::test]
async fn new_tokens_do_not_come_back_either() {
    let vendor = Target::http(granted("access-two-long", "refresh-two-long", 3600)).await;
    let model = Target::http(answer("400 Bad", "{\"error\":\"Bearer access-two-long and refresh-two-long\"}")).await;
    let store = kept(tokens("access-one", Some("refresh-one"), Some(1)));
    let mut fixture = gateway(&model, &store, &at(&vendor));
    let text = fixture.talk(Open::Model, &ask_for(10)).await;
    assert!(text.contains("Bearer [redacted by sandbox] and [redacted by sandbox]"), "{text}");
}

#[test]
fn token_endpoints_that_cannot_be_used_are_refused_early() {
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    let model = runtime.block_on(Target::http(""));
    let store = kept(tokens("a", None, None));
    let check = |endpoint: &str| Egress::check(&[], &Keys::default(), &config(&model, &store, endpoint));
    assert!(check("https://auth.example/token").is_ok());
    for bad in ["ftp://auth.example/", "https://u:secret-word@auth.example/"] {
        let error = check(bad).expect_err(bad).to_string();
        assert!(!error.contains("secret-word"), "{error}");
    }
}
