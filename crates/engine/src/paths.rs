//! Where everything lies: one state directory and one cache directory, both private to the user.

use crate::{redact, replace};
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};
use types::id::{RunId, TaskName};

/// The two directories that the engine writes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Runs and the store.
    pub state: PathBuf,
    /// Mirrors and snapshots; can be deleted when nothing runs.
    pub cache: PathBuf,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// It cannot be made or read.
    #[error("cannot use the directory {path}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A stream of the agent that is longer than may be kept.
    #[error("{path} would be longer than {mb} MiB")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// What may be kept.
        mb: u64,
    },
    /// It belongs to someone else, who could swap its content.
    #[error("the directory {path} belongs to uid {owner}, not to you")]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Others can enter it, and so read what runs leave or put something in its place.
    #[error("others can enter the directory {path}")]
    Exposed {
        /// The directory.
        path: PathBuf,
    },
}

impl Paths {
    /// Makes both directories with mode 0700 and checks that they are the user's own and closed to everyone else. A link of the
    /// user's is followed.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn prepare(&self, uid: u32) -> Result<(), PathError> {
        for path in [&self.state, &self.cache, &self.state.join("runs")] {
            private_dir(path)?;
            let io = |source| PathError::Io { path: path.clone(), source };
            let (link, found) = (fs::symlink_metadata(path).map_err(io)?, fs::metadata(path).map_err(io)?);
            if let Some(owner) = [link.uid(), found.uid()].into_iter().find(|owner| *owner != uid) {
                return Err(PathError::Foreign { path: path.clone(), owner });
            }
            if found.mode() & 0o077 != 0 {
                return Err(PathError::Exposed { path: path.clone() });
            }
        }
        Ok(())
    }

    /// The store's file.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.state.join("sandbox.db")
    }

    /// A run's directory.
    #[must_use]
    pub fn run(&self, run: &RunId) -> PathBuf {
        self.state.join("runs").join(run.as_str())
    }

    /// The files of one attempt.
    #[must_use]
    pub fn attempt(&self, run: &RunId, task: &TaskName, attempt: u32) -> AttemptPaths {
        let task = self.run(run).join("tasks").join(task.as_str());
        AttemptPaths { root: task.join("attempts").join(attempt.to_string()), task }
    }
}

/// The files that one attempt leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptPaths {
    /// The task's directory: `task.md`, `task.lock.json`.
    pub task: PathBuf,
    /// The attempt's directory.
    pub root: PathBuf,
}

impl AttemptPaths {
    /// Makes the directories.
    ///
    /// # Errors
    /// [`PathError::Io`].
    pub fn prepare(&self) -> Result<(), PathError> {
        private_dir(&self.root)?;
        private_dir(&self.root.join("verify"))
    }

    /// A file of the attempt.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

/// Makes a directory and its parents, readable by the user only.
pub(crate) fn private_dir(path: &Path) -> Result<(), PathError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| PathError::Io { path: path.to_owned(), source })
}

/// Writes a file whole or not at all, without the operator's secrets.
pub(crate) fn write_atomic(path: &Path, content: &[u8]) -> Result<(), PathError> {
    let content = redact::bytes(content.to_vec());
    let io = |source| PathError::Io { path: path.to_owned(), source };
    replace::replace(path, &content, replace::PRIVATE).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn directories_that_others_can_enter_are_refused() {
        let dir = tempfile::tempdir().expect("temp");
        let at = |name: &str| Paths {
            state: dir.path().join(name).join("state"),
            cache: dir.path().join(name).join("cache"),
        };
        let uid = fs::metadata(dir.path()).expect("metadata").uid();
        let paths = at("good");
        paths.prepare(uid).expect("made");
        paths.prepare(uid).expect("still ours");
        assert!(matches!(paths.prepare(uid + 1), Err(PathError::Foreign { owner, .. }) if owner == uid));
        for open in [&paths.state, &paths.cache] {
            fs::set_permissions(open, fs::Permissions::from_mode(0o750)).expect("chmod");
            assert!(matches!(paths.prepare(uid), Err(PathError::Exposed { path }) if path == *open));
            fs::set_permissions(open, fs::Permissions::from_mode(0o700)).expect("chmod");
        }
        // A link leads to what is looked at.
        let linked = at("linked");
        fs::create_dir_all(dir.path().join("linked")).expect("directory");
        symlink(&paths.state, &linked.state).expect("link");
        linked.prepare(uid).expect("a link of ours to what is ours");
        fs::set_permissions(&paths.state, fs::Permissions::from_mode(0o777)).expect("chmod");
        assert!(matches!(linked.prepare(uid), Err(PathError::Exposed { .. })));
    }
}
