//! The certificate authority of the fake internet, and both ends of TLS.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, ServerName},
};
use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

/// How long a direct contact may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// One authority, and one certificate for every name there is.
#[derive(Debug)]
pub struct Authority {
    pem: String,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Authority {
    /// An authority that has signed a certificate for `names`.
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "fake internet");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("key");
        let root = params.self_signed(&key).expect("authority");
        let issuer = Issuer::new(params, key);
        let names: Vec<String> = names.chain(["*.evil.test"]).map(str::to_owned).collect();
        let own = KeyPair::generate().expect("key");
        let leaf = CertificateParams::new(names).and_then(|params| params.signed_by(&own, &issuer)).expect("leaf");

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let private = PrivateKeyDer::try_from(own.serialize_der()).expect("key");
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], private)
            .expect("server");
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).expect("root");
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { pem: root.pem(), server: Arc::new(server), client: Arc::new(client) }
    }

    /// The authority's certificate.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The server's end of a connection.
    pub(super) fn accept<S: io::Read + io::Write>(&self, stream: S) -> Option<StreamOwned<ServerConnection, S>> {
        ServerConnection::new(Arc::clone(&self.server)).ok().map(|server| StreamOwned::new(server, stream))
    }

    /// A request with `mark` in its path.
    pub(super) fn request(&self, address: SocketAddr, mark: &str) -> io::Result<()> {
        let name = ServerName::try_from("ok.test").expect("name");
        let client = ClientConnection::new(Arc::clone(&self.client), name).map_err(io::Error::other)?;
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut stream = StreamOwned::new(client, stream);
        write!(stream, "GET /{mark} HTTP/1.1\r\nHost: direct.test\r\nConnection: close\r\n\r\n")?;
        let _answer = stream.read(&mut [0; 1]);
        Ok(())
    }
}
