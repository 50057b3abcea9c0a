//! CONNECT and trusted names: what opens a tunnel and, next to each refusal, the control that does.

mod support;

use egress::Limits;
use std::{sync::Arc, time::Duration};
use support::{Fixture, Target, client_hello, read_to_end, read_until, route};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};
use types::{host::HostName, route::RouteKind, wire::Open};

const CONNECT: &[u8] = b"CONNECT trusted.example:443 HTTP/1.1\r\nHost: trusted.example:443\r\n\r\n";

fn named(port: u16) -> Open {
    Open::Named { host: HostName::parse("trusted.example").expect("name"), port }
}

async fn tunnels(target: &Target) -> Fixture {
    Fixture::new(vec![route("trusted.example:443", RouteKind::Tls, Some(target.address))], None, Limits::default())
}

#[tokio::test]
async fn a_trusted_name_with_its_own_hello_passes() {
    let target = Target::raw("from the world").await;
    let mut fixture = tunnels(&target).await;
    let hello = client_hello("trusted.example");

    let text = fixture.talk(Open::Proxy, &[CONNECT, &hello].concat()).await;
    assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with("\r\n\r\nfrom the world"), "{text}");
    assert_eq!(fixture.talk(named(443), &hello).await, "from the world");
    fixture.settle().await;

    assert_eq!(target.connections(), 2);
    assert_eq!(target.got.lock().expect("lock")[0], hello);
    fixture.seen.heard(|heard| {
        for record in &heard.records {
            assert!(record.allowed && record.rule == "trusted.example:443", "{record:?}");
            assert_eq!(
                (record.address, record.bytes_up, record.bytes_down),
                (Some(target.address), hello.len() as u64, 14)
            );
        }
        let vias: Vec<_> = heard.records.iter().map(|record| record.via.as_str()).collect();
        assert_eq!(vias, ["proxy-connect", "named"]);
    });
}

