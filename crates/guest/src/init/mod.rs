//! `guest init`: PID 1 of the container, as a uid of its own.
//!
//! It owns the Unix sockets, the loopback listeners and the agent's pipes, and keeps them over any number of host
//! sessions. What must stay true: it ends at once when the engine asks (PID 1 has no default signal handlers), it
//! reaps what the agent leaves behind, and no session, connection or agent can end it.

mod attach;
mod configure;
mod control;
mod forward;
mod names;
mod pressure;
mod socket;
mod stdio;
mod takeoff;
mod trust;

use channel::Session;
use rustix::process::{DumpableBehavior, WaitOptions};
use std::{io, path::PathBuf, sync::Arc};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
    task::JoinSet,
};

/// How PID 1 is set up; other than the defaults only in tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Directory of the sockets and the session file.
    pub(crate) run_dir: PathBuf,
    /// The only uid that may be the shim.
    pub(crate) agent_uid: u32,
}

/// Why PID 1 could not start or had to give up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    /// The runtime or a signal handler failed.
    #[error("cannot set up {what}")]
    Setup {
        what: &'static str,
        #[source]
        source: io::Error,
    },
    /// A socket could not be made.
    #[error("cannot listen on {}", path.display())]
    Listen {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A part that runs for ever has ended.
    #[error("a part of pid 1 ended")]
    Ended,
}

/// What the parts of PID 1 share.
struct Guest {
    options: Options,
    /// The highest generation that said hello; sessions of lower ones end when it changes.
    generation: watch::Sender<u64>,
    /// Held by the session that is served, so that the next begins when the last is gone.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// The session that new connections go to.
    uplink: watch::Sender<Option<Session>>,
    network: tokio::sync::Mutex<Option<configure::Network>>,
    stdio: Arc<stdio::Stdio>,
    orders: mpsc::Sender<takeoff::Order>,
}

/// Runs until SIGTERM or SIGINT.
pub(crate) fn run(options: &Options) -> Result<(), InitError> {
    let setup = |what| move |source| InitError::Setup { what, source };
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(io::Error::from)
        .map_err(setup("process protection"))?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(setup("the event loop"))?;
    runtime.block_on(serve(options.clone()))
}

async fn serve(options: Options) -> Result<(), InitError> {
    let handler = |kind| signal(kind).map_err(|source| InitError::Setup { what: "a signal handler", source });
    let mut terminate = handler(SignalKind::terminate())?;
    let mut interrupt = handler(SignalKind::interrupt())?;
    let mut child = handler(SignalKind::child())?;

    let listen = |name: &str, mode| {
        let path = options.run_dir.join(name);
        socket::listen(&path, mode).map_err(|source| InitError::Listen { path, source })
    };
    let agent = listen("agent.sock", 0o666)?;
    let bridge = listen("bridge.sock", 0o600)?;

    let stdio = Arc::new(stdio::Stdio::new());
    let (orders, received) = mpsc::channel(4);
    let agent_uid = options.agent_uid;
    let guest = Arc::new(Guest {
        options,
        generation: watch::Sender::new(0),
        turn: Arc::default(),
        uplink: watch::Sender::new(None),
        network: tokio::sync::Mutex::default(),
        stdio: stdio.clone(),
        orders,
    });
    let mut parts = JoinSet::new();
    parts.spawn(attach::serve(bridge, guest));
    parts.spawn(takeoff::serve(agent, agent_uid, received, stdio));
    reap();
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        _ = parts.join_next() => Err(InitError::Ended),
        () = async { while child.recv().await.is_some() { reap() } } => Err(InitError::Ended),
    }
}

/// Takes the exit status of every child that has ended: orphans of the agent become ours.
fn reap() {
    while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
}
