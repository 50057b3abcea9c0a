//! The place where runs live: containers, volumes and images of an engine.
//!
//! [`Docker`] speaks the Docker Engine API (Docker 20.10 and later, Podman 4 and later); [`Fake`] is a place in memory for
//! the tests of the layers above. What must stay true here: a container is created with every wall or not at all, every
//! call has a deadline, state is in the engine and found again by label, and nothing of the host's environment goes in.

mod archive;
mod docker;
mod endpoint;
mod error;
mod fake;
mod fill;
mod frames;
pub mod images;
pub mod labels;
mod process;
mod runtime;
mod spec;
mod state;

pub use archive::{Archive, ArchiveBuilder, Owner};
pub use docker::Docker;
pub use endpoint::Endpoint;
pub use error::{Cause, Error, Operation, Result};
pub use fake::{Call, Fake, FakeExec};
pub use fill::Fill;
pub use frames::{Frames, Output};
pub use process::{Ended, Exec, ExecIo, ExecStdin, ExecStdout, Finished, MAX_STDERR, OutputLimits, Stderr};
pub use runtime::{AnyRuntime, Labels, Runtime};
pub use spec::{
    ContainerId, ContainerSpec, ExecId, ExecSpec, ImageId, Limits, MAX_OPEN_FILES, Mount, Names, Tmpfs, TmpfsOwner,
};
pub use state::{
    ContainerState, ContainerSummary, EngineInfo, EngineKind, ExecState, OciKind, OciRuntime, VolumeSummary,
};
