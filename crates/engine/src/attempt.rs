//! The life of one attempt: a place, the agent's work, the harvest, the proof, the result. Whatever ends the work, the
//! harvest follows.

use crate::{
    Engine, Stop,
    classifier::{self, Asker},
    conversation,
    error::EngineError,
    finish::READER_IMAGE,
    ground,
    history::History,
    journal::Journal,
    judge::{Judge, Workers},
    outcome::{Outcome, chain},
    outlet::{self, WayOut},
    paths::AttemptPaths,
    place::Places,
    plan::AttemptPlan,
    recorder::Recorder,
    redact,
    request::gate_of,
    supervise::{Ended, Supervisor},
    takeup::{self, Remembered},
    tools::{self, Tools},
    watch::{Alarm, Watch},
};
use egress::{Backend, Egress};
use gate::{GateWorker, ProbeWorker, classifier::Classifier};
use jiff::Timestamp;
use runtime::{AnyRuntime, Docker, EngineInfo, Runtime};
use std::{
    fs::File,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use store::Attempt;
use tokio::{
    sync::{
        mpsc::{self, UnboundedReceiver, UnboundedSender},
        watch as signal,
    },
    time::{sleep, timeout},
};
use types::{
    event::{Event, Phase},
    id::RunId,
    probe::Kernel,
    result::{AttemptResult, GateCounts, Status},
};

/// How often a cancellation is looked for while commands of the task run.
const CANCEL_LOOK: Duration = Duration::from_millis(200);

/// An attempt that this process works on, by the lock that it holds.
pub struct Supervised {
    pub(crate) plan: AttemptPlan,
    pub(crate) start: Start,
    /// Who answers the agent; none when no agent is to work any more.
    pub(crate) backend: Option<Backend>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) files: AttemptPaths,
    pub(crate) _lock: File,
}

/// Where to begin.
pub(crate) enum Start {
    /// Nothing was made yet.
    Fresh {
        /// Archive of the base commit's work tree.
        snapshot: PathBuf,
        /// The container engine and what it is, if it answered already.
        runtime: Option<Box<(Docker, EngineInfo)>>,
    },
    /// Another process began; what it left decides.
    TakenUp {
        /// What it recorded.
        attempt: Box<Attempt>,
    },
}

impl Supervised {
    /// The run.
    #[must_use]
    pub fn run(&self) -> &RunId {
        &self.plan.run
    }

    /// What the run may cost.
    #[must_use]
    pub fn budget_usd(&self) -> f64 {
        self.plan.profile.limits.max_budget_usd
    }
}

impl Engine {
    /// Carries an attempt to its end. `stop` is what signals and second thoughts say.
    ///
    /// # Errors
    /// [`EngineError`] only where not even a result could be written; how the work went is in the result.
    pub async fn execute(
        &self,
        supervised: Supervised,
        stop: signal::Receiver<Stop>,
    ) -> Result<AttemptResult, EngineError> {
        let (alarms, alarm) = mpsc::unbounded_channel();
        let work = Work::new(self, supervised, alarms, stop)?;
        work.carry_out(alarm).await
    }
}

/// Everything that an attempt's steps share.
pub(crate) struct Work<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) plan: AttemptPlan,
    start: Start,
    backend: Option<Backend>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) files: AttemptPaths,
    pub(crate) watch: Arc<Watch>,
    pub(crate) out: WayOut,
    pub(crate) started: Timestamp,
    stop: signal::Receiver<Stop>,
    /// What the gate decided and saw under earlier processes.
    earlier: History,
    /// Time that the agent worked under earlier processes.
    worked: Duration,
    /// What the canary must find below the container.
    pub(crate) kernel: Kernel,
    _lock: File,
}

/// What came of the agent's work.
pub(crate) struct Worked {
    pub(crate) outcome: Outcome,
    pub(crate) summary: String,
    pub(crate) gate: GateCounts,
}

impl<'a> Work<'a> {
    fn new(
        engine: &'a Engine,
        supervised: Supervised,
        alarms: UnboundedSender<Alarm>,
        stop: signal::Receiver<Stop>,
    ) -> Result<Self, EngineError> {
        let Supervised { plan, start, backend, recorder, files, _lock } = supervised;
        let out = WayOut::new(&plan, &files)?;
        let Remembered { join, totals, history: earlier, bypass, lost, worked } = Remembered::read(&files)?;
        let watch = Arc::new(Watch::open(&files, join, totals, &plan.profile.limits, recorder.clone(), alarms)?);
        lost.into_iter().for_each(|lost| watch.charge_lost(lost));
        watch.check_limits();
        if let Some(what) = bypass {
            watch.alarm(Alarm::Bypass(what));
        }
        let started = match &start {
            Start::Fresh { .. } => Timestamp::now(),
            Start::TakenUp { attempt } => {
                Timestamp::from_millisecond(attempt.created_ms).unwrap_or_else(|_| Timestamp::now())
            }
        };
        Ok(Self {
            engine,
            plan,
            start,
            backend,
            recorder,
            files,
            watch,
            out,
            started,
            stop,
            earlier,
            worked,
            kernel: Kernel::Linux,
            _lock,
        })
    }

