//! Loopback connections, each relayed over a stream of the session that is attached.
//!
//! A connection that is made while no host is attached waits for one, up to a deadline. A relay that breaks resets the
//! connection, so that a program inside never takes a cut answer for a whole one.

use channel::{ChannelError, Session, Stream, relay::relay};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use types::wire::Open;

/// Connections of all listeners together; further ones are reset.
const MAX_CONNECTIONS: usize = 512;
/// Time that a connection waits for a host.
const ATTACH_DEADLINE: Duration = Duration::from_secs(30);
/// Pause when the session has just broken and is still announced.
const RETRY: Duration = Duration::from_millis(20);

/// The way to the host, shared by all listeners.
#[derive(Clone)]
pub(super) struct Lines {
    uplink: watch::Receiver<Option<Session>>,
    slots: Arc<Semaphore>,
}

impl Lines {
    pub(super) fn new(uplink: watch::Receiver<Option<Session>>) -> Self {
        Self { uplink, slots: Arc::new(Semaphore::new(MAX_CONNECTIONS)) }
    }

    async fn open(&mut self, open: &Open) -> Option<Stream> {
        loop {
            let session = self.uplink.wait_for(Option::is_some).await.ok()?.clone()?;
            match session.open(open).await {
                Ok(stream) => return Some(stream),
                Err(ChannelError::Closed | ChannelError::Broken { .. }) => sleep(RETRY).await,
                Err(
                    ChannelError::Deadline { .. }
                    | ChannelError::Frame { .. }
                    | ChannelError::Refused { .. }
                    | ChannelError::Unexpected { .. }
                    | ChannelError::Version { .. },
                ) => return None,
            }
        }
    }
}

/// Accepts for ever; each connection gets a stream with the header `open`.
pub(super) async fn accept(listener: TcpListener, open: Open, lines: Lines) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    let Ok(slot) = lines.slots.clone().try_acquire_owned() else {
                        reset(&client);
                        continue;
                    };
                    let (lines, open) = (lines.clone(), open.clone());
                    connections.spawn(async move {
                        forward(client, &open, lines).await;
                        drop(slot);
                    });
                }
                // Out of descriptors: wait for some to come back.
                Err(_) => sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn forward(mut client: TcpStream, open: &Open, mut lines: Lines) {
    // Small requests and answers are what agents exchange; where it cannot be set, they are only slower.
    let _slower = client.set_nodelay(true);
    let Ok(Some(stream)) = timeout(ATTACH_DEADLINE, lines.open(open)).await else {
        reset(&client);
        return;
    };
    let (_, result) = relay(&mut client, stream).await;
    if result.is_err() {
        reset(&client);
    }
}

/// Makes the coming close a reset.
fn reset(client: &TcpStream) {
    let _closed_anyway = client.set_zero_linger();
}
