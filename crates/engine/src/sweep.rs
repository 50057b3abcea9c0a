//! Removing what finished runs left in the engine. An attempt that was not harvested is never touched.

use crate::{clock::now_ms, error::EngineError};
use runtime::{AnyRuntime, ContainerId, ContainerSummary, Labels, Runtime, VolumeSummary, labels};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use store::{EffectKind, Store};

/// Seconds after which what belongs to no run is one whose process is gone: a fill of a shared volume that was not published, or a
/// container in which package managers are asked. It takes seconds, or minutes.
const STRAY: i64 = 3600;

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
    sweep_fills(runtime, dry_run, &mut swept).await?;
    sweep_discoveries(runtime, dry_run, &mut swept).await?;
    Ok(swept)
}

/// Removes what processes left that were killed while they filled a shared volume.
async fn sweep_fills(runtime: &AnyRuntime, dry_run: bool, swept: &mut Swept) -> Result<(), EngineError> {
    let fills = Labels::from([(labels::ROLE.to_owned(), labels::ROLE_FILL.to_owned())]);
    // Volumes first: what is published between the two listings is so not taken for a stray.
    let (volumes, helpers) = (runtime.list_volumes(&fills).await?, runtime.list(&fills).await?);
    let (helpers, volumes) = strays(&helpers, &volumes, now_ms() / 1000);
    for name in &helpers {
        if !dry_run {
            runtime.remove(&ContainerId(name.clone())).await?;
        }
    }
    for name in &volumes {
        if !dry_run {
            runtime.remove_volume(name).await?;
        }
    }
    swept.removed.extend(helpers.into_iter().chain(volumes));
    Ok(())
}

/// Removes what discoveries left whose process was killed.
async fn sweep_discoveries(runtime: &AnyRuntime, dry_run: bool, swept: &mut Swept) -> Result<(), EngineError> {
    let discoveries = Labels::from([(labels::ROLE.to_owned(), labels::ROLE_DISCOVER.to_owned())]);
    let now = now_ms() / 1000;
    let (containers, volumes) = (runtime.list(&discoveries).await?, runtime.list_volumes(&discoveries).await?);
    let containers = containers.into_iter().filter(|container| is_old(&container.labels, now));
    let volumes = volumes.into_iter().filter(|volume| is_old(&volume.labels, now));
    for container in containers {
        if !dry_run {
            runtime.remove(&ContainerId(container.name.clone())).await?;
        }
        swept.removed.push(container.name);
    }
    for volume in volumes {
        if !dry_run {
            runtime.remove_volume(&volume.name).await?;
        }
        swept.removed.push(volume.name);
    }
    Ok(())
}

/// True for what began long before `now`, as its label says.
fn is_old(own: &Labels, now: i64) -> bool {
    let since = own.get(labels::SINCE).and_then(|text| text.parse::<i64>().ok());
    since.is_some_and(|since| now.saturating_sub(since) > STRAY)
}

/// Names of the helpers and of the volumes of fills that began long before `now` and were never published.
fn strays(helpers: &[ContainerSummary], volumes: &[VolumeSummary], now: i64) -> (Vec<String>, Vec<String>) {
    let is_old = |own: &Labels| is_old(own, now);
    let published: BTreeSet<_> = volumes.iter().filter_map(|volume| volume.labels.get(labels::FILLED)).collect();
    let helpers = helpers.iter().filter(|helper| is_old(&helper.labels)).map(|helper| helper.name.clone());
    let volumes = volumes.iter().filter(|volume| {
        volume.labels.contains_key(labels::FILL) && !published.contains(&volume.name) && is_old(&volume.labels)
    });
    (helpers.collect(), volumes.map(|volume| volume.name.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn labelled(since: i64, more: &[(&str, &str)]) -> Labels {
        let more = more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        more.chain([(labels::SINCE.to_owned(), since.to_string())]).collect()
    }

    fn volume(name: &str, labels: Labels) -> VolumeSummary {
        VolumeSummary { name: name.into(), labels, mountpoint: String::new() }
    }

    #[test]
    fn only_old_and_unpublished_fills_are_strays() {
        let fill = |name: &str, since| volume(name, labelled(since, &[(labels::FILL, "marker")]));
        let volumes = [
            fill("published", 0),
            volume("marker", labelled(0, &[(labels::FILLED, "published")])),
            fill("left", NOW - STRAY - 1),
            fill("under-way", NOW - STRAY),
            volume("without-age", Labels::from([(labels::FILL.to_owned(), "marker".to_owned())])),
        ];
        let helper = |name: &str, since| ContainerSummary {
            id: ContainerId(name.into()),
            name: name.into(),
            labels: labelled(since, &[]),
            running: false,
        };
        let helpers = [helper("left", 0), helper("under-way", NOW)];
        assert_eq!(strays(&helpers, &volumes, NOW), (vec!["left".to_owned()], vec!["left".to_owned()]));
    }
}
