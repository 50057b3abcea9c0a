//! What exists in the fake place.

use super::Call;
use crate::{
    error::{Error, Operation, Result},
    runtime::{Labels, carries},
    spec::{ContainerId, ContainerSpec, ExecId, ImageId},
    state::{ContainerState, ContainerSummary, ExecState, VolumeSummary},
};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tokio::task::AbortHandle;

/// When a call that is told to fail does so.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    /// Without an effect.
    Before,
    /// After its effect.
    After,
}

pub(super) struct Container {
    pub(super) spec: ContainerSpec,
    state: ContainerState,
}

struct Process {
    container: ContainerId,
    state: ExecState,
    abort: Option<AbortHandle>,
}

#[derive(Default)]
pub(super) struct World {
    pub(super) calls: Vec<Call>,
    pub(super) failures: HashMap<(Operation, usize), Failure>,
    pub(super) unreachable: bool,
    pub(super) hidden: BTreeSet<String>,
    pub(super) containers: BTreeMap<String, Container>,
    pub(super) volumes: BTreeMap<String, Labels>,
    pub(super) images: BTreeMap<String, ImageId>,
    pub(super) uploads: Vec<(String, String, Bytes)>,
    processes: HashMap<String, Process>,
    counter: u64,
}

pub(super) fn refused(operation: Operation, subject: &str, status: u16, words: &str) -> Error {
    Error::Refused { operation, subject: subject.to_owned(), status: Some(status), source: words.into() }
}

fn absent(operation: Operation, subject: &str) -> Error {
    Error::NotFound { operation, subject: subject.to_owned(), source: "no such thing".into() }
}

impl World {
    fn next(&mut self, kind: &str) -> String {
        self.counter += 1;
        format!("{kind}{:012x}", self.counter)
    }

    /// Notes a call and tells whether it shall fail.
    pub(super) fn record(&mut self, operation: Operation, subject: &str) -> Result<Option<Failure>> {
        self.calls.push(Call { operation, subject: subject.to_owned() });
        if self.unreachable {
            let source = std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into();
            return Err(Error::Unreachable { endpoint: "fake".to_owned(), source });
        }
        let count = self.calls.iter().filter(|call| call.operation == operation).count();
        Ok(self.failures.get(&(operation, count)).copied())
    }

    pub(super) fn name_of(&self, id: &ContainerId) -> String {
        self.containers.get(&id.0).map_or_else(|| id.0.clone(), |container| container.spec.name.clone())
    }

    pub(super) fn add_image(&mut self, reference: &str) -> ImageId {
        let id = ImageId(format!("sha256:{}", self.next("image")));
        let id = self.images.entry(reference.to_owned()).or_insert(id).clone();
        // An image can be named by its id as well.
        self.images.insert(id.0.clone(), id.clone());
        id
    }

    pub(super) fn create(&mut self, spec: &ContainerSpec) -> Result<ContainerId> {
        let Some(image_id) = self.images.get(&spec.image).cloned() else {
            return Err(absent(Operation::Create, &spec.image));
        };
        if self.containers.values().any(|container| container.spec.name == spec.name) {
            return Err(refused(Operation::Create, &spec.name, 409, "the name is taken"));
        }
        for mount in &spec.mounts {
            self.volumes.entry(mount.volume.clone()).or_default();
        }
        let state = ContainerState {
            running: false,
            never_started: true,
            exit_code: None,
            oom_killed: false,
            started_at: None,
            image_id,
            labels: spec.labels.clone(),
        };
        let id = self.next("container");
        self.containers.insert(id.clone(), Container { spec: spec.clone(), state });
        Ok(ContainerId(id))
    }

    fn container(&mut self, operation: Operation, id: &ContainerId) -> Result<&mut Container> {
        self.containers.get_mut(&id.0).ok_or_else(|| absent(operation, &id.0))
    }

    pub(super) fn start(&mut self, id: &ContainerId) -> Result<()> {
        let state = &mut self.container(Operation::Start, id)?.state;
        state.running = true;
        state.never_started = false;
        state.exit_code = None;
        state.started_at = Some("2026-01-01T00:00:00Z".to_owned());
        Ok(())
    }

