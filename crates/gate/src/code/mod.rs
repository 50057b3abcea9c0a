//! Reads the code that a line hands to an interpreter: which strings it names and which calls with consequences it makes.
//!
//! This is no parser. It takes every call with a consequence as made, and what it cannot follow as unverifiable.

mod deeds;
mod fold;
mod literal;
mod offline;
mod outward;
mod payload;
mod table;

pub(crate) use deeds::gives_shell;
pub(crate) use table::Language;

use crate::{
    effect::{Effect, Finding, Program},
    place::{Place, has_glob},
    program::nested,
    secret::{ENVIRONMENT, VARIABLE, pseudo, secrecy},
    shell::{SimpleCommand, Word},
    world::World,
};
use literal::{arguments, calls, started, strings, without_strings_in};
use table::{Calls, table};
use types::catalogue::RuleId;

/// Deepest nesting of code that code decodes.
const MAX_DEPTH: u8 = 4;

/// Everything that the code does, as far as it can be told.
pub(crate) fn scan(language: Language, text: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let text = &*fold::folded(text, language);
    let calls_of = table(language);
    // Compiled patterns are no code, and what they are asked to do is no process.
    let mut bare = without_strings_in(text, language).replace("re.compile", "re.match");
    let requires = calls(text, &["require("]);
    let is_computed = language == Language::JavaScript && requires.iter().any(|word| !word.is_known());
    if language == Language::JavaScript && !text.contains("child_process") && !is_computed {
        bare = bare.replace(".exec(", ".match(");
    }
    let strings = strings(text, language);
    let any = |names: &[&str]| names.iter().any(|name| mentions(&bare, name));
    let mut effects = Vec::new();
    let shell_named = strings.iter().any(|text| {
        matches!(text.trim_end_matches(" -i"), "/bin/sh" | "/bin/bash" | "sh" | "bash" | "/bin/zsh" | "cmd.exe")
    });
    let offline = language == Language::Python && offline::is_offline(&bare, calls_of.network);
    let networked = (any(calls_of.network) && !offline)
        || (language == Language::JavaScript
            && strings.iter().any(|text| {
                matches!(text.trim_start_matches("node:"), "net" | "http" | "https" | "tls" | "dgram" | "dns" | "axios")
            }))
        || outward::imports_client(language, &bare, &strings)
        || (language == Language::Php
            && any(&["file_get_contents", "fopen", "copy", "readfile", "file"])
            && strings.iter().any(|text| text.starts_with("http:") || text.starts_with("https:")));
    let raw_socket = ["socket", "Socket", "TCPSocket", "net", "fsockopen", "stream_socket_client", "open_connection"]
        .iter()
        .any(|name| mentions(&bare, name))
        || strings.iter().any(|text| text == "net");
    if raw_socket && (shell_named || mentions(&bare, "dup2") || mentions(&bare, "pty")) {
        effects.push(
            Finding::forbidden(
                RuleId::ReverseChannel,
                "gives a shell to another host",
                "run the commands here; their output comes back to you",
            )
            .into(),
        );
    }
    if any(calls_of.process)
        || strings.iter().any(|text| text.trim_start_matches("node:") == "child_process")
        || (has_backticks(language) && text.contains('`'))
    {
        let started = processes(&calls_of, text, &bare, language, command, world);
        if raw_socket && started.iter().any(|effect| matches!(effect, Effect::Unverifiable(_))) {
            let reason = "starts programs that are not known beside a raw network connection";
            effects.push(
                Finding::refused(
                    RuleId::ReverseChannel,
                    reason,
                    "start programs by literal commands, apart from network code",
                )
                .into(),
            );
        }
        effects.extend(started);
    }
    if language == Language::JavaScript {
        for line in shell_templates(text) {
            effects.extend(nested(&Word::literal(line), command, world));
        }
    }
    if networked {
        effects.extend(outward::network(&bare, &strings, world));
    }
    effects.extend(deeds::effects(language, text, &bare, &strings, command, world));
    effects.extend(hidden(language, text, &bare, &strings, command, world));
    let paths: Vec<Place> = strings
        .iter()
        .filter(|text| is_path(text))
        .map(|text| Place::resolve(text, has_glob(text), command.cwd.as_deref(), world))
        .collect();
    if any(calls_of.delete) {
        let targets = arguments(text, calls_of.delete);
        let recursive = ["rmtree", "rimraf", "rm_rf", "rm_r", "rmSync", "rm", "remove_tree", "emptyDirSync"]
            .iter()
            .any(|name| mentions(&bare, name));
        for target in &targets {
            effects.push(Effect::Deletes {
                place: Place::resolve(&target.text, false, command.cwd.as_deref(), world),
                recursive,
            });
        }
        if targets.is_empty() || targets.iter().any(|target| !target.is_known()) {
            effects.extend(paths.iter().map(|place| Effect::Deletes { place: place.clone(), recursive }));
            effects.push(Effect::Unverifiable("which files the code deletes is not known".to_owned()));
        }
    }
    let opens_for_writing = mentions(&bare, "open")
        && strings.iter().any(|mode| {
            matches!(
                mode.as_str(),
                "w" | "a" | "x" | "wb" | "ab" | "xb" | "w+" | "r+" | "a+" | "wt" | "wb+" | "rb+" | "r+b"
            )
        });
    if any(calls_of.write) || opens_for_writing {
        effects.extend(
            paths
                .iter()
                .filter(|place| secrecy(place).is_none())
                .map(|place| Effect::Writes { place: place.clone(), empties: false }),
        );
        // A target that is no literal could be anywhere.
        if !strings.iter().any(|text| is_file_name(text)) {
            effects.push(Effect::Unverifiable("which files the code writes is not known".to_owned()));
        }
    }
    effects.extend(paths.iter().map(|place| Effect::Reads(place.clone())));
    if outward::reads_environment(&bare) {
        effects.push(Effect::Reads(pseudo(ENVIRONMENT)));
    }
    effects.extend(outward::shows_variables(text).then(|| Effect::Reads(pseudo(VARIABLE))));
    effects.extend(outward::sends_files(networked, &bare, &strings, &effects));
    effects.extend(outward::sends_secret(networked, text, &bare, &strings, &effects));
    if any(calls_of.loads) {
        // What a file holds is run when it is loaded.
        let files: Vec<_> =
            strings.iter().filter(|text| is_file_name(text) && text.len() > 4 && !text.ends_with('.')).collect();
        for text in &files {
            let place = Place::resolve(text, false, command.cwd.as_deref(), world);
            if place.known && !place.is_in(&world.worktree) {
                let reason = format!("loads {place}, which can run code and is not part of the work tree");
                let instead = "read it with a format that holds data only";
                effects.push(Finding::refused(RuleId::UntrustedCode, reason, instead).into());
            }
            effects.push(Effect::Executes(Program::File(place)));
        }
        if files.is_empty() {
            effects.push(Effect::Unverifiable("which file the code loads and runs is not known".to_owned()));
        }
    }
    let imports = if mentions(&bare, "import(") { calls(text, &["import("]) } else { Vec::new() };
    let is_legible = |word: &Word| word.is_known() && !word.text.trim_start_matches("node:").contains(':');
    let hides = |name: &&&str| !(**name == "import(" && imports.iter().all(is_legible));
    for word in imports.iter().filter(|word| is_legible(word) && word.text.starts_with(['.', '/'])) {
        let place = Place::resolve(&word.text, false, command.cwd.as_deref(), world);
        effects.push(Effect::Executes(Program::File(place)));
    }
    if is_computed {
        effects.push(Effect::Unverifiable("the code loads a module whose name is computed".to_owned()));
    }
    if calls_of.dynamic.iter().filter(hides).any(|name| mentions(&bare, name)) {
        effects.push(Effect::Unverifiable("the code hides what it runs".to_owned()));
    }
    effects
}

