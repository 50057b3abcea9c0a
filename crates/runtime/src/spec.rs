//! What a container shall be, without how an engine is told.
//!
//! A spec only chooses sizes, places and names. The walls (no network device, no capabilities, our seccomp profile, a
//! read-only root, …) are not in it and cannot be switched off; see `docker::body`.

use crate::error::{Error, Result};
use std::{collections::BTreeMap, fmt};
use types::text::printable;

/// The engine's id of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerId(pub String);

/// The engine's id of a process that was started in a running container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExecId(pub String);

/// The engine's id of an image: `sha256:…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageId(pub String);

macro_rules! shown_as_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
shown_as_text!(ContainerId, ExecId, ImageId);

/// A container to create.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerSpec {
    /// Unique in the engine; starts with a letter or digit.
    pub name: String,
    /// See [`crate::labels`]. They beat labels of the same key in the image.
    pub labels: BTreeMap<String, String>,
    /// A reference or id that the engine holds already; nothing is pulled.
    pub image: String,
    /// PID 1 and its arguments; the image's entry point and command are ignored. The first is an absolute path.
    pub command: Vec<String>,
    /// Uid of PID 1, never 0.
    pub uid: u32,
    /// Gid of PID 1.
    pub gid: u32,
    /// Environment on top of the image's; later commands inherit it.
    pub env: BTreeMap<String, String>,
    /// Absolute directory that PID 1 starts in.
    pub workdir: String,
    /// Volumes. There are no bind mounts of host paths.
    pub mounts: Vec<Mount>,
    /// Directories in memory.
    pub tmpfs: Vec<Tmpfs>,
    /// Limits.
    pub limits: Limits,
    /// Another OCI runtime by the engine's name for it (`runsc`, `kata`); none is the engine's default.
    pub oci_runtime: Option<String>,
}

/// A named volume at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The volume's name; it must exist.
    pub volume: String,
    /// Absolute path inside.
    pub target: String,
    /// True when nobody inside may write.
    pub read_only: bool,
    /// True when an empty volume takes what the image has at `target`: content, owner and mode. It is also the one way to give
    /// a volume's root an owner on Docker, for which a helper from an image of ours serves. Docker copies at create, Podman at start.
    pub copy_up: bool,
}

impl Mount {
    /// A volume that can be written inside.
    #[must_use]
    pub fn writable(volume: impl Into<String>, target: impl Into<String>) -> Self {
        Self { volume: volume.into(), target: target.into(), read_only: false, copy_up: false }
    }

    /// A volume that cannot be written inside.
    #[must_use]
    pub fn read_only(volume: impl Into<String>, target: impl Into<String>) -> Self {
        Self { volume: volume.into(), target: target.into(), read_only: true, copy_up: false }
    }
}

/// A directory in memory, always `nosuid,nodev`. It counts towards the memory limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tmpfs {
    /// Absolute path inside.
    pub target: String,
    /// Size in MiB.
    pub size_mb: u64,
    /// Whose it is.
    pub owner: TmpfsOwner,
    /// Permission bits, such as `0o1777`.
    pub mode: u32,
    /// True when programs in it may be executed; builds need it in `/tmp`.
    pub exec: bool,
}

/// Whose a directory in memory is. Podman knows no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TmpfsOwner {
    /// Uid and gid 0, which nobody inside has.
    Root,
    /// Uid and gid of PID 1.
    Init,
}

/// Where programs inside learn what `localhost` and other names are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// From `/etc/hosts` and `/etc/resolv.conf` of the engine, which name loopback and a DNS server at 127.0.0.1. Making them is
    /// half of a start on Docker, whose network set-up runs even where there is no network.
    Engine,
    /// From a DNS server at 127.0.0.1:53 alone, which C libraries ask when, as here, both files are empty. It must know `localhost`
    /// and `sandbox`. The network is the same: a namespace with nothing but loopback. Podman makes `/etc/hosts` all the same
    /// and never `/etc/resolv.conf`, which C libraries take for an empty one.
    Guest,
}

/// Limits of a container.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Memory in MiB, swap included.
    pub memory_mb: u64,
    /// Processors, in parts: `1.5`.
    pub cpus: f64,
    /// Processes and threads.
    pub pids: u32,
    /// Open files per process, at most 20,000: rootless engines refuse more.
    pub open_files: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_mb: 4096, cpus: 2.0, pids: 1024, open_files: MAX_OPEN_FILES }
    }
}

/// Most open files per process that every supported engine grants.
pub const MAX_OPEN_FILES: u32 = 20_000;

/// A process to start in a running container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecSpec {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Environment on top of the container's.
    pub env: BTreeMap<String, String>,
    /// Uid.
    pub uid: u32,
    /// Gid.
    pub gid: u32,
    /// Absolute directory; none is the container's.
    pub workdir: Option<String>,
    /// True when our end of its stdin is kept open; otherwise it reads end of file at once.
    pub stdin: bool,
}

fn refuse(what: &'static str, text: &str, reason: &'static str) -> Error {
    Error::Invalid { what, text: printable(text, 100), reason }
}

