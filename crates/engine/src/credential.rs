//! The operator's model credential, found on the host when a run starts. It never enters a container or a file of ours.

use std::{
    fs,
    io::Read,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use types::{host::Endpoint, secret::Secret};

/// Longest credential.
const MAX_BYTES: u64 = 16 * 1024;
/// How long a credential command may take.
const COMMAND_DEADLINE: Duration = Duration::from_secs(20);

/// A credential for the model endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ModelCredential {
    /// Sent as `x-api-key`.
    ApiKey(Secret),
    /// Sent as a bearer token, with the beta that the vendor's own tokens need.
    OAuth(Secret),
    /// Sent as a bearer token, as it is.
    Bearer(Secret),
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

/// Looks through `sources` in order; the first that holds something wins. An empty variable counts as absent.
///
/// # Errors
/// [`CredentialError`]. A file or command that is named and fails is an error, not a reason to go on.
pub(crate) fn find(
    sources: &[String],
    environment: impl Fn(&str) -> Option<String>,
) -> Result<ModelCredential, CredentialError> {
    for text in sources {
        let syntax = || CredentialError::Syntax { text: text.clone() };
        let (kind, source) = text.split_once(' ').ok_or_else(syntax)?;
        let wrap = match kind {
            "api-key" => ModelCredential::ApiKey,
            "oauth" => ModelCredential::OAuth,
            "bearer" => ModelCredential::Bearer,
            _ => return Err(syntax()),
        };
        let found = look_up(source, &environment).map_err(|error| match error {
            CredentialError::Source { .. } => syntax(),
            error @ (CredentialError::Syntax { .. }
            | CredentialError::NotFound { .. }
            | CredentialError::File { .. }
            | CredentialError::Command { .. }) => error,
        })?;
        if !found.expose().is_empty() {
            return Ok(wrap(found));
        }
    }
    Err(CredentialError::NotFound { tried: sources.join(", ") })
}

/// What a source holds: `env:NAME`, `file:PATH` or `command:COMMAND`. Nothing is an empty secret.
///
/// # Errors
/// [`CredentialError`]. A file or command that fails is an error.
pub(crate) fn look_up(source: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Secret, CredentialError> {
    let found = match source.split_once(':') {
        Some(("env", name)) => environment(name).unwrap_or_default(),
        Some(("file", path)) => read_file(path)?,
        Some(("command", command)) => run_command(command)?,
        Some(_) | None => return Err(CredentialError::Source { text: types::text::printable(source, 40) }),
    };
    Ok(Secret::new(if found.trim().is_empty() { String::new() } else { found }))
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
    let answer = run_command(&command)?;
    let field = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let (user, password) = (field("username="), field("password="));
    Ok(Secret::new(if password.is_empty() { String::new() } else { format!("{user}:{password}") }))
}

fn read_file(path: &str) -> Result<String, CredentialError> {
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
        .map_err(|source| CredentialError::File { path: path.to_owned(), source })?;
    Ok(text)
}

fn run_command(command: &str) -> Result<String, CredentialError> {
    let failed = |what: &str| CredentialError::Command { command: command.to_owned(), what: what.to_owned() };
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|_| failed("cannot be started"))?;
    let mut stdout = child.stdout.take().ok_or_else(|| failed("has no output"))?.take(MAX_BYTES);
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let end = Instant::now() + COMMAND_DEADLINE;
    while Instant::now() < end {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => {
                return match reader.join() {
                    Ok(Ok(text)) => Ok(text),
                    Ok(Err(_)) | Err(_) => Err(failed("did not print text")),
                };
            }
            Ok(Some(status)) => return Err(failed(&format!("ended with {status}"))),
            Ok(None) => std::thread::sleep(Duration::from_millis(10)),
            Err(_) => break,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    Err(failed("did not end in time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(sources: &[&str], name: &'static str, value: &'static str) -> Result<ModelCredential, CredentialError> {
        let sources: Vec<_> = sources.iter().map(|text| (*text).to_owned()).collect();
        find(&sources, |asked| (asked == name).then(|| value.to_owned()))
    }

    #[test]
    fn the_first_source_that_holds_something_wins() {
        let sources = ["api-key env:A", "oauth env:B"];
        assert_eq!(with(&sources, "A", "k\n").ok(), Some(ModelCredential::ApiKey(Secret::new("k"))));
        assert_eq!(with(&sources, "B", "t").ok(), Some(ModelCredential::OAuth(Secret::new("t"))));
        assert!(matches!(with(&sources, "A", "  "), Err(CredentialError::NotFound { .. })));
        assert_eq!(with(&["api-key command:echo x"], "", "").ok(), Some(ModelCredential::ApiKey(Secret::new("x"))));
    }

    #[test]
    fn what_is_named_and_fails_is_an_error_that_does_not_show_the_output() {
        let error = with(&["api-key command:echo sk-sentinel; exit 3"], "", "").expect_err("fails");
        assert!(!error.to_string().replace("echo sk-sentinel", "").contains("sk-sentinel"), "{error}");
        assert!(matches!(with(&["api-key file:/nonexistent/x"], "", ""), Err(CredentialError::File { .. })));
        assert!(matches!(with(&["key env:A"], "A", "x"), Err(CredentialError::Syntax { .. })));
    }
}
