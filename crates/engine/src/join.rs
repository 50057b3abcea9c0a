//! Invariant 9: every tool call is accounted for.
//!
//! The model gateway sees each call that the model emits and each result that comes back; the gate sees what the agent asks.
//! This module joins the three by id. A result without an allow verdict is a bypass and stops the run, unless the agent
//! itself refused the call before its gate. It is pure: facts in, findings out.

use std::collections::HashMap;
use types::{
    call::ToolCall,
    event::{WireToolResult, WireToolUse},
    id::CallId,
    verdict::Decision,
};

/// How an agent's own input relates to the wire's, and which results it makes itself: given by the adapter.
pub(crate) struct Dialect {
    /// True when the agent asks for what the model emitted, but for defaults that the agent fills in.
    pub inputs_agree: fn(wire: &WireToolUse, call: &ToolCall) -> bool,
    /// True when a result says that the agent refused the call before its gate.
    pub is_refused_before_gate: fn(&WireToolResult) -> bool,
}

/// Why a call is denied before it is judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unaccounted {
    /// The model never emitted this id.
    #[error("the model did not emit this call")]
    Unseen,
    /// The tool or the input differs from what the model emitted.
    #[error("the call differs from what the model emitted")]
    Differs,
    /// The id has had its result already.
    #[error("the call has had its result already")]
    Over,
}

/// What a result was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It belongs to a call that was settled as the result says.
    Settled,
    /// The call ran as it was allowed to, and nobody looked at its result before the model.
    Unprobed,
    /// The agent refused the call itself.
    RejectedBeforeGate,
    /// An effect without a verdict: the run must stop.
    Bypass(String),
}

#[derive(Default)]
struct Entry {
    wire: Option<WireToolUse>,
    decision: Option<Decision>,
    has_result: bool,
    is_looked_at: bool,
}

/// The join.
pub(crate) struct Join {
    dialect: Dialect,
    calls: HashMap<CallId, Entry>,
}

impl Join {
    /// An empty join.
    #[must_use]
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect, calls: HashMap::new() }
    }

    /// The model emitted a call.
    pub(crate) fn emitted(&mut self, wire: WireToolUse) {
        let id = wire.id.clone();
        self.calls.entry(id).or_default().wire = Some(wire);
    }

    /// The agent asks for a call: it must be the one that the model emitted.
    ///
    /// # Errors
    /// [`Unaccounted`]: the call is denied.
    pub(crate) fn asked(&self, call: &ToolCall) -> Result<(), Unaccounted> {
        let entry = self.calls.get(&call.id).ok_or(Unaccounted::Unseen)?;
        let wire = entry.wire.as_ref().ok_or(Unaccounted::Unseen)?;
        if entry.has_result {
            return Err(Unaccounted::Over);
        }
        if !(self.dialect.inputs_agree)(wire, call) {
            return Err(Unaccounted::Differs);
        }
        Ok(())
    }

    /// The gate (or a person) settled a call. A later answer to the same id replaces an `ask` only.
    pub(crate) fn settled(&mut self, id: &CallId, decision: Decision) {
        let entry = self.calls.entry(id.clone()).or_default();
        if entry.decision.is_none_or(|before| before == Decision::Ask) {
            entry.decision = Some(decision);
        }
    }

    /// The agent brought the result before the model got it.
    pub(crate) fn looked_at(&mut self, id: &CallId) {
        self.calls.entry(id.clone()).or_default().is_looked_at = true;
    }

    /// A result came back.
    pub(crate) fn returned(&mut self, result: &WireToolResult) -> Finding {
        let entry = self.calls.entry(result.id.clone()).or_default();
        entry.has_result = true;
        let refused = (self.dialect.is_refused_before_gate)(result);
        match entry.decision {
            // An error may be the agent's own word about a call that it did not make.
            Some(Decision::Allow) if entry.is_looked_at || result.is_error => Finding::Settled,
            Some(Decision::Allow) => Finding::Unprobed,
            Some(Decision::Deny | Decision::Ask) if result.is_error => Finding::Settled,
            None if refused => Finding::RejectedBeforeGate,
            Some(Decision::Deny) => Finding::Bypass(format!("call {} was denied and came back as done", result.id)),
            Some(Decision::Ask) => Finding::Bypass(format!("call {} was held and came back as done", result.id)),
            None => Finding::Bypass(format!("call {} came back without having been judged", result.id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn join() -> Join {
        let dialect = Dialect {
            inputs_agree: |wire, call| wire.tool == call.tool && wire.input == call.input,
            is_refused_before_gate: |result| result.is_error && result.head.starts_with("<tool_use_error>"),
        };
        let mut join = Join::new(dialect);
        join.emitted(WireToolUse { id: CallId("a".into()), tool: "Bash".into(), input: json!({"command": "ls"}) });
        join
    }

    fn call(id: &str, command: &str) -> ToolCall {
        let input = json!({ "command": command });
        ToolCall { id: CallId(id.into()), tool: "Bash".into(), input, cwd: "/workspace".into(), subagent: None }
    }

    fn result(id: &str, is_error: bool, head: &str) -> WireToolResult {
        WireToolResult { id: CallId(id.into()), is_error, head: head.into() }
    }

    #[test]
    fn only_the_call_that_the_model_emitted_is_accounted_for() {
        let mut join = join();
        assert_eq!(join.asked(&call("a", "ls")), Ok(()));
        assert_eq!(join.asked(&call("a", "rm")), Err(Unaccounted::Differs));
        assert_eq!(join.asked(&call("b", "ls")), Err(Unaccounted::Unseen));
        join.settled(&CallId("a".into()), Decision::Allow);
        assert_eq!(join.returned(&result("a", false, "x")), Finding::Unprobed);
        join.looked_at(&CallId("a".into()));
        assert_eq!(join.returned(&result("a", false, "x")), Finding::Settled);
        assert_eq!(join.asked(&call("a", "ls")), Err(Unaccounted::Over));
    }

    #[test]
    fn a_result_without_an_allow_is_a_bypass() {
        assert!(matches!(join().returned(&result("a", false, "x")), Finding::Bypass(_)));
        assert!(matches!(join().returned(&result("a", true, "x")), Finding::Bypass(_)));
        assert!(matches!(join().returned(&result("a", false, "<tool_use_error>x")), Finding::Bypass(_)));
        assert_eq!(join().returned(&result("a", true, "<tool_use_error>x")), Finding::RejectedBeforeGate);
    }

    #[test]
    fn a_denied_call_must_come_back_as_an_error() {
        let mut denied = join();
        denied.settled(&CallId("a".into()), Decision::Deny);
        assert_eq!(denied.returned(&result("a", true, "Blocked")), Finding::Settled);
        assert!(matches!(denied.returned(&result("a", false, "done")), Finding::Bypass(_)));
    }

    #[test]
    fn a_held_call_can_be_settled_later_and_a_settled_one_cannot_be_changed() {
        let mut join = join();
        let id = CallId("a".into());
        join.settled(&id, Decision::Ask);
        join.settled(&id, Decision::Deny);
        join.settled(&id, Decision::Allow);
        assert!(matches!(join.returned(&result("a", false, "done")), Finding::Bypass(_)));
    }
}
