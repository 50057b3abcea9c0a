//! Runs a command as far as the scope is concerned: functions, builtins and wrappers; collects the rest.

use super::{
    abbreviated,
    command::{SimpleCommand, Stdin, Word},
    output,
    unwrap::{self, Wrapped},
    walk::{MAX_TEXTS, Walker},
};
use crate::{place::HOLE, secret::glob_matches};
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

/// Most texts that are kept for the end of the line.
const MAX_DEFERRED: usize = 32;

/// Who starts a command; each knows less of the line than the one before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Starter {
    /// The shell: functions, builtins, programs.
    Shell,
    /// `command` and `builtin`: no functions.
    Builtin,
    /// A program: no builtins.
    Program,
    /// A program that changes the environment.
    Environment,
}

impl Starter {
    fn of(via: &str, wrapper: &SimpleCommand) -> Self {
        let changes = |word: &Word| word.text.contains('=') || word.text.starts_with('-');
        match via {
            "command" | "builtin" => Self::Builtin,
            "env" | "cross-env" | "env-cmd" | "dotenv" | "sudo" | "doas" | "su"
                if wrapper.args().iter().any(changes) =>
            {
                Self::Environment
            }
            "env-cmd" | "dotenv" | "sudo" | "doas" | "pkexec" => Self::Environment,
            _ => Self::Program,
        }
    }
}

impl Walker<'_> {
    /// Runs a command: functions and shell builtins change the scope, wrappers are opened, everything is collected.
    pub(super) fn run(&mut self, command: SimpleCommand) {
        self.start(command, Starter::Shell, 0);
    }

    fn start(&mut self, command: SimpleCommand, starter: Starter, depth: usize) {
        if depth > MAX_TEXTS {
            return self.gap("too many wrappers around a command".to_owned());
        }
        if !self.room.holds(&command) {
            return self.push(command);
        }
        self.run_guessed(&command, starter, depth);
        let command = abbreviated::written_out(self.fed_by_substitution(command));
        let name = command.name();
        if starter == Starter::Shell
            && let Some(word) = command.argv.first()
            && let Some(function) = self.scope.functions.get(&word.text).cloned()
        {
            let name = word.text.clone();
            for body in &function.bodies {
                self.called.push(Rc::clone(body));
                if let ([_], true) = (function.bodies.as_slice(), function.is_certain) {
                    return self.call(&name, body, command);
                }
                self.branch(|walker| walker.call(&name, body, command.clone()));
            }
            if function.is_certain {
                return;
            }
        }
        if starter <= Starter::Builtin {
            self.builtin(&name, &command);
        }
        match unwrap::open(&command, self.world) {
            Wrapped::Plain => {
                self.note_decoded(&command);
                self.push(command);
            }
            Wrapped::Command { inner, keep, via } => {
                let within = Starter::of(via, &command);
                let mut inside = SimpleCommand { argv: inner, via: Some(via), ..command.clone() };
                if keep {
                    self.push(command);
                } else {
                    inside.via = command.via;
                }
                self.start(inside, starter.max(within), depth + 1);
            }
            Wrapped::InTurn { inner, via } => {
                self.push(command.clone());
                for argv in inner.into_iter().filter(|argv| !argv.is_empty()) {
                    let inside = SimpleCommand { argv, via: Some(via), ..command.clone() };
                    self.start(inside, starter.max(Starter::Program), depth + 1);
                }
            }
            Wrapped::Code { code, keep, via } => {
                let inputs = command.inputs.clone();
                let stdin = command.stdin.clone();
                let piped = command.is_piped;
                let assigned = command.assignments.clone();
                let arguments = unwrap::code_arguments(&command);
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
                match via {
                    // It runs whenever, with the values of then.
                    "trap" | "alias" => {
                        self.subshell(|walker| walker.code(&code, via));
                        if self.deferred.len() < MAX_DEFERRED {
                            self.deferred.push((code, via));
                        } else {
                            self.gap("more deferred code than is looked at".to_owned());
                        }
                    }
                    "eval" | "source" if starter <= Starter::Builtin => {
                        self.assigned_for(&assigned, |walker| walker.code(&code, via));
                    }
                    _ => {
                        _ = self.subshell(|walker| {
                            walker.scope.hand_on(starter < Starter::Environment);
                            for (name, value) in &assigned {
                                walker.scope.set(name, value.clone());
                                walker.scope.export(name, true);
                            }
                            if let Some([zero, rest @ ..]) = arguments.as_deref() {
                                walker.scope.zero = zero.clone();
                                walker.scope.positional = Some(rest.to_vec());
                            }
                            walker.code(&code, via);
                        });
                    }
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
        let mut argv = vec![Word::literal(name.clone())];
        if matches!(name.as_str(), "source" | ".") {
            argv.push(Word::literal("/dev/stdin"));
        }
        let mut inputs = command.inputs.clone();
        inputs.extend(first.map(|word| word.sources.clone()).unwrap_or_default());
        SimpleCommand { argv, stdin: Stdin::Text(text.clone()), inputs, ..command }
    }

    /// A program whose name is not fully known: what it may well be is looked at beside it.
    fn run_guessed(&mut self, command: &SimpleCommand, starter: Starter, depth: usize) {
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
            self.start(guess, starter, depth + 1);
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
        let assigned = command.assignments.clone();
        if has_more {
            self.push(SimpleCommand { argv: Vec::new(), ..command });
        }
        self.calling.push(name.to_owned());
        self.scope.enter();
        let branches = std::mem::take(&mut self.branches);
        self.assigned_for(&assigned, |walker| {
            walker.redirected(body.1.as_ref(), |walker| walker.compound(&body.0));
        });
        self.branches = branches;
        self.scope.leave();
        self.calling.pop();
        self.stdin = before.0;
        self.inputs.truncate(before.1);
        self.scope.positional = positional;
    }

    /// Assignments before a function or a builtin that runs code hold while it runs; some shells keep them.
    fn assigned_for(&mut self, assigned: &[(String, Word)], body: impl FnOnce(&mut Self)) {
        let before: Vec<Option<Word>> = assigned.iter().map(|(name, _)| self.scope.vars.get(name).cloned()).collect();
        for (name, value) in assigned {
            self.scope.set(name, value.clone());
        }
        body(self);
        for ((name, _), old) in assigned.iter().zip(before) {
            if old.map(|old| old.text) != self.scope.vars.get(name).map(|new| new.text.clone()) {
                self.scope.forget(name);
            }
        }
    }

    /// Code that a trap or an alias keeps for later is walked again at the end: with what stands then, and with nothing.
    pub(super) fn deferred_code(&mut self) {
        for (code, via) in std::mem::take(&mut self.deferred) {
            self.subshell(|walker| walker.code(&code, via));
            let names: Vec<String> = self.reassigned.iter().filter(|name| code.text.contains(*name)).cloned().collect();
            if !names.is_empty() {
                self.subshell(|walker| {
                    names.iter().for_each(|name| walker.scope.forget(name));
                    walker.code(&code, via);
                });
            }
        }
        self.deferred.clear();
    }

    /// Functions that nothing called are walked once too: they may be called by name in a way that was not seen.
    pub(super) fn uncalled_functions(&mut self) {
        let mut bodies = std::mem::take(&mut self.defined);
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
