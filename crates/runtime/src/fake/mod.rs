//! A place in memory, for tests of what uses the runtime: it records calls, fails when told to, and serves commands by a
//! function of the test.
//!
//! It keeps an engine's habits that matter to callers: names are unique, mounts make missing volumes, volumes in use cannot
//! be removed, creating a volume twice changes nothing, and everything in a container ends with it.

mod process;
mod world;

use crate::{
    archive::Archive,
    error::{Error, Operation, Result},
    images::Recipe,
    process::Exec,
    runtime::{Labels, Runtime},
    spec::{ContainerId, ContainerSpec, ExecId, ExecSpec, ImageId, Names},
    state::{ContainerState, ContainerSummary, EngineInfo, EngineKind, ExecState, OciKind, OciRuntime, VolumeSummary},
};
use bytes::Bytes;
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{io::AsyncReadExt, sync::Notify, task::JoinSet};

pub use process::FakeExec;
use world::{Failure, World};

/// One recorded call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What was asked.
    pub operation: Operation,
    /// Of which container (by name), volume, image or command.
    pub subject: String,
}

type Handler = Arc<dyn Fn(FakeExec) -> Pin<Box<dyn Future<Output = i64> + Send>> + Send + Sync>;

/// The place. Clones share it.
#[derive(Clone)]
pub struct Fake {
    world: Arc<Mutex<World>>,
    /// Signalled when a container ends.
    ended: Arc<Notify>,
    handler: Handler,
    /// The commands that run; they end with the last clone.
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fake").finish_non_exhaustive()
    }
}

impl Default for Fake {
    fn default() -> Self {
        Self::new(|_exec| async { 0 })
    }
}

impl Fake {
    /// An empty place whose commands are served by `handler`, which returns their exit status.
    pub fn new<F, T>(handler: F) -> Self
    where
        F: Fn(FakeExec) -> T + Send + Sync + 'static,
        T: Future<Output = i64> + Send + 'static,
    {
        Self {
            world: Arc::default(),
            ended: Arc::default(),
            handler: Arc::new(move |exec| Box::pin(handler(exec))),
            tasks: Arc::default(),
        }
    }

    /// Adds an image.
    #[must_use]
    pub fn with_image(self, reference: &str) -> Self {
        self.world().add_image(reference);
        self
    }

    /// Lets the `nth` call (from 1) of `operation` fail without an effect.
    pub fn fail_before(&self, operation: Operation, nth: usize) {
        self.world().failures.insert((operation, nth), Failure::Before);
    }

    /// Lets the `nth` call (from 1) of `operation` have its effect and then fail, like an answer that was lost.
    pub fn fail_after(&self, operation: Operation, nth: usize) {
        self.world().failures.insert((operation, nth), Failure::After);
    }

    /// Lets every call fail as if the engine were gone, or work again.
    pub fn set_reachable(&self, reachable: bool) {
        self.world().unreachable = !reachable;
    }

    /// Lets `path` be missing in every container.
    pub fn hide_path(&self, path: &str) {
        self.world().hidden.insert(path.to_owned());
    }

    /// Ends PID 1 of a container from inside.
    pub fn end(&self, id: &ContainerId, exit_code: i64, oom_killed: bool) {
        self.world().end(id, exit_code, oom_killed);
        self.ended.notify_waiters();
    }

    /// Every call so far, failed ones included.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.world().calls.clone()
    }

    /// The spec of a container that exists, by name.
    #[must_use]
    pub fn spec(&self, name: &str) -> Option<ContainerSpec> {
        self.world().containers.values().find(|container| container.spec.name == name).map(|found| found.spec.clone())
    }

    /// Archives that were unpacked: the container's name, the path, the bytes.
    #[must_use]
    pub fn uploads(&self) -> Vec<(String, String, Bytes)> {
        self.world().uploads.clone()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ensure_image(&self, recipe: &Recipe) -> Result<ImageId> {
        self.act(Operation::Build, recipe.reference(), |world| Ok(world.add_image(recipe.reference())))
    }

    /// Records a call, fails it if the test says so, and else applies `effect`.
    fn act<T>(&self, operation: Operation, subject: &str, effect: impl FnOnce(&mut World) -> Result<T>) -> Result<T> {
        let mut world = self.world();
        let failure = world.record(operation, subject)?;
        match failure {
            Some(Failure::Before) => Err(world::refused(operation, subject, 500, "the test wants it to fail")),
            Some(Failure::After) => {
                effect(&mut world)?;
                Err(Error::Deadline { operation, subject: subject.to_owned(), after: Duration::ZERO })
            }
            None => effect(&mut world),
        }
    }
}

impl Runtime for Fake {
    async fn info(&self) -> Result<EngineInfo> {
        self.act(Operation::Info, "fake", |_| {
            Ok(EngineInfo {
                kind: EngineKind::Docker,
                version: "0".to_owned(),
                api: "1.41".to_owned(),
                endpoint: "fake".to_owned(),
                os: "none".to_owned(),
                arch: std::env::consts::ARCH.to_owned(),
                cgroup_version: 2,
                storage_driver: "memory".to_owned(),
                platform: None,
                kernel: String::new(),
                data_root: String::new(),
                runtimes: vec![OciRuntime { name: "runc".to_owned(), kind: OciKind::Runc, args: Vec::new() }],
                default_runtime: "runc".to_owned(),
                runtime_version: None,
                security: Vec::new(),
                rootless: false,
                cpus: 2,
                memory: 8 << 30,
            })
        })
    }

