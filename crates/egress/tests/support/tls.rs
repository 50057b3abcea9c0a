//! A TLS endpoint on loopback that speaks HTTP/1.1 and records every request, and clients that come through the proxy.

use super::Fixture;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{HeaderMap, Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncWriteExt as _, DuplexStream},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};
use types::wire::Open;

pub type Body = UnsyncBoxBody<Bytes, Infallible>;
type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
type Handler = Arc<dyn Fn(Got) -> Answering + Send + Sync>;

/// A request as the endpoint got it.
#[derive(Clone, Debug)]
pub struct Got {
    pub method: String,
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The endpoint.
pub struct TlsEndpoint {
    pub address: SocketAddr,
    /// Its certificate authority, PEM.
    pub root: String,
    pub got: Arc<Mutex<Vec<Got>>>,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

pub fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).boxed_unsync()
}

impl TlsEndpoint {
    /// Answers as `handler` says, for these names.
    pub async fn start(names: &[&str], handler: impl Fn(Got) -> Answering + Send + Sync + 'static) -> Self {
        let certified =
            rcgen::generate_simple_self_signed(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let certified = certified.expect("certificate");
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("key");
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .expect("server");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let connections: Arc<AtomicUsize> = Arc::default();
        let handler: Handler = Arc::new(handler);
        let mut tasks = JoinSet::new();
        let (seen, count) = (Arc::clone(&got), Arc::clone(&connections));
        tasks.spawn(async move {
            let mut serving = JoinSet::new();
            let echoes = Arc::new(Mutex::new(JoinSet::new()));
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (acceptor, handler, seen) = (acceptor.clone(), Arc::clone(&handler), Arc::clone(&seen));
                let echoes = Arc::clone(&echoes);
                serving.spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request: Request<Incoming>| {
                        let (handler, seen, echoes) = (Arc::clone(&handler), Arc::clone(&seen), Arc::clone(&echoes));
                        async move { answer(request, &handler, &seen, &echoes).await }
                    });
                    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    let _ended = connection.with_upgrades().await;
                });
            }
        });
        Self { address, root: certified.cert.pem(), got, connections, _tasks: tasks }
    }

    /// Answers every request with 200 and this text.
    pub async fn saying(names: &[&str], text: &'static str) -> Self {
        Self::start(names, move |_| Box::pin(async move { Response::new(full(text)) })).await
    }

    pub fn requests(&self) -> Vec<Got> {
        self.got.lock().expect("lock").clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn answer(
    mut request: Request<Incoming>,
    handler: &Handler,
    seen: &Mutex<Vec<Got>>,
    echoes: &Mutex<JoinSet<()>>,
) -> Result<Response<Body>, Infallible> {
    let upgrade = request.headers().contains_key("upgrade").then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let got = Got {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        headers: parts.headers.clone(),
        body: Bytes::new(),
    };
    if let Some(upgrade) = upgrade {
        // What comes goes back.
        echoes.lock().expect("lock").spawn(async move {
            let Ok(upgraded) = upgrade.await else { return };
            let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgraded));
            let _ended = tokio::io::copy(&mut reader, &mut writer).await;
        });
        seen.lock().expect("lock").push(got.clone());
        return Ok(handler(got).await);
    }
    let Ok(collected) = body.collect().await else { return Ok(Response::new(full("cut"))) };
    let got = Got { body: collected.to_bytes(), ..got };
    seen.lock().expect("lock").push(got.clone());
    Ok(handler(got).await)
}

/// A TLS connection through the proxy, as a program that trusts `root` makes it.
pub async fn through_proxy(
    fixture: &mut Fixture,
    root: &str,
    asked: &str,
    name: &str,
    protocols: &[&[u8]],
) -> std::io::Result<TlsStream<DuplexStream>> {
    let mut stream = fixture.open(Open::Proxy);
    stream.write_all(format!("CONNECT {asked} HTTP/1.1\r\nHost: {asked}\r\n\r\n").as_bytes()).await?;
    let established = super::read_until(&mut stream, "\r\n\r\n").await;
    assert!(established.starts_with("HTTP/1.1 200 "), "{established}");
    handshake(stream, root, name, protocols).await
}

/// TLS over a stream.
pub async fn handshake(
    stream: DuplexStream,
    root: &str,
    name: &str,
    protocols: &[&[u8]],
) -> std::io::Result<TlsStream<DuplexStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).expect("pem")).expect("root");
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name.to_owned()).expect(name), stream).await
}
