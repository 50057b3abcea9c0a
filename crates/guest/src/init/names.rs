//! DNS on loopback, over UDP and TCP. The answers are [`crate::dns::answer`]'s; nothing is forwarded.

use crate::dns::{MAX_MESSAGE, answer};
use std::{collections::HashMap, io, net::Ipv4Addr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinSet,
    time::{sleep, timeout},
};
use types::host::HostName;

/// Trusted names and their loopback addresses.
type Zone = Arc<HashMap<HostName, Ipv4Addr>>;

/// TCP connections at once.
const MAX_CONNECTIONS: usize = 32;
/// Time a TCP connection may take, in all.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(10);

/// Answers datagrams for ever.
pub(super) async fn serve_udp(socket: UdpSocket, zone: Zone) {
    let mut buffer = [0; MAX_MESSAGE + 1];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, peer)) => {
                if let Some(reply) = answer(&buffer[..length], &zone) {
                    // A client that is gone, or a full buffer: resolvers ask again.
                    let _lost = socket.send_to(&reply, peer).await;
                }
            }
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    }
}

/// Answers over connections for ever.
pub(super) async fn serve_tcp(listener: TcpListener, zone: Zone) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) if connections.len() < MAX_CONNECTIONS => {
                    let zone = zone.clone();
                    connections.spawn(async move {
                        let _ended = timeout(CONNECTION_DEADLINE, converse(client, &zone)).await;
                    });
                }
                Ok(_) => {}
                Err(_) => sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn converse(mut client: TcpStream, zone: &Zone) -> io::Result<()> {
    loop {
        let length = usize::from(client.read_u16().await?);
        if length > MAX_MESSAGE {
            return Ok(());
        }
        let mut query = vec![0; length];
        client.read_exact(&mut query).await?;
        let Some(reply) = answer(&query, zone) else { return Ok(()) };
        let mut framed = u16::try_from(reply.len()).map_err(io::Error::other)?.to_be_bytes().to_vec();
        framed.extend(reply);
        client.write_all(&framed).await?;
    }
}
