//! Why something was refused, and the one place that turns it into an answer for the program inside.

use crate::{
    audit::ByteCap,
    authority::AuthorityError,
    decide::NoRoute,
    git::GitRefusal,
    hello::HelloError,
    http::{head::HeadError, keyed::ForeignCredential, rules::RuleError},
    permit::{DialError, ResolveError},
};
use bytes::Bytes;
use hyper::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use serde::Serialize;
use std::io;
use types::{host::InvalidEndpoint, text::printable};

/// A refusal on a tunnel or a plain request. Each cause has its own type; this enum only gathers them.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No route.
    #[error(transparent)]
    NoRoute(#[from] NoRoute),
    /// Not a name and port that can be decided on.
    #[error("not an endpoint that can be decided on")]
    BadName(#[source] InvalidEndpoint),
    /// The name gave no usable address.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The first bytes of the tunnel.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// The request head.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// `Host` is missing or names another endpoint.
    #[error("the host header does not name the asked endpoint")]
    HostMismatch,
    /// A method that is not carried.
    #[error("the method is not carried")]
    Method,
    /// Upgrades would carry another protocol past the checks.
    #[error("protocol upgrades are not carried, but for WebSockets where the route says so")]
    Upgrade,
    /// The route's rules.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A credential beside the route's own.
    #[error(transparent)]
    ForeignCredential(#[from] ForeignCredential),
    /// A placeholder for a credential, where it is none.
    #[error("the request holds a placeholder that stands for a credential on another route, or in another place")]
    Placeholder,
    /// The run's certificate.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The program did not complete TLS with us.
    #[error("the program did not complete the TLS handshake; it may not trust the run's certificate authority")]
    ClientTls(#[source] io::Error),
    /// Connections to endpoints cannot be checked.
    #[error("this host has no certificate authorities to check the endpoint with")]
    NoRoots,
    /// No connection to the endpoint.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The endpoint's answer could not be carried.
    #[error("the endpoint gave no usable answer: {reason}")]
    BadAnswer {
        /// What was wrong with it.
        reason: String,
    },
    /// Bytes of the run.
    #[error(transparent)]
    ByteCap(#[from] ByteCap),
    /// Connections and requests of the run.
    #[error("the run's {max} connections and requests are used up")]
    Requests {
        /// The cap.
        max: u64,
    },
    /// The program took too long with `what`.
    #[error("{what} did not arrive in time")]
    Deadline {
        /// What was waited for.
        what: &'static str,
    },
    /// Streams of the run.
    #[error("too many connections are open at the same time")]
    TooManyStreams,
    /// The run has no model gateway.
    #[error("this run has no model endpoint")]
    NoModel,
    /// A kind of stream that the guest does not open.
    #[error("the stream is not one for the egress")]
    WrongStream,
    /// The stream broke.
    #[error("the connection broke before it was decided")]
    Gone,
}

/// The body of a refusal, under the key `error`.
#[derive(Serialize)]
struct Shown<'a> {
    rule: &'a str,
    reason: &'a str,
    instead: &'a str,
    retryable: bool,
}

impl Refusal {
    /// The rule's id: part of the interface, it stands in records, bodies and the `x-sandbox-refused` header.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match self {
            Self::NoRoute(_) | Self::NoModel => "no_route",
            Self::BadName(_) => "bad_name",
            Self::Resolve(ResolveError::Internal { .. } | ResolveError::PlainText { .. }) => "internal_address",
            Self::Resolve(ResolveError::Unresolvable { .. }) => "unresolvable",
            Self::Hello(HelloError::NotTls | HelloError::Malformed(_)) => "not_tls",
            Self::Hello(HelloError::NoName | HelloError::Encrypted | HelloError::Mismatch { .. }) => "sni_mismatch",
            Self::Hello(HelloError::TooLarge) | Self::Head(HeadError::TooLarge) => "too_large",
            Self::Head(HeadError::Malformed(_)) | Self::WrongStream => "bad_request",
            Self::HostMismatch => "host_mismatch",
            Self::Method | Self::Rule(RuleError::Method { .. }) => "method_not_allowed",
            Self::Upgrade => "upgrade_refused",
            Self::Rule(RuleError::Form(_)) => "bad_path",
            Self::Rule(RuleError::Path { .. }) => "path_not_allowed",
            Self::Rule(RuleError::Query) => "query_not_allowed",
            Self::Rule(RuleError::Repository { .. }) => "repository_not_allowed",
            Self::Rule(RuleError::Git(GitRefusal::PushOff | GitRefusal::Ref { .. } | GitRefusal::Existing { .. })) => {
                "push_not_allowed"
            }
            Self::Rule(RuleError::Git(
                GitRefusal::Request | GitRefusal::Command { .. } | GitRefusal::Body(_) | GitRefusal::Encoding,
            )) => "git_not_allowed",
            Self::ForeignCredential(_) => "foreign_credential",
            Self::Placeholder => "placeholder_misuse",
            Self::ClientTls(_) => "client_tls",
            Self::Authority(_) | Self::NoRoots => "not_set_up",
            Self::Requests { .. } => "request_cap",
            Self::Dial(DialError::Unreachable(_)) | Self::BadAnswer { .. } => "upstream_unreachable",
            Self::Dial(DialError::Tls(_)) => "upstream_tls",
            Self::ByteCap(_) => "byte_cap",
            Self::Deadline { .. }
            | Self::Head(HeadError::Deadline)
            | Self::Resolve(ResolveError::Deadline { .. })
            | Self::Dial(DialError::Deadline) => "deadline",
            Self::TooManyStreams => "too_many_streams",
            Self::Gone | Self::Head(HeadError::Gone) => "connection_lost",
        }
    }

    /// One line for people, with the cause.
    #[must_use]
    pub fn reason(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        printable(&text, 300)
    }

    /// The HTTP status that goes with it: 403 where policy refuses, 400-class for bad requests, 500-class where the
    /// endpoint or the host is at fault.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoRoute(_)
            | Self::NoModel
            | Self::WrongStream
            | Self::BadName(_)
            | Self::Resolve(ResolveError::Internal { .. } | ResolveError::PlainText { .. })
            | Self::Hello(_)
            | Self::HostMismatch
            | Self::Upgrade
            | Self::Rule(
                RuleError::Path { .. } | RuleError::Query | RuleError::Repository { .. } | RuleError::Git(_),
            )
            | Self::ForeignCredential(_)
            | Self::Placeholder
            | Self::ClientTls(_)
            | Self::Requests { .. }
            | Self::ByteCap(_) => StatusCode::FORBIDDEN,
            Self::Rule(RuleError::Form(_)) => StatusCode::BAD_REQUEST,
            Self::Method | Self::Rule(RuleError::Method { .. }) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Authority(_) | Self::NoRoots => StatusCode::BAD_GATEWAY,
            Self::Head(HeadError::Malformed(_)) | Self::Gone | Self::Head(HeadError::Gone) => StatusCode::BAD_REQUEST,
            Self::Head(HeadError::TooLarge) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Head(HeadError::Deadline) | Self::Deadline { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Resolve(ResolveError::Unresolvable { .. })
            | Self::Dial(DialError::Unreachable(_) | DialError::Tls(_))
            | Self::BadAnswer { .. } => StatusCode::BAD_GATEWAY,
            Self::Resolve(ResolveError::Deadline { .. }) | Self::Dial(DialError::Deadline) => {
                StatusCode::GATEWAY_TIMEOUT
            }
            Self::TooManyStreams => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What the program or its user can do instead.
    #[must_use]
    pub fn instead(&self) -> &'static str {
        match self.rule() {
            "no_route" => "ask the operator to trust the endpoint, or do without it",
            "bad_name" => "use the trusted name and port; addresses and other spellings are not decided on",
            "internal_address" => "the operator can pin the address if it is meant to be reached",
            "not_tls" | "sni_mismatch" => "speak TLS and name the host that was asked for, without encrypted hello",
            "bad_request" | "host_mismatch" => "send a plain HTTP/1.1 request; use CONNECT for https",
            "method_not_allowed" | "path_not_allowed" | "query_not_allowed" | "upgrade_refused" => {
                "keep to what the route carries, or ask the operator for more"
            }
            "bad_path" => "write the path in plain form: no dot segments, no empty segments, no escapes in escapes",
            "repository_not_allowed" | "git_not_allowed" => "fetch from the repository's own remotes",
            "push_not_allowed" => "commit, and leave pushing to the operator; what you made is taken over",
            "foreign_credential" => "leave credentials out; the route's own is added on the way",
            "placeholder_misuse" => "use the placeholder only as the credential of its own endpoint",
            "upstream_tls" => "the operator can name the endpoint's certificate authority in trust.ca-files",
            "client_tls" => "trust the certificates in $SSL_CERT_FILE",
            "byte_cap" | "request_cap" => "the operator can raise the run's cap",
            _ => "try again later",
        }
    }

    /// True when the same request can succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Resolve(ResolveError::Unresolvable { .. } | ResolveError::Deadline { .. })
            | Self::Dial(DialError::Unreachable(_) | DialError::Deadline)
            | Self::BadAnswer { .. }
            | Self::Deadline { .. }
            | Self::Head(HeadError::Deadline | HeadError::Gone)
            | Self::TooManyStreams
            | Self::Gone => true,
            Self::NoRoute(_)
            | Self::NoModel
            | Self::Dial(DialError::Tls(_))
            | Self::WrongStream
            | Self::BadName(_)
            | Self::Resolve(ResolveError::Internal { .. } | ResolveError::PlainText { .. })
            | Self::Hello(_)
            | Self::Head(HeadError::Malformed(_) | HeadError::TooLarge)
            | Self::HostMismatch
            | Self::Method
            | Self::Upgrade
            | Self::Rule(_)
            | Self::ForeignCredential(_)
            | Self::Placeholder
            | Self::Authority(_)
            | Self::ClientTls(_)
            | Self::NoRoots
            | Self::Requests { .. }
            | Self::ByteCap(_) => false,
        }
    }

    fn body(&self) -> String {
        let shown = Shown {
            rule: self.rule(),
            reason: &self.reason(),
            instead: self.instead(),
            retryable: self.is_retryable(),
        };
        serde_json::json!({ "error": shown }).to_string()
    }

    /// Status, fields and body of the answer.
    pub(crate) fn parts(&self) -> (StatusCode, HeaderMap, Bytes) {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(HeaderName::from_static("x-sandbox-refused"), HeaderValue::from_static(self.rule()));
        (self.status(), headers, self.body().into())
    }

    /// The whole HTTP/1.1 response, which also ends the connection unless `keep`.
    pub(crate) fn response(&self, keep: bool) -> Vec<u8> {
        let body = self.body();
        let status = self.status();
        format!(
            "HTTP/1.1 {} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nx-sandbox-refused: {}\r\n{}\r\n{body}",
            status.as_u16(),
            status.canonical_reason().unwrap_or("Refused"),
            body.len(),
            self.rule(),
            if keep { "" } else { "connection: close\r\n" },
        )
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::host::Endpoint;

    #[test]
    fn a_refusal_says_rule_reason_and_what_to_do() {
        let asked = Endpoint::parse("evil.example").expect("endpoint");
        let text = String::from_utf8(Refusal::from(NoRoute { asked, other: None }).response(false)).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("head");
        assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"));
        assert!(head.contains("\r\nx-sandbox-refused: no_route\r\n"));
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
        let body: serde_json::Value = serde_json::from_str(body).expect("json");
        assert_eq!(body["error"]["rule"], "no_route");
        assert_eq!(body["error"]["reason"], "evil.example:443 is not a trusted endpoint");
        assert_eq!(body["error"]["retryable"], false);
        assert!(body["error"]["instead"].is_string());
    }
}
