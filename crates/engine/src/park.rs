//! A run that waits for a person longer than its container does: the agent's session is saved in its home, the work tree is read
//! as a checkpoint, the container is stopped, and the process ends. `sandbox resume` starts the container again, in which the
//! agent goes on with the same conversation.
//!
//! What must stay true: nothing of a parked run is removed; whatever fails half way, the next process finds the phase `parked` and
//! begins from there; an agent is started only after a canary that was not surprised.

use crate::{
    attempt::{Work, Worked},
    error::EngineError,
    finish::STOP_GRACE,
    launches::Transcripts,
    outcome::{Outcome, chain},
    place::Place,
    plan::Role,
    reconcile::Found,
    tools::Tools,
};
use egress::Egress;
use runtime::{AnyRuntime, ContainerId, Runtime};
use std::time::Instant;
use types::{
    event::{Event, Phase},
    result::{AttemptResult, Status},
};

impl Work<'_> {
    /// Stops the container and reads the work so far. The attempt stays open: `result.json` is not written.
    pub(crate) async fn park(
        &self,
        runtime: &AnyRuntime,
        tools: &Tools,
        worked: Worked,
    ) -> Result<AttemptResult, EngineError> {
        self.record_phase(Phase::Parked, "")?;
        let agent = ContainerId(self.plan.container(Role::Agent));
        if let Err(error) = runtime.stop(&agent, STOP_GRACE).await {
            self.note(&format!("the container was not stopped: {}", chain(&error)));
        }
        let since = Instant::now();
        let checkpoint = match self.read_work(runtime, tools).await {
            Ok(harvested) => Some(harvested.harvest),
            Err(error) => {
                self.note(&format!("the work so far is kept and could not be read: {}", chain(&error)));
                None
            }
        };
        self.recorder.step("checkpoint", since);
        let result = self.result(worked, checkpoint, None);
        self.recorder.emit(Event::Done { result: Box::new(result.clone()) });
        Ok(result)
    }

    /// Starts a parked run's container again, with the agent's exec waiting to go on with its session. Someone may have tidied the
    /// stopped container away: all that counts is in the volumes.
    pub(crate) async fn unpark(
        &self,
        runtime: &AnyRuntime,
        tools: &Tools,
        egress: &Egress,
        found: Found,
    ) -> Result<Place, Outcome> {
        let infra = |error: &dyn std::error::Error| Outcome::new(Status::Infrastructure, chain(error));
        let container = match found {
            Found::VolumeOnly | Found::Nothing => {
                self.places(runtime).make_around(Role::Agent, tools).await.map_err(|error| infra(&error))?
            }
            Found::Running | Found::Stopped => {
                let container = ContainerId(self.plan.container(Role::Agent));
                // A process before this one may have died while it did the same.
                runtime.stop(&container, STOP_GRACE).await.map_err(|error| infra(&error))?;
                container
            }
        };
        let since = Instant::now();
        runtime.start(&container).await.map_err(|error| infra(&error))?;
        self.recorder.step("start", since);
        let launch = self.launch_line(true);
        Transcripts::begin(&self.files).map_err(|error| infra(&error))?;
        let joined = self.join(runtime, egress, &container, &launch).await;
        let (mut link, exec) = joined.map_err(|error| infra(&error))?;
        self.canary(&mut link).await?;
        Ok(Place { container, link: Some(link), exec })
    }

    fn note(&self, text: &str) {
        self.recorder.emit(Event::Notice { text: text.to_owned() });
    }
}
