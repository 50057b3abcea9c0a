//! Translates a call of any tool into commands and effects.

use crate::{
    argument,
    code::{self, Language},
    content,
    destination::{Destination, Direction},
    effect::{Effect, Finding, Program},
    executed, flow,
    ledger::{Ledger, Provenance},
    notebook,
    place::{HOLE, Place},
    program, replaced,
    shell::{self, Refusal, SimpleCommand, Stdin},
    token,
    weaken::{self, Change},
    world::World,
    written,
    zone::Zone,
};
use serde_json::Value;
use types::{call::ToolCall, catalogue::RuleId};

/// Most files of one call that are remembered because a script writes them.
const MAX_WRITTEN: usize = 256;
/// Most written content that is read in one shell line, by [`burden`].
const MAX_JUDGED: usize = 40 * 1024;

/// A file that a call changes.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub path: String,
    pub provenance: Provenance,
    /// The new content, if it is known; of an edit of a file that is not known, the new parts.
    pub content: Option<String>,
    /// True when a credential goes into it.
    pub is_secret: bool,
    /// What speaks against running it.
    pub concern: Option<String>,
    /// True for a directory that is filled from the network.
    pub is_directory: bool,
}

impl Written {
    /// A file that the agent writes.
    pub(crate) fn of(path: &str, content: Option<&str>) -> Self {
        Self {
            path: path.to_owned(),
            provenance: Provenance::Agent,
            content: content.map(str::to_owned),
            is_secret: false,
            concern: None,
            is_directory: false,
        }
    }
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
    /// Remotes that are added or pointed elsewhere.
    pub remotes: Vec<String>,
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
    let remembered: Vec<Effect> =
        reading.whole.iter().filter_map(|effect| flow::remembered(effect, flow::Taint::default(), ledger)).collect();
    reading.whole.extend(remembered);
    Ok(reading)
}

pub(crate) fn text<'a>(call: &'a ToolCall, key: &str) -> &'a str {
    call.input.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn bash(call: &ToolCall, world: &World, ledger: &Ledger) -> Result<Reading, Refusal> {
    let line = shell::read(text(call, "command"), &call.cwd, world)?;
    let mut whole = shell::whole(&line);
    let mut per_command: Vec<Vec<Effect>> =
        line.commands.iter().map(|command| program::effects(command, world)).collect();
    let trace = flow::trace(&line.commands, &per_command, ledger, world);
    // A tool chain that the task asks for comes by its maker's installer.
    for (effects, taint) in per_command.iter_mut().zip(&trace.taints) {
        if taint.is_installer() && !taint.unasked {
            effects.retain(|effect| *effect != Effect::Executes(Program::Stdin));
        }
    }
    whole.extend(trace.findings);
    let remotes: Vec<String> = line.commands.iter().filter_map(written::changed_remote).collect();
    let pushes =
        |command: &SimpleCommand| command.name() == "git" && command.args().iter().any(|word| word.text == "push");
    if !remotes.is_empty() && line.commands.iter().any(pushes) {
        let instead = "push to the remotes as they were at the start";
        whole.push(Finding::refused(RuleId::GitRemote, "pushes after pointing a remote elsewhere", instead).into());
    }
    let mut reading = Reading { commands: line.commands, per_command, whole, written: Vec::new(), remotes };
    for command in &reading.commands {
        let edits = replaced::edits(command, world);
        reading.whole.extend(
            edits
                .iter()
                .flat_map(|(place, old, new)| weaken::effects(place, Change { removed: old, added: new }, world)),
        );
    }
    let gone = reading.effects().filter_map(|effect| lost(effect, world, ledger)).collect::<Vec<_>>();
    reading.whole.extend(gone);
    reading.written = written::files(&reading, &trace.taints, world, ledger);
    let mut room = MAX_JUDGED;
    for at in 0..reading.written.len() {
        let Some(file) = reading.written.get_mut(at) else { break };
        if let Some(content) = file.content.take() {
            // What is not read now is not known later.
            let Some(left) = room.checked_sub(burden(&content)) else { continue };
            room = left;
            let place = Place { path: file.path.clone(), known: true, glob: false };
            let found = judged(file, &place, &content, world);
            let added = Change { removed: "", added: &content };
            reading.whole.extend(weaken::effects(&place, added, world));
            file.content = Some(content);
            reading.whole.extend(found);
        }
    }
    let more = executed::effects(&reading, world, ledger);
    for effect in &more {
        // What a script writes is not followed, but it is no file of the project any more.
        if let Effect::Writes { place, .. } = effect
            && place.known
            && !place.glob
            && reading.written.len() < MAX_WRITTEN
            && reading.written.iter().all(|file| file.path != place.path)
        {
            reading.written.push(Written::of(&place.path, None));
        }
    }
    reading.whole.extend(more);
    Ok(reading)
}

