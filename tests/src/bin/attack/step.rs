//! The kinds of attempts there are, each with what comes of it where the walls stand and where they do not.
//!
//! `{mark}` in an act or a trace stands for the setup in which it is made, so that what was heard can be told apart.

use crate::case::Step;
use serde_json::{Value, json};

/// What the kernel answers where there is no way. Without an IPv6 address it does not even look for one.
pub(crate) fn no_route(host: &str) -> &'static [&'static str] {
    if host.contains(':') {
        &["ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT"]
    } else {
        &["ENETUNREACH", "EHOSTUNREACH"]
    }
}

/// A connection that ignores the proxy; `place` must not hear of it.
pub(crate) fn tcp(host: &str, port: u16, place: &'static str) -> Step {
    let act = json!({"act": "tcp", "host": host, "port": port, "bytes": format!("{{mark}} tcp {host} {port}")});
    let step = Step::new(format!("tcp {host}:{port}"), act, no_route(host), &["connected"]);
    step.traced(place, format!("{{mark}} tcp {host} {port}")).everywhere()
}

/// A connection to the host's own loopback: there is such an address inside, but it is the container's.
pub(crate) fn own_loopback(host: &str, port: u16) -> Step {
    Step { good: vec!["ECONNREFUSED".into(), "EADDRNOTAVAIL".into()], ..tcp(host, port, "loopback") }
        .holds_anyway("a plain container has a loopback of its own")
}

/// A datagram.
pub(crate) fn udp(host: &str, port: u16, place: &'static str) -> Step {
    let act = json!({"act": "udp", "host": host, "port": port, "bytes": format!("{{mark}} udp {host} {port}")});
    let step = Step::new(format!("udp {host}:{port}"), act, no_route(host), &["sent"]);
    step.traced(place, format!("{{mark}} udp {host} {port}")).everywhere()
}

/// A socket of a kind that must not be had.
pub(crate) fn socket(family: &str, kind: &str, protocol: u16) -> Step {
    let act = json!({"act": "make_socket", "family": family, "kind": kind, "protocol": protocol});
    let good = ["EPERM", "EACCES", "EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT"];
    Step::new(format!("socket {family} {kind} {protocol}"), act, &good, &["made"])
}

/// A CONNECT to the proxy that is refused by `rule`; what would go into the tunnel must not be heard.
pub(crate) fn connect(target: &str, rule: &str, place: &'static str) -> Step {
    let bytes = format!("{{mark}} connect {target}\r\n\r\n");
    let act = json!({"act": "connect", "target": target, "bytes": bytes});
    let step = Step::new(format!("connect {target}"), act, &[&format!("403 {rule}")], &["opened"]);
    step.traced(place, bytes.trim_end()).recorded(target, rule).everywhere()
}

/// A plain request through the proxy that is refused. `target` may hold `{mark}`, which the trace then looks for.
pub(crate) fn get(target: &str, fields: &str, refused: &str, asked: &str, place: &'static str) -> Step {
    let bytes = format!("GET {target} HTTP/1.1\r\n{fields}Connection: close\r\n\r\n");
    let act = json!({"act": "raw", "to": "proxy", "bytes": bytes});
    let (_, rule) = refused.split_once(' ').expect("status and rule");
    let name = format!("get {target} {}", fields.trim().replace("\r\n", "; "));
    let step = Step::new(name, act, &[refused], &["200*", "302*"]);
    let path = target.find("{mark}").map_or("", |at| &target[at..]);
    step.traced(place, path).recorded(asked, rule).everywhere()
}

/// `Host` for [`get`].
pub(crate) fn host(name: &str) -> String {
    format!("Host: {name}\r\n")
}

/// Any bytes to the proxy.
pub(crate) fn raw(name: &str, bytes: &str, good: &str) -> Step {
    let act = json!({"act": "raw", "to": "proxy", "bytes": bytes});
    Step::new(name, act, &[good], &["200*"]).everywhere()
}

/// curl with these arguments; what it prints comes after its exit code.
pub(crate) fn curl(name: &str, args: &[&str], good: &[&str], bad: &[&str]) -> Step {
    Step::new(name, json!({"act": "curl", "args": args}), good, bad).everywhere()
}

/// A command; its last line comes after its exit code.
pub(crate) fn run(name: &str, argv: &[&str], good: &[&str], bad: &[&str]) -> Step {
    Step::new(name, json!({"act": "execute", "argv": argv}), good, bad)
}

/// A command for the shell.
pub(crate) fn shell(name: &str, command: &str, good: &[&str], bad: &[&str]) -> Step {
    run(name, &["sh", "-c", command], good, bad)
}

