//! Reads a shell line into the flat list of every command it can start.
//!
//! What must stay true: the pre-scan runs before the parser, which aborts the process on deep nesting; whatever is not
//! understood is recorded as a gap and never dropped; work is bounded.

mod command;
mod compound;
mod elsewhere;
mod escape;
mod fed;
mod guarded;
mod output;
mod prescan;
mod run;
mod runner;
mod scope;
mod simple;
mod trim;
mod unwrap;
mod walk;
mod word;

pub(crate) use command::{RedirectKind, SimpleCommand, Stdin, Word};
pub(crate) use prescan::{MAX_COMMAND, Refusal};
pub(crate) use runner::is_environment;
pub(crate) use unwrap::{SHELLS, beneath};
pub(crate) use walk::read;

/// True when what a command prints stands in the line as it is: no list of files, nothing computed.
pub(crate) fn is_verbatim(command: &SimpleCommand) -> bool {
    let is_plain = |word: &Word| !word.glob && word.sources.is_empty();
    match &command.stdin {
        Stdin::Text(word) if matches!(command.name().as_str(), "cat" | "tee") => is_plain(word),
        Stdin::Text(_) | Stdin::Inherited | Stdin::Pipe => command.args().iter().all(is_plain),
    }
}

/// What a command prints, when it can be told.
pub(crate) fn printed(command: &SimpleCommand) -> Option<Word> {
    output::of(command)
}
