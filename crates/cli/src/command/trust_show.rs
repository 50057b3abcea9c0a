//! `sandbox trust show`.

use crate::{
    args::{Format, SettingsArgs},
    config,
    failure::Failure,
    report::{
        self,
        human::to_stderr,
        line::{Tone, line},
        trust_answer, trust_table,
    },
    task_file,
    trust_args::ShowTrustArgs,
};
use engine::{Asked, Effective, Weakness, explain_request, weak_spots};
use serde_json::json;
use std::path::Path;
use types::{exit::Exit, profile::Resolved, text::printable};

pub(super) async fn run(settings: &SettingsArgs, args: ShowTrustArgs) -> Result<Exit, Failure> {
    let (resolved, remotes) = narrowed(settings, &args)?;
    let asked = args.explain.as_deref().map(|text| {
        Asked::parse(text, args.method.as_deref(), args.websocket).map_err(|error| {
            Failure::usage(error.to_string(), Some("write api.example.com, or https://api.example.com/v1/users".into()))
        })
    });
    let asked = asked.transpose()?;
    let is_about_runs = args.effective || asked.is_some() || args.repo.is_some() || args.task.is_some();
    if !is_about_runs {
        return written(&resolved, args.format.get());
    }
    let directory = args.repo.as_deref().unwrap_or(Path::new("."));
    let effective = Effective::read(&resolved.profile, directory, remotes.as_deref()).await?;
    match (asked, args.format.get()) {
        (Some(asked), format) => {
            let explained = explain_request(&resolved.profile, &effective, &asked)?;
            match format {
                Format::Human => report::data(&trust_answer::render(&explained, &resolved)),
                Format::Jsonl => report::json(&explained),
            }
        }
        (None, Format::Human) => {
            report::data(&trust_table::render(&effective, &resolved));
            weak(&weak_spots(&resolved.profile, &effective));
            effective.notes.iter().for_each(|note| to_stderr(&line(Tone::Warn, "Note", &printable(note, 200))));
        }
        (None, Format::Jsonl) => {
            for listed in &effective.routes {
                let from: Vec<_> = listed.origins.iter().map(|origin| trust_table::origin(origin, &resolved)).collect();
                let carries = trust_table::carries(&listed.route, &resolved);
                report::json(&json!({"row": "route", "route": listed.route, "carries": carries, "from": from}));
            }
            for cap in trust_table::caps(&resolved) {
                report::json(&json!({"row": "cap", "key": cap.key, "value": cap.value, "from": cap.from}));
            }
            rows(&weak_spots(&resolved.profile, &effective));
            effective.notes.iter().for_each(|note| report::json(&json!({"row": "note", "text": note})));
        }
    }
    Ok(Exit::Passed)
}

/// The settings under the task, and the remotes that it wants.
fn narrowed(settings: &SettingsArgs, args: &ShowTrustArgs) -> Result<(Resolved, Option<Vec<String>>), Failure> {
    let Some(path) = &args.task else { return Ok((config::load(settings, None)?, None)) };
    let loaded = task_file::load(path)?;
    let mut resolved = config::load(settings, loaded.task.front.profile.as_deref())?;
    resolved.profile = loaded.task.narrow(&resolved.profile).map_err(|error| {
        let hint = error.hint();
        Failure::of(&error, hint, Exit::Usage).about(path)
    })?;
    Ok((resolved, loaded.task.front.remotes))
}

/// Only what the operator wrote.
fn written(resolved: &Resolved, format: Format) -> Result<Exit, Failure> {
    let entries = &resolved.profile.trust.endpoints;
    let source = trust_table::source("trust.endpoints", resolved);
    Effective::check(&resolved.profile)?;
    match format {
        Format::Human if entries.is_empty() => {
            to_stderr(&line(
                Tone::Plain,
                "Nothing",
                &format!("is trusted ({source}); remotes and the model have routes of their own"),
            ));
        }
        Format::Human => {
            report::data(&format!("# {source}\n[trust]\nendpoints = [\n"));
            entries.iter().for_each(|entry| report::data(&format!("    {},\n", engine::entry_line(entry))));
            report::data("]\n");
        }
        Format::Jsonl => {
            for entry in entries {
                report::json(&json!({"row": "entry", "entry": entry, "from": source}));
            }
        }
    }
    let next = "sandbox trust show --effective      also the remotes, the model, caps and weak spots";
    to_stderr(&line(Tone::Dim, "next", next));
    Ok(Exit::Passed)
}

fn weak(spots: &[Weakness]) {
    spots.iter().for_each(|spot| to_stderr(&line(Tone::Warn, "Weak", &spot.to_string())));
}

fn rows(spots: &[Weakness]) {
    spots.iter().for_each(|spot| report::json(&json!({"row": "weakness", "weakness": spot, "text": spot.to_string()})));
}
