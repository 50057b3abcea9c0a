//! Resolution and dialling. A name is resolved once, on the host, every address is checked, and the connection goes to a
//! checked address: a name cannot be public when checked and private when dialled.

use crate::{decide::Decided, limits::DIAL_ADDRESSES};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    net::{TcpStream, UdpSocket, lookup_host},
    time::{Instant, timeout, timeout_at},
};
use types::host::{Endpoint, is_internal};

/// Leave to connect: the checked addresses of one route, or of the model endpoint that the operator named.
///
/// It is made only here, by [`Permit::for_route`] and for the model gateway's own upstream.
#[derive(Clone, Debug)]
pub struct Permit {
    addresses: Vec<SocketAddr>,
}

/// Why a name gave no permit.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The resolver has no answer.
    #[error("`{name}` could not be resolved")]
    Unresolvable {
        /// The name.
        name: String,
        /// The resolver's error; none when the answer was empty.
        #[source]
        source: Option<io::Error>,
    },
    /// The resolver took too long.
    #[error("`{name}` was not resolved in time")]
    Deadline {
        /// The name.
        name: String,
    },
    /// The name leads to an address that a public name must not lead to.
    #[error("`{name}` leads to {address}, an internal address or one of this host")]
    Internal {
        /// The name.
        name: String,
        /// The first address that is refused.
        address: IpAddr,
    },
    /// A plain-text model endpoint that is not internal.
    #[error("`{name}` leads to {address}, and a credential is not sent there without TLS")]
    PlainText {
        /// The name.
        name: String,
        /// The first address that is refused.
        address: IpAddr,
    },
}

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Every address refused or failed.
    #[error("no address of the endpoint could be connected to")]
    Unreachable(#[source] io::Error),
    /// The deadline passed.
    #[error("the endpoint did not accept a connection in time")]
    Deadline,
    /// It accepted, and TLS did not come about.
    #[error("the endpoint's TLS cannot be trusted or was not completed")]
    Tls(#[source] io::Error),
}

impl Permit {
    /// Resolves a decided route. A pinned address is taken as it is, because the operator named it.
    ///
    /// # Errors
    /// [`ResolveError`]; one internal address among several refuses the whole answer.
    pub async fn for_route(decided: Decided<'_>, deadline: Duration) -> Result<Self, ResolveError> {
        let route = decided.route();
        if let Some(address) = route.address {
            return Ok(Self { addresses: vec![address] });
        }
        let Endpoint { host, port } = &route.endpoint;
        let addresses = resolve(host.as_str(), *port, deadline).await?;
        for address in &addresses {
            if is_internal(address.ip()) || is_own(*address).await {
                return Err(ResolveError::Internal { name: host.to_string(), address: address.ip() });
            }
        }
        Ok(Self { addresses })
    }

    /// Resolves the model endpoint. Internal addresses are fine; without TLS (`plain`) only they are.
    pub(crate) async fn for_model(
        host: &str,
        port: u16,
        plain: bool,
        deadline: Duration,
    ) -> Result<Self, ResolveError> {
        // A URL writes IPv6 addresses in brackets; the resolver wants them bare.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = resolve(host, port, deadline).await?;
        if let Some(public) = addresses.iter().find(|address| plain && !is_internal(address.ip())) {
            return Err(ResolveError::PlainText { name: host.to_owned(), address: public.ip() });
        }
        Ok(Self { addresses })
    }
}

async fn resolve(name: &str, port: u16, deadline: Duration) -> Result<Vec<SocketAddr>, ResolveError> {
    let answer = timeout(deadline, lookup_host((name, port)))
        .await
        .map_err(|_| ResolveError::Deadline { name: name.to_owned() })?
        .map_err(|source| ResolveError::Unresolvable { name: name.to_owned(), source: Some(source) })?;
    let addresses: Vec<_> = answer.collect();
    if addresses.is_empty() {
        return Err(ResolveError::Unresolvable { name: name.to_owned(), source: None });
    }
    Ok(addresses)
}

/// True when the address is one of this host's own, also a public one: a datagram socket that is "connected" to it gets
/// it as its local address. Nothing is sent. An error means that there is no way there, which dialling will find too.
async fn is_own(address: SocketAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let local = async {
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(address).await?;
        socket.local_addr()
    };
    local.await.is_ok_and(|local: SocketAddr| local.ip() == address.ip())
}

/// Connects to the permit's addresses in order; the deadline covers all of them.
///
/// # Errors
/// [`DialError`]; the last address's error is the cause.
pub async fn dial(permit: &Permit, deadline: Duration) -> Result<TcpStream, DialError> {
    let end = Instant::now() + deadline;
    let count = permit.addresses.len().clamp(1, DIAL_ADDRESSES);
    // One address that swallows packets must not use up the time of the others.
    let share = deadline / u32::try_from(count).unwrap_or(1);
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in permit.addresses.iter().take(count) {
        let until = end.min(Instant::now() + share);
        match timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(DialError::Unreachable)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    if last.kind() == io::ErrorKind::TimedOut { Err(DialError::Deadline) } else { Err(DialError::Unreachable(last)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{Carriage, decide};
    use types::route::{Route, RouteKind, Scheme};

    const SOON: Duration = Duration::from_secs(5);

    async fn permit(text: &str, address: Option<SocketAddr>) -> Result<Permit, ResolveError> {
        let endpoint = Endpoint::parse(text).expect(text);
        let routes = [Route { address, ..Route::new(endpoint.clone(), RouteKind::Tls, Scheme::Https) }];
        Permit::for_route(decide(&endpoint, Carriage::Connect, &routes).expect("decided"), SOON).await
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_unless_pinned() {
        let error = permit("localhost:9", None).await.expect_err("internal");
        assert!(matches!(error, ResolveError::Internal { .. }), "{error}");

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let permit = permit("trusted.example", Some(address)).await.expect("pinned");
        let stream = dial(&permit, SOON).await.expect("dial");
        assert_eq!(stream.peer_addr().ok(), Some(address));
    }

    #[tokio::test]
    async fn own_addresses_are_recognised() {
        assert!(is_own("127.0.0.1:443".parse().expect("address")).await);
        assert!(!is_own("192.0.2.1:443".parse().expect("address")).await);
    }

    #[tokio::test]
    async fn a_credential_never_goes_out_in_the_clear() {
        assert!(Permit::for_model("127.0.0.1", 80, true, SOON).await.is_ok());
        assert!(Permit::for_model("[::1]", 80, true, SOON).await.is_ok());
        let error = Permit::for_model("8.8.8.8", 80, true, SOON).await.expect_err("plain text");
        assert!(matches!(error, ResolveError::PlainText { .. }));
        assert!(Permit::for_model("8.8.8.8", 443, false, SOON).await.is_ok());
    }

    #[tokio::test]
    async fn a_dead_address_is_unreachable() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        drop(listener);
        let permit = Permit { addresses: vec![address] };
        assert!(matches!(dial(&permit, SOON).await, Err(DialError::Unreachable(_))));
    }
}
