//! The closed set of agents.

use crate::{
    claude,
    launch::{Launch, LaunchConfig},
};
use std::time::Duration;

/// An agent that can be driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnyAgent {
    /// Claude Code over its stdio control protocol.
    Claude,
}

/// A file that the agent needs and may not write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountedFile {
    /// Directory of the read-only volume, absolute.
    pub dir: &'static str,
    /// Name in it.
    pub name: &'static str,
    /// Content; to be readable by everyone, because an unreadable one would be ignored.
    pub content: String,
}

impl AnyAgent {
    /// The agent by the name that profiles and tasks use; none if there is no such.
    #[must_use]
    pub fn named(kind: &str) -> Option<Self> {
        match kind {
            "claude" => Some(Self::Claude),
            _ => None,
        }
    }

    /// The name that profiles and tasks use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
        }
    }

    /// The agent's binary inside the container.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Claude => claude::PROGRAM,
        }
    }

    /// The process to start.
    #[must_use]
    pub fn launch(self, config: &LaunchConfig) -> Launch {
        match self {
            Self::Claude => claude::launch(config),
        }
    }

    /// The file to be placed before the start. Hooks wait longer than `deadline`, the time a person has for an approval.
    #[must_use]
    pub fn files(self, deadline: Duration) -> [MountedFile; 1] {
        match self {
            Self::Claude => [MountedFile {
                dir: claude::SETTINGS_DIR,
                name: claude::SETTINGS_NAME,
                content: claude::managed_settings(deadline),
            }],
        }
    }

    /// Checks what the binary prints for `--version`.
    ///
    /// # Errors
    /// [`claude::UnsupportedVersion`] when it can't be read or was not tested.
    pub fn check_version(self, printed: &str) -> Result<String, claude::UnsupportedVersion> {
        match self {
            Self::Claude => claude::check_version(printed).map(|version| version.to_string()),
        }
    }
}
