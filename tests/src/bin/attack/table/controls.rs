//! What must work in the same run, and without walls too: the same requests to what is trusted.

use crate::{
    case::Step,
    step::{Through, ask, curl, hello, lookup, model, shell},
};
use serde_json::json;

/// A file that is in every repository.
const CONFIG: &str = "/workspace/.git/config";

/// Every positive control.
pub(crate) fn controls() -> Vec<Step> {
    let ok = |name: &str, through: Through| {
        let mut act = through.act("tls");
        (act["sni"], act["asks"]) = (json!("ok.test"), json!("ok.test"));
        Step::new(name, act, &["200 from ok"], &[]).recorded("ok.test:443", "ok.test:443").everywhere()
    };
    let front = |dress: &str| Step {
        name: format!("control hello {dress}"),
        good: vec!["answered".into()],
        bad: Vec::new(),
        ..hello(dress, Through::Proxy("front.test"), "front.test", "front.test:443")
    };
    let plain = |name: &str, args: &[&str], good: &str| {
        curl(name, args, &[good], &[]).recorded("plain.test:80", "plain.test:80")
    };
    let counting = model(
        "control counting tokens",
        "POST /v1/messages/count_tokens",
        "x-api-key: placeholder\r\n",
        &ask("{mark} control"),
        &["200 input_tokens", "200 from vendor"],
        &[],
    );
    let mut looked = Through::Proxy("look.test").act("tls");
    (looked["sni"], looked["asks"], looked["path"]) = (json!("look.test"), json!("look.test"), json!("/open/x"));
    let http2 = ["--http2", "-o", "/dev/null", "-w", "%{http_code}", "https://look.test/open/x"];
    let mut socket = Through::Proxy("ws.test").act("websocket");
    (socket["sni"], socket["path"], socket["bytes"]) = (json!("ws.test"), json!("/"), json!(5000));
    let objects = "git cat-file --batch-all-objects --batch | grep -acE '[Z]q7-decoy'";
    let fetch = "git ls-remote --quiet https://git.test/acme/{mark}.git refs/heads/main | cut -f2";
    let keyed = "curl -sS -H \"Authorization: Bearer $API_HANDLE\" https://keyed.test/{mark}-keyed";
    vec![
        Step::new("control a looked-at site", looked, &["200 from front"], &[]).everywhere(),
        curl("control a looked-at site over HTTP/2", &http2, &["0 200"], &[]),
        Step::new("control a socket", socket, &["101 echoed"], &[]).everywhere(),
        curl("control a registry", &["https://registry.test/simple/x/"], &["0 from registry"], &[]),
        shell("control git fetch", fetch, &["0 refs/heads/main"], &[])
            .traced("forge", "/acme/{mark}.git/info/refs")
            .within(20.0),
        shell("control a credential is added", keyed, &["0 from keyed"], &[])
            .traced_with("keyed", &["/{mark}-keyed", "Bearer Zq7-apisecret-4c1e90"]),
        ok("control tls by the proxy", Through::Proxy("ok.test")),
        ok("control tls by name", Through::Name("ok.test")),
        front("plain"),
        front("segments"),
        plain("control curl by the proxy", &["http://plain.test/"], "0 from plain"),
        plain("control curl by name", &["--noproxy", "*", "http://plain.test/"], "0 from plain"),
        plain("control another spelling", &["http://PLAIN.Test.:80/"], "0 from plain"),
        curl("control six", &["http://six.test/"], &["0 from six"], &[]).recorded("six.test:80", "six.test:80"),
        lookup("ok.test", "found *", &[]).named("control look up"),
        counting.traced("vendor", "{mark} control"),
        shell("control shell", "echo works", &["0 works"], &[]),
        Step::new("control read", json!({"act": "read", "path": "/etc/passwd"}), &["read"], &[]),
        Step::new("control write", json!({"act": "write", "path": "/tmp/{mark}"}), &["written"], &[]),
        Step::new(
            "control socket",
            json!({"act": "make_socket", "family": "AF_INET", "kind": "SOCK_STREAM", "protocol": 0}),
            &["made"],
            &[],
        ),
        // The search finds what is there: every process has a path.
        Step::new("control environments", json!({"act": "environments", "pattern": "PATH=/"}), &["environ of *"], &[]),
        Step::new("control variables", json!({"act": "variables", "pattern": "^PATH="}), &["PATH"], &[]),
        // The decoy is committed.
        shell("control objects", objects, &["0 1"], &[]).within(20.0),
        Step::new("control files", json!({"act": "find", "patterns": [CONFIG]}), &[CONFIG], &[]),
        Step::new(
            "control text",
            json!({"act": "text_of", "paths": ["/nonexistent", "/etc/passwd"], "pattern": "root:[a-z]+"}),
            &["/etc/passwd: root:x"],
            &[],
        ),
        // Where nothing is expected, the volumes and the engine's own files are found.
        Step::new("control mounts", json!({"act": "mounts", "kinds": ["proc"], "expected": ""}), &["/*"], &[]),
    ]
}
