//! A git directory written by hand, without a git process and without templates: the only kind that the host works in.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// Makes a bare git directory at `dir` (mode 0700; it must not exist, its parent must) whose ids are as long as `oid`.
///
/// # Errors
/// When something cannot be written.
pub(crate) fn create(dir: &Path, oid: &str) -> std::io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(dir)?;
    fill(dir, &config(oid, true), "none")
}

/// Writes HEAD, configuration and the empty directories of a git directory into `dir`.
pub(crate) fn fill(dir: &Path, config: &str, branch: &str) -> std::io::Result<()> {
    for part in ["objects/pack", "objects/info", "refs/heads", "info"] {
        fs::create_dir_all(dir.join(part))?;
    }
    fs::write(dir.join("config"), config)?;
    fs::write(dir.join("HEAD"), format!("ref: refs/heads/{branch}\n"))
}

/// The `[core]` part of a configuration, for ids as long as `oid`.
pub(crate) fn config(oid: &str, bare: bool) -> String {
    let (version, extension) = match oid.len() {
        64 => (1, "[extensions]\n\tobjectformat = sha256\n"),
        _ => (0, ""),
    };
    format!("[core]\n\trepositoryformatversion = {version}\n\tfilemode = true\n\tbare = {bare}\n{extension}")
}

/// Lets the repository at `dir` see the objects of the trusted one at `lender`, and share its shallow boundary.
pub(crate) fn borrow_objects(dir: &Path, lender: &Path) -> std::io::Result<()> {
    let objects = lender.join("objects");
    let Some(text) = objects.to_str().filter(|text| !text.contains(['\n', '"', '#'])) else {
        return Err(std::io::Error::other("the cache's path holds characters that git cannot be told"));
    };
    fs::write(dir.join("objects/info/alternates"), format!("{text}\n"))?;
    copy_shallow(dir, lender)
}

/// Copies the shallow boundary, if there is one.
pub(crate) fn copy_shallow(to: &Path, from: &Path) -> std::io::Result<()> {
    match fs::copy(from.join("shallow"), to.join("shallow")) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// A bare git directory for the length of an operation, in a private temporary directory.
#[derive(Debug)]
pub(crate) struct Scratch {
    dir: tempfile::TempDir,
}

impl Scratch {
    /// Makes one for ids as long as `oid`.
    pub(crate) fn create(oid: &str) -> std::io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("sandbox-repo-").tempdir()?;
        create(&dir.path().join("git"), oid)?;
        Ok(Self { dir })
    }

    /// The git directory.
    pub(crate) fn git_dir(&self) -> PathBuf {
        self.dir.path().join("git")
    }

    /// A path beside the git directory.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}
