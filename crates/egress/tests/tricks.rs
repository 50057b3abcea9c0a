//! Ways to get something else than a plain message request up: another credential, another path, another reading of the same bytes.
//! Each table has its control: the same request without the trick goes up, with the operator's credential.

mod support;

use egress::{Limits, ModelConfig};
use serde_json::{Value, json};
use support::{Fixture, KEY, Target, message, upstream};
use types::{profile::ServerSide, wire::Open};

const MODEL: &str = "claude-sonnet-4-6";
const PLAIN: &str = "host: 127.0.0.1\r\ncontent-type: application/json\r\nconnection: close\r\n";

fn body() -> String {
    json!({"model": MODEL, "max_tokens": 10, "messages": [{"role": "user", "content": "go"}]}).to_string()
}

fn request(line: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{line}\r\n{PLAIN}{fields}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn post(fields: &str, body: &[u8]) -> Vec<u8> {
    request("POST /v1/messages HTTP/1.1", fields, body)
}

/// Sends to a gateway of its own; gives the answer and what went up.
async fn sent(server_side: ServerSide, bytes: &[u8]) -> (String, String) {
    let target = Target::http(message([1; 4])).await;
    let config = ModelConfig { server_side, ..upstream(target.address) };
    let mut fixture = Fixture::new(Vec::new(), Some(config), Limits::default());
    let answer = fixture.talk(Open::Model, bytes).await;
    let up = (0..target.connections()).map(|number| target.text(number)).collect();
    (answer, up)
}

/// The control: it goes up as it is, with our key and no other.
async fn assert_goes_up(bytes: &[u8], why: &str) -> String {
    let (answer, up) = sent(ServerSide::Deny, bytes).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{why}: {answer}");
    assert!(up.starts_with("POST /v1/messages") && up.contains(&format!("x-api-key: {KEY}\r\n")), "{why}: {up}");
    up
}

async fn assert_refused(bytes: &[u8], why: &str) {
    let (answer, up) = sent(ServerSide::Deny, bytes).await;
    // To the beginning of HTTP/2 there is nothing to be said in HTTP/1.1: the connection is closed.
    assert!(answer.is_empty() == bytes.starts_with(b"PRI"), "{why}: {answer}");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{why}: {answer}");
    assert_eq!(up, "", "{why}");
}

#[tokio::test]
async fn no_credential_of_the_client_goes_up_under_any_name() {
    assert_goes_up(&post("", body().as_bytes()), "the control").await;
    for fields in [
        "x-api-key: attacker\r\n",
        "X-API-KEY: attacker\r\n",
        "x-api-key: attacker\r\nx-api-key: attacker\r\n",
        "x-api-key:\r\nX-Api-Key: attacker\r\n",
        "authorization: Bearer attacker\r\n",
        "Authorization: Basic attacker\r\nauthorization: Bearer attacker\r\n",
        "proxy-authorization: Bearer attacker\r\n",
        "cookie: sessionKey=attacker\r\n",
        "cookie: a=attacker\r\nCookie: b=attacker\r\n",
        "x-goog-api-key: attacker\r\n",
        "api-key: attacker\r\n",
        "x-auth-token: attacker\r\n",
        "x-amz-security-token: attacker\r\n",
        "anthropic-organization: attacker\r\n",
        "anthropic-workspace-id: attacker\r\n",
        "x_api_key: attacker\r\n",
        "x-forwarded-authorization: attacker\r\n",
        "x-http-method-override: DELETE-attacker\r\n",
        "x-original-url: /attacker\r\n",
        "x-rewrite-url: /attacker\r\n",
        "forwarded: host=attacker\r\n",
        "x-forwarded-host: attacker\r\n",
        "via: 1.1 attacker\r\n",
        "referer: https://attacker.example/\r\n",
        "origin: https://attacker.example\r\n",
        "te: trailers, attacker\r\n",
        "upgrade: attacker\r\n",
        "http2-settings: attacker\r\nupgrade: h2c\r\nconnection: upgrade, http2-settings\r\n",
        "anthropic-beta: oauth-2025-04-20-attacker\r\n",
        "anthropic-beta: files-api-attacker,mcp-client-attacker\r\n",
    ] {
        let up = assert_goes_up(&post(fields, body().as_bytes()), fields).await;
        assert!(!up.to_ascii_lowercase().contains("attacker"), "{fields}: {up}");
        assert_eq!(up.to_ascii_lowercase().matches("x-api-key").count(), 1, "{fields}: {up}");
        assert!(!up.to_ascii_lowercase().contains("authorization"), "{fields}: {up}");
    }
}

#[tokio::test]
async fn fields_that_say_two_things_are_refused() {
    let whole = body();
    let chunked = |fields: &str| {
        format!(
            "POST /v1/messages HTTP/1.1\r\n{PLAIN}{fields}transfer-encoding: chunked\r\n\r\n{:x}\r\n{whole}\r\n0\r\n\r\n",
            whole.len()
        )
        .into_bytes()
    };
    let up = assert_goes_up(&chunked(""), "chunks alone").await;
    assert!(!up.contains("transfer-encoding") && up.ends_with(&whole), "framed anew: {up}");
    let length = format!("content-length: {}\r\n", whole.len());
    // There is one reader, which goes by the chunks, and what goes up has one length.
    for fields in [length.as_str(), "content-length: 0\r\n", "content-length: 9999\r\n"] {
        let up = assert_goes_up(&chunked(fields), fields).await;
        assert!(up.ends_with(&format!("\r\n\r\n{whole}")) && up.contains(&length), "{fields}: {up}");
        assert_eq!(up.matches("POST ").count(), 1, "{fields}: {up}");
    }
    let up = assert_goes_up(&post(&length, whole.as_bytes()), "the same length twice").await;
    assert_eq!(up.matches("content-length").count(), 1, "{up}");
    for (bytes, why) in [
        (chunked("transfer-encoding: identity\r\n"), "two transfer encodings"),
        (chunked("transfer-encoding: chunked\r\n"), "chunks twice"),
        (
            String::from_utf8(chunked("")).expect("text").replace("chunked", "gzip, chunked").into_bytes(),
            "compressed chunks",
        ),
        (post("content-length: 1\r\n", whole.as_bytes()), "two lengths"),
        (post("content-type: text/plain\r\n", whole.as_bytes()), "two types"),
        (post("content-encoding: gzip\r\n", whole.as_bytes()), "compressed"),
        (post("anthropic-beta: a b\r\n", whole.as_bytes()), "a beta that is no name"),
        (post("anthropic-beta: a;x-api-key=b\r\n", whole.as_bytes()), "a beta with more in it"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), "the beginning of HTTP/2"),
        (post(" folded: x\r\n", whole.as_bytes()), "a folded field"),
        (post("bad name: x\r\n", whole.as_bytes()), "a name with a space"),
        (post("x-api-key : x\r\n", whole.as_bytes()), "a space before the colon"),
        (request("POST /v1/messages HTTP/0.9", "", whole.as_bytes()), "a version that is none"),
        (request("POST  /v1/messages HTTP/1.1", "", whole.as_bytes()), "two spaces"),
    ] {
        assert_refused(&bytes, why).await;
    }
}

