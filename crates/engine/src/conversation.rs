//! The conversation with the model as a file that `--replay` plays. It is the user's, outside of the run's directory.

use crate::{error::EngineError, paths::PathError, redact, replace};
use egress::Egress;
use std::path::Path;

/// Writes what was kept so far, whole or not at all and without the operator's secrets. Nothing was kept: there is no file.
///
/// # Errors
/// [`EngineError::Path`]
pub(crate) fn write(path: &Path, egress: &Egress) -> Result<(), EngineError> {
    let Some((_, mut replay)) = egress.recorded(0) else { return Ok(()) };
    if replay.description.is_empty() {
        "Kept by `sandbox run --record`.".clone_into(&mut replay.description);
    }
    let io = |source| PathError::Io { path: path.to_owned(), source };
    let clean = redact::record(replay).map_err(|error| io(error.into()))?;
    let json = serde_json::to_string_pretty(&clean).map_err(|error| io(error.into()))?;
    Ok(replace::replace(path, format!("{json}\n").as_bytes(), replace::PRIVATE).map_err(io)?)
}
