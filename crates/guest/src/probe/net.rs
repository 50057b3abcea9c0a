//! There is no route out (N-01, N-03, N-21, N-22, N-26, D-01, D-05): every connect fails at once, in the kernel.

use super::checks::Checks;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::{AsFd, OwnedFd},
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt::socket_error},
};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

/// Time after which a connect that has not failed counts as one that found a route.
const DEADLINE: Duration = Duration::from_millis(250);
/// No route, over IPv4.
pub(super) const NO_ROUTE: &[Errno] = &[Errno::NETUNREACH, Errno::HOSTUNREACH];
/// No route over IPv6, or no IPv6 at all.
const NO_ROUTE_6: &[Errno] =
    &[Errno::NETUNREACH, Errno::HOSTUNREACH, Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL, Errno::ACCESS, Errno::PERM];
/// A port of the container's own loopback that nothing listens on.
const NO_LISTENER: &[Errno] = &[Errno::CONNREFUSED];

/// Addresses that are tried in every run. No route is what is tested, so that documentation addresses serve as well
/// as real ones, and reach nobody if the test fails.
const ALWAYS: &[(&str, IpAddr, u16, SocketType)] = &[
    ("net.raw-ip", v4(192, 0, 2, 1), 443, SocketType::STREAM),
    ("net.udp", v4(192, 0, 2, 1), 443, SocketType::DGRAM),
    ("net.metadata", v4(169, 254, 169, 254), 80, SocketType::STREAM),
    ("net.bridge", v4(172, 17, 0, 1), 2375, SocketType::STREAM),
    ("net.ipv6", IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 443, SocketType::STREAM),
    ("dns.udp53", v4(192, 0, 2, 53), 53, SocketType::DGRAM),
    ("dns.tcp53", v4(192, 0, 2, 53), 53, SocketType::STREAM),
    ("dns.multicast", v4(224, 0, 0, 251), 5353, SocketType::DGRAM),
];

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// Connects to everything at once and judges what comes of it; `unreachable` is the plan's.
pub(super) fn check(checks: &mut Checks, unreachable: &[SocketAddr]) {
    let routes = std::fs::read_to_string("/proc/net/route").map(|text| routes_in(&text));
    let routes: Vec<String> = routes.unwrap_or_else(|error| vec![error.to_string()]);
    checks.holds("net.routes", routes.is_empty(), &routes.join("; "));
    let always = ALWAYS.iter().map(|(id, ip, port, kind)| ((*id).to_owned(), SocketAddr::new(*ip, *port), *kind));
    let planned =
        unreachable.iter().map(|address| (format!("net.unreachable:{address}"), *address, SocketType::STREAM));
    let attempts: Vec<_> =
        always.chain(planned).map(|(id, address, kind)| (id, address, begin(address, kind))).collect();
    let end = Instant::now() + DEADLINE;
    for (id, address, attempt) in attempts {
        let outcome = attempt.and_then(|socket| finish(&socket, end));
        checks.held(id, outcome, accepted(address));
    }
}

/// The lines of `/proc/net/route` below its head. gVisor pads it with an empty one.
fn routes_in(text: &str) -> Vec<String> {
    text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn accepted(address: SocketAddr) -> &'static [Errno] {
    match address.ip() {
        ip if ip.is_loopback() => NO_LISTENER,
        IpAddr::V4(_) => NO_ROUTE,
        IpAddr::V6(_) => NO_ROUTE_6,
    }
}

/// Begins a connect; the error is what the kernel says at once.
fn begin(address: SocketAddr, kind: SocketType) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, kind, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(errno) => Err(errno),
    }
}

/// Waits for a connect that was begun; ETIMEDOUT, which no check accepts, at the deadline.
fn finish(socket: &OwnedFd, end: Instant) -> Result<(), Errno> {
    let left = Timespec::try_from(end.saturating_duration_since(Instant::now())).map_err(|_| Errno::INVAL)?;
    let mut ready = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::OUT)];
    if poll(&mut ready, Some(&left))? == 0 {
        return Err(Errno::TIMEDOUT);
    }
    socket_error(socket)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listening_target_is_a_surprise_and_a_closed_one_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let try_it = |address| {
            let outcome =
                begin(address, SocketType::STREAM).and_then(|socket| finish(&socket, Instant::now() + DEADLINE));
            let mut checks = Checks::default();
            checks.held("x", outcome, accepted(address));
            checks.outcome("x").unwrap()
        };
        assert!(!try_it(address));
        drop(listener);
        assert!(try_it(address));
    }

    #[test]
    fn an_empty_line_is_no_route() {
        assert_eq!(routes_in("Iface\tDestination\n   \n"), [] as [&str; 0]);
        assert_eq!(routes_in("Iface\tDestination\neth0\t0 \n"), ["eth0\t0"]);
    }

    #[test]
    fn refused_by_somebody_else_is_a_surprise() {
        // Whoever refuses was reached.
        assert!(!accepted("172.17.0.1:1".parse().unwrap()).contains(&Errno::CONNREFUSED));
        assert!(!accepted("[2001:db8::1]:1".parse().unwrap()).contains(&Errno::CONNREFUSED));
        assert!(!accepted("192.0.2.1:1".parse().unwrap()).contains(&Errno::TIMEDOUT));
    }
}
