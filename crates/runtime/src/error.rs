//! What can go wrong with an engine, always with the operation and the thing it was done to.
//!
//! Nothing here falls back: an engine that does not answer or refuses an option is an error, never a weaker container.

use std::{fmt, time::Duration};

/// The result of a runtime call.
pub type Result<T> = std::result::Result<T, Error>;

/// The cause below an [`Error`].
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// One kind of call to the engine. [`crate::Fake`] counts and fails by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Reading what the engine is.
    Info,
    /// Creating a container.
    Create,
    /// Starting a container.
    Start,
    /// Asking a container to end.
    Stop,
    /// Killing a container.
    Kill,
    /// Removing a container.
    Remove,
    /// Waiting for a container's end.
    Wait,
    /// Reading a container's state.
    Inspect,
    /// Listing containers.
    List,
    /// Starting a process in a container, or carrying its streams.
    Exec,
    /// Reading the state of such a process.
    ExecState,
    /// Unpacking an archive into a container's volume.
    Upload,
    /// Looking for a path in a container.
    HasPath,
    /// Creating a volume.
    CreateVolume,
    /// Reading a volume's labels.
    InspectVolume,
    /// Listing volumes.
    ListVolumes,
    /// Removing a volume.
    RemoveVolume,
    /// Looking up an image.
    ImageId,
    /// Obtaining an image from a registry.
    Pull,
    /// Turning an archive into an image.
    Import,
    /// Building an image.
    Build,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "inspect engine",
            Self::Create => "create container",
            Self::Start => "start container",
            Self::Stop => "stop container",
            Self::Kill => "kill container",
            Self::Remove => "remove container",
            Self::Wait => "wait for container",
            Self::Inspect => "inspect container",
            Self::List => "list containers with",
            Self::Exec => "run a command in container",
            Self::ExecState => "inspect command",
            Self::Upload => "unpack an archive in container",
            Self::HasPath => "look for a path in container",
            Self::CreateVolume => "create volume",
            Self::InspectVolume => "inspect volume",
            Self::ListVolumes => "list volumes with",
            Self::RemoveVolume => "remove volume",
            Self::ImageId => "inspect image",
            Self::Pull => "pull image",
            Self::Import => "import image",
            Self::Build => "build image",
        })
    }
}

/// A failed call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No engine answers where one was expected, or it went away.
    #[error("no container engine answers at {endpoint}")]
    Unreachable {
        /// `unix:///var/run/docker.sock`.
        endpoint: String,
        /// Connection refused, no such file, …
        #[source]
        source: Cause,
    },
    /// `DOCKER_HOST` names a transport that is not supported.
    #[error("DOCKER_HOST is `{text}`, which is neither unix:///PATH nor tcp://HOST:PORT")]
    BadEndpoint {
        /// The value, made printable.
        text: String,
    },
    /// The engine speaks an API older than 1.41.
    #[error("the engine at {endpoint} speaks API {found}, older than {oldest}")]
    TooOld {
        /// Where it is.
        endpoint: String,
        /// What it speaks.
        found: String,
        /// What is needed.
        oldest: &'static str,
    },
    /// The container, volume, image or process is not there.
    #[error("could not {operation} {subject}: it does not exist")]
    NotFound {
        /// What was tried.
        operation: Operation,
        /// Name or id.
        subject: String,
        /// The engine's words.
        #[source]
        source: Cause,
    },
    /// The engine refused, or its answer could not be read.
    #[error("could not {operation} {subject}")]
    Refused {
        /// What was tried.
        operation: Operation,
        /// Name or id.
        subject: String,
        /// The HTTP status, where the engine gave one.
        status: Option<u16>,
        /// The engine's words.
        #[source]
        source: Cause,
    },
    /// The engine did not answer in time. What it was asked may still happen.
    #[error("could not {operation} {subject} within {} s", .after.as_secs_f32())]
    Deadline {
        /// What was tried.
        operation: Operation,
        /// Name or id.
        subject: String,
        /// The deadline.
        after: Duration,
    },
    /// A spec or recipe that cannot be turned into a request; nothing was sent.
    #[error("invalid {what} `{text}`: {reason}")]
    Invalid {
        /// Which part.
        what: &'static str,
        /// Its value, made printable.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An image had to be made on this machine and could not be.
    #[error("could not obtain image {image}: no registry gave it and building it from packages failed")]
    Bootstrap {
        /// The image.
        image: String,
        /// Why the registry did not give it.
        pull: Box<Error>,
        /// Why it could not be built from packages.
        #[source]
        source: Cause,
    },
    /// A volume was filled and does not hold what it must.
    #[error("volume {volume} does not hold {witness} after it was filled")]
    FillIncomplete {
        /// The unpublished volume.
        volume: String,
        /// The path that is missing.
        witness: String,
    },
}

impl Error {
    /// True when the thing does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// True when the engine is gone: an infrastructure failure, never the agent's.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// True when a name is taken or a volume is in use.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: Some(409), .. })
    }

    /// The way out, for people, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { .. } => {
                Some("start Docker, or point DOCKER_HOST at one; `sandbox doctor` checks the rest")
            }
            Self::BadEndpoint { .. } => {
                Some("for an engine elsewhere, forward its socket: ssh -L /tmp/engine.sock:/var/run/docker.sock HOST")
            }
            Self::TooOld { .. } => Some("upgrade to Docker 20.10 or Podman 4 or later"),
            Self::NotFound { operation: Operation::Create, .. } => {
                Some("the image is not in the engine: pull or build it first")
            }
            Self::Bootstrap { .. } => Some("load the image into the engine by hand, or run once as root on Debian"),
            Self::NotFound { .. }
            | Self::Refused { .. }
            | Self::Deadline { .. }
            | Self::Invalid { .. }
            | Self::FillIncomplete { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_thing_and_leave_the_cause_to_the_chain() {
        let error = Error::Unreachable {
            endpoint: "unix:///var/run/docker.sock".into(),
            source: std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into(),
        };
        assert_eq!(error.to_string(), "no container engine answers at unix:///var/run/docker.sock");
        assert_eq!(std::error::Error::source(&error).map(ToString::to_string).as_deref(), Some("connection refused"));
        assert!(error.is_unreachable() && !error.is_not_found() && error.hint().is_some());
        let late = Error::Deadline { operation: Operation::Start, subject: "x".into(), after: Duration::from_secs(30) };
        assert_eq!(late.to_string(), "could not start container x within 30 s");
    }
}
