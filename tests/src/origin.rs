//! The endpoint that everything is measured against: HTTP/1.1 on loopback, in TLS and in plain text, with answers of the size that the path
//! names. It is as simple as can be, so that what stands between shows.

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

/// The names that it answers to: through a tunnel, and where requests are looked at.
pub const NAMES: [&str; 2] = ["tunnel.bench", "requests.bench"];
/// Size of one write, in bytes.
const PIECE: usize = 256 * 1024;

/// The endpoint; it goes with the process.
#[derive(Debug)]
pub struct Origin {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it speaks in plain text.
    pub plain: SocketAddr,
    /// Its certificate, which is its own authority.
    pub certificate: CertificateDer<'static>,
    /// The same as text.
    pub pem: String,
}

impl Origin {
    /// Listens.
    ///
    /// # Panics
    /// When it cannot.
    #[must_use]
    pub fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(NAMES.map(str::to_owned).to_vec()).expect("certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let certificate = made.cert.der().clone();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .expect("server");
        let config = Arc::new(config);
        let address = listen(move |stream| {
            let tls = ServerConnection::new(Arc::clone(&config)).ok()?;
            serve(StreamOwned::new(tls, stream))
        });
        let plain = listen(serve);
        Self { address, plain, certificate, pem: made.cert.pem() }
    }
}

/// Has every connection served in a thread of its own; gives the address.
fn listen(serve: impl Fn(TcpStream) -> Option<()> + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let address = listener.local_addr().expect("address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || stream.set_nodelay(true).ok().and_then(|()| serve(stream)));
        }
    });
    address
}

/// Answers until the client goes.
fn serve(stream: impl Read + Write) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let piece = vec![b'x'; PIECE];
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let size: usize = line.split(' ').nth(1)?.strip_prefix('/')?.parse().ok()?;
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).ok()?;
        }
        let stream = reader.get_mut();
        stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n").as_bytes()).ok()?;
        let mut left = size;
        while left > 0 {
            let count = left.min(PIECE);
            stream.write_all(&piece[..count]).ok()?;
            left -= count;
        }
        stream.flush().ok()?;
    }
}
