//! `sandbox run`.

use super::watch::{View, supervise};
use crate::{
    args::{RunArgs, SettingsArgs},
    config,
    failure::Failure,
    report, task_file,
};
use engine::Request;
use std::time::Instant;
use tokio::sync::mpsc;
use types::exit::Exit;

pub(super) async fn run(settings: &SettingsArgs, args: RunArgs, started: Instant) -> Result<Exit, Failure> {
    let loaded = task_file::load(&args.task)?;
    let resolved = config::load(settings, loaded.task.front.profile.as_deref())?;
    let profile = loaded.task.narrow(&resolved.profile).map_err(|error| {
        let hint = error.hint();
        Failure::of(&error, hint, Exit::Usage).about(&args.task)
    })?;
    let view = View { format: args.format.get(), may_prompt: !args.no_prompt, budget: profile.limits.max_budget_usd };
    let engine = super::engine()?;
    let (sender, events) = mpsc::unbounded_channel();
    let directory = match args.repo {
        Some(dir) => dir,
        None => std::env::current_dir().map_err(|error| Failure::of(&error, None, Exit::Usage))?,
    };
    let request = Request {
        name: loaded.name,
        task: loaded.task,
        text: loaded.text,
        profile,
        directory,
        replay: args.replay,
        record: args.record,
    };
    let supervised = engine.admit(request, sender, started).await?;
    let run = supervised.run().clone();
    let exit = supervise(&engine, vec![supervised], events, &view).await?;
    if args.format.get() == crate::args::Format::Human {
        report::data(&format!("{run}\n"));
    }
    Ok(exit)
}
