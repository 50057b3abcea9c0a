//! Translates a call of any tool into commands and effects.

use crate::{
    code::{self, Language},
    destination::{Destination, Direction},
    effect::{Effect, Finding, Program},
    flow,
    ledger::{Ledger, Provenance},
    place::{HOLE, Place},
    program,
    shell::{self, Refusal, SimpleCommand, Stdin, Word},
    world::World,
    zone::Zone,
};
use serde_json::Value;
use types::{call::ToolCall, catalogue::RuleId};

/// A file that a call changes.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub path: String,
    pub provenance: Provenance,
    /// The new content, if it is known.
    pub content: Option<String>,
}

/// What was read from a call.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// The commands of a shell line.
    pub commands: Vec<SimpleCommand>,
    /// What each command does.
    pub per_command: Vec<Vec<Effect>>,
    /// What the call does beyond single commands.
    pub whole: Vec<Effect>,
    /// Files that change, with their new content if that is known.
    pub written: Vec<Written>,
}

impl Reading {
    /// Every effect of the call.
    pub(crate) fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.whole.iter().chain(self.per_command.iter().flatten())
    }
}

/// Reads a call.
///
/// # Errors
/// [`Refusal`] when a shell line is over the caps.
pub(crate) fn read(call: &ToolCall, world: &World, ledger: &Ledger) -> Result<Reading, Refusal> {
    if call.tool == "Bash" {
        return bash(call, world, ledger);
    }
    let mut reading = Reading::default();
    reading.whole = effects(call, world, ledger, &mut reading.written);
    Ok(reading)
}

fn text<'a>(call: &'a ToolCall, key: &str) -> &'a str {
    call.input.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn bash(call: &ToolCall, world: &World, ledger: &Ledger) -> Result<Reading, Refusal> {
    let line = shell::read(text(call, "command"), &call.cwd, world, 0)?;
    let mut whole: Vec<Effect> = line.gaps.into_iter().map(Effect::Unverifiable).collect();
    if line.is_fork_bomb {
        whole.push(
            Finding::forbidden(RuleId::ResourceAbuse, "starts copies of itself without end", "run the command once")
                .into(),
        );
    }
    match line.decoded {
        Some(true) => whole.push(
            Finding::refused(
                RuleId::UntrustedCode,
                "runs decoded code that cannot be read",
                "write the code in plain text",
            )
            .into(),
        ),
        Some(false) => whole.push(Finding::questioned(RuleId::UntrustedCode, "runs code that was encoded").into()),
        None => {}
    }
    let per_command: Vec<Vec<Effect>> = line.commands.iter().map(|command| program::effects(command, world)).collect();
    whole.extend(flow::findings(&line.commands, &per_command));
    let mut reading = Reading { commands: line.commands, per_command, whole, written: Vec::new() };
    reading.written = written(&reading, world);
    let more = executed(&reading, world, ledger);
    reading.whole.extend(more);
    Ok(reading)
}

/// Files that the line changes, in its order.
fn written(reading: &Reading, world: &World) -> Vec<Written> {
    let mut files = Vec::new();
    for (command, effects) in reading.commands.iter().zip(&reading.per_command) {
        let is_download = effects.iter().any(|effect| matches!(effect, Effect::Network { direction: Direction::Down, to } if !matches!(to, Destination::Loopback { .. } | Destination::Remote(_))));
        let provenance = if is_download { Provenance::Download } else { Provenance::Agent };
        let content = shell::printed(command).filter(Word::is_known).map(|word| word.text);
        for effect in effects {
            if let Effect::Writes { place, .. } = effect
                && place.known
                && !place.glob
                && matches!(place.zone(world), Zone::Worktree | Zone::Tmp | Zone::Home | Zone::Disk)
            {
                // A mode or a date leaves the content as it is.
                if !matches!(
                    command.name().as_str(),
                    "chmod" | "chown" | "touch" | "mkdir" | "gofmt" | "prettier" | "black"
                ) {
                    files.push(Written { path: place.path.clone(), provenance, content: content.clone() });
                }
            }
        }
    }
    files
}