/// A question to the resolver.
pub(crate) fn dns(query: &str, kind: u16, good: &str, bad: &[&str]) -> Step {
    let act = json!({"act": "dns", "query": query, "type": kind});
    Step::new(format!("type {kind} of {query}"), act, &[good], bad).everywhere()
}

/// A question to a name server of the attacker's choice.
pub(crate) fn dns_at(server: &str, over: &str, query: &str) -> Step {
    let act = json!({"act": "dns", "server": server, "over": over, "query": query, "type": 1});
    Step::new(format!("{over} to {server}: {query}"), act, no_route(server), &["NOERROR*", "NXDOMAIN*"]).everywhere()
}

/// A name looked up as programs do it.
pub(crate) fn lookup(name: &str, good: &str, bad: &[&str]) -> Step {
    Step::new(format!("look up {name}"), json!({"act": "lookup", "host": name}), &[good], bad).everywhere()
}

/// A tunnel to a trusted name, by the proxy or by the name itself, in which something else is asked for.
pub(crate) fn tls(name: &str, through: Through, sni: Option<&str>, rule: &str) -> Step {
    let mut act = through.act("tls");
    act["sni"] = json!(sni);
    act["asks"] = json!(sni.unwrap_or("hidden.test"));
    let step = Step::new(format!("{name} {}", through.word()), act, &["closed"], &["200*"]);
    step.recorded(through.endpoint(), rule).everywhere()
}

/// An unusual hello.
pub(crate) fn hello(dress: &str, through: Through, sni: &str, rule: &str) -> Step {
    let mut act = through.act("hello");
    act["sni"] = json!(sni);
    act["dress"] = json!(dress);
    let step = Step::new(format!("hello {dress} for {sni} {}", through.word()), act, &["closed"], &["answered"]);
    step.recorded(through.endpoint(), rule).everywhere()
}

/// Something that is no TLS.
pub(crate) fn plain_in_tunnel(name: &str, through: Through, bytes: &str) -> Step {
    let mut act = through.act("plain_in_tunnel");
    act["bytes"] = json!(bytes);
    let step = Step::new(format!("{name} {}", through.word()), act, &["closed"], &["answered"]);
    step.recorded(through.endpoint(), "not_tls").everywhere()
}

/// How a tunnel is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Through {
    /// CONNECT to the proxy.
    Proxy(&'static str),
    /// A connection to the name's own address inside.
    Name(&'static str),
}

impl Through {
    pub(crate) fn both(host: &'static str) -> [Self; 2] {
        [Self::Proxy(host), Self::Name(host)]
    }

    pub(crate) fn act(self, act: &str) -> Value {
        let (host, proxy) = match self {
            Self::Proxy(host) => (host, true),
            Self::Name(host) => (host, false),
        };
        json!({"act": act, "host": host, "port": 443, "proxy": proxy})
    }

    fn endpoint(self) -> String {
        match self {
            Self::Proxy(host) | Self::Name(host) => format!("{host}:443"),
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Proxy(_) => "by the proxy",
            Self::Name(_) => "by name",
        }
    }
}

/// A request to the model gateway. Where the result is proven there is none.
pub(crate) fn model(name: &str, request: &str, fields: &str, body: &Value, good: &[&str], bad: &[&str]) -> Step {
    let body = body.to_string();
    // The placeholder makes the mark's length unknown here.
    let head =
        format!("{request} HTTP/1.1\r\nhost: model\r\ncontent-type: application/json\r\n{fields}connection: close\r\n");
    let act = json!({"act": "post", "head": head, "body": body});
    Step::new(name, act, good, bad).everywhere().in_proof(&["403 no_route"])
}

/// A messages request with this text.
pub(crate) fn ask(text: &str) -> Value {
    json!({"model": "claude-sonnet-4-6", "max_tokens": 1, "messages": [{"role": "user", "content": text}]})
}

/// One check of the program that is every run's canary.
pub(crate) fn canary(check: &str) -> Step {
    let act = json!({"act": "canary", "check": check});
    Step::new(format!("canary {check}"), act, &["held*"], &["not held*"])
        .everywhere()
        .holds_anyway("a plain container has many of these walls too")
}

/// A file that must not be readable.
pub(crate) fn read(path: &str, good: &[&str]) -> Step {
    Step::new(format!("read {path}"), json!({"act": "read", "path": path}), good, &["read"]).everywhere()
}

/// A file that must not be writable.
pub(crate) fn write(path: &str) -> Step {
    let good = ["EROFS", "EACCES", "EPERM", "ENOENT", "EISDIR"];
    Step::new(format!("write {path}"), json!({"act": "write", "path": path}), &good, &["written"]).everywhere()
}
