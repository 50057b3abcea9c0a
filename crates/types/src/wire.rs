//! What the host and the guest say to each other over the channel.
//!
//! Every stream begins with one [`Open`] header: a big-endian `u32` length and that many bytes of JSON, at most
//! [`MAX_HEADER`]. The control stream then carries [`Request`] and [`Reply`] frames in the same framing, at most
//! [`MAX_FRAME`]. All other streams carry raw bytes until both sides have ended them.
//!
//! There is one generation number: the host raises it at every attach and the guest drops older sessions.

use crate::{
    host::HostName,
    probe::{ProbePlan, ProbeReport},
};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Version of this surface; both ends come from one build, so that a difference is refused.
pub const VERSION: u32 = 2;
/// Longest stream header, in bytes.
pub const MAX_HEADER: usize = 4 * 1024;
/// Longest control frame, in bytes.
pub const MAX_FRAME: usize = 1024 * 1024;

/// Where the guest's read-only volume is mounted.
pub const GUEST_DIR: &str = "/opt/sandbox";
/// The guest binary inside the container.
pub const GUEST_PATH: &str = "/opt/sandbox/guest";
/// Directory of the guest's Unix sockets, a tmpfs owned by [`GUEST_UID`].
pub const RUN_DIR: &str = "/run/sandbox";
/// The certificate authority of the run, PEM, where something is decrypted.
pub const AUTHORITY_FILE: &str = "/run/sandbox/authority.pem";
/// The image's certificate authorities and the run's own, PEM.
pub const BUNDLE_FILE: &str = "/run/sandbox/ca-bundle.pem";
/// Size of [`RUN_DIR`], MiB: two copies of the certificate authorities fit.
pub const RUN_DIR_MB: u64 = 4;
/// The agent's session id, readable and not writable by the agent.
pub const SESSION_FILE: &str = "/run/sandbox/session";
/// The uid of PID 1 and the bridge; the agent can neither signal nor trace it.
pub const GUEST_UID: u32 = 65_530;
/// The agent's uid.
pub const AGENT_UID: u32 = 1000;

/// First bytes of a stream: what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stream", rename_all = "kebab-case")]
pub enum Open {
    /// Host to guest: requests and replies.
    Control,
    /// Guest to host: a connection to the HTTP proxy's listener.
    Proxy,
    /// Guest to host: a connection to the model gateway's listener.
    Model,
    /// Guest to host: a connection to the loopback address that stands for a trusted name.
    Named {
        /// The trusted name.
        host: HostName,
        /// The port that was connected to.
        port: u16,
    },
    /// Host to guest: bytes for the agent's stdin from this offset on; ending the stream closes the agent's stdin.
    Stdin {
        /// Offset of the first byte; it must be the one the guest last reported as accepted.
        offset: u64,
    },
    /// Host to guest: asks for the agent's stdout from this offset on. Bytes before it are released.
    Stdout {
        /// Bytes the host has stored already.
        offset: u64,
    },
    /// Host to guest: the same for stderr.
    Stderr {
        /// Bytes the host has stored already.
        offset: u64,
    },
    /// Host to guest: asks for a [`Pressure`] frame now and once a second until the stream ends.
    Pressure,
}

/// How near the container is to its limits, as its own kernel counts. PID 1 reads it; the agent can neither change nor hide it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pressure {
    /// Processes that were killed for memory so far; none where the kernel does not tell.
    pub oom_kills: Option<u64>,
    /// Processes and threads now; none where the kernel does not tell.
    pub processes: Option<u64>,
    /// The file systems of the places that were asked about.
    pub disks: Vec<Disk>,
}

/// What is left of a file system. Others may use it too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Disk {
    /// Bytes that are free.
    pub free_bytes: u64,
    /// Files that can still be made; none where there is no limit.
    pub free_files: Option<u64>,
}

/// What `guest usage` prints: what lies below some directories, as the agent's uid sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Usage {
    /// Bytes on disk: holes of sparse files do not count, files that were removed and are still open do.
    pub bytes: u64,
    /// Files, directories and links.
    pub files: u64,
    /// Places that could not be looked into.
    pub hidden: u64,
    /// False when time ran out before everything was seen.
    pub is_complete: bool,
}

/// Which of the agent's output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// File descriptor 1.
    Stdout,
    /// File descriptor 2.
    Stderr,
}

/// A trusted name inside: the loopback address that DNS answers and the ports the guest listens on there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NamedListener {
    /// The trusted name.
    pub host: HostName,
    /// An address of its own in 127.0.0.0/8.
    pub address: std::net::Ipv4Addr,
    /// Ports of its routes.
    pub ports: Vec<u16>,
}

/// What the guest listens on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Listeners {
    /// HTTP proxy.
    pub proxy: SocketAddr,
    /// Model gateway.
    pub model: SocketAddr,
    /// DNS over UDP and TCP.
    pub dns: SocketAddr,
    /// Trusted names.
    pub names: Vec<NamedListener>,
}

/// Host to guest on the control stream. Each gets exactly one [`Reply`], in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// First frame of a session.
    Hello {
        /// [`VERSION`] of the host.
        version: u32,
        /// Higher than any before.
        generation: u64,
    },
    /// Binds the listeners, once; the same configuration again is accepted, another one is refused.
    Configure {
        /// What to listen on.
        listeners: Listeners,
        /// The agent's session id, for [`Request::Arm`].
        session: String,
        /// The run's certificate authority, PEM, where something is decrypted: programs find it in [`AUTHORITY_FILE`] and [`BUNDLE_FILE`].
        authority: Option<String>,
    },
    /// The agent has taken the host as its gate: the guest writes the session id to [`SESSION_FILE`], without which the agent's
    /// hook lets no call through. Accepted again and again.
    Arm,
    /// Lets the waiting shim run the canary; the reply comes when it has.
    Probe {
        /// What to try.
        plan: ProbePlan,
    },
    /// Lets the waiting shim take its stdio and execute the agent. Accepted once, and only after a probe.
    Launch,
    /// Asks for [`Reply::Status`].
    Status,
}

/// Guest to host on the control stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// To [`Request::Hello`] and [`Request::Status`].
    Status {
        /// [`VERSION`] of the guest.
        version: u32,
        /// The state of the relay.
        status: GuestStatus,
    },
    /// To [`Request::Configure`].
    Configured,
    /// To [`Request::Arm`].
    Armed,
    /// To [`Request::Probe`].
    Probed {
        /// What was tried and what came of it.
        report: ProbeReport,
    },
    /// To [`Request::Launch`]: the shim has its stdio and calls execve next.
    Launched,
    /// The request failed and changed nothing.
    Failed {
        /// Why, one line.
        reason: String,
    },
}

/// The state that a re-attaching host needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GuestStatus {
    /// Listeners are bound.
    pub configured: bool,
    /// The agent was launched.
    pub launched: bool,
    /// Bytes written into the agent's stdin so far.
    pub stdin_accepted: u64,
    /// True when the agent's stdin was closed.
    pub stdin_closed: bool,
    /// The agent's stdout.
    pub stdout: OutputStatus,
    /// The agent's stderr.
    pub stderr: OutputStatus,
}

/// How far one output stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OutputStatus {
    /// Offset of the oldest byte still kept.
    pub kept_from: u64,
    /// Bytes read from the agent so far.
    pub read: u64,
    /// True when every writer has closed it.
    pub ended: bool,
}
