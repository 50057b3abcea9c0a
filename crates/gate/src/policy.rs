//! The operator's say: rules in the permission syntax that users know, and whether the gate decides at all.

use serde::{Deserialize, Serialize};

/// Whether the gate judges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Every call is judged.
    #[default]
    Enforce,
    /// Every well-formed call runs; for tests of the boundary, which must hold without the gate.
    AllowAll,
}

/// Rule texts by what they do: `Bash(npm run test:*)`, `Edit(src/**)`, `WebFetch(domain:doc.rust-lang.org)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Policy {
    /// Whether the gate judges.
    pub mode: Mode,
    /// Calls that run. A Bash call runs only if every command in it matches one of these.
    pub allow: Vec<String>,
    /// Calls a person decides. One matching command is enough.
    pub ask: Vec<String>,
    /// What the operator's rules do not allow asks a person, whatever the floors say.
    pub only_by_rule: bool,
    /// Calls that never run. One matching command is enough.
    pub deny: Vec<String>,
}
