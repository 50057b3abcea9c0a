//! What came out of a work tree: data about paths, never a path that is followed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a path changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// New path.
    Added,
    /// Other content or mode.
    Modified,
    /// Gone.
    Deleted,
    /// File, symlink or submodule turned into another of these.
    TypeChanged,
}

/// One changed path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// Path inside the repository; lossy where it is not UTF-8. Escape it before printing.
    pub path: String,
    /// How it changed.
    pub kind: ChangeKind,
    /// Git mode before, 0 when there was none.
    pub old_mode: u32,
    /// Git mode after, 0 when there is none.
    pub new_mode: u32,
    /// Object id after, in hex; zeros when there is none.
    pub oid: String,
    /// Lines added; none for binary files.
    pub added: Option<u64>,
    /// Lines removed; none for binary files.
    pub removed: Option<u64>,
    /// Why a reviewer must look first: `runs in CI`, `runs when opened in an editor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executes: Option<String>,
}

/// The result of a harvest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Harvest {
    /// The base commit, in hex.
    pub base: String,
    /// The commit that holds the work, in hex; equals `base` when nothing changed.
    pub commit: String,
    /// Every changed path.
    pub changes: Vec<Change>,
    /// Things left out, one line each: nested repositories, files over the cap, sockets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omitted: Vec<String>,
}

impl Harvest {
    /// Lines added and removed over all text files.
    #[must_use]
    pub fn lines(&self) -> (u64, u64) {
        self.changes.iter().fold((0, 0), |(added, removed), change| {
            (added + change.added.unwrap_or(0), removed + change.removed.unwrap_or(0))
        })
    }
}
