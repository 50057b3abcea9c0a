//! Where the engine answers, and raw connections to it.

use crate::error::{Error, Result};
use std::{fmt, io, path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use types::text::printable;

/// A transport of the engine's API. TLS and ssh are left to the tools that forward sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A Unix socket.
    Unix(PathBuf),
    /// `host:port` without encryption: for loopback and trusted networks only.
    Tcp(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

pub(crate) type RawRead = Box<dyn AsyncRead + Send + Sync + Unpin>;
pub(crate) type RawWrite = Box<dyn AsyncWrite + Send + Sync + Unpin>;

impl Endpoint {
    /// Reads a value of `DOCKER_HOST`.
    ///
    /// # Errors
    /// [`Error::BadEndpoint`] for anything but `unix:///PATH` and `tcp://HOST:PORT`.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || Error::BadEndpoint { text: printable(text, 100) };
        if let Some(path) = text.strip_prefix("unix://") {
            return if path.starts_with('/') { Ok(Self::Unix(path.into())) } else { Err(bad()) };
        }
        let address = text.strip_prefix("tcp://").ok_or_else(bad)?.trim_end_matches('/');
        let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'[' | b']' | b':');
        if host.is_empty() || !host.bytes().all(plain) || port.parse::<u16>().is_err() {
            return Err(bad());
        }
        Ok(Self::Tcp(address.to_owned()))
    }

    /// The places to look, best first: `docker_host` alone if it is set, else Docker's socket and then Podman's.
    ///
    /// # Errors
    /// [`Error::BadEndpoint`] when `docker_host` cannot be read.
    pub fn candidates(docker_host: Option<&str>, xdg_runtime_dir: Option<&str>) -> Result<Vec<Self>> {
        if let Some(text) = docker_host.filter(|text| !text.is_empty()) {
            return Ok(vec![Self::parse(text)?]);
        }
        let mut found = vec![Self::Unix("/var/run/docker.sock".into())];
        if let Some(dir) = xdg_runtime_dir.filter(|dir| dir.starts_with('/')) {
            found.push(Self::Unix(PathBuf::from(dir).join("podman/podman.sock")));
        }
        found.push(Self::Unix("/run/podman/podman.sock".into()));
        Ok(found)
    }

    /// A connection of its own, split; dropping the write half closes that direction.
    pub(crate) async fn dial(&self, within: Duration) -> io::Result<(RawRead, RawWrite)> {
        let dialling = async {
            Ok::<_, io::Error>(match self {
                Self::Unix(path) => {
                    let (read, write) = UnixStream::connect(path).await?.into_split();
                    (Box::new(read) as RawRead, Box::new(write) as RawWrite)
                }
                Self::Tcp(address) => {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    let (read, write) = stream.into_split();
                    (Box::new(read) as RawRead, Box::new(write) as RawWrite)
                }
            })
        };
        tokio::time::timeout(within, dialling).await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_host_is_read_strictly() {
        for good in ["unix:///var/run/docker.sock", "tcp://127.0.0.1:2375", "tcp://[::1]:2375", "tcp://engine:2375/"] {
            let endpoint = Endpoint::parse(good).expect(good);
            assert_eq!(endpoint.to_string(), good.trim_end_matches('/'));
        }
        for bad in [
            "",
            "ssh://host",
            "https://h:1",
            "unix://run/x",
            "tcp://h",
            "tcp://h:99999",
            "tcp://:1",
            "tcp://a b:1",
            "tcp://u@h:1",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_operator_who_names_an_engine_gets_no_other() {
        let named = Endpoint::candidates(Some("tcp://127.0.0.1:1"), Some("/run/user/1")).expect("valid");
        assert_eq!(named, [Endpoint::Tcp("127.0.0.1:1".into())]);
        let searched = Endpoint::candidates(None, Some("/run/user/1")).expect("valid");
        assert_eq!(searched.len(), 3);
        assert_eq!(searched[1].to_string(), "unix:///run/user/1/podman/podman.sock");
        assert!(Endpoint::candidates(Some("bogus"), None).is_err());
    }
}