/// Files that are run and were written before, here or in an earlier call, are judged by their content.
fn executed(reading: &Reading, world: &World, ledger: &Ledger) -> Vec<Effect> {
    let mut effects = Vec::new();
    for (command, list) in reading.commands.iter().zip(&reading.per_command) {
        for effect in list {
            let Effect::Executes(what) = effect else { continue };
            match what {
                Program::File(place) => {
                    let here = reading
                        .written
                        .iter()
                        .rev()
                        .find(|file| file.path == place.path)
                        .map(|file| file.content.as_deref());
                    let before = ledger.file(&place.path).map(|file| file.content.as_deref());
                    match here.or(before) {
                        Some(Some(content)) => effects.extend(judged_as_code(&place.path, content, command, world)),
                        Some(None) => effects.push(Effect::Unverifiable(format!(
                            "{place} was changed in this run and its content is not known"
                        ))),
                        None => {}
                    }
                }
                Program::Project(manifest) => {
                    if reading.written.iter().any(|file| file.path == manifest.path) {
                        effects.push(Effect::Unverifiable(format!("{manifest} is changed by the same line")));
                    }
                }
                Program::Stdin => {}
            }
        }
    }
    effects
}

fn judged_as_code(path: &str, content: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let first = content.lines().next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let shebang = if first.starts_with("#!") { first } else { "" };
    let runner = command.name();
    let is = |extensions: &[&str], program: &str| {
        extensions.contains(&extension) || shebang.contains(program) || runner.starts_with(program)
    };
    let language = if is(&["py"], "python") {
        Language::Python
    } else if is(&["js", "mjs", "cjs", "ts"], "node") {
        Language::JavaScript
    } else if is(&["rb"], "ruby") {
        Language::Ruby
    } else if is(&["pl", "pm"], "perl") {
        Language::Perl
    } else if is(&["php"], "php") {
        Language::Php
    } else if is(&["sh", "bash", "zsh"], "sh")
        || shell::SHELLS.contains(&runner.as_str())
        || shebang.ends_with("sh")
        || extension.is_empty()
        || runner == "source"
        || runner == "."
    {
        return program::nested(&Word::literal(content), command, world);
    } else {
        return Vec::new();
    };
    code::scan(language, content, command, world)
}

fn effects(call: &ToolCall, world: &World, ledger: &Ledger, written: &mut Vec<Written>) -> Vec<Effect> {
    let place = |key: &str| {
        let text = text(call, key);
        Place::resolve(if text.is_empty() { "." } else { text }, false, Some(&call.cwd), world)
    };
    match call.tool.as_str() {
        "Read" | "NotebookRead" => vec![Effect::Reads(place("file_path"))],
        "Grep" => vec![Effect::Reads(place("path"))],
        "Glob" | "LS" | "TodoWrite" | "TodoRead" | "TaskCreate" | "TaskUpdate" | "TaskList" | "TaskGet"
        | "TaskOutput" | "TaskStop" | "BashOutput" | "KillShell" | "KillBash" | "Agent" | "Task" | "ToolSearch" => {
            Vec::new()
        }
        "Write" => write(call, place("file_path"), ledger, written),
        "Edit" | "MultiEdit" => edit(call, place("file_path"), ledger, written),
        "NotebookEdit" => {
            let place = place("notebook_path");
            written.push(Written { path: place.path.clone(), provenance: Provenance::Agent, content: None });
            vec![Effect::Writes { place, empties: false }]
        }
        "WebFetch" => {
            vec![Effect::Network { to: Destination::parse(text(call, "url"), world), direction: Direction::Down }]
        }
        "Python" => {
            let command =
                SimpleCommand { cwd: Some(call.cwd.clone()), stdin: Stdin::Inherited, ..SimpleCommand::default() };
            code::scan(Language::Python, text(call, "code"), &command, world)
        }
        "EnterPlanMode" | "ExitPlanMode" | "AskUserQuestion" | "CronCreate" | "CronDelete" | "ScheduleWakeup"
        | "EnterWorktree" | "ExitWorktree" | "Workflow" => {
            let reason = "this tool is not available in an unattended run";
            vec![
                Finding::forbidden(
                    RuleId::UserBoundary,
                    reason,
                    "decide by the task's text and go on; state assumptions in your final message",
                )
                .into(),
            ]
        }
        other => vec![Effect::Unverifiable(format!(
            "what the tool `{}` does is not known",
            types::text::printable(other, 60)
        ))],
    }
}

