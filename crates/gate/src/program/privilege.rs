//! Programs that ask for more rights. In the container they gain nothing; what counts is what is run beneath them, which the
//! reader collects as a command of its own.

use crate::{
    effect::{Effect, Finding, Program},
    shell::{self, SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

/// Package managers: installing from the distribution is judged by their own table.
#[rustfmt::skip]
const MANAGERS: [&str; 12] = [
    "apt", "apt-get", "apt-cache", "aptitude", "apk", "yum", "dnf", "microdnf", "zypper", "pacman", "tdnf",
    "xbps-install",
];
/// Chores that a build description asks root for, each with effects that its own table tells in full.
#[rustfmt::skip]
const CHORES: [&str; 24] = [
    "mkdir", "chown", "ls", "ldconfig", "update-ca-certificates", "locale-gen", "true", "id", "whoami", "touch",
    "kill", "pkill", "killall", "systemctl", "service", "make", "ninja", "cmake", "cp", "mv", "install", "ln", "tee",
    "rm",
];

/// What asking for rights means, by what is run with them.
pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    if !matches!(name, "sudo" | "doas" | "su" | "pkexec" | "runuser" | "gosu" | "sudoedit" | "visudo") {
        return None;
    }
    let refused = Finding::refused(
        RuleId::Privilege,
        "asks for more rights",
        "work as the user you are; what needs root belongs into the image",
    );
    let beneath = shell::beneath(command).unwrap_or_default();
    let program = beneath.first().filter(|word| word.is_known() && !is_interactive(command, beneath.len()));
    let Some(program) = program.map(|word| word.text.rsplit('/').next().unwrap_or_default()) else {
        return Some(vec![refused.into()]);
    };
    if MANAGERS.contains(&program) {
        return Some(Vec::new());
    }
    if CHORES.contains(&program) && is_plain(&beneath, command, world) {
        return Some(vec![Finding::questioned(RuleId::Privilege, format!("runs `{program}` with more rights")).into()]);
    }
    Some(vec![refused.into()])
}

/// `-i`, `-s`, `-e` and `-E` before the program: a shell, an editor, or the caller's own environment.
fn is_interactive(command: &SimpleCommand, inner: usize) -> bool {
    let before = command.args().len().saturating_sub(inner);
    command.args()[..before].iter().any(|word| {
        matches!(word.text.as_str(), "--shell" | "--login" | "--edit" | "--askpass")
            || (word.text.starts_with('-')
                && !word.text.starts_with("--")
                && word.text.contains(['i', 's', 'e', 'A', 'S']))
    })
}

/// True when the tables tell everything that the program does, and it runs nothing that the line brings along.
fn is_plain(beneath: &[Word], command: &SimpleCommand, world: &World) -> bool {
    let inner = SimpleCommand { argv: beneath.to_vec(), ..command.clone() };
    super::program(&inner, world).iter().all(|effect| match effect {
        Effect::Reads(_) | Effect::Writes { .. } | Effect::Deletes { .. } | Effect::Network { .. } => true,
        Effect::Executes(program) => matches!(program, Program::Project(_)),
        Effect::Risk(_) => true,
        Effect::Unverifiable(_) => false,
    })
}
