//! `sandbox gate`: the judge as a tool for people.

use super::gate_test;
use crate::{
    args::SettingsArgs,
    failure::Failure,
    gate_args::{GateArgs, GateCommand},
};
use types::exit::Exit;

pub(super) fn run(settings: &SettingsArgs, args: GateArgs) -> Result<Exit, Failure> {
    match args.command {
        GateCommand::Test(test) => gate_test::run(settings, &test),
    }
}
