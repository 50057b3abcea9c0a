//! Host names and addresses in the one spelling that decisions are made on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A DNS name in canonical form: lower-case ASCII labels, no trailing dot, never an address or a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

/// Why a text is not a host name that can be decided on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidHost {
    /// Empty, or longer than 253 bytes.
    #[error("host name is empty or longer than 253 bytes")]
    Length,
    /// A byte outside letters, digits, dash and dot: NUL, `%`, `@`, spaces, non-ASCII.
    #[error("host name holds a byte outside a-z, 0-9, dash and dot")]
    Byte,
    /// An empty label, one over 63 bytes, or one that begins or ends with a dash.
    #[error("host name has a malformed label")]
    Label,
    /// An IPv4 address or a number that a resolver could take for one (`2130706433`, `0x7f.1`, `127.1`).
    #[error("host name is an address or a number, and only names are decided on")]
    Address,
}

impl HostName {
    /// Canonicalises: ASCII upper case folds to lower, one trailing dot goes. Nothing else is repaired.
    ///
    /// # Errors
    /// [`InvalidHost`] when the text is not a plain name; the caller must refuse, not guess.
    pub fn parse(text: &str) -> Result<Self, InvalidHost> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() || text.len() > 253 {
            return Err(InvalidHost::Length);
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.') {
            return Err(InvalidHost::Byte);
        }
        let lower = text.to_ascii_lowercase();
        for label in lower.split('.') {
            if label.is_empty() || label.len() > 63 || label.starts_with('-') || label.ends_with('-') {
                return Err(InvalidHost::Label);
            }
        }
        // The URL standard's "ends in a number" rule: such a host is an IPv4 address in some spelling.
        let last = lower.rsplit('.').next().unwrap_or_default();
        let hex = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
        if hex || last.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidHost::Address);
        }
        Ok(Self(lower))
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for HostName {
    type Error = InvalidHost;
    fn try_from(text: String) -> Result<Self, InvalidHost> {
        Self::parse(&text)
    }
}

impl From<HostName> for String {
    fn from(host: HostName) -> Self {
        host.0
    }
}

/// A name and a port: what a route is decided on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint {
    /// Canonical name.
    pub host: HostName,
    /// TCP port, never 0.
    pub port: u16,
}

/// Why a text is not an endpoint.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEndpoint {
    /// The host part is bad.
    #[error("bad host in endpoint `{text}`")]
    Host {
        /// The text as given.
        text: String,
        /// What is wrong with it.
        #[source]
        source: InvalidHost,
    },
    /// Inside, the name is the container's own, so that it never reaches the proxy.
    #[error("`{host}` is the container itself inside; give the endpoint another name and pin its address")]
    Own {
        /// The name.
        host: HostName,
    },
    /// The port part is bad.
    #[error("bad port in endpoint `{text}`: use a number from 1 to 65535")]
    Port {
        /// The text as given.
        text: String,
    },
}

impl Endpoint {
    /// Reads `host` (port 443) or `host:port`.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] names the half that is wrong.
    pub fn parse(text: &str) -> Result<Self, InvalidEndpoint> {
        let shown = || crate::text::printable(text, 80);
        let (host, port) = text.split_once(':').unwrap_or((text, "443"));
        let plain = !port.is_empty() && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
        let port = port.parse::<u16>().ok().filter(|port| plain && *port != 0);
        let port = port.ok_or_else(|| InvalidEndpoint::Port { text: shown() })?;
        let host = HostName::parse(host).map_err(|source| InvalidEndpoint::Host { text: shown(), source })?;
        Ok(Self { host, port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl TryFrom<String> for Endpoint {
    type Error = InvalidEndpoint;
    fn try_from(text: String) -> Result<Self, InvalidEndpoint> {
        Self::parse(&text)
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

/// Names by which clouds serve their metadata; most of them lead to it only on the cloud's own machines.
pub const METADATA_NAMES: [&str; 4] = ["metadata.google.internal", "metadata", "metadata.goog", "instance-data"];

impl HostName {
    /// True for a name that stands for something of this machine or its network, or of a cloud's inside: one without a dot, one that is
    /// reserved for that (RFC 6761, 6762, 8375, and `internal`), or a metadata service. It must not be trusted without an address.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        const RESERVED: [&str; 4] = ["internal", "local", "localhost", "home.arpa"];
        let below = |zone: &str| self.0.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        !self.0.contains('.') || RESERVED.into_iter().any(below) || METADATA_NAMES.contains(&self.0.as_str())
    }
}

/// True when an address is one that a public name must not lead to: private, loopback, link-local, shared (CGNAT),
/// metadata, multicast, reserved, or an IPv6 form that embeds an IPv4 address of such a kind.
#[must_use]
pub fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_internal_v4(v4),
        IpAddr::V6(v6) => is_internal_v6(v6),
    }
}

fn is_internal_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
        || address.is_documentation()
        || address == Ipv4Addr::new(168, 63, 129, 16) // Azure's wire server
}

fn is_internal_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    let embedded = |hi: u16, lo: u16| {
        let [a, b] = hi.to_be_bytes();
        let [c, d] = lo.to_be_bytes();
        is_internal_v4(Ipv4Addr::new(a, b, c, d))
    };
    // Only 2000::/3 is global unicast; everything outside it is loopback, local, mapped, multicast or reserved.
    if s[0] & 0xe000 != 0x2000 {
        // NAT64 (64:ff9b::/96) reaches the IPv4 address in its tail.
        let nat64 = s[0] == 0x64 && s[1] == 0xff9b && s[2..6] == [0, 0, 0, 0];
        return !nat64 || embedded(s[6], s[7]);
    }
    let teredo = s[0] == 0x2001 && s[1] == 0;
    let documentation = s[0] == 0x2001 && s[1] == 0xdb8;
    let six_to_four = s[0] == 0x2002 && embedded(s[1], s[2]);
    teredo || documentation || six_to_four
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_or_none() {
        assert_eq!(HostName::parse("API.Example.COM.").map(String::from), Ok("api.example.com".into()));
        for bad in [
            "",
            ".",
            "a..b",
            "-a.b",
            "a-.b",
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "2130706433",
            "0177.0.0.1",
            "1.2.3.0x4",
            "[::1]",
            "a b",
            "evil\0.google.com",
            "a%00.b",
            "user@host",
            "exa\u{30f}mple.com",
            "a_b.c",
            "a..",
        ] {
            assert!(HostName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ports_are_plain_numbers() {
        assert_eq!(Endpoint::parse("a.example").map(|e| e.port).ok(), Some(443));
        for bad in ["a.example:0", "a.example:65537", "a.example:+443", "a.example:", "a.example:44 3", "a:b:1"] {
            assert!(Endpoint::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn internal_names_are_known_by_their_form() {
        let is_internal = |text: &str| HostName::parse(text).expect(text).is_internal();
        for name in
            ["registry", "Metadata.Google.Internal.", "metadata.goog", "nas.local", "a.localhost", "x.home.arpa"]
        {
            assert!(is_internal(name), "{name}");
        }
        for name in ["registry.example", "internal.example", "notlocal.example", "xhome.arpa", "goog.example"] {
            assert!(!is_internal(name), "{name}");
        }
    }

    #[test]
    fn internal_addresses_in_every_dress() {
        let internal = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
        ];
        for text in internal {
            assert!(text.parse().is_ok_and(is_internal), "{text}");
        }
        for text in ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808"] {
            assert!(text.parse().is_ok_and(|address| !is_internal(address)), "{text}");
        }
    }
}
