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
    /// Where the bytes of the agent's present process begin; offsets are counted from here.
    base: u64,
    length: u64,
}

impl Transcript {
    /// Opens the file for appending, at its end. The bytes before `base` belong to earlier processes of the agent.
    pub(crate) fn open(path: &Path, base: u64) -> Result<Self, PathError> {
        let io = |source| PathError::Io { path: path.to_owned(), source };
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(io)?;
        let whole = file.metadata().map_err(io)?.len();
        let length =
            whole.checked_sub(base).ok_or_else(|| io(io::Error::other("the stream is shorter than it was")))?;
        Ok(Self { path: path.to_owned(), file, base, length })
    }

    /// Bytes of the present process stored so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Stores bytes. They are in the kernel's hands when this returns, so that a killed process has not lost them.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), PathError> {
        let io = |source| PathError::Io { path: self.path.clone(), source };
        if self.base + self.length + bytes.len() as u64 > MAX_BYTES {
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
            self.file.set_len(self.base + whole).map_err(|source| PathError::Io { path: self.path.clone(), source })?;
            self.length = whole;
        }
        Ok(())
    }

    /// The bytes of the present process from `offset` on.
    pub(crate) fn from(&self, offset: u64) -> Result<Vec<u8>, PathError> {
        let io = |source| PathError::Io { path: self.path.clone(), source };
        let mut file = fs::File::open(&self.path).map_err(io)?;
        file.seek(SeekFrom::Start(self.base + offset)).map_err(io)?;
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
        Transcript::open(&path, 0).expect("open").append(b"one ").expect("append");
        let mut again = Transcript::open(&path, 0).expect("again");
        assert_eq!(again.length(), 4);
        again.append(b"two").expect("append");
        assert_eq!(again.from(2).expect("read"), b"e two");
    }

    #[test]
    fn half_a_line_is_taken_away() {
        let dir = tempfile::tempdir().expect("dir");
        let mut stream = Transcript::open(&dir.path().join("x"), 0).expect("open");
        stream.append(b"one\ntwo\nthr").expect("append");
        stream.keep_whole_lines().expect("cut");
        stream.append(b"3\n").expect("append");
        assert_eq!((stream.from(0).expect("read"), stream.length()), (b"one\ntwo\n3\n".to_vec(), 10));
    }

    #[test]
    fn each_process_counts_from_its_own_beginning() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("x");
        Transcript::open(&path, 0).expect("open").append(b"old\n").expect("append");
        let mut second = Transcript::open(&path, 4).expect("second");
        assert_eq!(second.length(), 0);
        second.append(b"new\nhal").expect("append");
        second.keep_whole_lines().expect("cut");
        assert_eq!((second.from(0).expect("read"), second.length()), (b"new\n".to_vec(), 4));
        assert_eq!(std::fs::read(&path).expect("file"), b"old\nnew\n");
        assert!(Transcript::open(&path, 9).is_err());
    }
}
