//! `sandbox config show`.

use crate::{
    args::{Format, FormatArgs, SettingsArgs},
    config,
    failure::Failure,
    report,
};
use serde_json::json;
use types::{exit::Exit, secret::redact_url};

pub(super) fn run(settings: &SettingsArgs, format: FormatArgs) -> Result<Exit, Failure> {
    let resolved = config::load(settings, None)?;
    let width = resolved.values.keys().map(String::len).max().unwrap_or(0);
    for (key, value) in &resolved.values {
        let source = &resolved.sources[key];
        let value = &shown(key, value);
        match format.get() {
            Format::Human => report::data(&format!("{key:<width$} = {value}   # {source}\n")),
            Format::Jsonl => report::json(&json!({"key": key, "value": value, "source": source.to_string()})),
        }
    }
    Ok(Exit::Passed)
}

/// A URL with more than scheme, host, port and path is refused when a run starts; here it must not show what it holds.
fn shown(key: &str, value: &str) -> String {
    let bare = value.trim_matches('"');
    match bare.contains(['@', '?', '#']) && key == "model.upstream" {
        true => format!("\"{}\"", redact_url(bare)),
        false => value.to_owned(),
    }
}