#[tokio::test]
async fn other_targets_in_any_spelling_are_refused() {
    for line in ["POST /v1/messages HTTP/1.1", "POST /v1/messages?beta=true HTTP/1.1"] {
        assert_goes_up(&request(line, "", body().as_bytes()), line).await;
    }
    for target in [
        "/v1/files",
        "/v1/messages/batches",
        "/v1/complete",
        "/v1/organizations/usage",
        "/v1/messages/",
        "//v1/messages",
        "/v1//messages",
        "/v1/./messages",
        "/v1/messages/../messages",
        "/v1/messages/../files",
        "/v1/messages%2f..%2ffiles",
        "/v1/%6dessages",
        "/v1/messages%00",
        "/v1/messages;x=y",
        "/V1/Messages",
        "/v1/messages?",
        "/v1/messages?key=attacker",
        "/v1/messages?beta=true&key=attacker",
        "/v1/messages?key=attacker&beta=true",
        "/v1/messages?beta=true&beta=true",
        "/v1/messages?beta=tru%65",
        "/v1/messages?BETA=true",
        "/v1/messages?access_token=attacker",
        "http://api.anthropic.com/v1/messages",
        "http://evil.example/v1/messages",
        "https://evil.example/v1/messages",
        "evil.example:443",
        "*",
    ] {
        assert_refused(&request(&format!("POST {target} HTTP/1.1"), "", body().as_bytes()), target).await;
    }
    for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post", "BREW"] {
        assert_refused(&request(&format!("{method} /v1/messages HTTP/1.1"), "", body().as_bytes()), method).await;
    }
}

