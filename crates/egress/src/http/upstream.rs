//! Connections to endpoints for the requests of one client connection. One that has answered carries the next request to the same
//! endpoint; nothing is shared with other clients.

use super::upload::Outgoing;
use crate::{
    decide::Decided,
    limits::{COPY_BYTES, HEADERS, UPSTREAM_IDLE},
    permit::{DialError, Permit, dial},
    refusal::Refusal,
    serve::Run,
};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinSet,
    time::{Instant, timeout_at},
};
use types::{
    host::Endpoint,
    route::{Route, Scheme},
};

/// The connections that are kept, and the tasks that drive all of them. Dropping it ends them.
#[derive(Default)]
pub(crate) struct Upstream {
    idle: Mutex<Vec<Sender>>,
    tasks: Mutex<JoinSet<()>>,
}

/// A connection that can carry a request.
pub(crate) struct Sender {
    endpoint: Endpoint,
    /// Where it goes.
    pub(crate) address: Option<SocketAddr>,
    /// The connection.
    pub(crate) requests: SendRequest<Outgoing>,
}

impl Upstream {
    /// A connection to the endpoint of a route: a kept one, or a new one to an address that is checked now.
    ///
    /// # Errors
    /// [`Refusal`]
    pub(crate) async fn connect(&self, run: &Run, decided: Decided<'_>) -> Result<Sender, Refusal> {
        let route = decided.route();
        while let Some(mut kept) = self.take(&route.endpoint) {
            if kept.requests.ready().await.is_ok() {
                return Ok(kept);
            }
        }
        let end = Instant::now() + run.limits.dial;
        let permit = Permit::for_route(decided, run.limits.resolve).await?;
        let stream = dial(&permit, run.limits.dial).await?;
        let address = stream.peer_addr().ok();
        let requests = match route.scheme {
            Scheme::Http => self.handshake(stream).await?,
            Scheme::Https => {
                let connected = timeout_at(end, run.connector()?.connect(server_name(route)?, stream)).await;
                self.handshake(connected.map_err(|_| DialError::Deadline)?.map_err(DialError::Tls)?).await?
            }
        };
        Ok(Sender { endpoint: route.endpoint.clone(), address, requests })
    }

    /// Takes a connection back whose answer was read to its end.
    pub(crate) fn keep(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < UPSTREAM_IDLE && !sender.requests.is_closed() {
            idle.push(sender);
        }
    }

    fn take(&self, endpoint: &Endpoint) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|sender| !sender.requests.is_closed());
        let at = idle.iter().position(|sender| sender.endpoint == *endpoint)?;
        Some(idle.swap_remove(at))
    }

    async fn handshake<S>(&self, stream: S) -> Result<SendRequest<Outgoing>, Refusal>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let made =
            http1::Builder::new().max_headers(HEADERS).max_buf_size(COPY_BYTES).handshake(TokioIo::new(stream)).await;
        let (requests, connection) = made.map_err(|error| bad_answer(&error))?;
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "connection to an endpoint ended");
            }
        });
        Ok(requests)
    }
}

/// What a failure of the client's side of a connection is to the program.
pub(crate) fn bad_answer(error: &hyper::Error) -> Refusal {
    Refusal::BadAnswer { reason: error.to_string() }
}

fn server_name(route: &Route) -> Result<ServerName<'static>, Refusal> {
    ServerName::try_from(route.endpoint.host.to_string())
        .map_err(|_| Refusal::BadAnswer { reason: "its name cannot stand in TLS".to_owned() })
}

/// A set of connections for one client connection.
pub(crate) type SharedUpstream = Arc<Upstream>;
