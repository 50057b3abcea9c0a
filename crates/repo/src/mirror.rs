//! The trusted copy of a user's repository: a bare one in the cache that fetches from it.
//!
//! Fetching runs `upload-pack` in the user's repository, which executes nothing that its configuration names (measured,
//! THREATS "Git, measured"). A commit is in the mirror when its note exists; the note is written after the fetch, so that
//! the usual case needs no git process in the mirror and no lock.

use crate::{
    bare, cache_dir,
    error::RepoError,
    git::{Git, GitError, LONG},
    remote::Remote,
    snapshot,
    user::UserRepo,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// The branch inside when the base was not named by a branch.
const UNNAMED_BRANCH: &str = "work";
/// Longest subject that is kept, in characters.
const MAX_SUBJECT: usize = 200;

/// Where a run's work starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Base {
    /// The commit, in hex.
    pub commit: String,
    /// The branch inside: the one that named the commit, else `work`.
    pub branch: String,
    /// First line of the commit's message, escaped and cut.
    pub subject: String,
}

/// The trusted copy of one repository.
#[derive(Clone, Debug)]
pub struct Mirror {
    dir: PathBuf,
    user: UserRepo,
}

impl Mirror {
    /// The mirror of `user` below `cache`; the directories are made when they are missing. Starts no process.
    ///
    /// # Errors
    /// When the cache cannot be written to, or when others can enter it.
    pub fn open(cache: &Path, user: &UserRepo) -> Result<Self, RepoError> {
        let key = Sha256::digest(user.common_dir().as_os_str().as_bytes());
        let dir = cache.join("mirrors").join(hex::encode(&key[..12]));
        cache_dir::private(&dir)?;
        for part in ["commits", "snapshots"] {
            cache_dir::private(&dir.join(part))?;
        }
        let dir = dir.canonicalize().map_err(RepoError::at(&dir))?;
        Ok(Self { dir, user: user.clone() })
    }

    /// The bare git directory. Its ids have the length of those of the first commit that was resolved.
    pub(crate) fn git_dir(&self) -> PathBuf {
        self.dir.join("repo.git")
    }

    /// The commit that `rev` names (`HEAD` when absent), with all that it reaches, fetched if it is not here yet.
    ///
    /// # Errors
    /// [`RepoError::Revision`] when it names none, [`RepoError::Incomplete`] for a partial clone, or when git fails.
    pub async fn resolve(&self, rev: Option<&str>) -> Result<Base, RepoError> {
        let (commit, branch) = self.user.resolve(rev.unwrap_or("HEAD")).await?;
        let branch = branch.filter(|name| is_plain_branch(name)).unwrap_or_else(|| UNNAMED_BRANCH.to_owned());
        let note = self.dir.join("commits").join(&commit);
        let subject = match fs::read_to_string(&note) {
            Ok(subject) => subject,
            Err(_) => self.take_in(&commit, &note).await?,
        };
        Ok(Base { commit, branch, subject })
    }

    async fn take_in(&self, commit: &str, note: &Path) -> Result<String, RepoError> {
        let _lock = cache_dir::lock(&self.dir.join("lock")).await?;
        if let Ok(subject) = fs::read_to_string(note) {
            return Ok(subject);
        }
        let git_dir = self.git_dir();
        if !git_dir.exists() {
            let half =
                tempfile::Builder::new().prefix("new-").tempdir_in(&self.dir).map_err(RepoError::at(&self.dir))?;
            let made = half.path().join("git");
            bare::create(&made, commit).map_err(RepoError::at(&made))?;
            fs::rename(&made, &git_dir).map_err(RepoError::at(&git_dir))?;
        }
        fetch(&git_dir, self.user.common_dir(), commit, &format!("refs/base/{commit}")).await?;
        let object = Git::at(&git_dir, "cat-file").args(["commit", commit]).run().await?;
        let object = String::from_utf8_lossy(&object);
        let message = object.split_once("\n\n").map_or("", |(_, message)| message);
        let subject = types::text::printable(message.lines().next().unwrap_or_default(), MAX_SUBJECT);
        publish(note, subject.as_bytes())?;
        Ok(subject)
    }

    /// Path of a tar of a fresh clone at `base`: work tree and `.git`, owned by the agent, with a `./` entry. It holds only
    /// what the base reaches, and these remotes. Made once per commit, branch and remotes.
    ///
    /// # Errors
    /// [`RepoError::TooLarge`] over the caps, or when git or a file fails.
    pub async fn snapshot(&self, base: &Base, remotes: &[Remote]) -> Result<PathBuf, RepoError> {
        let tar = self.dir.join("snapshots").join(format!("{}.tar", snapshot::key(base, remotes)));
        if tar.exists() {
            return Ok(tar);
        }
        let _lock = cache_dir::lock(&self.dir.join("lock")).await?;
        if !tar.exists() {
            snapshot::build(&self.git_dir(), &base.commit, &base.branch, remotes, &tar).await?;
        }
        Ok(tar)
    }
}

/// Fetches `commit` and all that it reaches from the git directory `from` into the trusted one at `git_dir`, as `name`.
pub(crate) async fn fetch(git_dir: &Path, from: &Path, commit: &str, name: &str) -> Result<(), RepoError> {
    let fetched = Git::at(git_dir, "fetch")
        .args([
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--update-shallow",
            "--update-head-ok",
        ])
        .arg("--no-auto-maintenance")
        .arg(from)
        .arg(format!("+{commit}:{name}"))
        .deadline(LONG)
        .run()
        .await;
    fetched.map(drop).map_err(|source| match source {
        GitError::Failed { .. } => RepoError::Incomplete { commit: commit.to_owned(), source },
        GitError::Start { .. } | GitError::Deadline { .. } | GitError::TooLong { .. } | GitError::Pipe { .. } => {
            source.into()
        }
    })
}

/// Writes a small file so that it is seen whole or not at all.
fn publish(path: &Path, bytes: &[u8]) -> Result<(), RepoError> {
    let half = path.with_extension("new");
    fs::write(&half, bytes).map_err(RepoError::at(&half))?;
    fs::rename(&half, path).map_err(RepoError::at(path))
}

/// Branch names that are safe in a configuration file, a ref path and a message.
fn is_plain_branch(name: &str) -> bool {
    name.len() <= 200
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '/' | '-' | '+' | '#'))
        && !name.contains("..")
        && name.split('/').all(|part| {
            !part.is_empty() && !part.starts_with(['.', '-']) && !part.ends_with('.') && !part.ends_with(".lock")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_branch_names_are_not_carried_in() {
        for good in ["main", "feature/größe-1.2", "fix#12"] {
            assert!(is_plain_branch(good), "{good}");
        }
        for bad in ["", "-x", "a..b", "a/.b", "x.lock", "a\u{1b}b", "a b", "a//b", "a\"b", "x."] {
            assert!(!is_plain_branch(bad), "{bad}");
        }
    }
}
