//! Translates commands into effects, one table per family of programs.
//!
//! A table answers `None` for a program that it does not know and `Some` with everything the command does for one it does;
//! an empty list is a promise that it does nothing worth a decision.

mod agents;
mod archives;
mod awk;
mod build;
mod build_tools;
mod cmake;
mod containers;
mod curl;
mod database;
mod elsewhere;
mod files;
mod filling;
mod find;
mod forge;
mod git;
mod given;
mod hostile;
mod inert;
mod infra;
mod interpreters;
mod migrations;
mod network;
mod node;
mod packages;
mod privilege;
mod python;
mod python_module;
mod raw;
mod reader_table;
mod readers;
mod sed;
mod server;
mod system;
mod system_packages;
mod terminal;
mod toolchains;
mod unknown;
mod variable;

pub(crate) use interpreters::nested;
pub(crate) use readers::searched;
pub(crate) use variable::is_loader_variable;

use crate::{
    effect::{Effect, Finding, Program},
    place::Place,
    secret::{VARIABLE, pseudo},
    shell::{RedirectKind, SimpleCommand, Word},
    world::World,
    zone::Zone,
};
use elsewhere::projects_elsewhere;
use types::catalogue::RuleId;
use unknown::{hands_shell, mentioned, starts_shell};

/// Directories whose programs are known by their name alone.
const PROGRAM_DIRS: [&str; 8] =
    ["/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/homebrew/bin", "/snap/bin"];

/// Everything one command does.
pub(crate) fn effects(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let mut effects = redirections(command, world);
    if command.argv.iter().any(|word| word.secret) {
        effects.push(Effect::Reads(pseudo(VARIABLE)));
    }
    if !command.argv.is_empty() {
        effects.extend(program(command, world));
        effects.extend(may_be_more(command).then(|| Effect::Unverifiable("an argument may be any option".to_owned())));
        effects.extend(filling::effects(command, world));
        effects.extend(migrations::effects(command));
    }
    effects
}

/// True where a word that is not known may say what a command does, and none of the tables looks at that.
fn may_be_more(command: &SimpleCommand) -> bool {
    const ANY: [&str; 17] = [
        "ip", "ifconfig", "route", "socat", "history", "m4", "claude", "date", "rsync", "nasm", "yasm", "gradle",
        "gradlew", "mvn", "mvnw", "dd", "openssl",
    ];
    let is_open = |word: &Word| word.text.starts_with(crate::place::HOLE);
    let args = command.args();
    let name = command.name();
    match name.as_str() {
        "cp" | "mv" | "ln" | "chmod" | "chown" => {
            let operands = args.iter().filter(|word| !word.text.starts_with('-')).count();
            operands < 2 && args.iter().any(is_open)
        }
        "cargo" | "rustdoc" | "rustfmt" => args.first().is_some_and(is_open),
        // Behind a place or a finished test it may be what is done with what is found.
        "find" => {
            let may_act = |pair: &[Word]| is_open(&pair[1]) && pair[0].is_known() && !pair[0].text.starts_with('-');
            args.len() == 1 && is_open(&args[0]) || args.windows(2).any(may_act)
        }
        "gcc" | "cc" | "clang" | "cpp" | "g++" | "c++" | "clang++" => {
            args.iter().any(|word| matches!(word.text.as_str(), "-E" | "-x")) && args.iter().any(is_open)
        }
        "git" => {
            args.iter().any(|word| matches!(word.text.as_str(), "--no-index" | "/dev/null")) && args.iter().any(is_open)
        }
        "curl" | "gh" | "glab" | "kubectl" | "split" | "file" => {
            args.last().is_some_and(is_open) && args.iter().rev().nth(1).is_none_or(|word| word.text.starts_with('-'))
        }
        name => ANY.contains(&name) && args.iter().any(is_open),
    }
}

