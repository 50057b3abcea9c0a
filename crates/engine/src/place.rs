//! A place for a run: a container with its volumes filled, its channel up and its listeners bound.
//!
//! Every effect is recorded before it is made, with its undo.

use crate::{
    error::EngineError,
    link::{Link, LinkError},
    listeners::{HOME, WORKSPACE},
    plan::{AttemptPlan, Role},
    recorder::Recorder,
    surroundings::Surroundings,
    tools::{self, Tools},
};
use agents::Launch;
use runtime::{
    AnyRuntime, Archive, ContainerId, ContainerSpec, ExecId, ExecSpec, Limits, Mount, Names, Runtime, Tmpfs, TmpfsOwner,
};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use store::{EffectKind, Store};
use tokio::time::sleep;
use types::{
    probe::Kernel,
    profile::ContainerProfile,
    wire::{AGENT_UID, GUEST_DIR, GUEST_PATH, GUEST_UID, RUN_DIR, RUN_DIR_MB},
};

/// Threads that gVisor may have beside those of the processes inside.
const GVISOR_THREADS: u32 = 512;
/// Where the harvest works.
const HARVEST: &str = "/harvest";

/// Times that a container which came late from a dead process is removed.
const LATE_TRIES: u32 = 20;
/// Time between them.
const LATE_PAUSE: Duration = Duration::from_millis(100);

/// A running container with an agent in it.
pub(crate) struct Place {
    pub(crate) container: ContainerId,
    /// The session with its guest; none when it has still to be made.
    pub(crate) link: Option<Link>,
    /// The exec that runs the agent.
    pub(crate) exec: ExecId,
}

/// Why there is no place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl From<runtime::Error> for PlaceError {
    fn from(error: runtime::Error) -> Self {
        Self::Engine(error.into())
    }
}

impl From<store::StoreError> for PlaceError {
    fn from(error: store::StoreError) -> Self {
        Self::Engine(error.into())
    }
}

/// What makes places.
pub(crate) struct Places<'a> {
    pub(crate) runtime: &'a AnyRuntime,
    pub(crate) store: &'a Store,
    pub(crate) plan: &'a AttemptPlan,
    pub(crate) recorder: &'a Recorder,
    /// The kernel that the runtime is known for.
    pub(crate) kernel: Kernel,
}

