//! A fresh clone as a tar: what the agent's `/workspace` starts from, and what `verify` runs in.
//!
//! What must stay true: only objects that the commit reaches are inside (THREATS C-06); one branch, no reflogs, hooks or
//! credentials; no filter driver runs while the tree is written out, because the configuration is ours.
//!
//! Every file gets the same old modification time, in the index too, and the configuration tells git to compare only time
//! and size: so the first `git status` inside reads no file. Files touched later have a newer time.

use crate::{
    bare,
    error::RepoError,
    git::{Git, LONG},
    mirror::{self, Base},
    remote::Remote,
    tree_tar,
};
use sha2::{Digest, Sha256};
use std::{fs, path::Path};

/// Raised when the content of snapshots changes, so that old ones are not used.
const FORMAT: &str = "snapshot-1";
/// Most files of a commit.
const MAX_FILES: u64 = 1_000_000;
/// Most bytes of a commit's files.
const MAX_BYTES: u64 = 16 << 30;
/// Cap on the listing of a commit's files, in bytes.
const MAX_LISTING: u64 = 512 << 20;

/// Names the snapshot of a base with these remotes.
pub(crate) fn key(base: &Base, remotes: &[Remote]) -> String {
    let mut digest = Sha256::new();
    for part in
        [FORMAT, &base.commit, &base.branch].into_iter().chain(remotes.iter().flat_map(|r| [r.name.as_str(), &r.url]))
    {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    format!("{}-{}", base.commit.get(..12).unwrap_or_default(), hex::encode(&digest.finalize()[..8]))
}

/// Writes the tar of `commit` of the trusted repository at `source` to `out`, whole or not at all.
pub(crate) async fn build(
    source: &Path,
    commit: &str,
    branch: &str,
    remotes: &[Remote],
    out: &Path,
) -> Result<(), RepoError> {
    check_size(source, commit).await?;
    let parent = out.parent().unwrap_or(Path::new("/"));
    let temp = tempfile::Builder::new().prefix("new-").tempdir_in(parent).map_err(RepoError::at(parent))?;
    let tree = temp.path().join("tree");
    let git_dir = tree.join(".git");
    fs::create_dir_all(&git_dir).map_err(RepoError::at(&git_dir))?;
    bare::fill(&git_dir, &config(commit, remotes), branch).map_err(RepoError::at(&git_dir))?;

    mirror::fetch(&git_dir, source, commit, &format!("refs/heads/{branch}")).await?;
    let in_tree = |verb| Git::at(&git_dir, verb).work_tree(&tree).deadline(LONG);
    in_tree("read-tree").args(["-m", "-u", commit]).run().await?;
    tree_tar::settle(&tree).await?;
    in_tree("update-index").args(["-q", "--really-refresh"]).run().await?;

    let half = temp.path().join("tar");
    tree_tar::write(&tree, &half).await?;
    fs::rename(&half, out).map_err(RepoError::at(out))
}

async fn check_size(source: &Path, commit: &str) -> Result<(), RepoError> {
    let listing =
        Git::at(source, "ls-tree").args(["-r", "-l", "-z", commit]).cap(MAX_LISTING).deadline(LONG).run().await?;
    let (mut files, mut bytes) = (0u64, 0u64);
    for record in listing.split(|&b| b == 0).filter(|record| !record.is_empty()) {
        // `<mode> <type> <id> <size right-aligned>\t<path>`; the size of a submodule is `-`.
        let fields = record.split(|&b| b == b'\t').next().unwrap_or_default();
        let size = String::from_utf8_lossy(fields).split_whitespace().nth(3).and_then(|size| size.parse().ok());
        files += 1;
        bytes = bytes.saturating_add(size.unwrap_or(0));
    }
    let too_large = |what| Err(RepoError::TooLarge { commit: commit.to_owned(), what });
    if files > MAX_FILES {
        return too_large(format!("{files} files, at most {MAX_FILES}"));
    }
    if bytes > MAX_BYTES {
        return too_large(format!("{bytes} bytes, at most {MAX_BYTES}"));
    }
    Ok(())
}

/// The clone's configuration. Names and URLs come from [`crate::remote`], which lets no quote or line break through.
fn config(commit: &str, remotes: &[Remote]) -> String {
    let mut text = bare::config(commit, false);
    // After an optional `[extensions]`, `[core]` again: git joins sections of one name.
    text.push_str("[core]\n\tlogallrefupdates = true\n\tcheckStat = minimal\n\ttrustctime = false\n");
    for Remote { name, url } in remotes {
        text.push_str(&format!(
            "[remote \"{name}\"]\n\turl = \"{url}\"\n\tfetch = +refs/heads/*:refs/remotes/{name}/*\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_depends_on_commit_branch_and_remotes() {
        let base = Base { commit: "a1".repeat(20), branch: "main".into(), subject: "s".into() };
        let remote = Remote { name: "origin".into(), url: "https://forge.example/r".into() };
        let plain = key(&base, &[]);
        assert_eq!(plain, key(&Base { subject: "t".into(), ..base.clone() }, &[]));
        assert_ne!(plain, key(&Base { branch: "x".into(), ..base.clone() }, &[]));
        assert_ne!(plain, key(&base, &[remote]));
    }
}