/// An absolute path of plain components: it goes into mount tables and option strings.
fn check_path(what: &'static str, path: &str) -> Result<()> {
    let plain = path.starts_with('/')
        && path.len() <= 512
        && path.split('/').all(|part| part != ".." && part != ".")
        && path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b':' | b',' | b'\\' | b'"'));
    if plain { Ok(()) } else { Err(refuse(what, path, "an absolute path without `..`, `:`, `,` or blanks is needed")) }
}

fn check_env(env: &BTreeMap<String, String>) -> Result<()> {
    match env.iter().find(|(key, value)| key.is_empty() || key.contains(['=', '\0']) || value.contains('\0')) {
        None => Ok(()),
        Some((key, _)) => Err(refuse("environment variable", key, "empty, or contains `=` or NUL")),
    }
}

/// Names that are safe in request paths and mount tables of every engine.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<()> {
    let good = name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if good { Ok(()) } else { Err(refuse(what, name, "1 to 128 of a-z, 0-9, dash, dot and underscore are needed")) }
}

impl ContainerSpec {
    /// Refuses what would weaken or confuse the container: root, host paths in disguise, missing limits.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the part.
    pub fn check(&self) -> Result<()> {
        check_name("container name", &self.name)?;
        if self.uid == 0 || self.gid == 0 {
            return Err(refuse("uid", &format!("{}:{}", self.uid, self.gid), "nothing runs as root"));
        }
        match self.command.first() {
            Some(program) => check_path("command", program)?,
            None => return Err(refuse("command", "", "a program is needed")),
        }
        check_path("working directory", &self.workdir)?;
        check_env(&self.env)?;
        for mount in &self.mounts {
            check_name("volume name", &mount.volume)?;
            check_path("mount target", &mount.target)?;
        }
        for tmpfs in &self.tmpfs {
            check_path("tmpfs target", &tmpfs.target)?;
            if tmpfs.size_mb == 0 {
                return Err(refuse("tmpfs size", &tmpfs.target, "zero means no limit"));
            }
        }
        let Limits { memory_mb, cpus, pids, open_files } = self.limits;
        if !(16..=1 << 30).contains(&memory_mb) || !(0.01..=4096.0).contains(&cpus) || pids == 0 || open_files == 0 {
            return Err(refuse("limits", &format!("{:?}", self.limits), "zero, or out of range"));
        }
        if open_files > MAX_OPEN_FILES {
            return Err(refuse("open files", &open_files.to_string(), "rootless engines refuse more than 20000"));
        }
        Ok(())
    }
}

impl ExecSpec {
    /// Refuses root and environments that cannot be passed.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the part.
    pub fn check(&self) -> Result<()> {
        if self.uid == 0 || self.gid == 0 {
            return Err(refuse("uid", &format!("{}:{}", self.uid, self.gid), "nothing runs as root"));
        }
        if self.argv.first().is_none_or(String::is_empty) {
            return Err(refuse("command", "", "a program is needed"));
        }
        if let Some(workdir) = &self.workdir {
            check_path("working directory", workdir)?;
        }
        check_env(&self.env)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A spec that every engine accepts.
    pub(crate) fn sample() -> ContainerSpec {
        ContainerSpec {
            name: "sandbox-x".into(),
            labels: BTreeMap::from([(crate::labels::RUN.into(), "quiet-otter".into())]),
            image: "sandbox/base".into(),
            command: vec!["/bin/sleep".into(), "60".into()],
            uid: 65_530,
            gid: 65_530,
            env: BTreeMap::from([("A".into(), "b".into())]),
            workdir: "/".into(),
            mounts: vec![Mount::writable("v", "/workspace"), Mount::read_only("g", "/opt/sandbox")],
            tmpfs: vec![Tmpfs {
                target: "/tmp".into(),
                size_mb: 64,
                owner: TmpfsOwner::Root,
                mode: 0o1777,
                exec: true,
            }],
            limits: Limits::default(),
            oci_runtime: None,
        }
    }

    #[test]
    fn a_weak_spec_is_refused_and_a_good_one_is_not() {
        assert!(sample().check().is_ok());
        let broken: [fn(&mut ContainerSpec); 12] = [
            |s| s.uid = 0,
            |s| s.gid = 0,
            |s| s.name = "../x".into(),
            |s| s.command.clear(),
            |s| s.command[0] = "sh".into(),
            |s| s.workdir = "/a/../b".into(),
            |s| s.mounts[0].volume = "/etc".into(),
            |s| s.mounts[0].target = "/x:rw".into(),
            |s| s.tmpfs[0].target = "/x,suid".into(),
            |s| s.tmpfs[0].size_mb = 0,
            |s| s.limits.pids = 0,
            |s| s.limits.open_files = 1 << 20,
        ];
        for (n, break_it) in broken.iter().enumerate() {
            let mut spec = sample();
            break_it(&mut spec);
            assert!(spec.check().is_err(), "case {n}");
        }
    }

    #[test]
    fn commands_never_run_as_root() {
        let good = ExecSpec { argv: vec!["/bin/true".into()], uid: 1000, gid: 1000, ..ExecSpec::default() };
        assert!(good.check().is_ok());
        assert!(ExecSpec { uid: 0, ..good.clone() }.check().is_err());
        assert!(ExecSpec { argv: vec![], ..good }.check().is_err());
    }
}
