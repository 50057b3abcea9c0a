//! The shim's other half in PID 1: the canary and the launch.
//!
//! One task owns the shim, so that an order is carried out whole even if the host that gave it is gone. What must stay
//! true: the first process of the agent's uid to connect is the shim, and no other ever; it is launched once, and only
//! after it has reported a sound probe.

use super::stdio::Stdio;
use crate::{
    peer,
    shim::{self, Answer, MAX_MESSAGE},
};
use channel::frame;
use rustix::{
    fd::{AsFd, OwnedFd},
    pipe::PipeFlags,
};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncWriteExt, Interest},
    net::{UnixListener, UnixStream, unix::pipe},
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{sleep, timeout},
};
use types::probe::{ProbePlan, ProbeReport};

/// Time for the shim to appear once an order waits for it.
const ARRIVAL_DEADLINE: Duration = Duration::from_secs(30);
/// Time for the shim to carry out an order.
const ORDER_DEADLINE: Duration = Duration::from_secs(10);

/// Connections at once that have not said who they are.
const MAX_GREETING: usize = 16;

/// What a host asks of the shim.
pub(super) enum Order {
    /// Run the canary.
    Probe {
        /// What to try.
        plan: ProbePlan,
        /// Who asked.
        reply: oneshot::Sender<Result<ProbeReport, String>>,
    },
    /// Become the agent.
    Launch {
        /// Who asked.
        reply: oneshot::Sender<Result<(), String>>,
    },
}

/// Where the shim is.
enum Shim {
    Awaited,
    Waiting { socket: UnixStream, is_sound: bool },
    Launched,
    Gone { reason: String },
}

/// Carries out orders for ever.
pub(super) async fn serve(
    listener: UnixListener,
    agent_uid: u32,
    mut orders: mpsc::Receiver<Order>,
    stdio: Arc<Stdio>,
) {
    let mut door = Door { listener, agent_uid, greeting: JoinSet::new() };
    let mut shim = Shim::Awaited;
    let mut recorders = JoinSet::new();
    loop {
        tokio::select! {
            socket = door.next() => {
                // Only the first is taken; later ones are closed by dropping them.
                if matches!(shim, Shim::Awaited) {
                    shim = Shim::Waiting { socket, is_sound: false };
                }
            }
            order = orders.recv() => {
                let Some(order) = order else { return };
                if matches!(shim, Shim::Awaited)
                    && let Ok(socket) = timeout(ARRIVAL_DEADLINE, door.next()).await
                {
                    shim = Shim::Waiting { socket, is_sound: false };
                }
                shim = obey(shim, order, &stdio, &mut recorders).await;
            }
            Some(_) = recorders.join_next(), if !recorders.is_empty() => {}
        }
    }
}

/// The agent's socket, and who has connected and not said yet who it is.
struct Door {
    listener: UnixListener,
    agent_uid: u32,
    greeting: JoinSet<Option<UnixStream>>,
}

impl Door {
    /// The next connection from the agent's uid; others are dropped. Giving up the wait loses no connection.
    async fn next(&mut self) -> UnixStream {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((socket, _)) if self.greeting.len() < MAX_GREETING => {
                        let uid = self.agent_uid;
                        self.greeting.spawn(async move { peer::is_from(&socket, uid).await.then_some(socket) });
                    }
                    Ok(_) => {}
                    Err(_) => sleep(Duration::from_millis(10)).await,
                },
                Some(greeted) = self.greeting.join_next(), if !self.greeting.is_empty() => {
                    if let Ok(Some(socket)) = greeted {
                        return socket;
                    }
                }
            }
        }
    }
}

