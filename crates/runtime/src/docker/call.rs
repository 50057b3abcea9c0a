//! One call to the engine: its deadline, and its failure in our words.

use super::Docker;
use crate::error::{Cause, Error, Operation, Result};
use bollard::errors::Error as Library;
use std::{future::Future, io, time::Duration};

impl Docker {
    /// Waits for `call` until its deadline and names the operation and its subject in the error.
    pub(super) async fn call<T>(
        &self,
        operation: Operation,
        subject: &str,
        within: Duration,
        call: impl Future<Output = std::result::Result<T, Library>>,
    ) -> Result<T> {
        match tokio::time::timeout(within, call).await {
            Ok(outcome) => outcome.map_err(|error| self.failure(operation, subject, within, error)),
            Err(_elapsed) => Err(Error::Deadline { operation, subject: subject.to_owned(), after: within }),
        }
    }

    pub(super) fn failure(&self, operation: Operation, subject: &str, within: Duration, error: Library) -> Error {
        if let Library::DockerResponseServerError { status_code, message } = error {
            return self.refusal(operation, subject, status_code, message);
        }
        let subject = subject.to_owned();
        if matches!(error, Library::RequestTimeoutError) {
            Error::Deadline { operation, subject, after: within }
        } else if is_gone(&error) {
            Error::Unreachable { endpoint: self.endpoint().to_string(), source: root_cause(error) }
        } else {
            Error::Refused { operation, subject, status: None, source: root_cause(error) }
        }
    }

    pub(super) fn refusal(&self, operation: Operation, subject: &str, status: u16, words: String) -> Error {
        let source: Cause = types::text::printable(words.trim(), 2000).into();
        let subject = subject.to_owned();
        // Podman answers 500 where the name is taken.
        let taken = operation == Operation::Create && status == 500 && words.contains("already in use");
        let status = if taken { 409 } else { status };
        if status == 404 {
            Error::NotFound { operation, subject, source }
        } else {
            Error::Refused { operation, subject, status: Some(status), source }
        }
    }
}

/// True when the connection failed, rather than the request.
fn is_gone(error: &Library) -> bool {
    if let Library::HyperResponseError { err } = error {
        return !err.is_user();
    }
    matches!(error, Library::SocketNotFoundError(_) | Library::HyperLegacyError { .. } | Library::IOError { .. })
}

/// The innermost cause: "connection refused" rather than the library's wrappings of it.
pub(super) fn root_cause(error: Library) -> Cause {
    if matches!(error, Library::SocketNotFoundError(_)) {
        return "there is no such socket".into();
    }
    let mut cause: &(dyn std::error::Error + 'static) = &error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    match cause.downcast_ref::<io::Error>() {
        Some(io) if io.raw_os_error().is_some() => io::Error::from(io.kind()).into(),
        Some(_) | None => types::text::printable(&cause.to_string(), 2000).into(),
    }
}
