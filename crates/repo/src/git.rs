//! Every git command of the host is built here.
//!
//! What must stay true: the environment is emptied first; no configuration is read but that of the git directory named on
//! the command line; no hook, file monitor, filter driver, pager, credential helper or lazy fetch runs; only the `file`
//! transport is allowed; the output is capped and there is a deadline. Options that may name a program are overridden on the
//! command line, because a user's repository can carry configuration that somebody else planted (THREATS G-01 to G-09).

use std::{
    ffi::{OsStr, OsString},
    path::Path,
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    process::Command,
};
use types::text::printable;

/// Longest wait for a command that only looks things up.
pub(crate) const QUICK: Duration = Duration::from_secs(20);
/// Longest wait for a command that moves a repository's objects.
pub(crate) const LONG: Duration = Duration::from_secs(600);
/// Cap on the output of a command whose answer is a few lines, in bytes.
pub(crate) const SMALL: u64 = 1024 * 1024;

/// Bytes of stderr that are kept for the error.
const STDERR_CAP: u64 = 16 * 1024;

/// Settings that win over whatever the git directory's own configuration says.
const OVERRIDES: [&str; 18] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.splitIndex=false",
    "core.alternateRefsCommand=true",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.logAllRefUpdates=false",
    "core.pager=cat",
    "core.safecrlf=false",
    "credential.helper=",
    "fetch.unpackLimit=1",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "log.showSignature=false",
    "maintenance.auto=false",
    "protocol.version=2",
    "submodule.recurse=false",
];

