//! Runs the gate apart from its caller: a panic, an endless loop or a dead thread costs one call, and that call is denied.

use crate::{Gate, Ledger, fail_closed, judge::Review};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};
use types::{call::ToolCall, verdict::Verdict};

/// Longest time for one verdict.
const DEADLINE: Duration = Duration::from_secs(2);
/// Stack of the worker: 1600 nested levels of any construct were measured to fit.
const STACK: usize = 16 * 1024 * 1024;

/// The worker's thread could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the gate's thread")]
pub struct WorkerError {
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

struct Job {
    call: ToolCall,
    ledger: Arc<Ledger>,
    answer: mpsc::SyncSender<Option<Review>>,
}

/// What the thread runs; a seam for tests of the failures.
type Judge = Arc<dyn Fn(&ToolCall, &Ledger) -> Review + Send + Sync>;

/// A gate in a thread of its own.
pub struct GateWorker {
    judge: Judge,
    jobs: Option<mpsc::SyncSender<Job>>,
    deadline: Duration,
}

impl std::fmt::Debug for GateWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GateWorker")
            .field("is_running", &self.jobs.is_some())
            .field("deadline", &self.deadline)
            .finish()
    }
}

impl GateWorker {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`WorkerError`] when the system gives no thread; the caller must not run without a gate.
    pub fn start(gate: Gate) -> Result<Self, WorkerError> {
        Self::with(Arc::new(move |call, ledger| gate.review(call, ledger)), DEADLINE)
    }

    fn with(judge: Judge, deadline: Duration) -> Result<Self, WorkerError> {
        let jobs = spawn(Arc::clone(&judge))?;
        Ok(Self { judge, jobs: Some(jobs), deadline })
    }

    /// Judges a call. Blocks for 2 s at most. The ledger changes only with a verdict of the gate; a failure leaves it as it
    /// was, and the worker is replaced for the next call.
    pub fn judge(&mut self, call: &ToolCall, ledger: &mut Ledger) -> Verdict {
        if self.jobs.is_none() {
            self.jobs = spawn(Arc::clone(&self.judge)).ok();
        }
        let Some(jobs) = &self.jobs else { return fail_closed::gone() };
        let (answer, reviews) = mpsc::sync_channel(1);
        // Lent, not copied: a ledger can be large.
        let lent = Arc::new(std::mem::take(ledger));
        let job = Job { call: call.clone(), ledger: Arc::clone(&lent), answer };
        // The queue is empty: a worker that did not answer was let go.
        let sent = jobs.try_send(job).is_ok();
        let review = if sent { reviews.recv_timeout(self.deadline) } else { Err(mpsc::RecvTimeoutError::Disconnected) };
        // Only a worker that hangs still holds it; that one gets to keep the copy.
        *ledger = Arc::try_unwrap(lent).unwrap_or_else(|held| Ledger::clone(&held));
        let failure = match review {
            Ok(Some(review)) => return review.note(call, ledger),
            Ok(None) => fail_closed::panicked(),
            Err(mpsc::RecvTimeoutError::Timeout) => fail_closed::timed_out(),
            Err(mpsc::RecvTimeoutError::Disconnected) => fail_closed::gone(),
        };
        self.jobs = None;
        failure
    }
}

/// The thread ends when its queue is dropped.
fn spawn(judge: Judge) -> Result<mpsc::SyncSender<Job>, WorkerError> {
    let (jobs, queue) = mpsc::sync_channel::<Job>(1);
    thread::Builder::new()
        .name("gate".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            while let Ok(Job { call, ledger, answer }) = queue.recv() {
                let review = catch_unwind(AssertUnwindSafe(|| judge(&call, &ledger))).ok();
                let died = review.is_none();
                // Given back before the answer, so that the caller need not copy it.
                drop(ledger);
                // A caller that gave up needs no answer.
                _ = answer.try_send(review);
                if died {
                    break;
                }
            }
        })
        .map_err(|source| WorkerError { source })?;
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policy, World};
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
        let judge: Judge = Arc::new(move |call, ledger| match call.id.0.as_str() {
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
