//! Reads a shell line into the flat list of every command it can start.
//!
//! What must stay true: the pre-scan runs before the parser, which aborts the process on deep nesting; whatever is not
//! understood is recorded as a gap and never dropped; work is bounded by [`Budget`].

mod command;
mod output;
mod prescan;
mod scope;
mod unwrap;
mod walk;
mod word;

pub(crate) use command::{Line, Redirect, RedirectKind, SimpleCommand, Stdin, Word};
pub(crate) use prescan::{MAX_COMMAND, Refusal};
pub(crate) use walk::read;