/// What reading content costs: its bytes, and for each command that it may hold as much as eight more.
fn burden(content: &str) -> usize {
    content.len() + 8 * content.matches([';', '\n', '|', '&']).count()
}

/// A test that is deleted or a file that is emptied, and that the run did not make.
fn lost(effect: &Effect, world: &World, ledger: &Ledger) -> Option<Effect> {
    if let Effect::Writes { place, empties: true } = effect {
        let is_lost = place.is_in(&world.worktree) && holds_work(&place.path) && !ledger.was_written(&place.path);
        return is_lost.then(|| Finding::questioned(RuleId::MassDeletion, format!("empties {place}")).into());
    }
    let Effect::Deletes { place, .. } = effect else { return None };
    let is_kept = place.is_in(&world.worktree)
        && weaken::is_kept_test(place.path.strip_prefix(&world.worktree).unwrap_or_default())
        && !ledger.was_written(&place.path);
    is_kept.then(|| Finding::questioned(RuleId::SafetyRegression, format!("deletes the test {place}")).into())
}

/// Judges content that is written, and notes what matters when it runs.
fn judged(file: &mut Written, place: &Place, content: &str, world: &World) -> Vec<Effect> {
    file.is_secret |= token::find(content).is_some();
    let review = content::at_write(place, content, world);
    file.concern = review.concern;
    review.findings.into_iter().map(Effect::from).collect()
}

