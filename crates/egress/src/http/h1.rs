//! HTTP/1.1 from inside, read by our own strict reader: request after request on one connection, each decided anew.

use super::{
    body::{Decoder, Framing},
    carry::{self, Answered, Asking, Reply},
    client::Reader,
    head::{Head, HeadError},
    request,
    upload::{self, Check, Pieces},
    upstream::{SharedUpstream, Upstream},
};
use crate::{
    audit::{Audit, Traffic},
    limits::LINGER,
    refusal::Refusal,
    scan::Masker,
    serve::Run,
    tunnel,
};
use hyper::{
    HeaderMap, Method, Response, StatusCode, Version,
    body::Incoming,
    header::{CONNECTION, CONTENT_LENGTH, UPGRADE},
};
use hyper_util::rt::TokioIo;
use std::{pin::pin, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};
use types::{host::Endpoint, route::Scheme};

/// What the targets of requests look like.
pub(crate) enum Form {
    /// Absolute: the connection is one to the proxy.
    Proxy,
    /// A path: the connection is one to this endpoint.
    Origin(Endpoint, Scheme),
}

/// What is left when requests are no longer carried.
pub(crate) enum Left<R, W> {
    /// Nothing.
    Nothing,
    /// The program asks for a tunnel.
    Connect(Box<Head>, Reader<R>, W),
}

/// Whether a connection goes on after a request.
enum Next {
    /// It can carry another one.
    Request,
    /// The answer is whole; the connection ends.
    Close,
    /// The answer is not whole: the end must not look regular.
    Cut,
    /// The connection speaks WebSocket.
    Switch(Box<Switch>),
}

/// Both sides have agreed on a WebSocket.
struct Switch {
    response: Response<Incoming>,
    masker: Option<Masker>,
    audit: Audit,
}

/// Serves the requests of one connection; `first` is the record of the connection, which the first request takes over.
pub(crate) async fn serve<R, W>(
    run: &Run,
    via: &'static str,
    form: &Form,
    mut reader: Reader<R>,
    mut writer: W,
    mut first: Option<Audit>,
) -> Left<R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let upstream: SharedUpstream = Arc::new(Upstream::default());
    let mut wait = run.limits.head;
    loop {
        let head = match reader.head(wait, run.limits.head).await {
            Ok(Some(head)) => head,
            Ok(None) => {
                if let Some(audit) = first {
                    audit.unused();
                }
                return Left::Nothing;
            }
            Err(error) => {
                let audit = first.unwrap_or_else(|| run.audit(via, &form.shown("?")));
                refuse(audit, error.into(), reader, writer).await;
                return Left::Nothing;
            }
        };
        if head.method == Method::CONNECT && matches!(form, Form::Proxy) {
            return Left::Connect(Box::new(head), reader, writer);
        }
        let mut audit = first.take().unwrap_or_else(|| run.audit(via, &form.shown(&head.target)));
        let next = match ask(form, &head, &mut audit) {
            Ok((endpoint, scheme, target)) => {
                let asking = Asking {
                    endpoint: &endpoint,
                    scheme,
                    method: &head.method,
                    target: &target,
                    headers: &head.headers,
                    length: head.framing.length(),
                    head_bytes: head.bytes,
                    is_websocket: request::wants_websocket(&head),
                };
                carry_one(run, &mut reader, &mut writer, &head, &asking, &upstream, audit).await
            }
            Err(refusal) => answer_refusal(audit, &refusal, &head, &mut writer).await,
        };
        match next {
            Next::Request => wait = run.limits.keep_alive,
            Next::Close => {
                reader.linger(writer).await;
                return Left::Nothing;
            }
            Next::Cut => return Left::Nothing,
            Next::Switch(switch) => {
                converse(*switch, reader, writer).await;
                return Left::Nothing;
            }
        }
    }
}

impl Form {
    /// What a record says was asked for before the request was understood.
    fn shown(&self, target: &str) -> String {
        match self {
            Self::Proxy => target.to_owned(),
            Self::Origin(endpoint, _) => endpoint.to_string(),
        }
    }
}

fn ask(form: &Form, head: &Head, audit: &mut Audit) -> Result<(Endpoint, Scheme, String), Refusal> {
    request::plain(head)?;
    let (endpoint, scheme, target) = match form {
        Form::Proxy => {
            let (endpoint, target) = request::absolute_target(head)?;
            (endpoint, Scheme::Http, target)
        }
        Form::Origin(endpoint, scheme) => {
            (endpoint.clone(), *scheme, request::origin_target(head, endpoint, scheme.port())?)
        }
    };
    audit.asked(&endpoint.to_string());
    audit.request(&head.method, &target);
    Ok((endpoint, scheme, target))
}

