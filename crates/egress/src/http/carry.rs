//! One request from inside, whatever version of HTTP it came in: decided, changed, sent, and its answer looked through.

use super::{
    fields::end_to_end,
    keyed::Keyed,
    rules::{self, Ruled},
    upload::{Check, Outgoing, Pieces, Upload},
    upstream::{Sender, SharedUpstream, bad_answer},
};
use crate::{
    audit::{Audit, Traffic},
    decide::{Carriage, Decided, decide},
    refusal::Refusal,
    scan::{Masker, Scanner},
    serve::Run,
};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::{Body as _, Incoming, SizeHint},
    header::{CONNECTION, CONTENT_ENCODING, HOST, HeaderName, HeaderValue, UPGRADE},
};
use std::sync::Arc;
use types::{
    host::Endpoint,
    route::{Route, Scheme},
};

/// A request as it came.
pub(crate) struct Asking<'a> {
    /// Name and port.
    pub(crate) endpoint: &'a Endpoint,
    /// What is spoken there.
    pub(crate) scheme: Scheme,
    /// The method.
    pub(crate) method: &'a Method,
    /// Path and query.
    pub(crate) target: &'a str,
    /// All fields.
    pub(crate) headers: &'a HeaderMap,
    /// Length of the body, where it was announced.
    pub(crate) length: Option<u64>,
    /// Bytes of the head.
    pub(crate) head_bytes: usize,
    /// It asks for a WebSocket.
    pub(crate) is_websocket: bool,
}

/// A request that may go.
pub(crate) struct Admitted<'r> {
    /// Its route.
    pub(crate) decided: Decided<'r>,
    /// What its body has to pass.
    pub(crate) check: Check,
    target: String,
    method: Method,
    headers: HeaderMap,
    length: Option<u64>,
    keyed: Option<&'r Keyed>,
    is_websocket: bool,
}

/// What the routes and their rules say to a request. Pure, so that it can be asked beforehand ([`crate::explain`]).
///
/// # Errors
/// [`Refusal`]
pub(crate) fn settle<'r>(routes: &'r [Route], asking: &Asking<'_>) -> Result<(Decided<'r>, Ruled), Refusal> {
    let carriage = match asking.scheme {
        Scheme::Https => Carriage::Requests,
        Scheme::Http => Carriage::Plain,
    };
    let decided = decide(asking.endpoint, carriage, routes)?;
    let route = decided.route();
    let ruled = rules::hold(route, asking.method, asking.target, asking.headers)?;
    if asking.is_websocket && (!route.rules.websocket || ruled.git.is_some()) {
        return Err(Refusal::Upgrade);
    }
    Ok((decided, ruled))
}

/// Decides on a request.
///
/// # Errors
/// [`Refusal`]; nothing was sent.
pub(crate) fn admit<'r>(run: &'r Run, asking: &Asking<'_>) -> Result<Admitted<'r>, Refusal> {
    run.count_request()?;
    let (decided, ruled) = settle(&run.routes, asking)?;
    let route = decided.route();
    let mut headers = end_to_end(asking.headers);
    if ruled.git.as_ref().is_some_and(|git| git.is_read_whole()) {
        headers.remove(CONTENT_ENCODING);
    }
    let keyed = run.keyed_for(route, ruled.git.is_some());
    if let Some(keyed) = keyed {
        keyed.put_on(&mut headers, ruled.target.split_once('?').map(|(_, query)| query))?;
    }
    if run.placeholders.finds_in(ruled.target.as_bytes()) || any_field(&headers, &run.placeholders) {
        return Err(Refusal::Placeholder);
    }
    let check = Check::new(&run.placeholders, ruled.git, route, &ruled.target, &run.pushed);
    let length = asking.length.filter(|_| !check.changes_length());
    Ok(Admitted {
        decided,
        check,
        target: ruled.target,
        method: asking.method.clone(),
        headers,
        length,
        keyed,
        is_websocket: asking.is_websocket,
    })
}

fn any_field(headers: &HeaderMap, scanner: &Scanner) -> bool {
    headers.iter().any(|(name, value)| scanner.finds_in(name.as_str().as_bytes()) || scanner.finds_in(value.as_bytes()))
}

impl<'r> Admitted<'r> {
    /// A connection to the endpoint, and the charge for the head: it can carry data as well as the body.
    ///
    /// # Errors
    /// [`Refusal`]; nothing was sent.
    pub(crate) async fn connect(
        &self,
        run: &Run,
        upstream: &SharedUpstream,
        head_bytes: usize,
        audit: &mut Audit,
    ) -> Result<Sender, Refusal> {
        audit.meter(run.meter_of(self.decided.route()));
        let sender = upstream.connect(run, self.decided).await?;
        audit.traffic().charge_up(head_bytes)?;
        audit.allow(&self.decided.route().endpoint.to_string());
        audit.address(sender.address);
        Ok(sender)
    }

