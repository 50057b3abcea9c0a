//! What `gate explain` shows: the reading of a call beside its verdict, as data.

use crate::{effect::Effect, shell::SimpleCommand, tool::Reading};
use serde::Serialize;
use types::{text::printable, verdict::Verdict};

/// One command of a line and what it does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CommandView {
    /// Program and arguments after expansion; `…` stands for what is not known.
    pub argv: Vec<String>,
    /// The wrapper it was found in: `xargs`, `sh -c`.
    pub via: Option<String>,
    /// Directory it runs in, if known.
    pub cwd: Option<String>,
    /// What it does, one fact each.
    pub effects: Vec<String>,
}

/// The reading of a call and its verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explanation {
    /// Every command the call can start.
    pub commands: Vec<CommandView>,
    /// What the call does beyond its single commands.
    pub effects: Vec<String>,
    /// The decision.
    pub verdict: Verdict,
}

impl Explanation {
    pub(crate) fn new(reading: Reading, verdict: Verdict) -> Self {
        let show = |effects: &[Effect]| effects.iter().map(|effect| printable(&effect.to_string(), 300)).collect();
        let view = |(command, effects): (&SimpleCommand, &Vec<Effect>)| CommandView {
            argv: command.argv.iter().map(|word| printable(&word.text.replace(crate::place::HOLE, "…"), 400)).collect(),
            via: command.via.map(str::to_owned),
            cwd: command.cwd.clone(),
            effects: show(effects),
        };
        let commands = reading.commands.iter().zip(&reading.per_command).map(view).collect();
        Self { commands, effects: show(&reading.whole), verdict }
    }
}
