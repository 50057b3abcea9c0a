//! Runs a command as far as the scope is concerned: functions, builtins and wrappers; collects the rest.

use super::{
    command::{SimpleCommand, Stdin, Word},
    output,
    unwrap::{self, Wrapped},
    walk::{MAX_TEXTS, Walker},
};
use crate::{args::Args, place::HOLE, secret::glob_matches};
use brush_parser::ast;
use std::rc::Rc;

/// Longest command whose program is guessed, in words.
const MAX_GUESSED: usize = 256;
/// Programs that a pattern in the place of a program's name is tried on.
#[rustfmt::skip]
const NAMED_BY_PATTERN: [&str; 40] = [
    "sh", "bash", "dash", "zsh", "ash", "rm", "cat", "cp", "mv", "dd", "tee", "chmod", "chown", "curl", "wget", "nc",
    "ncat", "netcat", "socat", "python3", "python", "perl", "ruby", "node", "php", "ssh", "scp", "git", "find",
    "xargs", "env", "sudo", "base64", "tar", "shred", "truncate", "kill", "pkill", "mkfs.ext4", "crontab",
];

impl Walker<'_> {
    /// Runs a command: functions and shell builtins change the scope, wrappers are opened, everything is collected.
    pub(super) fn run(&mut self, command: SimpleCommand, depth: usize) {
        if depth > MAX_TEXTS {
            return self.gap("too many wrappers around a command".to_owned());
        }
        self.run_guessed(&command, depth);
        let command = self.fed_by_substitution(command);
        let name = command.name();
        if let Some(word) = command.argv.first()
            && let Some(body) = self.scope.functions.get(&word.text).cloned()
        {
            self.called.push(Rc::clone(&body));
            return self.call(&word.text.clone(), &body, command);
        }
        if depth == 0 || command.via.is_none() {
            self.builtin(&name, &command);
        }
        match unwrap::open(&command, self.world) {
            Wrapped::Plain => {
                self.note_decoded(&command);
                _ = self.push(command);
            }
            Wrapped::Command { inner, keep, via } => {
                let mut inside = SimpleCommand { argv: inner, via: Some(via), ..command.clone() };
                if keep {
                    self.push(command);
                } else {
                    inside.via = command.via;
                }
                self.run(inside, depth + 1);
            }
            Wrapped::InTurn { inner, via } => {
                self.push(command.clone());
                for argv in inner.into_iter().filter(|argv| !argv.is_empty()) {
                    self.run(SimpleCommand { argv, via: Some(via), ..command.clone() }, depth + 1);
                }
            }
            Wrapped::Code { code, keep, via } => {
                let inputs = command.inputs.clone();
                let stdin = command.stdin.clone();
                let piped = command.is_piped;
                let own = command.argv.len() > 1 && !matches!(via, "sh" | "source");
                if inputs
                    .iter()
                    .flat_map(Clone::clone)
                    .filter_map(|n| self.line.commands.get(n))
                    .any(|input| output::is_decoder(&input.name()))
                {
                    let unread = !code.is_known();
                    self.line.decoded = Some(unread || self.line.decoded == Some(true));
                }
                if !code.is_known() {
                    // Whatever it is, an interpreter runs it.
                    self.push(SimpleCommand {
                        argv: vec![Word::literal("sh")],
                        stdin: Stdin::Pipe,
                        is_piped: true,
                        ..command.clone()
                    });
                }
                if keep {
                    self.push(command);
                } else if !command.redirects.is_empty() || !command.assignments.is_empty() {
                    self.push(SimpleCommand { argv: Vec::new(), ..command });
                }
                let before = (self.stdin.clone(), self.inputs.len(), self.is_piped);
                // `… | bash` has spent its input on the code itself.
                self.stdin = if own { stdin } else { Stdin::Inherited };
                self.fed_by(inputs);
                self.is_piped = piped && own;
                if via == "eval" || via == "trap" {
                    self.code(&code, via);
                } else {
                    self.subshell(|walker| walker.code(&code, via));
                }
                self.stdin = before.0;
                self.inputs.truncate(before.1);
                self.is_piped = before.2;
            }
        }
    }

    /// `bash <(echo …)`: an interpreter whose file is what a known command prints is fed that text.
    fn fed_by_substitution(&self, command: SimpleCommand) -> SimpleCommand {
        let name = command.name();
        let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let reads_code = unwrap::SHELLS.contains(&plain)
            || matches!(name.as_str(), "source" | ".")
            || matches!(plain, "python" | "perl" | "ruby" | "node" | "php");
        let first = command.args().iter().find(|word| !word.text.starts_with('-'));
        let known = first.and_then(|word| self.printed.iter().find(|(path, _)| *path == word.text));
        let Some((_, text)) = known.filter(|_| reads_code) else { return command };
        let program = if matches!(name.as_str(), "source" | ".") { "bash" } else { &name };
        let mut inputs = command.inputs.clone();
        inputs.extend(first.map(|word| word.sources.clone()).unwrap_or_default());
        SimpleCommand { argv: vec![Word::literal(program)], stdin: Stdin::Text(text.clone()), inputs, ..command }
    }

    /// A program whose name is not fully known: what it may well be is looked at beside it.
    fn run_guessed(&mut self, command: &SimpleCommand, depth: usize) {
        let Some(word) = command.argv.first().filter(|_| command.argv.len() <= MAX_GUESSED) else { return };
        let names: Vec<String> = if word.glob {
            let name = word.text.rsplit('/').next().unwrap_or_default();
            if !word.text.starts_with('/') || name.trim_matches('*').is_empty() {
                return;
            }
            let fits = |candidate: &&&str| glob_matches(name, candidate);
            NAMED_BY_PATTERN.iter().filter(fits).take(4).map(|name| (*name).to_owned()).collect()
        } else if word.text.contains(HOLE) {
            // An unset variable in a name leaves the rest of it.
            let rest = word.text.replace(HOLE, "");
            if rest.len() < 2 || rest.contains('/') || rest.starts_with('-') {
                return;
            }
            vec![rest]
        } else {
            return;
        };
        for name in names {
            let mut guess = command.clone();
            guess.argv[0] = Word { text: name, glob: false, ..word.clone() };
            self.run(guess, depth + 1);
        }
    }

    /// Notes an interpreter that is fed by a decoder whose output is not known.
    fn note_decoded(&mut self, command: &SimpleCommand) {
        let name = command.name();
        let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let is_interpreter =
            unwrap::SHELLS.contains(&plain) || matches!(plain, "python" | "perl" | "ruby" | "node" | "php");
        let takes_input = command.args().iter().all(|word| word.text.starts_with('-'));
        if !is_interpreter || !takes_input || !matches!(command.stdin, Stdin::Pipe) {
            return;
        }
        let inputs = command.inputs.iter().flat_map(Clone::clone);
        let mut inputs = inputs.filter_map(|n| self.line.commands.get(n));
        if inputs.any(output::is_cipher) {
            self.line.decoded = Some(true);
        }
    }

    /// Shell builtins that change what later words mean.
    pub(super) fn builtin(&mut self, name: &str, command: &SimpleCommand) {
        let args = command.args();
        match name {
            "cd" | "pushd" => {
                let target = args.iter().find(|word| !word.text.starts_with('-') || word.text == "-");
                self.scope.change_directory(target, self.world);
            }
            "popd" => self.scope.cwd = None,
            "export" | "declare" | "local" | "readonly" | "typeset" => {
                // `declare -n y=x` makes y another name of x.
                let is_name = args.iter().any(|word| word.text.starts_with('-') && word.text.contains('n'));
                for word in args {
                    if let Some((name, value)) = word.text.split_once('=') {
                        if is_name && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                            let value = self.scope.get(value);
                            self.scope.set(name, value);
                            continue;
                        }
                        self.scope.set(name, Word { text: value.to_owned(), glob: false, ..word.clone() });
                    }
                }
            }
            "read" | "mapfile" | "readarray" | "getopts" | "unset" => {
                // A line of a list of files is a path below where the list was made.
                if self.read_known(name, command) {
                    return;
                }
                let listed = match &command.stdin {
                    super::command::Stdin::Text(word) if name == "read" && word.text.contains("/**") => {
                        word.text.split_whitespace().next().map(|first| Word { glob: true, ..Word::literal(first) })
                    }
                    super::command::Stdin::Text(_) | super::command::Stdin::Inherited | super::command::Stdin::Pipe => {
                        None
                    }
                };
                for word in args.iter().filter(|word| !word.text.starts_with('-')) {
                    let value = listed.clone().unwrap_or_else(Word::hole);
                    let value = Word { sources: command.inputs.clone(), ..value };
                    self.scope.set(&word.text, value);
                }
            }
            "printf" if args.first().is_some_and(|word| word.text == "-v") => {
                if let Some(word) = args.get(1) {
                    let argv = std::iter::once(&command.argv[0]).chain(&args[2..]).cloned().collect();
                    let printed = output::of(&SimpleCommand { argv, ..command.clone() });
                    self.scope.set(&word.text, printed.unwrap_or_else(Word::hole));
                }
            }
            "set" if args.first().is_some_and(|word| word.text == "--") => {
                self.scope.positional = Some(args[1..].to_vec());
            }
            _ => {}
        }
    }

    /// `read x <<< text` and `mapfile a <<< text`; false when the text or the form is not known.
    fn read_known(&mut self, name: &str, command: &SimpleCommand) -> bool {
        let Stdin::Text(text) = &command.stdin else { return false };
        if !text.is_known()
            || text.glob
            || text.text.contains("/**")
            || !matches!(name, "read" | "mapfile" | "readarray")
        {
            return false;
        }
        let args = Args::parse(command.args(), &["-d", "-n", "-N", "-p", "-t", "-u", "-i", "-O", "-s", "-C", "-c"]);
        let is_plain = args.options.iter().all(|(option, value)| match option.as_str() {
            "-r" | "-t" => true,
            // `-d ''` reads everything.
            "-d" => value.as_ref().is_some_and(|word| word.text.is_empty()),
            _ => false,
        });
        let names: Vec<String> = args.operands.iter().map(|word| word.text.clone()).collect();
        if !is_plain || names.is_empty() {
            return false;
        }
        let of = |part: &str| Word {
            text: part.to_owned(),
            sources: text.sources.clone(),
            secret: text.secret,
            glob: false,
        };
        if name != "read" {
            let lines: Vec<Word> = text.text.lines().map(of).collect();
            let all = unwrap::join(&lines);
            self.scope.set_array(&names[0], all, lines);
            return true;
        }
        let whole = args.has(&["-d"]);
        let line = if whole { text.text.as_str() } else { text.text.lines().next().unwrap_or_default() };
        let mut rest = line.trim();
        for (n, name) in names.iter().enumerate() {
            let (part, after) = if n + 1 == names.len() {
                (rest, "")
            } else {
                rest.split_once(char::is_whitespace).map_or((rest, ""), |(part, after)| (part, after.trim_start()))
            };
            self.scope.set(name, of(part));
            rest = after;
        }
        true
    }

    pub(super) fn call(&mut self, name: &str, body: &ast::FunctionBody, command: SimpleCommand) {
        if self.calling.iter().any(|active| active == name) {
            // A function that starts itself twice or in the background never ends.
            self.line.is_fork_bomb |= command.is_piped || command.is_background;
            return self.gap(format!("the function `{name}` calls itself"));
        }
        if self.calling.len() >= MAX_TEXTS {
            return self.gap("too many nested function calls".to_owned());
        }
        let positional = self.scope.positional.replace(command.args().to_vec());
        let before = (self.stdin.clone(), self.inputs.len());
        self.stdin = command.stdin.clone();
        self.fed_by(command.inputs.clone());
        let has_more = !command.redirects.is_empty() || !command.assignments.is_empty();
        if has_more {
            self.push(SimpleCommand { argv: Vec::new(), ..command });
        }
        self.calling.push(name.to_owned());
        self.redirected(body.1.as_ref(), |walker| walker.compound(&body.0));
        self.calling.pop();
        self.stdin = before.0;
        self.inputs.truncate(before.1);
        self.scope.positional = positional;
    }

    /// Functions that nothing called are walked once too: they may be called by name in a way that was not seen.
    pub(super) fn uncalled_functions(&mut self) {
        let mut bodies: Vec<(String, Rc<ast::FunctionBody>)> =
            self.scope.functions.iter().map(|(name, body)| (name.clone(), Rc::clone(body))).collect();
        // What was called was walked with the arguments that it got.
        bodies.retain(|(_, body)| !self.called.iter().any(|called| Rc::ptr_eq(called, body)));
        bodies.sort_by(|a, b| a.0.cmp(&b.0));
        self.scope.positional = None;
        for (name, body) in bodies.into_iter().take(32) {
            self.calling.push(name);
            self.redirected(body.1.as_ref(), |walker| walker.compound(&body.0));
            self.calling.pop();
        }
    }
}
