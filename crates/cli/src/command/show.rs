//! `sandbox show`.

use crate::{
    args::{Format, ShowArgs},
    failure::Failure,
    report,
};
use types::{exit::Exit, text::printable_block};

pub(super) fn run(args: &ShowArgs) -> Result<Exit, Failure> {
    let engine = super::engine()?;
    let result = engine.result(&args.name.run)?;
    if args.format.get() == Format::Jsonl {
        report::json(&result);
        return Ok(Exit::Passed);
    }
    console::set_colors_enabled_stderr(console::colors_enabled());
    for text in report::summary::lines(&result) {
        report::data(&format!("{text}\n"));
    }
    if let Some(harvest) = &result.harvest {
        for change in &harvest.changes {
            report::data(&super::diff::stat_line(change));
        }
    }
    for command in result.verify.iter().flat_map(|verify| &verify.commands) {
        report::data(&format!("verify {} → {}   {}\n", printable_block(&command.command), command.code, command.log));
    }
    if !result.summary.is_empty() {
        report::data(&format!(
            "\nThe agent's last words (a claim, not a proof):\n{}\n",
            printable_block(&result.summary)
        ));
    }
    report::data(&format!("\nfiles: {}\n", engine.attempt_dir(&args.name.run)?.display()));
    Ok(Exit::Passed)
}
