//! Commands of the task, `setup` and `verify`: run one after the other as the agent's uid, their output kept in files.

use crate::{
    error::EngineError, paths::AttemptPaths, place::shell_command, recorder::Recorder, redact::MaskedFile,
    surroundings::Surroundings,
};
use runtime::{AnyRuntime, ContainerId, Ended, OutputLimits, Runtime};
use std::time::{Duration, Instant};
use types::{
    event::{Event, Phase},
    result::VerifyCommand,
};

/// Longest kept output of one command, in bytes; what is over is dropped with a mark.
const MAX_LOG: u64 = 16 * 1024 * 1024;

/// Where commands run.
pub(crate) struct Commands<'a> {
    pub(crate) runtime: &'a AnyRuntime,
    pub(crate) container: &'a ContainerId,
    pub(crate) surroundings: &'a Surroundings,
    pub(crate) paths: &'a AttemptPaths,
    pub(crate) recorder: &'a Recorder,
    /// Where the logs of `setup` go, so that the proof of a result does not overwrite those of the agent's container.
    pub(crate) setup_logs: &'static str,
}

impl Commands<'_> {
    /// Runs the commands until one fails; all together have `budget`. Logs go to `verify/N.log`, those of
    /// `setup` to `setup/N.log` or `verify/setup-N.log`.
    ///
    /// # Errors
    /// The engine's error; a command that fails is no error.
    pub(crate) async fn run(
        &self,
        phase: Phase,
        commands: &[String],
        budget: Duration,
    ) -> Result<Vec<VerifyCommand>, EngineError> {
        let logs = if phase == Phase::Setup { self.setup_logs } else { "verify/" };
        let end = Instant::now() + budget;
        let mut out = Vec::new();
        for (n, command) in commands.iter().enumerate() {
            let log = format!("{logs}{}.log", n + 1);
            let since = Instant::now();
            let path = self.paths.file(&log);
            let created = tokio::fs::File::create(&path).await;
            let io = |source| EngineError::Read { path: path.clone(), source };
            let mut file = MaskedFile::new(created.map_err(io)?);
            let spec = shell_command(command, self.surroundings);
            let limits = OutputLimits { max_bytes: MAX_LOG, deadline: end.into() };
            let finished = self.runtime.exec_output(self.container, &spec, &mut file, limits).await?;
            let mark = match finished.dropped {
                0 => String::new(),
                dropped => format!("\n[{dropped} more bytes were dropped]\n"),
            };
            file.finish(&mark).await.map_err(io)?;
            let millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            let code = match finished.ended {
                Ended::Exited(code) => code,
                Ended::TimedOut | Ended::Lost => -1,
            };
            self.recorder.emit(Event::Command { phase, command: command.clone(), code, millis });
            out.push(VerifyCommand { command: command.clone(), code, millis, log });
            if code != 0 {
                break;
            }
        }
        Ok(out)
    }
}
