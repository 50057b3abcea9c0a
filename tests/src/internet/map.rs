//! Who is where: the names that the fake internet knows, and the places that listen. Addresses are those that the attacks are
//! aimed at, or such as no one else's tests use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The host's end of the cable, and the other one.
pub const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
/// The other end of the cable.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// Another address of the host's, one that looks public.
pub const HOST_PUBLIC: Ipv4Addr = Ipv4Addr::new(11, 0, 1, 2);
/// The host's end of the cable, IPv6.
pub const HOST_V6: Ipv6Addr = Ipv6Addr::new(0x2a00, 0x11, 1, 0, 0, 0, 0, 2);
/// The other end, IPv6.
pub const ROUTER_V6: Ipv6Addr = Ipv6Addr::new(0x2a00, 0x11, 1, 0, 0, 0, 0, 1);
/// The engine's default bridge: the host as containers on it see it.
pub const BRIDGE: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 1);
/// The first container on that bridge.
pub const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 2);
/// Containers on that bridge.
pub const BRIDGE_NET: &str = "172.17.0.0/16";
/// The same, IPv6.
pub const BRIDGE_NET_V6: &str = "2a00:11:d0::/64";
/// The resolver that the host is told to use.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 53);

/// A trusted site, TLS.
pub const OK: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 10);
/// A trusted site, plain HTTP.
pub const PLAIN: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 11);
/// A server of two sites, one of them trusted.
pub const FRONT: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 12);
/// A trusted server that everyone tries to reach in the wrong way.
pub const QUIET: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 13);
/// A trusted site with which sockets are spoken.
pub const SOCKET: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 14);
/// A trusted site that takes little.
pub const DRIP: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 15);
/// A trusted site that wants a credential.
pub const KEYED: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 16);
/// A forge.
pub const FORGE: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 20);
/// A forge's API.
pub const FORGE_API: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 21);
/// A package registry.
pub const REGISTRY: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 30);
/// The model's vendor.
pub const VENDOR: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 40);
/// Whoever wants the data.
pub const EVIL: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 66);
/// A public resolver that everybody knows.
pub const PUBLIC_DNS: Ipv4Addr = Ipv4Addr::new(8, 8, 8, 8);
/// Another one, which also answers over HTTPS.
pub const PUBLIC_DOH: Ipv4Addr = Ipv4Addr::new(1, 1, 1, 1);
/// A site that has an IPv6 address only.
pub const SIX: Ipv6Addr = Ipv6Addr::new(0x2a00, 0x11, 0, 0, 0, 0, 0, 0x10);

/// Where something listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Beyond the cable.
    World,
    /// On the host.
    Host,
    /// On the engine's bridge.
    Bridge,
}

/// What a place speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// Takes what comes.
    Tcp,
    /// Takes datagrams.
    Udp,
    /// HTTP/1.1.
    Http,
    /// HTTP/1.1 in TLS.
    Tls,
    /// DNS in datagrams.
    Dns,
    /// DNS over TCP.
    DnsTcp,
}

/// Something that listens. Several can have the same name: what one of them hears, the name has heard.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// What traces are looked for under.
    pub name: &'static str,
    /// Address and port.
    pub at: &'static str,
    /// What it speaks.
    pub speaks: Speaks,
    /// Where it is.
    pub side: Side,
}

const fn world(name: &'static str, at: &'static str, speaks: Speaks) -> Place {
    Place { name, at, speaks, side: Side::World }
}

const fn host(name: &'static str, at: &'static str, speaks: Speaks) -> Place {
    Place { name, at, speaks, side: Side::Host }
}

const fn bridge(name: &'static str, at: &'static str, speaks: Speaks) -> Place {
    Place { name, at, speaks, side: Side::Bridge }
}

