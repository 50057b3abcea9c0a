//! What an engine answers.

use crate::spec::{ContainerId, ImageId};
use std::collections::BTreeMap;

/// What kind of engine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// Docker, or something that does not say otherwise.
    Docker,
    /// Podman's Docker-compatible API.
    Podman,
}

/// The engine, for `doctor` and for the run's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineInfo {
    /// Docker or Podman.
    pub kind: EngineKind,
    /// The engine's version.
    pub version: String,
    /// The API version in use.
    pub api: String,
    /// Where it answers: `unix:///var/run/docker.sock`.
    pub endpoint: String,
    /// Operating system as the engine names it.
    pub os: String,
    /// `x86_64`, `aarch64`.
    pub arch: String,
    /// 1 or 2.
    pub cgroup_version: u8,
    /// `overlay2`, `vfs`, …
    pub storage_driver: String,
    /// Docker Desktop and its version, as it names itself; none for a plain engine.
    pub platform: Option<String>,
    /// The kernel's release.
    pub kernel: String,
    /// Where the engine keeps its data, on its machine.
    pub data_root: String,
    /// OCI runtimes, sorted by name.
    pub runtimes: Vec<OciRuntime>,
    /// The runtime used when none is named.
    pub default_runtime: String,
    /// Version of the default runtime, with a package's suffix, where the engine tells.
    pub runtime_version: Option<String>,
    /// `seccomp`, `apparmor`, `selinux`, `userns`, `cgroupns`, `rootless`: what the engine says it uses, in its order.
    pub security: Vec<String>,
    /// True when the engine runs without root.
    pub rootless: bool,
    /// Processors of the engine's machine.
    pub cpus: u64,
    /// Memory of the engine's machine, in bytes.
    pub memory: u64,
}

/// An OCI runtime that the engine knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OciRuntime {
    /// The name to ask for it by.
    pub name: String,
    /// What it is, by its program.
    pub kind: OciKind,
    /// Its arguments.
    pub args: Vec<String>,
}

/// Kinds of OCI runtimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OciKind {
    /// runc: processes on the machine's own kernel.
    Runc,
    /// crun: the same, in C.
    Crun,
    /// gVisor: a kernel in user space.
    Gvisor,
    /// Kata Containers: a virtual machine.
    Kata,
    /// Anything else: nothing is known of it beyond what the canary finds.
    Other,
}

impl OciKind {
    /// The kind of the runtime with this name and program, which may be a path or the name of a containerd shim.
    #[must_use]
    pub fn of(name: &str, program: &str) -> Self {
        let program = program.rsplit('/').next().filter(|program| !program.is_empty()).unwrap_or(name);
        match program {
            "runc" | "io.containerd.runc.v2" | "io.containerd.runtime.v1.linux" => Self::Runc,
            "crun" => Self::Crun,
            "runsc" | "io.containerd.runsc.v1" => Self::Gvisor,
            program if program.contains("kata") => Self::Kata,
            _ => Self::Other,
        }
    }
}

impl EngineInfo {
    /// The runtime of this name, or the default one for an empty name; none when the engine does not know it.
    #[must_use]
    pub fn runtime(&self, name: &str) -> Option<&OciRuntime> {
        let name = if name.is_empty() { &self.default_runtime } else { name };
        self.runtimes.iter().find(|runtime| runtime.name == name)
    }
}

/// A container's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerState {
    /// True while PID 1 lives.
    pub running: bool,
    /// True between create and the first start.
    pub never_started: bool,
    /// PID 1's exit status, once it has ended.
    pub exit_code: Option<i64>,
    /// True when the kernel killed something in it for memory.
    pub oom_killed: bool,
    /// RFC 3339, as the engine gives it; none before the first start.
    pub started_at: Option<String>,
    /// The image it was made from.
    pub image_id: ImageId,
    /// Its labels, with those of the image.
    pub labels: BTreeMap<String, String>,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSummary {
    /// The engine's id.
    pub id: ContainerId,
    /// The name without a leading slash.
    pub name: String,
    /// Its labels, with those of the image.
    pub labels: BTreeMap<String, String>,
    /// True while PID 1 lives.
    pub running: bool,
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeSummary {
    /// The name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The directory on the engine's machine, where the engine tells.
    pub mountpoint: String,
}

/// How a process started in a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecState {
    /// True while it lives.
    pub running: bool,
    /// Its exit status, once it has ended; 128 + n after signal n.
    pub exit_code: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_are_known_by_their_program_before_their_name() {
        for (name, program, kind) in [
            ("runc", "", OciKind::Runc),
            ("runc", "runc", OciKind::Runc),
            ("io.containerd.runc.v2", "", OciKind::Runc),
            ("safe", "/usr/local/bin/runsc", OciKind::Gvisor),
            ("runsc", "/usr/bin/runc", OciKind::Runc),
            ("crun", "/usr/bin/crun", OciKind::Crun),
            ("k", "io.containerd.kata.v2", OciKind::Kata),
            ("kata", "/opt/kata/bin/kata-runtime", OciKind::Kata),
            ("runsc", "/opt/wrapper", OciKind::Other),
            ("mine", "", OciKind::Other),
        ] {
            assert_eq!(OciKind::of(name, program), kind, "{name} {program}");
        }
    }
}
