//! Directories of the cache that nobody else can enter, and the lock of one mirror.

use crate::error::RepoError;
use std::{
    fs::{self, DirBuilder, File},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
    time::{Duration, Instant},
};

/// Longest wait for another process that works on the same mirror; it covers a fetch of a large repository.
const PATIENCE: Duration = Duration::from_secs(600);
const STEP: Duration = Duration::from_millis(20);

/// Makes `path` and its missing parents with mode 0700; what exists already must be ours alone.
pub(crate) fn private(path: &Path) -> Result<(), RepoError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(RepoError::at(path))?;
    let found = path.symlink_metadata().map_err(RepoError::at(path))?;
    if !found.is_dir() || found.mode() & 0o077 != 0 || found.uid() != rustix::process::geteuid().as_raw() {
        return Err(RepoError::Exposed { path: path.to_owned() });
    }
    Ok(())
}

/// Waits for the lock at `path`; dropping the file releases it.
pub(crate) async fn lock(path: &Path) -> Result<File, RepoError> {
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(RepoError::at(path))?;
    let end = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) if Instant::now() < end => tokio::time::sleep(STEP).await,
            Err(fs::TryLockError::WouldBlock) => return Err(RepoError::Locked { path: path.to_owned() }),
            Err(fs::TryLockError::Error(source)) => return Err(RepoError::File { path: path.to_owned(), source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_that_others_can_enter_is_refused() {
        let temp = tempfile::tempdir().expect("temp");
        let dir = temp.path().join("a/b");
        private(&dir).expect("made");
        private(&dir).expect("still ours");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o770)).expect("chmod");
        assert!(matches!(private(&dir), Err(RepoError::Exposed { .. })));
    }
}
