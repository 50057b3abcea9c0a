//! No device but loopback: the kernel itself refuses, at once.

use crate::{
    case::{Case, Step, Weak},
    step::{connect, curl, dns, no_route, own_loopback, run, socket, tcp, udp},
};
use serde_json::json;

const BY_PROXY: &str = "control curl by the proxy";
const BY_NAME: &str = "control curl by name";

pub(super) fn cases() -> Vec<Case> {
    vec![around_the_proxy(), metadata(), the_host(), desktop_engine(), neighbour(), six(), other_protocols()]
}

fn around_the_proxy() -> Case {
    let url = "http://11.0.0.66/{mark}-unproxied";
    Case::new("N-01", Weak::Broken)
        .controls(&[BY_PROXY, BY_NAME])
        .step(tcp("11.0.0.66", 9999, "evil"))
        .step(tcp("11.0.0.66", 443, "evil"))
        .step(curl("curl", &["--noproxy", "*", url], &["7"], &["0 from evil"]).traced("evil", "{mark}-unproxied"))
        .step(
            curl("curl to a name", &["--noproxy", "*", "http://evil.test/{mark}-unnamed"], &["6"], &["0 from evil"])
                .traced("evil", "{mark}-unnamed"),
        )
        .step(
            run(
                "without its environment",
                &["env", "-i", "/usr/bin/curl", "-sS", "--max-time", "8", url],
                &["7 *"],
                &["0 from evil"],
            )
            .traced("evil", "{mark}-unproxied"),
        )
        .step(Step::new("devices", json!({"act": "devices"}), &["lo"], &["eth0,lo"]).everywhere())
}

fn metadata() -> Case {
    let by_name = |name: &str| {
        let bytes =
            format!("GET http://{name}/{{mark}}-metadata HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        let act = json!({"act": "raw", "to": "proxy", "bytes": bytes});
        Step::new(format!("trusted {name}"), act, &["403 internal_address"], &["200 from metadata"])
            .traced("metadata", "{mark}-metadata")
            .recorded(format!("{name}:80"), "internal_address")
            .everywhere()
    };
    Case::new("N-21", Weak::Broken)
        .controls(&[BY_PROXY, BY_NAME])
        .step(tcp("169.254.169.254", 80, "metadata"))
        .step(tcp("fd00:ec2::254", 80, "metadata"))
        .step(tcp("100.100.100.200", 80, "metadata"))
        .step(tcp("168.63.129.16", 80, "metadata"))
        .step(connect("169.254.169.254:80", "bad_name", "metadata"))
        .step(connect("[fd00:ec2::254]:80", "bad_name", "metadata"))
        .step(connect("metadata.google.internal:443", "no_route", "metadata"))
        // Trusted by name, which is as far as a mistaken operator can go.
        .step(by_name("metadata.google.internal"))
        .step(by_name("to-metadata.test"))
}

fn the_host() -> Case {
    Case::new("N-22", Weak::Broken)
        .controls(&[BY_PROXY, BY_NAME])
        .step(tcp("172.17.0.1", 7200, "bridge"))
        .step(tcp("::ffff:172.17.0.1", 7200, "bridge"))
        .step(tcp("192.0.2.2", 7200, "host"))
        .step(tcp("11.0.1.2", 7200, "host"))
        .step(tcp("2a00:11:1::2", 7200, "host"))
        .step(tcp("192.168.1.7", 80, "lan"))
        .step(udp("172.17.0.1", 53, "bridge udp"))
        .step(own_loopback("127.0.0.1", 7100))
        .step(own_loopback("::1", 7100))
        .step(connect("host.docker.internal:7200", "no_route", "bridge"))
        .step(connect("172.17.0.1:7200", "bad_name", "bridge"))
        .step(connect("2886795265:7200", "bad_name", "bridge"))
        .step(connect("192.0.2.2:7200", "bad_name", "host"))
        .step(connect("11.0.1.2:7200", "bad_name", "host"))
}

fn desktop_engine() -> Case {
    Case::new("N-23", Weak::Broken)
        .controls(&[BY_PROXY, BY_NAME])
        .step(tcp("192.168.65.7", 2375, "desktop engine"))
        .step(tcp("172.17.0.1", 2375, "bridge"))
        .step(connect("192.168.65.7:2375", "bad_name", "desktop engine"))
        .step(connect("host.docker.internal:2375", "no_route", "bridge"))
}

fn neighbour() -> Case {
    Case::new("N-25", Weak::Broken)
        .controls(&[BY_PROXY, BY_NAME])
        .step(tcp("172.17.0.2", 7000, "neighbour"))
        .step(connect("172.17.0.2:7000", "bad_name", "neighbour"))
        .scene("two at once")
}

fn six() -> Case {
    let advertise = Step::new(
        "router advertisement",
        json!({"act": "make_socket", "family": "AF_INET6", "kind": "SOCK_RAW", "protocol": 58}),
        &["EPERM", "EACCES", "EAFNOSUPPORT"],
        &["made"],
    );
    Case::new("N-26", Weak::Broken)
        .controls(&["control six", BY_NAME])
        .step(tcp("2a00:11::10", 80, "six"))
        .step(own_loopback("::1", 7100))
        // Without a device to go by there is not even an attempt.
        .step(Step {
            good: ["EINVAL", "ENETUNREACH", "EADDRNOTAVAIL"].map(str::to_owned).to_vec(),
            ..tcp("fe80::1", 80, "six").holds_anyway("it is an address without a device to go by")
        })
        .step(dns("six.test", 28, "NOERROR 0", &["NOERROR 1"]))
        .step(advertise)
}

fn other_protocols() -> Case {
    let ping = Step::new("ping", json!({"act": "ping", "host": "11.0.0.66"}), &["EPERM", "EACCES"], &["answered"]);
    // Some kernels let everyone make these; then they must lead nowhere.
    let nowhere = |name: &str, kind: &str, protocol: u16| {
        let mut good = no_route("").to_vec();
        good.extend(["EPERM", "EACCES", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "EINVAL"]);
        let act = json!({"act": "make_socket", "family": "AF_INET", "kind": kind, "protocol": protocol,
            "host": "11.0.0.66", "port": 443});
        Step::new(name, act, &good, &["connected", "ECONNREFUSED", "timeout"])
    };
    Case::new("N-27", Weak::Broken)
        .controls(&["control socket", BY_NAME])
        .step(ping)
        .step(socket("AF_INET", "SOCK_RAW", 1))
        .step(nowhere("a socket for echoes", "SOCK_DGRAM", 1))
        .step(nowhere("SCTP", "SOCK_STREAM", 132).holds_anyway("not every kernel has it"))
        .step(socket("AF_PACKET", "SOCK_RAW", 3))
        .step(udp("11.0.0.66", 443, "evil udp"))
        .step(udp("11.0.0.66", 51820, "evil udp"))
}
