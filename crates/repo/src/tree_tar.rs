//! Writes a directory of ours as a tar whose entries belong to the agent. Links are never followed.

use crate::error::RepoError;
use std::{
    fs::{self, File, FileTimes, OpenOptions},
    io::{BufWriter, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use tar::{Builder, EntryType, Header};
use types::wire::AGENT_UID;

/// Modification time of every file: 2020-01-01, in seconds since the epoch.
const SETTLED: u64 = 1_577_836_800;

/// Gives all files below `tree`, apart from its `.git`, the same old modification time.
pub(crate) async fn settle(tree: &Path) -> Result<(), RepoError> {
    let tree = tree.to_owned();
    blocking(&tree.clone(), move || {
        let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(SETTLED));
        for path in walk(&tree)? {
            if !path.starts_with(".git") && tree.join(&path).symlink_metadata()?.is_file() {
                let file = open(&tree.join(&path))?;
                // An agent's mode may forbid writing; only reading is needed to set times of one's own file.
                file.set_times(times)?;
            }
        }
        Ok(())
    })
    .await
}

/// Writes the tar of `tree` to the new file `out` (mode 0600): `./` first, then every path in order.
pub(crate) async fn write(tree: &Path, out: &Path) -> Result<(), RepoError> {
    let (tree, out) = (tree.to_owned(), out.to_owned());
    blocking(&out.clone(), move || {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&out)?;
        let mut tar = Builder::new(BufWriter::with_capacity(1 << 18, file));
        directory(&mut tar, Path::new("./"))?;
        for path in walk(&tree)? {
            entry(&mut tar, &tree, &path)?;
        }
        tar.into_inner()?.flush()
    })
    .await
}

fn entry(tar: &mut Builder<impl Write>, tree: &Path, path: &Path) -> std::io::Result<()> {
    let full = tree.join(path);
    let found = full.symlink_metadata()?;
    if found.is_dir() {
        return directory(tar, path);
    }
    let mtime =
        if found.is_file() && !path.starts_with(".git") { SETTLED } else { found.mtime().try_into().unwrap_or(0) };
    if found.is_symlink() {
        let mut head = header(EntryType::Symlink, 0o777, mtime);
        return tar.append_link(&mut head, path, fs::read_link(&full)?);
    }
    if !found.is_file() {
        return Err(std::io::Error::other("neither a file, a directory nor a link"));
    }
    // The object files of git are read-only; everything else is 644 or 755 as in the tree.
    let mode = if found.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
    let mut head = header(EntryType::Regular, mode, mtime);
    head.set_size(found.len());
    tar.append_data(&mut head, path, open(&full)?)
}

fn directory(tar: &mut Builder<impl Write>, path: &Path) -> std::io::Result<()> {
    let mut head = header(EntryType::Directory, 0o755, SETTLED);
    head.set_size(0);
    tar.append_data(&mut head, path, std::io::empty())
}

fn header(kind: EntryType, mode: u32, mtime: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(mtime);
    header.set_uid(AGENT_UID.into());
    header.set_gid(AGENT_UID.into());
    header.set_size(0);
    header
}

fn open(path: &Path) -> std::io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Every path below `tree`, relative, a directory before what it holds, in order of names.
fn walk(tree: &Path) -> std::io::Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(tree.join(&dir))? {
            let entry = entry?;
            let path = dir.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                open.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

async fn blocking(path: &Path, work: impl FnOnce() -> std::io::Result<()> + Send + 'static) -> Result<(), RepoError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(std::io::Error::other(panic))).map_err(RepoError::at(path))
}