    async fn carry_out(mut self, alarm: UnboundedReceiver<Alarm>) -> Result<AttemptResult, EngineError> {
        let (runtime, tools) = match self.ready().await {
            Ok(ready) => ready,
            Err(error) => {
                // Nothing was made by this process; a run that was taken up stays as it was.
                if matches!(self.start, Start::Fresh { .. }) {
                    let outcome = Outcome::new(Status::Infrastructure, chain(&error));
                    self.finish(&self.conclude(self.ended(outcome), None, None)?)?;
                }
                return Err(error);
            }
        };
        if let Some(result) = self.concluded()? {
            self.clean(&runtime).await;
            self.finish(&result)?;
            return Ok(result);
        }
        let mut worked = self.work(&runtime, &tools, alarm).await;
        if worked.outcome.is_parked {
            return self.park(&runtime, &tools, worked).await;
        }
        self.engine.store.withdraw_asks(&self.plan.run)?;
        let reason = redact::text(&worked.outcome.reason).into_owned();
        self.engine.store.set_status(&self.plan.run, self.plan.attempt, worked.outcome.status, &reason)?;
        if let Start::TakenUp { attempt } = &self.start
            && let Some(status) = attempt.status
        {
            worked.outcome = Outcome::new(status, attempt.reason.clone());
        }
        let harvested = match self.harvest(&runtime, &tools).await {
            Ok(harvested) => harvested,
            Err(error) => return Ok(self.unharvested(worked, &error)),
        };
        self.engine.store.set_harvested(&self.plan.run, self.plan.attempt)?;
        let mut verify = None;
        if worked.outcome.status == Status::Passed
            && let Some(harvested) = &harvested
        {
            match self.prove(&runtime, &tools, harvested).await {
                Ok((proof, outcome)) => (verify, worked.outcome) = (proof, outcome),
                Err(error) => worked.outcome = Outcome::new(Status::Infrastructure, chain(&error)),
            }
        }
        let result = self.conclude(worked, harvested.map(|harvested| harvested.harvest), verify)?;
        self.clean(&runtime).await;
        self.finish(&result)?;
        Ok(result)
    }

    /// What came of the work when no agent was at work under this process, with what is on record.
    fn ended(&self, outcome: Outcome) -> Worked {
        let deadline = self.plan.profile.limits.approval_deadline.duration();
        Worked {
            outcome,
            summary: takeup::last_words(&self.files, deadline),
            gate: takeup::counts(&self.earlier.verdicts, &self.watch.totals()),
        }
    }

    /// The end that a signal or `sandbox cancel` asks for.
    pub(crate) fn asked_to_stop(&self) -> Option<Outcome> {
        let by_signal = self.stop.borrow().outcome();
        by_signal.or_else(|| match self.engine.store.attempt(&self.plan.run, self.plan.attempt) {
            Ok(Some(attempt)) if attempt.cancel => Some(Outcome::new(Status::Interrupted, "cancelled")),
            Ok(_) | Err(_) => None,
        })
    }

    /// Waits until someone asks to stop.
    pub(crate) async fn interrupted(&self) -> Outcome {
        let mut stop = self.stop.clone();
        loop {
            if let Some(outcome) = self.asked_to_stop() {
                return outcome;
            }
            if let Ok(Err(_)) = timeout(CANCEL_LOOK, stop.changed()).await {
                // No signal can come any more; a cancellation still can.
                sleep(CANCEL_LOOK).await;
            }
        }
    }

