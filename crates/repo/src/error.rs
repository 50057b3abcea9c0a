//! What can go wrong on the way in.

use crate::git::GitError;
use std::path::{Path, PathBuf};

/// Why the repository could not be taken in.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// There is no work tree here.
    #[error("`{}` is not inside a git repository", path.display())]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Another user owns the repository, so that git does not trust its configuration.
    #[error("the repository at `{}` belongs to another user", path.display())]
    Owner {
        /// Its root.
        path: PathBuf,
    },
    /// Nothing, or no commit, has this name.
    #[error("`{rev}` does not name a commit of the repository")]
    Revision {
        /// The name as given, escaped.
        rev: String,
    },
    /// Objects are missing: a partial clone.
    #[error("the repository does not hold every object of {commit}")]
    Incomplete {
        /// The commit.
        commit: String,
        /// What git said.
        #[source]
        source: GitError,
    },
    /// The commit is larger than a snapshot may be.
    #[error("{commit} is too large for a snapshot: {what}")]
    TooLarge {
        /// The commit.
        commit: String,
        /// Which cap, with its value.
        what: String,
    },
    /// The cache can be written to by others.
    #[error("`{}` must be a directory that only its owner, the current user, can enter", path.display())]
    Exposed {
        /// The directory.
        path: PathBuf,
    },
    /// Another process works on the mirror for too long.
    #[error("`{}` is locked by another process", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
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

impl RepoError {
    /// Wraps an I/O error with the path it happened at.
    pub(crate) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => {
                Some("run it inside a checkout, or make one with `git init` and a first commit".into())
            }
            Self::Owner { path } => {
                Some(format!("run as the owner, or take it over: `chown -R \"$(id -u)\" '{}'`", path.display()))
            }
            Self::Revision { rev } if rev == "HEAD" => Some("make a first commit".into()),
            Self::Revision { .. } => Some("fetch it first, or name a branch, tag or commit that exists here".into()),
            Self::Incomplete { .. } => {
                Some("this is a partial clone: fetch what is missing with `git fetch --refetch --no-filter`".into())
            }
            Self::Exposed { path } => Some(format!("`chmod 700 '{}'`, or choose another cache", path.display())),
            Self::Git(GitError::Start { .. }) => Some("install git 2.40 or later".into()),
            Self::TooLarge { .. } | Self::Locked { .. } | Self::Git(_) | Self::File { .. } => None,
        }
    }
}
