//! `guest usage PATH...`: how much lies below some directories, counted as the agent's uid.
//!
//! PID 1 may not look into directories that the agent closed to others; this process may, and the agent may kill it, which the
//! host takes for an answer that failed. Removed files that are still open are found through the descriptors of the uid's
//! processes. What must stay true: nothing is followed, and what cannot be seen is counted as hidden, never as empty.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use types::wire::Usage;

/// Time after which the count ends as it is.
const DEADLINE: Duration = Duration::from_secs(20);
/// Bytes of a block in `stat`, whatever the file system's block size is.
const BLOCK: u64 = 512;

/// Counts and prints one line of JSON.
pub(crate) fn print(paths: &[PathBuf]) -> io::Result<()> {
    let mut line = serde_json::to_vec(&count(paths, Instant::now() + DEADLINE))?;
    line.push(b'\n');
    io::stdout().write_all(&line)
}

fn count(paths: &[PathBuf], end: Instant) -> Usage {
    let mut counter = Counter { usage: Usage { is_complete: true, ..Usage::default() }, linked: BTreeSet::new(), end };
    for path in paths {
        counter.descend(path);
    }
    let devices: BTreeSet<u64> =
        paths.iter().filter_map(|path| fs::symlink_metadata(path).ok()).map(|meta| meta.dev()).collect();
    counter.open_files(&devices);
    counter.usage
}

struct Counter {
    usage: Usage,
    /// Files with several names, and removed ones with several descriptors, are counted once.
    linked: BTreeSet<(u64, u64)>,
    end: Instant,
}

impl Counter {
    /// Everything below `root`, without recursion: a tree may be deeper than the stack.
    fn descend(&mut self, root: &Path) {
        let mut open = vec![root.to_owned()];
        while let Some(directory) = open.pop() {
            if Instant::now() > self.end {
                self.usage.is_complete = false;
                return;
            }
            let Ok(entries) = fs::read_dir(&directory) else {
                // What was removed meanwhile is not hidden.
                self.usage.hidden += u64::from(fs::symlink_metadata(&directory).is_ok() || directory == root);
                continue;
            };
            for entry in entries {
                let Ok((entry, meta)) = entry.and_then(|entry| entry.metadata().map(|meta| (entry, meta))) else {
                    continue;
                };
                self.take(&meta);
                if meta.is_dir() {
                    open.push(entry.path());
                }
            }
        }
    }

    fn take(&mut self, meta: &fs::Metadata) {
        if !meta.is_dir() && meta.nlink() != 1 && !self.linked.insert((meta.dev(), meta.ino())) {
            return;
        }
        self.usage.files += 1;
        self.usage.bytes = self.usage.bytes.saturating_add(meta.blocks().saturating_mul(BLOCK));
    }

    /// Files without a name that some process still holds.
    fn open_files(&mut self, devices: &BTreeSet<u64>) {
        let own = rustix::process::geteuid().as_raw();
        let Ok(processes) = fs::read_dir("/proc") else {
            self.usage.hidden += 1;
            return;
        };
        for process in processes.flatten() {
            let is_process = process.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
            if !is_process || !holds_files(&process.path(), own) {
                continue;
            }
            let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else {
                // It ended meanwhile, or it has closed itself to us.
                self.usage.hidden += u64::from(holds_files(&process.path(), own));
                continue;
            };
            for descriptor in descriptors.flatten() {
                if let Ok(meta) = fs::metadata(descriptor.path())
                    && meta.nlink() == 0
                    && devices.contains(&meta.dev())
                {
                    self.take(&meta);
                }
            }
        }
    }
}

/// True for a process of this uid that lives, by its `/proc/PID`. (The directory's owner is not the uid where the process has closed
/// itself to others, and of a dead one nothing can be read and nothing is open.)
fn holds_files(process: &Path, uid: u32) -> bool {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    field("Uid:") == Some(uid.to_string().as_str()) && !matches!(field("State:"), Some("Z" | "X"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    const MIB: u64 = 1 << 20;

    fn later() -> Instant {
        Instant::now() + DEADLINE
    }

    fn write(path: &Path, length: u64) -> File {
        let mut file = File::create(path).unwrap();
        io::copy(&mut io::Read::take(io::repeat(1), length), &mut file).unwrap();
        file.sync_all().unwrap();
        file
    }

    #[test]
    fn what_is_on_disk_counts_and_holes_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let before = count(&[dir.path().to_owned()], later());
        fs::create_dir(dir.path().join("a")).unwrap();
        write(&dir.path().join("a/file"), MIB);
        fs::hard_link(dir.path().join("a/file"), dir.path().join("again")).unwrap();
        std::os::unix::fs::symlink("/", dir.path().join("out")).unwrap();
        File::create(dir.path().join("sparse")).unwrap().set_len(1 << 40).unwrap();
        let after = count(&[dir.path().to_owned()], later());
        assert_eq!(after.files - before.files, 4, "a directory, a file, a link, a sparse file");
        let grown = after.bytes - before.bytes;
        assert!((MIB..MIB + MIB / 2).contains(&grown), "{grown}");
    }

    #[test]
    fn a_removed_file_that_is_open_counts() {
        let dir = tempfile::tempdir().unwrap();
        let before = count(&[dir.path().to_owned()], later());
        let file = write(&dir.path().join("gone"), 4 * MIB);
        let _second = file.try_clone().unwrap();
        fs::remove_file(dir.path().join("gone")).unwrap();
        let after = count(&[dir.path().to_owned()], later());
        let grown = after.bytes.saturating_sub(before.bytes);
        assert!((4 * MIB..6 * MIB).contains(&grown), "{grown}");
    }

    #[test]
    fn the_living_of_a_uid_hold_files_and_the_dead_do_not() {
        let own = rustix::process::getuid().as_raw();
        assert!(holds_files(Path::new("/proc/self"), own));
        assert!(!holds_files(Path::new("/proc/self"), own + 1));
        assert!(!holds_files(Path::new("/nowhere"), own));
        let mut dead = std::process::Command::new("true").spawn().unwrap();
        let path = PathBuf::from(format!("/proc/{}", dead.id()));
        while fs::read_link(path.join("exe")).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!holds_files(&path, own), "it was not waited for");
        dead.wait().unwrap();
    }

    #[test]
    fn what_cannot_be_seen_is_said() {
        assert!(count(&[PathBuf::from("/nowhere")], later()).hidden > 0);
        let dir = tempfile::tempdir().unwrap();
        assert!(!count(&[dir.path().to_owned()], Instant::now() - Duration::from_secs(1)).is_complete);
    }
}