    /// The engine with what a run needs in it, and the kernel that its runtime is known for.
    async fn ready(&mut self) -> Result<(AnyRuntime, Tools), EngineError> {
        match &self.start {
            Start::Fresh { .. } => self.record_phase(Phase::Provisioning, "")?,
            // Where the run was stays on record until this process has gone on from there.
            Start::TakenUp { .. } => self.recorder.phase(Phase::Provisioning, "taking up a run whose process is gone"),
        }
        let since = Instant::now();
        let connected = match &mut self.start {
            Start::Fresh { runtime, .. } => runtime.take(),
            Start::TakenUp { .. } => None,
        };
        let (docker, info) = match connected {
            Some(connected) => *connected,
            None => {
                let docker = Docker::connect().await?;
                let info = docker.info().await?;
                (docker, info)
            }
        };
        let runtime = AnyRuntime::Docker(docker);
        let (guest, profile) = (self.engine.guest, &self.plan.profile);
        let deadline = profile.limits.approval_deadline.duration();
        match (ground::runtime_of(&info, &profile.container), &self.start) {
            (Ok(found), _) => self.kernel = ground::kernel_of(found.kind),
            (Err(error), Start::Fresh { .. }) => return Err(error.into()),
            // Its container is there, or was: the work is harvested all the same.
            (Err(error), Start::TakenUp { .. }) => {
                tracing::warn!(%error, "going on with a run that would not be made now")
            }
        }
        let kept = self.files.file("image");
        let (image, _, reader) = tokio::try_join!(
            tools::pin(&runtime, &profile.container.image, &kept),
            tools::look_for(&runtime, &profile.agent.image),
            tools::look_for(&runtime, READER_IMAGE),
        )?;
        let tools = tools::prepare(&runtime, guest, &profile.agent.image, &reader.0, deadline).await?;
        self.plan.profile.container.image = image.0;
        self.recorder.step("engine", since);
        Ok((runtime, tools))
    }

    /// Records a phase before what belongs to it is done: the next process goes by it.
    pub(crate) fn record_phase(&self, phase: Phase, detail: &str) -> Result<(), EngineError> {
        self.engine.store.set_phase(&self.plan.run, self.plan.attempt, phase)?;
        self.recorder.phase(phase, detail);
        Ok(())
    }

    /// The agent's work, from wherever it is to its end.
    async fn work(&mut self, runtime: &AnyRuntime, tools: &Tools, alarm: UnboundedReceiver<Alarm>) -> Worked {
        let (profile, record) =
            (&self.plan.profile, self.plan.record.is_some().then(|| conversation::own(&self.files)));
        let egress = match self.out.egress(profile, self.backend.clone(), record.as_deref(), self.watch.clone()) {
            Ok(egress) => egress,
            Err(error) => return self.ended(Outcome::new(Status::Infrastructure, chain(&error))),
        };
        let made = match &self.start {
            Start::Fresh { snapshot, .. } => {
                let snapshot = snapshot.clone();
                self.provision(runtime, tools, &egress, &snapshot).await
            }
            Start::TakenUp { attempt } => {
                let attempt = attempt.clone();
                self.go_on(runtime, tools, &egress, &attempt).await
            }
        };
        let place = match made {
            Ok(made) => made,
            Err(outcome) => return self.ended(outcome),
        };
        let judge = match self.judge(&egress) {
            Ok(judge) => judge,
            Err(error) => return self.ended(Outcome::new(Status::Internal, chain(&error))),
        };
        let supervisor = Supervisor {
            plan: &self.plan,
            store: &self.engine.store,
            runtime,
            egress: &egress,
            recorder: &self.recorder,
            files: &self.files,
            watch: &self.watch,
            worked: self.worked,
        };
        let Ended { outcome, summary, gate } = supervisor.run(place, judge, self.stop.clone(), alarm).await;
        self.keep_conversation(&egress);
        Worked { outcome, summary, gate }
    }

    /// Writes the conversation with the model to where the operator wants it. A view of the run, which does not fail for want of it.
    fn keep_conversation(&self, egress: &Egress) {
        if let Some(path) = &self.plan.record
            && let Err(error) = conversation::write(path, &self.files, egress)
        {
            let own = conversation::own(&self.files);
            let place = if own.exists() { format!(", and is in {}", own.display()) } else { String::new() };
            let text = format!("the conversation was not written to {}{place}: {}", path.display(), chain(&error));
            self.recorder.emit(Event::Notice { text });
        }
    }

    fn judge(&mut self, egress: &Egress) -> Result<Judge, EngineError> {
        let gate = gate_of(&self.plan)?;
        let profile = &self.plan.profile;
        let is_asked = classifier::is_wanted(profile) && outlet::answers_the_gate(profile, self.backend.as_ref());
        let classifier = is_asked.then(|| {
            let asked = &profile.gate.classifier;
            let classifier = Classifier::new(&classifier::prose(asked), &self.plan.prompt, gate.world().clone());
            (classifier, Asker::new(asked, egress.clone()))
        });
        let workers = Workers { gate: GateWorker::start(gate)?, prober: ProbeWorker::start()? };
        let journal = Journal::chained(&self.files.file("gate.jsonl"))?;
        Ok(Judge::new(workers, journal, self.watch.clone(), classifier, &std::mem::take(&mut self.earlier)))
    }

    pub(crate) fn places<'b>(&'b self, runtime: &'b AnyRuntime) -> Places<'b> {
        Places { runtime, store: &self.engine.store, plan: &self.plan, recorder: &self.recorder, kernel: self.kernel }
    }
}
