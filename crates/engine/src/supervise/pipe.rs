//! The channel to a working agent: its streams by offset, made anew when they break. What is written to the agent is on disk before
//! it is sent.

use super::{Broken, Session, Streams};
use crate::link::Link;
use agents::{AgentEvent, claude::OpenRequest};
use channel::OutputReader;
use runtime::Runtime;
use std::time::{Duration, Instant};
use tokio::{
    io::AsyncWriteExt,
    time::{sleep, timeout},
};
use types::{
    event::{Event, Phase},
    wire::{Open, Output},
};

/// Time for the guest to take what is written to the agent.
const WRITE: Duration = Duration::from_secs(30);
/// Time in which a broken channel must come back.
const REATTACH: Duration = Duration::from_secs(20);

impl Session<'_> {
    /// Lets the waiting shim execute the agent and says what the task is. Both are on record before, so that the next process
    /// goes on from here and does not begin anew.
    pub(super) async fn launch(&mut self, mut link: Link) -> Result<Streams, Broken> {
        let plan = self.with.plan;
        self.with.store.set_phase(&plan.run, plan.attempt, Phase::Running)?;
        self.open()?;
        self.execute(&mut link).await?;
        self.streams(link, 0).await
    }

    pub(super) async fn execute(&self, link: &mut Link) -> Result<(), Broken> {
        let since = Instant::now();
        link.control.launch().await?;
        self.with.recorder.step("execve", since);
        Ok(())
    }

    /// Stores the first words to the agent, or the rest of them.
    pub(super) fn open(&mut self) -> Result<(), Broken> {
        let opening =
            if self.on_disk.is_resumed { self.codec.reopening() } else { self.codec.opening(&self.with.plan.prompt) };
        let stored = self.on_disk.stdin.from(0)?;
        if let Some(rest) = opening.strip_prefix(stored.as_slice()) {
            self.on_disk.stdin.append(rest)?;
        }
        Ok(())
    }

    /// Goes on with an agent that another process started: what was said so far is on disk.
    pub(super) async fn take_up(&mut self) -> Result<Streams, Broken> {
        let heard = self.on_disk.stdout.from(0)?;
        for event in self.codec.feed(&heard) {
            // Calls are looked at below; what must stop the run is not forgotten because a process died over it.
            if matches!(event, AgentEvent::TurnStarted { .. } | AgentEvent::InitializeFailed { .. }) {
                self.react(event);
            }
        }
        self.on_disk.stdin.keep_whole_lines()?;
        self.open()?;
        self.codec.replayed_input(&self.on_disk.stdin.from(0)?);
        self.reattach().await
    }

    /// Opens the agent's streams where they stopped, and sends again what the agent has not got.
    pub(super) async fn streams(&mut self, mut link: Link, accepted: u64) -> Result<Streams, Broken> {
        if self.codec.is_initialized() {
            link.control.arm().await?;
            self.is_armed = true;
        }
        let session = &link.session;
        let mut stdin = session.open(&Open::Stdin { offset: accepted }).await?;
        let stdout = OutputReader::open(session, Output::Stdout, self.on_disk.stdout.length()).await?;
        let stderr = OutputReader::open(session, Output::Stderr, self.on_disk.stderr.offset()).await?;
        let unsent = self.on_disk.stdin.from(accepted)?;
        send(&mut stdin, &unsent).await?;
        Ok(Streams { link, stdin, stdout, stderr, is_stderr_open: true })
    }

    /// A new session after a break, tried for a while. Calls that wait for an answer are judged, unless they were before.
    pub(super) async fn reattach(&mut self) -> Result<Streams, Broken> {
        let end = Instant::now() + REATTACH;
        loop {
            let broken = match self.attach().await {
                Ok(streams) => return Ok(streams),
                Err(broken) if broken.is_of_the_channel() => broken,
                Err(broken) => return Err(broken),
            };
            let runs = self.with.runtime.inspect(&self.container).await.map(|state| state.running);
            let is_gone = match runs {
                Ok(runs) => !runs,
                Err(error) => error.is_not_found(),
            };
            if Instant::now() > end || is_gone {
                return Err(broken);
            }
            tracing::debug!(%broken, "attaching again");
            sleep(Duration::from_millis(300)).await;
        }
    }

    pub(super) async fn attach(&mut self) -> Result<Streams, Broken> {
        let plan = self.with.plan;
        let generation = self.with.store.next_generation(&plan.run, plan.attempt)?;
        let (mut link, status) = Link::attach(self.with.runtime, &self.container, self.with.egress, generation).await?;
        if !status.launched {
            // The process before this one died between its record and its word to the shim.
            self.execute(&mut link).await?;
        }
        self.on_disk.stderr.skip_to(status.stderr.kept_from);
        let mut streams = self.streams(link, status.stdin_accepted).await?;
        let answers = self.unanswered();
        self.store_and_send(&mut streams, &answers).await?;
        Ok(streams)
    }

    /// The agent has taken us as its gate: its hook may let calls through.
    pub(super) async fn arm(&mut self, streams: &mut Streams) -> Result<(), Broken> {
        if let Err(error) = streams.link.control.arm().await {
            tracing::debug!(%error, "the hook could not be armed over this session");
            *streams = self.reattach().await?;
        }
        self.is_armed = true;
        Ok(())
    }

    /// Calls and results that an earlier process or session left without an answer; first those that a person was asked about, because others
    /// may wait behind them.
    pub(super) fn unanswered(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut left = self.codec.unanswered();
        left.sort_by_key(|(_, what)| match what {
            OpenRequest::Call(call) => !self.was_asked(call),
            OpenRequest::UnreadableCall
            | OpenRequest::Permission { .. }
            | OpenRequest::Result { .. }
            | OpenRequest::Unknown => true,
        });
        for (request, what) in left {
            match what {
                OpenRequest::Call(_) if self.held.waits_for(&request) || self.asking.waits_for(&request) => {}
                OpenRequest::Call(call) => out.extend(self.judged(request, call)),
                OpenRequest::Result { output, .. } => out.extend(self.arrived(&request, output.as_ref())),
                OpenRequest::UnreadableCall | OpenRequest::Permission { .. } | OpenRequest::Unknown => {
                    out.extend(self.settle(&request));
                }
            }
        }
        out
    }

    /// Writes to the agent, over a new session where this one breaks.
    pub(super) async fn write(&mut self, streams: &mut Streams, bytes: &[u8]) -> Result<(), Broken> {
        match self.store_and_send(streams, bytes).await {
            Err(broken) if broken.is_of_the_channel() => {
                tracing::debug!(%broken, "an answer waits for the channel");
                *streams = self.reattach().await?;
                Ok(())
            }
            done => done,
        }
    }

    /// On disk first, so that a break or a kill loses nothing.
    pub(super) async fn store_and_send(&mut self, streams: &mut Streams, bytes: &[u8]) -> Result<(), Broken> {
        if !bytes.is_empty() {
            self.on_disk.stdin.append(bytes)?;
            send(&mut streams.stdin, bytes).await?;
        }
        self.report_judged();
        Ok(())
    }

    /// Tells of the calls whose answer is written now. (The record that counts was made before, by the judge.)
    pub(super) fn report_judged(&mut self) {
        for (call, verdict, since) in self.judged.drain(..) {
            let answered_micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.with.recorder.emit(Event::Gate { call, verdict, answered_micros });
        }
    }

    pub(super) async fn close_stdin(&self, streams: &mut Streams) {
        if let Err(error) = timeout(WRITE, streams.stdin.shutdown()).await {
            tracing::debug!(%error, "the agent's stdin was not closed in time");
        }
    }
}

async fn send(stdin: &mut channel::Stream, bytes: &[u8]) -> Result<(), Broken> {
    let write = async {
        stdin.write_all(bytes).await?;
        stdin.flush().await
    };
    match timeout(WRITE, write).await {
        Ok(done) => done.map_err(|source| Broken::Stream("stdin", source)),
        Err(_) => Err(Broken::Stream("stdin", std::io::ErrorKind::TimedOut.into())),
    }
}
