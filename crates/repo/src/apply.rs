//! The result into the user's repository: a branch, or staged changes.
//!
//! What must stay true: objects go in through a git directory of ours, with caps and fsck; the bundle is treated as foreign,
//! since it may have travelled; no filter, merge driver or hook of the user's configuration runs, since it may be planted;
//! the work tree is not touched by [`branch`], and by [`stage`] only when all of it will succeed.

use crate::{
    bare::Scratch,
    git::{Git, GitError, is_oid},
    intake::{IntakeError, Store},
    user::UserRepo,
};
use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use types::{harvest::Harvest, id::RunId, text::printable};

/// Longest header of a bundle, in bytes.
const MAX_HEADER: u64 = 16 * 1024;

/// Why the result was not applied. Nothing was changed, apart from objects that nothing names.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The branch exists with other content.
    #[error("branch `{branch}` exists already and names another commit")]
    BranchExists {
        /// The branch.
        branch: String,
    },
    /// Not a name that we give.
    #[error("`{branch}` is not a branch of ours")]
    Branch {
        /// The name, escaped.
        branch: String,
    },
    /// The repository does not have the commit that the work started from.
    #[error("the repository does not hold the base {base}")]
    BaseMissing {
        /// The commit.
        base: String,
    },
    /// The index or the work tree has changes.
    #[error("the index or the work tree has changes")]
    Dirty,
    /// Another git process works on the index.
    #[error("the index is locked: `{}` exists", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The work and what happened since its base do not go together.
    #[error("the work conflicts with what is checked out in {} paths", paths.len())]
    Conflict {
        /// The paths, escaped.
        paths: Vec<String>,
    },
    /// Files that git does not know are in the way.
    #[error("files of the work tree would be overwritten: {what}")]
    InTheWay {
        /// What git said.
        what: String,
    },
    /// There is nothing to apply.
    #[error("there is no change to apply")]
    Empty,
    /// The bundle is malformed.
    #[error("the bundle is not one of ours: {what}")]
    Bundle {
        /// Why.
        what: &'static str,
    },
    /// The pack or the commit was refused.
    #[error("the bundle's content is refused")]
    Refused(#[from] IntakeError),
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

impl ApplyError {
    fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::BranchExists { branch } => Some(format!("look at it, then remove it with `git branch -D {branch}`")),
            Self::BaseMissing { .. } => Some("fetch the branch that the run started from".into()),
            Self::Dirty => Some("commit or stash first, or apply as a branch".into()),
            Self::Conflict { .. } => Some("apply as a branch and merge it".into()),
            Self::InTheWay { .. } => Some("move them away first, or apply as a branch".into()),
            Self::Locked { .. } => Some("wait for the other git process, or remove the file if there is none".into()),
            Self::Branch { .. }
            | Self::Empty
            | Self::Bundle { .. }
            | Self::Refused(_)
            | Self::Git(_)
            | Self::File { .. } => None,
        }
    }
}

/// Makes `branch` (`sandbox/<run>`) in the user's repository from the bundle. The work tree, the index and HEAD stay as they
/// are. Doing it again is no error.
///
/// # Errors
/// [`ApplyError::BranchExists`] when the branch names another commit.
pub async fn branch(user: &UserRepo, bundle: &Path, harvest: &Harvest, branch: &str) -> Result<(), ApplyError> {
    let good = branch.strip_prefix("sandbox/").is_some_and(|run| RunId::new(run).is_ok());
    if !good {
        return Err(ApplyError::Branch { branch: printable(branch, 80) });
    }
    let name = format!("refs/heads/{branch}");
    if let Some(found) = user_commit(user, &name).await? {
        let same = found == harvest.commit;
        return if same { Ok(()) } else { Err(ApplyError::BranchExists { branch: branch.to_owned() }) };
    }
    take_in(user, bundle, harvest).await?;
    let zero = "0".repeat(harvest.commit.len());
    // The user's git directory, for the ref alone: of all that configuration may name, only hooks could run, and they are off.
    Git::at(user.common_dir(), "update-ref")
        .env("GIT_COMMITTER_NAME", "sandbox")
        .env("GIT_COMMITTER_EMAIL", "sandbox@sandbox.invalid")
        .args(["-m", "sandbox: apply", "--no-deref", "--create-reflog", &name, &harvest.commit, &zero])
        .run()
        .await?;
    Ok(())
}

/// Merges the work into the index and the work tree, three-way on the recorded base. HEAD stays as it is.
///
/// # Errors
/// [`ApplyError::Dirty`] when there are changes, [`ApplyError::Conflict`] when it does not go together.
pub async fn stage(user: &UserRepo, bundle: &Path, harvest: &Harvest) -> Result<(), ApplyError> {
    let head = user_commit(user, "HEAD").await?.ok_or(ApplyError::BaseMissing { base: "HEAD".into() })?;
    let scratch = take_in(user, bundle, harvest).await?;
    let (git_dir, objects, index) = (scratch.git_dir(), user.common_dir().join("objects"), scratch.beside("index"));
    let store = Store { git_dir: &git_dir, objects: &objects };
    let lock = IndexLock::take(user.git_dir())?;
    fs::copy(&lock.index, &index).map_err(ApplyError::at(&lock.index))?;
    let in_tree = |verb| store.git(verb).work_tree(user.root()).env("GIT_INDEX_FILE", &index);

    in_tree("update-index").args(["-q", "--refresh"]).outcome().await?;
    let (unstaged, _) = in_tree("diff-files").arg("--quiet").outcome().await?;
    let (staged, _) = in_tree("diff-index").args(["--cached", "--quiet", &head, "--"]).outcome().await?;
    if unstaged.code != Some(0) || staged.code != Some(0) {
        return Err(ApplyError::Dirty);
    }
    let tree = merge(&store, &head, harvest).await?;
    // Two trees: git checks every path before it writes the first one.
    let (ended, _) = in_tree("read-tree").args(["-m", "-u", &head, &tree]).outcome().await?;
    if ended.code != Some(0) {
        return Err(ApplyError::InTheWay { what: ended.stderr });
    }
    lock.replace_by(&index)
}

