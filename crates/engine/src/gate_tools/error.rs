//! What can go wrong with the tools for people, with the exit code and the way out.

use crate::error::EngineError;
use std::path::PathBuf;
use types::exit::Exit;

/// An error of a tool.
#[derive(Debug, thiserror::Error)]
pub enum GateToolError {
    /// The engine's.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The gate cannot be made from the operator's settings.
    #[error("the gate cannot be made")]
    Case(#[from] gate::corpus::CaseError),
    /// A line of a corpus that is no JSON.
    #[error("line {line} of {path} is not a case")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        #[source]
        source: gate::corpus::NotJson,
    },
    /// A line of a corpus that is too long to hold.
    #[error("line {line} of {path} is longer than {} MiB", .max >> 20)]
    LongLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The cap, in bytes.
        max: u64,
    },
}

impl GateToolError {
    /// The documented exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Engine(error) => error.exit(),
            Self::Case(gate::corpus::CaseError::Rule(_)) | Self::Line { .. } | Self::LongLine { .. } => Exit::Usage,
            Self::Case(gate::corpus::CaseError::Worker(_)) => Exit::Internal,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Engine(error) => error.hint(),
            Self::Case(gate::corpus::CaseError::Rule(error)) => Some(error.hint.clone()),
            Self::Case(gate::corpus::CaseError::Worker(_)) => None,
            Self::Line { .. } | Self::LongLine { .. } => {
                Some("a corpus has one JSON object a line; docs/gate.md describes the fields".into())
            }
        }
    }
}
