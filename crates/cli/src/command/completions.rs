//! `sandbox completions`.

use crate::{args::Args, report};
use clap::CommandFactory;
use clap_complete::Shell;
use types::exit::Exit;

/// A static script; `source <(COMPLETE=bash sandbox)` completes run names too.
pub(super) fn run(shell: Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "sandbox", &mut script);
    report::data(&String::from_utf8_lossy(&script));
    Exit::Passed
}
