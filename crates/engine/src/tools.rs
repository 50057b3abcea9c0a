//! What comes into every container from outside its image: the guest, the agent's binary and its managed settings, as
//! read-only volumes that are filled once per digest and shared by all runs.

use crate::{clock::now_ms, error::EngineError, paths::write_atomic};
use agents::AnyAgent;
use runtime::{AnyRuntime, ArchiveBuilder, Fill, ImageId, Labels, Owner, Runtime, labels};
use std::{fs, io, path::Path, time::Duration};
use types::wire::AGENT_UID;

/// Where the agent's image holds the agent.
pub(crate) const AGENT_DIR: &str = "/opt/claude";

/// Names of the filled volumes, and what a harvest needs.
pub(crate) struct Tools {
    pub(crate) guest: String,
    pub(crate) agent: String,
    /// The agent's managed settings, and where they are mounted.
    pub(crate) settings: (String, &'static str),
    /// Image with git and a shell in which work trees are read: ours, never the project's.
    pub(crate) reader_image: String,
    pub(crate) harvest_tar: Vec<u8>,
}

/// The id of an image that the engine holds.
///
/// # Errors
/// [`EngineError::NoImage`].
pub(crate) async fn look_for(runtime: &AnyRuntime, image: &str) -> Result<ImageId, EngineError> {
    runtime.image_id(image).await?.ok_or_else(|| EngineError::NoImage { image: image.to_owned() })
}

/// The id of the run's image, by which all of its containers are made, also those of a process that goes on with the run: a tag may
/// move meanwhile. It is written to `kept` when the image is looked for first.
///
/// # Errors
/// [`EngineError::NoImage`], [`EngineError::Path`].
pub(crate) async fn pin(runtime: &AnyRuntime, image: &str, kept: &Path) -> Result<ImageId, EngineError> {
    match fs::read_to_string(kept) {
        Ok(id) => look_for(runtime, &id).await,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = look_for(runtime, image).await?;
            write_atomic(kept, id.0.as_bytes())?;
            Ok(id)
        }
        Err(source) => Err(EngineError::Read { path: kept.to_owned(), source }),
    }
}

/// The volume with the guest alone, for containers without an agent.
///
/// # Errors
/// [`EngineError::Runtime`]
pub(crate) async fn guest_volume(
    runtime: &AnyRuntime,
    guest: &[u8],
    reader_image: &str,
) -> Result<String, EngineError> {
    let fill = Fill::Tar {
        image: reader_image.to_owned(),
        tar: one_file("guest", guest, 0o755).map_err(archive)?.into(),
        witness: "guest".to_owned(),
    };
    Ok(runtime.filled_volume("sandbox-guest", &since_now(), &fill).await?)
}

/// Marks what belongs to no run: a process that is killed while it makes such a thing leaves it, and by its age it is swept.
pub(crate) fn since_now() -> Labels {
    Labels::from([(labels::SINCE.to_owned(), (now_ms() / 1000).to_string())])
}

fn one_file(path: &str, content: &[u8], mode: u32) -> io::Result<Vec<u8>> {
    ArchiveBuilder::default().directory(".", Owner::root(0o755))?.file(path, content, Owner::root(mode))?.finish()
}

fn archive(source: io::Error) -> EngineError {
    EngineError::Read { path: Path::new("(archive in memory)").to_owned(), source }
}

/// Makes sure that every volume is filled from images that are there; costs a look each when they are.
pub(crate) async fn prepare(
    runtime: &AnyRuntime,
    guest: &[u8],
    agent_image: &str,
    reader_image: &str,
    approval_deadline: Duration,
) -> Result<Tools, EngineError> {
    let image = || reader_image.to_owned();
    let [file] = AnyAgent::Claude.files(approval_deadline);
    let settings = Fill::Tar {
        image: image(),
        tar: one_file(file.name, file.content.as_bytes(), 0o444).map_err(archive)?.into(),
        witness: file.name.to_owned(),
    };
    let agent = Fill::Image { image: agent_image.to_owned(), path: AGENT_DIR.to_owned(), witness: "claude".to_owned() };
    let labels = since_now();
    let (guest, settings, agent) = tokio::try_join!(
        guest_volume(runtime, guest, reader_image),
        async { Ok(runtime.filled_volume("sandbox-settings", &labels, &settings).await?) },
        async { Ok(runtime.filled_volume("sandbox-claude", &labels, &agent).await?) },
    )?;
    let owner = Owner { uid: AGENT_UID, gid: AGENT_UID, mode: 0o755 };
    Ok(Tools {
        guest,
        agent,
        settings: (settings, file.dir),
        reader_image: image(),
        harvest_tar: ArchiveBuilder::default()
            .directory("base", owner)
            .and_then(ArchiveBuilder::finish)
            .map_err(archive)?,
    })
}
