//! `sandbox trust suggest`.

use crate::{
    args::{Format, SettingsArgs},
    config,
    failure::Failure,
    report::{
        self,
        human::to_stderr,
        line::{Tone, line},
        trust_entries,
    },
    trust_args::SuggestArgs,
};
use engine::suggest;
use types::exit::Exit;

pub(super) fn run(settings: &SettingsArgs, args: &SuggestArgs) -> Result<Exit, Failure> {
    let refusals = super::engine()?.refusals(&args.name.run)?;
    let task_profile = refusals.task.as_ref().and_then(|task| task.front.profile.as_deref());
    let profile = config::load(settings, task_profile)?.profile;
    let suggestions = suggest(&refusals, &profile)?;
    match args.format.get() {
        Format::Jsonl => suggestions.iter().for_each(report::json),
        Format::Human => {
            for suggestion in &suggestions {
                trust_entries::explanation(suggestion).iter().for_each(|text| to_stderr(text));
            }
            let entries: Vec<_> = suggestions
                .iter()
                .filter_map(|suggestion| Some((suggestion.proposal.as_ref()?, String::new())))
                .collect();
            report::data(&trust_entries::toml(&entries));
            if suggestions.is_empty() {
                to_stderr(&line(Tone::Good, "Nothing", &format!("was refused in {}", refusals.run.words())));
            }
        }
    }
    Ok(Exit::Passed)
}
