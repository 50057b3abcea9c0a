//! The work out: a job inside a fresh container makes one commit on the recorded base, and the host takes in its pack.

mod job;
mod manifest;
mod receive;

pub use job::{HarvestJob, job};
pub use receive::receive;

use crate::{git::GitError, intake::IntakeError};
use std::path::{Path, PathBuf};

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum HarvestError {
    /// The stream ended early or broke.
    #[error("the harvest stream ended early or broke")]
    Stream {
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Nothing came for too long.
    #[error("the harvest stream did not end within {seconds} s")]
    Deadline {
        /// The limit.
        seconds: u64,
    },
    /// The head of the stream is malformed.
    #[error("the harvest's manifest is refused: {what}")]
    Manifest {
        /// Why.
        what: &'static str,
    },
    /// The pack or the commit was refused.
    #[error("the harvested work is refused")]
    Refused(#[from] IntakeError),
    /// The listing of changes could not be read.
    #[error("the listing of changes is refused: {what}")]
    Listing {
        /// Why.
        what: &'static str,
    },
    /// There is no change to write out.
    #[error("there is no change to write out")]
    Empty,
    /// The run's name cannot be a branch.
    #[error("`{run}` cannot name a branch")]
    Name {
        /// The name, escaped.
        run: String,
    },
    /// There is no result here.
    #[error("there is no harvested result at `{}`", path.display())]
    NotFound {
        /// The directory.
        path: PathBuf,
    },
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A snapshot of the result could not be made.
    #[error("could not make a snapshot of the result")]
    Snapshot {
        /// The cause.
        #[source]
        source: crate::RepoError,
    },
    /// A file could not be read or written.
    #[error("could not read or write `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl HarvestError {
    pub(crate) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(_)
            | Self::Manifest { .. }
            | Self::Listing { .. }
            | Self::Stream { .. }
            | Self::Deadline { .. } => {
                Some("the workspace volume is kept: look at it in a container, never on the host".into())
            }
            Self::Empty
            | Self::Name { .. }
            | Self::NotFound { .. }
            | Self::Git(_)
            | Self::Snapshot { .. }
            | Self::File { .. } => None,
        }
    }
}
