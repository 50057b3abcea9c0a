//! Follows data between the commands of one line: what was read here is sent there, what was fetched here is run there.

use crate::{
    destination::{Destination, Direction},
    effect::{Effect, Finding, Program},
    secret::{Secrecy, VARIABLE, secrecy},
    shell::SimpleCommand,
};
use std::collections::HashSet;
use types::catalogue::RuleId;

/// What a command's output can carry.
#[derive(Clone, Copy, Default, PartialEq)]
struct Taint {
    /// A credential.
    secret: bool,
    /// Bytes from outside.
    fetched: bool,
    /// Content of any file.
    file: bool,
}

/// Findings that no single command shows.
pub(crate) fn findings(commands: &[SimpleCommand], effects: &[Vec<Effect>]) -> Vec<Effect> {
    if !effects.iter().flatten().any(|effect| matches!(effect, Effect::Network { .. })) {
        return Vec::new();
    }
    let mut taints = vec![Taint::default(); commands.len()];
    let mut secret_files: HashSet<&str> = HashSet::new();
    let mut fetched_files: HashSet<&str> = HashSet::new();
    // Twice: a later command of a loop's body feeds an earlier one.
    for _ in 0..2 {
        for (n, command) in commands.iter().enumerate() {
            let mut taint = taints[n];
            for input in command.inputs.iter().flat_map(|range| range.clone()).filter(|input| *input < n) {
                let Some(from) = taints.get(input).copied() else { continue };
                taint.secret |= from.secret;
                taint.fetched |= from.fetched;
                taint.file |= from.file;
            }
            for effect in &effects[n] {
                match effect {
                    Effect::Reads(place) => {
                        let level = secrecy(place).filter(|_| place.path != VARIABLE);
                        taint.secret |= level >= Some(Secrecy::Likely) || secret_files.contains(place.path.as_str());
                        taint.fetched |= fetched_files.contains(place.path.as_str());
                        taint.file = true;
                    }
                    Effect::Network { to, .. } if is_outside(to) => taint.fetched = true,
                    Effect::Network { .. }
                    | Effect::Writes { .. }
                    | Effect::Deletes { .. }
                    | Effect::Executes(_)
                    | Effect::Risk(_)
                    | Effect::Unverifiable(_) => {}
                }
            }
            for effect in &effects[n] {
                if let Effect::Writes { place, .. } = effect {
                    if taint.secret {
                        secret_files.insert(&place.path);
                    }
                    if taint.fetched {
                        fetched_files.insert(&place.path);
                    }
                }
            }
            taints[n] = taint;
        }
    }
    let mut found = Vec::new();
    for (n, list) in effects.iter().enumerate() {
        for effect in list {
            found.extend(judged(effect, taints[n], &secret_files, &fetched_files));
        }
    }
    found
}

/// True for hosts that the operator has not named.
fn is_outside(to: &Destination) -> bool {
    match to {
        Destination::Loopback { .. } | Destination::Remote(_) => false,
        Destination::Trusted(_) | Destination::Metadata(_) | Destination::Foreign(_) | Destination::Unknown => true,
    }
}

fn judged(
    effect: &Effect,
    taint: Taint,
    secret_files: &HashSet<&str>,
    fetched_files: &HashSet<&str>,
) -> Option<Effect> {
    const LOCAL: &str = "keep the data in the work tree; describe what you need instead of sending it";
    const REVIEW: &str = "download to a file in the work tree, show it, and ask for it to be reviewed";
    match effect {
        Effect::Network { to, direction } if *direction == Direction::Up && is_outside(to) => {
            if taint.secret {
                return Some(
                    Finding::forbidden(RuleId::DataExfiltration, format!("sends credentials to {to}"), LOCAL).into(),
                );
            }
            let trusted = matches!(to, Destination::Trusted(_));
            let carries = taint.file && !trusted;
            carries.then(|| Finding::refused(RuleId::DataExfiltration, format!("sends files to {to}"), LOCAL).into())
        }
        Effect::Executes(Program::Stdin) if taint.fetched => {
            Some(Finding::forbidden(RuleId::UntrustedCode, "runs code straight from the network", REVIEW).into())
        }
        Effect::Executes(Program::File(place)) => {
            let name = place.path.rsplit('/').next().unwrap_or_default();
            // A `cd` that failed or could not be followed leaves only the name to go by.
            let hit = fetched_files.contains(place.path.as_str())
                || (!name.is_empty() && fetched_files.iter().any(|file| file.rsplit('/').next() == Some(name)));
            let secret = secret_files.contains(place.path.as_str());
            (hit && !secret).then(|| {
                Finding::forbidden(RuleId::UntrustedCode, "runs a file that the same line downloads", REVIEW).into()
            })
        }
        Effect::Network { .. }
        | Effect::Reads(_)
        | Effect::Writes { .. }
        | Effect::Deletes { .. }
        | Effect::Executes(_)
        | Effect::Risk(_)
        | Effect::Unverifiable(_) => None,
    }
}
