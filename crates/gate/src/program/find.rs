//! `find` and its kin: they only look, unless told to delete or write.

use super::{place, reads, writes};
use crate::{
    args::Args,
    effect::{Effect, Finding},
    place::Place,
    secret::{Secrecy, glob_matches, keeps_secrets, secrecy},
    shell::{SimpleCommand, Word},
    world::World,
    zone::SOCKETS,
};
use types::catalogue::RuleId;

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    match name {
        "find" | "gfind" => {}
        "xargs" => {
            let lists = Args::parse(command.args(), &["-a", "--arg-file"]);
            return Some(reads(&lists.values(&["-a", "--arg-file"]).collect::<Vec<_>>(), command, world));
        }
        "locate" | "mlocate" | "plocate" => return Some(located(command)),
        "fd" | "fdfind" => return Some(Vec::new()),
        _ => return None,
    }
    let args = command.args();
    let mut effects = Vec::new();
    let here = Word::literal(".");
    let mut roots: Vec<&Word> = args.iter().take_while(|word| !word.text.starts_with(['-', '(', '!'])).collect();
    if roots.is_empty() {
        roots.push(&here);
    }
    let has = |name: &str| args.iter().any(|word| word.text == name);
    let value = |name: &str| args.iter().position(|word| word.text == name).and_then(|at| args.get(at + 1));
    if has("-delete") {
        let pattern = ["-name", "-iname", "-path", "-regex", "-wholename"].iter().find_map(|name| value(name));
        for root in &roots {
            let base = place(root, command, world);
            let narrow =
                pattern.is_some_and(|word| word.is_known() && !matches!(word.text.as_str(), "*" | "*.*" | "." | ".*"));
            // A filter narrows a deletion in the work tree; nothing makes a search of the system narrow.
            let path = if narrow && !has("-o") && (base.is_in(&world.worktree) || base.is_in(&world.tmp)) {
                let name = pattern.map(|word| word.text.as_str()).unwrap_or_default();
                format!("{}/**/{}", base.path, name.trim_start_matches("./"))
            } else {
                format!("{}/*", base.path.trim_end_matches('/'))
            };
            effects.push(Effect::Deletes { place: Place { path, glob: true, known: base.known }, recursive: true });
        }
    }
    for flag in ["-fprint", "-fprintf", "-fls", "-fprint0"] {
        if let Some(word) = value(flag) {
            effects.extend(writes(&[word], command, world));
        }
    }
    // Naming a credential in a search of the whole disk is looking for one.
    let wide = roots.iter().any(|root| root.text == "/var" || keeps_secrets(&place(root, command, world).path, world));
    let hunted = ["-name", "-iname", "-path"].iter().filter_map(|name| value(name)).any(|word| {
        let as_file = Place { path: format!("/{}", word.text.trim_start_matches('*')), known: true, glob: false };
        secrecy(&as_file).is_some_and(|found| found >= Secrecy::Likely)
    });
    if wide && hunted {
        let instead = "search the work tree only";
        effects.push(Finding::refused(RuleId::CredentialAccess, "searches the disk for credentials", instead).into());
    }
    let engine = ["-name", "-iname", "-path", "-wholename"].iter().filter_map(|name| value(name)).any(|word| {
        let pattern = word.text.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        // `*.sock` is anybody's.
        let names_one = pattern.trim_end_matches(".sock").contains(|c: char| c.is_ascii_alphabetic());
        names_one && SOCKETS.iter().any(|name| glob_matches(&pattern, name))
    });
    if engine && roots.iter().any(|root| !place(root, command, world).is_in(&world.worktree)) {
        let reason = "searches for the container engine";
        effects.push(Finding::forbidden(RuleId::SandboxEscape, reason, "work inside this container").into());
    }
    if has("-perm")
        && wide
        && args.iter().any(|word| word.text.contains("4000") || word.text.contains("u=s") || word.text.contains("6000"))
    {
        effects.push(
            Finding::questioned(RuleId::Privilege, "searches for programs that run with another user's rights").into(),
        );
    }
    Some(effects)
}

/// The index of the whole disk, asked for a credential by its name.
fn located(command: &SimpleCommand) -> Vec<Effect> {
    let hunts = Args::parse(command.args(), &["-n", "-l", "-d"]).operands.iter().any(|word| {
        let path = format!("/{}", word.text.trim_start_matches(['*', '/']));
        secrecy(&Place { path, known: true, glob: false }).is_some()
    });
    let instead = "search the work tree only";
    let reason = "searches the disk for credentials";
    hunts.then(|| Finding::refused(RuleId::CredentialAccess, reason, instead).into()).into_iter().collect()
}
