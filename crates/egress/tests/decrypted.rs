//! Routes whose requests are looked at: decrypted under the run's authority, each request decided, credentials added and kept.

mod support;

use egress::{KeptAuthority, Keys, Limits, RouteCredential};
use hyper::{Request, Response, StatusCode, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{
    Fixture, read_until, route,
    tls::{Got, TlsEndpoint, full, handshake, through_proxy},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use types::{
    host::HostName,
    id::SecretName,
    path::PathPattern,
    route::{Method, Route, RouteKind, Rules, Scheme},
    secret::Secret,
    wire::Open,
};

const API: &str = "api.example";
const ASKED: &str = "api.example:443";
const H1: &[&[u8]] = &[b"http/1.1"];

fn decrypted(endpoint: &TlsEndpoint, rules: Rules) -> Route {
    Route { scheme: Scheme::Https, rules, ..route(ASKED, RouteKind::Http, Some(endpoint.address)) }
}

fn keys(endpoint: &TlsEndpoint) -> Keys {
    let authority = KeptAuthority::make([&HostName::parse(API).expect("name")]).expect("authority");
    Keys { authority: Some(authority), roots: vec![endpoint.root.clone()], ..Keys::default() }
}

/// The egress and the authority that programs trust.
fn fixture(endpoint: &TlsEndpoint, rules: Rules, change: impl FnOnce(&mut Keys)) -> (Fixture, String) {
    let mut keys = keys(endpoint);
    change(&mut keys);
    let root = keys.authority.as_ref().expect("authority").certificate.clone();
    (Fixture::with(vec![decrypted(endpoint, rules)], keys, None, Limits::default()), root)
}

fn only(methods: &[&str], paths: &[&str]) -> Rules {
    Rules {
        methods: Some(methods.iter().map(|text| Method::parse(text).expect(text)).collect()),
        paths: Some(paths.iter().map(|text| PathPattern::parse(text).expect(text)).collect()),
        ..Rules::default()
    }
}

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {API}\r\n{fields}\r\n")
}

#[tokio::test]
async fn each_request_is_decided_on_the_form_that_is_sent() {
    let endpoint = TlsEndpoint::saying(&[API], "hi").await;
    let (mut fixture, root) = fixture(&endpoint, only(&["GET"], &["/v1/**"]), |_| {});
    let mut stream = through_proxy(&mut fixture, &root, ASKED, API, H1).await.expect("tls");
    for (target, want) in [
        ("/v1/%61", "200"),
        ("/v2/a", "403 path_not_allowed"),
        ("/v1/%2e%2e/secret", "400 bad_path"),
        ("/v1//a", "400 bad_path"),
        ("/v1/b?q=1", "200"),
    ] {
        stream.write_all(get(target, "").as_bytes()).await.expect("write");
        let answer = read_until(&mut stream, if want == "200" { "\r\n\r\nhi" } else { "}}" }).await;
        let rule = answer.split("x-sandbox-refused: ").nth(1).and_then(|rest| rest.lines().next());
        let got = rule.map_or_else(|| answer[9..12].to_owned(), |rule| format!("{} {rule}", &answer[9..12]));
        assert_eq!(got, want, "{target}");
    }
    stream
        .write_all(format!("POST /v1/a HTTP/1.1\r\nHost: {API}\r\nContent-Length: 2\r\n\r\nhi").as_bytes())
        .await
        .expect("write");
    assert!(read_until(&mut stream, "}}").await.contains("method_not_allowed"));
    drop(stream);
    fixture.settle().await;
    let sent: Vec<_> = endpoint.requests().into_iter().map(|got| got.target).collect();
    assert_eq!(sent, ["/v1/a", "/v1/b?q=1"]);
    assert_eq!(endpoint.connections(), 1, "kept");
    fixture.seen.heard(|heard| {
        let requests: Vec<_> = heard.records.iter().map(|record| record.request.clone().unwrap_or_default()).collect();
        assert_eq!(requests[..2], ["GET /v1/%61", "GET /v2/a"]);
        assert_eq!(heard.records.iter().filter(|record| record.allowed).count(), 2);
        assert!(!format!("{:?}", heard.records).contains("q=1"), "a query is not written down");
    });
}

#[tokio::test]
async fn names_must_agree_from_the_outside_in() {
    let endpoint = TlsEndpoint::saying(&[API, "evil.example"], "hi").await;
    let (mut fixture, root) = fixture(&endpoint, Rules::default(), |_| {});
    // Another name in the hello, and one that the run's authority does not speak for.
    assert!(through_proxy(&mut fixture, &root, ASKED, "evil.example", H1).await.is_err());
    // Another Host inside.
    let mut stream = through_proxy(&mut fixture, &root, ASKED, API, H1).await.expect("tls");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").await.expect("write");
    assert!(read_until(&mut stream, "}}").await.contains("host_mismatch"));
    // Not TLS at all.
    let refused = fixture
        .talk(Open::Proxy, format!("CONNECT {ASKED} HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: {API}\r\n\r\n").as_bytes())
        .await;
    assert!(refused.ends_with("established\r\n\r\n"), "{refused}");
    drop(stream);
    // By the trusted name's own address, as programs come that know no proxy.
    let named = fixture.open(Open::Named { host: HostName::parse(API).expect("name"), port: 443 });
    let mut stream = handshake(named, &root, API, H1).await.expect("tls");
    stream.write_all(get("/", "Connection: close\r\n").as_bytes()).await.expect("write");
    assert!(read_until(&mut stream, "\r\n\r\nhi").await.starts_with("HTTP/1.1 200 "));
    drop(stream);
    fixture.settle().await;
    assert_eq!(fixture.seen.rules(), ["sni_mismatch", "host_mismatch", "not_tls", ASKED]);
    assert_eq!(endpoint.requests().len(), 1);
}

#[tokio::test]
async fn every_stream_of_http_2_is_decided() {
    let endpoint = TlsEndpoint::saying(&[API], "hi").await;
    let (mut fixture, root) = fixture(&endpoint, only(&["GET", "POST"], &["/v1/**"]), |_| {});
    let stream = through_proxy(&mut fixture, &root, ASKED, API, &[b"h2"]).await.expect("tls");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("h2");
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let _ended = connection.await;
    });
    for (method, uri, host, want) in [
        ("GET", "https://api.example/v1/a", None, (200, None)),
        ("GET", "https://api.example:443/v1/a", None, (200, None)),
        ("POST", "https://api.example/v1/a", Some("api.example"), (200, None)),
        ("GET", "https://evil.example/v1/a", None, (403, Some("host_mismatch"))),
        ("GET", "https://api.example/v1/a", Some("evil.example"), (403, Some("host_mismatch"))),
        ("GET", "http://api.example/v1/a", None, (403, Some("host_mismatch"))),
        ("GET", "https://api.example/v2/a", None, (403, Some("path_not_allowed"))),
        ("GET", "https://api.example/v1/../a", None, (400, Some("bad_path"))),
        ("DELETE", "https://api.example/v1/a", None, (405, Some("method_not_allowed"))),
    ] {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let response = sender.send_request(request.body(full("body")).expect("request")).await.expect("answer");
        let rule = response.headers().get("x-sandbox-refused").map(|value| value.to_str().expect("text").to_owned());
        assert_eq!((response.status().as_u16(), rule.as_deref()), want, "{method} {uri} {host:?}");
        let body = http_body_util::BodyExt::collect(response.into_body()).await.expect("body").to_bytes();
        assert_eq!(body == "hi", want.0 == 200);
    }
    drop(sender);
    fixture.settle().await;
    assert_eq!(endpoint.requests().len(), 3);
    assert_eq!(endpoint.requests()[2].body, "body");
}

