//! Reading `events.jsonl` while it may still grow.

use crate::error::EngineError;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::PathBuf,
};
use types::event::EventRecord;

/// Longest line, in bytes.
const MAX_LINE: u64 = 16 * 1024 * 1024;

/// A position in a run's events.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    offset: u64,
}

impl EventLog {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, offset: 0 }
    }

    /// The events that were written since the last call; a line that is not whole yet is left for the next one.
    ///
    /// # Errors
    /// [`EngineError::Read`], [`EngineError::Damaged`].
    pub fn more(&mut self) -> Result<Vec<EventRecord>, EngineError> {
        let read = |source| EngineError::Read { path: self.path.clone(), source };
        let mut out = Vec::new();
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(out),
            Err(error) => return Err(read(error)),
        };
        file.seek(SeekFrom::Start(self.offset)).map_err(read)?;
        let mut reader = BufReader::new(file);
        loop {
            let mut line = Vec::new();
            let count = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(read)?;
            if count == 0 || !line.ends_with(b"\n") {
                return Ok(out);
            }
            self.offset += count as u64;
            out.push(
                serde_json::from_slice(&line)
                    .map_err(|source| EngineError::Damaged { path: self.path.clone(), source })?,
            );
        }
    }
}
