//! The way out beside other proxies and beside no proxy at all: time to the first byte and throughput over TLS on loopback, 200
//! connections at once, and the first token of a streamed answer. What is compared is measured in turns.

mod client;
mod inside;
mod model;
pub(crate) mod own;
mod peers;

use crate::series::Report;
use client::{Connection, Way};
use own::Own;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use std::{
    fs,
    sync::{Arc, Barrier},
    thread,
    time::Instant,
};
use system_tests::origin::{NAMES, Origin};

/// Connections at the same time.
const MANY: usize = 200;
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The other proxies.
pub(crate) const PEERS: [&str; 3] = ["sandbox-runtime", "squid", "tinyproxy"];
/// The gateway, beside the direct way to the model.
pub(crate) const GATEWAY: &str = "sandbox, model gateway";
pub(crate) const DIRECT: &str = "direct";
pub(crate) const OURS: &str = "sandbox, tunnel";
const LOOKED_AT: &str = "sandbox, requests decided";

/// What one figure of one way is called.
pub(crate) fn figure(what: &str, way: &str) -> String {
    format!("egress, {what}: {way}")
}

pub(crate) const FIRST_BYTE: &str = "1 KiB on a kept connection, first byte";
pub(crate) const LARGE: &str = "256 MiB";
pub(crate) const TOKEN: &str = "first token of a streamed answer";
pub(crate) use inside::THROUGHPUT as FROM_CONTAINER;

/// Measures all of it.
pub(crate) fn measure(report: &mut Report, rounds: usize) {
    let origin = Origin::start();
    let model = model::start();
    let own = Own::start(origin.address, &origin.pem, model);
    let (peers, missing) = peers::start(origin.address.port());
    for line in missing {
        report.note(format!("left out of the comparison: {line}"));
    }
    let ways = ways(&origin, &own, &peers);
    first_bytes(report, &origin, &ways, rounds);
    throughput(report, &origin, &ways, rounds);
    for way in &ways {
        many(report, &origin, way);
    }
    tokens(report, model, own.model, rounds);
    inside::measure(report, &origin, rounds);
}

fn ways(origin: &Origin, own: &Own, peers: &[peers::Peer]) -> Vec<Way> {
    let way = |name, proxy, pid| Way {
        name,
        proxy,
        asked: origin.address.to_string(),
        server: NAMES[0],
        root: origin.certificate.clone(),
        pid,
    };
    let own_way =
        |name, server| Way { asked: format!("{server}:443"), server, ..way(name, Some(own.proxy), Some(own.pid())) };
    let authority = CertificateDer::from_pem_slice(own.authority.as_bytes()).expect("PEM");
    let mut all =
        vec![way(DIRECT, None, None), own_way(OURS, NAMES[0]), Way { root: authority, ..own_way(LOOKED_AT, NAMES[1]) }];
    all.extend(peers.iter().map(|peer| way(peer.name, Some(peer.address), Some(peer.pid()))));
    all
}

/// New connections, and requests on kept ones.
fn first_bytes(report: &mut Report, origin: &Origin, ways: &[Way], rounds: usize) {
    let mut kept: Vec<Connection> = ways.iter().map(|way| way.connect(origin.address)).collect();
    for _ in 0..10 * rounds {
        for (way, kept) in ways.iter().zip(&mut kept) {
            report.time(&figure(FIRST_BYTE, way.name), kept.get(KIB).first);
            let since = Instant::now();
            way.connect(origin.address).get(KIB);
            report.time(&figure("1 KiB on a new connection, TLS included", way.name), since.elapsed());
        }
    }
}

fn throughput(report: &mut Report, origin: &Origin, ways: &[Way], rounds: usize) {
    let mut kept: Vec<Connection> = ways.iter().map(|way| way.connect(origin.address)).collect();
    for _ in 0..2 * rounds {
        for (way, kept) in ways.iter().zip(&mut kept) {
            report.time(&figure("1 MiB on a kept connection", way.name), kept.get(MIB).whole);
        }
    }
    for _ in 0..rounds.div_ceil(4) {
        for (way, kept) in ways.iter().zip(&mut kept) {
            let took = kept.get(256 * MIB).whole.as_secs_f64();
            report.rate(&figure(LARGE, way.name), (256 * MIB) as f64 / 1e6 / took);
        }
    }
}

/// Many connections open at the same time, each with one request, all of them kept until the last has its answer.
fn many(report: &mut Report, origin: &Origin, way: &Way) {
    let all_answered = Arc::new(Barrier::new(MANY + 1));
    let may_go = Arc::new(Barrier::new(MANY + 1));
    let since = Instant::now();
    let threads: Vec<_> = (0..MANY)
        .map(|_| {
            let (way, direct) = (way.clone(), origin.address);
            let (all_answered, may_go) = (Arc::clone(&all_answered), Arc::clone(&may_go));
            thread::spawn(move || {
                let mut connection = way.connect(direct);
                connection.get(KIB);
                all_answered.wait();
                may_go.wait();
            })
        })
        .collect();
    all_answered.wait();
    report.time(&figure("200 connections at once, all answered", way.name), since.elapsed());
    if let Some(pid) = way.pid {
        report.memory(&figure("memory with 200 connections", way.name), resident_kib(pid));
    }
    may_go.wait();
    threads.into_iter().for_each(|thread| thread.join().expect("a connection"));
}

fn resident_kib(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn tokens(report: &mut Report, direct: std::net::SocketAddr, ours: std::net::SocketAddr, rounds: usize) {
    let mut ways = [(DIRECT, direct), (GATEWAY, ours)].map(|(name, address)| (name, model::Asker::new(address)));
    for _ in 0..10 * rounds {
        for (name, asker) in &mut ways {
            report.time(&figure(TOKEN, name), asker.first_token());
        }
    }
}
