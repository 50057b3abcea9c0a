//! `sandbox trust add` and `sandbox trust remove`.

use crate::{
    args::{Format, SettingsArgs},
    failure::Failure,
    profile_file::{self, Changed, LIST},
    report::{
        self,
        human::to_stderr,
        line::{Tone, line},
    },
    trust_args::{AddArgs, ChangeArgs, RemoveArgs, RuleArgs},
};
use engine::{Change, EditError, Effective, InvalidEntry, add_entries, read_entry, remove_entries, weak_spots};
use similar::TextDiff;
use std::path::Path;
use types::{
    exit::Exit,
    source::Source,
    text::printable_block,
    trust::{DetailedEntry, TrustEntry},
};

/// Lines around a change that a diff shows.
const CONTEXT: usize = 2;

impl From<InvalidEntry> for Failure {
    fn from(error: InvalidEntry) -> Self {
        let hint = error.hint();
        Self::of(&error, Some(hint), Exit::Usage)
    }
}

impl From<EditError> for Failure {
    fn from(error: EditError) -> Self {
        let hint = error.hint();
        Self::of(&error, hint, Exit::Usage)
    }
}

pub(super) async fn add(settings: &SettingsArgs, args: AddArgs) -> Result<Exit, Failure> {
    let entries: Vec<_> =
        args.entries.iter().map(|text| with_rules(read_entry(text)?, &args.rules)).collect::<Result<_, Failure>>()?;
    let changed =
        profile_file::change(settings, args.change.dry_run, |text| Ok(add_entries(text, &entries, args.replace)?))?;
    report(&changed, args.change);
    // What a repository has here is of interest; that there is none, or that it cannot be read, is no matter.
    let profile = &changed.resolved.profile;
    if let Ok(effective) = Effective::read(profile, Path::new("."), None).await {
        let added: Vec<_> = entries.iter().filter_map(|entry| Some(entry.route().ok()?.endpoint)).collect();
        let spots = weak_spots(profile, &effective).into_iter();
        for spot in spots.filter_map(|spot| spot.only(&added)) {
            to_stderr(&line(Tone::Warn, "Weak", &spot.to_string()));
        }
    }
    Ok(Exit::Passed)
}

pub(super) fn remove(settings: &SettingsArgs, args: &RemoveArgs) -> Result<Exit, Failure> {
    let endpoint = |text: &String| {
        let entry = read_entry(text)?;
        Ok(entry.route().map_err(|error| Failure::of(&error, None, Exit::Usage))?.endpoint)
    };
    let endpoints: Vec<_> = args.entries.iter().map(endpoint).collect::<Result<_, Failure>>()?;
    let changed = profile_file::change(settings, args.change.dry_run, |text| Ok(remove_entries(text, &endpoints)?))?;
    report(&changed, args.change);
    Ok(Exit::Passed)
}

/// The entry with what the options say; a table says everything itself.
fn with_rules(entry: TrustEntry, rules: &RuleArgs) -> Result<TrustEntry, Failure> {
    let RuleArgs { methods, paths, no_query, query, websocket, upload_max, address, credential } = rules.clone();
    let ruled = DetailedEntry {
        methods: (!methods.is_empty()).then_some(methods),
        paths: (!paths.is_empty()).then_some(paths),
        query: (no_query || query).then_some(query),
        websocket: websocket.then_some(true),
        upload_max,
        address,
        credential,
        ..DetailedEntry::new(entry.endpoint())
    };
    match entry {
        entry if ruled == DetailedEntry::new(entry.endpoint()) => Ok(entry),
        TrustEntry::Text(_) => Ok(TrustEntry::Detailed(Box::new(ruled))),
        TrustEntry::Detailed(_) => {
            let hint = "leave the options out, or name the endpoint alone".to_owned();
            Err(Failure::usage("an entry that is written as a table takes no options", Some(hint)))
        }
    }
}

fn report(changed: &Changed, args: ChangeArgs) {
    let path = changed.path.display().to_string();
    if args.dry_run && args.format.get() == Format::Human {
        let diff = TextDiff::from_lines(&changed.before, &changed.edited.text);
        let diff = diff.unified_diff().context_radius(CONTEXT).header(&path, &path).to_string();
        report::data(&printable_block(&diff));
    }
    for change in &changed.edited.changes {
        match args.format.get() {
            Format::Jsonl => report::json(change),
            Format::Human => {
                let (tone, verb, fact) = match change {
                    Change::Added { entry } => (Tone::Good, "Trusted", entry.clone()),
                    Change::Replaced { entry, was } => (Tone::Good, "Trusted", format!("{entry} in place of {was}")),
                    Change::Removed { entry } => (Tone::Good, "Removed", entry.clone()),
                    Change::Kept { entry } => (Tone::Plain, "Unchanged", format!("{entry} is there already")),
                };
                to_stderr(&line(tone, verb, &fact));
            }
        }
    }
    if args.dry_run {
        to_stderr(&line(Tone::Dim, "dry run", &format!("{path} stays as it is")));
    } else if changed.edited.text != changed.before {
        to_stderr(&line(Tone::Dim, "written", &path));
    }
    if changed.hidden > 0 {
        let fact = format!(
            "a layer's list counts alone: {} entries of the one below do not count beside this one",
            changed.hidden
        );
        to_stderr(&line(Tone::Warn, "Note", &fact));
    }
    let source = changed.resolved.sources.get(LIST);
    if let Some(source) = source.filter(|source| **source != Source::File(changed.path.clone()))
        && changed.edited.changes.iter().any(|change| matches!(change, Change::Added { .. } | Change::Replaced { .. }))
    {
        to_stderr(&line(
            Tone::Warn,
            "Note",
            &format!("{source} has a list of its own, so that this one does not count"),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use clap::Parser;

    fn entry(words: &[&str]) -> Result<String, Failure> {
        use crate::{
            args::Command,
            trust_args::{TrustArgs, TrustCommand},
        };
        let args = Args::try_parse_from([&["sandbox", "trust", "add"], words].concat()).expect("arguments");
        let Command::Trust(TrustArgs { command: TrustCommand::Add(add) }) = args.command else { panic!("{args:?}") };
        Ok(engine::entry_line(&with_rules(read_entry(&add.entries[0])?, &add.rules)?))
    }

    #[test]
    fn options_become_an_entry() {
        for (words, wanted) in [
            (&["a.example"][..], r#""a.example""#),
            (
                &["a.example", "--methods", "GET,HEAD", "--no-query"],
                r#"{ endpoint = "a.example", methods = ["GET", "HEAD"], query = false }"#,
            ),
            (
                &[
                    "a.example",
                    "--path",
                    "/v1/**",
                    "--path",
                    "/v2",
                    "--query",
                    "--websocket",
                    "--upload-max",
                    "1MiB",
                    "--address",
                    "10.0.0.1:443",
                    "--credential",
                    "api",
                ],
                r#"{ endpoint = "a.example", address = "10.0.0.1:443", paths = ["/v1/**", "/v2"], query = true, websocket = true, upload-max = "1MiB", credential = "api" }"#,
            ),
            (&[r#"{ endpoint = "a.example", paths = [] }"#], r#"{ endpoint = "a.example", paths = [] }"#),
        ] {
            assert_eq!(entry(words).expect("entry"), wanted);
        }
        assert!(entry(&["{ endpoint = 'a.example' }", "--no-query"]).is_err());
        assert!(entry(&["*.example"]).is_err());
    }
}
