//! Runs and commands of their own, for what cannot be tried in the run of the plan.

mod commands;
pub(crate) mod engine_away;
mod gate;
mod host;
mod image;
mod lifecycle;
mod limits;
mod neighbours;
mod network;
mod token;

use crate::{report::Report, stage::Stage};

/// A scene: it plays under a runtime and says what it found.
pub(crate) type Scene = fn(&Stage, &'static str, &mut Report);

/// Every scene by the name that cases ask for; those that others play have none of their own here: `main` is the run of the plan, and
/// `engine away` needs the engine for itself.
pub(crate) const SCENES: &[(&str, Option<Scene>)] = &[
    (crate::main_run::NAME, None),
    (engine_away::NAME, None),
    ("killed at every stage", Some(lifecycle::killed_at_every_stage)),
    ("kill -9 -1", Some(lifecycle::kill_all)),
    ("endless", Some(lifecycle::endless)),
    ("too much", Some(limits::much)),
    ("too many", Some(limits::many)),
    ("two at once", Some(neighbours::two_at_once)),
    ("egress killed", Some(network::egress_killed)),
    ("overload", Some(network::overload)),
    ("nothing trusted", Some(network::nothing_trusted)),
    ("oauth", Some(token::oauth)),
    ("hostile image", Some(image::hostile_image)),
    ("settings", Some(commands::settings)),
    ("task files", Some(commands::task_files)),
    ("no runtime", Some(commands::no_runtime)),
    ("places", Some(commands::places)),
    ("poisoned host environment", Some(host::poisoned_environment)),
    ("planted repository", Some(host::planted_repository)),
    ("remotes", Some(host::remotes)),
    ("pushes", Some(host::pushes)),
    ("gate enforced", Some(gate::enforced)),
    ("nested agent", Some(gate::nested)),
    ("classifier fails", Some(gate::classifier_fails)),
    ("hook fails", Some(gate::hook_fails)),
    ("counters", Some(gate::counters)),
];
