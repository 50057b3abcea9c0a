//! Where a setting came from, so that `sandbox config show` can say it.

use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf};

/// Who set a value. Layers are applied in this order; the last one that sets a key wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The profile embedded in the binary.
    Default,
    /// A profile file of the operator.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A command-line flag, without its dashes.
    Flag(String),
    /// The task file; it may only narrow.
    Task,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("built-in default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Env(name) => write!(f, "${name}"),
            Self::Flag(name) => write!(f, "--{name}"),
            Self::Task => f.write_str("task file"),
        }
    }
}
