//! A client that comes directly or through a proxy's CONNECT, and takes the time.

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName},
};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

/// How the endpoint is reached.
#[derive(Clone)]
pub(crate) struct Way {
    /// What it is called in the table.
    pub(crate) name: &'static str,
    /// The proxy; none for the direct way.
    pub(crate) proxy: Option<SocketAddr>,
    /// What CONNECT asks for.
    pub(crate) asked: String,
    /// The name in TLS.
    pub(crate) server: &'static str,
    /// What its certificate is checked by.
    pub(crate) root: CertificateDer<'static>,
    /// The proxy's process.
    pub(crate) pid: Option<u32>,
}

/// A connection.
pub(crate) struct Connection {
    reader: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    server: &'static str,
}

/// What one answer took.
pub(crate) struct Took {
    /// To the first byte of the answer.
    pub(crate) first: Duration,
    /// To its last.
    pub(crate) whole: Duration,
}

impl Way {
    /// Connects, TLS included.
    pub(crate) fn connect(&self, direct: SocketAddr) -> Connection {
        let mut stream = TcpStream::connect(self.proxy.unwrap_or(direct)).expect(self.name);
        stream.set_nodelay(true).expect("nodelay");
        if self.proxy.is_some() {
            let asked = &self.asked;
            stream.write_all(format!("CONNECT {asked} HTTP/1.1\r\nHost: {asked}\r\n\r\n").as_bytes()).expect(self.name);
            let head = read_head(&mut stream);
            assert!(head.starts_with("HTTP/1.1 200") || head.starts_with("HTTP/1.0 200"), "{}: {head}", self.name);
        }
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).expect("root");
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(self.server).expect("name");
        let client = ClientConnection::new(Arc::new(config), name).expect("client");
        let reader = BufReader::with_capacity(256 * 1024, StreamOwned::new(client, stream));
        Connection { reader, server: self.server }
    }
}

/// Byte by byte: nothing behind the head is taken.
fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text")
}

impl Connection {
    /// Asks for so many bytes and reads them.
    pub(crate) fn get(&mut self, size: usize) -> Took {
        let since = Instant::now();
        let request = format!("GET /{size} HTTP/1.1\r\nHost: {}\r\n\r\n", self.server);
        self.reader.get_mut().write_all(request.as_bytes()).expect("request");
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("answer");
        let first = since.elapsed();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        while line != "\r\n" {
            line.clear();
            self.reader.read_line(&mut line).expect("head");
        }
        let mut left = size;
        while left > 0 {
            let count = self.reader.fill_buf().expect("body").len().min(left);
            assert!(count > 0, "{left} bytes are missing");
            self.reader.consume(count);
            left -= count;
        }
        Took { first, whole: since.elapsed() }
    }
}
