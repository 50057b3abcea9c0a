//! Containers from create to remove, and archives into their volumes.

use super::{
    ASK, Docker,
    body::{Engine, create_body},
    label_filter,
};
use crate::{
    archive::Archive,
    error::{Error, Operation, Result},
    runtime::{Labels, carries},
    spec::{ContainerId, ContainerSpec, ImageId, Names},
    state::{ContainerState, ContainerSummary},
};
use bollard::{
    body_full, body_try_stream,
    models::ContainerSummaryStateEnum,
    query_parameters::{
        CreateContainerOptionsBuilder, InspectContainerOptions, KillContainerOptions, ListContainersOptionsBuilder,
        RemoveContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
        UploadToContainerOptionsBuilder, WaitContainerOptionsBuilder,
    },
};
use futures::StreamExt;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::io::ReaderStream;

/// Deadline for changes: a loaded engine takes seconds, and Docker copies an image's content while it creates.
const CHANGE: Duration = Duration::from_secs(120);
/// Deadline for archives.
const UPLOAD: Duration = Duration::from_secs(900);
/// What a stop may take beyond its grace.
const STOP_SLACK: Duration = Duration::from_secs(30);
/// Bytes of an archive that are read at a time.
const CHUNK: usize = 256 * 1024;

impl Docker {
    pub(super) async fn create_container(&self, spec: &ContainerSpec, names: Names) -> Result<ContainerId> {
        spec.check()?;
        let options = CreateContainerOptionsBuilder::default().name(&spec.name).build();
        let create = self.client.create_container(
            Some(options),
            create_body(spec, names, Engine { kind: self.kind(), seccomp: &self.seccomp }),
        );
        let subject = format!("{} from {}", spec.name, spec.image);
        Ok(ContainerId(self.call(Operation::Create, &subject, CHANGE, create).await?.id))
    }

    pub(super) async fn start_container(&self, id: &ContainerId) -> Result<()> {
        let start = self.client.start_container(&id.0, None::<StartContainerOptions>);
        self.call(Operation::Start, &id.0, CHANGE, start).await
    }

    pub(super) async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::default().t(seconds).build();
        let stop = self.client.stop_container(&id.0, Some(options));
        self.call(Operation::Stop, &id.0, grace + STOP_SLACK, stop).await
    }

    pub(super) async fn kill_container(&self, id: &ContainerId) -> Result<()> {
        let kill = self.client.kill_container(&id.0, None::<KillContainerOptions>);
        match self.call(Operation::Kill, &id.0, CHANGE, kill).await {
            // Not running, which is what was wanted. Engines refuse with different statuses, so an inspect tells.
            Err(error @ Error::Refused { .. }) => match self.inspect_container(id).await?.running {
                true => Err(error),
                false => Ok(()),
            },
            outcome => outcome,
        }
    }

    pub(super) async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        let deadline = Instant::now() + CHANGE;
        loop {
            let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            let remove = self.client.remove_container(&id.0, Some(options));
            match self.call(Operation::Remove, &id.0, CHANGE, remove).await {
                Err(error) if error.is_not_found() => return Ok(()),
                // Somebody else is removing it: wait until it is gone.
                Err(error) if error.is_conflict() && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                outcome => return outcome,
            }
        }
    }

    pub(super) async fn wait_container(&self, id: &ContainerId, within: Duration) -> Result<ContainerState> {
        let deadline = Instant::now() + within;
        let late = || Error::Deadline { operation: Operation::Wait, subject: id.0.clone(), after: within };
        loop {
            let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
            let mut ends = Box::pin(self.client.wait_container(&id.0, Some(options)));
            let end = tokio::time::timeout_at(deadline, ends.next()).await.map_err(|_elapsed| late())?;
            match end {
                // The library makes an error of every status but 0; inspect tells the status.
                None | Some(Ok(_) | Err(bollard::errors::Error::DockerContainerWaitError { .. })) => {}
                Some(Err(error)) => return Err(self.failure(Operation::Wait, &id.0, within, error)),
            }
            let state = self.inspect_container(id).await?;
            if !state.running {
                return Ok(state);
            }
            if Instant::now() >= deadline {
                return Err(late());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerState> {
        let inspect = self.client.inspect_container(&id.0, None::<InspectContainerOptions>);
        let found = self.call(Operation::Inspect, &id.0, ASK, inspect).await?;
        let state = found.state.unwrap_or_default();
        let running = state.running.unwrap_or(false);
        // Engines write the year 1 for "never".
        let started_at = state.started_at.filter(|at| !at.is_empty() && !at.starts_with("0001-"));
        Ok(ContainerState {
            running,
            never_started: started_at.is_none(),
            exit_code: if running || started_at.is_none() { None } else { state.exit_code },
            oom_killed: state.oom_killed.unwrap_or(false),
            started_at,
            image_id: ImageId(found.image.unwrap_or_default()),
            labels: found.config.and_then(|config| config.labels).unwrap_or_default().into_iter().collect(),
        })
    }

    pub(super) async fn list_containers(&self, labels: &Labels) -> Result<Vec<ContainerSummary>> {
        let options = ListContainersOptionsBuilder::default().all(true).filters(&label_filter(labels)).build();
        let list = self.client.list_containers(Some(options));
        let found = self.call(Operation::List, &format!("{labels:?}"), ASK, list).await?;
        Ok(found
            .into_iter()
            .filter_map(|container| {
                let name = container.names.and_then(|names| names.into_iter().next()).unwrap_or_default();
                Some(ContainerSummary {
                    id: ContainerId(container.id?),
                    name: name.trim_start_matches('/').to_owned(),
                    labels: container.labels.unwrap_or_default().into_iter().collect(),
                    running: matches!(
                        container.state,
                        Some(ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::PAUSED)
                    ),
                })
            })
            // Podman takes a label's name for a pattern.
            .filter(|container| carries(&container.labels, labels))
            .collect())
    }

    pub(super) async fn put_archive(&self, id: &ContainerId, path: &str, archive: Archive) -> Result<()> {
        let options = UploadToContainerOptionsBuilder::default().path(path).no_overwrite_dir_non_dir("true").build();
        let tar = match archive {
            Archive::Bytes(bytes) => body_full(bytes),
            Archive::Stream(source) => body_try_stream(ReaderStream::with_capacity(source, CHUNK)),
        };
        let upload = self.client.upload_to_container(&id.0, Some(options), tar);
        self.call(Operation::Upload, &format!("{id} at {path}"), UPLOAD, upload).await
    }

    pub(super) async fn stat_path(&self, id: &ContainerId, path: &str) -> Result<bool> {
        let options = bollard::query_parameters::ContainerArchiveInfoOptionsBuilder::default().path(path).build();
        let stat = self.client.get_container_archive_info(&id.0, Some(options));
        match self.call(Operation::HasPath, &format!("{id} at {path}"), ASK, stat).await {
            Ok(_) => Ok(true),
            // The container and the path are told apart by asking for the container.
            Err(error) if error.is_not_found() => self.inspect_container(id).await.map(|_| false),
            Err(error) => Err(error),
        }
    }
}
