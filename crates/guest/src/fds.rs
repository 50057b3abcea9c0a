//! Closing what a program must not inherit.

#![expect(unsafe_code, reason = "close_range has no safe wrapper in std or rustix")]

use std::io;

/// Marks every descriptor from 3 up as close-on-exec. Failing is an error for the caller: an agent must not start with
/// a descriptor that nobody meant to give it.
pub(crate) fn close_rest_on_exec() -> io::Result<()> {
    // The highest descriptor there can be; gVisor reads the number with its sign.
    // SAFETY: the call takes three numbers and no memory; with CLOSE_RANGE_CLOEXEC it closes nothing now, so that no
    // `OwnedFd` of this process is invalidated.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3, i32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
