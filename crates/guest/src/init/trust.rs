//! Whom programs inside trust: the certificate authorities of the image and, where something is decrypted on the host, the run's own.

use super::configure::publish;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Where images keep their certificate authorities, the first that exists counts: Debian, Fedora and its like, SUSE, Alpine.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Largest bundle that is taken, in bytes.
const MAX_BUNDLE: u64 = 1024 * 1024;

/// Writes the authority alone, and with those of the image.
pub(super) fn write(run_dir: &Path, authority: &str) -> io::Result<()> {
    let of_image = BUNDLES.iter().find_map(|path| read(Path::new(path))).unwrap_or_default();
    publish(run_dir, "authority.pem", authority.as_bytes())?;
    publish(run_dir, "ca-bundle.pem", &joined(&of_image, authority))
}

/// A bundle that is longer than the cap is left out whole: half a certificate would spoil the rest.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path).ok()?.take(MAX_BUNDLE + 1).read_to_end(&mut content).ok()?;
    (content.len() as u64 <= MAX_BUNDLE).then_some(content)
}

fn joined(of_image: &[u8], authority: &str) -> Vec<u8> {
    let gap: &[u8] = if of_image.is_empty() || of_image.ends_with(b"\n") { b"" } else { b"\n" };
    [of_image, gap, authority.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_authority_stands_alone_and_with_the_others() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "-----ours-----\n").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("authority.pem")).unwrap(), "-----ours-----\n");
        assert!(fs::read_to_string(dir.path().join("ca-bundle.pem")).unwrap().ends_with("-----ours-----\n"));
        assert_eq!(joined(b"-----theirs-----", "-----ours-----\n"), b"-----theirs-----\n-----ours-----\n");
    }

    #[test]
    fn what_is_too_large_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bundle");
        fs::write(&path, vec![b'x'; 1024 * 1024 + 1]).unwrap();
        assert!(read(&path).is_none());
        fs::write(&path, "x").unwrap();
        assert_eq!(read(&path).as_deref(), Some(&b"x"[..]));
    }
}
