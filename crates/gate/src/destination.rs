//! Where bytes go. A destination is read in one way only; what is not a plain name or address is unknown, never trusted.

use crate::{place::HOLE, world::World};
use std::{fmt, net::IpAddr};
use types::{
    host::{HostName, METADATA_NAMES, is_internal},
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
    /// The engine that runs the container, or the host beneath it.
    Engine(String),
    /// A page of another host, asked for by a plain name and path that carry nothing out.
    Page(String),
    /// Any other host.
    Foreign(String),
    /// Could not be read.
    Unknown,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback { port } => write!(f, "loopback port {port}"),
            Self::Trusted(host) | Self::Remote(host) | Self::Page(host) | Self::Foreign(host) => {
                f.write_str(&printable(host, 120))
            }
            Self::Metadata(host) => write!(f, "the metadata service {}", printable(host, 60)),
            Self::Engine(host) => write!(f, "the container engine or its host at {}", printable(host, 60)),
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
        if METADATA_NAMES.contains(&host) {
            return Self::Metadata(host.to_owned());
        }
        #[rustfmt::skip]
        const ENGINES: [&str; 8] = [
            "host.docker.internal", "gateway.docker.internal", "docker.for.mac.localhost", "docker.for.mac.host.internal",
            "docker.for.win.localhost", "host.containers.internal", "host.lima.internal", "host.minikube.internal",
        ];
        if ENGINES.contains(&host) || matches!(port, 2375 | 2376 | 10250) {
            return Self::Engine(format!("{host}:{port}"));
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

/// The host of a page whose address is a name and a path of words, as people link to documentation: no parameters, no port, no user,
/// nothing encoded, nothing that data could hide in.
pub(crate) fn plain_page(url: &str) -> Option<String> {
    const MAX_PATH: usize = 120;
    const MAX_PART: usize = 48;
    const MAX_LABEL: usize = 24;
    let rest = url.trim().strip_prefix("https://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let name = HostName::parse(host).ok()?;
    let labels: Vec<&str> = host.split('.').collect();
    let is_word = |part: &str| {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        let joints = part.bytes().filter(|b| b"-_.".contains(b)).count();
        let letters = part.len() - digits - joints;
        let is_plain = part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~@".contains(&b));
        is_plain && digits <= 6 && part.len() <= MAX_PART && !(letters > 20 && joints == 0)
    };
    let is_named = labels.len() >= 2
        && labels.last().is_some_and(|end| end.len() >= 2 && end.bytes().all(|b| b.is_ascii_alphabetic()))
        && labels.iter().all(|label| label.len() <= MAX_LABEL && is_word(label));
    let is_path = path.len() <= MAX_PATH && path.split('/').count() <= 8 && path.split('/').all(is_word);
    (is_named && is_path && !path.contains("..") && !is_program(path) && !is_internal_name(host))
        .then(|| name.to_string())
}

/// True for files that are there to be run or unpacked, not read.
fn is_program(path: &str) -> bool {
    const ENDS: [&str; 20] = [
        "sh", "bash", "ps1", "bat", "cmd", "exe", "msi", "bin", "run", "elf", "so", "jar", "deb", "rpm", "apk", "dmg",
        "zip", "gz", "xz", "tgz",
    ];
    path.rsplit_once('.').is_some_and(|(_, end)| ENDS.contains(&end.to_ascii_lowercase().as_str()))
}

/// True for names that only a private network knows.
fn is_internal_name(host: &str) -> bool {
    ["local", "internal", "lan", "corp", "home", "intranet", "test", "invalid", "onion"]
        .iter()
        .any(|end| host.rsplit('.').next() == Some(*end))
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
    fn plain_pages_carry_nothing_out() {
        for url in [
            "https://docs.rs/tokio/latest/tokio/",
            "https://doc.rust-lang.org",
            "https://pkg.go.dev/github.com/a/go-b",
            "https://blog.example.com/2026/introducing-the-thing/",
        ] {
            assert!(plain_page(url).is_some(), "{url}");
        }
        for url in [
            "http://docs.rs/tokio",
            "https://docs.rs/tokio?x=1",
            "https://docs.rs/%41",
            "https://docs.rs:8443/tokio",
            "https://me@docs.rs/tokio",
            "https://192.0.2.1/x",
            "https://docs.rs/../x",
            "https://x.example.com/YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXo",
            "https://x.example.com/c2VjcmV0MTIz4567890",
            "https://q29ycmVjdGhvcnNlYmF0dGVyeXN0.example.com/",
            "https://wiki.corp/x",
            "https://docs.rs/a/b/c/d/e/f/g/h/i/j",
        ] {
            assert!(plain_page(url).is_none(), "{url}");
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