/// Carries one request and its answer. Both bodies stream.
async fn carry_one<R, W>(
    run: &Run,
    reader: &mut Reader<R>,
    writer: &mut W,
    head: &Head,
    asking: &Asking<'_>,
    upstream: &SharedUpstream,
    mut audit: Audit,
) -> Next
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let connected = async {
        let admitted = carry::admit(run, asking)?;
        let sender = admitted.connect(run, upstream, asking.head_bytes, &mut audit).await?;
        Ok::<_, Refusal>((sender, admitted.outgoing()?))
    };
    let (sender, (request, pieces, check, reading)) = match connected.await {
        Ok(connected) => connected,
        Err(refusal) => return answer_refusal(audit, &refusal, head, writer).await,
    };
    if head.headers.contains_key("expect") && writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_err() {
        audit.refuse(&Refusal::Gone);
        return Next::Cut;
    }
    let traffic = audit.traffic();
    let mut begun = false;
    let ended = {
        let mut up = pin!(send_body(reader, head.framing, pieces, check, &traffic));
        let (begun, audit) = (&mut begun, &mut audit);
        let mut down = pin!(async {
            match carry::send(sender, upstream, request, reading, audit).await? {
                Reply::Answer(answered) => {
                    audit.status(answered.status.as_u16());
                    *begun = true;
                    answer(answered, head, writer, &traffic).await.map(Ended::Answered)
                }
                Reply::Switched(response, masker) => Ok(Ended::Switched(response, masker)),
            }
        });
        let mut sent = None;
        loop {
            tokio::select! {
                biased;
                result = &mut up, if sent.is_none() => match result {
                    Ok(whole) => sent = Some(whole),
                    Err(refusal) => break Err(refusal),
                },
                result = &mut down => break result.map(|ended| (ended, sent == Some(true))),
            }
        }
    };
    match ended {
        Ok((Ended::Answered(keep), is_sent)) => {
            audit.end("carried");
            if keep && is_sent { Next::Request } else { Next::Close }
        }
        Ok((Ended::Switched(response, masker), _)) => {
            audit.status(101);
            Next::Switch(Box::new(Switch { response, masker, audit }))
        }
        Err(refusal) if begun => {
            audit.refuse(&refusal);
            Next::Cut
        }
        Err(refusal) => {
            audit.status(refusal.status().as_u16());
            audit.refuse(&refusal);
            let _ = writer.write_all(&refusal.response(false)).await;
            Next::Close
        }
    }
}

enum Ended {
    /// True when the connection can be kept.
    Answered(bool),
    Switched(Response<Incoming>, Option<Masker>),
}

/// Reads the program's body into the request; false when the endpoint did not want all of it.
async fn send_body<R: AsyncRead + Unpin>(
    reader: &mut Reader<R>,
    framing: Framing,
    pieces: Pieces,
    mut check: Check,
    traffic: &Traffic,
) -> Result<bool, Refusal> {
    let mut decoder = Decoder::new(framing);
    while let Some(piece) = reader.piece(&mut decoder).await? {
        if !upload::send(&pieces, check.feed(piece, traffic)?).await {
            return Ok(false);
        }
    }
    if !upload::send(&pieces, check.finish()?).await {
        return Ok(false);
    }
    upload::finish(&pieces).await;
    Ok(true)
}

/// Writes the answer; true when the connection can be kept.
async fn answer<W: AsyncWrite + Unpin>(
    answered: Answered,
    head: &Head,
    writer: &mut W,
    traffic: &Traffic,
) -> Result<bool, Refusal> {
    let Answered { status, headers, mut body } = answered;
    let bodiless =
        head.method == Method::HEAD || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    let length = body.length.filter(|_| !bodiless);
    let chunked = !bodiless && length.is_none() && head.version == Version::HTTP_11;
    let until_end = !bodiless && length.is_none() && !chunked;
    let keep = !until_end && head.version == Version::HTTP_11 && !wants_close(&head.headers);

    let mut text = format!("HTTP/1.1 {} {}\r\n", status.as_u16(), status.canonical_reason().unwrap_or("-"));
    match length {
        Some(length) => text.push_str(&format!("content-length: {length}\r\n")),
        None if chunked => text.push_str("transfer-encoding: chunked\r\n"),
        None => {}
    }
    if !keep {
        text.push_str("connection: close\r\n");
    }
    let mut out = text.into_bytes();
    for (name, value) in headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH || length.is_none()) {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    traffic.charge_down(out.len())?;
    write(writer, &out).await?;

    while let Some(data) = body.next().await {
        let data = data?;
        if chunked {
            write(writer, format!("{:x}\r\n", data.len()).as_bytes()).await?;
        }
        write(writer, &data).await?;
        if chunked {
            write(writer, b"\r\n").await?;
        }
        writer.flush().await.map_err(|_| Refusal::Gone)?;
    }
    if chunked {
        write(writer, b"0\r\n\r\n").await?;
    }
    writer.flush().await.map_err(|_| Refusal::Gone)?;
    Ok(keep)
}

async fn write<W: AsyncWrite + Unpin>(writer: &mut W, bytes: &[u8]) -> Result<(), Refusal> {
    writer.write_all(bytes).await.map_err(|_| Refusal::Gone)
}

/// Carries a WebSocket: bytes both ways, counted.
async fn converse<R, W>(switch: Switch, reader: Reader<R>, mut writer: W)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let Switch { response, masker, audit } = switch;
    let mut head = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n".to_vec();
    let passed = response.headers().iter().filter(|(name, _)| **name != CONNECTION && **name != UPGRADE);
    for (name, value) in passed.filter(|(name, _)| name.as_str().starts_with("sec-websocket-")) {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    let traffic = audit.traffic();
    if writer.write_all(&head).await.is_err() || writer.flush().await.is_err() {
        return audit.refuse(&Refusal::Gone);
    }
    let upgraded = match hyper::upgrade::on(response).await {
        Ok(upgraded) => TokioIo::new(upgraded),
        Err(error) => return audit.end(&format!("the endpoint broke off: {error}")),
    };
    let (reader, first) = reader.into_parts();
    tunnel::ended(tunnel::carry(first, reader, writer, upgraded, masker, &traffic).await, audit);
}

/// Answers a request that was refused before anything was carried. The connection is kept when there is no body to skip.
async fn answer_refusal<W: AsyncWrite + Unpin>(
    mut audit: Audit,
    refusal: &Refusal,
    head: &Head,
    writer: &mut W,
) -> Next {
    let keep = head.framing.is_empty()
        && head.version == Version::HTTP_11
        && !wants_close(&head.headers)
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

/// True when the program said that the connection ends with this request.
fn wants_close(headers: &HeaderMap) -> bool {
    headers.get_all("connection").iter().chain(headers.get_all("proxy-connection")).any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
    })
}