/// Why a git command gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The program is missing or could not be executed.
    #[error("could not start git")]
    Start {
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// It took too long and was killed.
    #[error("git {verb} did not end within {seconds} s")]
    Deadline {
        /// The subcommand.
        verb: String,
        /// The limit.
        seconds: u64,
    },
    /// It printed more than we take.
    #[error("git {verb} printed more than {cap} bytes")]
    TooLong {
        /// The subcommand.
        verb: String,
        /// The limit.
        cap: u64,
    },
    /// It ended with an error.
    #[error("git {verb} failed: {stderr}")]
    Failed {
        /// The subcommand.
        verb: String,
        /// What it said, escaped and cut.
        stderr: String,
    },
    /// Bytes could not be moved into or out of it.
    #[error("could not move data through git {verb}")]
    Pipe {
        /// The subcommand.
        verb: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Exit code; none after a signal.
    pub(crate) code: Option<i32>,
    /// What it said, escaped and cut.
    pub(crate) stderr: String,
}

/// One git command.
#[derive(Debug)]
pub(crate) struct Git {
    command: Command,
    verb: String,
    deadline: Duration,
    cap: u64,
}

impl Git {
    /// A command on the repository found from the working directory `cwd`; git checks the owner of what it finds.
    pub(crate) fn found_from(cwd: &Path, verb: &str) -> Self {
        Self::build(None, cwd, verb)
    }

    /// A command on this git directory, without discovery.
    pub(crate) fn at(git_dir: &Path, verb: &str) -> Self {
        Self::build(Some(git_dir), Path::new("/"), verb)
    }

    fn build(git_dir: Option<&Path>, cwd: &Path, verb: &str) -> Self {
        let mut command = Command::new("git");
        command
            .env_clear()
            .env("PATH", search_path())
            .env("HOME", "/dev/null")
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", "file")
            .current_dir(cwd)
            .kill_on_drop(true)
            // Ctrl-C at a terminal goes to the whole group; what is being harvested must not be cut short by it.
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(git_dir) = git_dir {
            let mut option = OsString::from("--git-dir=");
            option.push(git_dir);
            command.arg(option);
        }
        for setting in OVERRIDES {
            command.args(["-c", setting]);
        }
        command.arg(verb);
        Self { command, verb: verb.to_owned(), deadline: QUICK, cap: SMALL }
    }

    /// Adds an argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    pub(crate) fn args<I: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = I>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable of git's.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the work tree, which is also the working directory.
    pub(crate) fn work_tree(mut self, tree: &Path) -> Self {
        self.command.env("GIT_WORK_TREE", tree).current_dir(tree);
        self
    }

    /// Allows more time.
    pub(crate) fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Allows more output, in bytes.
    pub(crate) fn cap(mut self, cap: u64) -> Self {
        self.cap = cap;
        self
    }

    /// Runs it without input; the output when it ended with 0.
    pub(crate) async fn run(self) -> Result<Vec<u8>, GitError> {
        let mut output = Vec::new();
        self.feed(&mut tokio::io::empty(), &mut output).await?;
        Ok(output)
    }

    /// Runs it with `input`; succeeds when it ended with 0.
    pub(crate) async fn feed(
        self,
        input: &mut (impl AsyncRead + Send + Unpin),
        output: &mut (impl AsyncWrite + Send + Unpin),
    ) -> Result<(), GitError> {
        let verb = self.verb.clone();
        let ended = self.drive(input, output).await?;
        match ended.code {
            Some(0) => Ok(()),
            Some(_) | None => Err(GitError::Failed { verb, stderr: ended.stderr }),
        }
    }

    /// Runs it without input and tells how it ended, with its output.
    pub(crate) async fn outcome(self) -> Result<(Ended, Vec<u8>), GitError> {
        let mut output = Vec::new();
        let ended = self.drive(&mut tokio::io::empty(), &mut output).await?;
        Ok((ended, output))
    }

    async fn drive(
        mut self,
        input: &mut (impl AsyncRead + Send + Unpin),
        output: &mut (impl AsyncWrite + Send + Unpin),
    ) -> Result<Ended, GitError> {
        let verb = self.verb;
        let pipe = |source| GitError::Pipe { verb: verb.clone(), source };
        self.command.stdin(Stdio::piped());
        let mut child = self.command.spawn().map_err(|source| GitError::Start { source })?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let work = async {
            let write = async {
                let Some(mut stdin) = stdin else { return Ok(()) };
                match tokio::io::copy(input, &mut stdin).await {
                    Ok(_) => Ok(()),
                    // It ended early; its exit code says why.
                    Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
                    Err(error) => Err(error),
                }
            };
            let read = async {
                let Some(stdout) = stdout else { return Ok(0) };
                // Dropping the pipe at the cap ends a git that goes on printing.
                let read = tokio::io::copy(&mut stdout.take(self.cap.saturating_add(1)), output).await?;
                output.flush().await?;
                Ok(read)
            };
            let complain = async {
                let mut kept = Vec::new();
                let Some(mut stderr) = stderr else { return Ok(kept) };
                (&mut stderr).take(STDERR_CAP).read_to_end(&mut kept).await?;
                tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await?;
                Ok(kept)
            };
            tokio::join!(write, read, complain, child.wait())
        };
        let Ok((written, read, complaint, status)) = tokio::time::timeout(self.deadline, work).await else {
            return Err(GitError::Deadline { verb, seconds: self.deadline.as_secs() });
        };
        if read.map_err(pipe)? > self.cap {
            return Err(GitError::TooLong { verb, cap: self.cap });
        }
        let (status, complaint) = (status.map_err(pipe)?, complaint.map_err(pipe)?);
        written.map_err(pipe)?;
        let stderr = printable(String::from_utf8_lossy(&complaint).trim(), 2000);
        Ok(Ended { code: status.code(), stderr })
    }
}

/// The directories that git and its parts are looked up in: ours, without the relative ones, so that no file of a
/// repository is ever taken for a program.
fn search_path() -> OsString {
    let ours = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let absolute = std::env::split_paths(&ours).filter(|dir| dir.is_absolute());
    std::env::join_paths(absolute).unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into())
}

/// True for a full object id in hex, SHA-1 or SHA-256.
pub(crate) fn is_oid(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn output_over_the_cap_and_a_stuck_command_are_errors() {
        let long = Git::found_from(Path::new("/"), "help").arg("-a").cap(10).run().await;
        assert!(matches!(long, Err(GitError::TooLong { cap: 10, .. })), "{long:?}");
        let (mut never, _held) = tokio::io::duplex(8);
        let stuck = Git::found_from(Path::new("/"), "stripspace").deadline(Duration::from_millis(50));
        let stuck = stuck.feed(&mut never, &mut tokio::io::sink()).await;
        assert!(matches!(stuck, Err(GitError::Deadline { .. })), "{stuck:?}");
        let fine = Git::found_from(Path::new("/"), "stripspace").feed(&mut &b"x"[..], &mut tokio::io::sink()).await;
        assert!(fine.is_ok(), "{fine:?}");
    }

    #[test]
    fn object_ids_are_full_and_lower_case() {
        assert!(is_oid(&"a1".repeat(20)) && is_oid(&"0f".repeat(32)));
        for bad in ["", "HEAD", &"A1".repeat(20), &"a1".repeat(19), &"g1".repeat(20)] {
            assert!(!is_oid(bad), "{bad}");
        }
    }
}
