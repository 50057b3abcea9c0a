//! The container in which package managers are asked: made like a run's, with a home, a channel and an egress without routes, and
//! without a work tree, an agent or a credential.

use super::heard::Heard;
use crate::{
    error::EngineError,
    keys::Placeholders,
    link::{Link, LinkError},
    listeners::HOME,
    place::{names_in, shell_command, spec},
    surroundings::Surroundings,
    tools::since_now,
};
use egress::{Config, Egress, KeptAuthority, Keys, Limits, scan::Secrets};
use runtime::{AnyRuntime, ContainerId, Ended, ExecSpec, Mount, Names, OutputLimits, Runtime, labels};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use types::{
    event::EgressRecord,
    probe::Kernel,
    profile::Profile,
    route::Route,
    wire::{AGENT_UID, GUEST_DIR},
};

/// Where scripts begin.
const WORKDIR: &str = "/tmp";
/// How long it may take to end what a query left.
const CLEARING: Duration = Duration::from_secs(10);

/// What came of a script.
pub(super) struct Outcome {
    /// The beginning of its output.
    pub(super) text: String,
    /// False when it was stopped at its deadline.
    pub(super) is_ended: bool,
    /// What was refused meanwhile.
    pub(super) records: Vec<EgressRecord>,
}

/// What goes into it.
pub(super) struct Tools {
    /// The volume that holds the guest.
    pub(super) guest: String,
    /// Our own image.
    pub(super) reader_image: String,
    /// The kernel below the runtime.
    pub(super) kernel: Kernel,
}

/// What is made for it, by name.
pub(super) struct Made {
    container: ContainerId,
    filler: ContainerId,
    home: String,
}

impl Default for Made {
    fn default() -> Self {
        let name = format!("sandbox-discover-{}", uuid::Uuid::new_v4().simple());
        Self { filler: ContainerId(format!("{name}-fill")), home: format!("{name}-home"), container: ContainerId(name) }
    }
}

impl Made {
    /// Removes all of it, as far as it was made. What cannot be removed keeps nothing else; the first failure is told.
    ///
    /// # Errors
    /// [`EngineError::Runtime`]
    pub(super) async fn remove(made: &[Self], runtime: &AnyRuntime) -> Result<(), EngineError> {
        let mut removed = Ok(());
        for Self { container, filler, home } in made {
            removed = removed.and(runtime.remove(container).await);
            removed = removed.and(runtime.remove(filler).await);
            removed = removed.and(runtime.remove_volume(home).await);
        }
        Ok(removed?)
    }
}

/// The container, running.
pub(super) struct Laboratory<'a> {
    runtime: &'a AnyRuntime,
    container: &'a ContainerId,
    surroundings: Surroundings,
    heard: Arc<Heard>,
    _link: Link,
}

impl<'a> Laboratory<'a> {
    /// Creates and starts it, and takes over its way out, which has these routes.
    ///
    /// # Errors
    /// [`EngineError::Runtime`], [`EngineError::Link`]
    pub(super) async fn open(
        runtime: &'a AnyRuntime,
        profile: &Profile,
        made: &'a Made,
        tools: &Tools,
        routes: Vec<Route>,
    ) -> Result<Self, EngineError> {
        let mut labels = since_now();
        labels.insert(labels::ROLE.to_owned(), labels::ROLE_DISCOVER.to_owned());
        runtime.create_volume(&made.home, &labels, AGENT_UID).await?;
        // The home of our own image gives the volume its owner, as it does in runs.
        let mut home = Mount::writable(&made.home, HOME);
        home.copy_up = true;
        let mut filler = spec(&profile.container, tools.kernel, made.filler.0.clone(), labels.clone(), vec![home]);
        filler.image.clone_from(&tools.reader_image);
        runtime.create_with(&filler, Names::Guest).await?;
        runtime.remove(&made.filler).await?;
        let mounts = vec![Mount::writable(&made.home, HOME), Mount::read_only(&tools.guest, GUEST_DIR)];
        let spec = spec(&profile.container, tools.kernel, made.container.0.clone(), labels, mounts);
        runtime.create_with(&spec, names_in(&spec.image, &tools.reader_image)).await?;
        runtime.start(&made.container).await?;
        let hosts: Vec<_> = routes.iter().map(|route| &route.endpoint.host).collect();
        let authority = if hosts.is_empty() { None } else { Some(KeptAuthority::make(hosts)?) };
        let certificate = authority.as_ref().map(|kept| kept.certificate.clone());
        let surroundings = Surroundings::new(profile, &routes, &Placeholders::new(), certificate);
        let heard: Arc<Heard> = Arc::default();
        let egress = Egress::new(Config {
            routes,
            keys: Keys { authority, ..Keys::default() },
            model: None,
            limits: Limits::default(),
            sink: heard.clone(),
            secrets: Secrets::default(),
        })?;
        let (mut link, _) = Link::attach(runtime, &made.container, &egress, 1).await?;
        let session = uuid::Uuid::new_v4().to_string();
        surroundings.configure(&mut link.control, &session).await.map_err(LinkError::from)?;
        Ok(Self { runtime, container: &made.container, surroundings, heard, _link: link })
    }

    fn command(&self, script: &str) -> ExecSpec {
        ExecSpec { workdir: Some(WORKDIR.to_owned()), ..shell_command(script, &self.surroundings) }
    }

    /// Runs a script, and ends what it leaves, so that what is heard next is the next one's.
    ///
    /// # Errors
    /// [`EngineError::Runtime`]
    pub(super) async fn run(&self, script: &str, deadline: Duration) -> Result<Outcome, EngineError> {
        let mut output = Vec::new();
        let limits = OutputLimits { max_bytes: super::hosts::MAX_TEXT as u64, deadline: Instant::now() + deadline };
        let command = self.command(script);
        let finished = self.runtime.exec_output(self.container, &command, &mut output, limits).await?;
        self.clear().await?;
        Ok(Outcome {
            text: String::from_utf8_lossy(&output).into_owned(),
            is_ended: matches!(finished.ended, Ended::Exited(_)),
            records: self.heard.take(),
        })
    }

    /// Ends every process of the agent's uid.
    async fn clear(&self) -> Result<(), EngineError> {
        let limits = OutputLimits { max_bytes: 0, deadline: Instant::now() + CLEARING };
        let command = self.command("kill -KILL -1");
        self.runtime.exec_output(self.container, &command, &mut tokio::io::sink(), limits).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::{Fake, Operation};

    #[tokio::test]
    async fn what_cannot_be_removed_keeps_nothing_else() {
        for failures in [&[][..], &[(Operation::Remove, 1)], &[(Operation::Remove, 2), (Operation::RemoveVolume, 1)]] {
            let (fake, made) = (Fake::default(), [(); 2].map(|()| Made::default()));
            let runtime = AnyRuntime::Fake(fake.clone());
            failures.iter().for_each(|(operation, nth)| fake.fail_before(*operation, *nth));
            let removed = Made::remove(&made, &runtime).await;
            assert_eq!(removed.is_err(), !failures.is_empty());
            let asked: Vec<_> = fake.calls().into_iter().map(|call| call.subject).collect();
            let all = made.iter().flat_map(|made| [&made.container.0, &made.filler.0, &made.home]);
            assert_eq!(asked, all.cloned().collect::<Vec<_>>());
        }
    }
}
