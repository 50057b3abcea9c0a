//! The kernel surface that our seccomp profile must refuse (K-04), tried call by call.
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
/// What may come of a call that changes the process that makes it.
const UNCHANGED: &[Errno] = &[Errno::PERM];
/// Marks a call of the x32 ABI on x86-64.
#[cfg(target_arch = "x86_64")]
const X32: libc::c_long = 0x4000_0000;

type Args = [libc::c_long; 5];

/// A call with plain numbers: no argument is an address in this process.
#[derive(Clone, Copy)]
struct Call {
    number: libc::c_long,
    args: Args,
}

const fn attempt(id: &'static str, number: libc::c_long, args: Args) -> (&'static str, Call) {
    (id, Call { number, args })
}

/// Every pointer is null, so that the kernel can neither read nor write our memory.
const ATTEMPTS: &[(&str, Call)] = &[
    attempt("sys.setns", libc::SYS_setns, [-1, 0, 0, 0, 0]),
    attempt("sys.clone3", libc::SYS_clone3, [0, 0, 0, 0, 0]),
    attempt("sys.mount", libc::SYS_mount, [0, 0, 0, 0, 0]),
    attempt("sys.umount", libc::SYS_umount2, [0, 0, 0, 0, 0]),
    attempt("sys.mount-api", libc::SYS_fsopen, [0, 0, 0, 0, 0]),
    attempt("sys.move-mount", libc::SYS_move_mount, [-1, 0, -1, 0, 0]),
    attempt("sys.mount-setattr", libc::SYS_mount_setattr, [-1, 0, 0, 0, 0]),
    attempt("sys.open-tree", libc::SYS_open_tree, [-1, 0, 0, 0, 0]),
    attempt("sys.pivot-root", libc::SYS_pivot_root, [0, 0, 0, 0, 0]),
    attempt("sys.chroot", libc::SYS_chroot, [0, 0, 0, 0, 0]),
    attempt("sys.bpf", libc::SYS_bpf, [0, 0, 0, 0, 0]),
    attempt("sys.perf", libc::SYS_perf_event_open, [0, 0, -1, -1, 0]),
    attempt("sys.keyctl", libc::SYS_keyctl, [0, -3, 0, 0, 0]),
    attempt("sys.add-key", libc::SYS_add_key, [0, 0, 0, 0, -3]),
    attempt("sys.request-key", libc::SYS_request_key, [0, 0, 0, 0, 0]),
    attempt("sys.io-uring", libc::SYS_io_uring_setup, [1, 0, 0, 0, 0]),
    attempt("sys.userfaultfd", libc::SYS_userfaultfd, [0, 0, 0, 0, 0]),
    attempt("sys.memfd-secret", libc::SYS_memfd_secret, [0, 0, 0, 0, 0]),
    attempt("sys.vmsplice", libc::SYS_vmsplice, [-1, 0, 0, 0, 0]),
    attempt("sys.fanotify", libc::SYS_fanotify_init, [0, 0, 0, 0, 0]),
    attempt("sys.pidfd-getfd", libc::SYS_pidfd_getfd, [-1, 0, 0, 0, 0]),
    attempt("sys.open-by-handle", libc::SYS_open_by_handle_at, [-1, 0, 0, 0, 0]),
    attempt("sys.name-to-handle", libc::SYS_name_to_handle_at, [-1, 0, 0, 0, 0]),
    attempt("sys.modules", libc::SYS_finit_module, [-1, 0, 0, 0, 0]),
    attempt("sys.kexec", libc::SYS_kexec_load, [0, 0, 0, 0, 0]),
    attempt("sys.swap", libc::SYS_swapon, [0, 0, 0, 0, 0]),
    attempt("sys.quota", libc::SYS_quotactl, [-1, 0, 0, 0, 0]),
    attempt("sys.accounting", libc::SYS_acct, [0, 0, 0, 0, 0]),
    attempt("sys.clock", libc::SYS_settimeofday, [0, 0, 0, 0, 0]),
    attempt("sys.kernel-log", libc::SYS_syslog, [10, 0, 0, 0, 0]),
    attempt("sys.hostname", libc::SYS_sethostname, [0, 0, 0, 0, 0]),
    attempt("sys.ptrace-init", libc::SYS_ptrace, [libc::PTRACE_SEIZE as libc::c_long, 1, 0, 0, 0]),
    #[cfg(target_arch = "x86_64")]
    attempt("sys.io-ports", libc::SYS_iopl, [3, 0, 0, 0, 0]),
    #[cfg(target_arch = "x86_64")]
    attempt("sys.ldt", libc::SYS_modify_ldt, [0, 0, 0, 0, 0]),
];

