//! The operator's model credential, found on the host when a run starts. It never enters a container or a file of ours.

use crate::{
    redact,
    tokens::{self, Origin},
};
use egress::TokenStore;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    fs,
    io::Read,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};
use types::{host::Endpoint, secret::Secret, text::printable};

/// Longest file or output that holds a credential; programs keep other things beside it.
const MAX_BYTES: u64 = 1024 * 1024;
/// How long a credential command may take.
const COMMAND_DEADLINE: Duration = Duration::from_secs(20);

/// A credential for the model endpoint.
#[derive(Clone, Debug)]
pub(crate) enum ModelCredential {
    /// Sent as `x-api-key`.
    ApiKey(Secret),
    /// Sent as a bearer token, with the beta that the vendor's own tokens need.
    OAuth(Secret),
    /// The same, with another one in its place when it ends.
    Refreshed(Arc<dyn TokenStore>),
    /// Sent as a bearer token, as it is.
    Bearer(Secret),
}

/// Where a credential is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A variable, as it was.
    Given(String),
    /// A file.
    File(PathBuf),
    /// A command's output.
    Command(String),
}

/// Why there is no usable credential.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A setting that cannot be read.
    #[error(
        "the credential `{text}` is not `api-key`, `oauth` or `bearer`, a space, then env:NAME, file:PATH or command:COMMAND"
    )]
    Syntax {
        /// The setting.
        text: String,
    },
    /// A source that cannot be read.
    #[error("the source `{text}` is not env:NAME, file:PATH or command:COMMAND")]
    Source {
        /// The source, cut: it may be the secret itself.
        text: String,
    },
    /// Every source came up empty.
    #[error("no model credential found in {tried}")]
    NotFound {
        /// The sources.
        tried: String,
    },
    /// A file cannot be read.
    #[error("cannot read the credential file {path}")]
    File {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A command failed. Its output is not shown, because it may hold the secret.
    #[error("the credential command `{command}` {what}")]
    Command {
        /// The command.
        command: String,
        /// What went wrong.
        what: String,
    },
}

/// Looks through `sources` in order; the first that holds something wins. An empty variable counts as absent. What is found is learned as
/// a secret at once.
///
/// # Errors
/// [`CredentialError`]. A file or command that is named and fails is an error, not a reason to go on.
pub(crate) fn find(
    sources: &[String],
    environment: impl Fn(&str) -> Option<String>,
) -> Result<ModelCredential, CredentialError> {
    for text in sources {
        let syntax = || CredentialError::Syntax { text: text.clone() };
        let (kind, named) = text.split_once(' ').ok_or_else(syntax)?;
        if !matches!(kind, "api-key" | "oauth" | "bearer") {
            return Err(syntax());
        }
        let source = Source::parse(named, &environment).map_err(|_| syntax())?;
        let found = source.read()?;
        if found.trim().is_empty() {
            continue;
        }
        if kind == "oauth" {
            return Ok(oauth(source, &found));
        }
        let secret = Secret::new(found);
        redact::learn(&secret);
        return Ok(if kind == "bearer" { ModelCredential::Bearer(secret) } else { ModelCredential::ApiKey(secret) });
    }
    Err(CredentialError::NotFound { tried: sources.join(", ") })
}

/// A plain token in a variable stays what it is; everything else can change under us, or be refreshed.
fn oauth(source: Source, found: &str) -> ModelCredential {
    let tokens = tokens::parse(found);
    redact::learn(&tokens.access);
    tokens.refresh.iter().for_each(redact::learn);
    match source {
        Source::Given(_) if tokens.refresh.is_none() => ModelCredential::OAuth(tokens.access),
        Source::Given(_) | Source::File(_) | Source::Command(_) => {
            ModelCredential::Refreshed(Arc::new(Origin::new(source)))
        }
    }
}