    /// The request to send, where its body's pieces go in, the body's check, and what looks through the answer.
    ///
    /// # Errors
    /// [`Refusal`] for what cannot be sent on.
    pub(crate) fn outgoing(self) -> Result<(Request<Outgoing>, Pieces, Check, Reading), Refusal> {
        let bad = || Refusal::BadAnswer { reason: "the request cannot be sent on".to_owned() };
        let route = self.decided.route();
        let uri: Uri = self.target.parse().map_err(|_| super::head::HeadError::Malformed("the request target"))?;
        let Endpoint { host, port } = &route.endpoint;
        let host = if *port == route.scheme.port() { host.to_string() } else { route.endpoint.to_string() };
        let (pieces, upload) = Upload::new(self.length);
        let mut request = Request::new(upload.boxed_unsync());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers;
        request.headers_mut().insert(HOST, HeaderValue::from_str(&host).map_err(|_| bad())?);
        if self.is_websocket {
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
            request.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        let reading = Reading {
            scanner: self.keyed.map(Keyed::scanner),
            is_websocket: self.is_websocket,
            is_head: self.method == Method::HEAD,
        };
        Ok((request, pieces, self.check, reading))
    }
}

/// How an answer is read.
pub(crate) struct Reading {
    scanner: Option<Arc<Scanner>>,
    is_websocket: bool,
    is_head: bool,
}

/// An answer whose head was looked through.
pub(crate) struct Answered {
    /// The status.
    pub(crate) status: StatusCode,
    /// The fields to pass on.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Download,
}

/// What came of a request.
pub(crate) enum Reply {
    /// An answer.
    Answer(Answered),
    /// Both sides speak WebSocket from here on.
    Switched(Response<Incoming>, Option<Masker>),
}

/// Sends a request and reads the head of its answer. Redirects are answers like any other.
///
/// # Errors
/// [`Refusal`]; nothing was answered yet.
pub(crate) async fn send(
    mut sender: Sender,
    upstream: &SharedUpstream,
    request: Request<Outgoing>,
    reading: Reading,
    audit: &Audit,
) -> Result<Reply, Refusal> {
    let response = sender.requests.send_request(request).await.map_err(|error| bad_answer(&error))?;
    let status = response.status();
    let masker = reading.scanner.clone().map(Masker::new);
    if status == StatusCode::SWITCHING_PROTOCOLS {
        let is_websocket =
            response.headers().get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
        return if reading.is_websocket && is_websocket {
            Ok(Reply::Switched(response, masker))
        } else {
            Err(Refusal::Upgrade)
        };
    }
    let (parts, body) = response.into_parts();
    if masker.is_some() && !reading.is_head && !Keyed::can_read(status, &parts.headers) {
        return Err(Refusal::BadAnswer { reason: "it is compressed, and could hold the credential".to_owned() });
    }
    let mut headers = end_to_end(&parts.headers);
    if let Some(scanner) = &reading.scanner {
        clean(&mut headers, scanner);
    }
    let hint = if reading.is_head { SizeHint::default() } else { body.size_hint() };
    let body = Download {
        body,
        masker,
        traffic: audit.traffic(),
        length: hint.exact(),
        kept: Some((sender, Arc::clone(upstream))),
    };
    Ok(Reply::Answer(Answered { status, headers: announced(headers, &parts.headers, reading.is_head), body }))
}

/// A HEAD answer says how long the body would be.
fn announced(mut headers: HeaderMap, all: &HeaderMap, is_head: bool) -> HeaderMap {
    if let Some(length) = all.get(hyper::header::CONTENT_LENGTH).filter(|_| is_head) {
        headers.insert(hyper::header::CONTENT_LENGTH, length.clone());
    }
    headers
}

fn clean(headers: &mut HeaderMap, scanner: &Scanner) {
    let names: Vec<HeaderName> = headers.keys().cloned().collect();
    for name in names {
        if headers.get_all(&name).iter().any(|value| scanner.finds_in(value.as_bytes())) {
            headers.insert(name, HeaderValue::from_static(crate::scan::MARK));
        }
    }
}

/// The body of an answer on its way down: counted, and with the route's credential masked.
pub(crate) struct Download {
    body: Incoming,
    masker: Option<Masker>,
    traffic: Arc<Traffic>,
    /// Its length, where it was announced.
    pub(crate) length: Option<u64>,
    kept: Option<(Sender, SharedUpstream)>,
}

impl Download {
    /// The next piece; none at the end.
    ///
    /// # Errors
    /// [`Refusal`]: the body must not look complete.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Refusal>> {
        loop {
            let data = match self.body.frame().await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.masker.as_mut().map_or_else(|| data.clone(), |masker| masker.push(&data)),
                    Err(_trailers) => continue,
                },
                Some(Err(error)) => {
                    self.kept = None;
                    return Some(Err(bad_answer(&error)));
                }
                None => {
                    if let Some((sender, upstream)) = self.kept.take() {
                        upstream.keep(sender);
                    }
                    self.masker.take()?.finish()
                }
            };
            if !data.is_empty() {
                return Some(self.traffic.charge_down(data.len()).map(|()| data).map_err(Refusal::from));
            }
        }
    }
}
