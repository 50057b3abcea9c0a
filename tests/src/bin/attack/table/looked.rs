//! Requests that are looked at: on routes with rules each one is decided in its plain form.

use crate::{
    case::{Case, Step, Weak},
    step::{Through, curl, shell},
};
use serde_json::json;

const CONTROLS: [&str; 2] = ["control a looked-at site", "control a looked-at site over HTTP/2"];

pub(super) fn cases() -> Vec<Case> {
    vec![other_host(), paths(), sockets(), registry_reads(), registry_writes(), drip()]
}

/// A request in a tunnel to the site with rules.
fn inside(name: &str, asks: &str, path: &str, good: &[&str]) -> Step {
    let mut act = Through::Proxy("look.test").act("tls");
    (act["sni"], act["asks"], act["path"]) = (json!("look.test"), json!(asks), json!(path));
    Step::new(name, act, good, &["200*"]).everywhere()
}

fn other_host() -> Case {
    let mut by_name = inside("Host by name", "hidden.test", "/open/{mark}-host", &["403 host_mismatch"]);
    by_name.act["proxy"] = json!(false);
    let http2 = [
        "--http2",
        "-H",
        "Host: hidden.test",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "https://look.test/open/{mark}-host",
    ];
    Case::new("N-08", Weak::Broken)
        .controls(&CONTROLS)
        .step(inside("Host", "hidden.test", "/open/{mark}-host", &["403 host_mismatch"]).traced("front", "{mark}-host"))
        .step(
            inside("Host elsewhere", "evil.test", "/open/{mark}-host", &["403 host_mismatch"])
                .traced("front", "{mark}-host"),
        )
        .step(by_name.traced("front", "{mark}-host"))
        .step(curl(":authority", &http2, &["0 403", "0 421"], &["0 200"]).traced("front", "{mark}-host"))
}

fn paths() -> Case {
    let all = [
        "/{mark}-closed",
        "/open/../{mark}-closed",
        "/open/%2e%2e/{mark}-closed",
        "/open/%2E%2e%2F{mark}-closed",
        "/open/..%2f{mark}-closed",
        "/open/%252e%252e/{mark}-closed",
        "/open/..%5c{mark}-closed",
        "/open/..;x/{mark}-closed",
        "/open/;/../{mark}-closed",
        "//{mark}-closed",
        "/open//../{mark}-closed",
        "/./{mark}-closed",
        "/OPEN/{mark}-closed",
        "/open%00/{mark}-closed",
        "/{mark}-closed?/open/x",
        "/{mark}-closed#/open/x",
        "/%6f%70%65%6e/../{mark}-closed",
        "/open/x/\u{e3}\u{80}\u{82}./{mark}-closed",
        "open/{mark}-closed",
        "https://hidden.test/open/{mark}-closed",
        "*{mark}-closed",
    ];
    let good = ["403 path_not_allowed", "400 bad_path", "400 bad_request", "403 host_mismatch"];
    Case::new("N-14", Weak::Broken)
        .controls(&CONTROLS)
        .steps(all.map(|path| inside(path, "look.test", path, &good).traced("front", "{mark}-closed")))
        .step({
            let args = [
                "-X",
                "POST",
                "-d",
                "{mark}-closed",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                "https://look.test/open/x",
            ];
            curl("another method", &args, &["0 405", "0 403"], &["0 200"]).traced("front", "{mark}-closed")
        })
}

fn sockets() -> Case {
    let upgrade = |host: &'static str, proxy: bool| {
        let mut act = Through::Proxy(host).act("websocket");
        (act["sni"], act["path"], act["bytes"], act["proxy"]) =
            (json!(host), json!("/open/{mark}-upgrade"), json!(100), json!(proxy));
        act
    };
    let plain = json!({"act": "websocket", "host": "plain.test", "port": 80, "path": "/{mark}-upgrade", "bytes": 100});
    Case::new("N-28", Weak::Broken)
        .controls(&["control a socket"])
        .step(
            Step::new("where it may not", upgrade("look.test", true), &["403 upgrade_refused"], &["101*"])
                .traced("front", "{mark}-upgrade")
                .everywhere(),
        )
        .step(
            Step::new("where it may not, by name", upgrade("look.test", false), &["403 upgrade_refused"], &["101*"])
                .traced("front", "{mark}-upgrade")
                .everywhere(),
        )
        .step(
            Step::new("without TLS", plain, &["403 upgrade_refused"], &["101*"])
                .traced("plain", "{mark}-upgrade")
                .everywhere(),
        )
        .scene("main")
}

/// A request to the registry; what is printed is curl's exit code and the status.
fn registry(name: &str, more: &[&str], path: &str, good: &[&str]) -> Step {
    let url = format!("https://registry.test{path}");
    let args = [&["--path-as-is", "-o", "/dev/null", "-w", "%{http_code}"], more, &[&url]].concat();
    curl(name, &args, good, &["0 200"])
}

fn registry_reads() -> Case {
    let long = format!("/simple/{}/", "{mark}-data".repeat(600));
    Case::new("X-08", Weak::Broken)
        .controls(&["control a registry"])
        .step(registry("a query", &[], "/simple/x/?{mark}-data", &["0 403"]).traced("registry", "{mark}-data"))
        .step(registry("another path", &[], "/{mark}-data/x", &["0 403"]).traced("registry", "{mark}-data"))
        .step(registry("deeper", &[], "/simple/x/{mark}-data", &["0 403"]).traced("registry", "{mark}-data"))
        .step(
            registry("very long", &[], &long, &["0 400", "0 403", "0 414", "0 431"]).traced("registry", "{mark}-data"),
        )
        .step(
            registry("a fragment of another", &[], "/simple/x/..;/{mark}-data", &["0 400", "0 403"])
                .traced("registry", "{mark}-data"),
        )
}

fn registry_writes() -> Case {
    let send = |method: &str| {
        registry(method, &["-X", method, "-d", "{mark}-published"], "/simple/x/", &["0 405", "0 403"])
            .traced("registry", "{mark}-published")
    };
    Case::new("X-09", Weak::Broken)
        .controls(&["control a registry"])
        .steps(["PUT", "POST", "DELETE", "PATCH", "MKCOL"].map(send))
        .step(
            registry(
                "disguised",
                &["-X", "POST", "-H", "X-HTTP-Method-Override: GET", "-d", "{mark}-published"],
                "/simple/x/",
                &["0 405", "0 403"],
            )
            .traced("registry", "{mark}-published"),
        )
        .step(
            shell(
                "in other letters",
                "curl -sS -o /dev/null -w '%{http_code}' -X put -d '{mark}-published' https://registry.test/simple/x/",
                &["0 400", "0 405", "0 403"],
                &["0 200"],
            )
            .traced("registry", "{mark}-published"),
        )
}

fn drip() -> Case {
    let body = "d".repeat(700);
    let bytes = format!(
        "POST http://drip.test/{{mark}} HTTP/1.1\r\nHost: drip.test\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let act = json!({"act": "repeat", "times": 30, "what": {"act": "raw", "to": "proxy", "bytes": bytes}});
    // What fits is let out; what is over the cap is not, and nothing after it.
    let step = Step::new("many small requests", act, &["200 from drip | 403 byte_cap"], &["200 from drip"]);
    Case::new("X-11", Weak::Broken).controls(&["control curl by the proxy"]).step(step.within(20.0)).scene("main")
}
