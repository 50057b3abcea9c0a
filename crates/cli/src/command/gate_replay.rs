//! `sandbox gate replay`.

use crate::{
    args::{Format, SettingsArgs},
    config,
    failure::Failure,
    gate_args::ReplayArgs,
    report,
};
use std::fmt::Write;
use types::{
    exit::Exit,
    text::printable,
    verdict::{Decision, Verdict},
};

/// Most of a call that is shown, in characters.
const CALL: usize = 80;

pub(super) fn run(settings: &SettingsArgs, args: &ReplayArgs) -> Result<Exit, Failure> {
    let profile = config::load(settings, None)?.profile;
    let replayed = super::engine()?.replay_gate(&args.name.run, &profile)?;
    match args.format.get() {
        Format::Jsonl => replayed.differences.iter().for_each(report::json),
        Format::Human => {
            let mut out = String::new();
            for found in &replayed.differences {
                let _ = writeln!(out, "line {:<5} {}", found.line, found.call.summary(CALL));
                let _ = writeln!(out, "  was       {}", answer(&found.before));
                let _ = writeln!(out, "  would be  {}", answer(&found.after));
            }
            let stricter = replayed.differences.iter().filter(|found| rank(&found.after) > rank(&found.before)).count();
            let looser = replayed.differences.len() - stricter;
            let _ = writeln!(
                out,
                "{} calls judged again · {} answered otherwise: {stricter} stricter, {looser} looser",
                replayed.calls,
                replayed.differences.len()
            );
            report::data(&out);
        }
    }
    Ok(Exit::Passed)
}

fn rank(verdict: &Verdict) -> u8 {
    match verdict.decision {
        Decision::Allow => 0,
        Decision::Ask => 1,
        Decision::Deny => 2,
    }
}

fn answer(verdict: &Verdict) -> String {
    let word = match verdict.decision {
        Decision::Allow => "allowed",
        Decision::Ask => "asked",
        Decision::Deny => "denied",
    };
    let rule = verdict.rule.as_deref().map(|rule| format!(" by {}", printable(rule, 80))).unwrap_or_default();
    format!("{word}{rule}: {}", printable(&verdict.reason, 160))
}
