//! `git push`: work that goes out. The run's own branch may grow; nothing is rewritten, deleted or sent elsewhere.

use super::{COMMIT, questioned};
use crate::{
    args::Args,
    destination::{Destination, Direction},
    effect::{Effect, Finding},
    place::is_under,
    shell::{SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

const VALUED: [&str; 5] = ["-o", "--push-option", "--repo", "--receive-pack", "--exec"];
/// Options that replace what the remote has.
const FORCES: [&str; 4] = ["-f", "--force", "--force-with-lease", "--force-if-includes"];

/// What one part of the push does to the remote.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// New commits on the branch of this run.
    Own,
    /// New commits on another branch, a tag, or what cannot be told.
    Other,
    /// Replaces commits that others may have, or deletes.
    Destroys,
}

/// Everything a push does.
pub(super) fn effects(rest: &[Word], command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(rest, &VALUED);
    let refused = |reason: &str| vec![Finding::refused(RuleId::GitRemote, reason, COMMIT).into()];
    if args.has(&["--receive-pack", "--exec"]) {
        return refused("names the program that receives the push");
    }
    let named = args.values(&["--repo"]).next().or(args.operands.first().copied());
    if named.is_some_and(|word| !world.is_remote(&word.text) && word.text.contains([':', '/'])) {
        return refused("pushes to a place that is not one of the repository's remotes");
    }
    let skip = usize::from(!args.has(&["--repo"]));
    let forces = args.has(&FORCES);
    let deletes = args.has(&["-d", "--delete", "--mirror", "--prune"]);
    let mut worst = Kind::Own;
    for word in args.operands.iter().skip(skip) {
        worst = worst.max(kind(&word.text, forces, deletes, world));
    }
    if args.operands.len() <= skip {
        // Git takes the branch that is checked out, or all of them.
        worst = if forces || deletes { Kind::Destroys } else { Kind::Other };
    }
    if args.has(&["--all", "--tags", "--follow-tags", "--branches", "--no-verify"]) || args.is_dynamic {
        worst = worst.max(Kind::Other);
    }
    // Another repository has remotes of its own under the same names.
    let inside = command.cwd.as_deref().is_some_and(|cwd| is_under(cwd, &world.worktree));
    let moved = command.args().iter().any(|word| word.text.starts_with("-C") || word.text.starts_with("--git-dir"));
    match worst {
        Kind::Own if !inside || moved => questioned("pushes from another directory"),
        Kind::Own if named.is_some_and(|word| world.is_remote(&word.text)) => {
            let to = named.map(|word| word.text.clone()).unwrap_or_default();
            vec![Effect::Network { to: Destination::Remote(to), direction: Direction::Up }]
        }
        Kind::Own | Kind::Other => questioned("pushes to a remote"),
        Kind::Destroys => refused("replaces or deletes what the remote has"),
    }
}

fn kind(refspec: &str, forces: bool, deletes: bool, world: &World) -> Kind {
    let (forced, text) = refspec.strip_prefix('+').map_or((forces, refspec), |rest| (true, rest));
    let (source, target) = text.split_once(':').unwrap_or((text, text));
    if deletes || (source.is_empty() && text.len() > 1) {
        return Kind::Destroys;
    }
    let is_own = world.session_branch.as_deref() == Some(target.strip_prefix("refs/heads/").unwrap_or(target));
    let branch = target.strip_prefix("refs/heads/").unwrap_or(target);
    match (forced, is_own) {
        // The history of the run's own branch is the run's, when a person says so.
        (true, true) if world.asked.replaces(branch) => Kind::Own,
        (true, _) => Kind::Destroys,
        (false, true) => Kind::Own,
        (false, false) if world.asked.pushes(branch) => Kind::Own,
        (false, false) => Kind::Other,
    }
}
