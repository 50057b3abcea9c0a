//! The life of one attempt: a place, the agent's work, the harvest, the proof, the result. Whatever ends the work, the
//! harvest follows.

use crate::{
    Engine, Stop,
    commands::Commands,
    error::EngineError,
    finish::READER_IMAGE,
    journal::Journal,
    judge::Judge,
    link::{Link, LinkError},
    listeners::{HOME, WORKSPACE, environment, listeners, probe_plan},
    outcome::{Outcome, chain},
    outlet,
    paths::{AttemptPaths, PathError, Paths, private_dir, write_atomic},
    place::{Place, PlaceError, Places, clear, shim_command},
    plan::{AttemptPlan, Role},
    reconcile::{self, Found, Step},
    recorder::Recorder,
    request::gate_of,
    supervise::{Ended, Supervisor},
    takeup::{self, Remembered},
    tools::{self, Tools},
    watch::{Alarm, Watch},
};
use agents::LaunchConfig;
use egress::{Backend, Egress};
use gate::GateWorker;
use jiff::Timestamp;
use repo::{Mirror, UserRepo};
use runtime::{AnyRuntime, ContainerId, Docker, Runtime};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
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
    event::{Event, EventRecord, GateRecord, Phase},
    id::RunId,
    result::{AttemptResult, GateCounts, Status},
};

/// Times that a lock is tried for.
const LOOKS: u32 = 10;
/// Time between them.
const LOOK: Duration = Duration::from_millis(20);
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
        /// The container engine, if it answered already.
        runtime: Option<Docker>,
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

/// Takes the run's lock; it is held for as long as the file is open, and let go by the kernel when the process dies.
pub(crate) fn lock(paths: &Paths, run: &RunId) -> Result<File, EngineError> {
    let path = paths.run(run).join("supervisor.lock");
    let io = |source| EngineError::from(PathError::Io { path: path.clone(), source });
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io)?;
    // Whoever only looks, such as `sandbox ps`, holds it for a moment.
    for _ in 0..LOOKS {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) => thread::sleep(LOOK),
            Err(fs::TryLockError::Error(source)) => return Err(io(source)),
        }
    }
    Err(EngineError::Supervised { run: run.clone() })
}

/// True when a process works on the run. Those who look do not see each other.
pub(crate) fn is_supervised(paths: &Paths, run: &RunId) -> bool {
    let Ok(file) = File::open(paths.run(run).join("supervisor.lock")) else { return false };
    matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock))
}

impl Engine {
    /// The run of this task and repository that a process left behind, if there is one.
    pub(crate) fn orphan(&self, digest: &str, repository: &str) -> Result<Option<Attempt>, EngineError> {
        let left = |attempt: &Attempt| {
            !attempt.phase.is_done()
                && attempt.task_digest == digest
                && attempt.repository == repository
                && !is_supervised(&self.paths, &attempt.run)
        };
        Ok(self.store.attempts()?.into_iter().find(left))
    }

    /// Takes up a run whose process is gone.
    ///
    /// # Errors
    /// [`EngineError::Supervised`], [`EngineError::Over`] when another process was faster.
    pub(crate) fn take_up(
        &self,
        attempt: &Attempt,
        events: UnboundedSender<EventRecord>,
        started: Instant,
    ) -> Result<Supervised, EngineError> {
        let plan = self.plan(attempt)?;
        let lock = lock(&self.paths, &plan.run)?;
        // What was read before the lock was held may be out of date.
        let attempt = match self.store.attempt(&plan.run, plan.attempt)? {
            Some(attempt) if !attempt.phase.is_done() => attempt,
            Some(_) | None => return Err(EngineError::Over { run: plan.run }),
        };
        let files = self.paths.attempt(&plan.run, &plan.task, plan.attempt);
        files.prepare()?;
        // Without a credential a working agent stays as it is; a harvest needs none.
        let backend = match reconcile::may_work(&attempt) {
            true => Some(outlet::backend(&plan.profile, plan.replay.as_deref())?),
            false => None,
        };
        let recorder = Arc::new(Recorder::open(&plan.run, &files.file("events.jsonl"), started, events)?);
        let start = Start::TakenUp { attempt: Box::new(attempt) };
        Ok(Supervised { plan, start, backend, recorder, files, _lock: lock })
    }

