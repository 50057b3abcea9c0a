//! Reads a shell line into the flat list of every command it can start.
//!
//! What must stay true: the pre-scan runs before the parser, which aborts the process on deep nesting; whatever is not
//! understood is recorded as a gap and never dropped; work is bounded.

mod command;
mod compound;
mod elsewhere;
mod guarded;
mod output;
mod prescan;
mod run;
mod runner;
mod scope;
mod simple;
mod unwrap;
mod walk;
mod word;

pub(crate) use command::{RedirectKind, SimpleCommand, Stdin, Word};
pub(crate) use prescan::{MAX_COMMAND, Refusal};
pub(crate) use runner::is_environment;
pub(crate) use unwrap::{SHELLS, beneath};
pub(crate) use walk::read;

/// What a command prints, when it can be told.
pub(crate) fn printed(command: &SimpleCommand) -> Option<Word> {
    output::of(command)
}
