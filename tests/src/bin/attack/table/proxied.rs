//! The proxy refuses what no route leads to, in every spelling, with a reason that a program can read.

use crate::{
    case::{Case, Step, Weak},
    step::{Through, connect, curl, get, host, raw},
    table::LISTENERS,
};
use serde_json::json;

const NO_SUCH_NAME: &str = "the open proxy takes it for a name that there is not";
const CONTROLS: [&str; 2] = ["control curl by the proxy", "control tls by the proxy"];

pub(super) fn cases() -> Vec<Case> {
    vec![
        denied_hosts(),
        addresses(),
        spellings(),
        nul(),
        suffixes(),
        upgrades(),
        next_requests(),
        smuggling(),
        ports(),
        no_list(),
        edited_settings(),
        relay(),
        resolved_inside(),
        rebinding(),
        control_plane(),
        overload(),
        killed(),
    ]
}

fn denied_hosts() -> Case {
    Case::new("N-02", Weak::Broken)
        .controls(&CONTROLS)
        .step(get("http://evil.test/{mark}-get", &host("evil.test"), "403 no_route", "evil.test:80", "evil"))
        // Trusted names, but not for this.
        .step(get("http://ok.test/{mark}-get", &host("ok.test"), "403 no_route", "ok.test:80", "ok"))
        .step(get("http://ok.test:443/{mark}-get", &host("ok.test:443"), "403 no_route", "ok.test:443", "ok"))
        .step(connect("plain.test:80", "no_route", "plain"))
        .step(
            curl("curl", &["--cacert", "ca.pem", "https://evil.test/{mark}-curl"], &["56"], &["0 from evil"])
                .traced("evil", "/{mark}-curl")
                .recorded("evil.test:443", "no_route"),
        )
}

fn addresses() -> Case {
    Case::new("N-03", Weak::Broken)
        .controls(&CONTROLS)
        .step(connect("11.0.0.66:443", "bad_name", "evil"))
        .step(connect("11.0.0.10:443", "bad_name", "ok"))
        .step(connect("[2a00:11::10]:80", "bad_name", "six"))
        .step(get(
            "http://11.0.0.11/{mark}-address",
            &host("11.0.0.11"),
            "403 bad_name",
            "http://11.0.0.11/{mark}-address",
            "plain",
        ))
}

