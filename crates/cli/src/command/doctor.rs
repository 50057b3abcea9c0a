//! `sandbox doctor`.

use crate::{
    args::{DoctorArgs, Format, SettingsArgs},
    config,
    failure::Failure,
    report::{
        self,
        line::{Tone, line},
    },
};
use engine::{CheckState, DoctorCheck, DoctorReport, Held, StandingGuarantee};
use serde_json::json;
use types::{
    canary::{CANARY, Probe},
    exit::Exit,
    probe::Expect,
    text::printable,
};

pub(super) async fn run(settings: &SettingsArgs, args: DoctorArgs) -> Result<Exit, Failure> {
    console::set_colors_enabled_stderr(console::colors_enabled());
    let format = args.format.get();
    if args.canary {
        CANARY.iter().for_each(|probe| print_probe(probe, format));
        return Ok(Exit::Passed);
    }
    let profile = config::load(settings, None)?.profile;
    let DoctorReport { checks, guarantees } = super::engine()?.doctor(&profile).await;
    match (format, args.guarantees) {
        (Format::Jsonl, false) => checks.iter().for_each(report::json),
        (Format::Jsonl, true) => guarantees.iter().for_each(report::json),
        (Format::Human, false) => {
            checks.iter().for_each(print_check);
            print_summary(&guarantees);
        }
        (Format::Human, true) => guarantees.iter().for_each(print_guarantee),
    }
    let bad = checks.iter().any(|check| check.state == CheckState::Bad);
    Ok(if bad { Exit::Infrastructure } else { Exit::Passed })
}

fn say(tone: Tone, verb: &str, text: &str) {
    report::data(&format!("{}\n", line(tone, verb, text)));
}

fn print_check(check: &DoctorCheck) {
    let (tone, verb) = match check.state {
        CheckState::Good => (Tone::Good, "ok"),
        CheckState::Note => (Tone::Warn, "note"),
        CheckState::Bad => (Tone::Bad, "missing"),
    };
    say(tone, verb, &format!("{}: {}", check.name, printable(&check.fact, 400)));
    if let Some(hint) = &check.hint {
        say(Tone::Dim, "hint", hint);
    }
}

/// How many guarantees hold, and the names of those that do not in full.
fn print_summary(guarantees: &[StandingGuarantee]) {
    let Some(first) = guarantees.first() else { return };
    let gaps: Vec<_> = guarantees.iter().filter(|row| row.here != Held::Enforced).map(|row| row.guarantee.id).collect();
    let held = guarantees.len() - gaps.len();
    let fact =
        format!("{held} of {} enforced on {}; with gaps: {}", guarantees.len(), first.base.name(), gaps.join(", "));
    say(Tone::Plain, "guarantees", &fact);
    say(Tone::Dim, "next", "sandbox doctor --guarantees says what each rests on and what is missing");
}

fn print_guarantee(row: &StandingGuarantee) {
    let (tone, verb) = match row.here {
        Held::Enforced => (Tone::Good, "enforced"),
        Held::Partial(_) => (Tone::Warn, "partial"),
        Held::NotEnforced(_) => (Tone::Bad, "no"),
    };
    say(tone, verb, &format!("{}: {}", row.guarantee.id, row.guarantee.promise));
    match row.here {
        Held::Enforced => say(Tone::Dim, "by", row.guarantee.rests_on),
        Held::Partial(reason) | Held::NotEnforced(reason) => say(Tone::Dim, "gap", reason),
    }
}

fn print_probe(probe: &Probe, format: Format) {
    let Probe { id, threat, expect, what, is_gvisors_own } = probe;
    match format {
        Format::Jsonl => report::json(&json!({
            "id": id, "threat": threat, "expect": expect, "what": what, "gvisors-own": is_gvisors_own,
        })),
        Format::Human => {
            let (tone, verb) = match expect {
                Expect::Held => (Tone::Plain, "held"),
                Expect::Works => (Tone::Good, "works"),
            };
            let own = if *is_gvisors_own { " (gVisor answers it itself)" } else { "" };
            say(tone, verb, format!("{id:<24} {threat:<12} {what}{own}").trim_end());
        }
    }
}
