//! Host sessions: each connection to the bridge socket is one.
//!
//! What must stay true: at most one session is served; a session of a higher generation ends the one before it, and
//! begins only when that has let go of the agent's pipes, so that offsets are never counted by two.

use super::{Guest, control, pressure};
use crate::peer;
use channel::{Incoming, Session, Side, Stream, frame};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::{UnixListener, UnixStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use types::wire::{MAX_FRAME, Open, Reply, Request, VERSION};

/// Time from the connection to the end of the hello.
const HELLO_DEADLINE: Duration = Duration::from_secs(10);
/// Time for the session before to let go.
const TURN_DEADLINE: Duration = Duration::from_secs(5);
/// Time for a refused host to read why.
const REFUSAL_LINGER: Duration = Duration::from_secs(2);
/// Connections at once, greeting or served.
const MAX_SESSIONS: usize = 16;
/// Host-opened streams of one session at once: control, stdin, stdout, stderr, pressure and room for replacements.
const MAX_STREAMS: usize = 16;

/// Serves the bridge socket for ever.
pub(super) async fn serve(listener: UnixListener, guest: Arc<Guest>) {
    let own_uid = rustix::process::geteuid().as_raw();
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((io, _)) if sessions.len() < MAX_SESSIONS => {
                    let guest = guest.clone();
                    sessions.spawn(async move {
                        if peer::is_from(&io, own_uid).await {
                            serve_one(io, guest).await;
                        }
                    });
                }
                Ok(_) => {}
                // Out of descriptors: wait for some to come back.
                Err(_) => sleep(Duration::from_millis(10)).await,
            },
            Some(_) = sessions.join_next(), if !sessions.is_empty() => {}
        }
    }
}

async fn serve_one(io: UnixStream, guest: Arc<Guest>) {
    let (session, mut incoming, driver) = channel::session(io, Side::Guest);
    let mut driving = JoinSet::new();
    driving.spawn(driver);
    let Ok(Some((control, generation))) = timeout(HELLO_DEADLINE, greet(&mut incoming, &guest)).await else { return };
    let Ok(_turn) = timeout(TURN_DEADLINE, guest.turn.clone().lock_owned()).await else { return };
    let mut streams = JoinSet::new();
    {
        let _uplink = Uplink::set(&guest, &session);
        streams.spawn(control::serve(control, guest.clone()));
        let mut newer = guest.generation.subscribe();
        tokio::select! {
            _ = newer.wait_for(|now| *now > generation) => {}
            _ = driving.join_next() => {}
            () = relay(&mut incoming, &mut streams, &guest) => {}
        }
    }
    // Only when the last of them is gone is it the next session's turn.
    streams.shutdown().await;
}

/// Reads the hello, claims the generation and answers a refusal. The acceptance is answered by
/// [`control::serve`], when the session before is gone and the status is final.
async fn greet(incoming: &mut Incoming, guest: &Guest) -> Option<(Stream, u64)> {
    let (Open::Control, mut control) = incoming.accept().await? else { return None };
    let request = frame::read_frame(&mut control, MAX_FRAME).await.ok()??;
    let refusal = match request {
        Request::Hello { version, .. } if version != VERSION => {
            format!("this guest speaks version {VERSION} and the host version {version}")
        }
        Request::Hello { generation, .. } => {
            let is_newer = guest.generation.send_if_modified(|highest| {
                let is_newer = generation > *highest;
                *highest = (*highest).max(generation);
                is_newer
            });
            if is_newer {
                return Some((control, generation));
            }
            format!("generation {generation} is not higher than {}", *guest.generation.borrow())
        }
        Request::Configure { .. } | Request::Arm | Request::Probe { .. } | Request::Launch | Request::Status => {
            "the first request must be hello".to_owned()
        }
    };
    frame::write_frame(&mut control, &Reply::Failed { reason: refusal }, MAX_FRAME).await.ok()?;
    // The host closes when it has read the reason.
    let _closed = timeout(REFUSAL_LINGER, frame::read_frame::<Request>(&mut control, MAX_FRAME)).await;
    None
}

/// Serves what the host opens, until the session ends.
async fn relay(incoming: &mut Incoming, streams: &mut JoinSet<()>, guest: &Guest) {
    loop {
        tokio::select! {
            opened = incoming.accept() => {
                let Some((open, stream)) = opened else { return };
                if streams.len() < MAX_STREAMS {
                    serve_stream(open, stream, streams, guest);
                }
            }
            Some(_) = streams.join_next(), if !streams.is_empty() => {}
        }
    }
}

fn serve_stream(open: Open, stream: Stream, streams: &mut JoinSet<()>, guest: &Guest) {
    let stdio = guest.stdio.clone();
    match open {
        Open::Stdin { offset } => drop(streams.spawn(async move { stdio.stdin.feed(stream, offset).await })),
        Open::Stdout { offset } => drop(streams.spawn(async move { stdio.stdout.play(stream, offset).await })),
        Open::Stderr { offset } => drop(streams.spawn(async move { stdio.stderr.play(stream, offset).await })),
        Open::Pressure => drop(streams.spawn(pressure::report(stream))),
        // One control stream a session, and the rest is ours to open: dropped, which resets it.
        Open::Control | Open::Proxy | Open::Model | Open::Named { .. } => {}
    }
}

/// While it lives, new connections go to this session.
struct Uplink<'a>(&'a Guest);

impl<'a> Uplink<'a> {
    fn set(guest: &'a Guest, session: &Session) -> Self {
        guest.uplink.send_replace(Some(session.clone()));
        Self(guest)
    }
}

impl Drop for Uplink<'_> {
    fn drop(&mut self) {
        self.0.uplink.send_replace(None);
    }
}