fn with_secret(keys: &mut Keys) {
    let credential = RouteCredential {
        header: "authorization".to_owned(),
        value: Secret::new("Bearer real-credential"),
        secret: Secret::new("real-credential"),
    };
    keys.credentials.insert(SecretName::new("api").expect("name"), credential);
    keys.placeholders = vec![Secret::new("placeholder-of-this-run"), Secret::new("placeholder-of-the-model")];
}

fn keyed() -> Rules {
    Rules { credential: Some(SecretName::new("api").expect("name")), ..Rules::default() }
}

/// Answers with every field that came, in body and head, as `httpbin/headers` does.
fn reflect(got: &Got) -> Response<support::tls::Body> {
    let authorization = got.headers.get("authorization").map_or("-", |value| value.to_str().expect("text"));
    let mut response = Response::new(full(format!("got {authorization} and {:?}", got.headers.get("x-api-key"))));
    if let Ok(value) = authorization.parse() {
        response.headers_mut().insert("x-echo", value);
    }
    response
}

#[tokio::test]
async fn the_credential_is_added_outside_and_never_comes_back() {
    let endpoint = TlsEndpoint::start(&[API], |got| Box::pin(async move { reflect(&got) })).await;
    let (mut fixture, root) = fixture(&endpoint, keyed(), with_secret);
    let mut stream = through_proxy(&mut fixture, &root, ASKED, API, H1).await.expect("tls");
    let fields = "Authorization: Bearer placeholder-of-this-run\r\nX-Api-Key: evil\r\n";
    stream.write_all(get("/", fields).as_bytes()).await.expect("write");
    let answer = read_until(&mut stream, "None").await;
    assert!(answer.contains("got **********************") && !answer.contains("real-credential"), "{answer}");
    assert!(answer.contains("x-echo: [redacted by sandbox]\r\n"), "{answer}");
    for (head, rule) in [
        (get("/", "X-Session-Token: x\r\n"), "foreign_credential"),
        (get("/?api_key=x", ""), "foreign_credential"),
        (get("/?q=placeholder-of-this-run", ""), "placeholder_misuse"),
        (get("/", "X-Data: cGxhY2Vob2xkZXItb2YtdGhlLW1vZGVs\r\n"), "placeholder_misuse"),
    ] {
        stream.write_all(head.as_bytes()).await.expect("write");
        let refused = read_until(&mut stream, "}}").await;
        assert!(refused.contains(rule), "{head} {refused}");
    }
    let body = "a placeholder-of-the-model";
    let post = format!("POST / HTTP/1.1\r\nHost: {API}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(post.as_bytes()).await.expect("write");
    assert!(read_until(&mut stream, "}}").await.contains("placeholder_misuse"));
    drop(stream);
    fixture.settle().await;
    let sent = endpoint.requests();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].headers.get("authorization").expect("added"), "Bearer real-credential");
    assert!(!sent[0].headers.contains_key("x-api-key"));
    fixture.seen.heard(|heard| assert!(!format!("{:?}", heard.records).contains("real-credential")));
}

