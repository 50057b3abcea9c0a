//! The flat form of a shell line.

use super::room::Room;
use crate::place::HOLE;
use std::ops::Range;

/// A word after expansion.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Word {
    /// The text; [`HOLE`] stands for each part that could not be resolved.
    pub text: String,
    /// True when it holds glob characters that the shell expands.
    pub glob: bool,
    /// Commands whose output is part of the text.
    pub sources: Vec<Range<usize>>,
    /// A variable that usually holds a secret is part of the text.
    pub secret: bool,
}

impl Word {
    pub(crate) fn literal(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub(crate) fn hole() -> Self {
        Self::literal(HOLE)
    }

    /// Takes over where another word came from.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.secret |= other.secret;
        for source in &other.sources {
            if !self.sources.contains(source) {
                self.sources.push(source.clone());
            }
        }
        // Few ranges say as much: everything between is taken as a source too.
        if self.sources.len() > 16 {
            let start = self.sources.iter().map(|range| range.start).min().unwrap_or_default();
            let end = self.sources.iter().map(|range| range.end).max().unwrap_or_default();
            self.sources.clear();
            self.sources.push(start..end);
        }
    }

    pub(crate) fn is_known(&self) -> bool {
        !self.text.contains(HOLE)
    }
}

/// What a redirection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedirectKind {
    Read,
    Write,
    Append,
}

/// A redirection to or from a file.
#[derive(Clone, Debug)]
pub(crate) struct Redirect {
    pub kind: RedirectKind,
    pub target: Word,
}

/// What a command reads on its standard input, as far as the line tells.
#[derive(Clone, Debug, Default)]
pub(crate) enum Stdin {
    /// Whatever the shell was given.
    #[default]
    Inherited,
    /// Known text: a here-document, or the literal output of the stage before.
    Text(Word),
    /// The output of the stage before, not known.
    Pipe,
}

/// One command that the line can start.
#[derive(Clone, Debug, Default)]
pub(crate) struct SimpleCommand {
    /// Program and arguments; empty for a bare redirection or assignment.
    pub argv: Vec<Word>,
    /// Assignments before the program.
    pub assignments: Vec<(String, Word)>,
    pub redirects: Vec<Redirect>,
    /// Commands whose output this one can consume: earlier stages, substitutions.
    pub inputs: Vec<Range<usize>>,
    pub stdin: Stdin,
    /// Directory it runs in; none when a `cd` could not be followed.
    pub cwd: Option<String>,
    /// True when it is a later stage of a pipeline.
    pub is_piped: bool,
    /// True when it runs in the background.
    pub is_background: bool,
    /// The wrapper it was found in (`xargs`, `bash -c`), for the explanation.
    pub via: Option<&'static str>,
    /// How many texts of other languages it was found inside of.
    pub depth: u8,
    /// What is left of the room of its call.
    pub room: Room,
}

impl SimpleCommand {
    /// The program's name without its directory, lower case; empty when there is none.
    pub(crate) fn name(&self) -> String {
        self.argv.first().map(|word| word.text.rsplit('/').next().unwrap_or_default().to_owned()).unwrap_or_default()
    }

    /// The arguments after the program.
    pub(crate) fn args(&self) -> &[Word] {
        self.argv.get(1..).unwrap_or_default()
    }

    /// The command as one line, words joined by spaces: what operator rules match.
    pub(crate) fn text(&self) -> String {
        self.argv.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// Everything that was read from one line.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub commands: Vec<SimpleCommand>,
    /// What could not be read, one sentence each.
    pub gaps: Vec<String>,
    /// A function that starts itself and stays: a fork bomb.
    pub is_fork_bomb: bool,
    /// A loop without an end writes, or starts programs that stay.
    pub is_endless: bool,
    /// Code that comes out of a decoder is run; `Some(true)` when it could not be read.
    pub decoded: Option<bool>,
}
