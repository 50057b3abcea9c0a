//! `sandbox diff`.

use crate::{args::DiffArgs, failure::Failure, report};
use console::Style;
use types::{
    exit::Exit,
    harvest::{Change, ChangeKind},
    text::{printable, printable_block},
};

pub(super) fn run(args: &DiffArgs) -> Result<Exit, Failure> {
    let engine = super::engine()?;
    let result = engine.result(&args.name.run)?;
    let harvest = result.harvest.unwrap_or_default();
    if harvest.changes.is_empty() {
        report::human::to_stderr("the run changed nothing");
        return Ok(Exit::Passed);
    }
    if args.stat {
        harvest.changes.iter().for_each(|change| report::data(&stat_line(change)));
        return Ok(Exit::Passed);
    }
    let patch = engine.patch(&args.name.run)?;
    if console::user_attended() {
        patch.lines().for_each(|text| report::data(&coloured(text)));
    } else {
        // A pipe gets the patch as it is: it is made to be applied.
        report::data(&patch);
    }
    Ok(Exit::Passed)
}

fn coloured(text: &str) -> String {
    let style = match text.as_bytes() {
        [b'+', ..] => Style::new().green(),
        [b'-', ..] => Style::new().red(),
        [b'@', b'@', ..] => Style::new().cyan(),
        _ if text.starts_with("diff --git") => Style::new().bold(),
        _ => Style::new(),
    };
    format!("{}\n", style.apply_to(printable_block(text)))
}

/// ` M +4 −1  src/lib.rs`, with the modes where they changed.
pub(super) fn stat_line(change: &Change) -> String {
    let kind = match change.kind {
        ChangeKind::Added => 'A',
        ChangeKind::Modified => 'M',
        ChangeKind::Deleted => 'D',
        ChangeKind::TypeChanged => 'T',
    };
    let lines = match (change.added, change.removed) {
        (Some(added), Some(removed)) => format!("+{added} −{removed}"),
        (None, _) | (_, None) => "binary".to_owned(),
    };
    let modes = if change.old_mode != change.new_mode && change.old_mode != 0 && change.new_mode != 0 {
        format!("  mode {:o} → {:o}", change.old_mode, change.new_mode)
    } else {
        String::new()
    };
    let note = change.executes.as_deref().map(|why| format!("   ! {why}")).unwrap_or_default();
    format!(" {kind} {lines:>10}  {}{modes}{note}\n", printable(&change.path, 300))
}
