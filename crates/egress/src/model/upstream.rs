//! The connection to the model endpoint: one permit, TLS with the host's certificate authorities, idle connections kept.
//! Redirects are never followed, so that the credential goes to this endpoint and to nothing else.

use super::{
    answer::{Answer, Incoming},
    credential::{self, Hearing, Held, Holder},
    headers,
    refused::Refused,
};
use crate::{
    config::{ConfigError, UpstreamConfig},
    limits::{COPY_BYTES, HEADERS, Limits, POOL_AGE, POOL_IDLE},
    permit::{DialError, Permit, dial},
    refusal::Refusal,
};
use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Method, Request, StatusCode, Uri,
    client::conn::http1::{self, SendRequest},
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;
use types::{profile::ServerSide, secret::redact_url};
use url::Url;

type Sender = SendRequest<Full<Bytes>>;

/// Where the model endpoint is, as its URL says.
struct Place {
    host: String,
    port: u16,
    host_header: HeaderValue,
    prefix: String,
    /// The name that its certificate must have; none without TLS.
    name: Option<ServerName<'static>>,
}

/// The model endpoint.
pub(crate) struct Upstream {
    place: Place,
    tls: Option<TlsConnector>,
    credential: Holder,
    server_side: ServerSide,
    pool: Arc<Pool>,
    resolve: Duration,
    dial: Duration,
    idle: Duration,
}

/// Idle connections and the tasks that drive all of them; both end with the gateway.
#[derive(Default)]
struct Pool {
    idle: Mutex<Vec<(Sender, Instant)>>,
    tasks: Mutex<JoinSet<()>>,
}

/// Whether [`Upstream::new`] would take this, but for the host's certificate authorities.
///
/// # Errors
/// [`ConfigError`]
pub(crate) fn check(config: &UpstreamConfig) -> Result<(), ConfigError> {
    Place::parse(&config.url)?;
    credential::check(&config.credential).map(drop)
}

impl Place {
    fn parse(url: &Url) -> Result<Self, ConfigError> {
        let bad = |reason| ConfigError::Upstream { url: redact_url(url.as_str()), reason };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| bad("it has no host"))?.to_owned();
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or_else(|| bad("it has no port"))?;
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(bad("use scheme, host, port and path only"));
        }
        let name = match url.scheme() {
            "http" => None,
            "https" => {
                let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                Some(ServerName::try_from(bare).map_err(|_| bad("the host cannot be named in TLS"))?)
            }
            _ => return Err(bad("use https, or http for a local model")),
        };
        let shown = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let host_header = HeaderValue::from_str(&shown).map_err(|_| bad("the host cannot stand in a header"))?;
        Ok(Self { host, port, host_header, prefix: url.path().trim_end_matches('/').to_owned(), name })
    }
}