async fn merge(store: &Store<'_>, head: &str, harvest: &Harvest) -> Result<String, ApplyError> {
    let (ended, answer) = store
        .git("merge-tree")
        .args(["--write-tree", "--name-only", "-z", "--no-messages"])
        .arg(format!("--merge-base={}", harvest.base))
        .args([head, &harvest.commit])
        .outcome()
        .await?;
    let answer = String::from_utf8_lossy(&answer);
    let mut fields = answer.split('\0').filter(|field| !field.is_empty());
    let tree = fields.next().unwrap_or_default().trim().to_owned();
    match ended.code {
        Some(0) if is_oid(&tree) => Ok(tree),
        Some(1) => Err(ApplyError::Conflict { paths: fields.map(|path| printable(path, 400)).collect() }),
        Some(_) | None => Err(GitError::Failed { verb: "merge-tree".into(), stderr: ended.stderr }.into()),
    }
}

/// The commit that `name` stands for in the user's repository.
async fn user_commit(user: &UserRepo, name: &str) -> Result<Option<String>, ApplyError> {
    let ask = Git::at(user.git_dir(), "rev-parse").args(["--verify", "-q", "--end-of-options"]);
    let (ended, answer) = ask.arg(format!("{name}^{{commit}}")).outcome().await?;
    let answer = String::from_utf8_lossy(&answer).trim().to_owned();
    Ok((ended.code == Some(0) && is_oid(&answer)).then_some(answer))
}

/// Puts the bundle's objects into the user's object store, through a git directory of ours.
async fn take_in(user: &UserRepo, bundle: &Path, harvest: &Harvest) -> Result<Scratch, ApplyError> {
    if harvest.commit == harvest.base {
        return Err(ApplyError::Empty);
    }
    if user_commit(user, &harvest.base).await?.as_ref() != Some(&harvest.base) {
        return Err(ApplyError::BaseMissing { base: printable(&harvest.base, 64) });
    }
    let scratch = Scratch::create(&harvest.base).map_err(ApplyError::at(bundle))?;
    let (git_dir, objects) = (scratch.git_dir(), user.common_dir().join("objects"));
    crate::bare::copy_shallow(&git_dir, user.common_dir()).map_err(ApplyError::at(&git_dir))?;
    let store = Store { git_dir: &git_dir, objects: &objects };
    let file = tokio::fs::File::open(bundle).await.map_err(ApplyError::at(bundle))?;
    let mut file = BufReader::new(file);
    skip_header(&mut file, harvest).await?;
    store.take_pack(&mut file, &harvest.base).await?;
    store.check_commit(&harvest.commit, &harvest.base).await?;
    Ok(scratch)
}

/// Reads the header of a bundle and leaves the pack: a version line, capabilities, `-<base>`, `<commit> <ref>`, an empty line.
async fn skip_header(file: &mut (impl AsyncBufReadExt + Send + Unpin), harvest: &Harvest) -> Result<(), ApplyError> {
    let mut header = file.take(MAX_HEADER);
    let (mut named, mut first, mut line) = (false, true, Vec::new());
    loop {
        line.clear();
        header.read_until(b'\n', &mut line).await.map_err(ApplyError::at(Path::new("bundle")))?;
        let Some(text) = line.strip_suffix(b"\n") else {
            return Err(ApplyError::Bundle { what: "its header does not end" });
        };
        if first && !matches!(text, b"# v2 git bundle" | b"# v3 git bundle") {
            return Err(ApplyError::Bundle { what: "it is no bundle" });
        }
        if text.is_empty() {
            break;
        }
        named |= text.starts_with(harvest.commit.as_bytes());
        first = false;
    }
    if named { Ok(()) } else { Err(ApplyError::Bundle { what: "it holds another commit" }) }
}

/// git's own lock on the index, so that no other git process writes it meanwhile. Dropping it releases the lock.
#[derive(Debug)]
struct IndexLock {
    index: PathBuf,
    lock: PathBuf,
    is_held: bool,
}

impl IndexLock {
    fn take(git_dir: &Path) -> Result<Self, ApplyError> {
        let (index, lock) = (git_dir.join("index"), git_dir.join("index.lock"));
        match OpenOptions::new().write(true).create_new(true).open(&lock) {
            Ok(_) => Ok(Self { index, lock, is_held: true }),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(ApplyError::Locked { path: lock }),
            Err(source) => Err(ApplyError::File { path: lock, source }),
        }
    }

    /// Writes the new index through the lock file, as git does.
    fn replace_by(mut self, index: &Path) -> Result<(), ApplyError> {
        fs::copy(index, &self.lock).map_err(ApplyError::at(&self.lock))?;
        fs::rename(&self.lock, &self.index).map_err(ApplyError::at(&self.index))?;
        self.is_held = false;
        Ok(())
    }
}

impl Drop for IndexLock {
    fn drop(&mut self) {
        if self.is_held {
            // Nothing can be done about a failure; git names the file when it next meets it.
            drop(fs::remove_file(&self.lock));
        }
    }
}