/// Everything that listens.
pub const PLACES: &[Place] = &[
    world("ok", "11.0.0.10:443", Speaks::Tls),
    world("ok", "11.0.0.10:9999", Speaks::Tls),
    world("plain", "11.0.0.11:80", Speaks::Http),
    world("plain", "11.0.0.11:8080", Speaks::Http),
    world("front", "11.0.0.12:443", Speaks::Tls),
    world("quiet", "11.0.0.13:443", Speaks::Tls),
    world("socket", "11.0.0.14:443", Speaks::Tls),
    world("drip", "11.0.0.15:80", Speaks::Http),
    world("keyed", "11.0.0.16:443", Speaks::Tls),
    world("forge", "11.0.0.20:443", Speaks::Tls),
    world("forge api", "11.0.0.21:443", Speaks::Tls),
    world("registry", "11.0.0.30:443", Speaks::Tls),
    world("registry", "11.0.0.30:80", Speaks::Http),
    world("vendor", "11.0.0.40:443", Speaks::Tls),
    world("vendor", "11.0.0.40:80", Speaks::Http),
    world("resolver", "11.0.0.53:53", Speaks::Dns),
    world("resolver", "11.0.0.53:53", Speaks::DnsTcp),
    world("evil", "11.0.0.66:80", Speaks::Http),
    world("evil", "11.0.0.66:443", Speaks::Tls),
    world("evil", "11.0.0.66:22", Speaks::Tcp),
    world("evil", "11.0.0.66:9999", Speaks::Tcp),
    world("evil udp", "11.0.0.66:53", Speaks::Udp),
    world("evil udp", "11.0.0.66:443", Speaks::Udp),
    world("evil udp", "11.0.0.66:51820", Speaks::Udp),
    world("public dns", "8.8.8.8:53", Speaks::Dns),
    world("public dns", "8.8.8.8:53", Speaks::DnsTcp),
    world("public dns", "1.1.1.1:53", Speaks::Dns),
    world("public doh", "8.8.8.8:443", Speaks::Tls),
    world("public doh", "1.1.1.1:443", Speaks::Tls),
    world("public doh", "1.1.1.1:853", Speaks::Tls),
    world("public doq", "1.1.1.1:853", Speaks::Udp),
    world("metadata", "169.254.169.254:80", Speaks::Http),
    world("metadata", "169.254.169.254:443", Speaks::Tcp),
    world("metadata", "100.100.100.200:80", Speaks::Http),
    world("metadata", "168.63.129.16:80", Speaks::Http),
    world("metadata", "[fd00:ec2::254]:80", Speaks::Http),
    world("desktop engine", "192.168.65.7:2375", Speaks::Http),
    world("lan", "192.168.1.7:80", Speaks::Http),
    world("lan", "10.0.0.5:80", Speaks::Http),
    world("lan", "100.64.0.1:80", Speaks::Http),
    world("lan", "[fd00::5]:80", Speaks::Http),
    world("six", "[2a00:11::10]:80", Speaks::Http),
    host("loopback", "127.0.0.1:80", Speaks::Http),
    host("loopback", "127.0.0.1:7100", Speaks::Http),
    host("loopback", "[::1]:7100", Speaks::Http),
    host("host", "192.0.2.2:7200", Speaks::Http),
    host("host", "11.0.1.2:80", Speaks::Http),
    host("host", "11.0.1.2:7200", Speaks::Http),
    host("host", "[2a00:11:1::2]:7200", Speaks::Http),
    bridge("bridge", "172.17.0.1:7200", Speaks::Http),
    bridge("bridge", "172.17.0.1:2375", Speaks::Http),
    bridge("bridge udp", "172.17.0.1:53", Speaks::Udp),
    // The neighbour calls here when it is called itself.
    bridge("neighbour", "172.17.0.1:7300", Speaks::Tcp),
    // Hears what is sent to groups on the bridge.
    bridge("multicast", "0.0.0.0:5353", Speaks::Udp),
    bridge("multicast", "0.0.0.0:5355", Speaks::Udp),
    bridge("broadcast", "0.0.0.0:137", Speaks::Udp),
];

/// Names of the places that listen to groups on the bridge.
pub const OF_GROUPS: [&str; 2] = ["multicast", "broadcast"];