#[tokio::test]
async fn nothing_is_dialled_before_the_hello_is_right() {
    let target = Target::raw("x").await;
    let mut fixture = tunnels(&target).await;
    let fronting = client_hello("evil.example");
    let ssh: &[u8] = b"SSH-2.0-OpenSSH_9.2\r\n";
    let http: &[u8] = b"GET / HTTP/1.1\r\nHost: trusted.example\r\n\r\n";
    let sslv2: &[u8] = &[0x80, 0x2e, 1, 0, 2, 0, 21];
    let half = &client_hello("trusted.example")[..100];
    for (first, rule) in [
        (&fronting[..], "sni_mismatch"),
        (ssh, "not_tls"),
        (http, "not_tls"),
        (sslv2, "not_tls"),
        (half, "not_tls"),
        (b"", "connection_lost"),
    ] {
        let text = fixture.talk(Open::Proxy, &[CONNECT, first].concat()).await;
        assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with("\r\n\r\n"), "{text}");
        assert_eq!(fixture.talk(named(443), first).await, "");
        fixture.settle().await;
        assert_eq!(fixture.seen.rules(), [rule, rule]);
        fixture.seen.heard(|heard| {
            assert!(
                heard.records.iter().all(|record| !record.allowed && record.bytes_up == 0 && record.address.is_none())
            );
            heard.records.clear();
        });
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn names_and_ports_off_the_list_are_refused_with_a_reason() {
    let target = Target::raw("x").await;
    let mut fixture = tunnels(&target).await;
    for (asked, rule) in [
        ("evil.example:443", "no_route"),
        ("sub.trusted.example:443", "no_route"),
        ("eviltrusted.example:443", "no_route"),
        ("trusted.example.evil.example:443", "no_route"),
        ("trusted.example:9999", "no_route"),
        ("trusted.example:22", "no_route"),
        ("trusted.example:65537", "bad_name"),
        ("trusted.example:0", "bad_name"),
        ("127.0.0.1:443", "bad_name"),
        ("2130706433:443", "bad_name"),
        ("0x7f.1:443", "bad_name"),
        ("[::1]:443", "bad_name"),
        ("user@trusted.example:443", "bad_name"),
        ("trusted.example%00.evil.example:443", "bad_name"),
        ("metadata.google.internal:443", "no_route"),
        ("host.docker.internal:443", "no_route"),
    ] {
        let text = fixture.talk(Open::Proxy, format!("CONNECT {asked} HTTP/1.1\r\n\r\n").as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 403 "), "{asked}: {text}");
        assert!(text.contains(&format!("x-sandbox-refused: {rule}\r\n")), "{asked}: {text}");
        let body = text.split_once("\r\n\r\n").expect("body").1;
        let body: serde_json::Value = serde_json::from_str(body).expect("json");
        assert_eq!((&body["error"]["rule"], &body["error"]["retryable"]), (&rule.into(), &false.into()));
    }
    let nul = fixture.talk(Open::Proxy, b"CONNECT trusted.example\0.evil.example:443 HTTP/1.1\r\n\r\n").await;
    assert!(nul.starts_with("HTTP/1.1 400 "), "{nul}");
    for port in [80, 9999, 0] {
        assert_eq!(fixture.talk(named(port), &client_hello("trusted.example")).await, "");
    }
    fixture.settle().await;
    assert_eq!(target.connections(), 0);
    assert_eq!(fixture.seen.rules().len(), 20);
}

#[tokio::test]
async fn an_empty_list_lets_nothing_out() {
    let mut fixture = Fixture::new(Vec::new(), None, Limits::default());
    let text = fixture.talk(Open::Proxy, CONNECT).await;
    assert!(text.contains("x-sandbox-refused: no_route"), "{text}");
    let text = fixture.talk(Open::Model, b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(text.contains("x-sandbox-refused: no_route"), "{text}");
    assert_eq!(fixture.talk(named(443), &client_hello("trusted.example")).await, "");
    assert_eq!(fixture.talk(Open::Control, b"x").await, "");
}

#[tokio::test]
async fn a_trusted_name_that_leads_inside_is_refused() {
    let target = Target::raw("x").await;
    let port = target.address.port();
    let endpoint = format!("localhost:{port}");
    let connect = format!("CONNECT {endpoint} HTTP/1.1\r\n\r\n").into_bytes();
    let opening = [&connect[..], &client_hello("localhost")].concat();

    let mut fixture = Fixture::new(vec![route(&endpoint, RouteKind::Tls, None)], None, Limits::default());
    let text = fixture.talk(Open::Proxy, &opening).await;
    assert!(text.contains("x-sandbox-refused: internal_address"), "{text}");
    assert_eq!(target.connections(), 0);

    let mut pinned =
        Fixture::new(vec![route(&endpoint, RouteKind::Tls, Some(target.address))], None, Limits::default());
    assert!(pinned.talk(Open::Proxy, &opening).await.ends_with("\r\n\r\nx"));
}

#[tokio::test]
async fn silence_and_slow_hellos_end_at_their_deadlines() {
    let target = Target::raw("").await;
    let routes = vec![route("trusted.example:443", RouteKind::Tls, Some(target.address))];
    let short = Duration::from_millis(80);
    let limits = Limits { head: short, hello: short, ..Limits::default() };
    let mut fixture = Fixture::new(routes.clone(), None, limits);
    let mut slow_head = fixture.open(Open::Proxy);
    slow_head.write_all(b"CONNECT trusted").await.expect("write");
    assert!(read_to_end(&mut slow_head).await.contains("x-sandbox-refused: deadline"));
    let mut slow_hello = fixture.open(named(443));
    slow_hello.write_all(&[22, 3, 1]).await.expect("write");
    assert_eq!(read_to_end(&mut slow_hello).await, "");
    fixture.settle().await;
    assert_eq!(fixture.seen.rules(), ["deadline", "deadline"]);

    // An open tunnel without a byte ends at the idle deadline and still leaves its record.
    let mut fixture = Fixture::new(routes, None, Limits { idle: short, ..Limits::default() });
    let mut idle = fixture.open(named(443));
    idle.write_all(&client_hello("trusted.example")).await.expect("write");
    assert_eq!(read_to_end(&mut idle).await, "");
    fixture.settle().await;
    fixture.seen.heard(|heard| assert!(heard.records.len() == 1 && heard.records[0].allowed, "{:?}", heard.records));
}

#[tokio::test]
async fn byte_caps_are_shared_and_stop_the_tunnel() {
    let target = Target::raw("").await;
    let hello = client_hello("trusted.example");
    let limits = Limits { bytes_up: 2 * hello.len() as u64 + 10, ..Limits::default() };
    let mut fixture =
        Fixture::new(vec![route("trusted.example:443", RouteKind::Tls, Some(target.address))], None, limits);
    fixture.talk(named(443), &hello).await;
    let mut second = fixture.open(named(443));
    second.write_all(&hello).await.expect("write");
    tokio::time::sleep(Duration::from_millis(50)).await;
    second.write_all(&[0; 11]).await.expect("write");
    read_to_end(&mut second).await;
    fixture.settle().await;
    assert_eq!(fixture.seen.rules(), ["trusted.example:443", "byte_cap"]);
    assert_eq!(target.got.lock().expect("lock")[1].len(), hello.len());
}

#[tokio::test]
async fn too_many_streams_are_turned_away_at_once() {
    let mut fixture = Fixture::new(Vec::new(), None, Limits { streams: 1, ..Limits::default() });
    let first = fixture.open(Open::Proxy);
    tokio::time::sleep(Duration::from_millis(30)).await;
    let text = fixture.talk(Open::Proxy, CONNECT).await;
    assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("too_many_streams"), "{text}");
    drop(first);
    fixture.settle().await;
    assert!(fixture.talk(Open::Proxy, CONNECT).await.contains("no_route"));
}

/// The whole way with a real TLS server and client: the pinned route carries a handshake end to end.
#[tokio::test]
async fn tls_works_end_to_end_through_a_tunnel() {
    let certified = rcgen::generate_simple_self_signed(vec!["trusted.example".to_owned()]).expect("certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("key");
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .expect("server");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certified.cert.der().clone()).expect("root");
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (stream, _) = listener.accept().await.expect("accept");
        let mut stream = acceptor.accept(stream).await.expect("handshake");
        let mut got = [0; 5];
        stream.read_exact(&mut got).await.expect("read");
        stream.write_all(&got).await.expect("write");
        stream.shutdown().await.expect("shutdown");
    });

    let mut fixture =
        Fixture::new(vec![route("trusted.example:443", RouteKind::Tls, Some(address))], None, Limits::default());
    let mut stream = fixture.open(Open::Proxy);
    stream.write_all(CONNECT).await.expect("write");
    assert!(read_until(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
    let name = "trusted.example".try_into().expect("name");
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, stream).await.expect("handshake");
    stream.write_all(b"hello").await.expect("write");
    assert_eq!(read_to_end(&mut stream).await, "hello");
}
