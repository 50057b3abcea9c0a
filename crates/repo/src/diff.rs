//! The listing of changes: every path with mode and id, whatever attributes the agent wrote (THREATS G-27).

use crate::{git::Git, harvest::HarvestError, review};
use std::{collections::HashMap, path::Path};
use types::harvest::{Change, ChangeKind};

/// Cap on the listing, in bytes.
const MAX_LISTING: u64 = 256 << 20;
/// Most changes that are listed.
const MAX_CHANGES: usize = 500_000;

/// A comparison of two commits by git's plumbing, which reads no configuration that could name a program. The repository's
/// HEAD names nothing, so that no attributes are read from a commit either.
pub(crate) fn command(git_dir: &Path, base: &str, commit: &str, options: &[&str]) -> Git {
    Git::at(git_dir, "diff-tree")
        .args([
            "-r",
            "--full-index",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
            "--ignore-submodules=none",
        ])
        .args(options)
        .args([base, commit])
        .deadline(crate::git::LONG)
}

/// Every changed path between `base` and `commit`.
pub(crate) async fn changes(git_dir: &Path, base: &str, commit: &str) -> Result<Vec<Change>, HarvestError> {
    let listing = command(git_dir, base, commit, &["-z", "--raw", "--numstat"]).cap(MAX_LISTING).run().await?;
    parse(&listing)
}

/// Reads `--raw --numstat -z`: first all raw records, then all counts.
fn parse(listing: &[u8]) -> Result<Vec<Change>, HarvestError> {
    let odd = |what| HarvestError::Listing { what };
    let mut fields = listing.split(|&b| b == 0).filter(|field| !field.is_empty()).peekable();
    let (mut changes, mut at) = (Vec::new(), HashMap::new());
    while let Some(raw) = fields.next_if(|field| field.first() == Some(&b':')) {
        let path = fields.next().ok_or(odd("a record has no path"))?;
        at.insert(path, changes.len());
        changes.push(raw_record(raw, path).ok_or(odd("a record is malformed"))?);
        if changes.len() > MAX_CHANGES {
            return Err(odd("there are too many changes"));
        }
    }
    for field in fields {
        let mut parts = field.splitn(3, |&b| b == b'\t');
        let (Some(added), Some(removed), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(odd("a count is malformed"));
        };
        let change = at.get(path).and_then(|&n| changes.get_mut(n)).ok_or(odd("a count has no record"))?;
        // `-` for binary files.
        let count = |text: &[u8]| std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        (change.added, change.removed) = (count(added), count(removed));
    }
    Ok(changes)
}

/// `:<old mode> <new mode> <old id> <new id> <status>`
fn raw_record(raw: &[u8], path: &[u8]) -> Option<Change> {
    let mut words = std::str::from_utf8(raw).ok()?.strip_prefix(':')?.split(' ');
    let old_mode = u32::from_str_radix(words.next()?, 8).ok()?;
    let new_mode = u32::from_str_radix(words.next()?, 8).ok()?;
    let (_, oid) = (words.next()?, words.next().filter(|oid| crate::git::is_oid(oid))?);
    let kind = match words.next()? {
        "A" => ChangeKind::Added,
        "M" => ChangeKind::Modified,
        "D" => ChangeKind::Deleted,
        "T" => ChangeKind::TypeChanged,
        _ => return None,
    };
    let path = String::from_utf8_lossy(path).into_owned();
    let executes = review::executes(&path).map(str::to_owned);
    Some(Change { executes, path, kind, old_mode, new_mode, oid: oid.to_owned(), added: None, removed: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_and_counts_are_joined_by_path() {
        let id = "ab".repeat(20);
        let listing = format!(
            ":100644 100755 {id} {id} M\0a\tb\n\u{1b}\0:000000 120000 {id} {id} A\0-x\0\
             3\t1\ta\tb\n\u{1b}\0-\t-\t-x\0"
        );
        let changes = parse(listing.as_bytes()).expect("good");
        assert_eq!((changes[0].path.as_str(), changes[0].new_mode), ("a\tb\n\u{1b}", 0o100_755));
        assert_eq!((changes[0].added, changes[0].removed), (Some(3), Some(1)));
        assert_eq!((changes[1].kind, changes[1].added), (ChangeKind::Added, None));
        for bad in [":100644\0x\0", "1\t2\tx\0", ":100644 100644 a b M\0x\0"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }
    }
}