fn write(call: &ToolCall, place: Place, ledger: &Ledger, written: &mut Vec<Written>) -> Vec<Effect> {
    let content = text(call, "content");
    let empties = content.trim().is_empty();
    let mut effects = Vec::new();
    if empties
        && !ledger.was_written(&place.path)
        && !place.path.ends_with("__init__.py")
        && !place.path.ends_with(".gitkeep")
        && !place.path.ends_with("py.typed")
    {
        effects.push(Finding::questioned(RuleId::MassDeletion, format!("empties {place}")).into());
    }
    written.push(Written {
        path: place.path.clone(),
        provenance: Provenance::Agent,
        content: Some(content.to_owned()),
    });
    effects.push(Effect::Writes { place, empties });
    effects
}

fn edit(call: &ToolCall, place: Place, ledger: &Ledger, written: &mut Vec<Written>) -> Vec<Effect> {
    let single = [(text(call, "old_string"), text(call, "new_string"))];
    let several: Vec<(&str, &str)> = call
        .input
        .get("edits")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|edit| {
            (
                edit.get("old_string").and_then(Value::as_str).unwrap_or_default(),
                edit.get("new_string").and_then(Value::as_str).unwrap_or_default(),
            )
        })
        .collect();
    let edits: &[(&str, &str)] = if call.tool == "MultiEdit" { &several } else { &single };
    let mut effects = Vec::new();
    // Without the old content the new parts are what can be judged.
    let mut content = ledger.file(&place.path).and_then(|file| file.content.clone());
    let mut parts = String::new();
    for (old, new) in edits {
        content = content.map(|text| text.replacen(old, new, 1));
        parts.push_str(new);
        parts.push('\n');
        let name = place.path.rsplit('/').next().unwrap_or_default();
        if name == "package.json"
            && ["preinstall", "postinstall", "prepare", "prepublish"]
                .iter()
                .any(|hook| new.contains(hook) && !old.contains(hook))
        {
            effects.push(Finding::questioned(RuleId::SupplyChain, "adds a script that runs on every install").into());
        }
        if is_test(&place.path) && (assertions(new) < assertions(old) || skips(new) > skips(old)) {
            effects.push(Finding::questioned(RuleId::SafetyRegression, "weakens a test").into());
        }
    }
    written.push(Written {
        path: place.path.clone(),
        provenance: Provenance::Agent,
        content: Some(content.unwrap_or(parts)),
    });
    effects.push(Effect::Writes { place, empties: false });
    effects
}

fn is_test(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    lower.contains("/test")
        || lower.contains("_test.")
        || lower.contains(".test.")
        || lower.contains(".spec.")
        || lower.contains("/spec")
}

/// Lines that check something and are no comments.
fn assertions(text: &str) -> usize {
    text.lines()
        .map(str::trim_start)
        .filter(|line| !line.starts_with("//") && !line.starts_with('#') && !line.starts_with('*'))
        .filter(|line| {
            ["assert", "expect(", "should", "t.Error", "t.Fatal", "require."].iter().any(|word| line.contains(word))
        })
        .count()
}

fn skips(text: &str) -> usize {
    ["#[ignore", "@skip", ".skip(", "xit(", "t.Skip(", "@pytest.mark.skip", "xfail", "@Disabled", "@Ignore"]
        .iter()
        .map(|word| text.matches(word).count())
        .sum()
}

/// True when a text holds the mark for what is not known; such a text cannot come from an honest call.
pub(crate) fn has_hole(call: &ToolCall) -> bool {
    call.input
        .as_object()
        .is_some_and(|map| map.values().any(|value| value.as_str().is_some_and(|text| text.contains(HOLE))))
}
