//! Rendering of events. The engine decides and emits; reporters only show.

pub(crate) mod explanation;
pub(crate) mod gate_table;
pub(crate) mod human;
pub(crate) mod line;
pub(crate) mod summary;
pub(crate) mod trust_answer;
pub(crate) mod trust_entries;
pub(crate) mod trust_table;

use std::io::{self, Write};

/// Writes data to stdout. A reader that went away (`| head`) ends the output, not the run.
pub(crate) fn data(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// Writes one JSON object as a line to stdout.
pub(crate) fn json(value: &impl serde::Serialize) {
    if let Ok(mut text) = serde_json::to_string(value) {
        text.push('\n');
        data(&text);
    }
}