/// The groups by port: those of mDNS and LLMNR, which the places named `multicast` have joined, and everyone on the bridge.
pub const GROUPS: [(u16, Ipv4Addr); 3] = [
    (5353, Ipv4Addr::new(224, 0, 0, 251)),
    (5355, Ipv4Addr::new(224, 0, 0, 252)),
    (137, Ipv4Addr::new(172, 17, 255, 255)),
];

/// A name with its addresses. Where there are several, they are given in turn, one with each answer.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    /// The name.
    pub host: &'static str,
    /// Its addresses.
    pub addresses: &'static [IpAddr],
}

const fn v4(address: Ipv4Addr) -> IpAddr {
    IpAddr::V4(address)
}

const fn name(host: &'static str, addresses: &'static [IpAddr]) -> Name {
    Name { host, addresses }
}

/// Every name. What ends in `.evil.test` leads where `evil.test` leads.
pub const NAMES: &[Name] = &[
    name("ok.test", &[v4(OK)]),
    name("plain.test", &[v4(PLAIN)]),
    name("front.test", &[v4(FRONT)]),
    name("hidden.test", &[v4(FRONT)]),
    name("look.test", &[v4(FRONT)]),
    name("ws.test", &[v4(SOCKET)]),
    name("drip.test", &[v4(DRIP)]),
    name("keyed.test", &[v4(KEYED)]),
    name("quiet.test", &[v4(QUIET)]),
    name("git.test", &[v4(FORGE)]),
    name("github.com", &[v4(FORGE)]),
    name("ssh.github.com", &[v4(EVIL)]),
    name("api.github.com", &[v4(FORGE_API)]),
    name("registry.test", &[v4(REGISTRY)]),
    name("api.anthropic.com", &[v4(VENDOR)]),
    name("evil.test", &[v4(EVIL)]),
    name("evilok.test", &[v4(EVIL)]),
    name("sub.ok.test", &[v4(EVIL)]),
    name("test", &[v4(EVIL)]),
    name("k.test", &[v4(EVIL)]),
    name("ok.tes", &[v4(EVIL)]),
    name("dns.google", &[v4(PUBLIC_DNS)]),
    name("one.one.one.one", &[v4(PUBLIC_DOH)]),
    name("metadata.google.internal", &[v4(Ipv4Addr::new(169, 254, 169, 254))]),
    name("host.docker.internal", &[v4(BRIDGE)]),
    name("to-loopback.test", &[v4(Ipv4Addr::LOCALHOST)]),
    name("to-six-loopback.test", &[IpAddr::V6(Ipv6Addr::LOCALHOST)]),
    name("to-private.test", &[v4(Ipv4Addr::new(10, 0, 0, 5))]),
    name("to-shared.test", &[v4(Ipv4Addr::new(100, 64, 0, 1))]),
    name("to-metadata.test", &[v4(Ipv4Addr::new(169, 254, 169, 254))]),
    name("to-local-six.test", &[IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 5))]),
    name("to-bridge.test", &[v4(BRIDGE)]),
    name("to-host.test", &[v4(HOST_PUBLIC)]),
    name("rebind.test", &[v4(PLAIN), v4(Ipv4Addr::LOCALHOST)]),
    name("six.test", &[IpAddr::V6(SIX)]),
];

/// The addresses that stand beyond the cable.
#[must_use]
pub fn world_addresses() -> Vec<IpAddr> {
    let places = PLACES.iter().filter(|place| place.side == Side::World);
    let mut all: Vec<IpAddr> = places.map(|place| address(place).ip()).collect();
    all.sort();
    all.dedup();
    all
}

/// Where a place is reached: by its group where it listens to one, or at its address.
///
/// # Panics
/// When the table holds something else.
#[must_use]
pub fn reached_at(place: &Place) -> std::net::SocketAddr {
    let address = address(place);
    let group = GROUPS.iter().find(|(port, _)| OF_GROUPS.contains(&place.name) && *port == address.port());
    group.map_or(address, |(port, group)| (*group, *port).into())
}

/// A place's address.
///
/// # Panics
/// When the table holds something else.
#[must_use]
pub fn address(place: &Place) -> std::net::SocketAddr {
    place.at.parse().expect("an address with a port")
}
