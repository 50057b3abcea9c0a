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
    /// OCI runtimes by name, sorted.
    pub runtimes: Vec<String>,
    /// The runtime used when none is named.
    pub default_runtime: String,
    /// Version of runc, where the engine tells.
    pub runc_version: Option<String>,
    /// True when the engine runs without root.
    pub rootless: bool,
    /// Processors of the engine's machine.
    pub cpus: u64,
    /// Memory of the engine's machine, in bytes.
    pub memory: u64,
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