/// Code that the code decodes and runs.
fn hidden(
    language: Language,
    text: &str,
    bare: &str,
    strings: &[String],
    command: &SimpleCommand,
    world: &World,
) -> Vec<Effect> {
    let runs_text = payload::runs_text(language).iter().any(|name| mentions(bare, name));
    let starts = table(language).process.iter().any(|name| mentions(bare, name));
    let reflects = language == Language::Python && (bare.contains("__dict__") || mentions(bare, "getattr"));
    if command.depth >= MAX_DEPTH || !(runs_text || starts || reflects) {
        return Vec::new();
    }
    let payloads = payload::payloads(bare, text, strings);
    let inner = SimpleCommand { depth: command.depth + 1, ..command.clone() };
    let mut effects = Vec::new();
    for text in payloads.texts.iter().take(8) {
        effects.extend(scan(language, text, &inner, world));
        effects.extend(nested(&Word::literal(text.as_str()), &inner, world));
    }
    // A name that is put together from pieces runs what stands beside it.
    if reflects && strings.iter().any(|name| matches!(name.as_str(), "system" | "popen" | "exec" | "eval")) {
        for text in strings.iter().filter(|text| text.contains(' ')).take(8) {
            effects.extend(nested(&Word::literal(text.as_str()), &inner, world));
        }
    }
    // What was not code of a shell is no reason by itself.
    effects.retain(|effect| !matches!(effect, Effect::Unverifiable(_)));
    if payloads.is_hidden && runs_text {
        effects.push(
            Finding::refused(
                RuleId::UntrustedCode,
                "runs decoded code that cannot be read",
                "write the code in plain text",
            )
            .into(),
        );
    }
    effects
}

/// Languages in which backticks run a shell.
fn has_backticks(language: Language) -> bool {
    match language {
        Language::Ruby | Language::Perl | Language::Php => true,
        Language::Python | Language::JavaScript => false,
    }
}