/// What a source holds: `env:NAME`, `file:PATH` or `command:COMMAND`. It is learned as a secret at once; nothing is an empty one.
///
/// # Errors
/// [`CredentialError`]. A file or command that fails is an error.
pub(crate) fn look_up(source: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Secret, CredentialError> {
    let found = Source::parse(source, environment)?.read()?;
    let secret = Secret::new(if found.trim().is_empty() { String::new() } else { found });
    redact::learn(&secret);
    Ok(secret)
}

/// Asks git's credential helpers, as the user's own settings name them; those of a repository have no say. `user:password`, or empty.
///
/// # Errors
/// [`CredentialError::Command`]
pub(crate) fn from_git_helper(endpoint: &Endpoint) -> Result<Secret, CredentialError> {
    let default = endpoint.port == 443;
    let host = if default { endpoint.host.to_string() } else { endpoint.to_string() };
    // Outside of any repository, and without a prompt on any way.
    let command = format!(
        "cd / && printf 'protocol=https\\nhost={host}\\n\\n' | GIT_CEILING_DIRECTORIES=/ GIT_TERMINAL_PROMPT=0 GIT_ASKPASS=true \
         SSH_ASKPASS=true git credential fill 2>/dev/null || true"
    );
    let answer = run_command(&command, COMMAND_DEADLINE)?;
    let field = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let (user, password) = (field("username="), field("password="));
    redact::learn(&Secret::new(password));
    Ok(Secret::new(if password.is_empty() { String::new() } else { format!("{user}:{password}") }))
}

fn at_home(path: &str, environment: impl Fn(&str) -> Option<String>) -> PathBuf {
    match (path.strip_prefix("~/"), environment("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        (Some(_) | None, _) => PathBuf::from(path),
    }
}

impl Source {
    fn parse(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, CredentialError> {
        match text.split_once(':') {
            Some(("env", name)) => Ok(Self::Given(environment(name).unwrap_or_default())),
            Some(("file", path)) => Ok(Self::File(at_home(path, environment))),
            Some(("command", command)) => Ok(Self::Command(command.to_owned())),
            Some(_) | None => Err(CredentialError::Source { text: printable(text, 40) }),
        }
    }

    /// What is there now.
    ///
    /// # Errors
    /// [`CredentialError::File`], [`CredentialError::Command`].
    pub(crate) fn read(&self) -> Result<String, CredentialError> {
        match self {
            Self::Given(text) => Ok(text.clone()),
            Self::File(path) => {
                let mut text = String::new();
                fs::File::open(path)
                    .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
                    .map_err(|source| CredentialError::File { path: path.display().to_string(), source })?;
                Ok(text)
            }
            Self::Command(command) => run_command(command, COMMAND_DEADLINE),
        }
    }
}

/// What a command prints. One that does not end, or that leaves something behind which keeps its output open, is ended with all that it
/// started in its process group.
fn run_command(command: &str, deadline: Duration) -> Result<String, CredentialError> {
    let failed = |what: &str| CredentialError::Command { command: command.to_owned(), what: what.to_owned() };
    let end = Instant::now() + deadline;
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|_| failed("cannot be started"))?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let found = output(&mut child, end, &failed);
    if found.is_err() {
        let _ = group.map(|group| kill_process_group(group, Signal::KILL));
        let _ = child.kill();
        let _ = child.wait();
    }
    found
}

fn output(
    child: &mut Child,
    end: Instant,
    failed: &impl Fn(&str) -> CredentialError,
) -> Result<String, CredentialError> {
    let mut stdout = child.stdout.take().ok_or_else(|| failed("has no output"))?.take(MAX_BYTES);
    let (sender, text) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut text = String::new();
        let _ = sender.send(stdout.read_to_string(&mut text).map(|_| text));
    });
    let status = ended(child, end).ok_or_else(|| failed("did not end in time"))?;
    if !status.success() {
        return Err(failed(&format!("ended with {status}")));
    }
    match text.recv_timeout(end.saturating_duration_since(Instant::now())) {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(_)) | Err(mpsc::RecvTimeoutError::Disconnected) => Err(failed("did not print text")),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(failed("left a process behind that keeps its output open")),
    }
}

