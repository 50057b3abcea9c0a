//! The question that costs an engine least: who it is and which API it speaks. (For `/version` Docker starts three programs.)

use super::hijack::{malformed, read_head, status};
use crate::{endpoint::Endpoint, state::EngineKind};
use bollard::ClientVersion;
use std::{io, time::Duration};
use tokio::io::AsyncWriteExt;

const REQUEST: &[u8] = b"GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n";

/// An engine's answer.
#[derive(Debug)]
pub(super) struct Pong {
    /// The newest API that it speaks.
    pub(super) api: ClientVersion,
    pub(super) kind: EngineKind,
}

/// Asks, on a connection of its own.
pub(super) async fn ping(endpoint: &Endpoint, within: Duration) -> io::Result<Pong> {
    let asking = async {
        let (mut read, mut write) = endpoint.dial(within).await?;
        write.write_all(REQUEST).await?;
        write.flush().await?;
        let (head, _body) = read_head(&mut read).await?;
        pong(&head).ok_or_else(malformed)
    };
    tokio::time::timeout(within, asking).await?
}

fn pong(head: &[u8]) -> Option<Pong> {
    if status(head)? != 200 {
        return None;
    }
    let text = std::str::from_utf8(head).ok()?;
    let value = |name: &str| {
        let mut fields = text.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let (major, minor) = value("api-version")?.split_once('.')?;
    let api = ClientVersion { major_version: major.parse().ok()?, minor_version: minor.parse().ok()? };
    let kind = if value("libpod-api-version").is_some() { EngineKind::Podman } else { EngineKind::Docker };
    Some(Pong { api, kind })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(fields: &str) -> Option<(usize, usize, EngineKind)> {
        let pong = pong(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n").as_bytes())?;
        Some((pong.api.major_version, pong.api.minor_version, pong.kind))
    }

    #[test]
    fn engines_are_told_apart() {
        let docker = "Api-Version: 1.41\r\nOstype: linux\r\nServer: Docker/20.10.24 (linux)";
        assert_eq!(read(docker), Some((1, 41, EngineKind::Docker)));
        let podman = "API-Version: 1.40\r\nLibpod-API-Version: 4.3.1\r\nServer: Libpod/4.3.1 (linux)";
        assert_eq!(read(podman), Some((1, 40, EngineKind::Podman)));
        for other in ["Server: nginx", "Api-Version: one", "Api-Version: 1", "Api-Version: 1.-4"] {
            assert_eq!(read(other), None, "{other}");
        }
        assert!(pong(b"HTTP/1.1 403 Forbidden\r\nApi-Version: 1.41\r\n\r\n").is_none());
    }

    proptest! {
        #[test]
        fn any_head_is_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
            head.extend(bytes);
            let _any_answer_is_fine = pong(&head);
        }
    }
}
