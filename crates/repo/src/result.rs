//! The harvested result on the host, and what is written from it for people and for `verify`.

use crate::{diff, git::Git, git::LONG, harvest::HarvestError, remote::Remote, snapshot};
use std::path::{Path, PathBuf};
use types::{harvest::Harvest, id::RunId};

/// The only ref of a result.
pub(crate) const RESULT_REF: &str = "refs/sandbox/result";
/// Longest patch, in bytes.
const MAX_PATCH: u64 = 2 << 30;

/// A bare repository of ours that holds one harvested commit. It borrows the objects of the base from the mirror.
#[derive(Clone, Debug)]
pub struct ResultRepo {
    git_dir: PathBuf,
}

impl ResultRepo {
    /// The result at `path`.
    ///
    /// # Errors
    /// [`HarvestError::NotFound`] when none was received there.
    pub fn open(path: &Path) -> Result<Self, HarvestError> {
        if !path.join(RESULT_REF).is_file() {
            return Err(HarvestError::NotFound { path: path.to_owned() });
        }
        Ok(Self { git_dir: path.canonicalize().map_err(HarvestError::at(path))? })
    }

    /// The git directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.git_dir
    }

    /// Writes a bundle of the commit, as branch `sandbox/<run>`, that needs the base.
    ///
    /// # Errors
    /// [`HarvestError::Empty`] when nothing changed; when git fails.
    pub async fn bundle(&self, harvest: &Harvest, run: &str, out: &Path) -> Result<(), HarvestError> {
        not_empty(harvest)?;
        let run = RunId::new(run).map_err(|_| HarvestError::Name { run: types::text::printable(run, 80) })?;
        let name = format!("refs/heads/sandbox/{run}");
        Git::at(&self.git_dir, "update-ref").args([&name, &harvest.commit]).run().await?;
        let out = absolute(out)?;
        let bundle = Git::at(&self.git_dir, "bundle").args(["create", "-q"]).arg(out);
        bundle.arg(name).arg(format!("^{}", harvest.base)).deadline(LONG).run().await?;
        Ok(())
    }

    /// Writes a patch from the base to the commit that holds binary files and full ids; empty when nothing changed.
    ///
    /// # Errors
    /// When git or the file fails.
    pub async fn patch(&self, harvest: &Harvest, out: &Path) -> Result<(), HarvestError> {
        let half = half(out);
        let mut file = tokio::fs::File::create(&half).await.map_err(HarvestError::at(&half))?;
        diff::command(
            &self.git_dir,
            &harvest.base,
            &harvest.commit,
            &["-p", "--binary", "--src-prefix=a/", "--dst-prefix=b/"],
        )
        .cap(MAX_PATCH)
        .feed(&mut tokio::io::empty(), &mut file)
        .await?;
        drop(file);
        std::fs::rename(&half, out).map_err(HarvestError::at(out))
    }

    /// Writes a tar of a fresh clone at the harvested commit, like [`crate::Mirror::snapshot`].
    ///
    /// # Errors
    /// When it is too large, or git or a file fails.
    pub async fn tree_tar(
        &self,
        harvest: &Harvest,
        branch: &str,
        remotes: &[Remote],
        out: &Path,
    ) -> Result<(), HarvestError> {
        let out = absolute(out)?;
        let built = snapshot::build(&self.git_dir, &harvest.commit, branch, remotes, &out).await;
        built.map_err(|source| HarvestError::Snapshot { source })
    }
}

fn not_empty(harvest: &Harvest) -> Result<(), HarvestError> {
    if harvest.commit == harvest.base { Err(HarvestError::Empty) } else { Ok(()) }
}

/// git runs elsewhere, so that a relative path would be another one.
fn absolute(path: &Path) -> Result<PathBuf, HarvestError> {
    std::path::absolute(path).map_err(HarvestError::at(path))
}

fn half(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}
