//! The HTTP proxy's listener: CONNECT opens a checked tunnel, an absolute `http://` request is carried on its own.
//! Each request on a kept connection is decided anew.

use crate::{
    audit::Audit,
    decide::{Decided, decide},
    http::{
        client::Reader,
        forward::{self, Outcome},
        head::{Head, HeadError},
        request,
    },
    limits::LINGER,
    permit::{Permit, dial},
    refusal::Refusal,
    serve::Run,
    tunnel,
};
use hyper::Method;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf, split},
    time::timeout,
};
use types::{host::Endpoint, route::RouteKind};

const CONNECT: &str = "proxy-connect";
const HTTP: &str = "proxy-http";

/// Serves one connection to the proxy's listener.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(run: &Run, stream: S) {
    let (reader, mut writer) = split(stream);
    let mut reader = Reader::new(reader);
    let mut wait = run.limits.head;
    loop {
        let head = match reader.head(wait, run.limits.head).await {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(error) => return refuse(run.audit(HTTP, "?"), error.into(), reader, writer).await,
        };
        if head.method == Method::CONNECT {
            return connect(run, &head, reader, writer).await;
        }
        let mut audit = run.audit(HTTP, &head.target);
        let decided = request::plain(&head).and_then(|()| {
            let (asked, path) = request::absolute_target(&head)?;
            audit.asked(&asked.to_string());
            Ok((decide(&asked, RouteKind::Http, &run.routes)?, asked, path))
        });
        let carried = match decided {
            Ok((route, asked, path)) => {
                carry_http(run, &mut reader, &mut writer, &head, route, &asked, &path, audit).await
            }
            Err(refusal) => answer_refusal(audit, &refusal, &head, &mut writer).await,
        };
        match carried {
            Next::Request => wait = run.limits.keep_alive,
            Next::Close => return reader.linger(writer).await,
            Next::Cut => return,
        }
    }
}

/// Whether a connection goes on after a request.
pub(crate) enum Next {
    /// It can carry another one.
    Request,
    /// The answer is whole; the connection ends.
    Close,
    /// The answer is not whole: the end must not look regular.
    Cut,
}

/// Carries one plain request over its route.
#[expect(clippy::too_many_arguments, reason = "one call for two listeners; a struct would only rename the list")]
pub(crate) async fn carry_http<R, W>(
    run: &Run,
    reader: &mut Reader<R>,
    writer: &mut W,
    head: &Head,
    route: Decided<'_>,
    asked: &Endpoint,
    path: &str,
    mut audit: Audit,
) -> Next
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let dialled = async {
        let permit = Permit::for_route(route, run.limits.resolve).await?;
        Ok(dial(&permit, run.limits.dial).await?)
    };
    let upstream = match dialled.await {
        Ok(upstream) => upstream,
        Err(refusal) => return answer_refusal(audit, &refusal, head, writer).await,
    };
    // The head can carry data as well as the body.
    if let Err(cap) = audit.traffic().charge_up(head.bytes) {
        return answer_refusal(audit, &cap.into(), head, writer).await;
    }
    audit.allow(&route.route().endpoint.to_string());
    audit.address(upstream.peer_addr().ok());
    if head.headers.contains_key("expect") && writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_err() {
        audit.refuse(&Refusal::Gone);
        return Next::Cut;
    }
    match forward::exchange(reader, writer, head, path, asked, upstream, &mut audit).await {
        Outcome::Keep => {
            audit.end("carried");
            Next::Request
        }
        Outcome::Close => {
            audit.end("carried");
            Next::Close
        }
        Outcome::Refused(refusal) => {
            audit.status(refusal.status().as_u16());
            audit.refuse(&refusal);
            let _ = writer.write_all(&refusal.response(false)).await;
            Next::Close
        }
        Outcome::Broken(refusal) => {
            audit.refuse(&refusal);
            Next::Cut
        }
    }
}

/// Answers a request that was refused before anything was carried. The connection is kept when there is no body to skip.
pub(crate) async fn answer_refusal<W: AsyncWrite + Unpin>(
    mut audit: Audit,
    refusal: &Refusal,
    head: &Head,
    writer: &mut W,
) -> Next {
    let keep = head.framing.is_empty()
        && head.version == hyper::Version::HTTP_11
        && !forward::wants_close(&head.headers)
        && !matches!(refusal, Refusal::Head(HeadError::Malformed(_)) | Refusal::Upgrade | Refusal::HostMismatch);
    audit.status(refusal.status().as_u16());
    audit.refuse(refusal);
    let written = writer.write_all(&refusal.response(keep)).await.is_ok() && writer.flush().await.is_ok();
    if keep && written { Next::Request } else { Next::Close }
}

/// Ends a connection with a refusal.
pub(crate) async fn refuse<R, W>(mut audit: Audit, refusal: Refusal, reader: Reader<R>, mut writer: W)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    audit.status(refusal.status().as_u16());
    audit.refuse(&refusal);
    // A program that does not read its answer must not hold the stream.
    let _ = timeout(LINGER, writer.write_all(&refusal.response(false))).await;
    reader.linger(writer).await;
}

async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    run: &Run,
    head: &Head,
    reader: Reader<ReadHalf<S>>,
    mut writer: WriteHalf<S>,
) {
    let mut audit = run.audit(CONNECT, &head.target);
    let decided = async {
        let asked = request::connect_target(head)?;
        audit.asked(&asked.to_string());
        let route = decide(&asked, RouteKind::Tls, &run.routes)?;
        Ok((Permit::for_route(route, run.limits.resolve).await?, asked))
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
    open_tunnel(run, &permit, &asked, reader, writer, audit).await;
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
    match tunnel::carry(first, reader, writer, upstream, &traffic).await {
        Ok(()) => audit.end("tunnel ended"),
        Err(tunnel::TunnelError::Cap(cap)) => audit.refuse(&cap.into()),
        Err(tunnel::TunnelError::Broken(error)) => audit.end(&format!("tunnel broke: {error}")),
    }
}
