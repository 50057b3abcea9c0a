//! The kernel surface that our seccomp profile must refuse (K-04): one table.
//!
//! Each call is made so that, if nothing refused it, it would fail in another way or do no harm beyond this process.

#![expect(unsafe_code, reason = "the calls have no safe wrapper: that they must not exist for an agent is the point")]

use super::checks::Checks;
use rustix::{
    io::Errno,
    process::{Pid, WaitOptions, WaitStatus},
};
use std::io;

/// What a refusal by seccomp or by the missing capability looks like. EFAULT or EINVAL mean that the call was reached.
const REFUSED: &[Errno] = &[Errno::PERM, Errno::NOSYS, Errno::ACCESS];
/// Marks a call of the x32 ABI on x86-64.
#[cfg(target_arch = "x86_64")]
const X32: libc::c_long = 0x4000_0000;

/// A call with plain numbers: no argument is an address in this process.
struct Attempt {
    id: &'static str,
    number: libc::c_long,
    args: [libc::c_long; 5],
}

const fn attempt(id: &'static str, number: libc::c_long, args: [libc::c_long; 5]) -> Attempt {
    Attempt { id, number, args }
}

/// Every pointer is null, so that the kernel can neither read nor write our memory.
const ATTEMPTS: &[Attempt] = &[
    attempt("sys.unshare", libc::SYS_unshare, [libc::CLONE_NEWUSER as libc::c_long, 0, 0, 0, 0]),
    attempt("sys.unshare-mount", libc::SYS_unshare, [libc::CLONE_NEWNS as libc::c_long, 0, 0, 0, 0]),
    attempt("sys.setns", libc::SYS_setns, [-1, 0, 0, 0, 0]),
    attempt("sys.clone3", libc::SYS_clone3, [0, 0, 0, 0, 0]),
    attempt("sys.mount", libc::SYS_mount, [0, 0, 0, 0, 0]),
    attempt("sys.mount-api", libc::SYS_fsopen, [0, 0, 0, 0, 0]),
    attempt("sys.open-tree", libc::SYS_open_tree, [-1, 0, 0, 0, 0]),
    attempt("sys.pivot-root", libc::SYS_pivot_root, [0, 0, 0, 0, 0]),
    attempt("sys.bpf", libc::SYS_bpf, [0, 0, 0, 0, 0]),
    attempt("sys.perf", libc::SYS_perf_event_open, [0, 0, -1, -1, 0]),
    attempt("sys.keyctl", libc::SYS_keyctl, [0, -3, 0, 0, 0]),
    attempt("sys.add-key", libc::SYS_add_key, [0, 0, 0, 0, -3]),
    attempt("sys.request-key", libc::SYS_request_key, [0, 0, 0, 0, 0]),
    attempt("sys.io-uring", libc::SYS_io_uring_setup, [1, 0, 0, 0, 0]),
    attempt("sys.userfaultfd", libc::SYS_userfaultfd, [0, 0, 0, 0, 0]),
    attempt("sys.open-by-handle", libc::SYS_open_by_handle_at, [-1, 0, 0, 0, 0]),
    attempt("sys.modules", libc::SYS_finit_module, [-1, 0, 0, 0, 0]),
    attempt("sys.kexec", libc::SYS_kexec_load, [0, 0, 0, 0, 0]),
    attempt("sys.ptrace-init", libc::SYS_ptrace, [libc::PTRACE_SEIZE as libc::c_long, 1, 0, 0, 0]),
];

/// Makes every attempt, and those that need a process to lose.
pub(super) fn check(checks: &mut Checks) {
    for Attempt { id, number, args: [a, b, c, d, e] } in ATTEMPTS {
        // SAFETY: the table above passes numbers and null pointers only, so that no memory of this process is read or
        // written. A descriptor that a surprising success returns is leaked until the process ends, which is soon.
        let result = unsafe { libc::syscall(*number, *a, *b, *c, *d, *e) };
        checks.held(*id, returned(result), REFUSED);
    }
    checks.held("sys.clone-userns", fork(libc::CLONE_NEWUSER, None).map(drop), REFUSED);
    #[cfg(target_arch = "x86_64")]
    foreign_abi(checks);
    let init = rustix::process::test_kill_process(Pid::INIT);
    checks.held("sys.kill-init", init, &[Errno::PERM]);
}

/// A filter written for x86-64 does not see the x32 numbers: they must be refused or kill the caller.
#[cfg(target_arch = "x86_64")]
fn foreign_abi(checks: &mut Checks) {
    const ID: &str = "sys.x32";
    match fork(0, Some(X32 + libc::SYS_getpid)) {
        Err(errno) => checks.holds(ID, false, &format!("cannot fork: {errno}")),
        Ok(None) => checks.holds(ID, false, "the child vanished"),
        Ok(Some(status)) => {
            let refused = status.exit_status().map(Errno::from_raw_os_error);
            let is_killed = status.terminating_signal() == Some(libc::SIGSYS);
            let is_held = is_killed || refused.is_some_and(|errno| REFUSED.contains(&errno));
            checks.holds(ID, is_held, &format!("{status:?}"));
        }
    }
}

/// Forks with extra `flags`; the child makes the call without arguments and exits with its errno, or with 0.
fn fork(flags: libc::c_int, call: Option<libc::c_long>) -> Result<Option<WaitStatus>, Errno> {
    // SAFETY: without CLONE_VM this is a fork, made while this process has one thread. The child makes one system call
    // without arguments, reads its own errno and calls `_exit`, so that it touches no state that the parent shares.
    let child = unsafe {
        let child = libc::syscall(libc::SYS_clone, libc::c_long::from(flags | libc::SIGCHLD), 0, 0, 0, 0);
        if child == 0 {
            let result = call.map_or(0, |number| libc::syscall(number));
            libc::_exit(if result == -1 { *libc::__errno_location() } else { 0 });
        }
        child
    };
    returned(child)?;
    let child = i32::try_from(child).ok().and_then(Pid::from_raw);
    Ok(rustix::process::waitpid(child, WaitOptions::empty())?.map(|(_, status)| status))
}

fn returned(result: libc::c_long) -> Result<(), Errno> {
    if result == -1 {
        return Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO));
    }
    Ok(())
}
