//! The boundary without the gate (invariants 2 and 3): from inside, nothing is reached but what the operator trusts.
//!
//! One plan of attempts runs four times: in the task's `setup`, by the agent with a gate that allows all, and in `setup` and
//! `verify` of the fresh sandbox that proves the result. Each attempt states its outcome, and each that the host
//! decides on has its line in `egress.jsonl`. The targets are the test's own and must stay silent.

use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, TcpStream},
    process::{Command, Stdio},
};
use system_tests::{
    User, left_in_engine,
    targets::{Neighbour, Target, own_address},
};

const PROBE: &str = include_str!("../fixtures/probe.py");
const RUN_PROBE: &str = r#"python3 probe.py "$(cat plan.json)""#;
const MODEL: &str = "claude-sonnet-4-6";

/// Nothing that is refused may take longer, in seconds: at once, not a timeout (THREATS N-01).
const AT_ONCE: f64 = 5.0;

/// Who listens, and must not hear anything, or hears exactly what it is trusted with.
struct Around {
    neighbour: Neighbour,
    own: IpAddr,
    on_loopback: Target,
    on_bridge: Target,
    on_any: Target,
    datagrams: Target,
    trusted: Target,
}

impl Around {
    fn new() -> Self {
        let neighbour = Neighbour::start(include_str!("../fixtures/neighbour.py"));
        let bridge = neighbour.bridge;
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            own: own_address(bridge),
            on_loopback: Target::tcp(loopback),
            on_bridge: Target::tcp(bridge),
            on_any: Target::tcp(Ipv4Addr::UNSPECIFIED.into()),
            datagrams: Target::udp(bridge),
            trusted: Target::http(loopback, "trusted-plain"),
            neighbour,
        }
    }

    fn endpoints(&self) -> String {
        let entry = |endpoint: &str, address: &str| format!(r#"{{endpoint="{endpoint}", address="{address}"}}"#);
        let plain = entry("http://ok.test:8080", &self.trusted.address.to_string());
        let tls = entry("tls.test", &format!("{}:7443", self.neighbour.address));
        format!("trust.endpoints=[{plain}, {tls}]")
    }

    /// Reaches every target from where it can be reached, so that silence afterwards says something.
    fn reach_all(&self) {
        drop(TcpStream::connect(self.on_loopback.address).expect("the listener on loopback"));
        let bridge = self.neighbour.bridge.to_string();
        let plan = [
            tcp("the bridge", &bridge, self.on_bridge.port()),
            tcp("the host", &self.own.to_string(), self.on_any.port()),
            tcp("the neighbour", &self.neighbour.address.to_string(), 7000),
            udp("a datagram", &bridge, self.datagrams.port()),
        ];
        let mut child = Command::new("docker")
            .args(["run", "--rm", "--interactive", "--network", &self.neighbour.name])
            .args(["sandbox/base", "python3", "-", &plan_of(&plan)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("docker");
        std::io::Write::write_all(&mut child.stdin.take().expect("stdin"), PROBE.as_bytes()).expect("script");
        let output = child.wait_with_output().expect("output").stdout;
        let outcomes: Vec<Value> = serde_json::from_slice(&output).expect("findings");
        let outcomes: Vec<_> = outcomes.iter().map(|found| found["outcome"].as_str().expect("outcome")).collect();
        assert_eq!(outcomes, ["connected", "connected", "connected", "sent"]);
        for target in [&self.on_loopback, &self.on_bridge, &self.on_any, &self.datagrams] {
            target.expect_hit();
        }
        assert_eq!(self.heard_by_neighbour("plain"), 1);
    }

    fn heard_by_neighbour(&self, what: &str) -> usize {
        self.neighbour.log().matches(&format!("hit {what}")).count()
    }

    /// What the targets have heard that must stay silent.
    fn heard(&self) -> Vec<usize> {
        let targets = [&self.on_loopback, &self.on_bridge, &self.on_any, &self.datagrams];
        targets.into_iter().map(Target::hits).chain([self.heard_by_neighbour("plain")]).collect()
    }
}

/// One attempt: what is done, what may come of it, and the host's record of it.
#[derive(Clone)]
struct Attempt {
    id: String,
    act: Value,
    want: Vec<String>,
    /// The same in the sandbox that proves the result, where it differs: there is no model there.
    when_proving: Option<String>,
    /// What was asked, and the rule or route of its record.
    record: Option<(String, String)>,
}

impl Attempt {
    fn new(id: &str, mut act: Value, want: &[&str]) -> Self {
        act["id"] = json!(id);
        let want = want.iter().map(|want| (*want).to_owned()).collect();
        Self { id: id.to_owned(), act, want, when_proving: None, record: None }
    }

    fn recorded(mut self, asked: &str, rule: &str) -> Self {
        self.record = Some((asked.to_owned(), rule.to_owned()));
        self
    }

    fn wanted(&self, is_proving: bool) -> Vec<String> {
        self.when_proving.clone().filter(|_| is_proving).map_or_else(|| self.want.clone(), |want| vec![want])
    }
}

fn plan_of(attempts: &[Attempt]) -> String {
    json!(attempts.iter().map(|attempt| attempt.act.clone()).collect::<Vec<_>>()).to_string()
}

/// What the kernel answers where there is no way. Without an IPv6 address it does not even look for one.
fn no_route_to(host: &str) -> &'static [&'static str] {
    if host.contains(':') { &["ENETUNREACH", "EADDRNOTAVAIL"] } else { &["ENETUNREACH"] }
}

fn tcp(id: &str, host: &str, port: u16) -> Attempt {
    Attempt::new(id, json!({"act": "tcp", "host": host, "port": port}), no_route_to(host))
}

fn udp(id: &str, host: &str, port: u16) -> Attempt {
    Attempt::new(id, json!({"act": "udp", "host": host, "port": port}), no_route_to(host))
}

fn curl(id: &str, args: &[&str], want: &str) -> Attempt {
    Attempt::new(id, json!({"act": "curl", "args": args}), &[want])
}

fn dns(id: &str, name: &str, kind: u16, want: &str) -> Attempt {
    Attempt::new(id, json!({"act": "dns", "name": name, "type": kind}), &[want])
}

/// A CONNECT to the proxy that is refused by `rule`.
fn connect(target: &str, rule: &str) -> Attempt {
    let act = json!({"act": "raw", "to": "proxy", "bytes": format!("CONNECT {target} HTTP/1.1\r\n\r\n")});
    Attempt::new(&format!("connect {target}"), act, &[&format!("403 {rule}")]).recorded(target, rule)
}

/// A plain request through the proxy that is refused with `status` by `rule`; `asked` stands in the record.
fn get(target: &str, fields: &str, want: &str, asked: &str) -> Attempt {
    let act = json!({"act": "raw", "to": "proxy", "bytes": format!("GET {target} HTTP/1.1\r\n{fields}Connection: close\r\n\r\n")});
    let rule = want.split_once(' ').expect("status and rule").1;
    Attempt::new(&format!("get {target} {}", fields.trim()), act, &[want]).recorded(asked, rule)
}

/// A request to the model gateway. Where the result is proven there is no gateway.
fn model(id: &str, request: &str, body: &Value, want: &str) -> Attempt {
    let body = body.to_string();
    let head = format!("{request} HTTP/1.1\r\nhost: model\r\ncontent-type: application/json\r\nconnection: close\r\n");
    let bytes = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let mut attempt = Attempt::new(id, json!({"act": "raw", "to": "model", "bytes": bytes}), &[want]);
    attempt.when_proving = Some("403 no_route".to_owned());
    attempt
}

/// No device but loopback: the kernel itself refuses, at once.
fn routes(around: &Around) -> Vec<Attempt> {
    let (bridge, own) = (around.neighbour.bridge.to_string(), around.own.to_string());
    let neighbour = around.neighbour.address.to_string();
    let any = around.on_any.port();
    // There is an address, but it is the container's own.
    let own_loopback = |id, host| Attempt {
        want: ["ECONNREFUSED", "EADDRNOTAVAIL"].map(str::to_owned).to_vec(),
        ..tcp(id, host, around.on_loopback.port())
    };
    let mut all = vec![
        own_loopback("the host's loopback", "127.0.0.1"),
        own_loopback("the host's loopback, IPv6", "::1"),
        own_loopback("the host's loopback by name", "localhost"),
        tcp("the bridge", &bridge, around.on_bridge.port()),
        tcp("the host by the bridge", &bridge, any),
        tcp("the host by its own address", &own, any),
        tcp("the host, mapped", &format!("::ffff:{bridge}"), any),
        tcp("the neighbour", &neighbour, 7000),
        tcp("the neighbour's trusted port, not by its name", &neighbour, 7443),
        tcp("the engine on the bridge", &bridge, 2375),
        tcp("the default bridge", "172.17.0.1", any),
        tcp("a raw address", "203.0.113.7", 443),
        tcp("a raw IPv6 address", "2001:db8::7", 443),
        tcp("metadata", "169.254.169.254", 80),
        tcp("metadata, IPv6", "fd00:ec2::254", 80),
        tcp("TCP 53", "203.0.113.53", 53),
        udp("UDP 53", "203.0.113.53", 53),
        udp("UDP 53, IPv6", "2001:db8::53", 53),
        udp("UDP 53 on the bridge", &bridge, 53),
        udp("UDP to our listener on the bridge", &bridge, around.datagrams.port()),
        udp("multicast DNS", "224.0.0.251", 5353),
        curl("curl without the proxy, to the bridge", &["--noproxy", "*", &format!("http://{bridge}:{any}/")], "7"),
        curl("curl without the proxy, to a denied name", &["--noproxy", "*", "https://denied.test/"], "6"),
        Attempt::new("devices", json!({"act": "devices"}), &["lo"]),
    ];
    for (family, kind, protocol) in
        [("AF_INET", "SOCK_RAW", 1), ("AF_PACKET", "SOCK_RAW", 3), ("AF_INET", "SOCK_DGRAM", 1)]
    {
        let act = json!({"act": "make_socket", "family": family, "kind": kind, "protocol": protocol});
        all.push(Attempt::new(
            &format!("socket {family} {kind} {protocol}"),
            act,
            &["EPERM", "EACCES", "EAFNOSUPPORT"],
        ));
    }
    all
}

/// Names: only the trusted ones exist, and nothing is forwarded.
fn names() -> Vec<Attempt> {
    let lookup = |name: &str, want: &str| {
        Attempt::new(&format!("look up {name}"), json!({"act": "lookup", "name": name}), &[want])
    };
    vec![
        lookup("ok.test", "found 127.77"),
        lookup("denied.test", "unknown name"),
        lookup("host.docker.internal", "unknown name"),
        lookup("metadata.google.internal", "unknown name"),
        dns("A of a trusted name", "ok.test", 1, "NOERROR 1"),
        dns("AAAA of a trusted name", "ok.test", 28, "NOERROR 0"),
        dns("TXT of a trusted name", "ok.test", 16, "NOERROR 0"),
        dns("HTTPS of a trusted name", "ok.test", 65, "REFUSED 0"),
        dns("A of a denied name", "denied.test", 1, "NXDOMAIN 0"),
        dns("TXT below a trusted name", "c2VjcmV0.ok.test", 16, "NXDOMAIN 0"),
    ]
}

/// The proxy refuses what no route leads to, in every spelling, with a reason that a program can read.
fn proxied(around: &Around) -> Vec<Attempt> {
    let port = around.on_loopback.port();
    let any = around.on_any.port();
    let (bridge, own) = (around.neighbour.bridge, around.own);
    let bytes = own_octets(bridge);
    let mut all: Vec<_> = [
        format!("127.0.0.1:{port}"),
        format!("127.1:{port}"),
        format!("0x7f.1:{port}"),
        format!("0177.0.0.1:{port}"),
        format!("2130706433:{port}"),
        format!("127.0.0.1.:{port}"),
        format!("[::1]:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("0:{port}"),
        format!("{bridge}:{}", around.on_bridge.port()),
        format!("{}:{any}", u32::from_be_bytes(bytes)),
        format!("{own}:{any}"),
        format!("{}:7000", around.neighbour.address),
        format!("{}:7443", around.neighbour.address),
        "203.0.113.7:443".to_owned(),
        "169.254.169.254:80".to_owned(),
        "[fd00:ec2::254]:80".to_owned(),
        format!("tls.test@127.0.0.1:{port}"),
        "tls.test%00.denied.test:443".to_owned(),
        "tls.test:65537".to_owned(),
        "tls.test:0".to_owned(),
        "*:443".to_owned(),
    ]
    .iter()
    .map(|target| connect(target, "bad_name"))
    .collect();
    for target in [
        "denied.test:443",
        "eviltls.test:443",
        "tls.test.denied.test:443",
        // Begins like the canary's own attempt, which alone is not counted.
        "denied.sandbox-canary.invalid.denied.test:443",
        "sub.tls.test:443",
        "tls.test:7443",
        "tls.test:80",
        "ok.test:8080",
        "host.docker.internal:2375",
        "metadata.google.internal:80",
        "api.anthropic.com:443",
    ] {
        all.push(connect(target, "no_route"));
    }
    let host = |host: &str| format!("Host: {host}\r\n");
    let local = format!("localhost:{port}");
    let on_loopback = format!("127.0.0.1:{port}");
    all.extend([
        get("http://denied.test/", &host("denied.test"), "403 no_route", "denied.test:80"),
        get("http://ok.test/", &host("ok.test"), "403 no_route", "ok.test:80"),
        get("http://tls.test:443/", &host("tls.test:443"), "403 no_route", "tls.test:443"),
        get("http://ok.test:8080/", &host("denied.test"), "403 host_mismatch", "http://ok.test:8080/"),
        get(
            "http://ok.test:8080/up",
            &format!("{}Upgrade: h2c\r\n", host("ok.test:8080")),
            "403 upgrade_refused",
            "http://ok.test:8080/up",
        ),
        get(&format!("http://{on_loopback}/"), &host(&on_loopback), "403 bad_name", &format!("http://{on_loopback}/")),
        get(&format!("http://{local}/"), &host(&local), "403 no_route", &local),
        get("http://ok.test\0.denied.test/", &host("ok.test"), "400 bad_request", "?"),
        get("/", &host("ok.test"), "400 bad_request", "/"),
        curl("curl with the proxy, to a denied name", &["https://denied.test:8443/"], "56")
            .recorded("denied.test:8443", "no_route"),
    ]);
    all
}

fn own_octets(address: IpAddr) -> [u8; 4] {
    match address {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(_) => panic!("the default bridge has an IPv4 address"),
    }
}

/// On a route, the name in the TLS hello must be the asked one, and nothing but TLS passes.
fn tunnelled() -> Vec<Attempt> {
    let mut all = Vec::new();
    for proxy in [true, false] {
        let by = if proxy { "by the proxy" } else { "by name" };
        let tls = |sni: Value| json!({"act": "tls", "host": "tls.test", "port": 443, "proxy": proxy, "sni": sni});
        let ssh = json!({"act": "plain_in_tunnel", "host": "tls.test", "port": 443, "proxy": proxy, "bytes": "SSH-2.0-x\r\n"});
        all.extend([
            Attempt::new(&format!("another name {by}"), tls(json!("denied.test")), &["closed"])
                .recorded("tls.test:443", "sni_mismatch"),
            Attempt::new(&format!("no name {by}"), tls(Value::Null), &["closed"])
                .recorded("tls.test:443", "sni_mismatch"),
            Attempt::new(&format!("no TLS {by}"), ssh, &["closed"]).recorded("tls.test:443", "not_tls"),
        ]);
    }
    all
}

/// What the operator trusts works, with the proxy and without.
fn trusted() -> Vec<Attempt> {
    let (plain, tls) = ("0 trusted-plain", "0 trusted-tls");
    let mut all = vec![
        curl("a trusted endpoint", &["http://ok.test:8080/"], plain),
        curl("in another spelling", &["http://OK.Test.:8080/"], plain),
        curl("without proxy support", &["--noproxy", "*", "http://ok.test:8080/"], plain),
    ];
    for attempt in &mut all {
        attempt.record = Some(("ok.test:8080".to_owned(), "ok.test:8080".to_owned()));
    }
    let secure = [
        curl("a trusted TLS endpoint", &["--cacert", "ca.pem", "https://tls.test/"], tls),
        curl("TLS without proxy support", &["--cacert", "ca.pem", "--noproxy", "*", "https://tls.test/"], tls),
    ];
    all.extend(secure.map(|attempt| attempt.recorded("tls.test:443", "tls.test:443")));
    all
}

/// The model gateway carries messages of the allowed model and nothing else.
fn gateway() -> Vec<Attempt> {
    let ask = |model: &str| json!({"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]});
    let mut with_server_tool = ask(MODEL);
    with_server_tool["tools"] = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    let refused = |request: &str| {
        let asked = model(request, request, &ask(MODEL), "403 method_not_allowed");
        asked.recorded(request, "method_not_allowed")
    };
    vec![
        refused("POST /v1/files"),
        refused("POST /v1/messages/batches"),
        refused("POST /v1/messages?key=other"),
        refused("GET /v1/models"),
        refused("POST http://denied.test/v1/messages"),
        model("another model", "POST /v1/messages", &ask("claude-other-9"), "403 model_not_allowed")
            .recorded("POST /v1/messages", "model_not_allowed"),
        model("a server-side tool", "POST /v1/messages", &with_server_tool, "403 server_side")
            .recorded("POST /v1/messages", "server_side"),
        Attempt {
            want: vec![r#"200 {"input_tokens":"#.to_owned()],
            ..model("counting tokens", "POST /v1/messages/count_tokens", &ask(MODEL), "")
        },
    ]
}

/// Nothing of the host's lies inside.
fn files() -> Vec<Attempt> {
    let read =
        |path: &str, want: &str| Attempt::new(&format!("read {path}"), json!({"act": "read", "path": path}), &[want]);
    let sockets =
        ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock"];
    let mut all: Vec<_> = sockets.iter().map(|path| read(path, "ENOENT")).collect();
    all.extend([
        read("/proc/1/environ", "EACCES"),
        read("/proc/1/mem", "EACCES"),
        read("/proc/self/environ", "read"),
        read("/proc/self/cmdline", "read"),
    ]);
    all
}

fn attempts(around: &Around) -> Vec<Attempt> {
    let parts = [routes(around), names(), proxied(around), tunnelled(), trusted(), gateway(), files()];
    let all: Vec<Attempt> = parts.into_iter().flatten().collect();
    let ids: std::collections::BTreeSet<_> = all.iter().map(|attempt| &attempt.id).collect();
    assert_eq!(ids.len(), all.len(), "ids are unique");
    all
}

/// Compares the findings of one place with the plan; returns what differs.
fn differences(place: &str, text: &str, attempts: &[Attempt], is_proving: bool) -> Vec<String> {
    let found: Vec<Value> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{place}: {error}\n{text}"));
    assert_eq!(found.len(), attempts.len(), "{place}: every attempt was made");
    let mut out = Vec::new();
    for (found, attempt) in found.iter().zip(attempts) {
        assert_eq!(found["id"], attempt.id.as_str());
        let (outcome, seconds) =
            (found["outcome"].as_str().expect("outcome"), found["seconds"].as_f64().expect("time"));
        let wanted = attempt.wanted(is_proving);
        // Token counts vary; the rest is exact.
        let fits = |want: &String| outcome == want || want.ends_with(':') && outcome.starts_with(want);
        if !wanted.iter().any(fits) || seconds > AT_ONCE {
            out.push(format!("{place}: {}: {outcome} after {seconds} s, wanted {wanted:?}", attempt.id));
        }
    }
    out
}

/// How many records there are of each thing that was asked, with its rule.
fn counts(records: impl Iterator<Item = (String, String)>) -> BTreeMap<(String, String), usize> {
    records.fold(BTreeMap::new(), |mut all, key| {
        *all.entry(key).or_default() += 1;
        all
    })
}

#[test]
fn nothing_is_reached_but_what_is_trusted() {
    let around = Around::new();
    around.reach_all();
    let heard = around.heard();
    let attempts = attempts(&around);

    let user = User::new();
    user.write("probe.py", PROBE);
    user.write("plan.json", &plan_of(&attempts));
    user.write("ca.pem", around.neighbour.log().split("ready").next().expect("certificate"));
    user.commit("a probe");
    let task = user.task(&format!(
        "---\nsetup: ['{RUN_PROBE}']\nverify: ['{RUN_PROBE}']\nexpect: {{changes: required}}\n---\nTry everything.\n"
    ));
    let call = json!({"command": format!("{RUN_PROBE} > findings.json"), "description": "Try everything"});
    let conversation = user.conversation(&[vec![("Bash", call)]]);
    let ran = user.run_task(&task, &conversation, &["--set", "gate.mode=allow-all", "--set", &around.endpoints()]);
    let ran = ran.expect_code(0);

    // What came of each attempt, in each place.
    let result = user.result();
    let run = result["run"].as_str().expect("run");
    let _ = user.run(&["apply", run]).expect_code(0);
    let by_agent = user.git(&["show", &format!("sandbox/{run}:findings.json")]);
    let log = |name: &str| fs::read_to_string(user.attempt().join(name)).expect(name);
    let mut differing = differences("agent", &by_agent, &attempts, false);
    differing.extend(differences("setup", &log("setup/1.log"), &attempts, false));
    differing.extend(differences("setup for verify", &log("verify/setup-1.log"), &attempts, true));
    differing.extend(differences("verify", &log("verify/1.log"), &attempts, true));
    assert!(differing.is_empty(), "{differing:#?}");

    // The targets heard nothing, and the trusted ones what was meant for them.
    assert_eq!(around.heard(), heard);
    let places = 4;
    assert_eq!(around.trusted.hits(), 3 * places);
    assert_eq!(around.heard_by_neighbour("tls"), 2 * places);

    // Every decision of the host is on record, and counted.
    let records = user.journal("egress.jsonl");
    let text = |record: &Value, key: &str| record[key].as_str().expect(key).to_owned();
    let found = counts(records.iter().map(|record| (text(record, "asked"), text(record, "rule"))));
    let recorded = |attempt: &Attempt| {
        let times = if attempt.when_proving.is_some() { 2 } else { places };
        std::iter::repeat_n(attempt.record.clone(), times).flatten()
    };
    for (key, wanted) in counts(attempts.iter().flat_map(recorded)) {
        assert_eq!(found.get(&key), Some(&wanted), "{key:?}\n{found:#?}");
    }
    let in_proof = attempts.iter().filter(|attempt| attempt.when_proving.is_some()).count();
    assert_eq!(found.get(&("/".to_owned(), "no_route".to_owned())), Some(&(2 * in_proof)), "no model in the proof");
    let own = records.iter().filter(|record| record["asked"] != "denied.sandbox-canary.invalid:443");
    let (allowed, refused): (Vec<&Value>, Vec<_>) = own.partition(|record| record["allowed"] == true);
    assert_eq!(result["egress"]["allowed"], allowed.len());
    assert_eq!(result["egress"]["refused"], refused.len());
    assert!(refused.iter().all(|record| record["bytes-up"] == 0 && record["address"].is_null()), "{refused:#?}");
    let told = ran.events().iter().filter(|event| system_tests::is_event(event, "refused")).count();
    assert_eq!(told, refused.len());
    let _ = user.run(&["audit", "verify", run]).expect_code(0);
    assert_eq!(left_in_engine(run), Vec::<String>::new());
}

#[test]
fn an_endpoint_that_would_be_the_container_itself_is_refused_early() {
    let user = User::new();
    let (task, conversation) = (user.task("Go.\n"), user.conversation(&[]));
    let own = r#"trust.endpoints=[{endpoint="http://localhost:8080", address="127.0.0.1:8080"}]"#;
    let ran = user.run_task(&task, &conversation, &["--set", own]).expect_code(2);
    assert!(ran.stderr.contains("`localhost` is the container itself inside"), "{}", ran.stderr);
    assert_eq!(fs::read_dir(user.home().join("state/sandbox/runs")).expect("runs").count(), 0);
}

#[test]
fn nothing_is_trusted_when_nothing_is_named() {
    let target = Target::http(Ipv4Addr::LOCALHOST.into(), "reached");
    let user = User::new();
    let get = |host: &str| format!("curl -sS --max-time 8 -o out -w %{{http_code}} http://{host}:{}/", target.port());
    // Only this command may fail for the task to fail: it must be refused with 403 where the listener is real.
    let task = user.task(&format!(
        "---\nverify: ['test \"$({})\" = 403 && grep no_route out', '{}']\n---\nGo.\n",
        get("ok.test"),
        format_args!("curl -sSf --max-time 8 --noproxy \"*\" http://127.0.0.1:{}/", target.port()),
    ));
    let conversation = user.conversation(&[]);
    let ran = user.run_task(&task, &conversation, &["--set", "gate.mode=allow-all"]).expect_code(100);
    let result = user.result();
    let codes: Vec<_> =
        result["verify"]["commands"].as_array().expect("commands").iter().map(|c| c["code"].clone()).collect();
    assert_eq!(codes, [json!(0), json!(7)], "{}", ran.stderr);
    assert_eq!(target.hits(), 0);
    drop(TcpStream::connect(target.address).expect("the listener is there"));
    target.expect_hit();
}
