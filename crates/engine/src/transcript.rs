//! The bytes between the host and the agent, on disk by offset: what the agent wrote, and what was written to it. Together
//! with the guest's offsets they let another process go on exactly where this one stopped.

use crate::paths::PathError;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Longest kept stream. An agent that writes more is stopped; nothing of this size is a conversation.
pub(crate) const MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// One stream on disk.
#[derive(Debug)]
pub(crate) struct Transcript {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Transcript {
    /// Opens the file for appending, at its end.
    pub(crate) fn open(path: &Path) -> Result<Self, PathError> {
        let io = |source| PathError::Io { path: path.to_owned(), source };
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        Ok(Self { path: path.to_owned(), file, length })
    }

    /// Bytes stored so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Stores bytes. They are in the kernel's hands when this returns, so that a killed process has not lost them.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), PathError> {
        let io = |source| PathError::Io { path: self.path.clone(), source };
        if self.length + bytes.len() as u64 > MAX_BYTES {
            return Err(io(io::Error::other("the stream is longer than 1 GiB")));
        }
        self.file.write_all(bytes).map_err(io)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Takes away what follows the last line break: a process that was killed within a write has not sent it.
    pub(crate) fn keep_whole_lines(&mut self) -> Result<(), PathError> {
        let bytes = self.from(0)?;
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at as u64 + 1);
        if whole < self.length {
            self.file.set_len(whole).map_err(|source| PathError::Io { path: self.path.clone(), source })?;
            self.length = whole;
        }
        Ok(())
    }

    /// The bytes from `offset` on.
    pub(crate) fn from(&self, offset: u64) -> Result<Vec<u8>, PathError> {
        let io = |source| PathError::Io { path: self.path.clone(), source };
        let mut file = fs::File::open(&self.path).map_err(io)?;
        file.seek(SeekFrom::Start(offset)).map_err(io)?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(io)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_goes_on_after_reopening() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("x");
        Transcript::open(&path).expect("open").append(b"one ").expect("append");
        let mut again = Transcript::open(&path).expect("again");
        assert_eq!(again.length(), 4);
        again.append(b"two").expect("append");
        assert_eq!(again.from(2).expect("read"), b"e two");
    }

    #[test]
    fn half_a_line_is_taken_away() {
        let dir = tempfile::tempdir().expect("dir");
        let mut stream = Transcript::open(&dir.path().join("x")).expect("open");
        stream.append(b"one\ntwo\nthr").expect("append");
        stream.keep_whole_lines().expect("cut");
        stream.append(b"3\n").expect("append");
        assert_eq!((stream.from(0).expect("read"), stream.length()), (b"one\ntwo\n3\n".to_vec(), 10));
    }
}
