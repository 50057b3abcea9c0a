//! HTTP/2 inside a decrypted connection: each stream is a request that names its authority, and is decided on its own.

use super::{
    carry::{self, Answered, Asking, Download, Reply},
    request,
    upload::{self, Check, Pieces},
    upstream::{SharedUpstream, Upstream},
};
use crate::{
    audit::{Audit, Traffic},
    http::head::HeadError,
    limits::{H2_STREAMS, HEAD_BYTES, LINGER, LINGER_BYTES},
    refusal::Refusal,
    serve::Run,
};
use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture, stream};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Body as _, Frame, Incoming},
    header::HOST,
    http::request::Parts,
    rt::Executor,
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    io,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinSet,
    time::timeout,
};
use types::{host::Endpoint, route::Scheme};

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The tasks of one connection; they end with it.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(future);
    }
}

/// Serves one connection to `endpoint`; `first` is the record of the connection, which the first request takes over.
pub(crate) async fn serve<S>(run: &Arc<Run>, via: &'static str, endpoint: &Endpoint, stream: S, first: Audit)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let tasks = Tasks::default();
    let upstream: SharedUpstream = Arc::new(Upstream::default());
    let first = Arc::new(Mutex::new(Some(first)));
    let take_first = Arc::clone(&first);
    let service = service_fn(move |request: Request<Incoming>| {
        let audit = take_first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let audit = audit.unwrap_or_else(|| run.audit(via, &endpoint.to_string()));
        let (run, endpoint, upstream) = (Arc::clone(run), endpoint.clone(), Arc::clone(&upstream));
        async move { Ok::<_, Infallible>(answer(&run, &endpoint, &upstream, request, audit).await) }.boxed()
    });
    let served = http2::Builder::new(tasks.clone())
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS)
        .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(None)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a decrypted connection ended");
    }
    if let Some(audit) = first.lock().unwrap_or_else(PoisonError::into_inner).take() {
        audit.unused();
    }
}

async fn answer(
    run: &Arc<Run>,
    endpoint: &Endpoint,
    upstream: &SharedUpstream,
    request: Request<Incoming>,
    mut audit: Audit,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let mut body = Some(body);
    match carry_one(run, endpoint, upstream, &parts, &mut body, &mut audit).await {
        Ok((answered, up)) => {
            audit.status(answered.status.as_u16());
            let Answered { status, headers, body } = answered;
            let mut response = Response::new(down(body, up, audit));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        }
        Err(refusal) => {
            audit.status(refusal.status().as_u16());
            audit.refuse(&refusal);
            if let Some(unread) = body {
                discard(unread).await;
            }
            let (status, headers, body) = refusal.parts();
            let mut response = Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        }
    }
}

/// Takes what the program still sends, up to a little: a refusal that overtakes the request's end is lost on some programs, which see
/// nothing but a stream that was reset (curl 7.88).
async fn discard(mut body: Incoming) {
    let rest = async {
        let mut left = LINGER_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    let _ = timeout(LINGER, rest).await;
}

type Up = BoxFuture<'static, Result<(), Refusal>>;

async fn carry_one(
    run: &Arc<Run>,
    endpoint: &Endpoint,
    upstream: &SharedUpstream,
    parts: &Parts,
    body: &mut Option<Incoming>,
    audit: &mut Audit,
) -> Result<(Answered, Option<Up>), Refusal> {
    let target = parts.uri.path_and_query().map_or_else(|| parts.uri.path().to_owned(), ToString::to_string);
    audit.request(&parts.method, &target);
    same_authority(endpoint, parts)?;
    request::carried(&parts.method)?;
    if !target.starts_with('/') || !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(HeadError::Malformed("the request target").into());
    }
    let head_bytes =
        target.len() + parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
    let asking = Asking {
        endpoint,
        scheme: Scheme::Https,
        method: &parts.method,
        target: &target,
        headers: &parts.headers,
        length: body.as_ref().and_then(|body| body.size_hint().exact()),
        head_bytes,
        is_websocket: false,
    };
    let admitted = carry::admit(run, &asking)?;
    let sender = admitted.connect(run, upstream, head_bytes, audit).await?;
    let (request, pieces, check, reading) = admitted.outgoing()?;
    let mut up: Up = match body.take() {
        Some(body) => send_body(body, pieces, check, audit.traffic()).boxed(),
        None => return Err(Refusal::Gone),
    };
    let mut is_sent = false;
    let reply = {
        let mut reply = std::pin::pin!(carry::send(sender, upstream, request, reading, audit));
        loop {
            tokio::select! {
                biased;
                sent = &mut up, if !is_sent => {
                    sent?;
                    is_sent = true;
                }
                reply = &mut reply => break reply?,
            }
        }
    };
    match reply {
        Reply::Answer(answered) => Ok((answered, (!is_sent).then_some(up))),
        Reply::Switched(..) => Err(Refusal::Upgrade),
    }
}

/// The authority of the stream, and a `host` field beside it, must name the endpoint that the connection is for.
fn same_authority(endpoint: &Endpoint, parts: &Parts) -> Result<(), Refusal> {
    let is_same = |text: &str| {
        let full = if text.contains(':') { text.to_owned() } else { format!("{text}:{}", Scheme::Https.port()) };
        Endpoint::parse(&full).is_ok_and(|named| named == *endpoint)
    };
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(host), None) => Some(host.to_str().map_err(|_| Refusal::HostMismatch)?),
        (Some(_), Some(_)) => return Err(Refusal::HostMismatch),
    };
    let named = [authority, host];
    if named.iter().all(Option::is_none) || !named.into_iter().flatten().all(is_same) {
        return Err(Refusal::HostMismatch);
    }
    if parts.uri.scheme_str().is_some_and(|scheme| scheme != "https") {
        return Err(Refusal::HostMismatch);
    }
    Ok(())
}

/// Reads the program's body into the request.
async fn send_body(mut body: Incoming, pieces: Pieces, mut check: Check, traffic: Arc<Traffic>) -> Result<(), Refusal> {
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|_| Refusal::Gone)?.into_data() else { continue };
        if !upload::send(&pieces, check.feed(piece, &traffic)?).await {
            return Ok(());
        }
    }
    if upload::send(&pieces, check.finish()?).await {
        upload::finish(&pieces).await;
    }
    Ok(())
}

/// The answer's body, with what is left of the upload beside it. It ends regularly only when it is whole.
fn down(body: Download, up: Option<Up>, audit: Audit) -> Body {
    struct State {
        body: Download,
        up: Option<Up>,
        audit: Option<Audit>,
    }
    let frames = stream::unfold(State { body, up, audit: Some(audit) }, |mut state| async move {
        state.audit.as_ref()?;
        let State { body, up, .. } = &mut state;
        let next = async {
            let mut piece = std::pin::pin!(body.next());
            loop {
                match up {
                    None => return piece.await,
                    Some(upload) => tokio::select! {
                        biased;
                        sent = upload => match sent {
                            Ok(()) => *up = None,
                            Err(refusal) => return Some(Err(refusal)),
                        },
                        piece = &mut piece => return piece,
                    },
                }
            }
        };
        match next.await {
            Some(Ok(data)) => Some((Ok(Frame::data(data)), state)),
            Some(Err(refusal)) => {
                if let Some(audit) = state.audit.take() {
                    audit.refuse(&refusal);
                }
                Some((Err(io::Error::other("the answer was cut off")), state))
            }
            None => {
                if let Some(audit) = state.audit.take() {
                    audit.end("carried");
                }
                None
            }
        }
    });
    StreamBody::new(frames).boxed_unsync()
}
