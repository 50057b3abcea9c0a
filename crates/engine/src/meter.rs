//! The container's resources while something works in it: memory and processes by what the kernel counts, the disk by counting
//! what lies there.
//!
//! Where an engine has no quota, the disk is measured: the guest tells once a second what is left of the file system, and when that
//! falls, or a minute has passed, a process of the agent's uid counts. What must stay true: what cannot be counted is charged as
//! what the file system lost; a count that fails again and again ends the run; being near a limit for a moment ends nothing.

use crate::{
    link::Report,
    listeners::{HOME, WORKSPACE},
    outcome::Outcome,
};
use runtime::{AnyRuntime, ContainerId, ExecSpec, OutputLimits, Runtime};
use std::time::{Duration, Instant};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use types::{
    profile::ContainerProfile,
    result::{Resource, Status},
    wire::{AGENT_UID, Disk, GUEST_PATH, Pressure, Usage},
};

/// The disk is counted at least this often.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// And never again before this, or ten times what the last count took.
const SHORTEST_PAUSE: Duration = Duration::from_secs(2);
/// Part of a limit whose loss makes a count due at once.
const PART: u64 = 16;
/// Time for a count; the guest's own deadline is shorter.
const COUNT: Duration = Duration::from_secs(30);
/// Failed counts in a row that end the run.
const MAX_FAILURES: u32 = 5;
/// Time at the limit of processes that ends the run: nothing can be started then, and nobody gets on.
const CROWDED: Duration = Duration::from_secs(10);
/// Kills for memory that end the run.
const MAX_KILLS: u64 = 20;
/// Time between two looks while commands run.
const PAUSE: Duration = Duration::from_millis(100);
/// Time for the guest's next report.
const REPORT: Duration = Duration::from_millis(1500);
/// Silence of the guest after which the container is looked at. With some engines the streams of processes in a container stay open
/// when it ends.
const SILENCE: Duration = Duration::from_secs(4);

/// What a look at the container found.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// Something a person should know.
    pub(crate) notice: Option<String>,
    /// The end that a limit asks for.
    pub(crate) reached: Option<Outcome>,
}

/// Watches one container.
pub(crate) struct Meter {
    runtime: AnyRuntime,
    container: ContainerId,
    limits: ContainerProfile,
    /// Kills for memory before this process watched, and those that were told.
    kills: Option<u64>,
    told_kills: u64,
    crowded_since: Option<Instant>,
    gauge: Gauge,
    counting: JoinSet<Result<Usage, String>>,
    count_since: Instant,
}

impl Meter {
    /// Nothing seen yet.
    pub(crate) fn new(runtime: &AnyRuntime, container: &ContainerId, limits: &ContainerProfile) -> Self {
        Self {
            runtime: runtime.clone(),
            container: container.clone(),
            limits: limits.clone(),
            kills: None,
            told_kills: 0,
            crowded_since: None,
            gauge: Gauge::new(limits),
            counting: JoinSet::new(),
            count_since: Instant::now(),
        }
    }

    /// Takes in the guest's last report and a count that has ended, and begins one that is due.
    pub(crate) fn look(&mut self, pressure: &Pressure) -> Looked {
        let now = Instant::now();
        let mut looked = self.memory(pressure);
        if looked.reached.is_none() && self.is_crowded(pressure, now) {
            looked.reached = Some(self.out_of_processes());
        }
        if looked.reached.is_none() {
            looked.reached = self.disk(pressure, now);
        }
        looked
    }

    /// Waits until a limit is reached.
    pub(crate) async fn reached(&mut self, mut reports: watch::Receiver<Report>) -> Outcome {
        loop {
            let _silent = timeout(REPORT, reports.changed()).await;
            let report = reports.borrow_and_update().clone();
            if let Some(outcome) = self.look(&report.pressure).reached {
                return outcome;
            }
            if let Some(outcome) = self.ended(&report).await {
                return outcome;
            }
            sleep(PAUSE).await;
        }
    }

