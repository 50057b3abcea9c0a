//! Where an agent comes to work: a fresh container with its canary and the task's setup, or what another process left.

use crate::{
    attempt::Work,
    commands::Commands,
    error::EngineError,
    link::{Link, LinkError},
    listeners::{HOME, WORKSPACE},
    meter::Meter,
    outcome::{Outcome, chain},
    paths::{private_dir, write_atomic},
    place::{Place, PlaceError, clear, shim_command},
    plan::Role,
    reconcile::{self, Found, Step},
    tools::Tools,
};
use agents::{Launch, LaunchConfig};
use egress::Egress;
use repo::{Mirror, UserRepo};
use runtime::{AnyRuntime, ContainerId, ExecId, Runtime};
use std::{
    path::{Path, PathBuf},
    time::Instant,
};
use store::Attempt;
use types::{
    event::{Event, Phase},
    result::Status,
};

impl Work<'_> {
    /// A fresh container, its canary, the task's setup, and the agent's exec waiting to be launched.
    pub(crate) async fn provision(
        &self,
        runtime: &AnyRuntime,
        tools: &Tools,
        egress: &Egress,
        snapshot: &Path,
    ) -> Result<Place, Outcome> {
        let infra = |error: &dyn std::error::Error| Outcome::new(Status::Infrastructure, chain(error));
        let launch = self.launch_line(false);
        let join = async |container: ContainerId| self.join(runtime, egress, &container, &launch).await;
        let made = self.places(runtime).make_with(Role::Agent, tools, snapshot, join).await;
        let (container, (mut link, exec)) = made.map_err(|error: PlaceError| infra(&error))?;
        self.canary(&mut link).await?;
        if let Some(outcome) = self.asked_to_stop() {
            return Err(outcome);
        }
        if !self.plan.setup.is_empty() {
            self.record_phase(Phase::Setup, "").map_err(|error| infra(&error))?;
            private_dir(&self.files.file("setup")).map_err(|error| infra(&error))?;
            let commands = Commands {
                runtime,
                container: &container,
                surroundings: &self.out.surroundings,
                paths: &self.files,
                recorder: &self.recorder,
                setup_logs: "setup/",
            };
            let budget = self.plan.profile.limits.setup_timeout.duration();
            let mut meter = Meter::new(runtime, &container, &self.plan.profile.container);
            let ran = tokio::select! {
                ran = commands.run(Phase::Setup, &self.plan.setup, budget) => ran.map_err(|error| infra(&error))?,
                outcome = self.interrupted() => return Err(outcome),
                outcome = meter.reached(link.reports.clone()) => return Err(outcome),
            };
            if let Some(failed) = ran.iter().find(|command| command.code != 0) {
                if let Some(outcome) = meter.killed_for_memory(&mut link.reports).await {
                    return Err(outcome);
                }
                let reason = format!("setup: `{}` ended with {}", failed.command, failed.code);
                return Err(Outcome::new(Status::Setup, reason).with_hint(format!("its output is in {}", failed.log)));
            }
        }
        Ok(Place { container, link: Some(link), exec })
    }

    /// The agent's process: a new session, or the saved one.
    pub(crate) fn launch_line(&self, is_resumed: bool) -> Launch {
        let surroundings = &self.out.surroundings;
        agents::AnyAgent::Claude.launch(&LaunchConfig {
            model: self.plan.profile.agent.model.clone(),
            session_id: self.plan.session.clone(),
            resume: is_resumed,
            cwd: WORKSPACE.to_owned(),
            home: HOME.to_owned(),
            model_address: surroundings.listeners.model,
            proxy_address: surroundings.listeners.proxy,
            placeholder: self.plan.placeholder.clone(),
            append_system_prompt: None,
            max_turns: None,
            env: surroundings.environment(),
        })
    }

    /// The bridge and the agent's shim, side by side in a started container; the shim waits for the guest's word.
    pub(crate) async fn join(
        &self,
        runtime: &AnyRuntime,
        egress: &Egress,
        container: &ContainerId,
        launch: &Launch,
    ) -> Result<(Link, ExecId), PlaceError> {
        let generation = self.engine.store.next_generation(&self.plan.run, self.plan.attempt)?;
        let since = Instant::now();
        let connect = async {
            let (mut link, _) = Link::attach(runtime, container, egress, generation).await?;
            self.out.surroundings.configure(&mut link.control, &self.plan.session).await?;
            Ok::<_, LinkError>(link)
        };
        let shim = async { runtime.exec(container, &shim_command(launch)).await.map_err(LinkError::from) };
        let (link, exec) = tokio::try_join!(connect, shim)?;
        let exec = exec.id().clone();
        self.engine.store.set_agent_exec(&self.plan.run, self.plan.attempt, &exec.0)?;
        self.recorder.step("channel", since);
        Ok((link, exec))
    }

    /// Tries from inside what must fail and what must work. One surprise, and the agent is not started.
    pub(crate) async fn canary(&self, link: &mut Link) -> Result<(), Outcome> {
        let infra = |error: &dyn std::error::Error| Outcome::new(Status::Infrastructure, chain(error));
        let since = Instant::now();
        let plan = self.out.surroundings.probe_plan(self.kernel);
        let report = link.control.probe(plan).await.map_err(|error| infra(&error))?;
        self.recorder.step("canary", since);
        let json = serde_json::to_vec_pretty(&report).unwrap_or_default();
        write_atomic(&self.files.file("probe.json"), &json).map_err(|error| infra(&error))?;
        let is_sound = report.is_sound();
        let first = report.surprises().first().map(|check| format!("{}: {}", check.id, check.detail));
        self.recorder.emit(Event::Canary { report });
        if is_sound {
            return Ok(());
        }
        let what = first.unwrap_or_else(|| "it tried nothing".to_owned());
        let outcome =
            Outcome::new(Status::Policy, format!("the canary was surprised, so the agent was not started: {what}"));
        Err(outcome.with_hint("`sandbox doctor` looks at what the guarantees rest on"))
    }

    /// Goes on with what another process left: an agent that was never executed begins anew, a running one is adopted, all else
    /// ends here and is harvested.
    pub(crate) async fn go_on(
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
            (Step::Unpark, _) => {
                self.recorder.emit(Event::Notice { text: "going on with the agent's saved session".to_owned() });
                self.unpark(runtime, tools, egress, found).await
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
