//! `sandbox trust`: what runs may reach, for the operator to look at and to change.

use super::{block_on, trust_change, trust_discover, trust_show, trust_suggest};
use crate::{
    args::SettingsArgs,
    failure::Failure,
    trust_args::{TrustArgs, TrustCommand},
};
use types::exit::Exit;

pub(super) fn run(settings: &SettingsArgs, args: TrustArgs) -> Result<Exit, Failure> {
    match args.command {
        TrustCommand::Show(show) => block_on(trust_show::run(settings, show)),
        TrustCommand::Suggest(suggest) => trust_suggest::run(settings, &suggest),
        TrustCommand::Add(add) => block_on(trust_change::add(settings, add)),
        TrustCommand::Remove(remove) => trust_change::remove(settings, &remove),
        TrustCommand::Discover(discover) => block_on(trust_discover::run(settings, discover)),
    }
}
