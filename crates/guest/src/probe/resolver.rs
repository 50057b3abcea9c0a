//! Names: the resolver is ours on loopback, it knows the trusted name and no other (D-01 to D-06).

use super::checks::Checks;
use crate::dns::{self, Lookup};
use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};
use types::probe::ProbePlan;

/// Time for one answer.
const DEADLINE: Duration = Duration::from_secs(1);
/// The query's id. It need not be random: the socket is connected, on loopback.
const ID: u16 = 0x5a5a;

/// Asks the resolver that programs inside would ask, or the one given.
pub(super) fn check(plan: &ProbePlan, resolver: Option<SocketAddr>) -> Checks {
    let mut checks = Checks::default();
    let resolver = match resolver {
        Some(resolver) => Ok(resolver),
        None => configured(&mut checks),
    };
    let ask = |name: &str| resolver.clone().and_then(|resolver| lookup(resolver, name));
    let unknown = ask(&plan.denied_name);
    checks.holds("dns.unknown-name", unknown == Ok(Lookup::NoName), &format!("{unknown:?}"));
    if let Some(name) = &plan.trusted_name {
        let found = match ask(name) {
            Ok(Lookup::Found(address)) if address.is_loopback() && address != Ipv4Addr::LOCALHOST => {
                Ok(address.to_string())
            }
            other => Err(format!("{other:?}")),
        };
        checks.works("control.trusted-name", found);
    }
    checks
}

/// The first name server of `resolv.conf`; every one must be loopback. Where none is named, C libraries ask the local machine
/// (resolv.conf(5)).
fn configured(checks: &mut Checks) -> Result<SocketAddr, String> {
    let mut servers = servers(&fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    if servers.is_empty() {
        servers.push(Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
    let is_ours = servers.iter().all(|server| matches!(server, Ok(ip) if ip.is_loopback()));
    checks.holds("dns.resolver", is_ours, &format!("{servers:?}"));
    match servers.into_iter().next() {
        Some(Ok(ip)) if is_ours => Ok(SocketAddr::new(ip, 53)),
        _ => Err("the resolver is not loopback".to_owned()),
    }
}

fn servers(text: &str) -> Vec<Result<IpAddr, String>> {
    let words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    words
        .filter(|words| words.first() == Some(&"nameserver"))
        .map(|words| words.get(1).copied().unwrap_or_default())
        .map(|word| word.parse().map_err(|_| word.to_owned()))
        .collect()
}

fn lookup(resolver: SocketAddr, name: &str) -> Result<Lookup, String> {
    let query = dns::ask(ID, name).ok_or("the name fits in no query")?;
    let reply = exchange(resolver, &query).map_err(|error| error.to_string())?;
    dns::read(&reply, ID).ok_or_else(|| "the reply is malformed".to_owned())
}

fn exchange(resolver: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(resolver)?;
    socket.set_read_timeout(Some(DEADLINE))?;
    socket.send(query)?;
    let mut reply = vec![0; dns::MAX_MESSAGE];
    let length = socket.recv(&mut reply)?;
    reply.truncate(length);
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_as_libc_does() {
        let text = "# nameserver 9.9.9.9\nsearch x\nnameserver 127.0.0.1\n  nameserver\t192.0.2.1 \nnameserver fe80::1%eth0\nnameserver\n";
        let servers = servers(text);
        assert_eq!(servers[..2], [Ok(IpAddr::from([127, 0, 0, 1])), Ok(IpAddr::from([192, 0, 2, 1]))]);
        assert_eq!(servers[2..], [Err("fe80::1%eth0".to_owned()), Err(String::new())]);
    }
}
