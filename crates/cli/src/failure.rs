//! Errors as people see them: what, cause, way out; on stderr, with the documented exit code.

use engine::EngineError;
use std::error::Error;
use types::{exit::Exit, text::printable_block};

/// A command that could not be carried out.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    exit: Exit,
}

impl Failure {
    /// Wrong usage or an invalid file.
    pub(crate) fn usage(message: impl Into<String>, hint: Option<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), hint, exit: Exit::Usage }
    }

    /// An error with its chain of causes.
    pub(crate) fn of(error: &dyn Error, hint: Option<String>, exit: Exit) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        causes.dedup();
        Self { message: error.to_string(), causes, hint, exit }
    }

    /// The same, naming the file that it is about first.
    pub(crate) fn about(mut self, path: &std::path::Path) -> Self {
        self.causes.insert(0, std::mem::replace(&mut self.message, format!("{} is not a valid task", path.display())));
        self
    }

    /// Prints it and returns the exit code.
    pub(crate) fn report(&self) -> Exit {
        eprint_failure(&engine::redact::text(&self.render()));
        self.exit
    }

    fn render(&self) -> String {
        let red = console::style("error:").red().bold().for_stderr();
        let mut out = format!("{red} {}\n", printable_block(&self.message));
        for cause in &self.causes {
            out.push_str(&format!("  cause: {}\n", printable_block(cause).replace('\n', "\n         ")));
        }
        if let Some(hint) = &self.hint {
            out.push_str(&format!("  hint:  {}\n", printable_block(hint)));
        }
        out
    }
}

#[expect(clippy::print_stderr, reason = "the one place where errors are shown")]
fn eprint_failure(text: &str) {
    eprint!("{text}");
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::of(&error, error.hint(), error.exit())
    }
}

impl From<engine::GateToolError> for Failure {
    fn from(error: engine::GateToolError) -> Self {
        Self::of(&error, error.hint(), error.exit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_thing_the_cause_and_the_way_out() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read task.md")]
        struct Outer(#[source] std::io::Error);
        let error = Outer(std::io::Error::other("no \u{1b}[31mluck"));
        let failure = Failure::of(&error, Some("look again".into()), Exit::Usage);
        let plain = console::strip_ansi_codes(&failure.render()).into_owned();
        assert_eq!(plain, "error: cannot read task.md\n  cause: no \\u{1b}[31mluck\n  hint:  look again\n");
    }
}
