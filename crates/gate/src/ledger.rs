//! The history of a run, as far as later decisions depend on it. It is data: the engine stores it and hands it back.

use crate::{
    effect::Effect,
    probe::Suspicion,
    similar::{Form, Likeness},
    tool::Written,
};
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
/// Most denied forms that later calls are compared with; the oldest go first.
const MAX_FORMS: usize = 256;
/// Most suspicions that are kept in words; more are only counted.
const MAX_SUSPICIONS: usize = 32;

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
    /// True when a credential was put into it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_secret: bool,
    /// What speaks against running it, as a part of a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concern: Option<String>,
    /// True when it was changed after a tool result looked like an injection.
    #[serde(default, skip_serializing_if = "is_false")]
    pub after_suspicion: bool,
}

fn is_false(is: &bool) -> bool {
    !is
}

/// A denied call, by what it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Denied {
    form: Form,
    rule: Option<String>,
    reason: String,
}

/// A denied call that another one is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimilarDenial {
    /// How like they are.
    pub likeness: Likeness,
    /// The rule of the earlier denial, if it had one.
    pub rule: Option<String>,
    /// The reason of the earlier denial.
    pub reason: String,
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
    /// Forms of denied calls, oldest first.
    forms: Vec<Denied>,
    /// Forms of calls that wait for a person, by the digest of the call.
    pending: BTreeMap<String, Form>,
    /// Directories that were filled from the network.
    unpacked: BTreeSet<String>,
    /// Remotes that were added or pointed elsewhere.
    remotes: BTreeSet<String>,
    /// Calls that could read credentials.
    secrets_read: u32,
    /// Signs of injection in tool results; the first ones in words.
    suspicions: Vec<Suspicion>,
    /// Signs of injection in tool results, counted.
    pub suspected: u32,
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
            let form = self.pending.remove(&call.digest());
            // What was denied for being like another one is known by that one.
            if let Some(form) = form.filter(|form| !form.is_empty() && verdict.stage != Stage::Ledger) {
                if self.forms.len() >= MAX_FORMS {
                    self.forms.remove(0);
                }
                self.forms.push(Denied { form, rule: verdict.rule.clone(), reason: verdict.reason.clone() });
            }
            if self.denied.len() < MAX_ENTRIES {
                self.denied.insert(call.digest());
            }
        } else {
            self.consecutive_denials = 0;
            // What a person allowed is no longer denied.
            if let Some(form) = self.pending.remove(&call.digest())
                && verdict.stage == Stage::Person
            {
                self.denied.remove(&call.digest());
                self.forms.retain(|denied| form.likeness(&denied.form) != Some(Likeness::Same));
            }
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

    pub(crate) fn has_denials(&self) -> bool {
        !self.forms.is_empty()
    }

    /// Notes that a call that may run reads credentials.
    pub(crate) fn read_secret(&mut self) {
        self.secrets_read = self.secrets_read.saturating_add(1);
    }

    pub(crate) fn has_read_secrets(&self) -> bool {
        self.secrets_read > 0
    }

    /// Notes what a call does that is not plainly safe, until it is answered.
    pub(crate) fn await_answer(&mut self, call: &ToolCall, form: Form) {
        if self.pending.len() < MAX_FORMS {
            self.pending.insert(call.digest(), form);
        }
    }

    /// The denied call that this form is most like, if there is one.
    #[must_use]
    pub(crate) fn similar_form(&self, form: &Form) -> Option<SimilarDenial> {
        if self.forms.is_empty() || form.is_empty() {
            return None;
        }
        let likes = self.forms.iter().filter_map(|denied| Some((form.likeness(&denied.form)?, denied)));
        likes.max_by_key(|(likeness, _)| *likeness).map(|(likeness, denied)| similar(likeness, denied))
    }

    /// The denied call of which this effect, harmless by itself, would do a part.
    pub(crate) fn part_of_denied(&self, effect: &Effect) -> Option<SimilarDenial> {
        self.forms.iter().find(|denied| denied.form.covers(effect)).map(|denied| similar(Likeness::Near, denied))
    }

    /// Notes that a call that may run changes a file. Unknown content replaces known content, so that stale content is never judged.
    pub(crate) fn wrote(&mut self, file: &Written) {
        if file.is_directory {
            // With too many to keep apart, everything counts as downloaded.
            let is_full = self.unpacked.len() >= MAX_FORMS;
            self.unpacked.insert(if is_full { String::new() } else { file.path.clone() });
            return;
        }
        if self.files.len() >= MAX_ENTRIES && !self.files.contains_key(&file.path) {
            // What cannot be remembered must not pass for a file of the repository.
            self.unpacked.insert(String::new());
            return;
        }
        if let Some(old) = self.files.get(&file.path).and_then(|file| file.content.as_ref()) {
            self.kept -= old.len().min(self.kept);
        }
        let content = file.content.as_deref();
        let digest = content.map(|text| hex::encode(Sha256::digest(text.as_bytes())));
        let content =
            content.filter(|text| text.len() <= MAX_CONTENT && self.kept + text.len() <= MAX_TOTAL).map(str::to_owned);
        self.kept += content.as_ref().map_or(0, String::len);
        let entry = WrittenFile {
            provenance: file.provenance,
            digest,
            content,
            is_secret: file.is_secret,
            concern: file.concern.clone(),
            after_suspicion: self.suspected > 0,
        };
        self.files.insert(file.path.clone(), entry);
    }

    pub(crate) fn was_written(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// True when the run changed the file in a way that cannot be judged by content.
    pub(crate) fn is_unread(&self, path: &str) -> bool {
        self.files.get(path).is_some_and(|file| file.content.is_none())
    }

    /// True when the run wrote the file and knows what is in it.
    pub(crate) fn knows(&self, path: &str) -> bool {
        self.files.get(path).is_some_and(|file| file.content.is_some() && file.provenance == Provenance::Agent)
    }

    pub(crate) fn was_downloaded(&self, path: &str) -> bool {
        self.files.get(path).is_some_and(|file| file.provenance == Provenance::Download)
            || self.unpacked.iter().any(|dir| crate::place::is_under(path, dir))
    }

    /// True when a call of this run put a credential into the file.
    pub(crate) fn holds_secret(&self, path: &str) -> bool {
        self.files.get(path).is_some_and(|file| file.is_secret)
    }

    /// Files of this run below a directory.
    pub(crate) fn files_below<'l>(&'l self, dir: &'l str) -> impl Iterator<Item = (&'l str, &'l WrittenFile)> {
        self.files
            .range(dir.to_owned()..)
            .take_while(move |(path, _)| path.starts_with(dir))
            .filter(move |(path, _)| crate::place::is_under(path, dir))
            .map(|(path, file)| (path.as_str(), file))
    }

    /// Notes that a remote was added or pointed elsewhere.
    pub(crate) fn changed_remote(&mut self, name: &str) {
        if self.remotes.len() < MAX_FORMS {
            self.remotes.insert(name.to_owned());
        }
    }

    pub(crate) fn is_changed_remote(&self, name: &str) -> bool {
        self.remotes.contains(name) || (!self.remotes.is_empty() && name == "the configured remote")
    }

    /// Notes that a tool result looks like an injection: from here on, calls that send, read secrets, or run what was changed
    /// since are questions, also where they would be safe otherwise.
    pub fn suspected(&mut self, suspicion: Suspicion) {
        self.suspected = self.suspected.saturating_add(1);
        if self.suspicions.len() < MAX_SUSPICIONS {
            self.suspicions.push(suspicion);
        }
    }

    pub(crate) fn changed_after_suspicion(&self, path: &str) -> bool {
        self.files.get(path).is_some_and(|file| file.after_suspicion)
    }

    /// The signs of injection so far, oldest first, at most 32; [`Ledger::suspected`] as a field counts all.
    #[must_use]
    pub fn suspicions(&self) -> &[Suspicion] {
        &self.suspicions
    }
}

fn similar(likeness: Likeness, denied: &Denied) -> SimilarDenial {
    SimilarDenial { likeness, rule: denied.rule.clone(), reason: denied.reason.clone() }
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
        ledger.wrote(&Written::of("/workspace/a.sh", Some("echo")));
        let text = serde_json::to_string(&ledger).expect("serialises");
        let mut back: Ledger = serde_json::from_str(&text).expect("parses");
        assert_eq!(back, ledger);
        assert!(back.is_open(&call("a", "x")) && !back.is_open(&call("a", "y")) && back.is_open(&call("b", "y")));
        back.wrote(&Written::of("/workspace/a.sh", None));
        assert_eq!(back.file("/workspace/a.sh").map(|file| file.content.clone()), Some(None));
    }
}
