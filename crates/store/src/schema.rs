//! The tables and their version.

use rusqlite::{Connection, Error};
use std::time::Duration;

/// The newest version of the tables.
pub(crate) const VERSION: i64 = 1;

const TABLES: &str = "
create table attempts (
    run text not null,
    attempt integer not null,
    task text not null,
    task_digest text not null,
    repository text not null,
    plan text not null,
    phase text not null,
    status text,
    reason text not null default '',
    agent_exec text,
    generation integer not null default 0,
    harvested integer not null default 0,
    cancel integer not null default 0,
    created_ms integer not null,
    ended_ms integer,
    primary key (run, attempt)
) strict;
create table asks (
    id text primary key,
    run text not null,
    attempt integer not null,
    digest text not null,
    call text not null,
    reason text not null,
    state text not null,
    answer text not null default '',
    created_ms integer not null,
    deadline_ms integer not null,
    answered_ms integer
) strict;
create index asks_by_run on asks (run, attempt);
create table effects (
    id integer primary key,
    run text not null,
    kind text not null,
    name text not null,
    undone integer not null default 0,
    unique (kind, name)
) strict;
";

/// Makes the tables in a new file and returns the version that the file has then.
pub(crate) fn prepare(connection: &Connection) -> Result<i64, Error> {
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    // Two processes may open a new file at once: the version is read again under the write lock.
    connection.execute_batch("begin immediate")?;
    let found: i64 = connection.query_row("pragma user_version", [], |row| row.get(0))?;
    if found == 0 {
        connection.execute_batch(TABLES)?;
        connection.pragma_update(None, "user_version", VERSION)?;
    }
    connection.execute_batch("commit")?;
    Ok(if found == 0 { VERSION } else { found })
}
