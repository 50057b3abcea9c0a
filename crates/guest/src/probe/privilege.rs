//! What the process may do, from `/proc/self/status` (K-02), and PID 1's secrets (C-01, K-07).

use super::{checks::Checks, env};
use rustix::{
    io::Errno,
    process::{Resource, getrlimit},
};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
};
use types::{probe::Kernel, text::printable};

/// How the kernel refuses a look into a process of another uid.
const REFUSED: &[Errno] = &[Errno::ACCESS, Errno::PERM];
/// Stands for a field that is not there.
const MISSING: &str = "missing";

/// Reads the facts and tries PID 1.
pub(super) fn check(checks: &mut Checks, agent_uid: u32) {
    let status = fs::read_to_string("/proc/self/status");
    checks.holds(
        "cap.status",
        status.is_ok(),
        &status.as_ref().map_or_else(ToString::to_string, |_| "read".to_owned()),
    );
    judge(checks, &status.unwrap_or_default(), agent_uid);
    let no_new_privs = rustix::thread::no_new_privs();
    checks.holds("cap.no-new-privs", no_new_privs == Ok(true), &format!("{no_new_privs:?}"));
    let core = getrlimit(Resource::Core);
    checks.holds("limit.core", core.current == Some(0) && core.maximum == Some(0), &format!("{core:?}"));
    checks.held("proc.init-memory", fs::File::open("/proc/1/mem").map_err(errno), REFUSED);
    init_environ(checks);
    init_descriptors(checks);
}

/// PID 1's environment is closed; gVisor shows it, and then nothing in it may be a credential.
fn init_environ(checks: &mut Checks) {
    const ID: &str = "proc.init-environ";
    match fs::read("/proc/1/environ").map_err(errno) {
        Ok(text) => {
            let carriers = env::carriers_in(&text);
            checks.holds(ID, carriers.is_empty(), &format!("readable; credentials in it: {carriers:?}"));
        }
        refused @ Err(_) => checks.held(ID, refused, REFUSED),
    }
}

/// PID 1's descriptors cannot be listed, or, in gVisor, where they can be listed, none but the null device can be opened.
fn init_descriptors(checks: &mut Checks) {
    const ID: &str = "proc.init-descriptors";
    let entries = match fs::read_dir("/proc/1/fd").map_err(errno) {
        Ok(entries) => entries,
        refused @ Err(_) => return checks.held(ID, refused, REFUSED),
    };
    let mut opened = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let attempt = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path);
        if attempt.is_ok_and(|file| !is_null_device(&file)) {
            opened.push(printable(&path.display().to_string(), 40));
        }
    }
    checks.holds(ID, opened.is_empty(), &format!("listed; opened: {opened:?}"));
}

/// A device that has nothing to read. (In gVisor the null device of the machine has no number.)
fn is_null_device(mut file: &fs::File) -> bool {
    let is_device = file.metadata().is_ok_and(|meta| meta.file_type().is_char_device());
    is_device && matches!(file.read(&mut [0]), Ok(0))
}

/// The errno of an error from the standard library; EIO, which no check accepts, for one without.
pub(super) fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

fn judge(checks: &mut Checks, status: &str, agent_uid: u32) {
    let field = |name: &str| {
        let mut lines = status.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        lines.next().unwrap_or(MISSING).trim()
    };
    let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(field);
    // gVisor has no ambient capabilities and does not list them.
    let is_none = |set: &str| set == MISSING && checks.kernel() == Kernel::Gvisor;
    let (last, first) = sets.split_last().unwrap_or((&MISSING, &[]));
    let is_empty = |set: &str| u64::from_str_radix(set, 16) == Ok(0);
    let has_none = first.iter().all(|set| is_empty(set)) && (is_empty(last) || is_none(last));
    checks.holds("cap.empty", has_none, &sets.join(" "));
    let is_filtered = field("Seccomp") == "2" || checks.is_answered_by_gvisor("cap.seccomp");
    checks.holds("cap.seccomp", is_filtered, field("Seccomp"));
    let ids = |name| field(name).split_whitespace().map(str::parse::<u32>).collect::<Vec<_>>();
    let uids = ids("Uid");
    let is_agent = uids.len() == 4 && uids.iter().all(|uid| *uid == Ok(agent_uid)) && agent_uid != 0;
    checks.holds("cap.uid", is_agent, field("Uid"));
    // Group 0 owns much in most images.
    let gids = [ids("Gid"), ids("Groups")].concat();
    let has_no_root = gids.len() >= 4 && gids.iter().all(|gid| matches!(gid, Ok(gid) if *gid != 0));
    checks.holds("cap.gid", has_no_root, &format!("{} / {}", field("Gid"), field("Groups")));
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Name:\tx\nUid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\nGroups:\t \n\
        CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
        CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nSeccomp:\t2\nSeccomp_filters:\t1\n";

    fn surprises(status: &str, uid: u32) -> Vec<String> {
        surprises_below(Kernel::Linux, status, uid)
    }

    fn surprises_below(kernel: Kernel, status: &str, uid: u32) -> Vec<String> {
        let mut checks = Checks::below(kernel);
        judge(&mut checks, status, uid);
        checks.surprises().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn what_gvisor_does_not_have_is_not_asked_of_it() {
        let status = GOOD.replace("CapAmb:\t0000000000000000\n", "").replace("Seccomp:\t2", "Seccomp:\t0");
        assert_eq!(surprises(&status, 1000), ["cap.empty", "cap.seccomp"]);
        assert_eq!(surprises_below(Kernel::Gvisor, &status, 1000), [] as [&str; 0]);
        let full = status.replace("CapBnd:\t0000000000000000", "CapBnd:\t00000000a80425fb");
        assert_eq!(surprises_below(Kernel::Gvisor, &full, 1000), ["cap.empty"]);
    }

    #[test]
    fn only_the_null_device_is_nobody_s_descriptor() {
        assert!(is_null_device(&fs::File::open("/dev/null").unwrap()));
        assert!(!is_null_device(&fs::File::open("/dev/zero").unwrap()));
        assert!(!is_null_device(&fs::File::open("/proc/self/status").unwrap()));
    }

    #[test]
    fn each_fact_is_judged_by_itself() {
        assert_eq!(surprises(GOOD, 1000), [] as [&str; 0]);
        assert_eq!(surprises(GOOD, 0), ["cap.uid"]);
        for (from, to, id) in [
            ("CapBnd:\t0000000000000000", "CapBnd:\t00000000a80425fb", "cap.empty"),
            ("CapAmb:\t0000000000000000\n", "", "cap.empty"),
            ("Seccomp:\t2", "Seccomp:\t0", "cap.seccomp"),
            ("Uid:\t1000\t1000\t1000", "Uid:\t1000\t1000\t0", "cap.uid"),
            ("Gid:\t1000\t1000", "Gid:\t0\t0", "cap.gid"),
            ("Groups:\t ", "Groups:\t27 0 ", "cap.gid"),
        ] {
            let bad = GOOD.replace(from, to);
            assert_ne!(bad, GOOD);
            assert_eq!(surprises(&bad, 1000), [id]);
        }
        assert_eq!(surprises("", 1000).len(), 4);
    }
}