/// Calls that would change the process which makes them: a child makes each.
const CHANGES: &[(&str, Call, &[Errno])] = &[
    ("sys.unshare", Call { number: libc::SYS_unshare, args: [libc::CLONE_NEWUSER as _, 0, 0, 0, 0] }, REFUSED),
    ("sys.unshare-mount", Call { number: libc::SYS_unshare, args: [libc::CLONE_NEWNS as _, 0, 0, 0, 0] }, REFUSED),
    ("cap.setuid", Call { number: libc::SYS_setresuid, args: [0, 0, 0, 0, 0] }, UNCHANGED),
    ("cap.setgid", Call { number: libc::SYS_setresgid, args: [0, 0, 0, 0, 0] }, UNCHANGED),
    ("cap.setgroups", Call { number: libc::SYS_setgroups, args: [0, 0, 0, 0, 0] }, UNCHANGED),
];

/// Makes every attempt, and those that need a process to lose.
pub(super) fn check(checks: &mut Checks) {
    for (id, Call { number, args: [a, b, c, d, e] }) in ATTEMPTS {
        // SAFETY: the table above passes numbers and null pointers only, so that no memory of this process is read or
        // written. A descriptor that a surprising success returns is leaked until the process ends, which is soon.
        let result = unsafe { libc::syscall(*number, *a, *b, *c, *d, *e) };
        checks.held(*id, returned(result), REFUSED);
    }
    for (id, call, accepted) in CHANGES {
        match in_child(0, Some(*call)) {
            Ok(Ended::Errno(errno)) => checks.held(*id, errno.map_or(Ok(()), Err), accepted),
            other => checks.holds(*id, false, &format!("{other:?}")),
        }
    }
    checks.held("sys.clone-userns", in_child(libc::CLONE_NEWUSER, None), REFUSED);
    #[cfg(target_arch = "x86_64")]
    foreign_abis(checks);
    let init = rustix::process::test_kill_process(Pid::INIT);
    checks.held("sys.kill-init", init, &[Errno::PERM]);
}

/// A filter written for x86-64 does not see the numbers of the other two ABIs: they must be refused or kill the caller.
#[cfg(target_arch = "x86_64")]
fn foreign_abis(checks: &mut Checks) {
    let x32 = in_child(0, Some(Call { number: X32 + libc::SYS_getpid, args: [0; 5] }));
    for (id, ended) in [("sys.x32", x32), ("sys.i386", in_i386())] {
        let is_held = match &ended {
            Ok(Ended::Errno(Some(errno))) => REFUSED.contains(errno),
            // A kernel without the 32-bit ABI answers its instruction with SIGSEGV.
            Ok(Ended::Signal(signal)) => [libc::SIGSYS, libc::SIGSEGV].contains(signal),
            Ok(Ended::Errno(None)) | Err(_) => false,
        };
        checks.holds(id, is_held, &format!("{ended:?}"));
    }
}

/// How a child ended.
#[derive(Debug)]
enum Ended {
    /// With the errno of its call; none when the call worked.
    Errno(Option<Errno>),
    Signal(i32),
}

/// Forks with extra `flags`; the child makes the call and exits with its errno, or with 0.
fn in_child(flags: libc::c_int, call: Option<Call>) -> Result<Ended, Errno> {
    // SAFETY: without CLONE_VM this is a fork, made while this process has one thread. The child makes one system call
    // with numbers, reads its own errno and calls `_exit`, so that it touches no state that the parent shares.
    let child = unsafe {
        let child = libc::syscall(libc::SYS_clone, libc::c_long::from(flags | libc::SIGCHLD), 0, 0, 0, 0);
        if child == 0 {
            let result = call.map_or(0, |Call { number, args: [a, b, c, d, e] }| libc::syscall(number, a, b, c, d, e));
            libc::_exit(if result == -1 { *libc::__errno_location() } else { 0 });
        }
        child
    };
    end_of(child)
}

/// A child asks for its process id by the 32-bit instruction.
#[cfg(target_arch = "x86_64")]
fn in_i386() -> Result<Ended, Errno> {
    const GETPID: i32 = 20;
    // SAFETY: as in `in_child`; the instruction takes a number in a register, touches no memory and returns one.
    let child = unsafe {
        let child = libc::syscall(libc::SYS_clone, libc::c_long::from(libc::SIGCHLD), 0, 0, 0, 0);
        if child == 0 {
            let mut result = GETPID;
            std::arch::asm!("int 0x80", inout("eax") result, options(nostack));
            libc::_exit(if result < 0 { -result } else { 0 });
        }
        child
    };
    end_of(child)
}

fn end_of(child: libc::c_long) -> Result<Ended, Errno> {
    returned(child)?;
    let child = i32::try_from(child).ok().and_then(Pid::from_raw);
    let status: WaitStatus = rustix::process::waitpid(child, WaitOptions::empty())?.ok_or(Errno::CHILD)?.1;
    match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => Ok(Ended::Errno(None)),
        (Some(code), _) => Ok(Ended::Errno(Some(Errno::from_raw_os_error(code)))),
        (None, Some(signal)) => Ok(Ended::Signal(signal)),
        (None, None) => Err(Errno::CHILD),
    }
}

fn returned(result: libc::c_long) -> Result<(), Errno> {
    if result == -1 {
        return Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO));
    }
    Ok(())
}
