//! Named volumes.

use super::{ASK, Docker, label_filter};
use crate::{
    error::{Operation, Result},
    runtime::{Labels, carries},
    spec::check_name,
    state::{EngineKind, VolumeSummary},
};
use bollard::{
    models::{Volume, VolumeCreateRequest},
    query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptions},
};
use std::{collections::HashMap, time::Duration};

/// Deadline for removing: the engine deletes the files before it answers.
const REMOVE: Duration = Duration::from_secs(300);

fn summary(volume: Volume) -> VolumeSummary {
    VolumeSummary { name: volume.name, labels: volume.labels.into_iter().collect(), mountpoint: volume.mountpoint }
}

impl Docker {
    pub(super) async fn make_volume(&self, name: &str, labels: &Labels, owner: u32) -> Result<()> {
        check_name("volume name", name)?;
        let driver_opts = match self.kind() {
            // Its local driver takes an owner only together with a device.
            EngineKind::Docker => None,
            EngineKind::Podman => Some(HashMap::from([("o".to_owned(), format!("uid={owner},gid={owner}"))])),
        };
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect()),
            driver_opts,
            ..VolumeCreateRequest::default()
        };
        match self.call(Operation::CreateVolume, name, ASK, self.client.create_volume(request)).await {
            Ok(_) => Ok(()),
            // Podman answers so when two create it at once.
            Err(error) => match self.inspect_volume(name).await {
                Ok(Some(_)) => Ok(()),
                Ok(None) | Err(_) => Err(error),
            },
        }
    }

    pub(super) async fn inspect_volume(&self, name: &str) -> Result<Option<VolumeSummary>> {
        check_name("volume name", name)?;
        match self.call(Operation::InspectVolume, name, ASK, self.client.inspect_volume(name)).await {
            Ok(volume) => Ok(Some(summary(volume))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn find_volumes(&self, labels: &Labels) -> Result<Vec<VolumeSummary>> {
        let options = ListVolumesOptionsBuilder::default().filters(&label_filter(labels)).build();
        let list = self.client.list_volumes(Some(options));
        let found = self.call(Operation::ListVolumes, &format!("{labels:?}"), ASK, list).await?;
        // Podman takes a label's name for a pattern.
        let found = found.volumes.unwrap_or_default().into_iter().map(summary);
        Ok(found.filter(|volume| carries(&volume.labels, labels)).collect())
    }

    pub(super) async fn drop_volume(&self, name: &str) -> Result<()> {
        check_name("volume name", name)?;
        let remove = self.client.remove_volume(name, None::<RemoveVolumeOptions>);
        match self.call(Operation::RemoveVolume, name, REMOVE, remove).await {
            Err(error) if error.is_not_found() => Ok(()),
            outcome => outcome,
        }
    }
}
