//! The canary: what must fail and what must work from inside, tried before the agent starts. [`crate::canary`] lists it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr};

/// What the probe needs to know of the run. It holds no policy: names and addresses only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProbePlan {
    /// The HTTP proxy's loopback listener.
    pub proxy: SocketAddr,
    /// The model gateway's loopback listener; its positive control is an HTTP answer to `HEAD /`.
    pub model: SocketAddr,
    /// A name that is denied: the proxy must refuse it with a structured 403 and DNS must not know it.
    pub denied_name: String,
    /// Addresses that must have no route: the engine's bridge, the metadata service, a public resolver.
    pub unreachable: Vec<SocketAddr>,
    /// A trusted name, if the run has one: DNS must give it a loopback address.
    pub trusted_name: Option<String>,
    /// Directories that the agent must be able to write.
    pub writable: Vec<String>,
    /// Variables that are named like a credential, and the only value that they may have.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Which kernel the OCI runtime is known to put below the container; another one is a surprise.
    pub kernel: Kernel,
}

/// The kernel that answers system calls inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kernel {
    /// Linux: the engine machine's own, or that of a virtual machine of the container.
    #[default]
    Linux,
    /// gVisor's, a process on the engine's machine. It applies no system call filter to processes that are started in a running
    /// container, and answers some calls itself that Linux must refuse.
    Gvisor,
}

/// What a check is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// The attempt must be refused.
    Held,
    /// The positive control must work.
    Works,
}

/// One attempt and its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Check {
    /// Short stable id: `net.raw-ip`, `cap.empty`, `control.model`.
    pub id: String,
    /// The threats that it stands for, such as `K-04`; none for a control.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub threat: String,
    /// What should have happened.
    pub expect: Expect,
    /// True when it did.
    pub ok: bool,
    /// Errno or answer, one line.
    pub detail: String,
}

/// The canary's result, part of the run's record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ProbeReport {
    /// Every check, in order.
    pub checks: Vec<Check>,
    /// Time the probe took, in microseconds.
    pub micros: u64,
}

impl ProbeReport {
    /// The checks that surprised. One is enough to refuse the start; an empty report is a surprise too.
    #[must_use]
    pub fn surprises(&self) -> Vec<&Check> {
        self.checks.iter().filter(|check| !check.ok).collect()
    }

    /// True when something was refused, something worked, and nothing surprised.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let some = |expect| self.checks.iter().any(|check| check.expect == expect);
        self.surprises().is_empty() && some(Expect::Held) && some(Expect::Works)
    }
}
