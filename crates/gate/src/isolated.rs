//! Runs a pure function apart from its caller: a panic, an endless loop or a dead thread costs one answer, and the thread is
//! replaced for the next one.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

/// Stack of the thread: 1600 nested levels of any construct of the shell were measured to fit.
const STACK: usize = 16 * 1024 * 1024;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("it panicked")]
    Panicked,
    #[error("it took too long")]
    TimedOut,
    #[error("its thread is gone")]
    Gone,
}

struct Job<In, Out> {
    input: In,
    answer: mpsc::SyncSender<Option<Out>>,
}

type Function<In, Out> = Arc<dyn Fn(In) -> Out + Send + Sync>;

/// A function in a thread of its own.
pub(crate) struct Isolated<In, Out> {
    name: &'static str,
    function: Function<In, Out>,
    jobs: Option<mpsc::SyncSender<Job<In, Out>>>,
    deadline: Duration,
}

impl<In: Send + 'static, Out: Send + 'static> Isolated<In, Out> {
    /// Starts the thread, called `name`.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn start(
        name: &'static str,
        deadline: Duration,
        function: impl Fn(In) -> Out + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let function: Function<In, Out> = Arc::new(function);
        let jobs = spawn(name, Arc::clone(&function))?;
        Ok(Self { name, function, jobs: Some(jobs), deadline })
    }

    /// True when a thread waits for the next input.
    pub(crate) fn is_running(&self) -> bool {
        self.jobs.is_some()
    }

    /// Longest time for one answer.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Applies the function; blocks until the deadline at most. The input is gone before the answer is there, unless it timed out.
    pub(crate) fn call(&mut self, input: In) -> Result<Out, Failure> {
        if self.jobs.is_none() {
            self.jobs = spawn(self.name, Arc::clone(&self.function)).ok();
        }
        let jobs = self.jobs.take().ok_or(Failure::Gone)?;
        let (answer, answers) = mpsc::sync_channel(1);
        // The queue is empty: a thread that did not answer was let go.
        jobs.try_send(Job { input, answer }).map_err(|_| Failure::Gone)?;
        match answers.recv_timeout(self.deadline) {
            Ok(Some(out)) => {
                self.jobs = Some(jobs);
                Ok(out)
            }
            Ok(None) => Err(Failure::Panicked),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(Failure::TimedOut),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(Failure::Gone),
        }
    }
}

/// The thread ends when its queue is dropped.
fn spawn<In: Send + 'static, Out: Send + 'static>(
    name: &str,
    function: Function<In, Out>,
) -> std::io::Result<mpsc::SyncSender<Job<In, Out>>> {
    let (jobs, queue) = mpsc::sync_channel::<Job<In, Out>>(1);
    thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(move || {
        while let Ok(Job { input, answer }) = queue.recv() {
            let out = catch_unwind(AssertUnwindSafe(|| function(input))).ok();
            let has_died = out.is_none();
            // A caller that gave up needs no answer.
            _ = answer.try_send(out);
            if has_died {
                break;
            }
        }
    })?;
    Ok(jobs)
}
