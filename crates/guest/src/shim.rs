//! `guest shim`: stands where the agent will be, runs the canary, takes the agent's pipes from PID 1 and becomes the
//! agent.
//!
//! The engine starts it as the agent's uid, because PID 1 can neither change its uid nor signal another one. It is not
//! dumpable while it waits, so that a process of the same uid cannot reach into it.

mod wire;

use crate::{bridge, command, fds, peer};
use rustix::process::DumpableBehavior;
use std::{
    ffi::OsString,
    io::{self, Read},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};
use types::probe::{ProbePlan, ProbeReport};
pub(crate) use wire::{Answer, MAX_MESSAGE, Order, PIPES, WireError, receive, send_pipes};

/// Time for PID 1 to make its socket.
const CONNECT_DEADLINE: Duration = Duration::from_secs(30);
/// Time for the canary, which takes milliseconds.
const PROBE_DEADLINE: Duration = Duration::from_secs(8);
/// Time for PID 1 to take an answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);
/// Longest report that is read from the canary, in bytes.
const MAX_REPORT: u64 = 512 * 1024;

/// Why the agent was not executed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShimError {
    #[error("cannot {what}")]
    Setup {
        what: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("cannot connect to {}", path.display())]
    Connect {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot talk to pid 1")]
    Wire(#[source] WireError),
    #[error("cannot execute {program}")]
    Execute {
        program: String,
        #[source]
        source: io::Error,
    },
}

/// Follows PID 1's orders until the last replaces this process. Returning is failing.
pub(crate) fn run(run_dir: &Path, argv: &[OsString]) -> ShimError {
    follow(run_dir, argv).unwrap_or_else(|error| error)
}

fn follow(run_dir: &Path, argv: &[OsString]) -> Result<ShimError, ShimError> {
    let setup = |what| move |source| ShimError::Setup { what, source };
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(io::Error::from)
        .map_err(setup("protect the process"))?;
    fds::close_rest_on_exec().map_err(setup("close inherited descriptors"))?;
    let path = run_dir.join("agent.sock");
    let socket = bridge::connect(&path, CONNECT_DEADLINE).map_err(|source| ShimError::Connect { path, source })?;
    peer::introduce(&socket).map_err(setup("say who it is"))?;
    socket.set_write_timeout(Some(ANSWER_DEADLINE)).map_err(setup("set a deadline"))?;
    loop {
        // No deadline: the task's setup may run between the canary and the launch. PID 1's end ends the wait.
        match receive(&socket).map_err(ShimError::Wire)? {
            (Order::Probe { plan }, _) => {
                let answer = match probe_in_child(&plan) {
                    Ok(report) => Answer::Probed { report },
                    Err(reason) => Answer::Failed { reason },
                };
                wire::send(&socket, &answer).map_err(ShimError::Wire)?;
            }
            (Order::Launch, pipes) => {
                let pipes = <[_; PIPES]>::try_from(pipes).map_err(|_| ShimError::Wire(WireError::Pipes))?;
                let error = execute(argv, pipes);
                let reason = command::chain("shim", &error);
                wire::send(&socket, &Answer::Failed { reason }).map_err(ShimError::Wire)?;
                return Ok(error);
            }
        }
    }
}

/// Becomes the agent. `exec` also gives SIGPIPE and the signal mask their defaults back; all other descriptors,
/// the socket to PID 1 among them, close.
fn execute(argv: &[OsString], [stdin, stdout, stderr]: [rustix::fd::OwnedFd; PIPES]) -> ShimError {
    let (program, args) = match argv {
        [program, args @ ..] => (program.clone(), args),
        [] => (OsString::new(), argv),
    };
    let source = Command::new(&program).args(args).stdin(stdin).stdout(stdout).stderr(stderr).exec();
    ShimError::Execute { program: program.to_string_lossy().into_owned(), source }
}

/// Runs the canary in a process of its own: what it tries may, where it is not refused, damage the process.
fn probe_in_child(plan: &ProbePlan) -> Result<ProbeReport, String> {
    let plan = serde_json::to_string(plan).map_err(|error| command::chain("cannot encode the plan", &error))?;
    let mut child = Command::new("/proc/self/exe")
        .args(["probe", "--plan", &plan])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| command::chain("cannot start the probe", &error))?;
    let output = read_report(&mut child);
    // A probe that is over cannot be killed, and one that hangs must be.
    let _over = child.kill();
    let status = child.wait().map_err(|error| command::chain("cannot wait for the probe", &error))?;
    let report = output?;
    serde_json::from_slice(&report)
        .map_err(|error| command::chain(&format!("the probe ended with {status} and without a report"), &error))
}

fn read_report(child: &mut Child) -> Result<Vec<u8>, String> {
    let stdout = child.stdout.take().ok_or("the probe has no output")?;
    let (done, output) = mpsc::channel();
    thread::spawn(move || {
        let mut report = Vec::new();
        let result = stdout.take(MAX_REPORT).read_to_end(&mut report).map(|_| report);
        let _late = done.send(result);
    });
    let result = output.recv_timeout(PROBE_DEADLINE).map_err(|_| "the probe did not end in time".to_owned())?;
    result.map_err(|error| command::chain("cannot read the probe's report", &error))
}