    /// The end, if the guest is silent because its container is gone.
    pub(crate) async fn ended(&self, last: &Report) -> Option<Outcome> {
        if last.at.elapsed() < SILENCE {
            return None;
        }
        let state = self.runtime.inspect(&self.container).await;
        let runs = state.as_ref().is_ok_and(|state| state.running);
        let outcome = || Outcome::new(Status::Truncated, "the container ended").considering(&state);
        (!runs).then(|| self.was_crowded().unwrap_or_else(outcome))
    }

    /// The end, if the kernel killed something for memory since this watch began. Waits for a report that is fresh.
    pub(crate) async fn killed_for_memory(&mut self, reports: &mut watch::Receiver<Report>) -> Option<Outcome> {
        reports.mark_unchanged();
        let _silent = timeout(REPORT, reports.changed()).await;
        let kills = reports.borrow().pressure.oom_kills.unwrap_or(0);
        (kills > self.kills.unwrap_or(0)).then(|| self.out_of_memory())
    }

    fn out_of_memory(&self) -> Outcome {
        let text =
            format!("the kernel killed a process; there are {} MiB (container.memory-mb)", self.limits.memory_mb);
        Outcome::limit(Resource::Memory, &text)
    }

    fn out_of_processes(&self) -> Outcome {
        let text = format!("all {} are in use (container.pids)", self.limits.pids);
        Outcome::limit(Resource::Processes, &text)
    }

    /// The end, if the container was near the limit of processes when it was last heard of: gVisor ends when it can start no
    /// thread of its own any more.
    pub(crate) fn was_crowded(&self) -> Option<Outcome> {
        self.crowded_since.map(|_| self.out_of_processes())
    }

    fn memory(&mut self, pressure: &Pressure) -> Looked {
        let Some(now) = pressure.oom_kills else { return Looked::default() };
        let before = *self.kills.get_or_insert(now);
        let kills = now.saturating_sub(before);
        if kills >= MAX_KILLS {
            return Looked { reached: Some(self.out_of_memory()), ..Looked::default() };
        }
        let is_news = kills > self.told_kills;
        self.told_kills = self.told_kills.max(kills);
        let notice =
            || format!("memory: the kernel killed a process in the container, which has {} MiB", self.limits.memory_mb);
        Looked { notice: is_news.then(notice), reached: None }
    }

    /// True when the limit is reached for long enough, or passed. A few may be between their start and their count.
    fn is_crowded(&mut self, pressure: &Pressure, now: Instant) -> bool {
        let limit = u64::from(self.limits.pids);
        let Some(processes) = pressure.processes.filter(|processes| *processes >= limit.saturating_sub(limit / 50))
        else {
            self.crowded_since = None;
            return false;
        };
        let since = *self.crowded_since.get_or_insert(now);
        // A kernel that lets more exist does not hold the limit itself.
        processes > limit || now.duration_since(since) >= CROWDED
    }

    fn disk(&mut self, pressure: &Pressure, now: Instant) -> Option<Outcome> {
        self.gauge.report(&pressure.disks);
        if let Some(counted) = self.counting.try_join_next() {
            let counted = counted.unwrap_or_else(|error| Err(error.to_string()));
            let took = now.duration_since(self.count_since);
            if let Some((resource, text)) = self.gauge.counted(counted, now, took) {
                // Where nothing can be started, nothing can count.
                return Some(self.was_crowded().unwrap_or_else(|| Outcome::limit(resource, &text)));
            }
        }
        if self.counting.is_empty() && self.gauge.is_due(now) {
            self.count_since = now;
            self.counting.spawn(count(self.runtime.clone(), self.container.clone()));
        }
        None
    }
}

/// Counts as the agent's uid, which alone may look into everything that the agent made.
async fn count(runtime: AnyRuntime, container: ContainerId) -> Result<Usage, String> {
    let spec = ExecSpec {
        argv: [GUEST_PATH, "usage", WORKSPACE, HOME].map(str::to_owned).to_vec(),
        uid: AGENT_UID,
        gid: AGENT_UID,
        workdir: Some("/".to_owned()),
        ..ExecSpec::default()
    };
    let limits = OutputLimits { max_bytes: 4096, deadline: tokio::time::Instant::now() + COUNT };
    let mut line = Vec::new();
    let ran = runtime.exec_output(&container, &spec, &mut line, limits).await.map_err(|error| error.to_string())?;
    if !ran.success() {
        return Err(format!("{:?}", ran.ended));
    }
    serde_json::from_slice(&line).map_err(|error| error.to_string())
}

