//! What the process may do, from `/proc/self/status` (K-02), and PID 1's secrets (C-01, K-07).

use super::checks::Checks;
use rustix::{
    io::Errno,
    process::{Resource, getrlimit},
};
use std::{fs, io};

/// How the kernel refuses a look into a process of another uid.
const REFUSED: &[Errno] = &[Errno::ACCESS, Errno::PERM];

/// Reads the facts and tries PID 1.
pub(super) fn check(checks: &mut Checks, agent_uid: u32) {
    match fs::read_to_string("/proc/self/status") {
        Ok(status) => judge(checks, &status, agent_uid),
        Err(error) => checks.holds("cap.status", false, &error.to_string()),
    }
    let core = getrlimit(Resource::Core);
    checks.holds("limit.core", core.current == Some(0) && core.maximum == Some(0), &format!("{core:?}"));
    for (id, path) in [
        ("proc.init-environ", "/proc/1/environ"),
        ("proc.init-memory", "/proc/1/mem"),
        ("proc.init-descriptors", "/proc/1/fd/0"),
    ] {
        checks.held(id, fs::File::open(path).map_err(errno), REFUSED);
    }
}

/// The errno of an error from the standard library; EIO, which no check accepts, for one without.
pub(super) fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

fn judge(checks: &mut Checks, status: &str, agent_uid: u32) {
    let field = |name: &str| {
        let mut lines = status.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        lines.next().unwrap_or("missing").trim()
    };
    let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(field);
    checks.holds("cap.empty", sets.iter().all(|set| u64::from_str_radix(set, 16) == Ok(0)), &sets.join(" "));
    checks.holds("cap.no-new-privs", field("NoNewPrivs") == "1", field("NoNewPrivs"));
    checks.holds("cap.seccomp", field("Seccomp") == "2", field("Seccomp"));
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
        CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";

    fn surprises(status: &str, uid: u32) -> Vec<String> {
        let mut checks = Checks::default();
        judge(&mut checks, status, uid);
        checks.into_list().into_iter().filter(|check| !check.ok).map(|check| check.id).collect()
    }

    #[test]
    fn each_fact_is_judged_by_itself() {
        assert_eq!(surprises(GOOD, 1000), [] as [&str; 0]);
        assert_eq!(surprises(GOOD, 0), ["cap.uid"]);
        for (from, to, id) in [
            ("CapBnd:\t0000000000000000", "CapBnd:\t00000000a80425fb", "cap.empty"),
            ("CapAmb:\t0000000000000000\n", "", "cap.empty"),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0", "cap.no-new-privs"),
            ("Seccomp:\t2", "Seccomp:\t0", "cap.seccomp"),
            ("Uid:\t1000\t1000\t1000", "Uid:\t1000\t1000\t0", "cap.uid"),
            ("Gid:\t1000\t1000", "Gid:\t0\t0", "cap.gid"),
            ("Groups:\t ", "Groups:\t27 0 ", "cap.gid"),
        ] {
            let bad = GOOD.replace(from, to);
            assert_ne!(bad, GOOD);
            assert_eq!(surprises(&bad, 1000), [id]);
        }
        assert_eq!(surprises("", 1000).len(), 5);
    }
}
