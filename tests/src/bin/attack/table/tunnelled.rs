//! On a route the name in the TLS hello must be the asked one, and nothing but TLS passes.

use crate::{
    case::{Case, Step, Weak},
    step::{Through, connect, hello, plain_in_tunnel, tls},
};

const CONTROLS: [&str; 4] =
    ["control tls by the proxy", "control tls by name", "control hello plain", "control hello segments"];

pub(super) fn cases() -> Vec<Case> {
    vec![fronting(), hellos(), other_bytes()]
}

fn fronting() -> Case {
    Case::new("N-07", Weak::Broken)
        .controls(&CONTROLS)
        .steps(Through::both("front.test").map(|through| {
            tls("another name", through, Some("hidden.test"), "sni_mismatch").traced("front", "hidden.test")
        }))
        .steps(
            Through::both("quiet.test")
                .map(|through| tls("a name elsewhere", through, Some("evil.test"), "sni_mismatch").traced("quiet", "")),
        )
}

fn hellos() -> Case {
    let dresses = [
        ("encrypted", "quiet.test", "sni_mismatch"),
        ("records", "hidden.test", "sni_mismatch"),
        ("segments", "hidden.test", "sni_mismatch"),
        ("large", "quiet.test", "too_large"),
        ("version 2", "quiet.test", "not_tls"),
    ];
    let mut case = Case::new("N-09", Weak::Broken).controls(&CONTROLS);
    for through in Through::both("quiet.test") {
        case = case.step(tls("no name", through, None, "sni_mismatch").traced("quiet", ""));
        case = case.steps(dresses.map(|(dress, sni, rule)| hello(dress, through, sni, rule).traced("quiet", "")));
    }
    case
}

fn other_bytes() -> Case {
    let ssh = connect("ssh.github.com:443", "no_route", "evil");
    let mut case = Case::new("N-10", Weak::Broken).controls(&CONTROLS).step(ssh);
    for through in Through::both("quiet.test") {
        let all: [(&str, &str); 3] = [
            ("ssh", "SSH-2.0-x\r\n"),
            ("http", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("nothing that is known", "\0\0\0\0\0\0\0\0"),
        ];
        case = case.steps(all.map(|(name, bytes)| {
            let step: Step = plain_in_tunnel(name, through, bytes);
            step.traced("quiet", "")
        }));
    }
    case
}
