//! The calls that a place for runs has to offer, and the closed set of such places.

use crate::{
    Docker, Fake,
    archive::Archive,
    error::{Error, Operation, Result},
    fill::{self, Fill},
    process::{self, Ended, Exec, Finished, OutputLimits},
    spec::{ContainerId, ContainerSpec, ExecId, ExecSpec, ImageId, Names},
    state::{ContainerState, ContainerSummary, EngineInfo, ExecState, VolumeSummary},
};
use std::{collections::BTreeMap, future::Future, time::Duration};
use tokio::{io::AsyncWrite, time::Instant};

/// Labels of something that is made, or that a listing asks for.
pub type Labels = BTreeMap<String, String>;

/// True when `have` carries every label of `wanted`; an empty value asks for the key alone.
pub(crate) fn carries(have: &Labels, wanted: &Labels) -> bool {
    wanted.iter().all(|(key, value)| have.get(key).is_some_and(|found| value.is_empty() || found == value))
}

/// A place where containers run. Every call has a deadline of its own; a missed one is [`Error::Deadline`] and says nothing
/// about whether the effect happened.
pub trait Runtime: Sync {
    /// What the engine is.
    ///
    /// # Errors
    /// When it does not answer.
    fn info(&self) -> impl Future<Output = Result<EngineInfo>> + Send;

    /// Creates a container; it does not run yet, and archives can be unpacked in its writable volumes. A volume that does not
    /// exist is made, empty.
    ///
    /// # Errors
    /// A spec that fails its check; a name that is taken ([`Error::is_conflict`]); an image that is missing
    /// ([`Error::is_not_found`]); an option that the engine refuses. Nothing is weakened to make it fit.
    fn create_with(&self, spec: &ContainerSpec, names: Names) -> impl Future<Output = Result<ContainerId>> + Send;

    /// [`Runtime::create_with`] names from the engine's files.
    ///
    /// # Errors
    /// As there.
    fn create(&self, spec: &ContainerSpec) -> impl Future<Output = Result<ContainerId>> + Send {
        self.create_with(spec, Names::Engine)
    }

    /// Starts PID 1. Starting a running container is fine.
    ///
    /// # Errors
    /// When the engine cannot start it.
    fn start(&self, id: &ContainerId) -> impl Future<Output = Result<()>> + Send;

    /// Sends SIGTERM to PID 1, and SIGKILL after `grace` (whole seconds). Returns when it has ended.
    ///
    /// # Errors
    /// When it is absent or the engine fails; a container that has ended is fine.
    fn stop(&self, id: &ContainerId, grace: Duration) -> impl Future<Output = Result<()>> + Send;

    /// Kills everything in it.
    ///
    /// # Errors
    /// When it is absent or the engine fails; a container that has ended is fine.
    fn kill(&self, id: &ContainerId) -> impl Future<Output = Result<()>> + Send;

    /// Kills and removes it with its anonymous volumes. Named volumes stay.
    ///
    /// # Errors
    /// When the engine fails; absent is fine.
    fn remove(&self, id: &ContainerId) -> impl Future<Output = Result<()>> + Send;

    /// Waits until PID 1 has ended.
    ///
    /// # Errors
    /// [`Error::Deadline`] after `within`; else when it is absent or the engine fails.
    fn wait(&self, id: &ContainerId, within: Duration) -> impl Future<Output = Result<ContainerState>> + Send;

    /// Its state.
    ///
    /// # Errors
    /// [`Error::is_not_found`] when it is absent.
    fn inspect(&self, id: &ContainerId) -> impl Future<Output = Result<ContainerState>> + Send;

    /// All containers that carry every one of `labels`, running or not. An empty value asks for the key alone.
    ///
    /// # Errors
    /// When the engine fails.
    fn list(&self, labels: &Labels) -> impl Future<Output = Result<Vec<ContainerSummary>>> + Send;

    /// Starts a process in a running container, with its streams attached.
    ///
    /// # Errors
    /// A spec that fails its check, a container that is absent or not running. A program that does not exist is no error here:
    /// the process ends with status 126 or 127.
    fn exec(&self, id: &ContainerId, spec: &ExecSpec) -> impl Future<Output = Result<Exec>> + Send;

    /// How such a process is doing.
    ///
    /// # Errors
    /// [`Error::is_not_found`] when the engine has forgotten it (its container is gone).
    fn exec_state(&self, id: &ExecId) -> impl Future<Output = Result<ExecState>> + Send;

    /// Unpacks an archive at `path`, which is the target of a writable volume or below it. Owners and modes are kept. Works on
    /// a container that was created and never started. The engine unpacks, so the archive must be ours, never an agent's.
    ///
    /// # Errors
    /// When `path` is not writable or absent, or the archive cannot be read.
    fn upload(&self, id: &ContainerId, path: &str, archive: Archive) -> impl Future<Output = Result<()>> + Send;

    /// True when `path` exists in the container.
    ///
    /// # Errors
    /// When the container is absent or the engine fails.
    fn has_path(&self, id: &ContainerId, path: &str) -> impl Future<Output = Result<bool>> + Send;

    /// Creates a volume whose root belongs to uid and gid `owner` on Podman; Docker cannot set one, and takes it from the
    /// image on the first mount with [`crate::Mount::copy_up`]. A volume that exists is left as it is, with the labels it has.
    ///
    /// # Errors
    /// When the engine fails.
    fn create_volume(&self, name: &str, labels: &Labels, owner: u32) -> impl Future<Output = Result<()>> + Send;

    /// A volume by name, if it exists.
    ///
    /// # Errors
    /// When the engine fails.
    fn volume(&self, name: &str) -> impl Future<Output = Result<Option<VolumeSummary>>> + Send;

