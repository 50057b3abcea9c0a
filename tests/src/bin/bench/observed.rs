//! One `sandbox run`, seen from outside: its events as they come, its clock and its memory.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use system_tests::User;
use types::{
    event::{Event, EventRecord},
    result::Status,
};

/// A run that ended well.
pub(crate) struct Observed {
    /// Wall clock just before the process was started.
    spawned: Duration,
    /// Every event.
    pub(crate) events: Vec<EventRecord>,
    /// Highest resident memory of the supervising process, in KiB.
    pub(crate) peak_kib: u64,
}

/// A step of a start.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// As in `result.json`.
    pub(crate) name: String,
    /// Wall clock at its end.
    pub(crate) end: Duration,
    /// How long it took.
    pub(crate) took: Duration,
    /// Wall clock when `main` began.
    main: Duration,
}

/// The wall clock of an event.
pub(crate) fn wall(record: &EventRecord) -> Duration {
    Duration::from_micros(u64::try_from(record.at.as_microsecond()).expect("after 1970"))
}

/// Runs a task to its end; `watch` sees each event as it comes.
///
/// # Panics
/// When the run does not pass: nothing that fails is measured.
pub(crate) fn run(user: &User, task: &Path, conversation: &Path, mut watch: impl FnMut(&EventRecord)) -> Observed {
    let (task, conversation) = (task.display().to_string(), conversation.display().to_string());
    let mut command = user.sandbox(&["run", &task, "--replay", &conversation, "--format", "jsonl"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let spawned = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let mut child = command.spawn().expect("start");
    let out = BufReader::new(child.stdout.take().expect("piped"));
    let mut observed = Observed { spawned, events: Vec::new(), peak_kib: 0 };
    for line in out.lines() {
        let record: EventRecord = serde_json::from_str(&line.expect("text")).expect("an event");
        observed.peak_kib = peak_kib(child.id()).unwrap_or(observed.peak_kib);
        watch(&record);
        observed.events.push(record);
    }
    assert!(child.wait().expect("wait").success(), "{:#?}", observed.events.last());
    let passed =
        |record: &EventRecord| matches!(&record.event, Event::Done { result } if result.status == Status::Passed);
    assert!(observed.events.iter().any(passed), "{:#?}", observed.events.last());
    observed
}

impl Observed {
    /// The steps in the order of their ends.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let step = |record: &EventRecord| {
            let Event::Step { name, at_micros, micros } = &record.event else { return None };
            Some(Step {
                name: name.clone(),
                end: wall(record),
                took: Duration::from_micros(*micros),
                main: wall(record).saturating_sub(Duration::from_micros(*at_micros)),
            })
        };
        self.events.iter().filter_map(step).collect()
    }

    /// One step.
    ///
    /// # Panics
    /// When the run has none of this name.
    pub(crate) fn step(&self, name: &str) -> Step {
        self.steps().into_iter().find(|step| step.name == name).expect(name)
    }

    /// From just before the process was started to the agent's execve.
    pub(crate) fn start(&self) -> Duration {
        self.step("execve").end.saturating_sub(self.spawned)
    }

    /// From just before the process was started to its `main`.
    pub(crate) fn exec(&self) -> Duration {
        self.step("execve").main.saturating_sub(self.spawned)
    }

    /// Wall clock just before the process was started.
    pub(crate) fn spawned(&self) -> Duration {
        self.spawned
    }
}

/// The highest resident memory that a status file of `/proc` names.
pub(crate) fn peak_of(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

fn peak_kib(pid: u32) -> Option<u64> {
    peak_of(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}
