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
mod database;
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
mod raw;
mod reader_table;
mod readers;
mod sed;
mod server;
mod system;
mod system_packages;
mod terminal;
mod toolchains;
mod variable;

pub(crate) use interpreters::nested;
pub(crate) use readers::searched;
pub(crate) use variable::is_loader_variable;

use crate::{
    effect::{Effect, Finding, Program},
    place::Place,
    secret::{VARIABLE, pseudo},
    shell::{self, RedirectKind, SimpleCommand, Word},
    world::World,
    zone::Zone,
};
use types::catalogue::RuleId;

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
    let mut effects = table(&name, command, world).unwrap_or_else(|| unknown(&name, command, world));
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

/// Projects, settings and plugins that a build is pointed at outside of the work tree: their code runs too.
fn projects_elsewhere(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    #[rustfmt::skip]
    const OUTPUTS: [&str; 19] = [
        "-v", "--volume", "--mount",
        "-o", "--out", "--output", "--outdir", "--outfile", "--out-dir", "--target-dir", "--log", "--junit", "--report",
        "--cache", "--coverage", "--destination", "-d", "--artifacts", "--basetemp",
    ];
    let mut effects = Vec::new();
    let mut before = "";
    for word in command.args() {
        let (option, path) = word.text.split_once('=').unwrap_or((before, word.text.as_str()));
        // `//apps/cli:all` is a label of a target.
        let is_label = path.starts_with("//") && matches!(name, "bazel" | "bazelisk" | "buck" | "buck2");
        let is_path = !is_label && (path.starts_with(['/', '~']) || path.starts_with("../"));
        let is_output = OUTPUTS.iter().any(|output| option.to_ascii_lowercase().starts_with(output));
        let is_data = build_tools::is_checker(name) && !names_code(option) || is_profile(option);
        if is_path && !is_output && !is_data {
            let place = place(&Word { text: path.to_owned(), ..word.clone() }, command, world);
            if matches!(place.zone(world), Zone::Tmp | Zone::Disk | Zone::Home | Zone::Unknown) {
                effects.push(Effect::Executes(Program::File(place)));
            }
        }
        before = if word.text.starts_with('-') { &word.text } else { "" };
    }
    effects
}

/// Options whose value is code or decides which code is loaded.
fn names_code(option: &str) -> bool {
    let option = option.trim_start_matches('-').to_ascii_lowercase();
    let words = ["config", "plugin", "require", "import", "load", "rule", "preset", "parser", "path", "dir", "project"];
    let is_named = matches!(option.as_str(), "c" | "p" | "r" | "i" | "m" | "f");
    option != "xpath" && (is_named || words.iter().any(|word| option.contains(word)))
}

/// Options whose value is what an earlier run measured.
fn is_profile(option: &str) -> bool {
    let option = option.trim_start_matches('-').to_ascii_lowercase();
    [
        "func",
        "html",
        "coverprofile",
        "cpuprofile",
        "memprofile",
        "blockprofile",
        "trace",
        "junitfile",
        "junitxml",
        "jsonfile",
    ]
    .contains(&option.as_str())
}

/// A program that is not understood and is given a shell to run, as tools that connect one do.
fn hands_shell(command: &SimpleCommand) -> Option<Effect> {
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
fn starts_shell(command: &SimpleCommand) -> Option<Effect> {
    const SHELLS: [&str; 7] = ["/bin/sh", "/bin/bash", "/bin/zsh", "/bin/dash", "/bin/ash", "/bin/ksh", "/bin/csh"];
    let is_shell = |word: &Word| SHELLS.contains(&word.text.strip_prefix("/usr").unwrap_or(&word.text));
    let args = command.args();
    let starts = args.last().is_some_and(is_shell)
        || args.windows(2).any(|pair| pair[0].text.starts_with('-') && is_shell(&pair[1]));
    starts.then(|| Finding::questioned(RuleId::Privilege, "starts a shell through another program").into())
}

/// A program that no table knows.
fn unknown(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    if command.via.is_some_and(shell::is_environment) {
        // What the lock file installed is as known as the project's own scripts.
        return vec![packages::manifest("the lock file", command, world)];
    }
    vec![Effect::Unverifiable(format!("what the program `{name}` does is not known"))]
}

/// Paths that the arguments mention in any form, for programs whose arguments are not understood: they may be read, and a
/// file that takes effect by being there is one that may be written.
fn mentioned(command: &SimpleCommand, world: &World) -> Vec<Effect> {
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
fn is_trigger(place: &Place) -> bool {
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
        effects.extend(table(name, command, world).unwrap_or_else(|| unknown(name, command, world)));
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
