//! What must survive a crash: attempts, held calls and the outside effects with their undo, in one SQLite file.
//!
//! Every write is one transaction. Effects are recorded before they are made, so that a later process finds whatever an
//! earlier one may have left behind.

mod ask;
mod attempt;
mod effect;
mod schema;

pub use ask::{Answer, Ask, AskState};
pub use attempt::{Attempt, NewAttempt};
pub use effect::{Effect, EffectKind};

use rusqlite::Connection;
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened or is no store of ours.
    #[error("cannot open the store {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: rusqlite::Error,
    },
    /// The file was written by a newer version.
    #[error("the store {path} has schema {found}; this build knows {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest one known.
        known: i64,
    },
    /// A statement failed.
    #[error("the store failed to {action}")]
    Statement {
        /// What was being done.
        action: &'static str,
        /// The cause.
        #[source]
        source: rusqlite::Error,
    },
    /// A stored value cannot be read back.
    #[error("the store holds an unreadable {what}")]
    Corrupt {
        /// Which value.
        what: &'static str,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// No question has this id.
    #[error("no held call `{ask}`")]
    NoSuchAsk {
        /// The id as given.
        ask: String,
    },
    /// Several questions begin with this id.
    #[error("`{ask}` names more than one held call")]
    AmbiguousAsk {
        /// The id as given.
        ask: String,
    },
    /// The question was answered before, or its deadline passed.
    #[error("the held call `{ask}` is {state} already")]
    AskClosed {
        /// Its id.
        ask: String,
        /// `allowed`, `denied`, `expired` or `withdrawn`.
        state: &'static str,
    },
}

/// The store. All methods block for well under a millisecond.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the file, making it and its tables where they are missing.
    ///
    /// # Errors
    /// [`StoreError::Open`] or [`StoreError::Newer`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let open = |source| StoreError::Open { path: path.to_owned(), source };
        let connection = Connection::open(path).map_err(open)?;
        let found = schema::prepare(&connection).map_err(open)?;
        if found > schema::VERSION {
            return Err(StoreError::Newer { path: path.to_owned(), found, known: schema::VERSION });
        }
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// A panic while the lock was held leaves SQLite's own transaction rolled back, so the connection stays usable.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(action: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    move |source| StoreError::Statement { action, source }
}

fn from_text<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|source| StoreError::Corrupt { what, source })
}

/// The kebab-case name of a unit variant, as it stands in JSON.
fn to_text(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}
