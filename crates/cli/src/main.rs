//! `sandbox`: runs coding agents unattended in throwaway containers. See `ARCHITECTURE.md`.

use clap::{CommandFactory, Parser};
use std::{process::ExitCode, time::Instant};

mod args;
mod command;
mod complete;
mod config;
mod failure;
mod gate_args;
mod guest;
mod profile_file;
mod report;
mod task_file;
mod trust_args;

fn main() -> ExitCode {
    let started = Instant::now();
    engine::redact::guard_panics();
    clap_complete::CompleteEnv::with_factory(args::Args::command).complete();
    let args = args::Args::parse();
    match command::run(args, started) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report().into(),
    }
}
