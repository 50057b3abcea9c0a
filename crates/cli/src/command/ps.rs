//! `sandbox ps`.

use crate::{
    args::{Format, PsArgs},
    failure::Failure,
    report,
};
use serde_json::json;
use types::{event::Phase, exit::Exit};

pub(super) fn run(args: &PsArgs) -> Result<Exit, Failure> {
    let rows = super::engine()?.runs()?;
    let shown: Vec<_> = rows.into_iter().filter(|row| args.all || !row.attempt.phase.is_done()).collect();
    match args.format.get() {
        Format::Jsonl => {
            for row in &shown {
                let attempt = &row.attempt;
                report::json(&json!({
                    "run": attempt.run, "task": attempt.task, "phase": attempt.phase, "status": attempt.status,
                    "reason": attempt.reason, "supervised": row.is_supervised, "created-ms": attempt.created_ms,
                    "ended-ms": attempt.ended_ms, "repository": attempt.repository, "waiting": row.waiting,
                }));
            }
        }
        Format::Human if shown.is_empty() => {
            let hint = if args.all {
                "no runs yet: sandbox run task.md"
            } else {
                "nothing runs; sandbox ps -a lists finished runs"
            };
            report::human::to_stderr(hint);
        }
        Format::Human => {
            report::data(&format!("{:<22} {:<24} {:<14} {}\n", "RUN", "TASK", "STATE", "NOTE"));
            for row in &shown {
                let attempt = &row.attempt;
                let state = match attempt.status {
                    Some(status) if attempt.phase == Phase::Done => super::word(&status),
                    Some(_) | None => super::word(&attempt.phase),
                };
                let note = if !row.is_supervised && !attempt.phase.is_done() {
                    format!("its process is gone: sandbox resume {}", attempt.run.words())
                } else if attempt.phase == Phase::RateLimited {
                    "waits for the model endpoint, which limits its rate".to_owned()
                } else if row.waiting > 0 {
                    format!("{} held: sandbox pending", row.waiting)
                } else {
                    types::text::printable(&attempt.reason, 60)
                };
                report::data(&format!("{:<22} {:<24} {state:<14} {note}\n", attempt.run.words(), attempt.task));
            }
        }
    }
    Ok(Exit::Passed)
}