    async fn create_with(&self, spec: &ContainerSpec, _names: Names) -> Result<ContainerId> {
        spec.check()?;
        self.act(Operation::Create, &spec.name, |world| world.create(spec))
    }

    async fn start(&self, id: &ContainerId) -> Result<()> {
        let name = self.world().name_of(id);
        self.act(Operation::Start, &name, |world| world.start(id))
    }

    async fn stop(&self, id: &ContainerId, _grace: Duration) -> Result<()> {
        let name = self.world().name_of(id);
        let outcome = self.act(Operation::Stop, &name, |world| world.stop(Operation::Stop, id, 143));
        self.ended.notify_waiters();
        outcome
    }

    async fn kill(&self, id: &ContainerId) -> Result<()> {
        let name = self.world().name_of(id);
        let outcome = self.act(Operation::Kill, &name, |world| world.stop(Operation::Kill, id, 137));
        self.ended.notify_waiters();
        outcome
    }

    async fn remove(&self, id: &ContainerId) -> Result<()> {
        let name = self.world().name_of(id);
        let outcome = self.act(Operation::Remove, &name, |world| {
            world.end(id, 137, false);
            world.containers.remove(&id.0);
            Ok(())
        });
        self.ended.notify_waiters();
        outcome
    }

    async fn wait(&self, id: &ContainerId, within: Duration) -> Result<ContainerState> {
        let name = self.world().name_of(id);
        self.act(Operation::Wait, &name, |_| Ok(()))?;
        let ended = async {
            loop {
                let mut notified = std::pin::pin!(self.ended.notified());
                // Registered before the look, so that an end in between is not missed.
                notified.as_mut().enable();
                let state = self.world().state(Operation::Wait, id)?;
                if !state.running {
                    return Ok(state);
                }
                notified.await;
            }
        };
        let late = |_elapsed| Error::Deadline { operation: Operation::Wait, subject: name.clone(), after: within };
        tokio::time::timeout(within, ended).await.map_err(late)?
    }

    async fn inspect(&self, id: &ContainerId) -> Result<ContainerState> {
        let name = self.world().name_of(id);
        self.act(Operation::Inspect, &name, |world| world.state(Operation::Inspect, id))
    }

    async fn list(&self, labels: &Labels) -> Result<Vec<ContainerSummary>> {
        self.act(Operation::List, &format!("{labels:?}"), |world| Ok(world.list(labels)))
    }

    async fn exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<Exec> {
        spec.check()?;
        let name = self.world().name_of(id);
        let exec_id = self.act(Operation::Exec, &name, |world| world.admit_exec(id))?;
        let (exec, task) =
            process::start(&exec_id, name, spec.clone(), Arc::clone(&self.handler), Arc::clone(&self.world));
        let abort = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
        self.world().running(&exec_id, abort);
        Ok(exec)
    }

    async fn exec_state(&self, id: &ExecId) -> Result<ExecState> {
        self.act(Operation::ExecState, &id.0, |world| world.exec_state(id))
    }

    async fn upload(&self, id: &ContainerId, path: &str, archive: Archive) -> Result<()> {
        let bytes = match archive {
            Archive::Bytes(bytes) => bytes,
            Archive::Stream(mut source) => {
                let mut bytes = Vec::new();
                source.read_to_end(&mut bytes).await.map_err(|error| Error::Refused {
                    operation: Operation::Upload,
                    subject: path.to_owned(),
                    status: None,
                    source: error.into(),
                })?;
                bytes.into()
            }
        };
        let name = self.world().name_of(id);
        self.act(Operation::Upload, &format!("{name} at {path}"), |world| world.upload(id, path, bytes))
    }

    async fn has_path(&self, id: &ContainerId, path: &str) -> Result<bool> {
        self.act(Operation::HasPath, path, |world| {
            world.state(Operation::HasPath, id)?;
            Ok(!world.hidden.contains(path))
        })
    }

    async fn create_volume(&self, name: &str, labels: &Labels, _owner: u32) -> Result<()> {
        crate::spec::check_name("volume name", name)?;
        self.act(Operation::CreateVolume, name, |world| {
            world.volumes.entry(name.to_owned()).or_insert_with(|| labels.clone());
            Ok(())
        })
    }

    async fn volume(&self, name: &str) -> Result<Option<VolumeSummary>> {
        self.act(Operation::InspectVolume, name, |world| Ok(world.volume(name)))
    }

    async fn list_volumes(&self, labels: &Labels) -> Result<Vec<VolumeSummary>> {
        self.act(Operation::ListVolumes, &format!("{labels:?}"), |world| Ok(world.list_volumes(labels)))
    }

    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.act(Operation::RemoveVolume, name, |world| world.remove_volume(name))
    }

    async fn image_id(&self, reference: &str) -> Result<Option<ImageId>> {
        self.act(Operation::ImageId, reference, |world| Ok(world.images.get(reference).cloned()))
    }
}

#[cfg(test)]
mod tests;
