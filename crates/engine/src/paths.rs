//! Where everything lies: one state directory and one cache directory, both private to the user.

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
}

impl Paths {
    /// Makes both directories with mode 0700 and checks that they are the user's own.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn prepare(&self, uid: u32) -> Result<(), PathError> {
        for path in [&self.state, &self.cache, &self.state.join("runs")] {
            private_dir(path)?;
            let owner =
                fs::symlink_metadata(path).map_err(|source| PathError::Io { path: path.clone(), source })?.uid();
            if owner != uid {
                return Err(PathError::Foreign { path: path.clone(), owner });
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

/// Writes a file whole or not at all: under a temporary name beside it, then renamed.
pub(crate) fn write_atomic(path: &Path, content: &[u8]) -> Result<(), PathError> {
    let io = |source| PathError::Io { path: path.to_owned(), source };
    let dir = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(io)?;
    io::Write::write_all(&mut file, content).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}
