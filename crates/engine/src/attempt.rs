//! The life of one attempt: a place, the agent's work, the harvest, the proof, the result. Whatever ends the work, the
//! harvest follows.

use crate::{
    Engine, Stop,
    commands::Commands,
    error::EngineError,
    finish::READER_IMAGE,
    join::{Dialect, Finding, Join},
    journal::{self, Journal},
    judge::Judge,
    link::{Link, LinkError},
    listeners::{HOME, WORKSPACE, environment, listeners, probe_plan},
    outcome::{Outcome, chain},
    outlet,
    paths::{AttemptPaths, PathError, Paths, private_dir, write_atomic},
    place::{Place, PlaceError, Places, shim_command},
    plan::{AttemptPlan, Role},
    reconcile::{self, Found, Step},
    recorder::Recorder,
    request::gate_of,
    supervise::Supervisor,
    tools::{self, Tools},
    watch::{Alarm, Totals, Watch, WireRecord},
};
use agents::LaunchConfig;
use egress::{Backend, Egress};
use gate::GateWorker;
use jiff::Timestamp;
use runtime::{AnyRuntime, ContainerId, Docker, Runtime};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};
use store::Attempt;
use tokio::sync::{
    mpsc::{self, UnboundedReceiver, UnboundedSender},
    watch as signal,
};
use types::{
    event::{EgressRecord, Event, EventRecord, GateRecord, Phase, Usage},
    id::RunId,
    result::{AttemptResult, GateCounts, Status},
};

/// An attempt that this process works on, by the lock that it holds.
pub struct Supervised {
    pub(crate) plan: AttemptPlan,
    pub(crate) start: Start,
    pub(crate) backend: Backend,
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
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(EngineError::Supervised { run: run.clone() }),
        Err(fs::TryLockError::Error(source)) => Err(io(source)),
    }
}

/// True when a process works on the run.
pub(crate) fn is_supervised(paths: &Paths, run: &RunId) -> bool {
    matches!(lock(paths, run), Err(EngineError::Supervised { .. }))
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
    pub(crate) fn take_up(
        &self,
        attempt: &Attempt,
        events: UnboundedSender<EventRecord>,
        started: Instant,
    ) -> Result<Supervised, EngineError> {
        let plan = self.plan(attempt)?;
        let lock = lock(&self.paths, &plan.run)?;
        let files = self.paths.attempt(&plan.run, &plan.task, plan.attempt);
        files.prepare()?;
        let backend = outlet::backend(&plan.profile, plan.replay.as_deref())?;
        let recorder = Arc::new(Recorder::open(&plan.run, &files.file("events.jsonl"), started, events)?);
        let start = Start::TakenUp { attempt: Box::new(attempt.clone()) };
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
        attempts.iter().map(|attempt| self.take_up(attempt, events.clone(), started)).collect()
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
        let work = Work::new(self, supervised, alarms)?;
        work.carry_out(stop, alarm).await
    }
}

/// Everything that an attempt's steps share.
pub(crate) struct Work<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) plan: AttemptPlan,
    start: Start,
    backend: Backend,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) files: AttemptPaths,
    pub(crate) watch: Arc<Watch>,
    pub(crate) started: Timestamp,
    earlier: Vec<GateRecord>,
    _lock: File,
}

/// What came of the agent's work.
pub(crate) struct Worked {
    pub(crate) outcome: Outcome,
    pub(crate) summary: String,
    pub(crate) gate: GateCounts,
}

impl Worked {
    fn without_agent(outcome: Outcome) -> Self {
        Self { outcome, summary: String::new(), gate: Default::default() }
    }
}

impl<'a> Work<'a> {
    fn new(engine: &'a Engine, supervised: Supervised, alarms: UnboundedSender<Alarm>) -> Result<Self, EngineError> {
        let Supervised { plan, start, backend, recorder, files, _lock } = supervised;
        let earlier: Vec<GateRecord> = journal::read(&files.file("gate.jsonl"))?;
        let (join, totals) = remembered(&files)?;
        let max_turns = plan.profile.limits.max_turns;
        let watch = Arc::new(Watch::open(&files, join, totals, max_turns, recorder.clone(), alarms)?);
        Ok(Self { engine, plan, start, backend, recorder, files, watch, started: Timestamp::now(), earlier, _lock })
    }

    async fn carry_out(
        mut self,
        stop: signal::Receiver<Stop>,
        alarm: UnboundedReceiver<Alarm>,
    ) -> Result<AttemptResult, EngineError> {
        let (runtime, tools) = match self.ready().await {
            Ok(ready) => ready,
            Err(error) => {
                // Nothing was made by this process; a run that was taken up keeps what it has.
                self.engine.store.set_status(
                    &self.plan.run,
                    self.plan.attempt,
                    Status::Infrastructure,
                    &chain(&error),
                )?;
                if matches!(self.start, Start::Fresh { .. }) {
                    let outcome = Outcome::new(Status::Infrastructure, chain(&error));
                    self.conclude(Worked::without_agent(outcome), None, None)?;
                }
                return Err(error);
            }
        };
        let mut worked = self.work(&runtime, &tools, stop, alarm).await;
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
        Ok(result)
    }

