//! `sandbox gate`: the judge as a tool for people.

use super::{block_on, gate_defaults, gate_explain, gate_replay, gate_rules, gate_test};
use crate::{
    args::SettingsArgs,
    failure::Failure,
    gate_args::{GateArgs, GateCommand},
};
use types::exit::Exit;

pub(super) fn run(settings: &SettingsArgs, args: GateArgs) -> Result<Exit, Failure> {
    match args.command {
        GateCommand::Explain(explain) => block_on(gate_explain::run(settings, explain)),
        GateCommand::Rules(rules) => gate_rules::run(&rules),
        GateCommand::Defaults { format } => gate_defaults::run(format),
        GateCommand::Test(test) => block_on(gate_test::run(settings, test)),
        GateCommand::Replay(replay) => gate_replay::run(settings, &replay),
    }
}