/// What redirections and assignments do, apart from the program.
pub(crate) fn redirections(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let mut effects = Vec::new();
    for redirect in &command.redirects {
        let place = place(&redirect.target, command, world);
        if place.path.starts_with("/dev/tcp/") || place.path.starts_with("/dev/udp/") {
            let reason = "opens a raw network connection from the shell";
            effects.push(
                Finding::forbidden(
                    RuleId::ReverseChannel,
                    reason,
                    "use the project's own client against a trusted host",
                )
                .into(),
            );
            continue;
        }
        match redirect.kind {
            RedirectKind::Read => effects.push(Effect::Reads(place)),
            RedirectKind::Append => effects.push(Effect::Writes { place, empties: false }),
            RedirectKind::Write => effects.push(Effect::Writes { empties: is_emptying(command), place }),
        }
    }
    for (name, value) in &command.assignments {
        effects.extend(variable::assignment(name, value, command, world));
    }
    effects
}

fn program(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let word = &command.argv[0];
    if !word.is_known() || word.glob {
        // The rest may be a command of its own: `$SUDO rm …`.
        let mut effects = vec![Effect::Unverifiable("which program runs is not known".to_owned())];
        if !word.sources.is_empty() {
            effects.push(Effect::Executes(Program::Stdin));
        }
        if command.argv.len() > 1 && command.depth < u8::MAX {
            let rest = SimpleCommand { argv: command.argv[1..].to_vec(), depth: u8::MAX, ..command.clone() };
            effects.extend(program(&rest, world));
        }
        return effects;
    }
    let name = command.name();
    let is_by_path = word.text.contains('/')
        && !PROGRAM_DIRS.iter().any(|dir| word.text.strip_prefix(dir).is_some_and(|rest| rest == format!("/{name}")));
    if let Some(effects) = dangerous(&name, command, world) {
        return effects;
    }
    if is_by_path {
        return by_path(&name, command, world);
    }
    if asks_about_itself(command) {
        return Vec::new();
    }
    let mut effects = table(&name, command, world).unwrap_or_else(|| unknown::unknown(&name, command, world));
    if inert::is_inert(&name) {
        effects.extend(looks_outside(command, world));
    }
    effects.extend(given::effects(&name, command, world));
    if effects.iter().any(|effect| matches!(effect, Effect::Executes(Program::Project(_)))) {
        effects.extend(projects_elsewhere(&name, command, world));
    }
    if effects.iter().any(|effect| matches!(effect, Effect::Unverifiable(_))) {
        // What is not understood may still name what it works on.
        effects.extend(mentioned(command, world));
        effects.extend(hands_shell(command));
    }
    effects
}

/// A list of what lies behind the roots of other processes is a look out of the container.
fn looks_outside(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let is_process = |text: &str| text.starts_with("/proc/") && (text.contains("/root") || text.contains("/cwd"));
    let words = command.args().iter().filter(|word| is_process(&word.text) && !word.text.starts_with("/proc/self/"));
    words
        .map(|word| Effect::Reads(Place { path: word.text.clone(), known: true, glob: false }))
        .filter(|effect| matches!(effect, Effect::Reads(place) if place.zone(world) == Zone::Escape))
        .collect()
}

/// `tool --version`, `tool --help`: a program of the image that only tells about itself.
fn asks_about_itself(command: &SimpleCommand) -> bool {
    matches!(command.args(), [word] if matches!(word.text.as_str(), "--version" | "--help"))
        && command.redirects.iter().all(|redirect| redirect.kind != RedirectKind::Read)
}

fn table(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    readers::effects(name, command, world)
        .or_else(|| files::effects(name, command, world))
        .or_else(|| find::effects(name, command, world))
        .or_else(|| git::effects(name, command, world))
        .or_else(|| build::effects(name, command, world))
        .or_else(|| build_tools::effects(name, command, world))
        .or_else(|| interpreters::effects(name, command, world))
        .or_else(|| network::effects(name, command, world))
        .or_else(|| system_packages::effects(name, command))
        .or_else(|| packages::effects(name, command, world))
        .or_else(|| infra::effects(name, command, world))
        .or_else(|| terminal::effects(name, command, world))
        .or_else(|| system::effects(name, command, world))
}

