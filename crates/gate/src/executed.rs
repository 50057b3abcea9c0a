//! Files that are run and were written before, here or in an earlier call, are judged by their content.

use crate::{
    content::{self, Part},
    effect::{Effect, Finding, Program},
    ledger::Ledger,
    made,
    place::{Place, is_under},
    shell::SimpleCommand,
    tool::{Reading, Written},
    world::World,
};
use std::collections::BTreeSet;
use types::catalogue::RuleId;

/// Most files that one call is followed into.
const MAX_FILES: usize = 24;
/// Most bytes of files that one call is followed into.
const MAX_BYTES: usize = 64 * 1024;

/// What the files do that the call runs.
pub(crate) fn effects(reading: &Reading, world: &World, ledger: &Ledger) -> Vec<Effect> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut room = MAX_BYTES;
    let fallback = SimpleCommand { cwd: Some(world.worktree.clone()), ..SimpleCommand::default() };
    let mut open: Vec<(Program, &SimpleCommand)> = reading
        .commands
        .iter()
        .zip(&reading.per_command)
        .flat_map(|(command, list)| programs(list).map(move |program| (program, command)))
        .collect();
    open.extend(programs(&reading.whole).map(|program| (program, &fallback)));
    while let Some((program, command)) = open.pop() {
        if seen.len() >= MAX_FILES {
            found.push(Effect::Unverifiable("runs more files than are looked at".to_owned()));
            break;
        }
        let place = match &program {
            Program::File(place) | Program::Project(place) => Some(place),
            Program::Stdin => None,
        };
        if let Some(place) = place.filter(|place| place.glob && changes_below(place, reading)) {
            found.push(Effect::Unverifiable(format!("{place} may be a file that the same line changes")));
        }
        let more = match program {
            Program::Stdin => continue,
            Program::File(place) => {
                if !seen.insert(place.path.clone()) {
                    continue;
                }
                match made::built(&place, &reading.commands, world) {
                    // What this line compiles is as its sources are.
                    Some(sources) => {
                        sources.into_iter().map(|source| Effect::Executes(Program::File(source))).collect()
                    }
                    None => file(&place, command, &reading.written, world, ledger, &mut room),
                }
            }
            Program::Project(manifest) => {
                // Other words choose other parts.
                if !seen.insert(format!("{} {}", manifest.path, command.text())) {
                    continue;
                }
                project(&manifest, command, &reading.written, world, ledger, &mut room)
            }
        };
        open.extend(programs(&more).map(|program| (program, command)));
        found.extend(more);
    }
    let changed: Vec<String> = found
        .iter()
        .filter_map(Effect::written)
        .filter(|place| seen.contains(&place.path))
        .map(|place| place.path.clone())
        .filter(|path| contents(path, &reading.written, ledger).is_empty())
        .collect();
    found
        .extend(changed.into_iter().map(|path| Effect::Unverifiable(format!("{path} is changed by a file that runs"))));
    found
}

/// What the files do that a line inside of a call writes and runs; gives the effects of its commands back.
pub(crate) fn inside(
    commands: Vec<SimpleCommand>,
    per_command: Vec<Vec<Effect>>,
    world: &World,
) -> (Vec<Vec<Effect>>, Vec<Effect>) {
    let ledger = Ledger::default();
    let mut reading = Reading { commands, per_command, ..Reading::default() };
    reading.written = crate::written::files(&reading, &[], world, &ledger);
    let found = if reading.written.is_empty() { Vec::new() } else { effects(&reading, world, &ledger) };
    (reading.per_command, found)
}

/// True when the call changes a file that a path with a star in it may stand for.
fn changes_below(place: &Place, reading: &Reading) -> bool {
    reading.written.iter().any(|file| is_under(&file.path, place.fixed()))
}

fn programs(effects: &[Effect]) -> impl Iterator<Item = Program> {
    effects.iter().filter_map(|effect| match effect {
        Effect::Executes(program) => Some(program.clone()),
        Effect::Reads(_)
        | Effect::Writes { .. }
        | Effect::Deletes { .. }
        | Effect::Network { .. }
        | Effect::Risk(_)
        | Effect::Unverifiable(_) => None,
    })
}

/// Every content that a path may have when it runs: what this line puts there, and what an earlier call put there.
/// Which of them it is depends on the order, so all are judged.
fn contents<'a>(path: &str, written: &'a [Written], ledger: &'a Ledger) -> Vec<Option<&'a str>> {
    let here =
        written.iter().filter(|file| file.path == path && !file.is_directory).map(|file| file.content.as_deref());
    let before = ledger.file(path).map(|file| file.content.as_deref());
    here.chain(before).collect()
}

fn file(
    place: &Place,
    command: &SimpleCommand,
    written: &[Written],
    world: &World,
    ledger: &Ledger,
    room: &mut usize,
) -> Vec<Effect> {
    let mut effects = Vec::new();
    for content in contents(&place.path, written, ledger) {
        let Some(content) = content else {
            effects.push(Effect::Unverifiable(format!("{place} was changed in this run and its content is not known")));
            continue;
        };
        if !take(room, content) {
            effects.push(Effect::Unverifiable(format!("{place} is longer than is looked at")));
            continue;
        }
        match content::kind(&place.path, content, &command.name()) {
            Some(kind) => effects.extend(content::effects(kind, content, Part::All, command, world)),
            None => effects.push(Effect::Unverifiable(format!("{place} was written in this run and cannot be read"))),
        }
    }
    effects
}

