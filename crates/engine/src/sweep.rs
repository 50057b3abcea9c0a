//! Removing what finished runs left in the engine. An attempt that was not harvested is never touched.

use crate::error::EngineError;
use runtime::{AnyRuntime, ContainerId, Labels, Runtime, labels};
use serde::Serialize;
use std::collections::BTreeMap;
use store::{EffectKind, Store};

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Names of removed containers and volumes.
    pub removed: Vec<String>,
    /// Names that stay, because their run is on or its work is not harvested.
    pub kept: Vec<String>,
}

/// Sweeps what carries our label or stands in the store as not undone.
pub(crate) async fn sweep(runtime: &AnyRuntime, store: &Store, dry_run: bool) -> Result<Swept, EngineError> {
    // Runs of another state directory are not in this store, so that they are never swept by mistake.
    let known: BTreeMap<String, bool> =
        store.attempts()?.into_iter().map(|attempt| (attempt.run.to_string(), attempt.phase.is_done())).collect();
    let labelled = Labels::from([(labels::RUN.to_owned(), String::new())]);
    let mut found: BTreeMap<(u8, String), String> = BTreeMap::new();
    for container in runtime.list(&labelled).await? {
        let run = container.labels.get(labels::RUN).cloned().unwrap_or_default();
        found.insert((0, container.name), run);
    }
    for volume in runtime.list_volumes(&labelled).await? {
        let run = volume.labels.get(labels::RUN).cloned().unwrap_or_default();
        found.insert((1, volume.name), run);
    }
    let mut swept = Swept::default();
    for ((order, name), run) in found {
        match known.get(&run) {
            None => continue,
            Some(false) => {
                swept.kept.push(name);
                continue;
            }
            Some(true) => {}
        }
        if !dry_run {
            if order == 0 {
                runtime.remove(&ContainerId(name.clone())).await?;
                store.undone(EffectKind::Container, &name)?;
            } else {
                runtime.remove_volume(&name).await?;
                store.undone(EffectKind::Volume, &name)?;
            }
        }
        swept.removed.push(name);
    }
    Ok(swept)
}
