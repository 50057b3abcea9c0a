//! The head of the harvest stream, parsed from hostile bytes.

use super::HarvestError;
use tokio::io::{AsyncRead, AsyncReadExt};

/// `sandbox-harvest-1 <10 digits>\n`
const HEAD: usize = 29;
const MAGIC: &str = "sandbox-harvest-1 ";
/// Longest manifest, in bytes.
const MAX_MANIFEST: usize = 1024 * 1024;
/// Most omitted lines that are kept.
const MAX_OMITTED: usize = 1000;
/// Longest omitted line, in characters.
const MAX_LINE: usize = 400;

/// What the job says about itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) base: String,
    pub(super) commit: String,
    pub(super) tree: String,
    /// Escaped and cut.
    pub(super) omitted: Vec<String>,
}

/// Reads the manifest and leaves the pack in the stream.
pub(super) async fn read(stream: &mut (impl AsyncRead + Send + Unpin)) -> Result<Manifest, HarvestError> {
    let cut = |source| HarvestError::Stream { source };
    let mut head = [0u8; HEAD];
    stream.read_exact(&mut head).await.map_err(cut)?;
    let length = std::str::from_utf8(&head)
        .ok()
        .and_then(|head| head.strip_prefix(MAGIC)?.strip_suffix('\n'))
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|digits| digits.parse::<usize>().ok())
        .filter(|length| *length <= MAX_MANIFEST)
        .ok_or(HarvestError::Manifest { what: "its head is not one of ours" })?;
    let mut body = vec![0u8; length];
    stream.read_exact(&mut body).await.map_err(cut)?;
    parse(&body)
}

fn parse(body: &[u8]) -> Result<Manifest, HarvestError> {
    let (mut base, mut commit, mut tree, mut omitted) = (None, None, None, Vec::new());
    for record in body.split(|&b| b == 0).filter(|record| !record.is_empty()) {
        let record = String::from_utf8_lossy(record);
        let (key, value) = record.split_once('=').ok_or(HarvestError::Manifest { what: "a record has no key" })?;
        let slot = match key {
            "base" => &mut base,
            "commit" => &mut commit,
            "tree" => &mut tree,
            "omit" => {
                if omitted.len() < MAX_OMITTED {
                    omitted.push(types::text::printable(value, MAX_LINE));
                }
                continue;
            }
            _ => return Err(HarvestError::Manifest { what: "it has an unknown record" }),
        };
        if !crate::git::is_oid(value) || slot.replace(value.to_owned()).is_some() {
            return Err(HarvestError::Manifest { what: "an object id is malformed or repeated" });
        }
    }
    let (Some(base), Some(commit), Some(tree)) = (base, commit, tree) else {
        return Err(HarvestError::Manifest { what: "an object id is missing" });
    };
    Ok(Manifest { base, commit, tree, omitted })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(extra: &str) -> String {
        let id = "ab".repeat(20);
        format!("base={id}\0commit={id}\0tree={id}\0{extra}")
    }

    #[test]
    fn a_manifest_is_read_and_its_lines_are_escaped() {
        let manifest = parse(body("omit=special file: a\u{1b}[2J\0").as_bytes()).expect("good");
        assert_eq!(manifest.omitted, ["special file: a\\u{1b}[2J"]);
        for bad in ["base=HEAD\0", "other=1\0", "nothing\0"] {
            assert!(parse(body(bad).as_bytes()).is_err(), "{bad:?}");
        }
        assert!(parse(b"omit=x\0").is_err());
    }

    #[tokio::test]
    async fn a_cut_or_oversized_head_is_refused() {
        let text = body("");
        let good = format!("{MAGIC}{:010}\n{text}", text.len());
        assert!(read(&mut good.as_bytes()).await.is_ok());
        assert!(read(&mut &good.as_bytes()[..good.len() - 1]).await.is_err());
        assert!(read(&mut format!("{MAGIC}{:010}\n", 9_999_999_999u64).as_bytes()).await.is_err());
        assert!(read(&mut format!("{MAGIC}+00000000{}\n", 1).as_bytes()).await.is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }
    }
}
