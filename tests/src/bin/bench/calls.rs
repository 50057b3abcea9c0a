//! Tool calls: the verdict, the gate's own part of it, and what a call pays in all.

use crate::{
    docker,
    observed::{self, Observed, wall},
    series::Report,
    ungated,
};
use serde_json::{Value, json};
use std::time::Duration;
use system_tests::User;
use types::{
    event::{Event, EventRecord},
    verdict::Decision,
};

/// Callback received to answer written.
pub(crate) const VERDICT: &str = "verdict: callback received to answer written";
/// A round of the agent with one `Bash: true`, gated.
pub(crate) const GATED: &str = "tool call, gated: model's turn to model's turn";
/// The same without a gate.
pub(crate) const UNGATED: &str = "tool call, no hooks: model's turn to model's turn";
/// The part of a round in which the agent reads the turn, runs the managed hook and asks.
const ASKED: &str = "  of which: model's turn to callback received";
/// Calls of the run with mixed tools.
const MIXED: usize = 60;
/// Calls of the runs that are compared.
const COMPARED: usize = 24;

/// Verdicts over runs with many calls; then the same calls with and without a gate, in turns. One such run for seven rounds.
pub(crate) fn measure(report: &mut Report, rounds: usize) {
    let runs = rounds.div_ceil(7);
    for _ in 0..runs {
        mixed(report);
    }
    for _ in 0..runs {
        gated(report);
        for round in ungated::rounds(&compared()) {
            report.time(UNGATED, round);
        }
    }
}

/// One call in each of so many turns.
fn turns(count: usize, call: impl Fn(usize) -> (&'static str, Value)) -> Vec<Vec<(&'static str, Value)>> {
    (0..count).map(|n| vec![call(n)]).collect()
}

/// The calls that are compared: a program that does nothing.
fn compared() -> Vec<Vec<(&'static str, Value)>> {
    turns(COMPARED, |n| ("Bash", json!({"command": "true", "description": format!("nothing {n}")})))
}

/// What an agent does all day; one in ten is refused.
fn mixed_call(n: usize) -> (&'static str, Value) {
    let bash = |command: String| ("Bash", json!({"command": command}));
    let made = format!("/workspace/src/new{}.txt", n / 10);
    match n % 10 {
        0 => ("Read", json!({"file_path": "/workspace/README.md"})),
        1 => bash("ls -la && git status --short".to_owned()),
        2 => ("Write", json!({"file_path": made, "content": format!("first\n{}", "text\n".repeat(200))})),
        3 => bash(format!("grep -rn 'file {n}' src | head -5; wc -l README.md")),
        4 => ("Edit", json!({"file_path": made, "old_string": "first", "new_string": "second"})),
        5 => bash("for f in *.md; do head -n 2 \"$f\" | tr a-z A-Z; done".to_owned()),
        6 => ("Read", json!({"file_path": made})),
        7 => bash("rm -rf / --no-preserve-root".to_owned()),
        8 => bash(format!("python3 -c 'print({n})'")),
        _ => bash("git log --oneline -3 && cat README.md".to_owned()),
    }
}

fn mixed(report: &mut Report) {
    let user = User::new();
    let (task, conversation) = (user.task("Work.\n"), user.conversation(&turns(MIXED, mixed_call)));
    let mut seen = 0;
    let mut memory = None;
    let run = observed::run(&user, &task, &conversation, |record| {
        seen += usize::from(matches!(record.event, Event::Gate { .. }));
        if seen == MIXED - 1 && memory.is_none() {
            memory = observed::peak_of(&docker::status_of_pid1(record.run.as_str()));
        }
    });
    for (verdict, answered) in verdicts(&run) {
        report.time(VERDICT, answered);
        report.time("  the gate's decision alone", verdict);
    }
    report.memory(
        "memory of PID 1 inside (VmHWM)",
        memory.unwrap_or_else(|| panic!("{seen} of {MIXED} calls were judged")),
    );
    report.memory("memory of the supervising process, 60 calls", run.peak_kib);
}

fn verdicts(run: &Observed) -> Vec<(Duration, Duration)> {
    let verdict = |record: &EventRecord| {
        let Event::Gate { verdict, answered_micros, .. } = &record.event else { return None };
        assert_ne!(verdict.decision, Decision::Ask, "held calls are no measurement: {}", verdict.reason);
        Some((Duration::from_micros(verdict.micros), Duration::from_micros(*answered_micros)))
    };
    let found: Vec<_> = run.events.iter().filter_map(verdict).collect();
    assert!(found.len() >= COMPARED, "{} calls were judged", found.len());
    found
}

fn gated(report: &mut Report) {
    let user = User::new();
    let (task, conversation) = (user.task("Work.\n"), user.conversation(&compared()));
    let run = observed::run(&user, &task, &conversation, |_| {});
    let turns: Vec<_> =
        run.events.iter().filter(|record| matches!(record.event, Event::Turn { .. })).map(wall).collect();
    // The first round warms the agent up.
    for pair in turns.windows(2).skip(1) {
        report.time(GATED, pair[1].saturating_sub(pair[0]));
    }
    let mut turn = None;
    for record in &run.events {
        if matches!(record.event, Event::Turn { .. }) {
            turn = Some(wall(record));
        }
        if let Event::Gate { answered_micros, .. } = &record.event {
            let received = wall(record).saturating_sub(Duration::from_micros(*answered_micros));
            report.time(ASKED, received.saturating_sub(turn.expect("a turn")));
        }
    }
}
