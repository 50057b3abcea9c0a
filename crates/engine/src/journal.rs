//! Append-only JSON lines. The gate's and the egress's are hash-chained: each line carries the hash of the one before, so
//! that a line taken out or changed later shows.
//!
//! What must stay true: none is longer than [`JOURNAL_BYTES`], because what fills them comes from inside and they are read back whole.

use crate::redact;
use egress::limits::JOURNAL_BYTES;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
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
    /// It would be longer than any journal is.
    #[error("{} is longer than {} bytes", .path.display(), .cap)]
    Full {
        /// The file.
        path: PathBuf,
        /// Its longest length.
        cap: u64,
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
    cap: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    /// Bytes of whole lines.
    length: u64,
    /// Hash of the last line, when the journal is chained.
    last: Option<String>,
}

impl Journal {
    /// Opens a plain journal for appending.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub(crate) fn plain(path: &Path) -> Result<Self, JournalError> {
        cut_torn_line(path)?;
        Self::open(path, None)
    }

    /// Opens a hash-chained journal for appending, going on after its last line.
    ///
    /// # Errors
    /// [`JournalError::Io`], or [`JournalError::Damaged`] when the existing lines do not chain.
    pub(crate) fn chained(path: &Path) -> Result<Self, JournalError> {
        cut_torn_line(path)?;
        let last = if path.exists() { verify_chain(path)? } else { GENESIS.to_owned() };
        Self::open(path, Some(last))
    }

    fn open(path: &Path, last: Option<String>) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io { path: path.to_owned(), source };
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        Ok(Self { path: path.to_owned(), cap: JOURNAL_BYTES, inner: Mutex::new(Inner { file, length, last }) })
    }

    /// Appends one line.
    ///
    /// # Errors
    /// [`JournalError`]; the caller must treat what it wanted to record as not having happened.
    pub(crate) fn append(&self, record: &impl Serialize) -> Result<(), JournalError> {
        let encode = |source| JournalError::Encode { path: self.path.clone(), source };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut line, last) = match &inner.last {
            None => (redact::json(record).map_err(encode)?, None),
            Some(last) => {
                let text = redact::json(record).map_err(encode)?;
                let mut fields: Map<String, Value> = serde_json::from_str(&text).map_err(encode)?;
                fields.insert("prev".to_owned(), Value::from(last.as_str()));
                let hash = hash_of(&fields);
                fields.insert("hash".to_owned(), Value::from(hash.as_str()));
                (Value::Object(fields).to_string(), Some(hash))
            }
        };
        line.push('\n');
        if inner.length + line.len() as u64 > self.cap {
            return Err(JournalError::Full { path: self.path.clone(), cap: self.cap });
        }
        if let Err(source) = inner.file.write_all(line.as_bytes()) {
            // Half a line, as on a full disk, would spoil the next one.
            let _ = inner.file.set_len(inner.length);
            return Err(JournalError::Io { path: self.path.clone(), source });
        }
        inner.length += line.len() as u64;
        inner.last = last;
        Ok(())
    }
}

/// Takes away a last line without an end: the process that wrote it was killed within the write, so that nothing it would have
/// recorded has happened.
fn cut_torn_line(path: &Path) -> Result<(), JournalError> {
    let io = |source| JournalError::Io { path: path.to_owned(), source };
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    let length = file.metadata().map_err(io)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_LINE))).map_err(io)?;
    let mut tail = Vec::new();
    Read::take(&mut file, MAX_LINE).read_to_end(&mut tail).map_err(io)?;
    let torn = tail.len() - tail.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    if torn > 0 {
        tracing::warn!(path = %path.display(), torn, "the last line was cut by a crash and is taken away");
        file.set_len(length - torn as u64).map_err(io)?;
    }
    Ok(())
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

