//! Plain HTTP through the proxy and at trusted names.

mod support;

use egress::Limits;
use support::{Fixture, Target, read_to_end, read_until, route};
use tokio::io::AsyncWriteExt;
use types::{host::HostName, route::RouteKind, wire::Open};

const OK: &str =
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Up: 1\r\nConnection: close\r\nProxy-Authenticate: x\r\n\r\nhi";

fn fixture(target: &Target) -> Fixture {
    let routes = vec![
        route("mirror.example:80", RouteKind::Http, Some(target.address)),
        route("secure.example:443", RouteKind::Tls, Some(target.address)),
    ];
    Fixture::new(routes, None, Limits::default())
}

fn named() -> Open {
    Open::Named { host: HostName::parse("mirror.example").expect("name"), port: 80 }
}

#[tokio::test]
async fn a_trusted_request_is_carried_without_hop_by_hop_fields() {
    let target = Target::http(OK).await;
    let mut fixture = fixture(&target);
    let request = "POST http://Mirror.example/a?b=c HTTP/1.1\r\nHost: mirror.example\r\nAccept: x\r\nProxy-Authorization: Basic sentinel\r\n\
        Proxy-Connection: keep-alive\r\nConnection: close, X-Hop\r\nX-Hop: sentinel\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let text = fixture.talk(Open::Proxy, request.as_bytes()).await;
    assert_eq!(text, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\nx-up: 1\r\n\r\nhi");
    let sent = target.text(0);
    assert!(sent.starts_with("POST /a?b=c HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains("host: mirror.example\r\n") && sent.contains("accept: x\r\n"), "{sent}");
    assert!(sent.ends_with("\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), "{sent}");
    assert!(!sent.contains("sentinel") && !sent.to_lowercase().contains("proxy"), "{sent}");

    let text = fixture.talk(named(), b"GET /x HTTP/1.1\r\nHost: mirror.example\r\nConnection: close\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    fixture.settle().await;
    fixture.seen.heard(|heard| {
        let seen: Vec<_> = heard
            .records
            .iter()
            .map(|record| (record.via.as_str(), record.status, record.bytes_up, record.bytes_down))
            .collect();
        // Heads are counted, because they can carry data too.
        let head = request.find("\r\n\r\n").expect("head") as u64 + 4;
        let down = text.len() as u64;
        assert_eq!(seen, [("proxy-http", Some(200), head + 3, down), ("named", Some(200), 60, down)]);
    });
}

#[tokio::test]
async fn each_request_on_a_kept_connection_is_decided_anew() {
    let target = Target::http(OK).await;
    let mut fixture = fixture(&target);
    let mut stream = fixture.open(Open::Proxy);
    let get = |host: &str| format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
    // All three at once: pipelined.
    let all = [get("mirror.example"), get("evil.example"), get("mirror.example")].concat();
    stream.write_all(all.as_bytes()).await.expect("write");
    assert!(read_until(&mut stream, "\r\n\r\nhi").await.starts_with("HTTP/1.1 200 "));
    let refused = read_until(&mut stream, "}}").await;
    assert!(refused.starts_with("HTTP/1.1 403 ") && refused.contains("x-sandbox-refused: no_route"), "{refused}");
    assert!(read_until(&mut stream, "\r\n\r\nhi").await.starts_with("HTTP/1.1 200 "));
    drop(stream);
    fixture.settle().await;
    assert_eq!(fixture.seen.rules(), ["mirror.example:80", "no_route", "mirror.example:80"]);
    assert_eq!(target.connections(), 2);
}

#[tokio::test]
async fn a_program_that_wants_the_end_gets_it_with_its_refusal() {
    let mut fixture = fixture(&Target::http(OK).await);
    let mut stream = fixture.open(Open::Proxy);
    let request = b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("write");
    // Our side stays open: the end is the proxy's.
    let text = read_to_end(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 403 ") && text.contains("\r\nconnection: close\r\n"), "{text}");
}

#[tokio::test]
async fn what_has_two_meanings_or_another_protocol_reaches_nothing() {
    let target = Target::http(OK).await;
    let mut fixture = fixture(&target);
    let good = "http://mirror.example/ HTTP/1.1\r\nHost: mirror.example\r\n";
    for (request, rule) in [
        (format!("POST {good}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "bad_request"),
        (format!("POST {good}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"), "bad_request"),
        (format!("POST {good}Transfer-Encoding: xchunked\r\n\r\n"), "bad_request"),
        (format!("GET {good}A: b\r\n c\r\n\r\n"), "bad_request"),
        ("GET http://mirror.example/ HTTP/1.1\nHost: mirror.example\n\n".to_owned(), "bad_request"),
        (
            format!("GET {good}Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: x\r\n\r\n"),
            "upgrade_refused",
        ),
        (format!("GET {good}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), "upgrade_refused"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), "bad_request"),
        ("GET http://mirror.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), "host_mismatch"),
        (
            "GET http://mirror.example/ HTTP/1.1\r\nHost: mirror.example\r\nHost: evil.example\r\n\r\n".to_owned(),
            "bad_request",
        ),
        ("GET http://mirror.example/ HTTP/1.1\r\n\r\n".to_owned(), "host_mismatch"),
        ("GET https://mirror.example/ HTTP/1.1\r\nHost: mirror.example\r\n\r\n".to_owned(), "bad_request"),
        ("GET / HTTP/1.1\r\nHost: mirror.example\r\n\r\n".to_owned(), "bad_request"),
        ("GET http://u:p@mirror.example/ HTTP/1.1\r\nHost: mirror.example\r\n\r\n".to_owned(), "bad_name"),
        ("GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_owned(), "bad_name"),
        ("GET http://secure.example:443/ HTTP/1.1\r\nHost: secure.example:443\r\n\r\n".to_owned(), "no_route"),
        ("CONNECT mirror.example:80 HTTP/1.1\r\n\r\n".to_owned(), "no_route"),
        (format!("TRACE {good}\r\n"), "method_not_allowed"),
        (format!("GET {good}X: {}\r\n\r\n", "x".repeat(20_000)), "too_large"),
    ] {
        let text = fixture.talk(Open::Proxy, request.as_bytes()).await;
        assert!(text.contains(&format!("\r\nx-sandbox-refused: {rule}\r\n")), "{rule}: {request}\n{text}");
        assert!(text.starts_with("HTTP/1.1 4"), "{text}");
    }
    for request in [
        "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET http://mirror.example/ HTTP/1.1\r\nHost: mirror.example\r\n\r\n",
        "CONNECT mirror.example:80 HTTP/1.1\r\nHost: mirror.example\r\n\r\n",
    ] {
        let text = fixture.talk(named(), request.as_bytes()).await;
        assert!(text.contains("x-sandbox-refused: "), "{request}\n{text}");
    }
    fixture.settle().await;
    assert_eq!(target.connections(), 0);
    fixture
        .seen
        .heard(|heard| assert!(heard.records.len() == 22 && heard.records.iter().all(|record| !record.allowed)));
}

#[tokio::test]
async fn a_cut_body_never_looks_whole() {
    let target = Target::http("").await;
    let mut fixture = fixture(&target);
    for body in ["3\r\nab", "3\r\nabc\r\n0;x=y\r\n\r\n"] {
        let request = format!(
            "POST http://mirror.example/ HTTP/1.1\r\nHost: mirror.example\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
        );
        let text = fixture.talk(Open::Proxy, request.as_bytes()).await;
        assert!(text.contains("x-sandbox-refused: "), "{text}");
    }
    fixture.settle().await;
    for connection in 0..target.connections() {
        assert!(!target.text(connection).contains("0\r\n\r\n"), "{}", target.text(connection));
    }
}

#[tokio::test]
async fn redirects_are_passed_on_and_upgrades_of_the_endpoint_are_not() {
    let target =
        Target::http("HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n").await;
    let text = fixture(&target)
        .talk(Open::Proxy, b"GET http://mirror.example/ HTTP/1.1\r\nHost: mirror.example\r\n\r\n")
        .await;
    assert!(text.starts_with("HTTP/1.1 302 ") && text.contains("location: http://evil.example/"), "{text}");
    let target = Target::http("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw").await;
    let text = fixture(&target)
        .talk(Open::Proxy, b"GET http://mirror.example/ HTTP/1.1\r\nHost: mirror.example\r\n\r\n")
        .await;
    assert!(!text.contains(" 101 ") && !text.contains("raw"), "{text}");
}

#[tokio::test]
async fn answers_without_a_length_and_dead_endpoints() {
    let target = Target::http("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n").await;
    let text = fixture(&target)
        .talk(Open::Proxy, b"GET http://mirror.example/ HTTP/1.1\r\nHost: mirror.example\r\n\r\n")
        .await;
    assert!(text.ends_with("\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), "{text}");

    let gone = Target::http("").await.address;
    let mut fixture =
        Fixture::new(vec![route("mirror.example:80", RouteKind::Http, Some(gone))], None, Limits::default());
    let mut stream = fixture.open(Open::Proxy);
    stream.write_all(b"GET http://mirror.example/ HTTP/1.1\r\nHost: mirror.example\r\n\r\n").await.expect("write");
    stream.shutdown().await.expect("shutdown");
    let text = read_to_end(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 502 ") && text.contains("\"retryable\":true"), "{text}");
}