fn project(
    manifest: &Place,
    command: &SimpleCommand,
    written: &[Written],
    world: &World,
    ledger: &Ledger,
    room: &mut usize,
) -> Vec<Effect> {
    let dir = manifest.path.rsplit_once('/').map_or("", |(dir, _)| dir);
    let mut effects = Vec::new();
    let named = Part::Named(command.args());
    for content in contents(&manifest.path, written, ledger) {
        let Some(content) = content else {
            effects
                .push(Effect::Unverifiable(format!("{manifest} was changed in this run and its content is not known")));
            continue;
        };
        if !take(room, content) {
            effects.push(Effect::Unverifiable(format!("{manifest} is longer than is looked at")));
        } else if let Some(kind) = content::kind(&manifest.path, content, "") {
            effects.extend(content::effects(kind, content, named, command, world));
        }
        if installs(command) && content::names_dependencies(&manifest.path, content) {
            let reason = format!("installs packages that this run added to {manifest}");
            effects.push(Finding::questioned(RuleId::SupplyChain, reason).into());
        }
    }
    if dir.is_empty() {
        return effects;
    }
    let here = written
        .iter()
        .filter(|file| !file.is_directory && crate::place::is_under(&file.path, dir))
        .map(|file| (file.path.as_str(), file.content.as_deref(), file.concern.as_deref()));
    let before = ledger.files_below(dir).map(|(path, file)| (path, file.content.as_deref(), file.concern.as_deref()));
    let mut judged = 0;
    for (path, content, concern) in here.chain(before).filter(|(path, _, _)| *path != manifest.path) {
        if let Some(concern) = concern {
            effects.push(
                Finding::questioned(RuleId::UntrustedCode, format!("may run a file of this run that {concern}")).into(),
            );
        }
        if !runs_along(path, &manifest.path) {
            continue;
        }
        if judged >= MAX_FILES || !take(room, content.unwrap_or_default()) {
            effects.push(Effect::Unverifiable("more files of this run run along than are looked at".to_owned()));
            break;
        }
        judged += 1;
        let place = Place { path: path.to_owned(), known: true, glob: false };
        match content {
            Some(content) => {
                if let Some(kind) = content::kind(path, content, "") {
                    let findings = content::effects(kind, content, named, command, world);
                    // Settings in code build on much that is not followed; harm that shows is what counts.
                    effects.extend(findings.into_iter().filter(|effect| match effect {
                        Effect::Unverifiable(_) => false,
                        Effect::Reads(_)
                        | Effect::Writes { .. }
                        | Effect::Deletes { .. }
                        | Effect::Network { .. }
                        | Effect::Executes(_)
                        | Effect::Risk(_) => crate::floor::finding(effect, world).is_some(),
                    }));
                }
                let change = crate::weaken::Change { removed: "", added: content };
                effects.extend(crate::weaken::effects(&place, change, world));
            }
            None => effects.push(Effect::Unverifiable(format!(
                "{place}, which runs along, was changed in this run and its content is not known"
            ))),
        }
    }
    effects
}

/// Takes room for a content; false when there is none left.
fn take(room: &mut usize, content: &str) -> bool {
    let left = room.checked_sub(content.len());
    *room = left.unwrap_or_default();
    left.is_some()
}

/// True for commands that bring in what a manifest names.
fn installs(command: &SimpleCommand) -> bool {
    let named = |names: &[&str]| command.args().iter().any(|word| names.contains(&word.text.as_str()));
    match command.name().as_str() {
        "cargo" => named(&["build", "test", "run", "check", "clippy", "install", "update", "fetch"]),
        "yarn" | "poetry" | "uv" | "bundle" | "go" | "composer" | "pipenv" | "pdm" if command.args().is_empty() => true,
        _ => named(&["install", "i", "ci", "sync", "update", "add", "download", "get", "tidy"]),
    }
}

/// Files that a tool loads by itself when the project runs.
fn runs_along(path: &str, manifest: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let manifest = manifest.rsplit('/').next().unwrap_or_default();
    let node = matches!(
        name,
        ".npmrc"
            | ".yarnrc"
            | ".yarnrc.yml"
            | ".pnpmfile.cjs"
            | ".mocharc.js"
            | ".mocharc.cjs"
            | "gulpfile.js"
            | "gruntfile.js"
            | "bunfig.toml"
    ) || [
        ".config.js",
        ".config.ts",
        ".config.cjs",
        ".config.mjs",
        ".config.mts",
        ".setup.js",
        ".setup.ts",
        "setupTests.js",
        "setupTests.ts",
    ]
    .iter()
    .any(|end| name.ends_with(end));
    let python = matches!(
        name,
        "conftest.py"
            | "setup.py"
            | "setup.cfg"
            | "tox.ini"
            | "noxfile.py"
            | "sitecustomize.py"
            | "usercustomize.py"
            | "pip.conf"
            | "tasks.py"
            | "fabfile.py"
    ) || name.ends_with(".pth");
    let rust = name == "build.rs" || path.ends_with("/.cargo/config.toml");
    let make = name.ends_with(".mk");
    match manifest {
        "package.json" | "deno.json" => node,
        "pyproject.toml" => python,
        "Cargo.toml" => rust,
        "Makefile" | "justfile" => make || node || python || rust,
        _ => {
            node || python
                || rust
                || make
                || matches!(name, "build.gradle" | "settings.gradle" | "build.gradle.kts" | "Rakefile")
        }
    }
}
