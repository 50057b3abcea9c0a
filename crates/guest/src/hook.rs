//! `guest hook claude`: the managed PreToolUse hook, the belt to the control protocol's braces.
//!
//! It has no opinion about calls of our own session, made by the process that the engine started, which the host judges. It blocks
//! everybody else: nested agents that nobody judges, whatever session they say they are. The session's id is there once the agent has
//! taken the host as its gate; an agent that goes on with a saved session asks about its deferred call before that, so that the hook
//! waits for it. What must stay true: an agent's hook that fails lets the call run, unless it exits with 2.
//! So everything but a proven match ends in exit code 2: errors, panics, a missing file, its own deadline.

use serde::Deserialize;
use std::{
    fs::File,
    io::{self, Read, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// The exit code that blocks a call.
const BLOCK: u8 = 2;
/// Longest hook input, in bytes: a file that is written is in it.
const MAX_INPUT: u64 = 64 * 1024 * 1024;
/// Longest session id, in bytes.
const MAX_SESSION: u64 = 256;
/// Time for the session's id to appear.
const ARMED: Duration = Duration::from_secs(8);
/// Time between two looks for it.
const LOOK: Duration = Duration::from_millis(10);
/// Below the hook's timeout in the agent's settings.
const DEADLINE: Duration = Duration::from_secs(20);

/// The part of the hook's input that matters.
#[derive(Deserialize)]
struct Input {
    session_id: String,
}

/// Why a call is blocked.
#[derive(Debug, thiserror::Error)]
enum Blocked {
    #[error("the hook could not read its input")]
    Input(#[source] io::Error),
    #[error("the hook's input is over {MAX_INPUT} bytes")]
    TooLong,
    #[error("the hook's input is not the expected json")]
    Json(#[source] serde_json::Error),
    #[error("the hook could not read the run's session id")]
    Session(#[source] io::Error),
    #[error("the run has no session id")]
    NoSession,
    #[error("this session is not the one that the sandbox judges; nested agents are not allowed")]
    OtherSession,
    #[error("the hook could not see whose child it is")]
    Parent(#[source] io::Error),
    #[error("the sandbox did not start this agent; nested agents are not allowed")]
    OtherAgent,
}

/// Judges the call on stdin: exit 0 without output is no opinion, 2 with a reason on stderr blocks.
pub(crate) fn main(session_file: PathBuf) -> ExitCode {
    // The reason on stderr is for the agent; a panic's own message would come on top of it.
    std::panic::set_hook(Box::new(|_| {}));
    let (done, verdict) = mpsc::channel();
    let worker = thread::Builder::new().spawn(move || {
        let judged = catch_unwind(AssertUnwindSafe(|| call(&session_file)));
        let _late = done.send(judged.map_err(|_| "the hook failed".to_owned()));
    });
    let reason = match worker.map(|_| verdict.recv_timeout(DEADLINE)) {
        Ok(Ok(Ok(Ok(())))) => return ExitCode::SUCCESS,
        Ok(Ok(Ok(Err(blocked)))) => crate::command::chain("blocked by the sandbox", &blocked),
        Ok(Ok(Err(reason))) => format!("blocked by the sandbox: {reason}"),
        Ok(Err(_)) => "blocked by the sandbox: the hook did not finish in time".to_owned(),
        Err(_) => "blocked by the sandbox: the hook could not start".to_owned(),
    };
    let _unheard = writeln!(io::stderr(), "{reason}");
    ExitCode::from(BLOCK)
}

/// Reads the call whole before it judges: an agent that cannot write it to the end might take the hook for broken.
fn call(session_file: &Path) -> Result<(), Blocked> {
    judge(io::stdin().lock(), session_file, ARMED)?;
    let parent = format!("/proc/{}/status", std::os::unix::process::parent_id());
    let status = std::fs::read_to_string(parent).map_err(Blocked::Parent)?;
    if is_from_outside(&status) { Ok(()) } else { Err(Blocked::OtherAgent) }
}

/// True for a process whose parent is outside the container: the engine started it. What the agent starts has a parent inside, PID 1 in
/// the end.
fn is_from_outside(status: &str) -> bool {
    status.lines().find_map(|line| line.strip_prefix("PPid:")).is_some_and(|parent| parent.trim() == "0")
}

fn judge(input: impl Read, session_file: &Path, patience: Duration) -> Result<(), Blocked> {
    let mut bytes = Vec::new();
    input.take(MAX_INPUT + 1).read_to_end(&mut bytes).map_err(Blocked::Input)?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err(Blocked::TooLong);
    }
    let input: Input = serde_json::from_slice(&bytes).map_err(Blocked::Json)?;
    let mut ours = String::new();
    let file = appeared(session_file, patience).map_err(Blocked::Session)?;
    file.take(MAX_SESSION).read_to_string(&mut ours).map_err(Blocked::Session)?;
    if ours.is_empty() {
        return Err(Blocked::NoSession);
    }
    if input.session_id == ours { Ok(()) } else { Err(Blocked::OtherSession) }
}

/// Opens a file that may still have to appear.
fn appeared(path: &Path, patience: Duration) -> io::Result<File> {
    let end = Instant::now() + patience;
    loop {
        match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && Instant::now() < end => thread::sleep(LOOK),
            opened => return opened,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(input: &str, session: Option<&str>) -> Result<(), Blocked> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session");
        if let Some(session) = session {
            std::fs::write(&path, session).unwrap();
        }
        judge(input.as_bytes(), &path, Duration::from_millis(30))
    }

    #[test]
    fn it_waits_for_the_session_and_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session");
        let late = path.clone();
        let writer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            std::fs::write(dir.path().join("new"), "s-1").unwrap();
            std::fs::rename(dir.path().join("new"), late).unwrap();
            dir
        });
        let input = r#"{"session_id":"s-1"}"#;
        assert!(matches!(judge(input.as_bytes(), &path, Duration::from_millis(20)), Err(Blocked::Session(_))));
        assert!(judge(input.as_bytes(), &path, Duration::from_secs(10)).is_ok());
        drop(writer.join().unwrap());
    }

    #[test]
    fn our_session_passes_and_no_other() {
        let input = r#"{"hook_event_name":"PreToolUse","session_id":"s-1","tool_input":{"session_id":"s-2"}}"#;
        assert!(judged(input, Some("s-1")).is_ok());
        assert!(matches!(judged(input, Some("s-2")), Err(Blocked::OtherSession)));
        assert!(matches!(judged(input, Some("s-1 ")), Err(Blocked::OtherSession)));
        assert!(matches!(judged(input, Some("")), Err(Blocked::NoSession)));
        assert!(matches!(judged(input, None), Err(Blocked::Session(_))));
    }

    #[test]
    fn only_a_process_without_a_parent_inside_is_the_agent() {
        assert!(is_from_outside("Name:\tclaude\nPid:\t17\nPPid:\t0\nTracerPid:\t0\n"));
        for status in ["", "PPid:\t1\n", "PPid:\t10\n", "PPid:\t\n", "Name:\tPPid:\t0\nPPid:\t9\n", "TracerPid:\t0\n"] {
            assert!(!is_from_outside(status), "{status:?}");
        }
        let own = std::fs::read_to_string("/proc/self/status").unwrap();
        assert!(!is_from_outside(&own), "a test has a parent");
    }

    #[test]
    fn unclear_input_is_blocked() {
        for input in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"session_id":7}"#,
            r#"{"session_id":"s-1""#,
            r#"{"session_id":"s-1","session_id":"s-1"}"#,
            r#"{"session_id":"s-1"} {"session_id":"s-2"}"#,
        ] {
            assert!(matches!(judged(input, Some("s-1")), Err(Blocked::Json(_))), "{input}");
        }
        assert!(matches!(judged(r#"{"session_id":""}"#, Some("")), Err(Blocked::NoSession)));
    }

    #[test]
    fn a_deep_input_is_passed_over_without_recursion() {
        let deep = format!(r#"{{"x":{}{},"session_id":"s-2"}}"#, "[".repeat(1 << 20), "]".repeat(1 << 20));
        assert!(matches!(judged(&deep, Some("s-1")), Err(Blocked::OtherSession)));
    }
}
