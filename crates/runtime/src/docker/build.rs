//! Pulling, importing and building images with the engine's own builder.

use super::Docker;
use crate::{
    error::{Error, Operation, Result},
    runtime::Labels,
};
use bollard::{
    body_full, body_try_stream,
    models::{BuildInfo, CreateImageInfo},
    query_parameters::{BuildImageOptionsBuilder, CreateImageOptionsBuilder},
};
use futures::{Stream, StreamExt};
use std::{collections::HashMap, time::Duration};
use tokio::{io::AsyncRead, time::Instant};
use tokio_util::io::ReaderStream;

/// Deadline for one image.
const IMAGE: Duration = Duration::from_secs(1800);
/// Longest line of a build's output that is reported, in characters.
const MAX_LINE: usize = 400;
/// Bytes of a line that are kept while its end has not come.
const MAX_PENDING: usize = 16 * 1024;

/// What to build.
pub(crate) struct BuildRequest<'a> {
    /// Name and tag of the result.
    pub(crate) reference: &'a str,
    /// The build's files with a `Dockerfile`, as a tar archive.
    pub(crate) context: Vec<u8>,
    /// Build arguments; they can be read from the image's history.
    pub(crate) args: &'a Labels,
    /// Labels of the result.
    pub(crate) labels: Labels,
}

impl Docker {
    /// Builds an image; `line` takes the builder's output, escaped.
    pub(crate) async fn build(&self, request: BuildRequest<'_>, line: &mut (dyn FnMut(String) + Send)) -> Result<()> {
        let map = |labels: &Labels| labels.iter().map(|(k, v)| (k.clone(), v.clone())).collect::<HashMap<_, _>>();
        let options = BuildImageOptionsBuilder::default()
            .dockerfile("Dockerfile")
            .t(request.reference)
            .rm(true)
            .forcerm(true)
            .buildargs(&map(request.args))
            .labels(&map(&request.labels))
            .build();
        let steps = self.client.build_image(options, None, Some(body_full(request.context.into())));
        let mut lines = Lines::default();
        let outcome = self
            .drain(Operation::Build, request.reference, steps, |step: BuildInfo| {
                lines.push(step.stream.as_deref().or(step.status.as_deref()).unwrap_or_default(), line);
                step.error_detail.and_then(|detail| detail.message)
            })
            .await;
        lines.finish(line);
        outcome
    }

    /// Asks the engine to get an image from a registry, without credentials.
    pub(crate) async fn pull(&self, repository: &str, tag: &str, line: &mut (dyn FnMut(String) + Send)) -> Result<()> {
        let options = CreateImageOptionsBuilder::default().from_image(repository).tag(tag).build();
        let steps = self.client.create_image(Some(options), None, None);
        let subject = format!("{repository}:{tag}");
        self.drain(Operation::Pull, &subject, steps, |step: CreateImageInfo| {
            // Only changes of state are lines; the transfer's counters are not.
            if let (Some(status), None) = (&step.status, &step.progress_detail) {
                line(types::text::printable(status, MAX_LINE));
            }
            step.error_detail.and_then(|detail| detail.message)
        })
        .await
    }

    /// Makes an image of a root file system's archive.
    pub(crate) async fn import(
        &self,
        repository: &str,
        tag: &str,
        root: impl AsyncRead + Send + 'static,
    ) -> Result<()> {
        let options = CreateImageOptionsBuilder::default().from_src("-").repo(repository).tag(tag).build();
        let body = body_try_stream(ReaderStream::with_capacity(root, 256 * 1024));
        let steps = self.client.create_image(Some(options), Some(body), None);
        let subject = format!("{repository}:{tag}");
        self.drain(Operation::Import, &subject, steps, |step: CreateImageInfo| {
            step.error_detail.and_then(|detail| detail.message)
        })
        .await
    }

    /// Reads a stream of steps to its end; `step` returns the engine's error, if the step carries one.
    async fn drain<T>(
        &self,
        operation: Operation,
        subject: &str,
        steps: impl Stream<Item = std::result::Result<T, bollard::errors::Error>>,
        mut step: impl FnMut(T) -> Option<String>,
    ) -> Result<()> {
        let deadline = Instant::now() + IMAGE;
        let mut steps = std::pin::pin!(steps);
        let refused = |words: &str| Error::Refused {
            operation,
            subject: subject.to_owned(),
            status: None,
            source: types::text::printable(words, 2000).into(),
        };
        loop {
            match tokio::time::timeout_at(deadline, steps.next()).await {
                Err(_elapsed) => return Err(Error::Deadline { operation, subject: subject.to_owned(), after: IMAGE }),
                Ok(None) => return Ok(()),
                Ok(Some(Err(bollard::errors::Error::DockerStreamError { error }))) => return Err(refused(&error)),
                Ok(Some(Err(error))) => return Err(self.failure(operation, subject, IMAGE, error)),
                Ok(Some(Ok(item))) => {
                    if let Some(words) = step(item) {
                        return Err(refused(&words));
                    }
                }
            }
        }
    }
}

/// Pieces of output put together to lines.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn push(&mut self, piece: &str, line: &mut (dyn FnMut(String) + Send)) {
        for part in piece.split_inclusive(['\n', '\r']) {
            if self.0.len() < MAX_PENDING {
                self.0.push_str(part);
            }
            if part.ends_with(['\n', '\r']) {
                self.finish(line);
            }
        }
    }

    fn finish(&mut self, line: &mut (dyn FnMut(String) + Send)) {
        let text = types::text::printable(self.0.trim(), MAX_LINE);
        self.0.clear();
        if !text.is_empty() {
            line(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_escaped_lines() {
        let mut seen = Vec::new();
        let mut lines = Lines::default();
        for piece in ["Step 1", "/2 : FROM x\n", " ---> a\r\n\n", "\u{1b}[31mred\n", "tail"] {
            lines.push(piece, &mut |line| seen.push(line));
        }
        lines.finish(&mut |line| seen.push(line));
        assert_eq!(seen, ["Step 1/2 : FROM x", "---> a", "\\u{1b}[31mred", "tail"]);
    }
}