#[tokio::test]
async fn a_second_request_on_the_connection_is_decided_on_its_own() {
    let whole = body();
    let first = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{whole}",
        whole.len()
    );
    let second = request("POST /v1/files HTTP/1.1", "x-api-key: attacker\r\n", whole.as_bytes());
    let (answer, up) = sent(ServerSide::Deny, &[first.as_bytes(), &second].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("HTTP/1.1 403 "), "{answer}");
    assert_eq!(up.matches("POST ").count(), 1, "{up}");
    // A body that is longer than it says is a request of its own, and none that could be read.
    let longer = [first.as_bytes(), b"}".as_slice(), b"\r\n\r\n".as_slice()].concat();
    let (answer, up) = sent(ServerSide::Deny, &longer).await;
    assert!(answer.contains("HTTP/1.1 400 "), "{answer}");
    assert_eq!(up.matches("POST ").count(), 1, "{up}");
}

#[tokio::test]
async fn bodies_that_two_readers_would_read_differently_are_refused() {
    let whole = body();
    assert_goes_up(&post("", whole.as_bytes()), "the control").await;
    assert_goes_up(&post("", format!(" \r\n{whole}\n").as_bytes()), "space around it").await;
    let other = "\"model\":\"claude-haiku-4-5\"";
    let utf16 = |order: fn(u16) -> [u8; 2]| whole.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let with = |more: &str| format!("{{{more},{}", &whole[1..]).into_bytes();
    for (bytes, why) in [
        (with(other), "the model twice"),
        (format!("{},{other}}}", &whole[..whole.len() - 1]).into_bytes(), "the model twice, the other one last"),
        (with("\"mod\\u0065l\":\"claude-haiku-4-5\""), "the model twice, once escaped"),
        (with("\"MODEL\":\"claude-haiku-4-5\""), "the model in capitals"),
        (with("\"messages\":[]"), "the messages twice"),
        (with("\"metadata\":{\"user_id\":\"a\",\"user_id\":\"b\"}"), "a key twice further in"),
        ([b"\xef\xbb\xbf", whole.as_bytes()].concat(), "a byte order mark"),
        (utf16(u16::to_le_bytes), "UTF-16, little end first"),
        (utf16(u16::to_be_bytes), "UTF-16, big end first"),
        (format!("{whole}{whole}").into_bytes(), "two of them"),
        (format!("{whole} x").into_bytes(), "something behind it"),
        (format!("{whole}\0").into_bytes(), "a NUL behind it"),
        (format!("//\n{whole}").into_bytes(), "a comment"),
        (whole.replace('"', "'").into_bytes(), "other quotes"),
        (whole.replace("10", "NaN").into_bytes(), "no number"),
        (whole.replace("10", "010").into_bytes(), "a number with a zero before it"),
        (whole.replace("10", "+10").into_bytes(), "a number with a plus"),
        (whole.replace("10", "1e999").into_bytes(), "a number beyond numbers"),
        (whole.replace("10", "-1").into_bytes(), "a count below zero"),
        (whole.replace("10", "1.5").into_bytes(), "half a count"),
        (whole.replace("10", &"9".repeat(40)).into_bytes(), "a count with forty digits"),
        (whole.replace("\"go\"", "\"\\ud800\"").into_bytes(), "half a pair"),
        (whole.replace("go", "g\u{1}o").into_bytes(), "a bare control character"),
        (whole.replace("\"go\"", &format!("{}{}", "[".repeat(200), "]".repeat(200))).into_bytes(), "deep nesting"),
        (whole.replace("\"go\"", &format!("[{}0]", "0,".repeat(600_000))).into_bytes(), "very many values"),
        (whole.replace(MODEL, "claude-sonnet-4-6\\u0000-x").into_bytes(), "a model with a NUL"),
        (whole.replace(MODEL, " claude-sonnet-4-6").into_bytes(), "a model with a space"),
        (whole.replace(&format!("\"{MODEL}\""), &format!("[\"{MODEL}\"]")).into_bytes(), "a list of models"),
        (with("\"stream\":\"true\""), "a word for a truth"),
        (with("\"fallbacks\":[{\"model\":\"claude-haiku-4-5\"}]"), "another model to fall back on"),
        (with("\"workspace_id\":\"w\""), "another account"),
        (b"".to_vec(), "nothing"),
        (b"[]".to_vec(), "a list"),
    ] {
        assert_refused(&post("", &bytes), why).await;
    }
    let mut invalid = whole.replace("go", "g?o").into_bytes();
    let at = invalid.iter().position(|byte| *byte == b'?').expect("mark");
    invalid[at] = 0xff;
    assert_refused(&post("", &invalid), "not UTF-8").await;
}