impl Upstream {
    /// Checks the endpoint and prepares TLS with the host's certificate authorities.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub(crate) fn new(
        config: &UpstreamConfig,
        server_side: ServerSide,
        limits: &Limits,
        hearing: &Hearing,
    ) -> Result<Self, ConfigError> {
        let roots = if config.url.scheme() == "https" { native_roots()? } else { RootCertStore::empty() };
        Self::with_roots(config, server_side, limits, hearing, roots)
    }

    /// The same with these authorities.
    fn with_roots(
        config: &UpstreamConfig,
        server_side: ServerSide,
        limits: &Limits,
        hearing: &Hearing,
        roots: RootCertStore,
    ) -> Result<Self, ConfigError> {
        let place = Place::parse(&config.url)?;
        let tls = match place.name {
            Some(_) => Some(TlsConnector::from(Arc::new(tls_config(roots)?))),
            None => None,
        };
        Ok(Self {
            place,
            tls,
            credential: Holder::new(&config.credential, hearing)?,
            server_side,
            pool: Arc::default(),
            resolve: limits.resolve,
            dial: limits.dial,
            idle: limits.idle,
        })
    }

    /// Sends a request and waits for the answer's head. `path_and_query` begins with a slash. When the endpoint refuses a token that
    /// can be replaced, the request is sent once more with the new one. `sent` is true while the endpoint may have the request, also
    /// when this is dropped half way; false before, when it did not take it, and when it refused the token.
    ///
    /// # Errors
    /// [`Refused::Unreachable`] when no answer came; [`Refused::Credential`], [`Refused::Token`].
    pub(crate) async fn send(
        &self,
        path_and_query: &str,
        client: &HeaderMap,
        body: Bytes,
        sent: &mut bool,
    ) -> Result<Answer, Refused> {
        let held = self.credential.held().await?;
        let answer = self.transmit(path_and_query, client, &held, body.clone(), sent).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            *sent = false;
            if let Some(next) = self.credential.held_after(&held).await? {
                return self.transmit(path_and_query, client, &next, body, sent).await;
            }
        }
        Ok(answer)
    }

    async fn transmit(
        &self,
        target: &str,
        client: &HeaderMap,
        held: &Held,
        body: Bytes,
        sent: &mut bool,
    ) -> Result<Answer, Refused> {
        let uri: Uri = format!("{}{target}", self.place.prefix).parse().map_err(|_| Refused::Path)?;
        let mut headers = headers::request(client, held.field.as_ref(), self.server_side)?;
        headers.insert(HOST, self.place.host_header.clone());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;

        // A kept connection may have been closed by the other side; a request that it did not take goes over the next one.
        while let Some(mut sender) = self.pool.take() {
            if !matches!(timeout(self.dial, sender.ready()).await, Ok(Ok(()))) {
                continue;
            }
            *sent = true;
            match timeout(self.idle, sender.try_send_request(request)).await {
                Ok(Ok(response)) => return Ok(self.answer(response, sender)),
                Ok(Err(mut error)) => match error.take_message() {
                    Some(unsent) => {
                        *sent = false;
                        request = unsent;
                    }
                    None => return Err(broken(&error.into_error())),
                },
                Err(_) => return Err(late()),
            }
        }
        let mut sender = self.connect().await.map_err(Refused::Unreachable)?;
        *sent = true;
        match timeout(self.idle, sender.try_send_request(request)).await {
            Ok(Ok(response)) => Ok(self.answer(response, sender)),
            Ok(Err(mut error)) => {
                *sent = error.take_message().is_none();
                Err(broken(&error.into_error()))
            }
            Err(_) => Err(late()),
        }
    }

    async fn connect(&self) -> Result<Sender, Refusal> {
        let end = Instant::now() + self.dial;
        let Place { host, port, name, .. } = &self.place;
        let permit = Permit::for_model(host, *port, self.tls.is_none(), self.resolve).await?;
        let stream = dial(&permit, self.dial).await?;
        match self.tls.as_ref().zip(name.as_ref()) {
            None => self.handshake(stream).await,
            Some((connector, name)) => {
                let stream = timeout_at(end, connector.connect(name.clone(), stream))
                    .await
                    .map_err(|_| DialError::Deadline)?
                    .map_err(DialError::Unreachable)?;
                self.handshake(stream).await
            }
        }
    }

    async fn handshake<S>(&self, stream: S) -> Result<Sender, Refusal>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .max_headers(HEADERS)
            .max_buf_size(COPY_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Refusal::BadAnswer { reason: error.to_string() })?;
        self.pool.drive(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to the model endpoint ended");
            }
        });
        Ok(sender)
    }

    fn answer(&self, response: hyper::Response<hyper::body::Incoming>, sender: Sender) -> Answer {
        let (parts, body) = response.into_parts();
        let state = (body, Some((sender, Arc::clone(&self.pool))), self.idle);
        let body: Incoming = Box::pin(stream::unfold(state, |(mut body, mut kept, idle)| async move {
            loop {
                // Taken while reading: a body that is dropped half way takes its connection with it.
                match timeout(idle, body.frame()).await {
                    Err(_) => return Some((Err(io::ErrorKind::TimedOut.into()), (body, None, idle))),
                    Ok(Some(Err(error))) => return Some((Err(io::Error::other(error)), (body, None, idle))),
                    Ok(Some(Ok(frame))) => {
                        if let Ok(data) = frame.into_data() {
                            return Some((Ok(data), (body, kept, idle)));
                        }
                    }
                    Ok(None) => {
                        if let Some((sender, pool)) = kept.take() {
                            pool.put(sender);
                        }
                        return None;
                    }
                }
            }
        }));
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

impl Pool {
    fn take(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((sender, since)) = idle.pop() {
            if since.elapsed() < POOL_AGE && !sender.is_closed() {
                return Some(sender);
            }
        }
        None
    }

    fn put(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(sender, since)| since.elapsed() < POOL_AGE && !sender.is_closed());
        if idle.len() < POOL_IDLE {
            idle.push((sender, Instant::now()));
        }
    }

    fn drive(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(connection);
    }
}

