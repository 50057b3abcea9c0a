//! Claude Code, driven over its stdio control protocol with a managed hook as belt and braces.
//!
//! Observed with 2.1.329 in a container without network, capabilities or writable root; the fixtures under `tests/fixtures` are
//! recordings of it. The process is asked for every call by a `PreToolUse` callback. A callback without an answer blocks the
//! call; one with an empty answer runs it, which is why this module can't write one. `PostToolUse` and `PostToolUseFailure` callbacks bring every
//! result before the model reads it.

mod answer;
mod codec;
mod inputs;
mod launch;
mod line;
mod output;
mod progress;
mod refused;
mod replay;
mod requests;
mod settings;
mod split;
mod version;

pub use answer::ResultKind;
pub use codec::Codec;
pub use inputs::inputs_agree;
pub use launch::{PROGRAM, launch};
pub use progress::Background;
pub use refused::is_refused_before_gate;
pub use requests::{NotOpen, OpenRequest};
pub use settings::{SETTINGS_DIR, SETTINGS_NAME, managed_settings};
pub use split::MAX_LINE;
pub use version::{SUPPORTED_FROM, UnsupportedVersion, Version, check_version};
