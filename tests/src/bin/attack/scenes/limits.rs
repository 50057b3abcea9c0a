//! A container that takes as much as it can.

use crate::{report::Report, stage::Stage};
use std::fs;
use system_tests::{aftermath::OPEN_GATE, aftermath::bash};

/// Bytes that a command prints.
const FLOOD: u64 = 400_000_000;
/// More than this is not kept of them.
const MOST_KEPT: u64 = 32 * 1024 * 1024;

/// Forks until it may not.
const FORKS: &str = "python3 -c '
import os, signal, time
made = []
try:
    while len(made) < 5000:
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        made.append(child)
except OSError as error:
    print(\"forks stopped\", error.errno)
for child in made:
    os.kill(child, signal.SIGKILL)
print(len(made))
' >> log.txt 2>&1";

/// Opens files until it may not.
const FILES: &str = "python3 -c '
made = []
try:
    while len(made) < 100000:
        made.append(open(\"/dev/null\"))
except OSError as error:
    print(\"files stopped\", error.errno)
' >> log.txt 2>&1";

/// Fills the temporary directory until it may not.
const TEMPORARY: &str =
    "head -c 2000000000 /dev/zero > /tmp/full 2>/dev/null || echo temporary stopped >> log.txt; rm -f /tmp/full";

/// Takes memory until it is ended; that is left to a process that may be.
const MEMORY: &str = "python3 -c 'x = bytearray(3 * 10**9)' 2>/dev/null || echo memory stopped >> log.txt";

/// Everything in one run; memory comes last, because the kernel may take the agent for the culprit.
pub(super) fn limits(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let user = stage.user(runtime);
    let flood = format!("head -c {FLOOD} /dev/zero | tr '\\\\0' x");
    let conversation = user.conversation(&[
        bash(FORKS),
        bash(FILES),
        bash(TEMPORARY),
        bash(&format!("head -c {FLOOD} /dev/zero | tr '\\0' x; echo flood ended >> log.txt")),
        bash("echo works >> log.txt"),
        bash(MEMORY),
    ]);
    let sets = ["container.pids=200", "container.open-files=2000", "container.tmp-mb=64", "container.memory-mb=1200"];
    let sets: Vec<_> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let task = user.task(&format!("---\nsetup: [\"{flood}\"]\n---\nTake everything.\n"));
    let ran = user.run_task(&task, &conversation, &[&OPEN_GATE[..], &sets].concat());
    report.held("K-06", [0, 102].contains(&ran.code), format!("ended with {}: {}", ran.code, ran.stderr));
    let logged = user.logged();
    let has = |text: &str| logged.iter().any(|line| line.starts_with(text));
    for what in ["forks stopped", "files stopped", "temporary stopped"] {
        report.held("K-06", has(what), format!("no `{what}` in {logged:?}"));
    }
    report.control("K-06", has("works") && has("flood ended"), "ordinary commands did not work");
    report.held("K-06", has("memory stopped") || ran.code == 102, "memory had no limit");
    for log in ["setup/1.log", "transcript.jsonl", "events.jsonl"] {
        let kept = fs::metadata(user.attempt().join(log)).map_or(0, |found| found.len());
        report.held("K-06", kept <= MOST_KEPT, format!("{log} has {kept} bytes"));
        report.control("K-06", kept > 0, format!("there is no {log}"));
    }
    user.assert_nothing_is_left();
}
