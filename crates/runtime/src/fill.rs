//! Volumes with shared, unchanging content: the guest with its settings, an agent's binary.
//!
//! What must stay true: a volume is only ever handed out complete, whoever crashes when, and two processes may fill at once.
//! A volume can neither be renamed nor relabelled, so each attempt fills one of its own, under a random name, and publishes it
//! by creating a *marker* volume whose name depends on the content alone and whose label names the filled volume. Creating
//! a volume that exists changes nothing, so the first marker wins, for everybody; a loser removes its own volume. A crash
//! before that leaves a volume that nobody refers to. All state is in the engine.

use crate::{
    archive::Archive,
    error::{Error, Result},
    labels,
    runtime::{Labels, Runtime},
    spec::{ContainerSpec, ImageId, Limits, Mount, check_name},
    state::EngineKind,
};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Where the helper mounts the volume that an archive is unpacked in.
const FILL_DIR: &str = "/fill";
/// How often a marker that points nowhere is replaced before giving up.
const ATTEMPTS: usize = 3;

/// The content of a volume.
#[derive(Clone, Debug)]
pub enum Fill {
    /// An archive, unpacked with its owners and modes.
    Tar {
        /// Any image that the engine holds: the helper is made from it and never started.
        image: String,
        /// The archive.
        tar: Bytes,
        /// A path in the archive that must be there afterwards: `guest`.
        witness: String,
    },
    /// A directory of an image, copied by the engine.
    Image {
        /// An image that the engine holds.
        image: String,
        /// The absolute directory: `/opt/claude`.
        path: String,
        /// A path below it that must be there afterwards: `claude`.
        witness: String,
    },
}

impl Fill {
    fn image(&self) -> &str {
        match self {
            Self::Tar { image, .. } | Self::Image { image, .. } => image,
        }
    }

    /// What the content depends on, and nothing else.
    fn digest(&self, image: &ImageId) -> String {
        let mut hash = Sha256::new();
        match self {
            Self::Tar { tar, .. } => {
                hash.update(b"tar\0");
                hash.update(tar);
            }
            Self::Image { path, .. } => {
                for part in ["image", &image.0, path] {
                    hash.update(part);
                    hash.update(b"\0");
                }
            }
        }
        hex::encode(&hash.finalize()[..8])
    }

    /// Where the volume is mounted in the helper.
    fn target(&self) -> &str {
        match self {
            Self::Tar { .. } => FILL_DIR,
            Self::Image { path, .. } => path,
        }
    }

    fn witness(&self) -> String {
        match self {
            Self::Tar { witness, .. } | Self::Image { witness, .. } => format!("{}/{witness}", self.target()),
        }
    }
}

/// See [`Runtime::filled_volume`].
pub(crate) async fn filled_volume<R: Runtime>(
    runtime: &R,
    prefix: &str,
    extra: &Labels,
    fill: &Fill,
) -> Result<String> {
    check_name("volume prefix", prefix)?;
    let image = runtime.image_id(fill.image()).await?.ok_or_else(|| missing_image(fill.image()))?;
    let marker = format!("{prefix}-{}", fill.digest(&image));
    for _ in 0..ATTEMPTS {
        match published(runtime, &marker).await? {
            Published::Whole(name) => return Ok(name),
            Published::Broken => runtime.remove_volume(&marker).await?,
            Published::No => {}
        }
        let volume = format!("{marker}-{:08x}", fastrand::u32(..));
        let made = fill_one(runtime, &marker, &volume, &image, extra, fill).await;
        if made.is_err() {
            // The error that counts is the first; what cannot be removed is found again by its label.
            let _left_for_gc = runtime.remove_volume(&volume).await;
        }
        made?;
        match published(runtime, &marker).await? {
            Published::Whole(winner) => {
                if winner != volume {
                    // Somebody was faster. A volume that cannot be removed now is found again by its label.
                    let _left_for_gc = runtime.remove_volume(&volume).await;
                }
                return Ok(winner);
            }
            // Removed between two calls: by `gc`, or by somebody who found the old marker broken.
            Published::No | Published::Broken => {}
        }
    }
    Err(Error::FillIncomplete { volume: marker, witness: fill.witness() })
}

/// What a marker says.
enum Published {
    /// The content is in this volume.
    Whole(String),
    /// It is no marker, or names a volume that was removed. Only such a marker may be taken away.
    Broken,
    /// There is none.
    No,
}

async fn published<R: Runtime>(runtime: &R, marker: &str) -> Result<Published> {
    let Some(found) = runtime.volume(marker).await? else { return Ok(Published::No) };
    let Some(name) = found.labels.get(labels::FILLED) else { return Ok(Published::Broken) };
    let data = runtime.volume(name).await?;
    // The label is compared too: an engine makes a missing volume anew, empty and without labels, when it is mounted.
    let whole = data.is_some_and(|data| data.labels.get(labels::FILL).map(String::as_str) == Some(marker));
    Ok(if whole { Published::Whole(name.clone()) } else { Published::Broken })
}

/// Fills `volume` and publishes it under `marker`.
async fn fill_one<R: Runtime>(
    runtime: &R,
    marker: &str,
    volume: &str,
    image: &ImageId,
    extra: &Labels,
    fill: &Fill,
) -> Result<()> {
    let mut own = extra.clone();
    own.insert(labels::ROLE.to_owned(), labels::ROLE_FILL.to_owned());
    own.insert(labels::FILL.to_owned(), marker.to_owned());
    runtime.create_volume(volume, &own, 0).await?;
    let copy_up = matches!(fill, Fill::Image { .. });
    let helper = ContainerSpec {
        name: volume.to_owned(),
        labels: own.clone(),
        image: image.0.clone(),
        command: vec!["/bin/true".to_owned()],
        uid: types::wire::GUEST_UID,
        gid: types::wire::GUEST_UID,
        env: Labels::new(),
        workdir: "/".to_owned(),
        mounts: vec![Mount { copy_up, ..Mount::writable(volume, fill.target()) }],
        tmpfs: Vec::new(),
        limits: Limits { memory_mb: 256, ..Limits::default() },
        oci_runtime: None,
    };
    let id = runtime.create(&helper).await?;
    let filled = async {
        match fill {
            Fill::Tar { tar, .. } => runtime.upload(&id, FILL_DIR, Archive::Bytes(tar.clone())).await?,
            // Docker copies when the container is created, Podman when it is started.
            Fill::Image { .. } => match runtime.info().await?.kind {
                EngineKind::Docker => {}
                EngineKind::Podman => {
                    runtime.start(&id).await?;
                    runtime.wait(&id, Duration::from_secs(300)).await?;
                }
            },
        }
        if !runtime.has_path(&id, &fill.witness()).await? {
            return Err(Error::FillIncomplete { volume: volume.to_owned(), witness: fill.witness() });
        }
        // Published while the helper still holds the volume, so that nobody takes it for a stray in between.
        own.remove(labels::FILL);
        own.insert(labels::FILLED.to_owned(), volume.to_owned());
        runtime.create_volume(marker, &own, 0).await
    }
    .await;
    let removed = runtime.remove(&id).await;
    filled.and(removed)
}

fn missing_image(image: &str) -> Error {
    Error::NotFound {
        operation: crate::error::Operation::ImageId,
        subject: image.to_owned(),
        source: "no such image".into(),
    }
}