/// What is known of the disk. Pure.
#[derive(Debug)]
struct Gauge {
    max_bytes: u64,
    max_files: u64,
    /// What was left when the watch began, at the last count, and now.
    first: Option<Disk>,
    at_count: Option<Disk>,
    now: Option<Disk>,
    next: Option<Instant>,
    not_before: Option<Instant>,
    failures: u32,
}

impl Gauge {
    fn new(limits: &ContainerProfile) -> Self {
        Self {
            max_bytes: limits.disk_mb << 20,
            max_files: limits.disk_files,
            first: None,
            at_count: None,
            now: None,
            next: None,
            not_before: None,
            failures: 0,
        }
    }

    /// The places lie on one file system, or one of them is the smaller.
    fn report(&mut self, disks: &[Disk]) {
        let Some(least) = disks.iter().min_by_key(|disk| disk.free_bytes).copied() else { return };
        self.first.get_or_insert(least);
        self.at_count.get_or_insert(least);
        self.now = Some(least);
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let next = *self.next.get_or_insert(now + LONGEST_PAUSE);
        if self.not_before.is_some_and(|not_before| now < not_before) {
            return false;
        }
        let (bytes, files) = lost(self.at_count, self.now);
        now >= next || bytes >= self.max_bytes / PART || files >= self.max_files / PART || self.failures > 0
    }

    /// Takes in a count; returns what is used up.
    fn counted(&mut self, counted: Result<Usage, String>, now: Instant, took: Duration) -> Option<(Resource, String)> {
        self.next = Some(now + LONGEST_PAUSE);
        self.not_before = Some(now + SHORTEST_PAUSE.max(took * 10));
        self.at_count = self.now;
        let (lost_bytes, lost_files) = lost(self.first, self.now);
        let (bytes, files) = match counted {
            Ok(usage) => {
                self.failures = 0;
                // What nobody could look into is charged as what the file system lost.
                let is_sure = usage.is_complete && usage.hidden == 0;
                let charged = |seen: u64, lost: u64| if is_sure { seen } else { seen.max(lost) };
                (charged(usage.bytes, lost_bytes), charged(usage.files, lost_files))
            }
            Err(reason) => {
                self.failures += 1;
                if self.failures >= MAX_FAILURES {
                    let reason = types::text::printable(&reason, 120);
                    return Some((Resource::Disk, format!("what lies there cannot be counted: {reason}")));
                }
                (lost_bytes, lost_files)
            }
        };
        if bytes > self.max_bytes {
            let text = format!("{} MiB of {} are used (container.disk-mb)", bytes >> 20, self.max_bytes >> 20);
            return Some((Resource::Disk, text));
        }
        (files > self.max_files)
            .then(|| (Resource::Files, format!("there are {files} of {} (container.disk-files)", self.max_files)))
    }
}