fn ended(child: &mut Child, end: Instant) -> Option<ExitStatus> {
    while Instant::now() < end {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) => thread::sleep(Duration::from_millis(10)),
            Err(_) => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(sources: &[&str], name: &'static str, value: &'static str) -> Result<ModelCredential, CredentialError> {
        let sources: Vec<_> = sources.iter().map(|text| (*text).to_owned()).collect();
        find(&sources, |asked| (asked == name).then(|| value.to_owned()))
    }

    fn key(found: Result<ModelCredential, CredentialError>) -> Option<String> {
        match found {
            Ok(ModelCredential::ApiKey(secret)) => Some(secret.expose().to_owned()),
            Ok(ModelCredential::OAuth(_) | ModelCredential::Bearer(_) | ModelCredential::Refreshed(_)) | Err(_) => None,
        }
    }

    #[test]
    fn the_first_source_that_holds_something_wins() {
        let sources = ["api-key env:A", "oauth env:B"];
        assert_eq!(key(with(&sources, "A", "k\n")).as_deref(), Some("k"));
        assert!(matches!(with(&sources, "B", "t"), Ok(ModelCredential::OAuth(_))));
        assert!(matches!(with(&sources, "A", "  "), Err(CredentialError::NotFound { .. })));
        assert_eq!(key(with(&["api-key command:echo x"], "", "")).as_deref(), Some("x"));
        assert!(matches!(with(&["oauth command:echo x"], "", ""), Ok(ModelCredential::Refreshed(_))));
    }

    #[test]
    fn what_is_named_and_fails_is_an_error_that_does_not_show_the_output() {
        let error = with(&["api-key command:echo sk-sentinel; exit 3"], "", "").expect_err("fails");
        assert!(!error.to_string().replace("echo sk-sentinel", "").contains("sk-sentinel"), "{error}");
        assert!(matches!(with(&["api-key file:/nonexistent/x"], "", ""), Err(CredentialError::File { .. })));
        assert!(matches!(with(&["key env:A"], "A", "x"), Err(CredentialError::Syntax { .. })));
    }

    #[test]
    fn what_a_command_leaves_behind_holds_nobody_up() {
        let dir = tempfile::tempdir().expect("dir");
        let told = dir.path().join("pid");
        let run = |command: &str| run_command(command, Duration::from_secs(2)).map_err(|error| error.to_string());
        assert_eq!(run("sleep 60 >/dev/null & echo x").as_deref(), Ok("x\n"), "its output is closed");
        for (command, what) in [
            ("echo x", "left a process behind that keeps its output open"),
            ("exit 3", "ended with exit status: 3"),
            ("sleep 60", "did not end in time"),
        ] {
            let command = format!("sleep 60 & echo $! > {}; {command}", told.display());
            let error = run(&command).expect_err(what);
            assert!(error.ends_with(what), "{error}");
            let pid = fs::read_to_string(&told).expect("pid");
            let is_there = || {
                let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
                state.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
            };
            for _ in 0..200 {
                if is_there() {
                    thread::sleep(Duration::from_millis(10));
                }
            }
            assert!(!is_there(), "{what}: it is ended too");
        }
    }

    #[test]
    fn a_path_can_begin_at_home_and_what_is_found_is_learned() {
        let dir = tempfile::tempdir().expect("dir");
        fs::write(dir.path().join("key"), "sk-at-home-0123456789\n").expect("write");
        let home = dir.path().display().to_string();
        let found = find(&["api-key file:~/key".to_owned()], |name| (name == "HOME").then(|| home.clone()));
        assert_eq!(key(found).as_deref(), Some("sk-at-home-0123456789"));
        assert_eq!(redact::text("a sk-at-home-0123456789"), "a [redacted by sandbox]");
    }
}
