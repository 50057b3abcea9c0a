//! The wire surface, literally. A change here is a change of `types::wire::VERSION`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;
use types::{
    host::HostName,
    probe::{Check, Expect, ProbePlan, ProbeReport},
    wire::{GuestStatus, Listeners, NamedListener, Open, OutputStatus, Reply, Request, VERSION},
};

#[track_caller]
fn is<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T, json: &str) {
    assert_eq!(serde_json::to_string(&value).unwrap(), json);
    assert_eq!(serde_json::from_str::<T>(json).unwrap(), value);
}

fn name(text: &str) -> HostName {
    HostName::parse(text).unwrap()
}

#[test]
fn version() {
    assert_eq!(VERSION, 2);
}

#[test]
fn headers() {
    is(Open::Control, r#"{"stream":"control"}"#);
    is(Open::Proxy, r#"{"stream":"proxy"}"#);
    is(Open::Pressure, r#"{"stream":"pressure"}"#);
    is(Open::Model, r#"{"stream":"model"}"#);
    is(
        Open::Named { host: name("api.example.com"), port: 443 },
        r#"{"stream":"named","host":"api.example.com","port":443}"#,
    );
    is(Open::Stdin { offset: 7 }, r#"{"stream":"stdin","offset":7}"#);
    is(Open::Stdout { offset: 0 }, r#"{"stream":"stdout","offset":0}"#);
    is(Open::Stderr { offset: u64::MAX }, r#"{"stream":"stderr","offset":18446744073709551615}"#);
}

#[test]
fn requests() {
    is(Request::Hello { version: 1, generation: 3 }, r#"{"request":"hello","version":1,"generation":3}"#);
    let listeners = Listeners {
        proxy: "127.0.0.1:3128".parse().unwrap(),
        model: "127.0.0.1:8080".parse().unwrap(),
        dns: "127.0.0.1:53".parse().unwrap(),
        names: vec![NamedListener {
            host: name("api.example.com"),
            address: "127.9.0.1".parse().unwrap(),
            ports: vec![443, 80],
        }],
    };
    is(
        Request::Configure { listeners, session: "s-1".into(), authority: Some("pem".into()) },
        concat!(
            r#"{"request":"configure","listeners":{"proxy":"127.0.0.1:3128","model":"127.0.0.1:8080","#,
            r#""dns":"127.0.0.1:53","names":[{"host":"api.example.com","address":"127.9.0.1","ports":[443,80]}]},"#,
            r#""session":"s-1","authority":"pem"}"#
        ),
    );
    let plan = ProbePlan {
        proxy: "127.0.0.1:3128".parse().unwrap(),
        model: "127.0.0.1:8080".parse().unwrap(),
        denied_name: "denied.example".into(),
        unreachable: vec!["192.0.2.1:443".parse().unwrap()],
        trusted_name: None,
        kernel: types::probe::Kernel::Linux,
        writable: vec!["/workspace".into()],
        variables: Default::default(),
    };
    is(
        Request::Probe { plan },
        concat!(
            r#"{"request":"probe","plan":{"proxy":"127.0.0.1:3128","model":"127.0.0.1:8080","#,
            r#""denied-name":"denied.example","unreachable":["192.0.2.1:443"],"trusted-name":null,"#,
            r#""writable":["/workspace"],"variables":{},"kernel":"linux"}}"#
        ),
    );
    is(Request::Launch, r#"{"request":"launch"}"#);
    is(Request::Arm, r#"{"request":"arm"}"#);
    is(Request::Status, r#"{"request":"status"}"#);
}

#[test]
fn replies() {
    let status = GuestStatus {
        configured: true,
        launched: true,
        stdin_accepted: 5,
        stdin_closed: false,
        stdout: OutputStatus { kept_from: 1, read: 2, ended: false },
        stderr: OutputStatus::default(),
    };
    is(
        Reply::Status { version: 1, status },
        concat!(
            r#"{"reply":"status","version":1,"status":{"configured":true,"launched":true,"stdin-accepted":5,"#,
            r#""stdin-closed":false,"stdout":{"kept-from":1,"read":2,"ended":false},"#,
            r#""stderr":{"kept-from":0,"read":0,"ended":false}}}"#
        ),
    );
    is(Reply::Configured, r#"{"reply":"configured"}"#);
    let check = Check {
        id: "net.raw-ip".into(),
        threat: "N-01".into(),
        expect: Expect::Held,
        ok: true,
        detail: "ENETUNREACH".into(),
    };
    is(
        Reply::Probed { report: ProbeReport { checks: vec![check], micros: 9 } },
        concat!(
            r#"{"reply":"probed","report":{"checks":[{"id":"net.raw-ip","threat":"N-01","expect":"held","ok":true,"#,
            r#""detail":"ENETUNREACH"}],"micros":9}}"#
        ),
    );
    is(Reply::Launched, r#"{"reply":"launched"}"#);
    is(Reply::Failed { reason: "no".into() }, r#"{"reply":"failed","reason":"no"}"#);
}