/// `%x(…)` of Ruby and `qx{…}` of Perl, with any delimiters.
fn quoted_commands(text: &str, language: Language) -> Vec<Word> {
    let mark = match language {
        Language::Ruby => "%x",
        Language::Perl => "qx",
        Language::Python | Language::JavaScript | Language::Php => return Vec::new(),
    };
    let own = |at: &usize| {
        !text[..*at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '%'))
    };
    let starts = text.match_indices(mark).map(|(at, _)| at).filter(own).take(32);
    starts
        .filter_map(|at| {
            let rest = text[at + mark.len()..].trim_start();
            let open = rest.chars().next().filter(|c| !c.is_alphanumeric() && !c.is_whitespace() && *c != '=')?;
            let close = match open {
                '(' => ')',
                '{' => '}',
                '[' => ']',
                '<' => '>',
                other => other,
            };
            let mut depth = 0usize;
            let body = &rest[open.len_utf8()..];
            let end = body.char_indices().find_map(|(at, c)| {
                if c == close && depth == 0 {
                    return Some(at);
                }
                depth = if c == open && open != close {
                    depth + 1
                } else if c == close {
                    depth.saturating_sub(1)
                } else {
                    depth
                };
                None
            })?;
            Some(Word::literal(&body[..end]))
        })
        .collect()
}

fn processes(
    table: &Calls,
    text: &str,
    bare: &str,
    language: Language,
    command: &SimpleCommand,
    world: &World,
) -> Vec<Effect> {
    const STARTERS: [&str; 26] = [
        "create_subprocess_shell(",
        "create_subprocess_exec(",
        "system(",
        "popen(",
        "run(",
        "call(",
        "Popen(",
        "check_output(",
        "check_call(",
        "getoutput(",
        "execSync(",
        "exec(",
        "spawn(",
        "spawnSync(",
        "execFile(",
        "execFileSync(",
        "shell_exec(",
        "passthru(",
        "proc_open(",
        "qx(",
        "system ",
        "exec ",
        "popen ",
        "spawn ",
        "execl(",
        "execvp(",
    ];
    let mut found = started(text, &STARTERS);
    if has_backticks(language) {
        found.extend(text.split('`').skip(1).step_by(2).map(Word::literal));
        found.extend(quoted_commands(text, language));
    }
    let mut effects = Vec::new();
    let made = table.process.iter().map(|name| count(bare, name)).sum::<usize>();
    for word in found.iter().filter(|word| word.is_known()).take(32) {
        effects.extend(nested(word, command, world));
    }
    // Every mention must be explained by a call whose command is known, else something may run unseen.
    let known = found.iter().filter(|word| word.is_known()).count();
    if known == 0 || found.iter().any(|word| !word.is_known()) || made > known * 3 + 2 {
        effects.push(Effect::Unverifiable("the code starts programs that are not known".to_owned()));
    }
    effects
}

/// True for a literal that names a place outside of the current directory, or a secret in it.
fn is_path(text: &str) -> bool {
    // A blank stands in the name of a hidden file of a home now and then: `~/.config/google-chrome/Default/Login Data`.
    let is_hidden = text.starts_with(['~', '/']) && text.contains("/.");
    let plain = !text.contains(['\n', '<', '>', '(', '{']) && (is_hidden || !text.contains(' ')) && text.len() < 300;
    plain
        && ((text.starts_with('/') && text.len() > 1 && !text.starts_with("//"))
            || text.starts_with("~/")
            || text.contains("../")
            || text.starts_with(".git")
            || text.starts_with(".claude")
            || text.starts_with(".env")
            || text.starts_with(".github")
            || text == "~"
            || text == "/")
}

fn is_file_name(text: &str) -> bool {
    !text.contains([' ', '\n'])
        && text.len() < 300
        && (text.contains('/') || text.contains('.'))
        && !text.contains("://")
}

/// True when `name` stands in the code as a name of its own.
fn mentions(code: &str, name: &str) -> bool {
    count(code, name) > 0
}

/// True for names that stand for a family: `os.exec` for `os.execvp`, `shutil.copy` for `shutil.copytree`. A bare `exec` is one
/// name: `execute` is another.
fn begins_many(name: &str) -> bool {
    name.contains('.') && [".exec", ".spawn", ".copy"].iter().any(|end| name.ends_with(end))
}

fn count(code: &str, name: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name)
        .filter(|(at, _)| {
            let before = code[..*at].chars().next_back();
            let after = code[at + name.len()..].chars().next();
            before.is_none_or(|c| !is_word(c)) && (after.is_none_or(|c| !is_word(c)) || begins_many(name))
        })
        .count()
}

/// Templates with the tag `$`, which the shells of Bun and of zx run.
fn shell_templates(text: &str) -> impl Iterator<Item = &str> {
    // Behind an open template `$` is its last character, not a tag.
    let mut pieces = text.split('`');
    let mut before = pieces.next().unwrap_or_default();
    std::iter::from_fn(move || {
        loop {
            let line = pieces.next()?;
            let own = before
                .strip_suffix('$')
                .map(|rest| !rest.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$'));
            before = pieces.next().unwrap_or_default();
            if own == Some(true) {
                return Some(line);
            }
        }
    })
    .take(16)
}
