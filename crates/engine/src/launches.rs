//! The agent's processes in one attempt. Each begins its streams anew, while the files of the attempt go on: here stands where in
//! the files each process began.

use crate::{
    error::EngineError,
    journal::{self, Journal},
    paths::AttemptPaths,
    transcript::Transcript,
};
use serde::{Deserialize, Serialize};

/// The file, in the attempt's directory; there is none as long as the first process works.
const FILE: &str = "launches.jsonl";

/// Longest kept stdin, in bytes: our own words to the agent.
const MAX_STDIN: u64 = 1024 * 1024 * 1024;

/// Where in the files a process of the agent began, in bytes. The first one began at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct LaunchedAt {
    stdin: u64,
    stdout: u64,
    stderr: u64,
}

/// What the host and the agent's present process said to each other, on disk.
#[derive(Debug)]
pub(crate) struct Transcripts {
    pub(crate) stdin: Transcript,
    pub(crate) stdout: Transcript,
    pub(crate) stderr: Transcript,
    /// The process goes on with a saved session.
    pub(crate) is_resumed: bool,
}

impl Transcripts {
    /// Opens the files of an attempt where the last process began.
    ///
    /// # Errors
    /// [`EngineError::Path`], [`EngineError::Journal`].
    pub(crate) fn open(files: &AttemptPaths, log_mb: u64) -> Result<Self, EngineError> {
        let launched: Vec<LaunchedAt> = journal::read(&files.file(FILE))?;
        let at = launched.last().copied().unwrap_or_default();
        Ok(Self {
            stdin: Transcript::open(&files.file("agent.stdin.jsonl"), at.stdin, MAX_STDIN)?,
            stdout: Transcript::open(&files.file("transcript.jsonl"), at.stdout, log_mb << 20)?,
            stderr: Transcript::open(&files.file("agent.stderr.log"), at.stderr, log_mb << 20)?,
            is_resumed: !launched.is_empty(),
        })
    }

    /// Records, before it is started, that another process of the agent begins here. Done twice is the same as once.
    ///
    /// # Errors
    /// [`EngineError::Path`], [`EngineError::Journal`].
    pub(crate) fn begin(files: &AttemptPaths) -> Result<(), EngineError> {
        let end = |name: &str| Transcript::open(&files.file(name), 0, u64::MAX).map(|whole| whole.length());
        let at = LaunchedAt {
            stdin: end("agent.stdin.jsonl")?,
            stdout: end("transcript.jsonl")?,
            stderr: end("agent.stderr.log")?,
        };
        Ok(Journal::plain(&files.file(FILE))?.append(&at)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_begins_where_the_files_end() {
        let dir = tempfile::tempdir().expect("dir");
        let files = AttemptPaths { task: dir.path().to_owned(), root: dir.path().to_owned() };
        let mut first = Transcripts::open(&files, 1).expect("first");
        assert!(!first.is_resumed);
        first.stdout.append(b"one\n").expect("append");
        Transcripts::begin(&files).expect("begin");
        Transcripts::begin(&files).expect("again");
        let second = Transcripts::open(&files, 1).expect("second");
        assert_eq!((second.is_resumed, second.stdout.length()), (true, 0));
    }
}
