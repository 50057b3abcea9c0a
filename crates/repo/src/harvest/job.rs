//! The command that a fresh harvest container runs.
//!
//! The container has git and a POSIX shell, no network, the workspace volume read-only at `/workspace`, and a writable
//! `/harvest` where the snapshot of the base was extracted at `/harvest/base`.

use crate::mirror::Base;

/// What to execute, as the agent's uid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HarvestJob {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The environment; nothing else needs to be set.
    pub env: Vec<(String, String)>,
}

/// The job that commits `/workspace` on `base` and prints the stream that [`crate::harvest::receive`] takes. It ends with
/// another code than 0 when there is no usable result; its stderr then says why.
#[must_use]
pub fn job(run: &str, base: &Base) -> HarvestJob {
    let argv = ["sh", "-c", include_str!("job.sh"), "harvest"].map(str::to_owned).to_vec();
    let env = [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/dev/null"),
        ("LC_ALL", "C"),
        ("SANDBOX_RUN", run),
        ("SANDBOX_BASE", &base.commit),
        ("SANDBOX_WORK", "/workspace"),
        ("SANDBOX_HARVEST", "/harvest"),
    ];
    HarvestJob { argv, env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec() }
}