impl Places<'_> {
    /// Creates and starts the container of a role, with the work tree from `tar`.
    pub(crate) async fn make(&self, role: Role, tools: &Tools, tar: &Path) -> Result<ContainerId, PlaceError> {
        let (container, ()) = self.make_with(role, tools, tar, async |_| Ok(())).await?;
        Ok(container)
    }

    /// [`Places::make`], with `meanwhile` done in the started container while the work tree is still being unpacked: nothing of
    /// the task may run in it. Both are done when this returns.
    pub(crate) async fn make_with<T, F: Future<Output = Result<T, PlaceError>>>(
        &self,
        role: Role,
        tools: &Tools,
        tar: &Path,
        meanwhile: impl FnOnce(ContainerId) -> F,
    ) -> Result<(ContainerId, T), PlaceError> {
        let (workspace, home) = (self.plan.volume(role, "workspace"), self.plan.volume(role, "home"));
        let since = Instant::now();
        tokio::try_join!(self.volume(role, &workspace), self.volume(role, &home))?;
        let own = self.own_mounts(role);
        self.recorder.step("volumes", since);
        let container = self.make_around(role, tools).await?;
        // The longest chain is start and `meanwhile`; the engine does the rest beside it.
        let start = async {
            let since = Instant::now();
            self.runtime.start(&container).await?;
            self.recorder.step("start", since);
            meanwhile(container.clone()).await
        };
        let fill = async {
            let since = Instant::now();
            let filler = self.filler(role, tools, own).await?;
            self.upload_file(&filler, WORKSPACE, tar).await?;
            self.runtime.remove(&filler).await?;
            self.recorder.step("work tree", since);
            Ok(())
        };
        let (done, ()) = tokio::try_join!(start, fill)?;
        Ok((container, done))
    }

    /// Creates the container of a role around its volumes, which are there.
    pub(crate) async fn make_around(&self, role: Role, tools: &Tools) -> Result<ContainerId, PlaceError> {
        let since = Instant::now();
        let mut mounts = self.own_mounts(role);
        mounts.push(Mount::read_only(&tools.guest, GUEST_DIR));
        if role == Role::Agent {
            mounts.push(Mount::read_only(&tools.agent, tools::AGENT_DIR));
            mounts.push(Mount::read_only(&tools.settings.0, tools.settings.1));
        }
        let spec = self.spec(role, mounts);
        let names = names_in(&spec.image, tools);
        let container = self.create(spec, names).await?;
        self.recorder.step("create", since);
        Ok(container)
    }

    fn own_mounts(&self, role: Role) -> Vec<Mount> {
        let volume = |what, at| Mount::writable(self.plan.volume(role, what), at);
        vec![volume("workspace", WORKSPACE), volume("home", HOME)]
    }

    /// Creates and starts the container that only holds volumes for reading: no channel, no agent.
    pub(crate) async fn make_reader(
        &self,
        tools: &Tools,
        workspace: &str,
        base: &Path,
    ) -> Result<ContainerId, PlaceError> {
        let role = Role::Harvest;
        let scratch = self.plan.volume(role, "scratch");
        self.volume(role, &scratch).await?;
        let fill = async {
            let filler = self.filler(role, tools, vec![Mount::writable(&scratch, WORKSPACE)]).await?;
            self.runtime.upload(&filler, WORKSPACE, tools.harvest_tar.clone().into()).await?;
            self.upload_file(&filler, &format!("{WORKSPACE}/base"), base).await?;
            Ok::<_, PlaceError>(self.runtime.remove(&filler).await?)
        };
        let mounts = vec![
            Mount::read_only(workspace, WORKSPACE),
            Mount::writable(&scratch, HARVEST),
            Mount::read_only(&tools.guest, GUEST_DIR),
        ];
        let mut spec = self.spec(role, mounts);
        spec.image.clone_from(&tools.reader_image);
        // It only waits until what it reads is there.
        let start = async {
            let container = self.create(spec, Names::Guest).await?;
            self.runtime.start(&container).await?;
            Ok(container)
        };
        let (container, ()) = tokio::try_join!(start, fill)?;
        Ok(container)
    }

    /// A container that is never started, made from our base image, whose `/workspace` and home belong to the agent: the
    /// engine copies them into the empty volumes, which so get their owner, and unpacks archives there. (An archive cannot change the
    /// owner of a volume's root, and a project's image need not have these directories.)
    async fn filler(&self, role: Role, tools: &Tools, mut mounts: Vec<Mount>) -> Result<ContainerId, PlaceError> {
        for mount in &mut mounts {
            mount.copy_up = true;
        }
        let mut spec = self.spec(role, mounts);
        spec.name = self.plan.filler(role);
        spec.image.clone_from(&tools.reader_image);
        self.create(spec, Names::Guest).await
    }

    async fn create(&self, spec: ContainerSpec, names: Names) -> Result<ContainerId, PlaceError> {
        self.store.intend(&self.plan.run, EffectKind::Container, &spec.name)?;
        for _ in 0..LATE_TRIES {
            match self.runtime.create_with(&spec, names).await {
                // The name is this run's, and this process has the run: what bears it was asked for by a process that was killed, and
                // came into being after we had cleared up.
                Err(error) if error.is_conflict() => {
                    tracing::debug!(%error, "removing what a dead process left");
                    if let Err(error) = self.runtime.remove(&ContainerId(spec.name.clone())).await {
                        tracing::debug!(%error, "it cannot be removed yet");
                    }
                    sleep(LATE_PAUSE).await;
                }
                created => return Ok(created?),
            }
        }
        Ok(self.runtime.create_with(&spec, names).await?)
    }

    async fn upload_file(&self, container: &ContainerId, path: &str, tar: &Path) -> Result<(), PlaceError> {
        let opened = tokio::fs::File::open(tar).await;
        let file = opened.map_err(|source| EngineError::Read { path: tar.to_owned(), source })?;
        Ok(self.runtime.upload(container, path, Archive::stream(file)).await?)
    }

    async fn volume(&self, role: Role, name: &str) -> Result<(), PlaceError> {
        self.store.intend(&self.plan.run, EffectKind::Volume, name)?;
        Ok(self.runtime.create_volume(name, &self.plan.labels(role), AGENT_UID).await?)
    }

    /// What the engine is asked for so that `pids` processes can exist.
    fn threads(&self, pids: u32) -> u32 {
        match self.kernel {
            Kernel::Linux => pids,
            // It has threads of its own, and one on the machine for each inside and more; at the limit it dies. How many there are
            // inside is looked at by [`crate::meter`].
            Kernel::Gvisor => pids.saturating_mul(2).saturating_add(GVISOR_THREADS),
        }
    }

    fn spec(&self, role: Role, mounts: Vec<Mount>) -> ContainerSpec {
        let ContainerProfile { image, runtime, memory_mb, cpus, pids, open_files, tmp_mb, .. } =
            &self.plan.profile.container;
        let tmpfs =
            |target: &str, size_mb, owner, mode, exec| Tmpfs { target: target.to_owned(), size_mb, owner, mode, exec };
        ContainerSpec {
            name: self.plan.container(role),
            labels: self.plan.labels(role),
            image: image.clone(),
            command: vec![GUEST_PATH.to_owned(), "init".to_owned()],
            uid: GUEST_UID,
            gid: GUEST_UID,
            env: Default::default(),
            workdir: "/".to_owned(),
            mounts,
            tmpfs: vec![
                tmpfs("/tmp", *tmp_mb, TmpfsOwner::Root, 0o1777, true),
                tmpfs(RUN_DIR, RUN_DIR_MB, TmpfsOwner::Init, 0o755, false),
            ],
            limits: Limits { memory_mb: *memory_mb, cpus: *cpus, pids: self.threads(*pids), open_files: *open_files },
            oci_runtime: (!runtime.is_empty()).then(|| runtime.clone()),
        }
    }
}