/// A program given by its path: a script or binary, plus what its name is known to do when it is no file of the work tree.
fn by_path(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let place = place(&command.argv[0], command, world);
    let wrappers = ["mvnw", "gradlew"];
    if wrappers.contains(&name) && place.is_in(&world.worktree) {
        return build::effects(name.trim_end_matches('w'), command, world).unwrap_or_default();
    }
    let interpreter = place.path.contains("/.venv/bin/")
        || place.path.contains("/venv/bin/")
        || place.path.contains("/node_modules/.bin/");
    if interpreter
        && place.is_in(&world.worktree)
        && let Some(effects) = table(name, command, world)
    {
        return effects;
    }
    if is_program_dir(&place, world) {
        let mut effects = vec![Effect::Executes(Program::File(place))];
        effects.extend(table(name, command, world).unwrap_or_else(|| unknown::unknown(name, command, world)));
        return effects;
    }
    let mut effects = vec![Effect::Executes(Program::File(place))];
    effects.extend(starts_shell(command));
    // A copy of a known program still does what that program does.
    if let Some(known) = table(name, command, world) {
        effects.extend(known.into_iter().filter(|effect| !matches!(effect, Effect::Unverifiable(_))));
    }
    effects
}

/// True for a file directly in a directory that package managers fill with programs: of a user's tool chains, or of a virtual
/// environment outside of the work tree.
pub(crate) fn is_program_dir(place: &Place, world: &World) -> bool {
    const OF_HOME: [&str; 8] = [
        "/.cargo/bin",
        "/go/bin",
        "/.local/bin",
        "/.bun/bin",
        "/.deno/bin",
        "/.pyenv/shims",
        "/.rbenv/shims",
        "/.asdf/shims",
    ];
    const OF_IMAGE: [&str; 5] =
        ["/go/bin", "/usr/local/go/bin", "/usr/local/cargo/bin", "/root/.cargo/bin", "/root/go/bin"];
    let Some((dir, _)) = place.path.rsplit_once('/') else { return false };
    let of_home = dir.strip_prefix(&world.home).is_some_and(|rest| OF_HOME.contains(&rest));
    let is_environment = ["/venv/bin", "/.venv/bin", "/env/bin"].iter().any(|end| dir.ends_with(end));
    of_home || OF_IMAGE.contains(&dir) || (is_environment && place.zone(world) == Zone::Disk)
}

/// Programs that are denied under any path.
fn dangerous(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    hostile::effects(name, command)
        .or_else(|| system::dangerous(name, command))
        .or_else(|| privilege::effects(name, command, world))
        .or_else(|| agents::effects(name, command))
}

/// A word as a path.
pub(crate) fn place(word: &Word, command: &SimpleCommand, world: &World) -> Place {
    Place::resolve(&word.text, word.glob, command.cwd.as_deref(), world)
}

fn reads(words: &[&Word], command: &SimpleCommand, world: &World) -> Vec<Effect> {
    words.iter().filter(|word| word.text != "-").map(|word| Effect::Reads(place(word, command, world))).collect()
}

fn writes(words: &[&Word], command: &SimpleCommand, world: &World) -> Vec<Effect> {
    words.iter().map(|word| Effect::Writes { place: place(word, command, world), empties: false }).collect()
}

/// True when a `>` only empties its target: `: > file`, `echo '' > file`, a bare `> file`.
fn is_emptying(command: &SimpleCommand) -> bool {
    match command.name().as_str() {
        "" => command.inputs.is_empty() && command.assignments.is_empty() && !command.is_piped,
        ":" | "true" => true,
        "echo" | "printf" => command.args().iter().all(|word| word.text.is_empty() || word.text == "-n"),
        "cat" => command.args().first().is_some_and(|word| word.text == "/dev/null"),
        _ => false,
    }
}
