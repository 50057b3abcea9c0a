//! `sandbox gate test`.

use crate::{
    args::{Format, SettingsArgs},
    config,
    failure::Failure,
    gate_args::TestArgs,
    report::{
        self, gate_table,
        human::to_stderr,
        line::{Tone, line},
    },
};
use engine::{
    RowClassifier,
    corpus::{Bound, Measure, Table},
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{fs, path::PathBuf};
use types::exit::Exit;

/// Rows between two looks at the progress bar.
const STEP: u64 = 64;

pub(super) async fn run(settings: &SettingsArgs, args: TestArgs) -> Result<Exit, Failure> {
    let mut profile = config::load(settings, None)?.profile;
    let classifier = match &args.classifier {
        Some(model) => {
            if !model.is_empty() {
                profile.gate.classifier.model.clone_from(model);
            }
            Some(RowClassifier::new(&profile, args.replay.as_deref())?)
        }
        None => None,
    };
    if classifier.is_none() && !args.no_model {
        let fact = "no model is asked, as with --no-model; --classifier asks one about what stays undecided";
        to_stderr(&line(Tone::Warn, "Note", fact));
    }
    let bar = progress(&args.files);
    let mut rows = 0_u64;
    let tested = engine::test_gate(&profile, &args.files, classifier, &mut |record, bytes| {
        rows += 1;
        if rows.is_multiple_of(STEP) {
            bar.set_position(bytes);
        }
        match args.format.get() {
            Format::Jsonl => report::json(record),
            Format::Human => {}
        }
    })
    .await;
    bar.finish_and_clear();
    let tested = tested?;
    match args.format.get() {
        Format::Human => report::data(&gate_table::render(&tested)),
        Format::Jsonl => {}
    }
    let broken = broken(&tested.table, &args.bounds.given());
    for text in &broken {
        to_stderr(&line(Tone::Bad, "Failed", text));
    }
    match (tested.table.rows, broken.is_empty()) {
        (0, _) => Ok(Exit::NothingToRun),
        (_, true) => Ok(Exit::Passed),
        (_, false) => Ok(Exit::Failed),
    }
}

/// What is wrong with each figure that is over its bound.
fn broken(table: &Table, bounds: &[Bound]) -> Vec<String> {
    let none = Measure::default();
    bounds.iter().filter_map(|bound| bound.broken_by(table.measures.get(&bound.figure).unwrap_or(&none))).collect()
}

/// Shows on a terminal only; counts bytes, which are known before the rows are.
fn progress(files: &[PathBuf]) -> ProgressBar {
    let total: u64 = files.iter().filter_map(|path| fs::metadata(path).ok()).map(|data| data.len()).sum();
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("     Judging  {bar:32} {percent:>3} % · {elapsed}") {
        bar.set_style(style);
    }
    bar
}
