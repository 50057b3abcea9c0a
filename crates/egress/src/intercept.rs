//! Decrypting a connection whose route looks at requests: the hello is checked as on a tunnel, TLS ends here under the run's own
//! authority, and each request inside is decided.

use crate::{
    audit::Audit,
    decide::{Carriage, decide},
    http::{client::Reader, h1, h2},
    refusal::Refusal,
    serve::Run,
};
use std::{io::Cursor, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, join, split},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use types::{host::Endpoint, route::Scheme};

/// The name of HTTP/2 in the hello (RFC 7301).
const H2: &[u8] = b"h2";

/// Serves a connection to a decrypted endpoint from its first byte on.
pub(crate) async fn serve<R, W>(
    run: &Arc<Run>,
    via: &'static str,
    asked: &Endpoint,
    reader: Reader<R>,
    writer: W,
    audit: Audit,
) where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let mut reader = reader;
    let accepted = async {
        decide(asked, Carriage::Requests, &run.routes)?;
        let authority = run.authority.as_ref().ok_or(Refusal::NoRoots)?;
        let config = authority.server_config(&asked.host)?;
        reader.hello(&asked.host, run.limits.hello).await?;
        let (io, first) = reader.into_parts();
        let stream = join(Cursor::new(first).chain(io), writer);
        let accepting = timeout(run.limits.hello, TlsAcceptor::from(config).accept(stream)).await;
        accepting.map_err(|_| Refusal::Deadline { what: "the TLS handshake" })?.map_err(Refusal::ClientTls)
    };
    let stream = match accepted.await {
        Ok(stream) => stream,
        Err(refusal) => return audit.refuse(&refusal),
    };
    if stream.get_ref().1.alpn_protocol() == Some(H2) {
        return h2::serve(run, via, asked, stream, audit).await;
    }
    let (reader, writer) = split(stream);
    let form = h1::Form::Origin(asked.clone(), Scheme::Https);
    // What is left of it is nothing: CONNECT is no request here.
    let _nothing = h1::serve(run, via, &form, Reader::new(reader), writer, Some(audit)).await;
}
