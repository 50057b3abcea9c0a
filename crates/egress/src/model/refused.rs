//! What the gateway refuses, and the one place that turns it into an answer in the API's own shape, so that the agent
//! shows the reason instead of a parse error.

use crate::{observer::LimitReached, refusal::Refusal};
use bytes::Bytes;
use hyper::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use types::text::printable;

/// Why a model request got no answer of the model.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// Another path, method or query than those of the message API.
    #[error("the model gateway carries only message requests")]
    Path,
    /// A body that is not JSON.
    #[error("the request is not JSON")]
    ContentType,
    /// A body that cannot be read with one meaning.
    #[error("the request body is malformed: {0}")]
    Body(String),
    /// Over a cap.
    #[error("the request is too large: {0}")]
    TooLarge(&'static str),
    /// The body did not come in time.
    #[error("the request body did not arrive in time")]
    Deadline,
    /// A model that is not listed.
    #[error("the model `{}` is not allowed in this run; allowed: {allowed}", printable(.model, 80))]
    Model {
        /// The model that was asked for.
        model: String,
        /// The list.
        allowed: String,
    },
    /// Something that the endpoint would fetch or run itself.
    #[error("`{}` would act outside the sandbox and is not allowed in this run", printable(.what, 80))]
    ServerSide {
        /// The tool, field or source.
        what: String,
    },
    /// A limit of the run.
    #[error("a limit of the run is reached: {0}")]
    Limit(LimitReached),
    /// What is left of the budget is reserved for other requests, or they hold all places for bodies.
    #[error("other requests of the run hold the rest of its budget or of its places")]
    Busy,
    /// There is no credential to send.
    #[error("the operator's credential cannot be used: {0}")]
    Credential(String),
    /// A token cannot be refreshed at the moment.
    #[error("the operator's token cannot be refreshed now: {0}")]
    Token(String),
    /// No connection to the endpoint.
    #[error("the model endpoint cannot be reached")]
    Unreachable(#[source] Refusal),
    /// The endpoint's answer was not understood, so that it was not passed on.
    #[error("the model endpoint's answer was not understood: {0}")]
    Answer(String),
}

impl Refused {
    /// The rule's id.
    pub(crate) fn rule(&self) -> &'static str {
        match self {
            Self::Path => "method_not_allowed",
            Self::ContentType | Self::Body(_) => "bad_request",
            Self::TooLarge(_) => "too_large",
            Self::Deadline => "deadline",
            Self::Model { .. } => "model_not_allowed",
            Self::ServerSide { .. } => "server_side",
            Self::Limit(_) | Self::Busy => "budget",
            Self::Credential(_) | Self::Token(_) => "credential",
            Self::Unreachable(refusal) => refusal.rule(),
            Self::Answer(_) => "bad_answer",
        }
    }

    /// One line for people, with the cause.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Unreachable(refusal) => format!("{self}: {}", refusal.reason()),
            Self::Path
            | Self::ContentType
            | Self::Body(_)
            | Self::TooLarge(_)
            | Self::Deadline
            | Self::Model { .. }
            | Self::ServerSide { .. }
            | Self::Limit(_)
            | Self::Busy
            | Self::Credential(_)
            | Self::Token(_)
            | Self::Answer(_) => printable(&self.to_string(), 300),
        }
    }

    /// Status, the API's error type, and what to do instead.
    fn shape(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Path => (StatusCode::FORBIDDEN, "permission_error", "use POST /v1/messages"),
            Self::ContentType | Self::Body(_) => {
                (StatusCode::BAD_REQUEST, "invalid_request_error", "send one plain JSON object")
            }
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", "send less"),
            Self::Deadline => (StatusCode::REQUEST_TIMEOUT, "timeout_error", "try again"),
            Self::Model { .. } => (StatusCode::FORBIDDEN, "permission_error", "use an allowed model"),
            Self::ServerSide { .. } => (StatusCode::FORBIDDEN, "permission_error", "use the tools inside the sandbox"),
            Self::Limit(_) => (StatusCode::FORBIDDEN, "permission_error", "stop; the operator can raise the limit"),
            Self::Busy => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "wait until they have ended"),
            Self::Credential(_) => {
                (StatusCode::UNAUTHORIZED, "authentication_error", "stop; only the operator can mend this")
            }
            Self::Token(_) | Self::Unreachable(_) | Self::Answer(_) => {
                (StatusCode::BAD_GATEWAY, "api_error", "try again later")
            }
        }
    }

    /// Status, fields and body.
    pub(crate) fn parts(&self) -> (StatusCode, HeaderMap, Bytes) {
        let (status, kind, instead) = self.shape();
        let retryable =
            status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        let reason = self.reason();
        let body = serde_json::json!({
            "type": "error",
            "error": {
                "type": kind,
                "message": format!("sandbox: {reason}"),
                "rule": self.rule(),
                "reason": reason,
                "instead": instead,
                "retryable": retryable,
            },
        });
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(HeaderName::from_static("x-sandbox-refused"), HeaderValue::from_static(self.rule()));
        let retry = HeaderValue::from_static(if retryable { "true" } else { "false" });
        headers.insert(HeaderName::from_static("x-should-retry"), retry);
        (status, headers, body.to_string().into())
    }
}
