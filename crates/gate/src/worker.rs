//! Runs the gate apart from its caller: a panic, an endless loop or a dead thread costs one call, and that call is denied.

use crate::{
    Gate, Ledger, fail_closed,
    isolated::{Failure, Isolated},
    judge::Review,
};
use std::{sync::Arc, time::Duration};
use types::{call::ToolCall, verdict::Verdict};

/// Longest time for one verdict.
const DEADLINE: Duration = Duration::from_secs(2);

/// The worker's thread could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the gate's thread")]
pub struct WorkerError {
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

/// What the thread runs; a seam for tests of the failures.
type Judge = Box<dyn Fn(&ToolCall, &Ledger) -> Review + Send + Sync>;

/// A gate in a thread of its own.
pub struct GateWorker {
    thread: Isolated<(ToolCall, Arc<Ledger>), Review>,
}

impl std::fmt::Debug for GateWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GateWorker")
            .field("is_running", &self.thread.is_running())
            .field("deadline", &self.thread.deadline())
            .finish()
    }
}

impl GateWorker {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`WorkerError`] when the system gives no thread; the caller must not run without a gate.
    pub fn start(gate: Gate) -> Result<Self, WorkerError> {
        Self::with(Box::new(move |call, ledger| gate.review(call, ledger)), DEADLINE)
    }

    fn with(judge: Judge, deadline: Duration) -> Result<Self, WorkerError> {
        let judge = move |(call, ledger): (ToolCall, Arc<Ledger>)| judge(&call, &ledger);
        let thread = Isolated::start("gate", deadline, judge).map_err(|source| WorkerError { source })?;
        Ok(Self { thread })
    }

    /// Judges a call. Blocks for 2 s at most. The ledger changes only with a verdict of the gate; a failure leaves it as it
    /// was, and the worker is replaced for the next call.
    pub fn judge(&mut self, call: &ToolCall, ledger: &mut Ledger) -> Verdict {
        // Lent, not copied: a ledger can be large.
        let lent = Arc::new(std::mem::take(ledger));
        let review = self.thread.call((call.clone(), Arc::clone(&lent)));
        // Only a worker that hangs still holds it; that one gets to keep the copy.
        *ledger = Arc::try_unwrap(lent).unwrap_or_else(|held| Ledger::clone(&held));
        match review {
            Ok(review) => review.note(call, ledger),
            Err(Failure::Panicked) => fail_closed::panicked(),
            Err(Failure::TimedOut) => fail_closed::timed_out(),
            Err(Failure::Gone) => fail_closed::gone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policy, World};
    use std::thread;
    use types::{
        id::CallId,
        verdict::{Decision, Stage},
    };

    fn call(command: &str) -> ToolCall {
        ToolCall {
            id: CallId(command.into()),
            tool: "Bash".into(),
            input: serde_json::json!({"command": command}),
            cwd: "/workspace".into(),
            subagent: None,
        }
    }

    fn gate() -> Gate {
        Gate::new(&Policy::default(), World::default()).expect("good rules")
    }

    #[test]
    fn it_answers_as_the_gate_does_and_keeps_the_ledger() {
        let mut worker = GateWorker::start(gate()).expect("starts");
        let mut ledger = Ledger::default();
        assert_eq!(worker.judge(&call("ls"), &mut ledger).decision, Decision::Allow);
        assert_ne!(ledger, Ledger::default());
    }

    #[test]
    fn panic_and_stall_deny_and_the_next_call_works() {
        let real = gate();
        let judge: Judge = Box::new(move |call, ledger| match call.id.0.as_str() {
            "panic" => panic!("planted"),
            "stall" => {
                thread::sleep(Duration::from_millis(300));
                real.review(call, ledger)
            }
            _ => real.review(call, ledger),
        });
        let mut worker = GateWorker::with(judge, Duration::from_millis(100)).expect("starts");
        let mut ledger = Ledger::default();
        for bad in ["panic", "stall"] {
            let verdict = worker.judge(&call(bad), &mut ledger);
            assert_eq!((verdict.decision, verdict.stage), (Decision::Deny, Stage::FailClosed), "{bad}");
            assert_eq!(ledger, Ledger::default());
            assert_eq!(worker.judge(&call("ls"), &mut Ledger::default()).decision, Decision::Allow);
        }
    }
}