#[tokio::test]
async fn what_acts_at_the_endpoint_is_refused_taken_out_or_let_pass() {
    let mut value: Value = serde_json::from_str(&body()).expect("json");
    value["tools"] =
        json!([{"type": "web_search_20250305", "name": "web_search"}, {"name": "Bash", "input_schema": {}}]);
    value["mcp_servers"] = json!([{"type": "url", "url": "https://evil.example"}]);
    let bytes = post("anthropic-beta: mcp-client-2025-04-04,a-1\r\n", value.to_string().as_bytes());
    let (answer, up) = sent(ServerSide::Deny, &bytes).await;
    assert!(answer.contains("x-sandbox-refused: server_side") && up.is_empty(), "{answer} {up}");
    let (answer, up) = sent(ServerSide::Allow, &bytes).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && up.ends_with(&value.to_string()), "{up}");
    assert!(up.contains("anthropic-beta: mcp-client-2025-04-04,a-1\r\n"), "{up}");

    let target = Target::http(message([1; 4])).await;
    let config = ModelConfig { server_side: ServerSide::Strip, ..upstream(target.address) };
    let mut fixture = Fixture::new(Vec::new(), Some(config), Limits::default());
    let answer = fixture.talk(Open::Model, &bytes).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let up = target.text(0);
    let sent_up: Value = serde_json::from_str(up.split_once("\r\n\r\n").expect("body").1).expect("json");
    let mut expected: Value = serde_json::from_str(&body()).expect("json");
    expected["tools"] = json!([{"name": "Bash", "input_schema": {}}]);
    assert_eq!(sent_up, expected);
    assert!(up.contains("anthropic-beta: a-1\r\n"), "{up}");
    value["tool_choice"] = json!({"type": "tool", "name": "web_search"});
    let answer = fixture.talk(Open::Model, &post("", value.to_string().as_bytes())).await;
    assert!(answer.contains("x-sandbox-refused: server_side"), "{answer}");
    assert_eq!(target.requests(), 1);
    fixture.settle().await;
    fixture.seen.heard(|heard| {
        let reason = "answered; taken out of the request: mcp_servers, web_search_20250305";
        assert_eq!((heard.records[0].allowed, heard.records[0].reason.as_str()), (true, reason));
        assert!(!heard.records[1].allowed);
    });
}
