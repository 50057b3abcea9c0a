//! When and why an agent's work ends: alarms, limits, its own end, and whose fault that is.

use super::{BUFFER, Broken, LEAVE, Session, Streams, TICK};
use crate::{
    finish::STOP_GRACE,
    meter::Looked,
    outcome::{Outcome, chain},
    paths::PathError,
    watch::Alarm,
};
use agents::Completion;
use runtime::Runtime;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};
use types::{
    event::Event,
    result::{Resource, Status},
};

/// Silence after which background work that the agent left running no longer keeps the run.
const BACKGROUND: Duration = Duration::from_secs(60);
/// Time in which the engine notes the end of a container whose processes have ended.
const BLAME: Duration = Duration::from_secs(1);

impl Session<'_> {
    pub(super) fn alarmed(&self, alarm: Alarm) -> Outcome {
        match alarm {
            Alarm::Bypass(what) => Outcome::new(Status::Policy, what)
                .with_hint("the agent was stopped at once; its work was harvested, review it with care"),
            Alarm::Limit(what) => Outcome::new(Status::Limit, what).with_hint("partial work is kept"),
            Alarm::AuthRefused(status) => {
                Outcome::new(Status::Authentication, format!("the model endpoint answered {status}"))
                    .with_hint("check the credential that model.credentials names")
            }
            Alarm::Unrecorded(what) => Outcome::new(Status::Infrastructure, what).with_hint("is the disk full?"),
        }
    }

    /// Wall clock, silence, cancellation.
    pub(super) fn over_limit(&mut self, is_leaving: bool) -> Option<Outcome> {
        let plan = self.with.plan;
        let limits = &plan.profile.limits;
        let throttled = self.with.watch.throttle().waited(Instant::now());
        let worked = self.with.worked + self.clock.worked(self.started.elapsed(), [self.held.waited(), throttled]);
        if worked > limits.timeout.duration() {
            let outcome = Outcome::new(Status::Limit, format!("timeout: {} of work", limits.timeout));
            return Some(outcome.with_hint("partial work is kept; raise the timeout in task and profile"));
        }
        if let Some(outcome) = self.waited_too_long() {
            return Some(outcome);
        }
        let is_silent = self.last_sign.elapsed() > limits.idle_timeout.duration();
        // An agent that is done may be silent: see `is_left_running`.
        if is_silent
            && !self.is_throttled()
            && self.held.is_empty()
            && self.asking.is_empty()
            && !is_leaving
            && !self.codec.is_between_turns()
        {
            let outcome =
                Outcome::new(Status::Limit, format!("idle-timeout: the agent was silent for {}", limits.idle_timeout));
            return Some(outcome.with_hint("partial work is kept"));
        }
        match self.with.store.attempt(&plan.run, plan.attempt) {
            Ok(Some(attempt)) if attempt.cancel => Some(Outcome::new(Status::Interrupted, "cancelled")),
            Ok(_) | Err(_) => None,
        }
    }

    /// Memory, processes and the disk.
    pub(super) fn used_up(&mut self, streams: &Streams) -> Option<Outcome> {
        let Looked { notice, reached } = self.meter.look(&streams.link.reports.borrow().pressure);
        if let Some(text) = notice {
            self.with.recorder.emit(Event::Notice { text });
        }
        reached
    }

    /// The container is gone, although its streams are still open.
    pub(super) async fn vanished(&self, streams: &Streams) -> Option<Outcome> {
        let last = streams.link.reports.borrow().clone();
        self.meter.ended(&last).await
    }

    /// A result was reported, no turn is open, nothing runs in the background, and it has been quiet.
    pub(super) fn is_finished(&self) -> bool {
        self.codec.quiet_after().is_some_and(|quiet| self.last_output.elapsed() > quiet)
    }

    /// The agent is done, and something that it started, such as a server, would run for ever.
    pub(super) fn is_left_running(&self) -> bool {
        let silence = BACKGROUND.min(self.with.plan.profile.limits.idle_timeout.duration());
        self.codec.is_between_turns() && self.last_sign.elapsed() > silence
    }

    pub(super) async fn exit_code(&self) -> Option<i64> {
        let state = self.with.runtime.exec_state(&self.exec).await.ok()?;
        if state.running { None } else { state.exit_code }
    }

    /// The agent's process is gone; takes what is still on the way.
    pub(super) async fn drained(&mut self, streams: &mut Streams, code: i64) -> Outcome {
        let mut buffer = vec![0; BUFFER];
        while let Ok(Ok(count)) = timeout(TICK, streams.stdout.read(&mut buffer)).await {
            if count == 0 || self.on_disk.stdout.append(&buffer[..count]).is_err() {
                break;
            }
            self.heard(&buffer[..count]);
        }
        self.conclude(streams, Some(code)).await
    }

    /// The agent closed its stdout: its exit code follows.
    pub(super) async fn exited(&mut self, streams: &mut Streams) -> Outcome {
        let end = Instant::now() + LEAVE;
        while Instant::now() < end {
            if let Some(code) = self.exit_code().await {
                return self.conclude(streams, Some(code)).await;
            }
            sleep(Duration::from_millis(20)).await;
        }
        self.concluded(None)
    }

    /// How it ended; where it ended half way, what the kernel counts says whether that was for memory. Not every engine tells.
    async fn conclude(&mut self, streams: &mut Streams, code: Option<i64>) -> Outcome {
        let outcome = self.concluded(code);
        if outcome.status != Status::Truncated {
            return outcome;
        }
        self.meter.killed_for_memory(&mut streams.link.reports).await.unwrap_or(outcome)
    }

    pub(super) fn concluded(&self, exit: Option<i64>) -> Outcome {
        match self.codec.completion(exit) {
            Completion::Finished { .. } if self.codec.is_between_turns() => Outcome::finished(),
            Completion::Finished { .. } => Outcome::new(Status::Truncated, "the agent ended while a turn was open"),
            Completion::Truncated { reason } => Outcome::new(Status::Truncated, reason)
                .with_hint(format!("its stderr is in {}", self.with.files.file("agent.stderr.log").display())),
            Completion::Deferred if self.has_question() => Outcome::parked(&self.with.plan.run),
            Completion::Deferred => {
                Outcome::new(Status::Truncated, "the agent stopped over a call that no one is asked about")
            }
            Completion::TurnLimit => Outcome::new(Status::Limit, "max-turns: by the agent's own count"),
            Completion::BudgetLimit => Outcome::new(Status::Limit, "max-budget-usd: by the agent's own count"),
            Completion::Authentication { reason } => Outcome::new(Status::Authentication, reason),
            Completion::ModelUnavailable { reason, .. } => Outcome::new(Status::Infrastructure, reason),
        }
    }

    /// The channel or a file failed, perhaps because the agent or its container ended.
    pub(super) async fn explain(&mut self, broken: &Broken) -> Outcome {
        if let Broken::File(PathError::TooLong { mb, .. }) = broken {
            return Outcome::limit(Resource::Log, &format!("the agent printed more than {mb} MiB (container.log-mb)"));
        }
        let code = self.exit_code().await;
        match self.with.runtime.inspect(&self.container).await {
            Ok(state) if state.running && code.is_none() => Outcome::new(Status::Infrastructure, chain(broken)),
            Ok(_) => {
                let outcome = self.concluded(code);
                self.blamed(outcome).await
            }
            error @ Err(_) => Outcome::new(Status::Truncated, chain(broken)).considering(&error),
        }
    }

    /// Looks at the container of an agent that ended half way. When a container ends, its agent's process is reported first; and
    /// whether the kernel killed something for memory, engines tell of ended containers only.
    pub(super) async fn blamed(&self, outcome: Outcome) -> Outcome {
        if outcome.status != Status::Truncated {
            return outcome;
        }
        if let Some(crowded) = self.meter.was_crowded() {
            return crowded;
        }
        let end = Instant::now() + BLAME;
        loop {
            let considered = outcome.clone().considering(&self.with.runtime.inspect(&self.container).await);
            if considered != outcome {
                return considered;
            }
            if Instant::now() > end {
                break;
            }
            sleep(TICK).await;
        }
        if let Err(error) = self.with.runtime.stop(&self.container, STOP_GRACE).await {
            tracing::debug!(%error, "the container was not stopped");
        }
        match self.with.runtime.inspect(&self.container).await {
            Ok(state) if state.oom_killed => outcome.considering(&Ok(state)),
            Ok(_) | Err(_) => outcome,
        }
    }
}