fn effects(call: &ToolCall, world: &World, ledger: &Ledger, written: &mut Vec<Written>) -> Vec<Effect> {
    let place = |key: &str| {
        let text = text(call, key);
        Place::resolve(if text.is_empty() { "." } else { text }, false, Some(&call.cwd), world)
    };
    match call.tool.as_str() {
        "Read" | "NotebookRead" => vec![Effect::Reads(place("file_path"))],
        "Grep" => grep(call, place("path"), world),
        "Glob"
        | "LS"
        | "TodoWrite"
        | "TodoRead"
        | "TaskCreate"
        | "TaskUpdate"
        | "TaskList"
        | "TaskGet"
        | "TaskOutput"
        | "TaskStop"
        | "BashOutput"
        | "KillShell"
        | "KillBash"
        | "ToolSearch"
        | "StructuredOutput"
        | "LSP"
        | "ListMcpResourcesTool" => Vec::new(),
        "Agent" | "Task" | "SendMessage" => argument::to_agent(call, world),
        "Write" => write(call, &place("file_path"), world, ledger, written),
        "Edit" | "MultiEdit" => edit(call, &place("file_path"), world, ledger, written),
        "NotebookEdit" => notebook::edited(call, place("notebook_path"), world, written),
        "WebFetch" => argument::fetched(call, world, ledger),
        "WebSearch" => argument::searched(call, ledger),
        "Python" => {
            let command =
                SimpleCommand { cwd: Some(call.cwd.clone()), stdin: Stdin::Inherited, ..SimpleCommand::default() };
            let mut effects = code::scan(Language::Python, text(call, "code"), &command, world);
            effects.extend(flow::trace(&[command], std::slice::from_ref(&effects), ledger, world).findings);
            effects
        }
        "EnterPlanMode" | "ExitPlanMode" | "AskUserQuestion" | "CronCreate" | "CronDelete" | "CronList"
        | "ScheduleWakeup" | "EnterWorktree" | "ExitWorktree" | "Workflow" | "RemoteTrigger" | "SetPermissionMode"
        | "UpdateConfig" | "Config" => {
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
        _ => argument::unknown(call, world, ledger),
    }
}

/// A search reads what it searches: its path, and the files that its glob names.
fn grep(call: &ToolCall, path: Place, world: &World) -> Vec<Effect> {
    let glob = text(call, "glob");
    let mut effects = Vec::new();
    if !glob.is_empty() && !glob.starts_with('!') {
        let named = Place::resolve(&format!("{}/{glob}", path.path), true, Some(&call.cwd), world);
        effects.push(Effect::Reads(named));
    }
    let patterns = [text(call, "pattern")];
    effects.extend(program::searched(std::iter::once(path.clone()), &patterns, world));
    effects.push(Effect::Reads(path));
    effects
}

fn write(call: &ToolCall, place: &Place, world: &World, ledger: &Ledger, written: &mut Vec<Written>) -> Vec<Effect> {
    let content = text(call, "content");
    let empties = content.trim().is_empty();
    let mut effects = Vec::new();
    if empties
        && !ledger.was_written(&place.path)
        && !place.path.ends_with("__init__.py")
        && !place.path.ends_with(".gitkeep")
        && !place.path.ends_with("py.typed")
    {
        let reason = format!("empties {place}");
        let finding = if holds_work(&place.path) {
            Finding::refused(
                RuleId::MassDeletion,
                reason,
                "edit the part that has to go, or delete the file by its name",
            )
        } else {
            Finding::questioned(RuleId::MassDeletion, reason)
        };
        effects.push(finding.into());
    }
    let removed = ledger.file(&place.path).and_then(|file| file.content.as_deref()).unwrap_or_default();
    effects.extend(weaken::effects(place, Change { removed, added: content }, world));
    let mut file = Written::of(&place.path, Some(content));
    effects.extend(judged(&mut file, place, content, world));
    written.push(file);
    effects.extend(puts(place, empties, world));
    effects
}

/// True for files whose content is somebody's work; nobody creates such a file empty with a tool that writes content.
fn holds_work(path: &str) -> bool {
    const ENDS: [&str; 24] = [
        ".rs", ".go", ".ts", ".tsx", ".js", ".jsx", ".mjs", ".java", ".kt", ".c", ".cc", ".cpp", ".cs", ".rb", ".php",
        ".swift", ".scala", ".sh", ".sql", ".md", ".json", ".yml", ".yaml", ".toml",
    ];
    ENDS.iter().any(|end| path.ends_with(end)) || (path.ends_with(".py") && !path.ends_with("/conftest.py"))
}

fn edit(call: &ToolCall, place: &Place, world: &World, ledger: &Ledger, written: &mut Vec<Written>) -> Vec<Effect> {
    let part = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let edits: Vec<(String, String)> = match call.input.get("edits").and_then(Value::as_array) {
        Some(edits) if call.tool == "MultiEdit" => {
            edits.iter().map(|edit| (part(edit, "old_string"), part(edit, "new_string"))).collect()
        }
        Some(_) | None => vec![(part(&call.input, "old_string"), part(&call.input, "new_string"))],
    };
    let mut effects = Vec::new();
    // Without the old content the new parts are what can be judged.
    let known = ledger.file(&place.path);
    let mut content = known.and_then(|file| file.content.clone());
    let (mut removed, mut parts) = (String::new(), String::new());
    for (old, new) in &edits {
        content = content.map(|text| {
            if text.contains(old.as_str()) { text.replacen(old, new, 1) } else { format!("{text}\n{new}") }
        });
        removed.push_str(old);
        removed.push('\n');
        parts.push_str(new);
        parts.push('\n');
    }
    effects.extend(weaken::effects(place, Change { removed: &removed, added: &parts }, world));
    // A file that was changed without a known content stays unknown, whatever is added to it.
    let is_unread = known.is_some_and(|file| file.content.is_none());
    let mut file = Written::of(&place.path, None);
    file.provenance = known.map_or(Provenance::Agent, |file| file.provenance);
    file.is_secret = known.is_some_and(|file| file.is_secret);
    let is_part = content.is_none();
    let judgeable = content.unwrap_or(parts);
    let is_legible = if is_part {
        let (found, is_legible) = content::fragment(place, &judgeable, world);
        effects.extend(found.into_iter().map(Effect::from));
        is_legible
    } else {
        true
    };
    effects.extend(judged(&mut file, place, &judgeable, world));
    file.content = (!is_unread && is_legible).then_some(judgeable);
    written.push(file);
    effects.extend(puts(place, false, world));
    effects
}

/// The change itself, unless the task asks for it by the file's name: then the content is what is judged.
fn puts(place: &Place, empties: bool, world: &World) -> Option<Effect> {
    let is_named = world.is_named(place);
    let is_asked_for = place.zone(world) == Zone::HandOff && is_named && !empties;
    (!is_asked_for).then(|| Effect::Writes { place: place.clone(), empties })
}

/// A fetch, read as a destination.
pub(crate) fn fetch(url: &str, direction: Direction, world: &World) -> Effect {
    Effect::Network { to: Destination::parse(url, world), direction }
}

/// True when a text holds the mark for what is not known; such a text cannot come from an honest call.
pub(crate) fn has_hole(call: &ToolCall) -> bool {
    call.input
        .as_object()
        .is_some_and(|map| map.values().any(|value| value.as_str().is_some_and(|text| text.contains(HOLE))))
}
