//! The history of a run, as far as later decisions depend on it. It is data: the engine stores it and hands it back.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use types::{
    call::ToolCall,
    verdict::{Decision, Stage, Verdict},
};

/// Most bytes kept of one written file.
const MAX_CONTENT: usize = 64 * 1024;
/// Most bytes kept of all written files.
const MAX_TOTAL: usize = 4 * 1024 * 1024;
/// Most entries of each kind.
const MAX_ENTRIES: usize = 100_000;
/// Calls the window of recent decisions spans.
const WINDOW: usize = 50;

/// Where a file came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provenance {
    /// The agent wrote it.
    Agent,
    /// It came over the network.
    Download,
}

/// A file that a call of this run changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WrittenFile {
    /// Where it came from.
    pub provenance: Provenance,
    /// SHA-256 of the content in hex; none when the content is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The content, if it is known in full and small enough to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// The history of one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Ledger {
    /// Ids of calls with the digest of what was asked under them.
    seen: BTreeMap<String, String>,
    /// Files that calls changed.
    files: BTreeMap<String, WrittenFile>,
    /// Digests of calls that were denied.
    denied: BTreeSet<String>,
    /// Denials since the last call that was allowed.
    pub consecutive_denials: u32,
    /// Denials of the run.
    pub total_denials: u32,
    /// The last decisions, oldest first: true for a denial. At most 50.
    recent: Vec<bool>,
    /// Times the gate itself failed; no judgement of any call.
    pub unavailable: u32,
    kept: usize,
}

impl Ledger {
    /// Denials among the last 50 answered calls.
    #[must_use]
    pub fn recent_denials(&self) -> usize {
        self.recent.iter().filter(|denied| **denied).count()
    }

    /// True when the same call, whatever its id, was denied before.
    #[must_use]
    pub fn was_denied(&self, call: &ToolCall) -> bool {
        self.denied.contains(&call.digest())
    }

    /// What is known of a file that this run changed.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&WrittenFile> {
        self.files.get(path)
    }

    /// Records the final answer to a call, given by the gate or by a person. Counts denials; failures of the gate are counted apart.
    pub fn answered(&mut self, call: &ToolCall, verdict: &Verdict) {
        if verdict.stage == Stage::FailClosed {
            self.unavailable = self.unavailable.saturating_add(1);
            return;
        }
        let is_denied = match verdict.decision {
            Decision::Allow => false,
            Decision::Deny => true,
            // Not an answer yet.
            Decision::Ask => return,
        };
        if is_denied {
            self.consecutive_denials = self.consecutive_denials.saturating_add(1);
            self.total_denials = self.total_denials.saturating_add(1);
            if self.denied.len() < MAX_ENTRIES {
                self.denied.insert(call.digest());
            }
        } else {
            self.consecutive_denials = 0;
        }
        if self.recent.len() >= WINDOW {
            self.recent.remove(0);
        }
        self.recent.push(is_denied);
    }

    /// False when the id was used before for something else, or when the ledger is full.
    pub(crate) fn is_open(&self, call: &ToolCall) -> bool {
        match self.seen.get(&call.id.0) {
            Some(known) => *known == call.digest(),
            None => self.seen.len() < MAX_ENTRIES,
        }
    }

    /// Notes the id of a call that was judged.
    pub(crate) fn admit(&mut self, call: &ToolCall) {
        if self.is_open(call) {
            self.seen.insert(call.id.0.clone(), call.digest());
        }
    }

    /// Notes that a call that may run changes a file. Unknown content replaces known content, so that stale content is never judged.
    pub(crate) fn wrote(&mut self, path: &str, provenance: Provenance, content: Option<&str>) {
        if self.files.len() >= MAX_ENTRIES && !self.files.contains_key(path) {
            return;
        }
        if let Some(old) = self.files.get(path).and_then(|file| file.content.as_ref()) {
            self.kept -= old.len().min(self.kept);
        }
        let digest = content.map(|text| hex::encode(Sha256::digest(text.as_bytes())));
        let content =
            content.filter(|text| text.len() <= MAX_CONTENT && self.kept + text.len() <= MAX_TOTAL).map(str::to_owned);
        self.kept += content.as_ref().map_or(0, String::len);
        self.files.insert(path.to_owned(), WrittenFile { provenance, digest, content });
    }

    pub(crate) fn was_written(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    pub(crate) fn was_downloaded(&self, path: &str) -> bool {
        self.files.get(path).is_some_and(|file| file.provenance == Provenance::Download)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::id::CallId;

    fn call(id: &str, command: &str) -> ToolCall {
        ToolCall {
            id: CallId(id.into()),
            tool: "Bash".into(),
            input: serde_json::json!({"command": command}),
            cwd: "/workspace".into(),
            subagent: None,
        }
    }

    fn verdict(decision: Decision, stage: Stage) -> Verdict {
        Verdict { decision, stage, ..Verdict::unavailable("x") }
    }

    #[test]
    fn denials_count_and_failures_do_not() {
        let mut ledger = Ledger::default();
        for _ in 0..60 {
            ledger.answered(&call("a", "x"), &verdict(Decision::Deny, Stage::HardFloor));
        }
        ledger.answered(&call("b", "y"), &Verdict::unavailable("x"));
        ledger.answered(&call("c", "z"), &verdict(Decision::Ask, Stage::Undecided));
        assert_eq!(
            (ledger.consecutive_denials, ledger.total_denials, ledger.recent_denials(), ledger.unavailable),
            (60, 60, 50, 1)
        );
        ledger.answered(&call("d", "z"), &verdict(Decision::Allow, Stage::Person));
        assert_eq!((ledger.consecutive_denials, ledger.total_denials), (0, 60));
        assert!(ledger.was_denied(&call("other", "x")) && !ledger.was_denied(&call("a", "z")));
    }

    #[test]
    fn it_survives_a_round_trip() {
        let mut ledger = Ledger::default();
        ledger.admit(&call("a", "x"));
        ledger.wrote("/workspace/a.sh", Provenance::Agent, Some("echo"));
        let text = serde_json::to_string(&ledger).expect("serialises");
        let mut back: Ledger = serde_json::from_str(&text).expect("parses");
        assert_eq!(back, ledger);
        assert!(back.is_open(&call("a", "x")) && !back.is_open(&call("a", "y")) && back.is_open(&call("b", "y")));
        back.wrote("/workspace/a.sh", Provenance::Agent, None);
        assert_eq!(back.file("/workspace/a.sh").map(|file| file.content.clone()), Some(None));
    }
}
