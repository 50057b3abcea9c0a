//! Append-only JSON lines. The gate's and the egress's are hash-chained: each line carries the hash of the one before, so
//! that a line taken out or changed later shows.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Longest line that is read back.
const MAX_LINE: u64 = 32 * 1024 * 1024;
/// What the first line of a chain points to.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Why a journal cannot be written or trusted.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read or written.
    #[error("cannot use the journal {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A value that has no JSON form.
    #[error("cannot write a line of {path}")]
    Encode {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// A line that is not what was written.
    #[error("line {line} of {path} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

/// An open journal. Lines are whole: each is one write to a file opened for appending.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    /// Hash of the last line, when the journal is chained.
    last: Option<String>,
}

impl Journal {
    /// Opens a plain journal for appending.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub(crate) fn plain(path: &Path) -> Result<Self, JournalError> {
        Self::open(path, None)
    }

    /// Opens a hash-chained journal for appending, going on after its last line.
    ///
    /// # Errors
    /// [`JournalError::Io`], or [`JournalError::Damaged`] when the existing lines do not chain.
    pub(crate) fn chained(path: &Path) -> Result<Self, JournalError> {
        let last = if path.exists() { verify_chain(path)? } else { GENESIS.to_owned() };
        Self::open(path, Some(last))
    }

    fn open(path: &Path, last: Option<String>) -> Result<Self, JournalError> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(|source| JournalError::Io { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), inner: Mutex::new(Inner { file, last }) })
    }

    /// Appends one line.
    ///
    /// # Errors
    /// [`JournalError`]; the caller must treat what it wanted to record as not having happened.
    pub(crate) fn append(&self, record: &impl Serialize) -> Result<(), JournalError> {
        let encode = |source| JournalError::Encode { path: self.path.clone(), source };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = match &inner.last {
            None => serde_json::to_string(record).map_err(encode)?,
            Some(last) => {
                let text = serde_json::to_string(record).map_err(encode)?;
                let mut fields: Map<String, Value> = serde_json::from_str(&text).map_err(encode)?;
                fields.insert("prev".to_owned(), Value::from(last.as_str()));
                let hash = hash_of(&fields);
                fields.insert("hash".to_owned(), Value::from(hash.as_str()));
                inner.last = Some(hash);
                Value::Object(fields).to_string()
            }
        };
        line.push('\n');
        inner.file.write_all(line.as_bytes()).map_err(|source| JournalError::Io { path: self.path.clone(), source })
    }
}

fn hash_of(fields: &Map<String, Value>) -> String {
    // Maps are sorted by key, so that the text is the same whenever the values are.
    hex::encode(Sha256::digest(Value::Object(fields.clone()).to_string().as_bytes()))
}

/// Checks a chain and returns the hash of its last line. A last line that was cut by a crash is reported as damaged.
///
/// # Errors
/// [`JournalError::Damaged`] names the first line that does not follow from the one before.
pub(crate) fn verify_chain(path: &Path) -> Result<String, JournalError> {
    let mut last = GENESIS.to_owned();
    for_lines(path, |line, value| {
        let damaged = || JournalError::Damaged { path: path.to_owned(), line };
        let Value::Object(mut fields) = value else { return Err(damaged()) };
        let hash = fields.remove("hash").ok_or_else(damaged)?;
        let chained = fields.get("prev").and_then(Value::as_str) == Some(last.as_str());
        if !chained || hash.as_str() != Some(hash_of(&fields).as_str()) {
            return Err(damaged());
        }
        last = hash.as_str().unwrap_or_default().to_owned();
        Ok(())
    })?;
    Ok(last)
}

/// Reads every line of a journal back; none when there is no file.
///
/// # Errors
/// [`JournalError`].
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, JournalError> {
    let mut out = Vec::new();
    if !path.exists() {
        return Ok(out);
    }
    for_lines(path, |line, value| {
        out.push(serde_json::from_value(value).map_err(|_| JournalError::Damaged { path: path.to_owned(), line })?);
        Ok(())
    })?;
    Ok(out)
}

fn for_lines(path: &Path, mut each: impl FnMut(usize, Value) -> Result<(), JournalError>) -> Result<(), JournalError> {
    let io = |source| JournalError::Io { path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(io)?);
    for line in 1.. {
        let mut text = Vec::new();
        if Read::take(&mut reader, MAX_LINE).read_until(b'\n', &mut text).map_err(io)? == 0 {
            break;
        }
        let value = serde_json::from_slice(&text).map_err(|_| JournalError::Damaged { path: path.to_owned(), line })?;
        each(line, value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_goes_on_after_reopening_and_shows_tampering() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("gate.jsonl");
        for n in 0..3 {
            Journal::chained(&path)
                .expect("open")
                .append(&serde_json::json!({"z": n, "a": {"y": 1, "b": 2}}))
                .expect("append");
        }
        verify_chain(&path).expect("sound");
        assert_eq!(read::<Value>(&path).expect("read").len(), 3);
        let text = std::fs::read_to_string(&path).expect("text");
        let without_second: Vec<_> = text.lines().enumerate().filter(|(n, _)| *n != 1).map(|(_, line)| line).collect();
        for (changed, line) in [(without_second.join("\n"), 2), (text.replace("\"z\":1", "\"z\":7"), 2)] {
            std::fs::write(&path, changed).expect("write");
            assert!(matches!(verify_chain(&path), Err(JournalError::Damaged { line: found, .. }) if found == line));
        }
    }
}
