//! Outside effects, recorded before they are made, with what undoes them: the name to remove.

use crate::{Store, StoreError, failed, from_text, to_text};
use rusqlite::params;
use serde::{Deserialize, Serialize};
use types::id::RunId;

/// What kind of thing was made. The undo of each is its removal by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectKind {
    /// A container.
    Container,
    /// A volume.
    Volume,
}

/// Something made outside, not yet undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The run that it was made for.
    pub run: RunId,
    /// What it is.
    pub kind: EffectKind,
    /// Its name in the engine.
    pub name: String,
}

impl Store {
    /// Records that something is about to be made. Recording it again is fine.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn intend(&self, run: &RunId, kind: EffectKind, name: &str) -> Result<(), StoreError> {
        self.lock()
            .execute(
                "insert into effects (run, kind, name) values (?1, ?2, ?3)
                 on conflict (kind, name) do update set undone = 0",
                params![run.as_str(), to_text(&kind), name],
            )
            .map(drop)
            .map_err(failed("record an effect"))
    }

    /// Records that it was removed.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn undone(&self, kind: EffectKind, name: &str) -> Result<(), StoreError> {
        self.lock()
            .execute("update effects set undone = 1 where kind = ?1 and name = ?2", params![to_text(&kind), name])
            .map(drop)
            .map_err(failed("record an undo"))
    }

    /// What was made (or was about to be) and not removed, containers before volumes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn effects(&self) -> Result<Vec<Effect>, StoreError> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached("select run, kind, name from effects where undone = 0 order by kind, id")
            .map_err(failed("list effects"))?;
        let rows = statement
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))
            .map_err(failed("list effects"))?;
        rows.map(|row| {
            let (run, kind, name) = row.map_err(failed("list effects"))?;
            Ok(Effect { run: from_text("run id", &run)?, kind: from_text("effect", &kind)?, name })
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_stand_until_they_are_undone() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(&dir.path().join("s.db")).expect("store");
        let run = RunId::mint(1, 2);
        store.intend(&run, EffectKind::Volume, "v").expect("volume");
        store.intend(&run, EffectKind::Container, "c").expect("container");
        store.intend(&run, EffectKind::Container, "c").expect("again");
        let names: Vec<_> = store.effects().expect("list").into_iter().map(|effect| effect.name).collect();
        assert_eq!(names, ["c", "v"]);
        store.undone(EffectKind::Container, "c").expect("undone");
        assert_eq!(store.effects().expect("list").len(), 1);
    }
}
