//! `sandbox gate defaults`.

use crate::{
    args::{Format, FormatArgs},
    failure::Failure,
    report,
};
use std::fmt::Write;
use types::exit::Exit;

pub(super) fn run(format: FormatArgs) -> Result<Exit, Failure> {
    let defaults = engine::gate_defaults();
    match format.get() {
        Format::Jsonl => report::json(&defaults),
        Format::Human => {
            let mut out = "stages, the first that decides wins\n".to_owned();
            for (n, page) in defaults.stages.iter().enumerate() {
                let name = serde_json::to_value(page.stage).ok().and_then(|name| name.as_str().map(str::to_owned));
                let _ = writeln!(out, "  {} {:<12} {}", n + 1, name.unwrap_or_default(), page.decides);
            }
            out.push_str("\nrules, `sandbox gate rules ID` prints a page\n");
            for page in &defaults.rules {
                let never = if page.never.is_empty() { String::new() } else { format!("; never: {}", page.never) };
                let kind = if page.is_hard { "hard" } else { "soft" };
                let _ = writeln!(out, "  {:<22} {kind}  cleared by {}{never}", page.id.as_str(), page.clears);
            }
            for list in &defaults.lists {
                let _ = writeln!(
                    out,
                    "\n{}: {}\n  {}",
                    list.name,
                    list.means,
                    list.entries.join(if list.entries.iter().any(|entry| entry.ends_with('.')) {
                        "\n  "
                    } else {
                        "  "
                    })
                );
            }
            report::data(&out);
        }
    }
    Ok(Exit::Passed)
}
