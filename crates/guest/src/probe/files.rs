//! The file system: what must be read-only or absent (K-01, K-05) and what must be writable.

use super::{checks::Checks, privilege::errno};
use rustix::{
    fs::{CWD, FileType, Mode, StatVfsMountFlags, mknodat, statvfs},
    io::Errno,
};
use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use types::{probe::Kernel, wire::RUN_DIR};

/// Where engines listen. None may be there.
const ENGINE_SOCKETS: &[&str] = &[
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/buildkit/buildkitd.sock",
    "/run/host-services/ssh-auth.sock",
];
/// What `/dev` may hold.
const DEVICES: &[&str] = &[
    "console", "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout",
    "tty", "urandom", "zero",
];
/// File system types of both versions of control groups.
const CONTROL_GROUPS: [rustix::fs::FsWord; 2] = [0x0027_e0eb, 0x6367_7270];
/// How deep directories are searched for sockets, and how many entries of each are looked at.
const DEPTH: u32 = 3;
const MAX_ENTRIES: usize = 256;
const READ_ONLY: &[Errno] = &[Errno::ROFS, Errno::ACCESS, Errno::PERM];
const CLOSED: &[Errno] = &[Errno::ROFS, Errno::ACCESS, Errno::PERM, Errno::NOENT];
const ABSENT: &[Errno] = &[Errno::NOENT, Errno::NOTDIR, Errno::ACCESS];

/// Tries the closed places and then the directories in `writable`.
pub(super) fn check(checks: &mut Checks, writable: &[String]) {
    let is_read_only = |path| statvfs(path).map(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY));
    checks.holds("fs.root-read-only", is_read_only("/") == Ok(true), &format!("{:?}", is_read_only("/")));
    checks.held("fs.guest-binary", append("/proc/self/exe"), READ_ONLY);
    for (id, path) in [
        ("fs.sysrq", "/proc/sysrq-trigger"),
        ("fs.core-pattern", "/proc/sys/kernel/core_pattern"),
        ("fs.modprobe", "/proc/sys/kernel/modprobe"),
        ("fs.uevent-helper", "/sys/kernel/uevent_helper"),
        ("fs.memory-device", "/dev/mem"),
    ] {
        checks.held(id, append(path), CLOSED);
    }
    control_groups(checks);
    kernel_memory(checks);
    engine_sockets(checks);
    sockets(checks);
    devices(checks);
    device_node(checks, writable);
    for directory in writable {
        checks.works(format!("control.write:{directory}"), write_in(Path::new(directory)));
    }
}

/// Opens for writing without changing anything.
fn append(path: &str) -> Result<fs::File, Errno> {
    OpenOptions::new().append(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(errno)
}

/// Control groups are closed wherever they are mounted: version 1 has a directory for each controller, below one that is none.
fn control_groups(checks: &mut Checks) {
    let root = Path::new("/sys/fs/cgroup");
    let below = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let groups: Vec<PathBuf> = below.chain([root.to_owned()]).filter(|path| is_control_group(path)).collect();
    let make = |group: &Path| {
        let path = group.join("sandbox-probe");
        fs::create_dir(&path).map_err(errno).inspect(|()| drop(fs::remove_dir(&path)))
    };
    let append_to = |group: &Path, name: &str| append(&group.join(name).display().to_string()).map(drop);
    closed(checks, "fs.cgroup-procs", &groups, |group| append_to(group, "cgroup.procs"));
    closed(checks, "fs.release-agent", &groups, |group| append_to(group, "release_agent"));
    closed(checks, "fs.cgroup", &groups, make);
}

fn is_control_group(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|stat| CONTROL_GROUPS.contains(&stat.f_type))
}

/// The attempt must fail in every group; where none is mounted there is nothing to close.
fn closed(checks: &mut Checks, id: &str, groups: &[PathBuf], attempt: impl Fn(&Path) -> Result<(), Errno>) {
    let outcomes: Vec<_> = groups.iter().map(|group| (group, attempt(group))).collect();
    let is_closed = |outcome: &Result<(), Errno>| matches!(outcome, Err(errno) if CLOSED.contains(errno));
    let open: Vec<_> = outcomes.iter().filter(|(_, outcome)| !is_closed(outcome)).collect();
    checks.holds(id, open.is_empty(), &format!("{} are closed; open: {open:?}", outcomes.len() - open.len()));
}

/// `/proc/kcore` is refused, or masked by an empty file.
fn kernel_memory(checks: &mut Checks) {
    match fs::File::open("/proc/kcore").map_err(errno) {
        Ok(mut file) => {
            let read = file.read(&mut [0; 16]).map_err(errno);
            checks.holds("fs.kcore", read == Ok(0), &format!("opened, read {read:?}"));
        }
        refused @ Err(_) => checks.held("fs.kcore", refused, CLOSED),
    }
}

/// A socket that is there counts, even if this uid may not connect to it.
fn engine_sockets(checks: &mut Checks) {
    let found = ENGINE_SOCKETS.iter().find(|path| {
        let attempt = fs::metadata(path).map_err(errno);
        !matches!(attempt, Err(errno) if ABSENT.contains(&errno))
    });
    checks.holds("engine.socket", found.is_none(), found.unwrap_or(&"none is there"));
}

