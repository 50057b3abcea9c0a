//! The conversation with the model as a file that `--replay` plays. It is the user's, outside of the run's directory, where the run keeps
//! the same for itself.
//!
//! What must stay true: a file that is not as this run left it is someone else's, such as another run's of the same task, and stays.

use crate::{
    error::EngineError,
    paths::{AttemptPaths, PathError},
    redact, replace,
};
use egress::Egress;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The run's own copy, with which it goes on in another process.
pub(crate) fn own(files: &AttemptPaths) -> PathBuf {
    files.file("conversation.json")
}

/// Writes what was kept so far, whole or not at all and without the operator's secrets. Nothing was kept: there is no file.
///
/// # Errors
/// [`EngineError::Path`]; the run's own copy is written all the same, if it can be.
pub(crate) fn write(path: &Path, files: &AttemptPaths, egress: &Egress) -> Result<(), EngineError> {
    let Some((_, mut replay)) = egress.recorded(0) else { return Ok(()) };
    if replay.description.is_empty() {
        "Kept by `sandbox run --record`.".clone_into(&mut replay.description);
    }
    let io = |source| PathError::Io { path: path.to_owned(), source };
    let clean = redact::record(replay).map_err(|error| io(error.into()))?;
    let json = serde_json::to_string_pretty(&clean).map_err(|error| io(error.into()))?;
    Ok(keep(path, &own(files), format!("{json}\n").as_bytes()).map_err(io)?)
}

fn keep(path: &Path, own: &Path, content: &[u8]) -> io::Result<()> {
    let is_ours = is_same(path, own);
    let kept = replace::replace(own, content, replace::PRIVATE);
    if is_ours {
        replace::replace(path, content, replace::PRIVATE)?;
    } else {
        replace::create(path, content, replace::PRIVATE)?;
    }
    kept
}

/// True when both are there with the same content.
fn is_same(path: &Path, own: &Path) -> bool {
    let length = |path| fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map(|data| data.len());
    let is_as_long = length(path).is_some_and(|known| length(own) == Some(known));
    is_as_long && fs::read(path).ok().zip(fs::read(own).ok()).is_some_and(|(one, other)| one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_runs_that_keep_theirs_under_one_name_none_is_lost() {
        let dir = tempfile::tempdir().expect("dir");
        let [path, one, two] = ["kept.json", "one.json", "two.json"].map(|name| dir.path().join(name));
        let holds = |path: &Path| fs::read_to_string(path).expect("read");
        keep(&path, &one, b"one, begun").expect("nothing there");
        let taken = keep(&path, &two, b"two").expect_err("taken");
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!((holds(&path).as_str(), holds(&two).as_str()), ("one, begun", "two"));
        keep(&path, &one, b"one, whole").expect("its own");
        assert_eq!(holds(&path), "one, whole");
        fs::write(&path, "one, WHOLE").expect("write");
        keep(&path, &one, b"one, and on").expect_err("a person changed it");
        assert_eq!((holds(&path).as_str(), holds(&one).as_str()), ("one, WHOLE", "one, and on"));
    }
}