/// Carries out one order; the answer goes to whoever asked, if it still listens.
async fn obey(shim: Shim, order: Order, stdio: &Arc<Stdio>, recorders: &mut JoinSet<()>) -> Shim {
    let (shim, refusal) = match (shim, order) {
        (Shim::Waiting { mut socket, .. }, Order::Probe { plan, reply }) => {
            let result = probe(&mut socket, plan).await;
            let next = match &result {
                Ok(report) => Shim::Waiting { is_sound: report.is_sound(), socket },
                Err(reason) => Shim::Gone { reason: reason.clone() },
            };
            let _asker_gone = reply.send(result);
            return next;
        }
        (Shim::Waiting { socket, is_sound: true }, Order::Launch { reply }) => {
            let result = launch(socket, stdio, recorders).await;
            let next = match &result {
                Ok(()) => Shim::Launched,
                Err(reason) => Shim::Gone { reason: reason.clone() },
            };
            let _asker_gone = reply.send(result);
            return next;
        }
        (shim @ Shim::Waiting { .. }, order) => (shim, (order, "there is no sound probe report".to_owned())),
        (shim @ Shim::Awaited, order) => (shim, (order, "no shim has come".to_owned())),
        (shim @ Shim::Launched, order) => (shim, (order, "the agent was launched".to_owned())),
        (Shim::Gone { reason }, order) => {
            let text = format!("the shim is gone: {reason}");
            (Shim::Gone { reason }, (order, text))
        }
    };
    match refusal {
        (Order::Probe { reply, .. }, reason) => drop(reply.send(Err(reason))),
        (Order::Launch { reply }, reason) => drop(reply.send(Err(reason))),
    }
    shim
}

async fn probe(socket: &mut UnixStream, plan: ProbePlan) -> Result<ProbeReport, String> {
    let order = frame::encode(&shim::Order::Probe { plan }, MAX_MESSAGE).map_err(|error| error.to_string())?;
    let talk = async {
        socket.write_all(&order).await.map_err(|error| error.to_string())?;
        match answer(socket).await? {
            Some(Answer::Probed { report }) => Ok(report),
            Some(Answer::Failed { reason }) => Err(reason),
            None => Err("it ended during the probe".to_owned()),
        }
    };
    timeout(ORDER_DEADLINE, talk).await.map_err(|_| "the probe took too long".to_owned())?
}

/// Hands the pipes over. The socket closes by itself when the exec works.
async fn launch(mut socket: UnixStream, stdio: &Arc<Stdio>, recorders: &mut JoinSet<()>) -> Result<(), String> {
    let pipes = Pipes::new().map_err(|error| crate::command::chain("cannot make pipes", &error))?;
    let order = frame::encode(&shim::Order::Launch, MAX_MESSAGE).map_err(|error| error.to_string())?;
    let talk = async {
        let theirs = pipes.theirs.each_ref().map(OwnedFd::as_fd);
        let send = || shim::send_pipes(&socket, &order, theirs);
        let sent = socket.async_io(Interest::WRITABLE, send).await.map_err(|error| error.to_string())?;
        socket.write_all(&order[sent..]).await.map_err(|error| error.to_string())?;
        // Our copies must go, or the agent's output would never end.
        drop(pipes.theirs);
        stdio.stdin.connect(pipes.stdin).await;
        let (out, err) = (stdio.clone(), stdio.clone());
        recorders.spawn(async move { out.stdout.record(pipes.stdout).await });
        recorders.spawn(async move { err.stderr.record(pipes.stderr).await });
        match answer(&mut socket).await? {
            None => {
                stdio.set_launched();
                Ok(())
            }
            Some(Answer::Failed { reason }) => Err(reason),
            Some(Answer::Probed { .. }) => Err("it answered a launch with a probe".to_owned()),
        }
    };
    timeout(ORDER_DEADLINE, talk).await.map_err(|_| "the launch took too long".to_owned())?
}

async fn answer(socket: &mut UnixStream) -> Result<Option<Answer>, String> {
    frame::read_frame(socket, MAX_MESSAGE).await.map_err(|error| crate::command::chain("bad answer", &error))
}

/// Three pipes: our ends, and the agent's stdin, stdout and stderr.
struct Pipes {
    stdin: pipe::Sender,
    stdout: pipe::Receiver,
    stderr: pipe::Receiver,
    theirs: [OwnedFd; shim::PIPES],
}

impl Pipes {
    fn new() -> io::Result<Self> {
        let make = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC);
        let (stdin_read, stdin_write) = make()?;
        let (stdout_read, stdout_write) = make()?;
        let (stderr_read, stderr_write) = make()?;
        Ok(Self {
            stdin: pipe::Sender::from_owned_fd(stdin_write)?,
            stdout: pipe::Receiver::from_owned_fd(stdout_read)?,
            stderr: pipe::Receiver::from_owned_fd(stderr_read)?,
            theirs: [stdin_read, stdout_write, stderr_write],
        })
    }
}
