//! The bytes between the host and the agent, on disk by offset: what the agent wrote, and what was written to it. Together
//! with the guest's offsets they let another process go on exactly where this one stopped.

use crate::paths::PathError;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Stands where a stream was cut.
const CUT: &str = "\n[what followed was dropped: container.log-mb]\n";

/// One stream on disk.
#[derive(Debug)]
pub(crate) struct Transcript {
    path: PathBuf,
    file: File,
    /// Longest kept file, in bytes. Nothing that is longer is a conversation.
    cap: u64,
    /// Where the bytes of the agent's present process begin; offsets are counted from here.
    base: u64,
    length: u64,
    /// Bytes of the present process that were passed over.
    skipped: u64,
}

impl Transcript {
    /// Opens the file for appending, at its end. The bytes before `base` belong to earlier processes of the agent; in all there are
    /// at most `cap`.
    pub(crate) fn open(path: &Path, base: u64, cap: u64) -> Result<Self, PathError> {
        let io = |source| PathError::Io { path: path.to_owned(), source };
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(io)?;
        let whole = file.metadata().map_err(io)?.len();
        let length =
            whole.checked_sub(base).ok_or_else(|| io(io::Error::other("the stream is shorter than it was")))?;
        Ok(Self { path: path.to_owned(), file, cap, base, length, skipped: 0 })
    }

    /// Bytes of the present process stored so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The offset in the agent's stream up to which it was taken in: what was stored and what was passed over.
    pub(crate) fn offset(&self) -> u64 {
        self.length + self.skipped
    }

    /// Passes over what the guest does not keep any more, because an earlier process of ours has passed over it.
    pub(crate) fn skip_to(&mut self, offset: u64) {
        self.skipped += offset.saturating_sub(self.offset());
    }

    /// Stores bytes as far as they fit, and says once where it was cut; the rest is passed over.
    pub(crate) fn append_cut(&mut self, bytes: &[u8]) -> Result<(), PathError> {
        let io = |source| PathError::Io { path: self.path.clone(), source };
        let room = self.cap.saturating_sub(self.base + self.length);
        let kept = &bytes[..bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
        self.file.write_all(kept).map_err(io)?;
        if kept.len() < bytes.len() && room > 0 {
            self.file.write_all(CUT.as_bytes()).map_err(io)?;
        }
        self.length += kept.len() as u64;
        self.skipped += (bytes.len() - kept.len()) as u64;
        Ok(())
    }

    /// Stores bytes. They are in the kernel's hands when this returns, so that a killed process has not lost them.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), PathError> {
        let io = |source| PathError::Io { path: self.path.clone(), source };
        if self.base + self.length + bytes.len() as u64 > self.cap {
            return Err(PathError::TooLong { path: self.path.clone(), mb: self.cap >> 20 });
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
        file.take(self.length).read_to_end(&mut bytes).map_err(io)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: u64 = 1 << 20;

    #[test]
    fn a_stream_goes_on_after_reopening() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("x");
        Transcript::open(&path, 0, CAP).expect("open").append(b"one ").expect("append");
        let mut again = Transcript::open(&path, 0, CAP).expect("again");
        assert_eq!(again.length(), 4);
        again.append(b"two").expect("append");
        assert_eq!(again.from(2).expect("read"), b"e two");
    }

    #[test]
    fn half_a_line_is_taken_away() {
        let dir = tempfile::tempdir().expect("dir");
        let mut stream = Transcript::open(&dir.path().join("x"), 0, CAP).expect("open");
        stream.append(b"one\ntwo\nthr").expect("append");
        stream.keep_whole_lines().expect("cut");
        stream.append(b"3\n").expect("append");
        assert_eq!((stream.from(0).expect("read"), stream.length()), (b"one\ntwo\n3\n".to_vec(), 10));
    }

    #[test]
    fn each_process_counts_from_its_own_beginning() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("x");
        Transcript::open(&path, 0, CAP).expect("open").append(b"old\n").expect("append");
        let mut second = Transcript::open(&path, 4, CAP).expect("second");
        assert_eq!(second.length(), 0);
        second.append(b"new\nhal").expect("append");
        second.keep_whole_lines().expect("cut");
        assert_eq!((second.from(0).expect("read"), second.length()), (b"new\n".to_vec(), 4));
        assert_eq!(std::fs::read(&path).expect("file"), b"old\nnew\n");
        assert!(Transcript::open(&path, 9, CAP).is_err());
    }

    #[test]
    fn a_stream_that_is_too_long_is_an_error_or_cut_with_a_mark() {
        let dir = tempfile::tempdir().expect("dir");
        let mut whole = Transcript::open(&dir.path().join("whole"), 0, 5).expect("open");
        whole.append(b"12345").expect("fits");
        assert!(matches!(whole.append(b"6"), Err(PathError::TooLong { .. })));
        let mut cut = Transcript::open(&dir.path().join("cut"), 0, 5).expect("open");
        cut.append_cut(b"123").expect("append");
        cut.append_cut(b"456").expect("append");
        cut.append_cut(b"789").expect("append");
        assert_eq!((cut.length(), cut.offset()), (5, 9));
        assert_eq!(fs::read_to_string(dir.path().join("cut")).expect("read"), format!("12345{CUT}"));
        cut.skip_to(20);
        cut.skip_to(7);
        assert_eq!(cut.offset(), 20);
    }
}
