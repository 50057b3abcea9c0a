//! Terminals inside the terminal: `tmux`, `screen`, `script`. What they start is read as a command of its own; what is typed into a
//! running one is not seen, and so a question.

use crate::{
    effect::{Effect, Finding},
    shell::{SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    match name {
        "tmux" => Some(tmux(command, world)),
        "screen" => Some(screen(command, world)),
        "script" => Some(script(command, world)),
        _ => None,
    }
}

fn hidden(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let mut effects = super::unknown::mentioned(command, world);
    effects.push(Finding::questioned(RuleId::ReverseChannel, "runs something out of sight").into());
    effects
}

fn tmux(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    const VALUED: [&str; 12] = ["-s", "-t", "-n", "-c", "-x", "-y", "-F", "-S", "-E", "-l", "-b", "-p"];
    const SHOWS: [&str; 18] = [
        "ls",
        "list-sessions",
        "has-session",
        "has",
        "capture-pane",
        "capturep",
        "kill-session",
        "kill-window",
        "kill-pane",
        "list-windows",
        "lsw",
        "list-panes",
        "lsp",
        "display-message",
        "info",
        "wait-for",
        "-V",
        "show-options",
    ];
    let words = command.args();
    let Some(verb) = words.first().filter(|word| word.is_known()) else { return hidden(command, world) };
    let rest = &words[1..];
    // Tmux takes several commands in one line.
    if rest.iter().any(|word| word.text == ";" || word.text.contains("#(")) {
        return hidden(command, world);
    }
    match verb.text.as_str() {
        text if SHOWS.contains(&text) => Vec::new(),
        "new-session" | "new" | "new-window" | "neww"
            if rest.iter().any(|word| word.text.starts_with('-') && word.text.contains('d')) =>
        {
            match operands(rest, &VALUED).as_slice() {
                [] => hidden(command, world),
                words => started(words, command, world),
            }
        }
        _ => hidden(command, world),
    }
}

fn screen(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let words = command.args();
    let has = |names: &[&str]| words.iter().any(|word| names.contains(&word.text.as_str()));
    if has(&["-ls", "-list"]) && words.len() <= 2 {
        return Vec::new();
    }
    let detached = has(&["-dm", "-dmS", "-Dm", "-DmS", "-dmLS", "-LdmS"]);
    match operands(words, &["-S", "-dmS", "-DmS", "-dmLS", "-LdmS", "-t", "-h", "-c", "-Logfile", "-X", "-p"])
        .as_slice()
    {
        [_, ..] if has(&["-X", "-x", "-r", "-c"]) => hidden(command, world),
        words @ [_, ..] if detached => started(words, command, world),
        _ => hidden(command, world),
    }
}

/// `script -c CODE FILE`: the reader has opened the code; what is left is the record.
fn script(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let words = command.args();
    let at = words
        .iter()
        .position(|word| word.text.starts_with('-') && word.text.ends_with('c') || word.text == "--command");
    if at.is_none() {
        return hidden(command, world);
    }
    let operands =
        operands(words, &["-c", "--command", "-qc", "-qec", "-ec", "-efc", "-qefc", "-qfc", "-T", "-O", "-I"]);
    match operands.as_slice() {
        [] => super::writes(&[&Word::literal("typescript")], command, world),
        files => super::writes(files, command, world),
    }
}

fn operands<'a>(words: &'a [Word], valued: &[&str]) -> Vec<&'a Word> {
    let mut i = 0;
    while let Some(word) = words.get(i).filter(|word| word.text.starts_with('-')) {
        i += if valued.contains(&word.text.as_str()) { 2 } else { 1 };
    }
    words.get(i..).unwrap_or_default().iter().collect()
}

/// One word is shell code; several are a command.
fn started(words: &[&Word], command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    let sources = words.iter().flat_map(|word| word.sources.clone()).collect();
    let code = Word { text, sources, ..Word::default() };
    if !code.sources.is_empty() {
        return hidden(command, world);
    }
    super::nested(&code, command, world)
}
