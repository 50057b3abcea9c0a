//! Programs that no table knows, judged by what they are given.

use super::packages;
use crate::{
    effect::{Effect, Finding},
    place::Place,
    shell::{self, SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

/// A program that is not understood and is given a shell to run, as tools that connect one do.
pub(super) fn hands_shell(command: &SimpleCommand) -> Option<Effect> {
    const SHELLS: [&str; 6] = ["/bin/sh", "/bin/bash", "/bin/zsh", "/bin/dash", "/bin/ash", "cmd.exe"];
    let text = command.text();
    let gives = SHELLS.iter().any(|shell| text.contains(shell)) || text.contains("sh -i");
    let connects =
        ["socket", "Socket", "connect", "tcp", "TCP", "listen", "port", "-p "].iter().any(|word| text.contains(word));
    (gives && connects).then(|| {
        Finding::forbidden(RuleId::ReverseChannel, "gives a shell to another host", "run the commands here").into()
    })
}

/// A program that takes a shell's path as an argument starts it, with whatever rights it has itself.
pub(super) fn starts_shell(command: &SimpleCommand) -> Option<Effect> {
    const SHELLS: [&str; 7] = ["/bin/sh", "/bin/bash", "/bin/zsh", "/bin/dash", "/bin/ash", "/bin/ksh", "/bin/csh"];
    let is_shell = |word: &Word| SHELLS.contains(&word.text.strip_prefix("/usr").unwrap_or(&word.text));
    let args = command.args();
    let starts = args.last().is_some_and(is_shell)
        || args.windows(2).any(|pair| pair[0].text.starts_with('-') && is_shell(&pair[1]));
    starts.then(|| Finding::questioned(RuleId::Privilege, "starts a shell through another program").into())
}

/// A program that no table knows.
pub(super) fn unknown(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    if command.via.is_some_and(shell::is_environment) {
        // What the lock file installed is as known as the project's own scripts.
        return vec![packages::manifest("the lock file", command, world)];
    }
    vec![Effect::Unverifiable(format!("what the program `{name}` does is not known"))]
}

/// Paths that the arguments mention in any form, for programs whose arguments are not understood: they may be read, and a
/// file that takes effect by being there is one that may be written.
pub(super) fn mentioned(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let mut effects = Vec::new();
    for word in command.args() {
        let pieces = word.text.split(|c: char| c.is_whitespace() || "=:{}()[]<>\"'`,;@|&".contains(c));
        let is_path = |text: &&str| (text.starts_with(['/', '~']) && text.len() > 1) || text.starts_with("../");
        for text in pieces.filter(is_path).take(16) {
            let place = Place::resolve(text.trim_start_matches("//"), word.glob, command.cwd.as_deref(), world);
            if is_trigger(&place) {
                effects.push(Effect::Writes { place: place.clone(), empties: false });
            }
            effects.push(Effect::Reads(place));
        }
    }
    effects
}

/// Files that the system obeys as soon as they are there.
pub(super) fn is_trigger(place: &Place) -> bool {
    [
        "/etc/cron",
        "/etc/sudoers",
        "/etc/ld.so",
        "/etc/systemd",
        "/etc/init",
        "/etc/profile",
        "/var/spool/cron",
        "/etc/update-motd",
    ]
    .iter()
    .any(|trigger| place.path.starts_with(trigger))
}