/// In our own image the files that name hosts are empty, so that the guest alone answers and the engine need not make them, which
/// is half of its start. Nobody knows what other images hold.
fn names_in(image: &str, tools: &Tools) -> Names {
    if image == tools.reader_image { Names::Guest } else { Names::Engine }
}

/// A command of the task, run as the agent's uid by the image's shell.
pub(crate) fn shell_command(command: &str, surroundings: &Surroundings) -> ExecSpec {
    ExecSpec {
        argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), command.to_owned()],
        env: surroundings.environment().into_iter().collect(),
        uid: AGENT_UID,
        gid: AGENT_UID,
        workdir: Some(WORKSPACE.to_owned()),
        stdin: false,
    }
}

/// The agent's launch line, behind the shim that takes its stdio from PID 1.
pub(crate) fn shim_command(launch: &Launch) -> ExecSpec {
    let shim = [GUEST_PATH, "shim", "--"].map(str::to_owned);
    ExecSpec {
        argv: shim.into_iter().chain(launch.argv.iter().cloned()).collect(),
        env: launch.env.iter().cloned().collect(),
        uid: AGENT_UID,
        gid: AGENT_UID,
        workdir: Some(launch.cwd.clone()),
        stdin: false,
    }
}

/// A command in the container in which a work tree is read.
pub(crate) fn reader_command(argv: Vec<String>, env: Vec<(String, String)>) -> ExecSpec {
    ExecSpec {
        argv,
        env: env.into_iter().collect(),
        uid: AGENT_UID,
        gid: AGENT_UID,
        workdir: Some(HARVEST.to_owned()),
        stdin: false,
    }
}

/// Removes what a role made, containers first. What is gone already is fine.
pub(crate) async fn clear(
    runtime: &AnyRuntime,
    store: &Store,
    plan: &AttemptPlan,
    role: Role,
) -> Result<(), EngineError> {
    for name in [plan.container(role), plan.filler(role)] {
        runtime.remove(&ContainerId(name.clone())).await?;
        store.undone(EffectKind::Container, &name)?;
    }
    for what in ["workspace", "home", "scratch"] {
        let volume = plan.volume(role, what);
        runtime.remove_volume(&volume).await?;
        store.undone(EffectKind::Volume, &volume)?;
    }
    Ok(())
}