#[tokio::test]
async fn what_cannot_be_looked_through_does_not_come_back() {
    let endpoint = TlsEndpoint::start(&[API], |_| {
        Box::pin(async move {
            let mut response = Response::new(full("compressed"));
            response.headers_mut().insert("content-encoding", "gzip".parse().expect("value"));
            response
        })
    })
    .await;
    let (mut fixture, root) = fixture(&endpoint, keyed(), with_secret);
    let mut stream = through_proxy(&mut fixture, &root, ASKED, API, H1).await.expect("tls");
    stream.write_all(get("/", "Accept-Encoding: gzip\r\n").as_bytes()).await.expect("write");
    assert!(read_until(&mut stream, "}}").await.contains("502"));
    assert_eq!(endpoint.requests()[0].headers.get("accept-encoding").expect("ours"), "identity");
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let endpoint = TlsEndpoint::start(&[API], |_| {
        Box::pin(async move {
            let mut response = Response::new(full(""));
            *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
            response.headers_mut().insert("location", "https://evil.example/".parse().expect("value"));
            response
        })
    })
    .await;
    let (mut fixture, root) = fixture(&endpoint, keyed(), with_secret);
    let mut stream = through_proxy(&mut fixture, &root, ASKED, API, H1).await.expect("tls");
    stream.write_all(get("/", "").as_bytes()).await.expect("write");
    let answer = read_until(&mut stream, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 307 ") && answer.contains("location: https://evil.example/\r\n"), "{answer}");
    assert_eq!(endpoint.requests().len(), 1);
}

#[tokio::test]
async fn events_pass_as_they_come() {
    let (go, wait) = tokio::sync::watch::channel(false);
    let endpoint = TlsEndpoint::start(&[API], move |_| {
        let wait = wait.clone();
        Box::pin(async move {
            let events = futures::stream::unfold(0, move |n| {
                let mut wait = wait.clone();
                async move {
                    if n == 1 {
                        let _told = wait.wait_for(|go| *go).await;
                    }
                    let frame = hyper::body::Frame::data(bytes::Bytes::from(format!("data: {n}\n\n")));
                    (n < 2).then_some((Ok::<_, std::convert::Infallible>(frame), n + 1))
                }
            });
            let body = http_body_util::BodyExt::boxed_unsync(http_body_util::StreamBody::new(events));
            let mut response = Response::new(body);
            response.headers_mut().insert("content-type", "text/event-stream".parse().expect("value"));
            response
        })
    })
    .await;
    let (mut fixture, root) = fixture(&endpoint, keyed(), with_secret);
    let mut stream = through_proxy(&mut fixture, &root, ASKED, API, H1).await.expect("tls");
    stream.write_all(get("/events", "").as_bytes()).await.expect("write");
    // The first event is here while the endpoint waits for us to say so.
    read_until(&mut stream, "data: 0\n\n").await;
    go.send(true).expect("waiting");
    assert!(read_until(&mut stream, "0\r\n\r\n").await.contains("data: 1\n\n"));
}

#[tokio::test]
async fn websockets_pass_where_the_route_says_so() {
    let endpoint = TlsEndpoint::start(&[API], |_| {
        Box::pin(async move {
            let mut response = Response::new(full(""));
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            for (name, value) in [("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-accept", "x")] {
                response.headers_mut().insert(name, value.parse().expect("value"));
            }
            response
        })
    })
    .await;
    let opening = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let (mut refusing, root) = fixture(&endpoint, Rules::default(), |_| {});
    let mut stream = through_proxy(&mut refusing, &root, ASKED, API, H1).await.expect("tls");
    stream.write_all(get("/", opening).as_bytes()).await.expect("write");
    assert!(read_until(&mut stream, "}}").await.contains("upgrade_refused"));
    assert!(endpoint.requests().is_empty());

    let (mut carrying, root) =
        fixture(&endpoint, Rules { websocket: true, upload_max: Some(400), ..Rules::default() }, |_| {});
    let mut stream = through_proxy(&mut carrying, &root, ASKED, API, H1).await.expect("tls");
    stream.write_all(get("/", opening).as_bytes()).await.expect("write");
    let answer = read_until(&mut stream, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 101 ") && answer.contains("sec-websocket-accept: x\r\n"), "{answer}");
    stream.write_all(b"hello").await.expect("write");
    assert_eq!(read_until(&mut stream, "hello").await, "hello");
    // Frames count against the caps.
    stream.write_all(&[0; 500]).await.expect("write");
    let mut rest = Vec::new();
    let _cut = stream.read_to_end(&mut rest).await;
    carrying.settle().await;
    assert_eq!(carrying.seen.rules(), ["byte_cap"]);
}

#[tokio::test]
async fn the_route_s_cap_holds_over_all_of_its_requests() {
    let endpoint = TlsEndpoint::saying(&[API], "hi").await;
    let (mut fixture, root) = fixture(&endpoint, Rules { upload_max: Some(300), ..Rules::default() }, |_| {});
    let post = |bytes: usize| {
        format!("POST / HTTP/1.1\r\nHost: {API}\r\nContent-Length: {bytes}\r\n\r\n{}", "x".repeat(bytes))
    };
    for (bytes, end) in [(100, "\r\n\r\nhi"), (150, "}}")] {
        let mut stream = through_proxy(&mut fixture, &root, ASKED, API, H1).await.expect("tls");
        stream.write_all(post(bytes).as_bytes()).await.expect("write");
        let answer = read_until(&mut stream, end).await;
        assert_eq!(answer.contains("byte_cap"), bytes == 150, "{answer}");
    }
}

#[tokio::test]
async fn requests_of_the_run_are_counted() {
    let endpoint = TlsEndpoint::saying(&[API], "hi").await;
    let limits = Limits { requests: 3, ..Limits::default() };
    let keys = keys(&endpoint);
    let root = keys.authority.as_ref().expect("authority").certificate.clone();
    let mut fixture = Fixture::with(vec![decrypted(&endpoint, Rules::default())], keys, None, limits);
    // One for the connection and one for each request.
    let mut stream = through_proxy(&mut fixture, &root, ASKED, API, H1).await.expect("tls");
    for end in ["\r\n\r\nhi", "\r\n\r\nhi", "}}"] {
        stream.write_all(get("/", "").as_bytes()).await.expect("write");
        let answer = read_until(&mut stream, end).await;
        assert_eq!(answer.contains("request_cap"), end == "}}", "{answer}");
    }
}
