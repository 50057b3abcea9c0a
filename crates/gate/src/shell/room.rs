//! How much of a line's commands is looked at.
//!
//! Why it exists: a value that is written once can be an argument of every command, so that what all of them say together is many times
//! as long as the line. What must stay true: what there is no room for is told, never passed over.

use super::command::{SimpleCommand, Stdin};

/// Most words of all commands together: arguments, assignments, redirections.
const MAX_WORDS: usize = 4 * 1024;
/// Most bytes of them together with the texts that programs are fed.
const MAX_BYTES: usize = 48 * 1024;
/// Programs to which their input is no code: they pass it on, count it or look for something in it.
const PASSES_ON: [&str; 24] = [
    ":",
    "[",
    "cat",
    "cd",
    "cut",
    "echo",
    "false",
    "grep",
    "head",
    "mapfile",
    "printf",
    "read",
    "readarray",
    "rg",
    "rm",
    "set",
    "sort",
    "tail",
    "tee",
    "test",
    "tr",
    "true",
    "uniq",
    "wc",
];

/// What is left for further commands.
pub(super) struct Room {
    words: usize,
    bytes: usize,
}

impl Room {
    pub(super) fn new() -> Self {
        Self { words: MAX_WORDS, bytes: MAX_BYTES }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words == 0
    }

    /// True when all of the command can be looked at.
    pub(super) fn holds(&self, command: &SimpleCommand) -> bool {
        words(command) <= self.words && bytes(command) <= self.bytes
    }

    /// Takes the room of a command; one that is too large is cut to what it begins with, and nothing has room after it. False when
    /// something was cut off.
    pub(super) fn take(&mut self, command: &mut SimpleCommand) -> bool {
        if self.holds(command) {
            self.words -= words(command);
            self.bytes -= bytes(command);
            return true;
        }
        let mut left = self.bytes;
        let fitting = command.argv.iter().take_while(|word| {
            let fits = word.text.len() <= left;
            left = left.saturating_sub(word.text.len());
            fits
        });
        let kept = fitting.take(self.words).count();
        command.argv.truncate(kept);
        command.redirects.truncate(self.words);
        command.assignments.clear();
        command.stdin = Stdin::Pipe;
        (self.words, self.bytes) = (0, 0);
        false
    }
}

fn words(command: &SimpleCommand) -> usize {
    command.argv.len() + command.redirects.len() + command.assignments.len()
}

fn bytes(command: &SimpleCommand) -> usize {
    let redirects = command.redirects.iter().map(|redirect| &redirect.target);
    let assigned = command.assignments.iter().map(|(_, value)| value);
    let own: usize = command.argv.iter().chain(redirects).chain(assigned).map(|word| word.text.len()).sum();
    own + match &command.stdin {
        Stdin::Text(text) if !PASSES_ON.contains(&command.name().as_str()) => text.text.len(),
        Stdin::Text(_) | Stdin::Inherited | Stdin::Pipe => 0,
    }
}
