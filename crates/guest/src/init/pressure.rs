//! How near the container is to its limits: what the kernel counts, told to the host once a second.
//!
//! It costs a few reads of small files. What must stay true: a number that cannot be read is none, never zero.

use channel::{Stream, frame};
use std::{fs, path::Path, time::Duration};
use tokio::time::{interval, timeout};
use types::wire::{Disk, MAX_FRAME, Pressure};

/// Time between two reports.
const EVERY: Duration = Duration::from_secs(1);
/// Time for the host to take one.
const DEADLINE: Duration = Duration::from_secs(10);
/// The places that the agent can fill.
const PLACES: [&str; 2] = ["/workspace", "/home/agent"];
/// Where the container's own control groups are; version 1 has a directory for each controller.
const GROUPS: &str = "/sys/fs/cgroup";

/// Reports until the host has gone.
pub(super) async fn report(mut stream: Stream) {
    let mut tick = interval(EVERY);
    loop {
        tick.tick().await;
        let pressure = read(Path::new(GROUPS));
        let told = frame::write_frame(&mut stream, &pressure, MAX_FRAME);
        if !matches!(timeout(DEADLINE, told).await, Ok(Ok(()))) {
            return;
        }
    }
}

fn read(groups: &Path) -> Pressure {
    let first = |names: [&str; 2]| names.iter().find_map(|name| fs::read_to_string(groups.join(name)).ok());
    let events = first(["memory.events", "memory/memory.oom_control"]);
    let processes = first(["pids.current", "pids/pids.current"]);
    Pressure {
        oom_kills: events.and_then(|text| counter(&text, "oom_kill")),
        processes: processes.and_then(|text| text.trim().parse().ok()),
        disks: PLACES.iter().filter_map(|place| disk(place)).collect(),
    }
}

/// The number after a name, in lines of a name and a number.
fn counter(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

fn disk(place: &str) -> Option<Disk> {
    let stat = rustix::fs::statvfs(place).ok()?;
    let has_limit = stat.f_files > 0;
    Some(Disk { free_bytes: stat.f_bfree.saturating_mul(stat.f_frsize), free_files: has_limit.then_some(stat.f_ffree) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_control_groups_are_read() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!((read(dir.path()).oom_kills, read(dir.path()).processes), (None, None));
        fs::create_dir_all(dir.path().join("memory")).unwrap();
        fs::create_dir_all(dir.path().join("pids")).unwrap();
        let first = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        fs::write(dir.path().join("memory/memory.oom_control"), first).unwrap();
        fs::write(dir.path().join("pids/pids.current"), "17\n").unwrap();
        assert_eq!((read(dir.path()).oom_kills, read(dir.path()).processes), (Some(3), Some(17)));
        fs::write(dir.path().join("memory.events"), "low 0\nmax 9\noom 5\noom_kill 4\noom_group_kill 0\n").unwrap();
        fs::write(dir.path().join("pids.current"), "2").unwrap();
        assert_eq!((read(dir.path()).oom_kills, read(dir.path()).processes), (Some(4), Some(2)));
    }

    #[test]
    fn a_file_system_tells_what_is_left() {
        assert!(disk("/").is_some_and(|disk| disk.free_bytes > 0));
        assert_eq!(disk("/nowhere"), None);
    }
}