fn spellings() -> Case {
    let loopback =
        ["127.0.0.1", "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "127.0.0.1.", "[::1]", "[::ffff:127.0.0.1]", "0"];
    let targets = loopback.map(|host| format!("{host}:7100"));
    let odd = [
        "ok.test%00.evil.test:443",
        // A full stop of another script, and a letter that looks like one of ours.
        "ok\u{e3}\u{80}\u{82}test:443",
        "\u{d0}\u{be}k.test:443",
        "*:443",
    ];
    Case::new("N-04", Weak::Broken)
        .controls(&["control another spelling", "control tls by the proxy"])
        .steps(targets.iter().map(|target| connect(target, "bad_name", "loopback")))
        .step(connect("localhost:7100", "no_route", "loopback"))
        .step(connect("ok.test@127.0.0.1:7100", "bad_name", "loopback"))
        .step(connect(odd[0], "bad_name", "ok").holds_anyway(NO_SUCH_NAME))
        .steps(odd[1..3].iter().map(|target| Step {
            record: None,
            good: vec!["400 bad_request".into(), "403 bad_name".into()],
            ..connect(target, "bad_name", "ok").holds_anyway(NO_SUCH_NAME)
        }))
        .step(connect(odd[3], "bad_name", "ok").holds_anyway(NO_SUCH_NAME))
}

fn nul() -> Case {
    let connect = connect("evil.test\0.ok.test:443", "bad_request", "evil");
    Case::new("N-05", Weak::Broken)
        .controls(&CONTROLS)
        .step(Step {
            record: None,
            good: vec!["400 bad_request".into(), "403 bad_name".into()],
            name: "connect".into(),
            ..connect
        })
        .step(Step {
            record: None,
            ..get("http://evil.test\0.plain.test/{mark}-nul", &host("plain.test"), "400 bad_request", "?", "evil")
        })
}

fn suffixes() -> Case {
    let targets =
        ["evilok.test:443", "ok.test.evil.test:443", "sub.ok.test:443", "test:443", "k.test:443", "ok.tes:443"];
    Case::new("N-06", Weak::Broken)
        .controls(&CONTROLS)
        .steps(targets.map(|target| connect(target, "no_route", "evil")))
        // Begins like the canary's own attempt, which alone is not counted.
        .step(connect("denied.sandbox-canary.invalid.evil.test:443", "no_route", "evil"))
}

fn upgrades() -> Case {
    let h2c = format!(
        "{}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        host("plain.test")
    );
    let mut streams = Through::Proxy("look.test").act("h2");
    streams["sni"] = json!("look.test");
    streams["requests"] = json!([["look.test", "/open/{mark}-stream-one"], ["hidden.test", "/open/{mark}-stream-two"]]);
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let by_name = json!({"act": "named", "host": "plain.test", "port": 80, "bytes": format!("{preface}{{mark}}-h2")});
    Case::new("N-11", Weak::Broken)
        .controls(&CONTROLS)
        .step(get("http://plain.test/{mark}-h2c", &h2c, "403 upgrade_refused", "http://plain.test/{mark}-h2c", "plain"))
        .step(
            Step::new("streams of two hosts", streams, &["from front, host_mismatch"], &["from front, from front"])
                .traced("front", "{mark}-stream-two")
                .everywhere()
                .holds_anyway("the site itself speaks no HTTP/2"),
        )
        .step(raw("prior knowledge", preface, "400 bad_request").holds_anyway("the open proxy speaks no HTTP/2"))
        .step(
            Step::new("prior knowledge by name", by_name, &["400 bad_request"], &["200*"])
                .traced("plain", "{mark}-h2")
                .everywhere(),
        )
}

fn next_requests() -> Case {
    let request = |host: &str, mark: &str| format!("GET http://{host}/{{mark}}-{mark} HTTP/1.1\r\nHost: {host}\r\n");
    let pipelined =
        format!("{}\r\n{}Connection: close\r\n\r\n", request("plain.test", "first"), request("evil.test", "second"));
    let pipelined = json!({"act": "raw", "to": "proxy", "several": true, "bytes": pipelined});
    let reused = "GET /{mark}-own HTTP/1.1\r\nHost: plain.test\r\n\r\nGET /{mark}-other HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n";
    let reused = json!({"act": "named", "host": "plain.test", "port": 80, "several": true, "bytes": reused});
    Case::new("N-12", Weak::Broken)
        .controls(&CONTROLS)
        .step(
            Step::new("pipelined", pipelined, &["200 from plain, 403 no_route"], &["200*"])
                .traced("evil", "{mark}-second")
                .traced("plain", "{mark}-second")
                .everywhere(),
        )
        .step(
            Step::new("reused for another host", reused, &["200 from plain, 403 host_mismatch"], &["200*"])
                .traced("plain", "{mark}-other")
                .everywhere(),
        )
}

fn smuggling() -> Case {
    let dresses = [
        ("both lengths", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("two lengths", "Content-Length: 4\r\nContent-Length: 0\r\n\r\nGET "),
        ("a list of lengths", "Content-Length: 4, 4\r\n\r\nabcd"),
        ("a signed length", "Content-Length: +4\r\n\r\nabcd"),
        ("bare line feeds", "X: y\nContent-Length: 0\n\n"),
        ("a folded field", "X: y\r\n z: 1\r\nContent-Length: 0\r\n\r\n"),
        ("another coding", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ("two codings", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ("coding with a space", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        ("a tab in the name", "Transfer-\tEncoding: chunked\r\n\r\n0\r\n\r\n"),
    ];
    let to_proxy = dresses.map(|(name, rest)| {
        let bytes = format!(
            "POST http://plain.test/{{mark}}-smuggled HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n{rest}"
        );
        let act = json!({"act": "raw", "to": "proxy", "bytes": bytes});
        Step::new(format!("{name} by the proxy"), act, &["400 bad_request"], &["200*"])
    });
    let by_name = dresses.map(|(name, rest)| {
        let bytes = format!("POST /{{mark}}-smuggled HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n{rest}");
        let act = json!({"act": "named", "host": "plain.test", "port": 80, "bytes": bytes});
        Step::new(format!("{name} by name"), act, &["400 bad_request"], &["200*"])
    });
    // The extension of a chunk is no part of the data: it may be dropped, but not passed on.
    let extension = "POST http://plain.test/{mark}-extension HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
        2;{mark}-ext=1\r\nab\r\n0\r\n\r\n";
    let extension = json!({"act": "raw", "to": "proxy", "bytes": extension});
    Case::new("N-13", Weak::Broken)
        .controls(&CONTROLS)
        .steps(to_proxy.into_iter().chain(by_name).map(|step| step.traced("plain", "{mark}-smuggled").everywhere()))
        .step(
            Step::new("a chunk's extension", extension, &["400 bad_request", "200 from plain"], &[])
                .traced("plain", "{mark}-ext=1")
                .everywhere(),
        )
}

fn ports() -> Case {
    let targets = ["ok.test:65537", "ok.test:0", "ok.test:+443", "ok.test:"];
    Case::new("N-15", Weak::Broken)
        .controls(&CONTROLS)
        .step(connect("ok.test:9999", "no_route", "ok"))
        .step(connect("evil.test:22", "no_route", "evil"))
        .steps(
            targets[..2].iter().map(|target| connect(target, "bad_name", "ok").holds_anyway("there is no such port")),
        )
        .steps(targets[2..].iter().map(|target| connect(target, "bad_name", "ok")))
}

fn no_list() -> Case {
    Case::new("N-16", Weak::NotMade("there is no list")).scene("nothing trusted")
}

fn edited_settings() -> Case {
    Case::new("N-17", Weak::NotMade("there are no settings")).controls(&CONTROLS).scene("main")
}

fn relay() -> Case {
    let bytes = "GET http://evil.test/{mark}-relayed HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n";
    let act = json!({"act": "relay", "bytes": bytes});
    let step = Step::new("a relay inside", act, &["403 no_route"], &["200*"]);
    Case::new("N-18", Weak::Broken).controls(&CONTROLS).step(step.traced("evil", "{mark}-relayed").everywhere())
}

fn resolved_inside() -> Case {
    let all = [
        ("to-loopback.test", 7100, "loopback"),
        ("to-six-loopback.test", 7100, "loopback"),
        ("to-private.test", 80, "lan"),
        ("to-shared.test", 80, "lan"),
        ("to-local-six.test", 80, "lan"),
        ("to-bridge.test", 7200, "bridge"),
        ("to-host.test", 80, "host"),
    ];
    let by_proxy = all.map(|(name, port, place)| {
        let (target, host) = (format!("http://{name}:{port}/{{mark}}-inside"), format!("Host: {name}:{port}\r\n"));
        let asked = format!("{name}:{port}");
        let bytes = format!("GET {target} HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        let act = json!({"act": "raw", "to": "proxy", "bytes": bytes});
        Step::new(format!("{name} by the proxy"), act, &["403 internal_address"], &["200*"])
            .traced(place, "{mark}-inside")
            .recorded(asked, "internal_address")
    });
    let by_name = all.map(|(name, port, place)| {
        let url = format!("http://{name}:{port}/{{mark}}-inside");
        let args = ["-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*", &url];
        curl(&format!("{name} by name"), &args, &["0 403"], &["0 200"]).traced(place, "{mark}-inside")
    });
    // Both ways are recorded alike.
    let by_proxy = by_proxy.map(|mut step| {
        step.is_everywhere = true;
        step
    });
    let by_name = by_name
        .into_iter()
        .zip(all)
        .map(|(step, (name, port, _))| step.recorded(format!("{name}:{port}"), "internal_address"));
    Case::new("N-19", Weak::Broken)
        .controls(&["control curl by the proxy", "control curl by name"])
        .steps(by_proxy.into_iter().chain(by_name))
}

fn rebinding() -> Case {
    let bytes = "GET http://rebind.test/{mark}-rebound HTTP/1.1\r\nHost: rebind.test\r\nConnection: close\r\n\r\n";
    let act = json!({"act": "repeat", "times": 8, "what": {"act": "raw", "to": "proxy", "bytes": bytes}});
    // Each request is decided on the answer that it got: both come up, and the one that leads inside leads nowhere.
    let step =
        Step::new("a name that changes", act, &["200 from plain | 403 internal_address"], &["200 from loopback*"]);
    Case::new("N-20", Weak::Broken).controls(&CONTROLS).step(step.traced("loopback", "{mark}-rebound").within(15.0))
}

fn control_plane() -> Case {
    let paths = ["/admin", "/metrics", "/approve", "/v1/approvals"];
    Case::new("N-24", Weak::Broken)
        .controls(&CONTROLS)
        .steps(paths.map(|path| {
            let bytes = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:3128\r\nConnection: close\r\n\r\n");
            raw(path, &bytes, "400 bad_request").recorded(path, "bad_request")
        }))
        .step(
            Step::new("listeners", json!({"act": "listeners"}), &[LISTENERS], &[])
                .everywhere()
                .holds_anyway("nothing listens inside"),
        )
}

fn killed() -> Case {
    Case::new("N-30", Weak::NotMade("the container has a network of its own")).scene("egress killed")
}

fn overload() -> Case {
    Case::new("N-29", Weak::NotMade("the proxy is not the product's")).scene("overload")
}
