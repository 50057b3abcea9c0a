//! The HTTP proxy's listener: CONNECT opens a checked tunnel or a decrypted connection, an absolute `http://` request is carried on
//! its own. Each request on a kept connection is decided anew.

use crate::{
    audit::Audit,
    decide::{Carriage, decide},
    http::{
        client::Reader,
        h1::{self, Form, Left, refuse},
        head::Head,
        request,
    },
    intercept,
    permit::{Permit, dial},
    refusal::Refusal,
    serve::Run,
    tunnel,
};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, split};
use types::host::Endpoint;

/// What records of tunnels and decrypted connections say of how they came.
pub(crate) const CONNECT: &str = "proxy-connect";
/// The same of plain requests.
pub(crate) const HTTP: &str = "proxy-http";

/// Serves one connection to the proxy's listener.
pub(crate) async fn serve<S>(run: &Arc<Run>, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (reader, writer) = split(stream);
    match h1::serve(run, HTTP, &Form::Proxy, Reader::new(reader), writer, None).await {
        Left::Nothing => {}
        Left::Connect(head, reader, writer) => connect(run, &head, reader, writer).await,
    }
}

async fn connect<R, W>(run: &Arc<Run>, head: &Head, reader: Reader<R>, mut writer: W)
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let mut audit = run.audit(CONNECT, &head.target);
    let decided = async {
        run.count_request()?;
        let asked = request::connect_target(head)?;
        audit.asked(&asked.to_string());
        let decided = decide(&asked, Carriage::Connect, &run.routes)?;
        let permit = if decided.route().is_intercepted() {
            None
        } else {
            audit.meter(run.meter_of(decided.route()));
            Some(Permit::for_route(decided, run.limits.resolve).await?)
        };
        Ok((permit, asked))
    };
    let (permit, asked) = match decided.await {
        Ok(decided) => decided,
        Err(refusal) => return refuse(audit, refusal, reader, writer).await,
    };
    audit.status(200);
    if writer.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_err() || writer.flush().await.is_err()
    {
        return audit.refuse(&Refusal::Gone);
    }
    match permit {
        Some(permit) => open_tunnel(run, &permit, &asked, reader, writer, audit).await,
        None => intercept::serve(run, CONNECT, &asked, reader, writer, audit).await,
    }
}

/// Checks the ClientHello, connects, and carries the tunnel. Nothing is dialled before the hello is whole and right.
pub(crate) async fn open_tunnel<R, W>(
    run: &Run,
    permit: &Permit,
    asked: &Endpoint,
    mut reader: Reader<R>,
    writer: W,
    mut audit: Audit,
) where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let dialled = async {
        reader.hello(&asked.host, run.limits.hello).await?;
        Ok(dial(permit, run.limits.dial).await?)
    };
    let upstream = match dialled.await {
        Ok(upstream) => upstream,
        Err(refusal) => return audit.refuse(&refusal),
    };
    audit.allow(&asked.to_string());
    audit.address(upstream.peer_addr().ok());
    let traffic = audit.traffic();
    let (reader, first) = reader.into_parts();
    tunnel::ended(tunnel::carry(first, reader, writer, upstream, None, &traffic).await, audit);
}
