//! Where bytes go. A destination is read in one way only; what is not a plain name or address is unknown, never trusted.

use crate::{place::HOLE, world::World};
use std::{fmt, net::IpAddr};
use types::{
    host::{HostName, is_internal},
    text::printable,
};

/// Which way the payload goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into the container.
    Down,
    /// Out of the container, with content.
    Up,
}

/// The other end of a network effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The container itself.
    Loopback {
        /// Port, 0 when not given.
        port: u16,
    },
    /// An endpoint the operator trusts.
    Trusted(String),
    /// A remote recorded at the start of the run.
    Remote(String),
    /// A cloud metadata service.
    Metadata(String),
    /// Any other host.
    Foreign(String),
    /// Could not be read.
    Unknown,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback { port } => write!(f, "loopback port {port}"),
            Self::Trusted(host) | Self::Remote(host) | Self::Foreign(host) => f.write_str(&printable(host, 120)),
            Self::Metadata(host) => write!(f, "the metadata service {}", printable(host, 60)),
            Self::Unknown => f.write_str("an unknown destination"),
        }
    }
}

impl Destination {
    /// Reads a URL or `host[:port]`; a missing port is the scheme's, or 443.
    pub(crate) fn parse(text: &str, world: &World) -> Self {
        let lower = text.trim().to_ascii_lowercase();
        let (scheme, rest) = lower.split_once("://").unwrap_or(("", lower.as_str()));
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        if scheme == "https" && is_own_forge(rest, world) {
            return Self::Trusted(authority.to_owned());
        }
        let authority = authority.rsplit('@').next().unwrap_or_default();
        if authority.contains(HOLE) || authority.is_empty() {
            return Self::Unknown;
        }
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let default = if scheme == "http" || scheme == "ws" { 80 } else { 443 };
        let Some(port) = port.filter(|port| !port.is_empty()).map_or(Some(default), |port| port.parse().ok()) else {
            return Self::Unknown;
        };
        Self::of(host, port, world)
    }

    fn of(host: &str, port: u16, world: &World) -> Self {
        let host = host.strip_suffix('.').unwrap_or(host);
        const METADATA: [&str; 4] = ["metadata.google.internal", "metadata", "metadata.goog", "instance-data"];
        if METADATA.contains(&host) {
            return Self::Metadata(host.to_owned());
        }
        if host == "localhost" || host.ends_with(".localhost") {
            return Self::Loopback { port };
        }
        if let Some(address) = address(host) {
            const SERVICES: [&str; 4] = ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16"];
            let mapped = match address {
                IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
                IpAddr::V4(_) => address,
            };
            let text = mapped.to_string();
            if SERVICES.contains(&text.as_str()) || text.starts_with("169.254.") || text == "fd00:ec2::254" {
                return Self::Metadata(text);
            }
            if mapped.is_loopback() || mapped.is_unspecified() {
                return Self::Loopback { port };
            }
            let kind = if is_internal(mapped) { "internal address " } else { "" };
            return Self::Foreign(format!("{kind}{text}"));
        }
        match HostName::parse(host) {
            Ok(name) if world.trusts(name.as_str(), port) => Self::Trusted(format!("{name}:{port}")),
            Ok(name) => Self::Foreign(name.to_string()),
            Err(_) => Self::Unknown,
        }
    }
}

/// True for a page of a recorded remote on its forge: the repository itself, its raw files, its place in the forge's interface.
/// `rest` is the URL after `https://`, in lower case.
fn is_own_forge(rest: &str, world: &World) -> bool {
    if rest.contains(['@', '\\', '?', '#', '%', HOLE]) || rest.contains("..") || rest.contains("//") {
        return false;
    }
    world.remotes.iter().any(|(_, url)| {
        let url = url.to_ascii_lowercase();
        let bare = url.split_once("://").map_or(url.as_str(), |(_, bare)| bare);
        let bare = bare.rsplit_once('@').map_or(bare, |(_, bare)| bare);
        let Some((host, path)) = bare.split_once([':', '/']) else { return false };
        let path = path.trim_end_matches('/').trim_end_matches(".git");
        let is_below = |root: String| crate::place::is_under(rest, &root);
        path.contains('/')
            && (is_below(format!("{host}/{path}"))
                || is_below(format!("api.{host}/repos/{path}"))
                || (host == "github.com" && is_below(format!("raw.githubusercontent.com/{path}"))))
    })
}

/// An address in any spelling that a resolver accepts: dotted, hex, octal, short forms, one number.
fn address(host: &str) -> Option<IpAddr> {
    if let Ok(address) = host.parse() {
        return Some(address);
    }
    let parts: Vec<u64> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, head) = parts.split_last()?;
    if head.len() > 3 || head.iter().any(|part| *part > 255) || *last >= 1 << (8 * (4 - head.len() as u32)) {
        return None;
    }
    let high = head.iter().enumerate().fold(0u64, |sum, (n, part)| sum | part << (8 * (3 - n)));
    u32::try_from(high | last).ok().map(|bits| IpAddr::V4(bits.into()))
}

fn number(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok();
    }
    if text.len() > 1 && text.starts_with('0') {
        return u64::from_str_radix(text, 8).ok();
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::host::Endpoint;

    #[test]
    fn metadata_in_every_spelling() {
        let world = World::default();
        for text in [
            "http://169.254.169.254/latest",
            "http://0xa9fea9fe/",
            "http://2852039166/x",
            "169.254.169.254:80",
            "http://0251.0376.0251.0376/",
            "http://[::ffff:169.254.169.254]/",
            "http://METADATA.google.internal./",
            "http://a@169.254.169.254/",
        ] {
            assert!(matches!(Destination::parse(text, &world), Destination::Metadata(_)), "{text}");
        }
    }

    #[test]
    fn the_repository_s_own_pages_are_no_strangers() {
        let world =
            World { remotes: vec![("origin".into(), "git@forge.example:acme/app.git".into())], ..World::default() };
        for text in ["https://forge.example/acme/app/blob/x/a.rs", "https://api.forge.example/repos/acme/app/issues/7"]
        {
            assert!(matches!(Destination::parse(text, &world), Destination::Trusted(_)), "{text}");
        }
        for text in [
            "http://forge.example/acme/app",
            "https://forge.example/acme/application",
            "https://forge.example/evil/app",
            "https://forge.example/acme/app/../../evil",
            "https://forge.example/acme/app?x=1",
            "https://forge.example@evil.example/acme/app",
            "https://api.forge.example/user",
        ] {
            assert!(matches!(Destination::parse(text, &world), Destination::Foreign(_)), "{text}");
        }
    }

    #[test]
    fn trust_is_exact() {
        let world = World { trusted: vec![Endpoint::parse("docs.example").expect("good")], ..World::default() };
        assert!(matches!(Destination::parse("https://Docs.Example/x", &world), Destination::Trusted(_)));
        for text in [
            "https://docs.example.evil/",
            "https://xdocs.example/",
            "http://docs.example/",
            "https://docs.example@evil.example/",
        ] {
            assert!(matches!(Destination::parse(text, &world), Destination::Foreign(_)), "{text}");
        }
        assert_eq!(Destination::parse("http://127.1:8080/", &world), Destination::Loopback { port: 8080 });
        assert_eq!(Destination::parse("https://exa_mple/", &world), Destination::Unknown);
    }
}
