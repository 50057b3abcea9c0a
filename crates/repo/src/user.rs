//! The user's own repository: looked at, fetched from, never worked in.
//!
//! The root is the directory that holds `.git`, whatever `core.worktree` says, so that planted configuration cannot point
//! elsewhere.

use crate::{
    error::RepoError,
    git::{Git, GitError},
    remote::{self, Remote},
};
use std::path::{Path, PathBuf};

/// A repository of the user's.
#[derive(Clone, Debug)]
pub struct UserRepo {
    root: PathBuf,
    git_dir: PathBuf,
    common_dir: PathBuf,
}

impl UserRepo {
    /// Finds the repository that `start` lies in.
    ///
    /// # Errors
    /// [`RepoError::NotFound`] outside of a work tree, [`RepoError::Owner`] when another user owns it, or when git fails.
    pub async fn discover(start: &Path) -> Result<Self, RepoError> {
        let start = start.canonicalize().map_err(RepoError::at(start))?;
        let Some(root) = start.ancestors().find(|dir| dir.join(".git").symlink_metadata().is_ok()) else {
            return Err(RepoError::NotFound { path: start });
        };
        // A `.git` that is no repository must not make git go on to a repository further up.
        let asked = Git::found_from(root, "rev-parse")
            .env("GIT_CEILING_DIRECTORIES", root.parent().unwrap_or(root))
            .args(["--absolute-git-dir", "--git-common-dir"])
            .run()
            .await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(GitError::Failed { stderr, .. }) if stderr.contains("dubious ownership") => {
                return Err(RepoError::Owner { path: root.to_owned() });
            }
            Err(GitError::Failed { stderr, .. }) if stderr.contains("not a git repository") => {
                return Err(RepoError::NotFound { path: start });
            }
            Err(error) => return Err(error.into()),
        };
        let answer = String::from_utf8(answer).map_err(|_| RepoError::NotFound { path: root.to_owned() })?;
        let mut lines = answer.lines();
        let (Some(git_dir), Some(common_dir), None) = (lines.next(), lines.next(), lines.next()) else {
            return Err(RepoError::NotFound { path: root.to_owned() });
        };
        let common_dir = root.join(common_dir).canonicalize().map_err(RepoError::at(root))?;
        Ok(Self { root: root.to_owned(), git_dir: PathBuf::from(git_dir), common_dir })
    }

    /// The directory that holds `.git`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The git directory of this work tree.
    pub(crate) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The git directory that all work trees of the repository share.
    pub(crate) fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// The remotes that may be named inside, and one note for each that was left out.
    ///
    /// # Errors
    /// When git fails.
    pub async fn remotes(&self) -> Result<(Vec<Remote>, Vec<String>), RepoError> {
        let asked = Git::at(&self.common_dir, "config")
            .args(["--local", "--no-includes", "-z", "--get-regexp", r"^remote\..*\.url$"])
            .outcome()
            .await?;
        match asked {
            (ended, listing) if ended.code == Some(0) => Ok(remote::parse(&listing)),
            // The documented answer when no key matches.
            (ended, _) if ended.code == Some(1) => Ok((Vec::new(), Vec::new())),
            (ended, _) => Err(GitError::Failed { verb: "config".into(), stderr: ended.stderr }.into()),
        }
    }

    /// The branch that is checked out, if there is one.
    ///
    /// # Errors
    /// When git fails or there is no commit yet.
    pub async fn branch(&self) -> Result<Option<String>, RepoError> {
        Ok(self.resolve("HEAD").await?.1)
    }

    /// The commit that `rev` names, and the branch if it is one.
    pub(crate) async fn resolve(&self, rev: &str) -> Result<(String, Option<String>), RepoError> {
        let unknown = || RepoError::Revision { rev: types::text::printable(rev, 80) };
        if rev.is_empty() || rev.len() > 500 || rev.starts_with('-') || rev.contains(char::is_control) {
            return Err(unknown());
        }
        let asked = Git::at(&self.git_dir, "rev-parse")
            .arg(format!("{rev}^{{commit}}"))
            .args(["--symbolic-full-name", rev])
            .outcome()
            .await?;
        let (ended, answer) = asked;
        if ended.code != Some(0) {
            return Err(unknown());
        }
        let answer = String::from_utf8(answer).map_err(|_| unknown())?;
        let mut lines = answer.lines();
        let (commit, name) = (lines.next().unwrap_or_default(), lines.next());
        if !crate::git::is_oid(commit) || lines.next().is_some() {
            return Err(unknown());
        }
        Ok((commit.to_owned(), name.and_then(|name| name.strip_prefix("refs/heads/")).map(str::to_owned)))
    }
}
