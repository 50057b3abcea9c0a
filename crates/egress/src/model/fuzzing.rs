//! The gateway's readers of hostile bytes, for the fuzz targets.

use super::{
    request::Messages,
    sse::{Event, Parser},
};
use crate::fuzzing::ModelRequest;

pub(crate) fn events(bytes: &[u8], step: usize) -> (Vec<(String, String)>, bool) {
    let mut parser = Parser::default();
    let mut read = Vec::new();
    for piece in bytes.chunks(step.max(1)) {
        parser.feed(piece);
        loop {
            match parser.next() {
                Ok(Some(Event { name, data })) => read.push((name, data)),
                Ok(None) => break,
                Err(_) => return (read, false),
            }
        }
    }
    (read, parser.is_between_events())
}

pub(crate) fn rendered(name: &str, data: &str) -> Vec<u8> {
    Event { name: name.to_owned(), data: data.to_owned() }.render().to_vec()
}

pub(crate) fn request(bytes: &[u8]) -> Option<ModelRequest> {
    let Messages { model, stream, max_tokens, server_side, stripped, .. } = Messages::parse(bytes).ok()?;
    Some(ModelRequest { model, stream, max_tokens, acting: server_side.what, stripped })
}