/// What a file system lost between two reports: bytes and files.
fn lost(then: Option<Disk>, now: Option<Disk>) -> (u64, u64) {
    let (Some(then), Some(now)) = (then, now) else { return (0, 0) };
    let files = then.free_files.zip(now.free_files).map_or(0, |(then, now)| then.saturating_sub(now));
    (then.free_bytes.saturating_sub(now.free_bytes), files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::tests::container;

    const MIB: u64 = 1 << 20;

    fn gauge() -> Gauge {
        Gauge::new(&container(|c| (c.disk_mb, c.disk_files) = (1600, 16_000)))
    }

    fn disk(free_mib: u64, free_files: u64) -> Disk {
        Disk { free_bytes: free_mib * MIB, free_files: Some(free_files) }
    }

    fn usage(mib: u64, files: u64) -> Usage {
        Usage { bytes: mib * MIB, files, hidden: 0, is_complete: true }
    }

    #[test]
    fn a_count_is_due_when_much_was_lost_and_once_a_minute() {
        let (mut gauge, start) = (gauge(), Instant::now());
        gauge.report(&[disk(9000, 90_000)]);
        assert!(!gauge.is_due(start));
        assert!(gauge.is_due(start + LONGEST_PAUSE));
        gauge.report(&[disk(8950, 90_000), disk(9000, 90_000)]);
        assert!(!gauge.is_due(start), "half of a sixteenth");
        gauge.report(&[disk(8900, 90_000)]);
        assert!(gauge.is_due(start));
        gauge.report(&[disk(9000, 89_000)]);
        assert!(gauge.is_due(start), "files count too");
        assert_eq!(gauge.counted(Ok(usage(100, 1000)), start, Duration::ZERO), None);
        assert!(!gauge.is_due(start + SHORTEST_PAUSE));
        gauge.report(&[disk(8000, 89_000)]);
        assert!(!gauge.is_due(start) && gauge.is_due(start + SHORTEST_PAUSE), "but not at once again");
        assert_eq!(gauge.counted(Ok(usage(100, 1000)), start, Duration::from_secs(3)), None);
        gauge.report(&[disk(7000, 89_000)]);
        assert!(!gauge.is_due(start + Duration::from_secs(29)), "a slow count has a longer pause");
    }

    #[test]
    fn what_is_over_is_named_and_what_others_lost_is_not_charged() {
        let now = Instant::now();
        let over = |usage| gauge().counted(Ok(usage), now, Duration::ZERO).map(|(resource, _)| resource);
        assert_eq!(over(usage(1600, 16_000)), None);
        assert_eq!(over(usage(1601, 1)), Some(Resource::Disk));
        assert_eq!(over(usage(1, 16_001)), Some(Resource::Files));
        let mut gauge = gauge();
        gauge.report(&[disk(9000, 90_000)]);
        gauge.report(&[disk(1000, 90_000)]);
        assert_eq!(gauge.counted(Ok(usage(100, 10)), now, Duration::ZERO), None);
        let hidden = Usage { hidden: 1, ..usage(100, 10) };
        assert!(gauge.counted(Ok(hidden), now, Duration::ZERO).is_some(), "what is hidden is charged");
        let cut = Usage { is_complete: false, ..usage(100, 10) };
        assert!(gauge.counted(Ok(cut), now, Duration::ZERO).is_some());
    }

    #[test]
    fn counts_that_fail_end_the_run() {
        let (mut gauge, now) = (gauge(), Instant::now());
        gauge.report(&[disk(9000, 90_000)]);
        for _ in 1..MAX_FAILURES {
            assert_eq!(gauge.counted(Err("killed".into()), now, Duration::ZERO), None);
            assert!(gauge.is_due(now + SHORTEST_PAUSE));
        }
        assert!(gauge.counted(Err("killed".into()), now, Duration::ZERO).is_some());
    }

    fn meter(change: impl FnOnce(&mut ContainerProfile)) -> Meter {
        let runtime = AnyRuntime::Fake(runtime::Fake::default());
        Meter::new(&runtime, &ContainerId("x".into()), &container(change))
    }

    #[test]
    fn kills_before_the_watch_do_not_count_and_each_new_one_is_told_once() {
        let mut meter = meter(|_| {});
        let kills = |n| Pressure { oom_kills: Some(n), ..Pressure::default() };
        assert!(meter.memory(&kills(7)).notice.is_none());
        assert!(meter.memory(&kills(8)).notice.is_some());
        assert!(meter.memory(&kills(8)).notice.is_none());
        assert!(meter.memory(&kills(7 + MAX_KILLS - 1)).reached.is_none());
        assert!(meter.memory(&kills(7 + MAX_KILLS)).reached.is_some());
        assert!(meter.memory(&Pressure::default()).reached.is_none(), "a kernel that does not tell");
    }

    #[test]
    fn a_crowd_must_last() {
        let mut meter = meter(|c| c.pids = 100);
        let (now, crowd) = (Instant::now(), |n| Pressure { processes: Some(n), ..Pressure::default() });
        assert!(!meter.is_crowded(&crowd(99), now));
        assert!(!meter.is_crowded(&crowd(50), now + CROWDED));
        assert!(!meter.is_crowded(&crowd(100), now + CROWDED), "it had ended in between");
        assert!(meter.is_crowded(&crowd(98), now + CROWDED * 2));
        meter.crowded_since = None;
        assert!(meter.is_crowded(&crowd(101), now), "more than the limit is over it at once");
    }
}
