//! `sandbox gc`.

use crate::{
    args::{Format, GcArgs},
    failure::Failure,
    report,
};
use serde_json::json;
use types::exit::Exit;

pub(super) async fn run(args: GcArgs) -> Result<Exit, Failure> {
    let swept = super::engine()?.gc(args.dry_run).await?;
    match args.format.get() {
        Format::Jsonl => report::json(&json!({
            "removed": swept.removed, "kept": swept.kept, "dry-run": args.dry_run,
        })),
        Format::Human => {
            let verb = if args.dry_run { "would remove" } else { "removed" };
            swept.removed.iter().for_each(|name| report::data(&format!("{verb} {name}\n")));
            for name in &swept.kept {
                report::human::to_stderr(&format!(
                    "kept {name}: its work is not harvested; sandbox resume goes on with it"
                ));
            }
            if swept.removed.is_empty() && swept.kept.is_empty() {
                report::human::to_stderr("nothing to remove");
            }
        }
    }
    Ok(Exit::Passed)
}
