//! Kinds of sockets that must not be had, or that must lead nowhere (N-27, K-04).

use super::{checks::Checks, net::NO_ROUTE};
use rustix::{
    fd::OwnedFd,
    io::Errno,
    net::{AddressFamily, Protocol, RawProtocol, SocketFlags, SocketType, connect, ipproto, socket_with},
};
use std::net::{Ipv4Addr, SocketAddrV4};

/// How a socket is refused: by seccomp, by a missing capability, or because the kernel has no such thing.
const REFUSED: &[Errno] = &[
    Errno::PERM,
    Errno::ACCESS,
    Errno::NOSYS,
    Errno::AFNOSUPPORT,
    Errno::PROTONOSUPPORT,
    Errno::SOCKTNOSUPPORT,
    // gVisor's word for a protocol that it does not have, see socket(2).
    Errno::INVAL,
];
const KEY: u16 = 15;
const CAN: u16 = 29;
const TIPC: u16 = 30;
const BLUETOOTH: u16 = 31;
const RXRPC: u16 = 33;
const ALG: u16 = 38;
const VSOCK: u16 = 40;
const XDP: u16 = 44;
const NETLINK_XFRM: u32 = 6;
const NETLINK_NETFILTER: u32 = 12;
const MPTCP: u32 = 262;
const SCTP: u32 = 132;

/// Tries to make each.
pub(super) fn check(checks: &mut Checks) {
    let icmp = Some(ipproto::ICMP);
    checks.held("net.icmp", make(AddressFamily::INET, SocketType::RAW, icmp), REFUSED);
    checks.held("net.packet-socket", make(AddressFamily::PACKET, SocketType::RAW, None), REFUSED);
    checks.held("net.packet-datagram", make(AddressFamily::PACKET, SocketType::DGRAM, None), REFUSED);
    // The host of a virtual machine listens here.
    checks.held("net.vsock", make(AddressFamily::from_raw(VSOCK), SocketType::STREAM, None), REFUSED);
    checks.held("sys.af-alg", make(AddressFamily::from_raw(ALG), SocketType::SEQPACKET, None), REFUSED);
    checks.held("sys.af-rxrpc", make(AddressFamily::from_raw(RXRPC), SocketType::DGRAM, None), REFUSED);
    checks.held("sys.netlink-xfrm", make(AddressFamily::NETLINK, SocketType::RAW, protocol(NETLINK_XFRM)), REFUSED);
    let netfilter = protocol(NETLINK_NETFILTER);
    checks.held("sys.netlink-netfilter", make(AddressFamily::NETLINK, SocketType::RAW, netfilter), REFUSED);
    checks.held("net.mptcp", make(AddressFamily::INET, SocketType::STREAM, protocol(MPTCP)), REFUSED);
    for (id, family, kind) in [
        ("sys.af-key", KEY, SocketType::RAW),
        ("sys.af-xdp", XDP, SocketType::RAW),
        ("sys.af-tipc", TIPC, SocketType::DGRAM),
        ("sys.af-can", CAN, SocketType::RAW),
        ("sys.af-bluetooth", BLUETOOTH, SocketType::RAW),
    ] {
        checks.held(id, make(AddressFamily::from_raw(family), kind, None), REFUSED);
    }
    leads_nowhere(checks, "net.ping", make(AddressFamily::INET, SocketType::DGRAM, icmp));
    leads_nowhere(checks, "net.sctp", make(AddressFamily::INET, SocketType::STREAM, protocol(SCTP)));
}

fn protocol(number: u32) -> Option<Protocol> {
    RawProtocol::new(number).map(Protocol::from_raw)
}

fn make(family: AddressFamily, kind: SocketType, protocol: Option<Protocol>) -> Result<OwnedFd, Errno> {
    socket_with(family, kind, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, protocol)
}

/// Engines let everyone make these; then there must be no route.
fn leads_nowhere(checks: &mut Checks, id: &str, socket: Result<OwnedFd, Errno>) {
    match socket {
        Ok(socket) => {
            let address = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 443);
            checks.held(id, connect(&socket, &address), NO_ROUTE);
        }
        refused @ Err(_) => checks.held(id, refused, REFUSED),
    }
}