    /// Takes up the named runs, or all whose process is gone.
    ///
    /// # Errors
    /// [`EngineError::Over`], [`EngineError::Supervised`] for a named run that needs no one.
    pub fn resume(
        &self,
        names: &[String],
        events: &UnboundedSender<EventRecord>,
        started: Instant,
    ) -> Result<Vec<Supervised>, EngineError> {
        let attempts = if names.is_empty() {
            let left = |attempt: &Attempt| !attempt.phase.is_done() && !is_supervised(&self.paths, &attempt.run);
            self.store.attempts()?.into_iter().filter(left).collect()
        } else {
            let mut named = Vec::new();
            for name in names {
                let attempt = self.find(name)?;
                if attempt.phase.is_done() {
                    return Err(EngineError::Over { run: attempt.run });
                }
                named.push(attempt);
            }
            named
        };
        let mut taken = Vec::new();
        for attempt in &attempts {
            match self.take_up(attempt, events.clone(), started) {
                Ok(supervised) => taken.push(supervised),
                // Another process was faster, which is as good.
                Err(EngineError::Supervised { .. } | EngineError::Over { .. }) if names.is_empty() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

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
    pub(crate) started: Timestamp,
    stop: signal::Receiver<Stop>,
    /// Every answer of the gate under earlier processes.
    earlier: Vec<GateRecord>,
    /// Time that the agent worked under earlier processes.
    worked: Duration,
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
        let Remembered { join, totals, gate: earlier, bypass, worked } = Remembered::read(&files)?;
        let watch = Arc::new(Watch::open(&files, join, totals, &plan.profile.limits, recorder.clone(), alarms)?);
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
        Ok(Self { engine, plan, start, backend, recorder, files, watch, started, stop, earlier, worked, _lock })
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
        self.engine.store.withdraw_asks(&self.plan.run)?;
        self.engine.store.set_status(
            &self.plan.run,
            self.plan.attempt,
            worked.outcome.status,
            &worked.outcome.reason,
        )?;
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
            gate: takeup::counts(&self.earlier, &self.watch.totals()),
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
        let runtime = AnyRuntime::Docker(match connected {
            Some(runtime) => runtime,
            None => Docker::connect().await?,
        });
        let (guest, profile) = (self.engine.guest, &self.plan.profile);
        let deadline = profile.limits.approval_deadline.duration();
        tokio::try_join!(
            tools::look_for(&runtime, &profile.container.image),
            tools::look_for(&runtime, &profile.agent.image),
            tools::look_for(&runtime, READER_IMAGE),
        )?;
        let tools = tools::prepare(&runtime, guest, &profile.agent.image, READER_IMAGE, deadline).await?;
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
        let egress = match outlet::egress(&self.plan.profile, self.backend.clone(), self.watch.clone()) {
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
        let judge = match self.judge() {
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
        Worked { outcome, summary, gate }
    }

    fn judge(&mut self) -> Result<Judge, EngineError> {
        let worker = GateWorker::start(gate_of(&self.plan)?)?;
        let journal = Journal::chained(&self.files.file("gate.jsonl"))?;
        Ok(Judge::new(worker, journal, self.watch.clone(), std::mem::take(&mut self.earlier)))
    }

    pub(crate) fn places<'b>(&'b self, runtime: &'b AnyRuntime) -> Places<'b> {
        Places { runtime, store: &self.engine.store, plan: &self.plan, recorder: &self.recorder }
    }

    /// A fresh container, its canary, the task's setup, and the agent's exec waiting to be launched.
    async fn provision(
        &self,
        runtime: &AnyRuntime,
        tools: &Tools,
        egress: &Egress,
        snapshot: &Path,
    ) -> Result<Place, Outcome> {
        let infra = |error: &dyn std::error::Error| Outcome::new(Status::Infrastructure, chain(error));
        let routes = outlet::routes(&self.plan.profile).map_err(|error| infra(&error))?;
        let listeners = listeners(&routes);
        let launch = agents::AnyAgent::Claude.launch(&LaunchConfig {
            model: self.plan.profile.agent.model.clone(),
            session_id: self.plan.session.clone(),
            resume: false,
            cwd: WORKSPACE.to_owned(),
            home: HOME.to_owned(),
            model_address: listeners.model,
            proxy_address: listeners.proxy,
            placeholder: self.plan.placeholder.clone(),
            append_system_prompt: None,
            max_turns: None,
            env: environment(&listeners),
        });
        let generation = self.generation().map_err(|error| infra(&error))?;
        let join = async |container: ContainerId| {
            let since = Instant::now();
            // The bridge and the agent's shim start side by side; the shim waits for the guest's word.
            let connect = async {
                let (mut link, _) = Link::attach(runtime, &container, egress, generation).await?;
                link.control.configure(listeners.clone(), &self.plan.session).await?;
                Ok::<_, LinkError>(link)
            };
            let shim = async { runtime.exec(&container, &shim_command(&launch)).await.map_err(LinkError::from) };
            let (link, exec) = tokio::try_join!(connect, shim)?;
            let exec = exec.id().clone();
            self.engine.store.set_agent_exec(&self.plan.run, self.plan.attempt, &exec.0)?;
            self.recorder.step("channel", since);
            Ok((link, exec))
        };
        let made = self.places(runtime).make_with(Role::Agent, tools, snapshot, join).await;
        let (container, (mut link, exec)) = made.map_err(|error: PlaceError| infra(&error))?;
        let since = Instant::now();
        let report = link.control.probe(probe_plan(&listeners)).await.map_err(|error| infra(&error))?;
        self.recorder.step("canary", since);
        let json = serde_json::to_vec_pretty(&report).unwrap_or_default();
        write_atomic(&self.files.file("probe.json"), &json).map_err(|error| infra(&error))?;
        let is_sound = report.is_sound();
        let first = report.surprises().first().map(|check| format!("{}: {}", check.id, check.detail));
        self.recorder.emit(Event::Canary { report });
        if !is_sound {
            let what = first.unwrap_or_else(|| "it tried nothing".to_owned());
            return Err(Outcome::new(
                Status::Policy,
                format!("the canary was surprised, so the agent was not started: {what}"),
            )
            .with_hint("`sandbox doctor` looks at what the guarantees rest on"));
        }
        if let Some(outcome) = self.asked_to_stop() {
            return Err(outcome);
        }
        if !self.plan.setup.is_empty() {
            self.record_phase(Phase::Setup, "").map_err(|error| infra(&error))?;
            private_dir(&self.files.file("setup")).map_err(|error| infra(&error))?;
            let commands = Commands {
                runtime,
                container: &container,
                listeners: &listeners,
                paths: &self.files,
                recorder: &self.recorder,
                setup_logs: "setup/",
            };
            let budget = self.plan.profile.limits.setup_timeout.duration();
            let ran = tokio::select! {
                ran = commands.run(Phase::Setup, &self.plan.setup, budget) => ran.map_err(|error| infra(&error))?,
                outcome = self.interrupted() => return Err(outcome),
            };
            if let Some(failed) = ran.iter().find(|command| command.code != 0) {
                let reason = format!("setup: `{}` ended with {}", failed.command, failed.code);
                return Err(Outcome::new(Status::Setup, reason).with_hint(format!("its output is in {}", failed.log)));
            }
        }
        Ok(Place { container, link: Some(link), exec })
    }

    fn generation(&self) -> Result<u64, EngineError> {
        Ok(self.engine.store.next_generation(&self.plan.run, self.plan.attempt)?)
    }

    /// Goes on with what another process left: an agent that was never executed begins anew, a running one is adopted, all else
    /// ends here and is harvested.
    async fn go_on(
        &self,
        runtime: &AnyRuntime,
        tools: &Tools,
        egress: &Egress,
        attempt: &Attempt,
    ) -> Result<Place, Outcome> {
        let infra = |error: &dyn std::error::Error| Outcome::new(Status::Infrastructure, chain(error));
        if let Some(outcome) = self.asked_to_stop() {
            return Err(outcome);
        }
        let container = ContainerId(self.plan.container(Role::Agent));
        let found = match runtime.inspect(&container).await {
            Ok(state) if state.running => Found::Running,
            Ok(_) => Found::Stopped,
            Err(error) if error.is_not_found() => {
                match runtime.volume(&self.plan.volume(Role::Agent, "workspace")).await {
                    Ok(Some(_)) => Found::VolumeOnly,
                    Ok(None) => Found::Nothing,
                    Err(error) => return Err(infra(&error)),
                }
            }
            Err(error) => return Err(infra(&error)),
        };
        match (reconcile::step(attempt, found), &attempt.agent_exec) {
            (Step::Begin, _) => {
                self.recorder.emit(Event::Notice {
                    text: "its agent was not started yet; beginning in a fresh place".to_owned(),
                });
                let snapshot = self.begin_again(runtime).await.map_err(|error| infra(&error))?;
                self.provision(runtime, tools, egress, &snapshot).await
            }
            (Step::Adopt, Some(exec)) => {
                self.recorder.emit(Event::Notice { text: "taking up the run: its agent still works".to_owned() });
                Ok(Place { container, link: None, exec: runtime::ExecId(exec.clone()) })
            }
            (Step::Adopt | Step::Harvest | Step::Nothing, _) => {
                Err(Outcome::new(Status::Infrastructure, "the run's process ended and its agent does not run any more")
                    .with_hint("its work was harvested; run the task again"))
            }
            (Step::Lost, _) => {
                Err(Outcome::new(Status::Infrastructure, "lost: nothing of the run is left in the engine"))
            }
        }
    }

    /// Removes what a process that died while it provisioned has made, and finds the snapshot again.
    async fn begin_again(&self, runtime: &AnyRuntime) -> Result<PathBuf, EngineError> {
        self.record_phase(Phase::Provisioning, "")?;
        clear(runtime, &self.engine.store, &self.plan, Role::Agent).await?;
        let user = UserRepo::discover(&self.plan.repository).await?;
        let mirror = Mirror::open(&self.engine.paths.cache, &user)?;
        Ok(mirror.snapshot(&self.plan.base, &self.plan.remotes).await?)
    }
}