    async fn ready(&mut self) -> Result<(AnyRuntime, Tools), EngineError> {
        self.engine.store.set_phase(&self.plan.run, self.plan.attempt, Phase::Provisioning)?;
        self.recorder.phase(Phase::Provisioning, "");
        let since = Instant::now();
        let runtime = AnyRuntime::Docker(Docker::connect().await?);
        let image = &self.plan.profile.container.image;
        if runtime.image_id(image).await?.is_none() {
            return Err(EngineError::NoImage { image: image.clone() });
        }
        let guest = self.engine.guest;
        let deadline = self.plan.profile.limits.approval_deadline.duration();
        let tools = tools::prepare(&runtime, guest, &self.plan.profile.agent.image, READER_IMAGE, deadline).await?;
        self.recorder.step("engine", since);
        Ok((runtime, tools))
    }

    pub(crate) fn set_phase(&self, phase: Phase, detail: &str) {
        if let Err(error) = self.engine.store.set_phase(&self.plan.run, self.plan.attempt, phase) {
            tracing::warn!(%error, "a phase was not recorded");
        }
        self.recorder.phase(phase, detail);
    }

    /// The agent's work, from wherever it is to its end.
    async fn work(
        &mut self,
        runtime: &AnyRuntime,
        tools: &Tools,
        stop: signal::Receiver<Stop>,
        alarm: UnboundedReceiver<Alarm>,
    ) -> Worked {
        let egress = match outlet::egress(&self.plan.profile, Some(self.backend.clone()), self.watch.clone()) {
            Ok(egress) => egress,
            Err(error) => return Worked::without_agent(Outcome::new(Status::Infrastructure, chain(&error))),
        };
        let made = match &self.start {
            Start::Fresh { snapshot } => {
                let snapshot = snapshot.clone();
                self.provision(runtime, tools, &egress, &snapshot).await
            }
            Start::TakenUp { attempt } => {
                let attempt = attempt.clone();
                self.adopt(runtime, &attempt).await
            }
        };
        let place = match made {
            Ok(made) => made,
            Err(outcome) => return Worked::without_agent(outcome),
        };
        let judge = match self.judge() {
            Ok(judge) => judge,
            Err(error) => return Worked::without_agent(Outcome::new(Status::Internal, chain(&error))),
        };
        let supervisor = Supervisor {
            plan: &self.plan,
            store: &self.engine.store,
            runtime,
            egress: &egress,
            recorder: &self.recorder,
            files: &self.files,
            watch: &self.watch,
        };
        let ended = supervisor.run(place, judge, stop, alarm).await;
        let state = runtime.inspect(&ContainerId(self.plan.container(Role::Agent))).await.ok();
        Worked { outcome: ended.outcome.considering(state.as_ref()), summary: ended.summary, gate: ended.gate }
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
        let made = self.places(runtime).make(Role::Agent, tools, snapshot).await;
        let container = made.map_err(|error: PlaceError| infra(&error))?;
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
        let since = Instant::now();
        let generation = self.generation().map_err(|error| infra(&error))?;
        // The bridge and the agent's shim start side by side; the shim waits for the guest's word.
        let connect = async {
            let (mut link, _) = Link::attach(runtime, &container, egress, generation).await?;
            link.control.configure(listeners.clone(), &self.plan.session).await?;
            Ok::<_, LinkError>(link)
        };
        let shim = async { runtime.exec(&container, &shim_command(&launch)).await.map_err(LinkError::from) };
        let (mut link, exec) = tokio::try_join!(connect, shim).map_err(|error| infra(&error))?;
        let exec = exec.id().clone();
        self.engine.store.set_agent_exec(&self.plan.run, self.plan.attempt, &exec.0).map_err(|error| infra(&error))?;
        self.recorder.step("channel", since);
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
        if !self.plan.setup.is_empty() {
            self.set_phase(Phase::Setup, "");
            private_dir(&self.files.file("setup")).map_err(|error| infra(&error))?;
            let commands = Commands {
                runtime,
                container: &container,
                listeners: &listeners,
                paths: &self.files,
                recorder: &self.recorder,
            };
            let budget = self.plan.profile.limits.setup_timeout.duration();
            let ran = commands.run(Phase::Setup, &self.plan.setup, budget).await.map_err(|error| infra(&error))?;
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

    /// What another process left: a running agent is adopted, all else ends here and is harvested.
    async fn adopt(&self, runtime: &AnyRuntime, attempt: &Attempt) -> Result<Place, Outcome> {
        let infra = |error: &dyn std::error::Error| Outcome::new(Status::Infrastructure, chain(error));
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
}

/// The join and the totals as earlier processes left them on disk.
fn remembered(files: &AttemptPaths) -> Result<(Join, Totals), EngineError> {
    let dialect = Dialect {
        inputs_agree: |wire, call| agents::claude::inputs_agree(wire, call, HOME),
        is_refused_before_gate: agents::claude::is_refused_before_gate,
    };
    let mut join = Join::new(dialect);
    let mut totals = Totals::default();
    for record in journal::read::<GateRecord>(&files.file("gate.jsonl"))? {
        join.settled(&record.call.id, record.verdict.decision);
    }
    for record in journal::read(&files.file("calls.jsonl"))? {
        match record {
            WireRecord::Use(call) => join.emitted(call),
            WireRecord::Result(result) => match join.returned(&result) {
                Finding::Settled => {}
                Finding::RejectedBeforeGate => totals.rejected_before_gate += 1,
                Finding::Bypass(_) => totals.bypassed += 1,
            },
        }
    }
    for usage in journal::read::<Usage>(&files.file("usage.jsonl"))? {
        totals.turns += 1;
        totals.cost_usd += usage.cost_usd;
    }
    for record in journal::read::<EgressRecord>(&files.file("egress.jsonl"))? {
        totals.egress.add(&record);
    }
    Ok((join, totals))
}