fn broken(error: &hyper::Error) -> Refused {
    Refused::Unreachable(Refusal::BadAnswer { reason: error.to_string() })
}

fn late() -> Refused {
    Refused::Unreachable(Refusal::Dial(DialError::Deadline))
}

pub(crate) fn native_roots() -> Result<RootCertStore, ConfigError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(ConfigError::NoRoots { errors: found.errors.len() });
    }
    Ok(roots)
}

pub(crate) fn tls_config(roots: RootCertStore) -> Result<ClientConfig, ConfigError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ConfigError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audit::RunBytes, config::Credential, observer::Deaf, scan::Secrets};
    use futures::StreamExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use types::secret::Secret;

    fn config(url: &str) -> UpstreamConfig {
        UpstreamConfig { url: url.parse().expect(url), credential: Credential::ApiKey(Secret::new("sk-1")) }
    }

    #[test]
    fn only_plain_endpoints_are_accepted() {
        let check = |url| check(&config(url));
        for good in [
            "https://a.example",
            "https://a.example:8443/prefix/",
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "https://[::1]:1",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "ftp://a.example",
            "https://u:p@a.example",
            "https://a.example/?key=x",
            "https://a.example/#x",
            "file:///x",
            "http://a.example:0",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    /// A TLS endpoint that answers one request on each connection and reports the bytes it got.
    async fn endpoint(tasks: &mut JoinSet<()>) -> (u16, RootCertStore, Arc<Mutex<Vec<u8>>>) {
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("certificate");
        let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("key");
        let server = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .expect("server");
        let mut roots = RootCertStore::empty();
        roots.add(certified.cert.der().clone()).expect("root");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
        let got: Arc<Mutex<Vec<u8>>> = Arc::default();
        let shared = Arc::clone(&got);
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut buf = vec![0; 4096];
                let count = stream.read(&mut buf).await.unwrap_or(0);
                shared.lock().expect("lock").extend_from_slice(&buf[..count]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
            }
        });
        (port, roots, got)
    }

    #[tokio::test]
    async fn the_credential_goes_only_to_an_endpoint_with_the_right_certificate() {
        let mut tasks = JoinSet::new();
        let (port, roots, got) = endpoint(&mut tasks).await;
        let url = format!("https://localhost:{port}");
        let send = |roots| {
            let hearing =
                Hearing { sink: Arc::new(Deaf), bytes: Arc::new(RunBytes::new(0, 0)), secrets: Secrets::default() };
            let (config, limits) = (config(&url), Limits::default());
            let upstream = Upstream::with_roots(&config, ServerSide::Deny, &limits, &hearing, roots).expect("upstream");
            async move {
                upstream
                    .send("/v1/messages", &HeaderMap::new(), Bytes::from_static(b"{}"), &mut false)
                    .await
                    .map(|answer| (answer, upstream))
            }
        };
        assert!(matches!(send(RootCertStore::empty()).await, Err(Refused::Unreachable(_))));
        assert!(got.lock().expect("lock").is_empty());
        let (mut answer, _upstream) = send(roots).await.expect("answer");
        assert_eq!(answer.body.next().await.expect("body").expect("bytes"), "hi");
        let sent = String::from_utf8(got.lock().expect("lock").clone()).expect("text");
        assert!(
            sent.contains("x-api-key: sk-1\r\n") && sent.contains(&format!("host: localhost:{port}\r\n")),
            "{sent}"
        );
    }
}
