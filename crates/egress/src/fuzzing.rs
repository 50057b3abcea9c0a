//! The readers of hostile bytes, for the fuzz targets: bytes in, what was understood out. Not part of the product.

use crate::{
    git::{FetchBody, PushBody},
    hello,
    http::{
        body::{Decoder, Framing, Step},
        head, request,
    },
};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use types::{host::HostName, route::BranchPattern};

/// The name that a TLS hello asks for, once it is there.
#[must_use]
pub fn hello_name(bytes: &[u8]) -> Option<HostName> {
    hello::server_name(bytes).ok().flatten()
}

/// A request head as it was read.
#[derive(Debug)]
pub struct ReadHead {
    /// Method, target and version.
    pub line: (String, String, String),
    /// Names in lower case, and values.
    pub fields: Vec<(String, Vec<u8>)>,
    /// What is left behind it.
    pub rest: usize,
}

/// The head at the beginning of the bytes, once it is whole. Its target is read in every way that there is.
#[must_use]
pub fn request_head(bytes: &[u8]) -> Option<ReadHead> {
    let length = head::length(bytes).ok().flatten()?;
    let head = head::parse(&bytes[..length]).ok()?;
    let _ = (request::plain(&head), request::wants_websocket(&head));
    let _ = (request::connect_target(&head), request::absolute_target(&head));
    let fields = head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    Some(ReadHead {
        line: (head.method.to_string(), head.target.clone(), format!("{:?}", head.version)),
        fields: fields.collect(),
        rest: bytes.len() - length,
    })
}

/// A chunked body that comes in pieces of this size, and what is left behind it; none when it is malformed or not over.
#[must_use]
pub fn chunked(bytes: &[u8], size: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut decoder = Decoder::new(Framing::Chunked);
    let (mut buffer, mut body, mut rest) = (BytesMut::new(), Vec::new(), bytes);
    loop {
        match decoder.step(&mut buffer).ok()? {
            Step::Data(piece) => body.extend_from_slice(&piece),
            Step::End => return Some((body, [&buffer[..], rest].concat())),
            Step::More if rest.is_empty() => return None,
            Step::More => {
                let (head, tail) = rest.split_at(size.clamp(1, rest.len()));
                buffer.extend_from_slice(head);
                rest = tail;
            }
        }
    }
}

/// The body of a fetch that may go up, and whether it came compressed.
#[must_use]
pub fn fetch(bytes: &[u8], is_gzip: bool) -> Option<Bytes> {
    let mut body = FetchBody::new(is_gzip);
    body.feed(bytes).ok()?;
    body.finish().ok()
}

/// What of a push to these branches goes up when it comes in pieces of this size; none when it is refused.
#[must_use]
pub fn push(bytes: &[u8], size: usize, branches: &[BranchPattern]) -> Option<Vec<u8>> {
    let mut body = PushBody::new(Arc::default(), "/acme/app".to_owned(), branches.to_vec());
    let mut out = Vec::new();
    for piece in bytes.chunks(size.max(1)) {
        out.extend_from_slice(&body.feed(Bytes::copy_from_slice(piece)).ok()?);
    }
    body.finish().ok()?;
    Some(out)
}

/// Events of a stream that comes in pieces of at most `step` bytes, name and data, up to the first that cannot be read; true when all of
/// it was read and nothing of an event is left.
#[must_use]
pub fn events(bytes: &[u8], step: usize) -> (Vec<(String, String)>, bool) {
    crate::model::fuzzing::events(bytes, step)
}

/// The same events as they go to the agent.
#[must_use]
pub fn rendered(name: &str, data: &str) -> Vec<u8> {
    crate::model::fuzzing::rendered(name, data)
}

/// What the gateway reads in a request to the model; none when it refuses the body.
#[must_use]
pub fn model_request(bytes: &[u8]) -> Option<ModelRequest> {
    crate::model::fuzzing::request(bytes)
}

/// A request to the model as the gateway reads it.
#[derive(Debug, PartialEq)]
pub struct ModelRequest {
    /// The model.
    pub model: String,
    /// An answer in events is wanted.
    pub stream: bool,
    /// The longest answer.
    pub max_tokens: Option<u64>,
    /// What would act at the endpoint.
    pub acting: Vec<String>,
    /// The request without that; null when there is none of it.
    pub stripped: serde_json::Value,
}
