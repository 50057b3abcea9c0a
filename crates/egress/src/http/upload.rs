//! The body of a request on its way up: counted, watched for placeholders, and for git understood before any of it goes.

use crate::{
    audit::Traffic,
    git::{Exchange, FetchBody, GitRefusal, PushBody, Pushed},
    http::rules::RuleError,
    refusal::Refusal,
    scan::{Scanner, Sniffer},
};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, SizeHint};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::mpsc;
use types::route::Route;

/// A body towards an endpoint.
pub(crate) type Outgoing = UnsyncBoxBody<Bytes, io::Error>;

/// What a body has to pass.
#[derive(Debug)]
pub(crate) struct Check {
    sniffer: Option<Sniffer>,
    git: Option<GitBody>,
}

#[derive(Debug)]
enum GitBody {
    Fetch(FetchBody),
    Push(PushBody),
}

impl Check {
    /// For a request on a route. `placeholders` finds what only the host may turn into a credential.
    pub(crate) fn new(
        placeholders: &Arc<Scanner>,
        git: Option<Exchange>,
        route: &Route,
        target: &str,
        pushed: &Arc<Pushed>,
    ) -> Self {
        let git = git.and_then(|exchange| match exchange {
            Exchange::Advertisement => None,
            Exchange::Fetch { is_gzip } => Some(GitBody::Fetch(FetchBody::new(is_gzip))),
            Exchange::Push { branches } => {
                let repository = format!("{} {}", route.endpoint, target.trim_end_matches("/git-receive-pack"));
                let repository = repository.trim_end_matches(".git").to_owned();
                Some(GitBody::Push(PushBody::new(Arc::clone(pushed), repository, branches)))
            }
        });
        let sniffer = (!placeholders.is_empty()).then(|| Sniffer::new(Arc::clone(placeholders)));
        Self { sniffer, git }
    }

    /// True when the body comes out in another length than it went in.
    pub(crate) fn changes_length(&self) -> bool {
        matches!(self.git, Some(GitBody::Fetch(_)))
    }

    /// Takes a piece and gives what may go up now.
    ///
    /// # Errors
    /// [`Refusal`]: nothing more may go up.
    pub(crate) fn feed(&mut self, piece: Bytes, traffic: &Traffic) -> Result<Bytes, Refusal> {
        if self.sniffer.as_mut().is_some_and(|sniffer| sniffer.feed(&piece).is_some()) {
            return Err(Refusal::Placeholder);
        }
        traffic.charge_up(piece.len())?;
        match &mut self.git {
            None => Ok(piece),
            Some(GitBody::Fetch(fetch)) => fetch.feed(&piece).map(|()| Bytes::new()).map_err(refused),
            Some(GitBody::Push(push)) => push.feed(piece).map_err(refused),
        }
    }

    /// The body is over: gives what was held back.
    ///
    /// # Errors
    /// [`Refusal`]
    pub(crate) fn finish(self) -> Result<Bytes, Refusal> {
        match self.git {
            None => Ok(Bytes::new()),
            Some(GitBody::Fetch(fetch)) => fetch.finish().map_err(refused),
            Some(GitBody::Push(push)) => push.finish().map(|()| Bytes::new()).map_err(refused),
        }
    }
}

fn refused(error: GitRefusal) -> Refusal {
    Refusal::Rule(RuleError::Git(error))
}

/// The receiving end of a body. It ends with `None`; a sender that is dropped before is an error, so that a cut body never looks
/// complete.
pub(crate) struct Upload {
    frames: mpsc::Receiver<Option<Bytes>>,
    /// Bytes that still come, where that is known.
    left: Option<u64>,
}

/// The sending end of a body.
pub(crate) type Pieces = mpsc::Sender<Option<Bytes>>;

impl Upload {
    /// A body of so many bytes, where that is known, and where its pieces go in.
    pub(crate) fn new(length: Option<u64>) -> (Pieces, Self) {
        let (sender, frames) = mpsc::channel(1);
        (sender, Self { frames, left: length })
    }
}

/// Sends a piece; false when the endpoint did not want all of the body.
pub(crate) async fn send(pieces: &Pieces, piece: Bytes) -> bool {
    piece.is_empty() || pieces.send(Some(piece)).await.is_ok()
}

/// Ends a body.
pub(crate) async fn finish(pieces: &Pieces) {
    // One of known length may have been taken whole and dropped already.
    let _ = pieces.send(None).await;
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.frames.poll_recv(cx).map(|piece| {
            let Some(piece) = piece else { return Some(Err(io::ErrorKind::UnexpectedEof.into())) };
            let piece = piece?;
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(piece.len() as u64);
            }
            Some(Ok(Frame::data(piece)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    async fn uploaded(end: bool) -> Result<Bytes, io::Error> {
        let (pieces, upload) = Upload::new(None);
        let feed = async {
            send(&pieces, Bytes::from_static(b"abc")).await;
            if end {
                finish(&pieces).await;
            }
            drop(pieces);
        };
        let (taken, ()) = tokio::join!(upload.collect(), feed);
        taken.map(http_body_util::Collected::to_bytes)
    }

    #[tokio::test]
    async fn a_body_without_its_end_is_an_error() {
        assert_eq!(uploaded(true).await.ok().as_deref(), Some(&b"abc"[..]));
        assert!(uploaded(false).await.is_err());
    }
}
