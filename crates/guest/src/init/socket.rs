//! PID 1's Unix sockets.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};
use tokio::net::UnixListener;

/// Listens at `path` with the given mode. A socket that an earlier process left behind is replaced.
pub(super) fn listen(path: &Path, mode: u32) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // The mode is narrow from the first instant: bound under a tight mask, widened afterwards.
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    rustix::process::umask(before);
    let listener = listener?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(listener)
}
