//! Whether a model request may go on, before anything goes up: path, type, size, model, budget.

use super::{price::is_model, refused::Refused, request::Messages};
use crate::limits::MODEL_BODY_BYTES;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Uri,
    body::Incoming,
    header::{CONTENT_ENCODING, CONTENT_TYPE, TRANSFER_ENCODING},
};
use std::time::Duration;
use tokio::time::timeout;
use types::profile::ServerSide;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The agent looks whether someone is there; answered here.
    Health,
    /// An answer of the model.
    Messages,
    /// The size of a request in tokens.
    CountTokens,
}

impl Purpose {
    /// The path at the endpoint.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Health => "/",
            Self::Messages => "/v1/messages",
            Self::CountTokens => "/v1/messages/count_tokens",
        }
    }
}

/// The closed list of what is carried, and whether the query `beta=true` goes with it.
///
/// # Errors
/// [`Refused::Path`]
pub(crate) fn purpose(method: &Method, uri: &Uri) -> Result<(Purpose, bool), Refused> {
    let beta = match uri.query() {
        None => false,
        Some("beta=true") => true,
        Some(_) => return Err(Refused::Path),
    };
    if uri.authority().is_some() {
        return Err(Refused::Path);
    }
    let purposes = [Purpose::Health, Purpose::Messages, Purpose::CountTokens];
    let purpose = purposes.into_iter().find(|purpose| purpose.path() == uri.path()).ok_or(Refused::Path)?;
    let fits = match purpose {
        Purpose::Health => (*method == Method::GET || *method == Method::HEAD) && !beta,
        Purpose::Messages | Purpose::CountTokens => *method == Method::POST,
    };
    if fits { Ok((purpose, beta)) } else { Err(Refused::Path) }
}

/// Reads a request's body.
///
/// # Errors
/// [`Refused`]: not JSON by its type, compressed, over the cap, or late.
pub(crate) async fn body(headers: &HeaderMap, body: Incoming, deadline: Duration) -> Result<Bytes, Refused> {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let kind = kinds.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if kinds.next().is_some()
        || !essence.eq_ignore_ascii_case("application/json")
        || headers.contains_key(CONTENT_ENCODING)
    {
        return Err(Refused::ContentType);
    }
    // Bytes that are encoded in yet another way would be read otherwise than they were meant.
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if codings.next().is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        || codings.next().is_some()
    {
        return Err(Refused::Body("its transfer encoding is not plain chunks".to_owned()));
    }
    let whole =
        timeout(deadline, Limited::new(body, MODEL_BODY_BYTES).collect()).await.map_err(|_| Refused::Deadline)?;
    match whole {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refused::TooLarge("the body is over 32 MiB")),
        Err(_) => Err(Refused::Body("it broke off".to_owned())),
    }
}

/// Checks what the body asks for, and gives what goes up.
///
/// # Errors
/// [`Refused::Model`], [`Refused::ServerSide`]
pub(crate) fn content(
    request: &Messages,
    body: Bytes,
    models: &[String],
    server_side: ServerSide,
) -> Result<Bytes, Refused> {
    if !models.iter().any(|allowed| is_model(&request.model, allowed)) {
        return Err(Refused::Model { model: request.model.clone(), allowed: models.join(", ") });
    }
    let found = &request.server_side;
    match (server_side, found.what.first(), &found.needed) {
        (ServerSide::Allow, ..) | (_, None, None) => Ok(body),
        (ServerSide::Strip, Some(_), None) => Ok(request.stripped.to_string().into()),
        (ServerSide::Strip, _, Some(what))
        | (ServerSide::Deny, Some(what), _)
        | (ServerSide::Deny, None, Some(what)) => Err(Refused::ServerSide { what: what.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: &str, uri: &str) -> Result<(Purpose, bool), Refused> {
        purpose(&method.parse().expect(method), &uri.parse().expect(uri))
    }

    #[test]
    fn only_the_message_paths_exist() {
        assert_eq!(ask("POST", "/v1/messages?beta=true").ok(), Some((Purpose::Messages, true)));
        assert_eq!(ask("POST", "/v1/messages").ok(), Some((Purpose::Messages, false)));
        assert_eq!(ask("POST", "/v1/messages/count_tokens?beta=true").ok(), Some((Purpose::CountTokens, true)));
        assert_eq!(ask("HEAD", "/").ok(), Some((Purpose::Health, false)));
        assert_eq!(ask("GET", "/").ok(), Some((Purpose::Health, false)));
        for (method, uri) in [
            ("GET", "/v1/messages"),
            ("POST", "/"),
            ("POST", "/v1/files"),
            ("GET", "/v1/files"),
            ("POST", "/v1/messages/"),
            ("POST", "//v1/messages"),
            ("POST", "/v1/../v1/messages"),
            ("POST", "/v1/%6dessages"),
            ("POST", "/V1/messages"),
            ("POST", "/v1/messages/batches"),
            ("POST", "/v1/messages?key=x"),
            ("POST", "/v1/messages?beta=true&key=x"),
            ("POST", "/v1/messages?"),
            ("POST", "http://other.example/v1/messages"),
            ("DELETE", "/v1/messages"),
            ("CONNECT", "a.example:443"),
        ] {
            assert!(ask(method, uri).is_err(), "{method} {uri}");
        }
    }
}
