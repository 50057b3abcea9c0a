//! Carries one decided plain request to its endpoint and the answer back. Both bodies stream; redirects are passed on as
//! they are and never followed.

use super::{
    body::{Decoder, Framing},
    client::Reader,
    fields::end_to_end,
    head::Head,
};
use crate::{
    audit::{Audit, Traffic},
    limits::{COPY_BYTES, HEADERS},
    refusal::Refusal,
};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri, Version,
    body::{Body, Frame, Incoming, SizeHint},
    client::conn::http1,
    header::{CONTENT_LENGTH, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
};
use types::host::Endpoint;

/// How the exchange ended.
pub(crate) enum Outcome {
    /// Done; the connection can carry the next request.
    Keep,
    /// Done; the connection must end.
    Close,
    /// Nothing was answered yet.
    Refused(Refusal),
    /// It broke after the answer had begun.
    Broken(Refusal),
}

/// Sends the request over a fresh connection to the endpoint and its answer to the program.
pub(crate) async fn exchange<R, W>(
    reader: &mut Reader<R>,
    writer: &mut W,
    head: &Head,
    path: &str,
    asked: &Endpoint,
    upstream: TcpStream,
    audit: &mut Audit,
) -> Outcome
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let traffic = audit.traffic();
    let (sender, upload) = mpsc::channel(1);
    let request = match outgoing(head, path, asked, Upload { frames: upload, framing: head.framing }) {
        Ok(request) => request,
        Err(refusal) => return Outcome::Refused(refusal),
    };
    // The connection's task ends with this set, at the latest when the exchange does.
    let mut tasks = JoinSet::new();
    let handshake =
        http1::Builder::new().max_headers(HEADERS).max_buf_size(COPY_BYTES).handshake(TokioIo::new(upstream));
    let mut endpoint = match handshake.await {
        Ok((endpoint, connection)) => {
            tasks.spawn(connection);
            endpoint
        }
        Err(error) => return Outcome::Refused(bad_answer(&error)),
    };

    let mut begun = false;
    let ended = {
        let mut up = pin!(send_body(reader, head.framing, sender, &traffic));
        let begun = &mut begun;
        let mut down = pin!(async {
            let response = endpoint.send_request(request).await.map_err(|error| bad_answer(&error))?;
            audit.status(response.status().as_u16());
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Err(Refusal::Upgrade);
            }
            *begun = true;
            answer(response, head, writer, &traffic).await
        });
        let mut sent = None;
        loop {
            tokio::select! {
                biased;
                result = &mut up, if sent.is_none() => match result {
                    Ok(whole) => sent = Some(whole),
                    Err(refusal) => break Err(refusal),
                },
                result = &mut down => break result.map(|keep| keep && sent == Some(true)),
            }
        }
    };
    match ended {
        Ok(true) => Outcome::Keep,
        Ok(false) => Outcome::Close,
        Err(refusal) if begun => Outcome::Broken(refusal),
        Err(refusal) => Outcome::Refused(refusal),
    }
}

fn bad_answer(error: &hyper::Error) -> Refusal {
    Refusal::BadAnswer { reason: error.to_string() }
}

fn outgoing(head: &Head, path: &str, asked: &Endpoint, body: Upload) -> Result<Request<Upload>, Refusal> {
    let bad = |_| Refusal::BadAnswer { reason: "the request cannot be sent on".to_owned() };
    let uri: Uri = path.parse().map_err(|_| super::head::HeadError::Malformed("the request target"))?;
    let host = if asked.port == 80 { asked.host.to_string() } else { asked.to_string() };
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = end_to_end(&head.headers);
    request.headers_mut().insert(HOST, HeaderValue::from_str(&host).map_err(bad)?);
    Ok(request)
}

/// Reads the program's body into the channel; false when the endpoint did not want all of it.
async fn send_body<R: AsyncRead + Unpin>(
    reader: &mut Reader<R>,
    framing: Framing,
    sender: mpsc::Sender<Option<Bytes>>,
    traffic: &Traffic,
) -> Result<bool, Refusal> {
    let mut decoder = Decoder::new(framing);
    while let Some(piece) = reader.piece(&mut decoder).await? {
        traffic.charge_up(piece.len())?;
        if sender.send(Some(piece)).await.is_err() {
            return Ok(false);
        }
    }
    // A body of known length may have been taken whole and dropped already.
    let _ = sender.send(None).await;
    Ok(true)
}

/// Writes the answer; true when the connection can be kept.
async fn answer<W: AsyncWrite + Unpin>(
    response: Response<Incoming>,
    head: &Head,
    writer: &mut W,
    traffic: &Traffic,
) -> Result<bool, Refusal> {
    let (parts, mut body) = response.into_parts();
    let bodiless = head.method == Method::HEAD
        || parts.status == StatusCode::NO_CONTENT
        || parts.status == StatusCode::NOT_MODIFIED;
    let length = body.size_hint().exact();
    let chunked = !bodiless && length.is_none() && head.version == Version::HTTP_11;
    let until_end = !bodiless && length.is_none() && !chunked;
    let keep = !until_end && head.version == Version::HTTP_11 && !wants_close(&head.headers);

    let mut text = format!("HTTP/1.1 {} {}\r\n", parts.status.as_u16(), parts.status.canonical_reason().unwrap_or("-"));
    let framing = match (bodiless, length, chunked) {
        (true, _, _) => parts
            .headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .map_or_else(String::new, |value| format!("content-length: {value}\r\n")),
        (false, Some(length), _) => format!("content-length: {length}\r\n"),
        (false, None, true) => "transfer-encoding: chunked\r\n".to_owned(),
        (false, None, false) => String::new(),
    };
    text.push_str(&framing);
    if !keep {
        text.push_str("connection: close\r\n");
    }
    let mut out = text.into_bytes();
    for (name, value) in &end_to_end(&parts.headers) {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    traffic.charge_down(out.len())?;
    write(writer, &out).await?;

    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| bad_answer(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.is_empty() {
            continue;
        }
        traffic.charge_down(data.len())?;
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

/// True when the program said that the connection ends with this request.
pub(crate) fn wants_close(headers: &HeaderMap) -> bool {
    headers.get_all("connection").iter().chain(headers.get_all("proxy-connection")).any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
    })
}

/// The program's body on its way to the endpoint. It ends with `None`; a sender that is dropped before is an error, so that a
/// cut body never looks complete.
struct Upload {
    frames: mpsc::Receiver<Option<Bytes>>,
    framing: Framing,
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.frames.poll_recv(cx).map(|piece| {
            let Some(piece) = piece else { return Some(Err(io::ErrorKind::UnexpectedEof.into())) };
            let piece = piece?;
            if let Framing::Length(left) = &mut self.framing {
                *left = left.saturating_sub(piece.len() as u64);
            }
            Some(Ok(Frame::data(piece)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.framing.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self.framing {
            Framing::Length(left) => SizeHint::with_exact(left),
            Framing::Chunked => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn uploaded(end: bool) -> Result<Bytes, io::Error> {
        let (sender, frames) = mpsc::channel(4);
        sender.send(Some(Bytes::from_static(b"abc"))).await.expect("room");
        if end {
            sender.send(None).await.expect("room");
        }
        drop(sender);
        Upload { frames, framing: Framing::Chunked }.collect().await.map(http_body_util::Collected::to_bytes)
    }

    #[tokio::test]
    async fn a_body_without_its_end_is_an_error() {
        assert_eq!(uploaded(true).await.ok().as_deref(), Some(&b"abc"[..]));
        assert!(uploaded(false).await.is_err());
    }
}
