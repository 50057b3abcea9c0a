//! How a run ended, for people: also what `sandbox show` prints.

use super::line::{Tone, bytes, count, line, time};
use std::time::Duration;
use types::{
    result::{AttemptResult, Status},
    text::printable,
};

/// The verb for a status.
pub(crate) fn verb(status: Status) -> (Tone, &'static str) {
    match status {
        Status::Passed => (Tone::Good, "Passed"),
        Status::Failed => (Tone::Bad, "Failed"),
        Status::Truncated => (Tone::Bad, "Truncated"),
        Status::Limit => (Tone::Warn, "Limit"),
        Status::Policy => (Tone::Bad, "Stopped"),
        Status::Waiting => (Tone::Warn, "Waiting"),
        Status::Infrastructure => (Tone::Bad, "Infra"),
        Status::Setup => (Tone::Bad, "Setup"),
        Status::Authentication => (Tone::Bad, "Auth"),
        Status::Interrupted => (Tone::Warn, "Interrupted"),
        Status::Terminated => (Tone::Warn, "Terminated"),
        Status::Internal => (Tone::Bad, "Internal"),
    }
}

/// `+42 −7 in 3 files`, or that nothing changed.
pub(crate) fn diffstat(result: &AttemptResult) -> String {
    match &result.harvest {
        None => "nothing harvested".to_owned(),
        Some(harvest) if harvest.changes.is_empty() => "no changes".to_owned(),
        Some(harvest) => {
            let (added, removed) = harvest.lines();
            let files = harvest.changes.len();
            format!("+{added} −{removed} in {files} file{}", if files == 1 { "" } else { "s" })
        }
    }
}

/// `17 turns · 21 requests · 12.4k in, 3.1k out, 80.0k cached · 3 rate limits, waited 2m10s`
fn model(result: &AttemptResult) -> String {
    let tokens = &result.tokens;
    let (fresh, cached) = (tokens.input.saturating_add(tokens.cache_write), tokens.cache_read);
    let mut text = format!(
        "{} turns · {} requests · {} tokens in, {} from the cache, {} out",
        result.turns,
        result.requests,
        count(fresh),
        count(cached),
        count(tokens.output)
    );
    let limited = &result.rate_limited;
    if limited.answers > 0 {
        let noun = if limited.answers == 1 { "rate limit" } else { "rate limits" };
        let waited = time(Duration::from_millis(limited.millis));
        text.push_str(&format!(" · {} {noun}, waited {waited}", limited.answers));
    }
    text
}

/// The closing block, one line each.
pub(crate) fn lines(result: &AttemptResult) -> Vec<String> {
    let (tone, verb) = verb(result.status);
    let elapsed = Duration::try_from(result.ended.duration_since(result.started)).unwrap_or_default();
    let verified = match &result.verify {
        Some(verify) if verify.passed => "   verify ✓",
        Some(_) => "   verify ✗",
        None => "   not verified",
    };
    let task = &result.task;
    let mut out = vec![line(
        tone,
        verb,
        &format!("[{:>7}] ${:.2} {task}   {}{verified}", time(elapsed), result.cost_usd, diffstat(result)),
    )];
    if result.status != Status::Passed {
        out.push(line(Tone::Dim, "because", &printable(&result.reason, 400)));
    }
    if let Some(hint) = &result.hint {
        out.push(line(Tone::Dim, "hint", &printable(hint, 400)));
    }
    let gate = &result.gate;
    let mut counts = format!("{} allowed · {} denied · {} asked", gate.allowed, gate.denied, gate.asked);
    if gate.unavailable > 0 {
        counts.push_str(&format!(" · {} without a verdict, so refused", gate.unavailable));
    }
    if gate.rejected_before_gate > 0 {
        counts.push_str(&format!(" · {} rejected by the agent itself", gate.rejected_before_gate));
    }
    if gate.suspected > 0 {
        let noun = if gate.suspected == 1 { "result" } else { "results" };
        counts.push_str(&format!(" · {} suspicious {noun}", gate.suspected));
    }
    if gate.unprobed > 0 {
        counts.push_str(&format!(" · {} results not looked at", gate.unprobed));
    }
    if let Some(percent) = gate.percent_without_model().filter(|_| gate.by_model > 0) {
        counts.push_str(&format!(" · {percent} % without a model · ${:.2}", gate.model_usd));
    }
    out.push(line(Tone::Dim, "gate", &counts));
    out.push(line(Tone::Dim, "model", &model(result)));
    let egress = &result.egress;
    let (down, up) = (bytes(egress.bytes_down), bytes(egress.bytes_up));
    let mut left = format!("{} let out, {down} in, {up} out · {} refused", egress.allowed, egress.refused);
    if egress.refused > 0 {
        left.push_str(&format!(" (sandbox trust suggest {})", result.run.words()));
    }
    out.push(line(Tone::Dim, "egress", &left));
    if let Some(harvest) = &result.harvest {
        for change in harvest.changes.iter().filter(|change| change.executes.is_some()).take(10) {
            let why = change.executes.as_deref().unwrap_or_default();
            out.push(line(Tone::Warn, "review", &format!("! {}: {why}", printable(&change.path, 120))));
        }
        for omitted in harvest.omitted.iter().take(10) {
            out.push(line(Tone::Warn, "left out", &printable(omitted, 160)));
        }
    }
    for path in result.verify.iter().flat_map(|verify| &verify.touched).take(10) {
        out.push(line(Tone::Warn, "review", &format!("! {}: verify itself runs it", printable(path, 120))));
    }
    let name = result.run.words();
    out.push(line(
        Tone::Dim,
        "next",
        &format!("sandbox diff {name}      sandbox apply {name}      sandbox show {name}"),
    ));
    out
}
