//! Archives on their way into a volume, and small ones made here.

use bytes::Bytes;
use std::io;
use tokio::io::AsyncRead;

/// A tar archive to unpack.
pub enum Archive {
    /// In memory.
    Bytes(Bytes),
    /// From a file or a process; read as the engine takes it.
    Stream(Box<dyn AsyncRead + Send + Unpin>),
}

impl From<Vec<u8>> for Archive {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl Archive {
    /// An archive that is read while it is unpacked.
    pub fn stream(source: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self::Stream(Box::new(source))
    }
}

/// Owner and permission bits of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Uid.
    pub uid: u32,
    /// Gid.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

impl Owner {
    /// Root's, readable by all: `0o755` for programs and directories, `0o444` for data.
    #[must_use]
    pub fn root(mode: u32) -> Self {
        Self { uid: 0, gid: 0, mode }
    }
}

/// Makes a small archive in memory, the same bytes for the same entries.
pub struct ArchiveBuilder(tar::Builder<Vec<u8>>);

impl Default for ArchiveBuilder {
    fn default() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }
}

impl ArchiveBuilder {
    /// A directory. Engines skip `.`: the root of a volume gets its owner from the image, see [`crate::Mount::copy_up`].
    ///
    /// # Errors
    /// When `path` is absolute, climbs or is too long.
    pub fn directory(mut self, path: &str, owner: Owner) -> io::Result<Self> {
        let mut header = header(owner, tar::EntryType::Directory, 0);
        if path == "." {
            // `append_data` would refuse a path without a name.
            header.as_mut_bytes()[..2].copy_from_slice(b"./");
            header.set_cksum();
            self.0.append(&header, io::empty())?;
        } else {
            self.0.append_data(&mut header, format!("{path}/"), io::empty())?;
        }
        Ok(self)
    }

    /// A regular file.
    ///
    /// # Errors
    /// When `path` is absolute, climbs or is too long.
    pub fn file(mut self, path: &str, content: &[u8], owner: Owner) -> io::Result<Self> {
        let mut header = header(owner, tar::EntryType::Regular, content.len() as u64);
        self.0.append_data(&mut header, path, content)?;
        Ok(self)
    }

    /// The finished archive.
    ///
    /// # Errors
    /// Never for an archive in memory; the signature is that of the writer below.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        self.0.into_inner()
    }
}

fn header(owner: Owner, kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_uid(owner.uid.into());
    header.set_gid(owner.gid.into());
    header.set_mode(owner.mode);
    header.set_size(size);
    header.set_mtime(0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_reproducible_and_refuse_to_climb() {
        let make = || {
            ArchiveBuilder::default()
                .directory(".", Owner { uid: 1000, gid: 1000, mode: 0o755 })
                .and_then(|a| a.directory("etc", Owner::root(0o755)))
                .and_then(|a| a.file("etc/x", b"hello", Owner::root(0o444)))
                .and_then(ArchiveBuilder::finish)
                .expect("archive")
        };
        assert_eq!(make(), make());
        let bytes = make();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entries: Vec<_> = archive
            .entries()
            .expect("entries")
            .map(|entry| {
                let entry = entry.expect("entry");
                let header = entry.header();
                (
                    entry.path().expect("path").display().to_string(),
                    header.uid().expect("uid"),
                    header.mode().expect("mode"),
                )
            })
            .collect();
        assert_eq!(entries, [("./".into(), 1000, 0o755), ("etc/".into(), 0, 0o755), ("etc/x".into(), 0, 0o444)]);
        assert!(ArchiveBuilder::default().file("../x", b"", Owner::root(0o444)).is_err());
        assert!(ArchiveBuilder::default().file("/x", b"", Owner::root(0o444)).is_err());
    }
}
