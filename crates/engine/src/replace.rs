//! Changing a file that is there: whole or not at all, and one process at a time.

use std::{
    fs::{self, File, Permissions, TryLockError},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use tempfile::NamedTempFile;

/// The mode of a file that is its owner's alone.
pub(crate) const PRIVATE: u32 = 0o600;
/// Time between two looks at a lock.
const PAUSE: Duration = Duration::from_millis(50);

/// Puts `content` in the place of what is at `path`, or of nothing: written under a temporary name beside it, then renamed. A link is
/// replaced itself; [`behind_links`] names the file behind it.
///
/// # Errors
/// The file is as it was then.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    beside(path, content, mode)?.persist(path)?;
    Ok(())
}

/// The same, but only where there is nothing.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] and others; what is there is as it was then.
pub(crate) fn create(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    beside(path, content, mode)?.persist_noclobber(path)?;
    Ok(())
}

/// The file that a path leads to; the path itself where there is none.
///
/// # Errors
/// Why it cannot be followed.
pub fn behind_links(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        followed => followed,
    }
}

fn beside(path: &Path, content: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(directory(path))?;
    file.write_all(content)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Keeps other processes that change the same file away until what it returns is dropped. The lock is on the directory: the file itself is
/// replaced.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`] when another process has it for as long as `wait`.
pub fn lock(path: &Path, wait: Duration) -> io::Result<File> {
    let file = File::open(directory(path))?;
    let end = Instant::now() + wait;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < end => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                let text = format!("another process has held the lock on its directory for {} s", wait.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().expect("dir");
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        symlink(&file, &link).expect("link");
        assert_eq!(behind_links(&link).expect("nothing there"), link);
        replace(&file, b"one", 0o640).expect("new");
        assert_eq!(behind_links(&link).expect("there"), fs::canonicalize(&file).expect("file"));
        let found = || (fs::read_to_string(&file).expect("read"), fs::metadata(&file).expect("file").permissions());
        assert_eq!((found().0.as_str(), found().1.mode() & 0o777), ("one", 0o640));
        let refused = create(&file, b"two", PRIVATE).expect_err("it is there");
        assert_eq!((refused.kind(), found().0.as_str()), (io::ErrorKind::AlreadyExists, "one"));
        replace(&file, b"two", PRIVATE).expect("again");
        assert_eq!((found().0.as_str(), found().1.mode() & 0o777), ("two", 0o600));
        create(&dir.path().join("other"), b"x", PRIVATE).expect("it is not there");
        assert!(replace(&dir.path().join("none/file"), b"x", PRIVATE).is_err());
        assert_eq!(fs::read_dir(dir.path()).expect("dir").count(), 3);
    }

    #[test]
    fn a_lock_is_waited_for_and_not_for_ever() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("file");
        let held = lock(&path, Duration::ZERO).expect("nobody has it");
        let error = lock(&path, Duration::from_millis(60)).expect_err("taken");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().contains("another process"), "{error}");
        let next = thread::spawn(move || lock(&path, Duration::from_secs(60)).is_ok());
        thread::sleep(Duration::from_millis(60));
        drop(held);
        assert!(next.join().expect("thread"));
    }
}
