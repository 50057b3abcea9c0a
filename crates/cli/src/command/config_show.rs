//! `sandbox config show`.

use crate::{
    args::{Format, FormatArgs, SettingsArgs},
    config,
    failure::Failure,
    report,
};
use serde_json::json;
use types::exit::Exit;

pub(super) fn run(settings: &SettingsArgs, format: FormatArgs) -> Result<Exit, Failure> {
    let resolved = config::load(settings, None)?;
    let width = resolved.values.keys().map(String::len).max().unwrap_or(0);
    for (key, value) in &resolved.values {
        let source = &resolved.sources[key];
        match format.get() {
            Format::Human => report::data(&format!("{key:<width$} = {value}   # {source}\n")),
            Format::Jsonl => report::json(&json!({"key": key, "value": value, "source": source.to_string()})),
        }
    }
    Ok(Exit::Passed)
}
