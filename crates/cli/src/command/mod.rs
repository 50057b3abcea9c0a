//! One module a command. Each returns the exit code or a [`Failure`] that says what to do.

mod answer;
mod apply;
mod audit;
mod completions;
mod config_show;
mod diff;
mod doctor;
mod gate;
mod gate_defaults;
mod gate_explain;
mod gate_replay;
mod gate_rules;
mod gate_test;
mod gc;
mod image;
mod import_claude;
mod logs;
mod pending;
mod ps;
mod resume;
mod run;
mod schema;
mod show;
mod trust;
mod trust_change;
mod trust_discover;
mod trust_show;
mod trust_suggest;
mod watch;

use crate::{
    args::{Args, AuditCommand, Command, ConfigCommand, ImageCommand},
    config,
    failure::Failure,
    report::human::to_stderr,
    report::line::{Tone, line},
};
use engine::{Engine, Paths, redact::MaskedLines};
use std::{future::Future, time::Instant};
use types::exit::Exit;

/// Carries out the command.
pub(crate) fn run(args: Args, started: Instant) -> Result<Exit, Failure> {
    init_log();
    let settings = &args.settings;
    match args.command {
        Command::Run(run) => block_on(run::run(settings, run, started)),
        Command::Resume(resume) => block_on(resume::run(resume, started)),
        Command::Ps(ps) => ps::run(&ps),
        Command::Logs(logs) => logs::run(&logs),
        Command::Show(show) => show::run(&show),
        Command::Diff(diff) => diff::run(&diff),
        Command::Apply(apply) => block_on(apply::run(apply)),
        Command::Pending(pending) => pending::run(&pending),
        Command::Approve(approve) => block_on(answer::approve(&approve, started)),
        Command::Deny(deny) => block_on(answer::deny(&deny, started)),
        Command::Cancel(name) => cancel(&name.run),
        Command::Gc(gc) => block_on(gc::run(gc)),
        Command::Gate(gate) => gate::run(settings, gate),
        Command::Trust(trust) => trust::run(settings, trust),
        Command::Doctor(doctor) => block_on(doctor::run(settings, doctor)),
        Command::Image(image) => match image.command {
            ImageCommand::Build => block_on(image::build(settings)),
        },
        Command::Config(config) => match config.command {
            ConfigCommand::Show { format } => config_show::run(settings, format),
            ConfigCommand::ImportClaude(import) => import_claude::run(&import),
        },
        Command::Audit(audit) => match audit.command {
            AuditCommand::Verify(name) => audit::verify(&name.run),
        },
        Command::Schema(schema) => schema::run(schema.name),
        Command::Completions(completions) => Ok(completions::run(completions.shell)),
    }
}

/// Where this user's runs and caches are.
pub(crate) fn paths() -> Result<Paths, Failure> {
    Ok(Paths { state: config::state_dir()?, cache: config::cache_dir()? })
}

fn engine() -> Result<Engine, Failure> {
    Ok(Engine::open(paths()?, crate::guest::GUEST)?)
}

fn cancel(run: &str) -> Result<Exit, Failure> {
    let engine = engine()?;
    let run = engine.cancel(run)?;
    let is_supervised = engine.runs()?.iter().any(|row| row.attempt.run == run && row.is_supervised);
    let fact = if is_supervised {
        format!("{} is stopped and harvested", run.words())
    } else {
        format!("{0} has no process: `sandbox resume {0}` stops and harvests it", run.words())
    };
    to_stderr(&line(Tone::Plain, "Cancelling", &fact));
    Ok(Exit::Passed)
}

/// The name of a phase or a status, as in files.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn block_on(future: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::of(&error, None, Exit::Internal))?;
    let result = runtime.block_on(future);
    // A thread that still waits for a line from the terminal must not keep the process.
    runtime.shutdown_background();
    result
}

/// Diagnostics for developers, off unless `SANDBOX_LOG` asks for them.
fn init_log() {
    if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("SANDBOX_LOG") {
        let writer = || MaskedLines::new(std::io::stderr());
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).init();
    }
}