/// Reads every line of a journal back; none when there is no file. A last line without an end, which a
/// crash left, is taken away.
///
/// # Errors
/// [`JournalError`].
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, JournalError> {
    let mut out = Vec::new();
    if !path.exists() {
        return Ok(out);
    }
    cut_torn_line(path)?;
    for_lines(path, |line, value| {
        out.push(serde_json::from_value(value).map_err(|_| JournalError::Damaged { path: path.to_owned(), line })?);
        Ok(())
    })?;
    Ok(out)
}

/// [`read`] for a journal that another process may be writing: nothing is taken away, and a last line without an end does not count.
///
/// # Errors
/// [`JournalError`].
pub(crate) fn look<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, JournalError> {
    let mut out = Vec::new();
    if path.exists() {
        for_raw_lines(path, |line, text| {
            if text.ends_with(b"\n") {
                let value = serde_json::from_slice(text);
                out.push(value.map_err(|_| JournalError::Damaged { path: path.to_owned(), line })?);
            }
            Ok(())
        })?;
    }
    Ok(out)
}

fn for_lines(path: &Path, mut each: impl FnMut(usize, Value) -> Result<(), JournalError>) -> Result<(), JournalError> {
    for_raw_lines(path, |line, text| {
        let value = serde_json::from_slice(text).map_err(|_| JournalError::Damaged { path: path.to_owned(), line })?;
        each(line, value)
    })
}

fn for_raw_lines(
    path: &Path,
    mut each: impl FnMut(usize, &[u8]) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let io = |source| JournalError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.len() > JOURNAL_BYTES {
        return Err(JournalError::Full { path: path.to_owned(), cap: JOURNAL_BYTES });
    }
    let mut reader = BufReader::new(file.take(JOURNAL_BYTES));
    for line in 1.. {
        let mut text = Vec::new();
        if Read::take(&mut reader, MAX_LINE).read_until(b'\n', &mut text).map_err(io)? == 0 {
            break;
        }
        each(line, &text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_has_an_end_and_a_longer_file_is_not_read() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("egress.jsonl");
        let mut journal = Journal::chained(&path).expect("open");
        let line = serde_json::json!({"z": 1});
        journal.append(&line).expect("append");
        let length = std::fs::metadata(&path).expect("file").len();
        journal.cap = 2 * length;
        journal.append(&line).expect("as long as may be");
        assert!(matches!(journal.append(&line), Err(JournalError::Full { .. })));
        assert_eq!(read::<Value>(&path).expect("read").len(), 2);
        verify_chain(&path).expect("sound");
        OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(JOURNAL_BYTES + 1)).expect("longer");
        assert!(matches!(look::<Value>(&path), Err(JournalError::Full { .. })));
        assert!(matches!(verify_chain(&path), Err(JournalError::Full { .. })));
    }

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
        std::fs::write(&path, format!("{text}{{\"z\":3,\"hash\":\"be")).expect("torn");
        assert!(matches!(verify_chain(&path), Err(JournalError::Damaged { line: 4, .. })));
        let torn = std::fs::metadata(&path).expect("file").len();
        assert_eq!(look::<Value>(&path).expect("look").len(), 3);
        assert_eq!(std::fs::metadata(&path).expect("file").len(), torn, "looking takes nothing away");
        Journal::chained(&path).expect("reopen").append(&serde_json::json!({"z": 4})).expect("append");
        assert_eq!(read::<Value>(&path).expect("read").last().map(|line| line["z"].clone()), Some(4.into()));
        verify_chain(&path).expect("sound again");
        let without_second: Vec<_> = text.lines().enumerate().filter(|(n, _)| *n != 1).map(|(_, line)| line).collect();
        for (changed, line) in [(without_second.join("\n"), 2), (text.replace("\"z\":1", "\"z\":7"), 2)] {
            std::fs::write(&path, changed).expect("write");
            assert!(matches!(verify_chain(&path), Err(JournalError::Damaged { line: found, .. }) if found == line));
        }
    }
}
