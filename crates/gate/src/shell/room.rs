//! How much of a line's commands is looked at.
//!
//! Why it exists: a value that is written once can be an argument of every command, so that what all of them say together is many times
//! as long as the line; and each of them can hold code. What must stay true: code inside of code takes from the same room; what there is no room for is
//! told, never passed over.

use super::{
    command::{SimpleCommand, Stdin},
    prescan,
};
use std::{cell::Cell, rc::Rc};

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

/// What is left of a call's room, for its line and for all code inside of it.
#[derive(Clone, Debug)]
pub(crate) struct Room(Rc<Left>);

#[derive(Debug)]
struct Left {
    words: Cell<usize>,
    bytes: Cell<usize>,
    effort: Cell<usize>,
}

impl Default for Room {
    fn default() -> Self {
        let of = Cell::new;
        Self(Rc::new(Left { words: of(MAX_WORDS), bytes: of(MAX_BYTES), effort: of(prescan::MAX_EFFORT) }))
    }
}

impl Room {
    pub(super) fn is_empty(&self) -> bool {
        self.0.words.get() == 0
    }

    /// Takes the effort of parsing a text; false when it is too much.
    pub(super) fn spend(&self, effort: usize) -> bool {
        let left = self.0.effort.get().checked_sub(effort);
        self.0.effort.set(left.unwrap_or(self.0.effort.get()));
        left.is_some()
    }

    /// True when all of the command can be looked at.
    pub(super) fn holds(&self, command: &SimpleCommand) -> bool {
        words(command) <= self.0.words.get() && bytes(command) <= self.0.bytes.get()
    }

    /// Takes the room of a command; one that is too large is cut to what it begins with, and nothing has room after it. False when
    /// something was cut off.
    pub(super) fn take(&self, command: &mut SimpleCommand) -> bool {
        let Left { words: words_left, bytes: bytes_left, .. } = &*self.0;
        if self.holds(command) {
            words_left.set(words_left.get() - words(command));
            bytes_left.set(bytes_left.get() - bytes(command));
            return true;
        }
        let mut left = bytes_left.get();
        let fitting = command.argv.iter().take_while(|word| {
            let fits = word.text.len() <= left;
            left = left.saturating_sub(word.text.len());
            fits
        });
        let kept = fitting.take(words_left.get()).count();
        command.argv.truncate(kept);
        command.redirects.truncate(words_left.get());
        command.assignments.clear();
        command.stdin = Stdin::Pipe;
        words_left.set(0);
        bytes_left.set(0);
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