/// Nothing in `/dev` is a device of the machine. (gVisor's `fuse` and `net` are its own.)
fn devices(checks: &mut Checks) {
    let own: &[&str] = match checks.kernel() {
        Kernel::Linux => &[],
        Kernel::Gvisor => &["fuse", "net"],
    };
    match fs::read_dir("/dev") {
        Ok(entries) => {
            let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
            let found: Vec<_> =
                names.filter(|name| !DEVICES.contains(&name.as_str()) && !own.contains(&name.as_str())).collect();
            checks.holds("fs.devices", found.is_empty(), &format!("beside the harmless ones: {found:?}"));
        }
        Err(error) => checks.holds("fs.devices", false, &error.to_string()),
    }
}

/// Sockets of the host would be found here, wherever they are mounted: the kernel lists those that somebody listens on in this
/// network namespace, and the usual directories are searched for the others.
fn sockets(checks: &mut Checks) {
    let listed = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let mut found: Vec<String> = listeners(&listed).map(str::to_owned).collect();
    // Two names of one directory, such as `/var/run`, are one.
    let places = ["/run", "/var/run", "/tmp", "/mnt", "/host"].map(fs::canonicalize);
    for directory in places.into_iter().flatten().collect::<BTreeSet<_>>() {
        search(&directory, DEPTH, &mut found);
    }
    found.retain(|path| !path.strip_prefix(RUN_DIR).is_some_and(|rest| rest.starts_with('/')));
    checks.holds("fs.sockets", found.is_empty(), &format!("beside ours: {found:?}"));
}

/// Paths in the text of `/proc/net/unix`, abstract ones with an `@`.
fn listeners(text: &str) -> impl Iterator<Item = &str> {
    text.lines().skip(1).filter_map(|line| line.split_whitespace().nth(7))
}

fn search(directory: &Path, depth: u32, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten().take(MAX_ENTRIES) {
        match entry.file_type() {
            Ok(kind) if kind.is_socket() => found.push(entry.path().display().to_string()),
            Ok(kind) if kind.is_dir() && depth > 0 => search(&entry.path(), depth - 1, found),
            Ok(_) | Err(_) => {}
        }
    }
}

/// Device nodes cannot be made where files can. (A 0:0 node would be an overlay's whiteout, which anyone may make.)
fn device_node(checks: &mut Checks, writable: &[String]) {
    let Some(directory) = writable.first() else {
        checks.holds("fs.mknod", false, "the plan names no writable directory");
        return;
    };
    let path = Path::new(directory).join(name("node"));
    let mode = Mode::from_raw_mode(0o600);
    let made = mknodat(CWD, &path, FileType::CharacterDevice, mode, rustix::fs::makedev(1, 1));
    checks.held("fs.mknod", made.inspect(|()| drop(fs::remove_file(&path))), &[Errno::PERM, Errno::NOSYS]);
}

fn write_in(directory: &Path) -> Result<String, String> {
    let path = directory.join(name("file"));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&path)
        .and_then(|mut file| file.write_all(b"probe"));
    let removed = if written.is_ok() { fs::remove_file(&path) } else { Ok(()) };
    written.and(removed).map(|()| "written and removed".to_owned()).map_err(|error| error.to_string())
}

/// A name of this process's own in a directory that others may write.
fn name(what: &str) -> String {
    format!(".sandbox-probe-{what}-{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_open_control_group_is_a_surprise() {
        let groups = ["/a", "/b"].map(PathBuf::from);
        for (open, ok) in [(None, true), (Some("/b"), false)] {
            let mut checks = Checks::default();
            let attempt = |group: &Path| {
                if open.is_some_and(|open| group == Path::new(open)) { Ok(()) } else { Err(Errno::ROFS) }
            };
            closed(&mut checks, "fs.cgroup", &groups, attempt);
            assert_eq!(checks.outcome("fs.cgroup"), Some(ok));
        }
        assert!(!is_control_group(Path::new("/tmp")));
    }

    #[test]
    fn listeners_are_read_as_the_kernel_lists_them() {
        let text = "Num RefCount Protocol Flags Type St Inode Path\n\
            0000: 00000002 00000000 00010000 0001 01 21 /run/x.sock\n0000: 00000002 00000000 00000000 0001 01 22\n\
            0000: 00000002 00000000 00010000 0001 01 23 @abstract\n";
        assert_eq!(listeners(text).collect::<Vec<_>>(), ["/run/x.sock", "@abstract"]);
    }

    #[test]
    fn sockets_are_found_in_directories() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("file"), "").unwrap();
        let mut found = Vec::new();
        search(dir.path(), DEPTH, &mut found);
        assert_eq!(found, [] as [&str; 0]);
        let _socket = std::os::unix::net::UnixListener::bind(deep.join("s")).unwrap();
        search(dir.path(), DEPTH, &mut found);
        assert_eq!(found, [deep.join("s").display().to_string()]);
    }

    #[test]
    fn writing_is_tried_for_real_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert!(write_in(dir.path()).is_ok());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(write_in(&dir.path().join("missing")).is_err());
    }
}
