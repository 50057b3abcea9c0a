//! Taking the stream of a harvest job in, on the host.

use super::{HarvestError, manifest};
use crate::{
    bare, diff,
    git::{Git, LONG},
    intake::Store,
    mirror::{Base, Mirror},
    result::{RESULT_REF, ResultRepo},
};
use std::path::Path;
use tokio::io::{AsyncRead, AsyncReadExt};
use types::harvest::Harvest;

/// Takes the job's stream into a fresh bare repository at `into`, which must not exist; its parent must. The result borrows
/// the objects of the base from the mirror.
///
/// # Errors
/// [`HarvestError::Refused`] when the pack or the commit is not what the job makes; nothing of it is kept then.
pub async fn receive(
    mirror: &Mirror,
    base: &Base,
    stream: impl AsyncRead + Send + Unpin,
    into: &Path,
) -> Result<(Harvest, ResultRepo), HarvestError> {
    bare::create(into, &base.commit)
        .and_then(|()| bare::borrow_objects(into, &mirror.git_dir()))
        .map_err(HarvestError::at(into))?;
    let taken = tokio::time::timeout(LONG, take(base, stream, into)).await;
    let taken = taken.unwrap_or(Err(HarvestError::Deadline { seconds: LONG.as_secs() }));
    match taken {
        Ok(harvest) => Ok((harvest, ResultRepo::open(into)?)),
        Err(error) => {
            // Only our own fresh directory is removed; a failure to do so must not hide the cause.
            drop(std::fs::remove_dir_all(into));
            Err(error)
        }
    }
}

async fn take(base: &Base, mut stream: impl AsyncRead + Send + Unpin, into: &Path) -> Result<Harvest, HarvestError> {
    let manifest = manifest::read(&mut stream).await?;
    if manifest.base != base.commit {
        return Err(HarvestError::Manifest { what: "it names another base" });
    }
    let mut harvest =
        Harvest { base: manifest.base, commit: manifest.commit, changes: Vec::new(), omitted: manifest.omitted };
    if harvest.commit == harvest.base {
        if stream.read(&mut [0u8; 1]).await.map_err(|source| HarvestError::Stream { source })? != 0 {
            return Err(HarvestError::Manifest { what: "it names no change, but a pack follows" });
        }
    } else {
        let objects = into.join("objects");
        let store = Store { git_dir: into, objects: &objects };
        store.take_pack(&mut stream, &harvest.base).await?;
        if store.check_commit(&harvest.commit, &harvest.base).await? != manifest.tree {
            return Err(HarvestError::Manifest { what: "it names another tree than the commit" });
        }
        harvest.changes = diff::changes(into, &harvest.base, &harvest.commit).await?;
    }
    Git::at(into, "update-ref").args([RESULT_REF, &harvest.commit]).run().await?;
    Ok(harvest)
}
