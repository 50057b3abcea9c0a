//! Taking foreign objects in: caps and fsck on the pack, then what the one new commit must be like.
//!
//! What must stay true: the git directory and its configuration are ours; the pack adds exactly one commit, whose only
//! parent is the recorded base and whose author is the run; everything that it reaches is here.

use crate::git::{Git, GitError, LONG, is_oid};
use std::path::{Path, PathBuf};
use tokio::io::AsyncRead;

/// Most bytes of a pack.
const MAX_PACK: u64 = 2 << 30;
/// Most bytes of all objects together, unpacked.
const MAX_UNPACKED: u64 = 8 << 30;
/// Most bytes of one object, unpacked: the job's cap on files with room for the end-of-line conversion.
const MAX_OBJECT: u64 = 256 << 20;
/// Most bytes that git may allocate at once; a delta can ask for any amount.
const MAX_ALLOCATION: &str = "300m";
/// Most objects.
const MAX_OBJECTS: u64 = 2_000_000;
/// Cap on the listing of a pack's objects, in bytes.
const MAX_LISTING: u64 = MAX_OBJECTS * 110;

/// Why objects are not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Corrupt, over a cap, or not what git considers sound.
    #[error("the pack is corrupt, too large or holds an object that git refuses")]
    Pack {
        /// What git said.
        #[source]
        source: GitError,
    },
    /// Over a cap on unpacked bytes or objects.
    #[error("the work is too large: {what}")]
    TooLarge {
        /// Which cap, with its value.
        what: String,
    },
    /// The commit is not one commit of ours on the base.
    #[error("the commit is not the one expected: {what}")]
    Commit {
        /// What differs.
        what: &'static str,
    },
    /// Something that the commit reaches is missing.
    #[error("the commit reaches objects that are missing")]
    Missing {
        /// What git said.
        #[source]
        source: GitError,
    },
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The index of the pack could not be read.
    #[error("could not read `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

/// Where objects go: a git directory of ours, and the object directory to write to if it is another's.
#[derive(Debug)]
pub(crate) struct Store<'a> {
    pub(crate) git_dir: &'a Path,
    pub(crate) objects: &'a Path,
}

impl Store<'_> {
    /// A command on this store.
    pub(crate) fn git(&self, verb: &str) -> Git {
        Git::at(self.git_dir, verb)
            .env("GIT_OBJECT_DIRECTORY", self.objects)
            .env("GIT_ALLOC_LIMIT", MAX_ALLOCATION)
            .deadline(LONG)
    }

    /// Adds the pack in `stream`; git checks every object and every link between them.
    pub(crate) async fn take_pack(
        &self,
        stream: &mut (impl AsyncRead + Send + Unpin),
        oid: &str,
    ) -> Result<(), IntakeError> {
        let mut answer = Vec::new();
        let taken = self
            .git("index-pack")
            .args(["--stdin", "--strict", "--fix-thin"])
            .arg(format!("--max-input-size={MAX_PACK}"))
            .feed(stream, &mut answer)
            .await;
        taken.map_err(|source| IntakeError::Pack { source })?;
        let answer = String::from_utf8_lossy(&answer);
        let name = answer.trim().rsplit('\t').next().filter(|name| is_oid(name));
        let name = name.ok_or(IntakeError::Commit { what: "git did not name the pack" })?;
        self.check_sizes(&self.objects.join(format!("pack/pack-{name}.idx")), oid).await
    }

    async fn check_sizes(&self, index: &Path, oid: &str) -> Result<(), IntakeError> {
        let format = if oid.len() == 64 { "sha256" } else { "sha1" };
        let file = |source| IntakeError::File { path: index.to_owned(), source };
        let mut index_file = tokio::fs::File::open(index).await.map_err(file)?;
        let mut listing = Vec::new();
        let show = self.git("show-index").arg(format!("--object-format={format}")).cap(MAX_LISTING);
        show.feed(&mut index_file, &mut listing).await?;
        // `<offset> <id> (<crc>)`
        let mut ids = String::with_capacity(listing.len());
        for line in String::from_utf8_lossy(&listing).lines() {
            ids.push_str(line.split(' ').nth(1).unwrap_or_default());
            ids.push('\n');
        }
        let mut sizes = Vec::new();
        let check = self.git("cat-file").arg("--batch-check=%(objecttype) %(objectsize)").cap(MAX_LISTING);
        check.feed(&mut ids.as_bytes(), &mut sizes).await?;
        let (mut objects, mut commits, mut bytes) = (0u64, 0u64, 0u64);
        for line in String::from_utf8_lossy(&sizes).lines() {
            let (kind, size) = line.split_once(' ').unwrap_or((line, ""));
            let size: u64 = size.parse().map_err(|_| IntakeError::Commit { what: "an object has no size" })?;
            objects += 1;
            bytes = bytes.saturating_add(size);
            match kind {
                "commit" => commits += 1,
                "tree" | "blob" => {}
                _ => return Err(IntakeError::Commit { what: "the pack holds tags" }),
            }
            if size > MAX_OBJECT {
                return Err(IntakeError::TooLarge { what: format!("a file of {size} bytes, at most {MAX_OBJECT}") });
            }
        }
        if objects > MAX_OBJECTS || bytes > MAX_UNPACKED {
            let what = format!("{objects} objects of {bytes} bytes, at most {MAX_OBJECTS} of {MAX_UNPACKED}");
            return Err(IntakeError::TooLarge { what });
        }
        if commits != 1 {
            return Err(IntakeError::Commit { what: "the pack does not hold exactly one commit" });
        }
        Ok(())
    }

    /// Checks that `commit` is one commit of ours on `base`, with all that it reaches; returns its tree.
    pub(crate) async fn check_commit(&self, commit: &str, base: &str) -> Result<String, IntakeError> {
        if !is_oid(commit) || !is_oid(base) {
            return Err(IntakeError::Commit { what: "its id or its base's is malformed" });
        }
        let (ended, object) = self.git("cat-file").args(["commit", commit]).outcome().await?;
        if ended.code != Some(0) {
            return Err(IntakeError::Commit { what: "it is not there" });
        }
        let tree = check_header(&String::from_utf8_lossy(&object), base)?;
        let walked = self.git("rev-list").args(["--objects", "--quiet", commit, "--not", base]).run().await;
        match walked {
            Ok(_) => Ok(tree),
            Err(source @ GitError::Failed { .. }) => Err(IntakeError::Missing { source }),
            Err(error) => Err(error.into()),
        }
    }
}

/// The tree that a commit names, if its header is as our job writes it: tree, one parent, author, committer.
fn check_header(object: &str, base: &str) -> Result<String, IntakeError> {
    let header = object.split_once("\n\n").map_or(object, |(header, _)| header);
    let mut lines = header.lines();
    let mut next = |key: &str| lines.next().and_then(|line| line.strip_prefix(key));
    let tree = next("tree ").filter(|tree| is_oid(tree)).ok_or(IntakeError::Commit { what: "it has no tree" })?;
    if next("parent ") != Some(base) {
        return Err(IntakeError::Commit { what: "its parent is not the recorded base" });
    }
    for who in ["author ", "committer "] {
        let ours = next(who).and_then(|line| line.strip_prefix("sandbox <"));
        if !ours.is_some_and(|rest| rest.contains("@sandbox.invalid> ")) {
            return Err(IntakeError::Commit { what: "it has another parent, or an author other than the run" });
        }
    }
    match lines.next() {
        None => Ok(tree.to_owned()),
        Some(_) => Err(IntakeError::Commit { what: "its header holds more than ours does" }),
    }
}
