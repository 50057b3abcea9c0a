//! `sandbox logs`: what happened, line by line, also while it happens.

use crate::{
    args::{Format, LogsArgs},
    failure::Failure,
    report,
};
use std::{thread, time::Duration};
use types::{
    event::{Event, EventRecord},
    exit::Exit,
    text::printable,
    verdict::Decision,
};

/// How often a followed log is looked at.
const POLL: Duration = Duration::from_millis(200);

pub(super) fn run(args: &LogsArgs) -> Result<Exit, Failure> {
    let engine = super::engine()?;
    let mut log = engine.events(&args.name.run)?;
    loop {
        let mut is_over = false;
        for record in log.more()? {
            is_over |= matches!(record.event, Event::Done { .. });
            match args.format.get() {
                Format::Jsonl => report::json(&record),
                Format::Human => report::data(&text(&record)),
            }
        }
        if is_over || !args.follow {
            return Ok(Exit::Passed);
        }
        thread::sleep(POLL);
    }
}

/// What the endpoint asks for.
fn asks(retry_after_secs: Option<u64>) -> String {
    retry_after_secs.map(|seconds| format!(", asks to wait {seconds} s")).unwrap_or_default()
}

/// One line an event; steps are left to `--format jsonl`.
fn text(record: &EventRecord) -> String {
    let fact = match &record.event {
        Event::Launch { task, repository, base, image, .. } => {
            format!("launch   {task} · {repository} {base} · {image}")
        }
        Event::Phase { phase, detail } => format!("phase    {} {detail}", super::word(phase)),
        Event::Canary { report } => {
            format!("canary   {} checks, {} surprises", report.checks.len(), report.surprises().len())
        }
        Event::Turn { turns, cost_usd } => format!("turn     {turns} · ${cost_usd:.2}"),
        Event::Gate { call, verdict, .. } => {
            let word = match verdict.decision {
                Decision::Allow => "allow",
                Decision::Deny => "deny ",
                Decision::Ask => "ask  ",
            };
            let rule = verdict.rule.as_deref().map(|rule| format!(" [{rule}]")).unwrap_or_default();
            let why = if verdict.decision == Decision::Allow { "" } else { &verdict.reason };
            format!("{word}    {}{rule} {why}", call.summary(200))
        }
        Event::Suspected { call, trick, excerpt } => format!("suspect  {}: {trick}: {excerpt}", call.summary(200)),
        Event::Held { ask, call, reason } => format!("held     {ask} {}: {reason}", call.summary(200)),
        Event::Answered { ask, decision, reason } => {
            format!("answer   {ask} {} {reason}", format!("{decision:?}").to_lowercase())
        }
        Event::RateLimited { status, retry_after_secs } => {
            format!("limited  the model endpoint answers {status}{}", asks(*retry_after_secs))
        }
        Event::Refused { asked, rule } => format!("refused  {asked} [{rule}]"),
        Event::Reached { endpoint } => format!("reached  {endpoint}"),
        Event::Command { command, code, millis, .. } => format!("command  {command} → {code} in {millis} ms"),
        Event::Notice { text } => format!("note     {text}"),
        Event::Done { result } => format!("done     {:?} {}", result.status, result.reason),
        Event::Step { .. } => return String::new(),
    };
    format!("{}  {}\n", record.at.strftime("%H:%M:%S"), printable(&fact, 600))
}