    pub(super) fn stop(&mut self, operation: Operation, id: &ContainerId, exit_code: i64) -> Result<()> {
        if self.container(operation, id)?.state.running {
            self.end(id, exit_code, false);
        }
        Ok(())
    }

    /// Ends PID 1 and every process in the container.
    pub(super) fn end(&mut self, id: &ContainerId, exit_code: i64, oom_killed: bool) {
        if let Some(container) = self.containers.get_mut(&id.0) {
            container.state.running = false;
            container.state.exit_code = Some(exit_code);
            container.state.oom_killed = oom_killed;
        }
        for process in self.processes.values_mut().filter(|process| process.container == *id && process.state.running) {
            process.state = ExecState { running: false, exit_code: Some(137) };
            if let Some(abort) = process.abort.take() {
                abort.abort();
            }
        }
    }

    pub(super) fn state(&mut self, operation: Operation, id: &ContainerId) -> Result<ContainerState> {
        Ok(self.container(operation, id)?.state.clone())
    }

    pub(super) fn list(&self, labels: &Labels) -> Vec<ContainerSummary> {
        let found = self.containers.iter().filter(|(_, container)| carries(&container.spec.labels, labels));
        found
            .map(|(id, container)| ContainerSummary {
                id: ContainerId(id.clone()),
                name: container.spec.name.clone(),
                labels: container.spec.labels.clone(),
                running: container.state.running,
            })
            .collect()
    }

    pub(super) fn admit_exec(&mut self, id: &ContainerId) -> Result<ExecId> {
        if !self.container(Operation::Exec, id)?.state.running {
            return Err(refused(Operation::Exec, &id.0, 409, "the container is not running"));
        }
        let exec = self.next("exec");
        let state = ExecState { running: true, exit_code: None };
        self.processes.insert(exec.clone(), Process { container: id.clone(), state, abort: None });
        Ok(ExecId(exec))
    }

    /// Notes the task that plays a process, so that it ends with its container.
    pub(super) fn running(&mut self, id: &ExecId, abort: AbortHandle) {
        match self.processes.get_mut(&id.0) {
            Some(process) if process.state.running => process.abort = Some(abort),
            Some(_) | None => {}
        }
    }

    pub(super) fn exited(&mut self, id: &ExecId, exit_code: i64) {
        if let Some(process) = self.processes.get_mut(&id.0) {
            process.state = ExecState { running: false, exit_code: Some(exit_code) };
        }
    }

    pub(super) fn exec_state(&self, id: &ExecId) -> Result<ExecState> {
        self.processes
            .get(&id.0)
            .filter(|process| self.containers.contains_key(&process.container.0))
            .map(|process| process.state)
            .ok_or_else(|| absent(Operation::ExecState, &id.0))
    }

    pub(super) fn upload(&mut self, id: &ContainerId, path: &str, bytes: Bytes) -> Result<()> {
        let spec = &self.container(Operation::Upload, id)?.spec;
        let name = spec.name.clone();
        let writable = spec.mounts.iter().any(|mount| !mount.read_only && path.starts_with(&mount.target));
        if !writable {
            return Err(refused(Operation::Upload, &name, 500, "container rootfs is marked read-only"));
        }
        self.uploads.push((name, path.to_owned(), bytes));
        Ok(())
    }

    pub(super) fn volume(&self, name: &str) -> Option<VolumeSummary> {
        let labels = self.volumes.get(name)?.clone();
        Some(VolumeSummary { name: name.to_owned(), labels, mountpoint: String::new() })
    }

    pub(super) fn list_volumes(&self, labels: &Labels) -> Vec<VolumeSummary> {
        let found = self.volumes.iter().filter(|(_, have)| carries(have, labels));
        found.filter_map(|(name, _)| self.volume(name)).collect()
    }

    pub(super) fn remove_volume(&mut self, name: &str) -> Result<()> {
        let mut mounts = self.containers.values().flat_map(|container| &container.spec.mounts);
        if mounts.any(|mount| mount.volume == name) {
            return Err(refused(Operation::RemoveVolume, name, 409, "the volume is in use"));
        }
        self.volumes.remove(name);
        Ok(())
    }
}