    /// All volumes that carry every one of `labels`. An empty value asks for the key alone.
    ///
    /// # Errors
    /// When the engine fails.
    fn list_volumes(&self, labels: &Labels) -> impl Future<Output = Result<Vec<VolumeSummary>>> + Send;

    /// Removes a volume; absent is fine.
    ///
    /// # Errors
    /// [`Error::is_conflict`] while a container uses it.
    fn remove_volume(&self, name: &str) -> impl Future<Output = Result<()>> + Send;

    /// The id of an image that the engine holds.
    ///
    /// # Errors
    /// When the engine fails; a missing image is `None`.
    fn image_id(&self, reference: &str) -> impl Future<Output = Result<Option<ImageId>>> + Send;

    /// Runs a command to its end and writes its stdout and stderr to `sink`, in the order of arrival and up to the cap.
    ///
    /// # Errors
    /// As [`Runtime::exec`]; a connection that breaks while the container lives; a `sink` that cannot be written.
    fn exec_output<W: AsyncWrite + Unpin + Send>(
        &self,
        id: &ContainerId,
        spec: &ExecSpec,
        sink: &mut W,
        limits: OutputLimits,
    ) -> impl Future<Output = Result<Finished>> + Send {
        async move {
            let exec = self.exec(id, spec).await?;
            let exec_id = exec.id().clone();
            let got = process::collect(exec, sink, limits, &id.0).await?;
            let ended = if got.complete { end_of(self, &exec_id).await? } else { Ended::TimedOut };
            Ok(Finished { ended, written: got.written, dropped: got.dropped })
        }
    }

    /// A volume with the content of `fill`, made at most once per content. Returns its name, to be mounted read-only.
    /// `labels` mark what is made on the way, beside our own. See [`crate::fill`].
    ///
    /// # Errors
    /// When the engine fails or the content is not complete; nothing half-filled is ever returned, now or later.
    fn filled_volume(&self, prefix: &str, labels: &Labels, fill: &Fill) -> impl Future<Output = Result<String>> + Send
    where
        Self: Sized,
    {
        fill::filled_volume(self, prefix, labels, fill)
    }
}

/// The engine notes a process's end a moment after its output has ended.
async fn end_of<R: Runtime + ?Sized>(runtime: &R, id: &ExecId) -> Result<Ended> {
    let deadline = Instant::now() + process::EXIT_GRACE;
    let mut pause = Duration::from_millis(2);
    loop {
        match runtime.exec_state(id).await {
            Ok(ExecState { running: false, exit_code: Some(code) }) => return Ok(Ended::Exited(code)),
            Err(error) if error.is_not_found() => return Ok(Ended::Lost),
            Err(error) => return Err(error),
            Ok(_) if Instant::now() >= deadline => {
                return Err(Error::Deadline {
                    operation: Operation::ExecState,
                    subject: id.0.clone(),
                    after: process::EXIT_GRACE,
                });
            }
            Ok(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// The places that exist.
#[derive(Clone, Debug)]
pub enum AnyRuntime {
    /// Docker, or Podman through the same API.
    Docker(Docker),
    /// In memory, for tests of the layers above.
    Fake(Fake),
}

macro_rules! each {
    ($self:ident, $runtime:ident => $call:expr) => {
        match $self {
            AnyRuntime::Docker($runtime) => $call.await,
            AnyRuntime::Fake($runtime) => $call.await,
        }
    };
}

impl Runtime for AnyRuntime {
    async fn info(&self) -> Result<EngineInfo> {
        each!(self, r => r.info())
    }
    async fn create_with(&self, spec: &ContainerSpec, names: Names) -> Result<ContainerId> {
        each!(self, r => r.create_with(spec, names))
    }
    async fn start(&self, id: &ContainerId) -> Result<()> {
        each!(self, r => r.start(id))
    }
    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        each!(self, r => r.stop(id, grace))
    }
    async fn kill(&self, id: &ContainerId) -> Result<()> {
        each!(self, r => r.kill(id))
    }
    async fn remove(&self, id: &ContainerId) -> Result<()> {
        each!(self, r => r.remove(id))
    }
    async fn wait(&self, id: &ContainerId, within: Duration) -> Result<ContainerState> {
        each!(self, r => r.wait(id, within))
    }
    async fn inspect(&self, id: &ContainerId) -> Result<ContainerState> {
        each!(self, r => r.inspect(id))
    }
    async fn list(&self, labels: &Labels) -> Result<Vec<ContainerSummary>> {
        each!(self, r => r.list(labels))
    }
    async fn exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<Exec> {
        each!(self, r => r.exec(id, spec))
    }
    async fn exec_state(&self, id: &ExecId) -> Result<ExecState> {
        each!(self, r => r.exec_state(id))
    }
    async fn upload(&self, id: &ContainerId, path: &str, archive: Archive) -> Result<()> {
        each!(self, r => r.upload(id, path, archive))
    }
    async fn has_path(&self, id: &ContainerId, path: &str) -> Result<bool> {
        each!(self, r => r.has_path(id, path))
    }
    async fn create_volume(&self, name: &str, labels: &Labels, owner: u32) -> Result<()> {
        each!(self, r => r.create_volume(name, labels, owner))
    }
    async fn volume(&self, name: &str) -> Result<Option<VolumeSummary>> {
        each!(self, r => r.volume(name))
    }
    async fn list_volumes(&self, labels: &Labels) -> Result<Vec<VolumeSummary>> {
        each!(self, r => r.list_volumes(labels))
    }
    async fn remove_volume(&self, name: &str) -> Result<()> {
        each!(self, r => r.remove_volume(name))
    }
    async fn image_id(&self, reference: &str) -> Result<Option<ImageId>> {
        each!(self, r => r.image_id(reference))
    }
}
