//! One loop that owns a working agent: its protocol, the gate's answers, held calls, limits, signals, and the channel, which is
//! made anew when it breaks.

mod arriving;
mod asking;
mod clock;
mod ending;
mod pipe;
mod throttled;
mod waiting;

use crate::{
    held::Held,
    judge::Judge,
    launches::Transcripts,
    link::{Link, LinkError},
    meter::Meter,
    notify::Notices,
    outcome::{Outcome, chain},
    paths::{AttemptPaths, PathError},
    place::Place,
    plan::AttemptPlan,
    recorder::Recorder,
    stop::Stop,
    watch::{Alarm, Watch},
};
use agents::{AgentEvent, Answer, RequestId, claude::Codec};
use asking::Asking;
use channel::OutputReader;
use clock::Clock;
use egress::Egress;
use runtime::{AnyRuntime, ContainerId, ExecId};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use store::{Store, StoreError};
use tokio::sync::{mpsc::UnboundedReceiver, watch as signal};
use types::{
    call::ToolCall,
    event::{Event, Phase},
    result::{GateCounts, Status},
    verdict::Verdict,
};

/// How often limits, held calls and cancellation are looked at.
const TICK: Duration = Duration::from_millis(100);
/// The engine is asked about the agent's process once in so many ticks; the end of its stdout tells sooner.
const TICKS_PER_LOOK: u32 = 10;
/// The base mode in which a missing verdict means no.
const PERMISSION_MODE: &str = "dontAsk";
/// Time for the agent to end after its stdin was closed.
const LEAVE: Duration = Duration::from_secs(15);
/// Read buffer.
const BUFFER: usize = 64 * 1024;

/// What is needed to work with an agent.
pub(crate) struct Supervisor<'a> {
    pub(crate) plan: &'a AttemptPlan,
    pub(crate) store: &'a Store,
    pub(crate) runtime: &'a AnyRuntime,
    pub(crate) egress: &'a Egress,
    pub(crate) recorder: &'a Recorder,
    pub(crate) files: &'a AttemptPaths,
    pub(crate) watch: &'a Arc<Watch>,
    /// Time that the agent worked under earlier processes.
    pub(crate) worked: Duration,
}

/// How the agent's work ended.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) summary: String,
    pub(crate) gate: GateCounts,
}

/// Why the loop could not go on.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    File(#[from] PathError),
    #[error("the agent's {0} cannot be carried over the channel")]
    Stream(&'static str, #[source] std::io::Error),
    #[error("the state of the run cannot be recorded")]
    Record(#[from] StoreError),
}

impl Broken {
    /// Another session can mend it.
    fn is_of_the_channel(&self) -> bool {
        match self {
            Self::Link(_) | Self::Stream(..) => true,
            Self::File(_) | Self::Record(_) => false,
        }
    }
}

impl From<channel::ChannelError> for Broken {
    fn from(error: channel::ChannelError) -> Self {
        Self::Link(error.into())
    }
}

/// The streams of one session.
struct Streams {
    link: Link,
    stdin: channel::Stream,
    stdout: OutputReader,
    stderr: OutputReader,
    is_stderr_open: bool,
}

struct Session<'a> {
    with: &'a Supervisor<'a>,
    container: ContainerId,
    exec: ExecId,
    judge: Judge,
    codec: Codec,
    held: Held<RequestId>,
    asking: Asking,
    meter: Meter,
    notices: Notices,
    /// A call of the main thread was deferred: the agent is to save its session and end, and nothing else is to begin.
    is_parking: bool,
    /// The agent stopped waiting for the answer that the run is held for: later questions have no grace of their own.
    is_past_grace: bool,
    /// The agent's hook lets calls through to us.
    is_armed: bool,
    on_disk: Transcripts,
    started: Instant,
    clock: Clock,
    /// When the agent wrote last, whatever it was.
    last_output: Instant,
    /// When it wrote something that says that it goes on.
    last_sign: Instant,
    /// Calls that were judged and whose answer is not written yet; since when they wait.
    judged: Vec<(ToolCall, Verdict, Instant)>,
    phase: Phase,
}

impl Supervisor<'_> {
    /// Works with the agent in `place` until it ends or has to be ended.
    pub(crate) async fn run(
        &self,
        place: Place,
        judge: Judge,
        stop: signal::Receiver<Stop>,
        alarms: UnboundedReceiver<Alarm>,
    ) -> Ended {
        let on_disk = match Transcripts::open(self.files, self.plan.profile.container.log_mb) {
            Ok(on_disk) => on_disk,
            Err(error) => {
                let outcome = Outcome::new(Status::Internal, chain(&error));
                return Ended { outcome, summary: String::new(), gate: judge.counts() };
            }
        };
        let deadline = self.plan.profile.limits.approval_deadline.duration();
        let meter = Meter::new(self.runtime, &place.container, &self.plan.profile.container);
        let mut session = Session {
            with: self,
            container: place.container,
            exec: place.exec,
            judge,
            codec: Codec::new(deadline),
            held: Held::default(),
            asking: Asking::default(),
            meter,
            notices: Notices::new(&self.plan.profile.notify),
            is_parking: false,
            is_past_grace: false,
            is_armed: false,
            on_disk,
            started: Instant::now(),
            clock: Clock::default(),
            last_output: Instant::now(),
            last_sign: Instant::now(),
            judged: Vec::new(),
            phase: Phase::Admitted,
        };
        let outcome = match session.work(place.link, stop, alarms).await {
            Ok(outcome) => session.blamed(outcome).await,
            Err(broken) => session.explain(&broken).await,
        };
        session.notices.finish(self.recorder).await;
        let summary = session.codec.results().last().map(|result| result.text.clone()).unwrap_or_default();
        Ended { outcome, summary, gate: session.judge.counts() }
    }
}

impl Session<'_> {
    async fn work(
        &mut self,
        link: Option<Link>,
        mut stop: signal::Receiver<Stop>,
        mut alarms: UnboundedReceiver<Alarm>,
    ) -> Result<Outcome, Broken> {
        let mut streams = match link {
            Some(link) => self.launch(link).await?,
            None => self.take_up().await?,
        };
        self.enter(Phase::Running, &self.with.plan.profile.agent.model);
        let (mut out, mut err) = (vec![0; BUFFER], vec![0; BUFFER]);
        let mut leaving: Option<Instant> = None;
        let mut ticks: u32 = 0;
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                read = streams.stdout.read(&mut out) => match read {
                    Ok(0) => return Ok(self.exited(&mut streams).await),
                    Ok(count) => {
                        self.last_output = Instant::now();
                        self.on_disk.stdout.append(&out[..count])?;
                        let answers = self.heard(&out[..count]);
                        self.write(&mut streams, &answers).await?;
                        if !self.is_armed && self.codec.is_initialized() {
                            self.arm(&mut streams).await?;
                        }
                        if let Err(error) = streams.stdout.ack(self.on_disk.stdout.length()).await {
                            tracing::debug!(%error, "stdout was not acknowledged");
                            streams = self.reattach().await?;
                        }
                    }
                    Err(error) => {
                        tracing::debug!(%error, "the channel broke");
                        streams = self.reattach().await?;
                    }
                },
                read = streams.stderr.read(&mut err), if streams.is_stderr_open => match read {
                    Ok(count) if count > 0 => {
                        self.on_disk.stderr.append_cut(&err[..count])?;
                        streams.is_stderr_open = streams.stderr.ack(self.on_disk.stderr.offset()).await.is_ok();
                    }
                    Ok(_) | Err(_) => streams.is_stderr_open = false,
                },
                Some((asked, verdict)) = self.asking.next() => {
                    self.last_sign = Instant::now();
                    let answer = self.opined(asked, verdict);
                    self.write(&mut streams, &answer).await?;
                }
                Some(alarm) = alarms.recv() => return Ok(self.alarmed(alarm)),
                _ = stop.changed() => if let Some(outcome) = stop.borrow_and_update().outcome() {
                    return Ok(outcome);
                },
                _ = tick.tick() => {
                    self.look_at_rate_limits();
                    let over = self.over_limit(leaving.is_some()).or_else(|| self.used_up(&streams));
                    if let Some(outcome) = over {
                        return Ok(outcome);
                    }
                    let answers = self.answers();
                    self.write(&mut streams, &answers).await?;
                    self.notices.report(self.with.recorder);
                    match leaving {
                        None if self.is_finished() || self.codec.is_deferred() => {
                            leaving = Some(Instant::now());
                            self.close_stdin(&mut streams).await;
                        }
                        None if self.is_left_running() => return Ok(self.concluded(None)),
                        Some(since) if since.elapsed() > LEAVE => return Ok(self.concluded(None)),
                        None | Some(_) => {}
                    }
                    ticks = ticks.wrapping_add(1);
                    if ticks.is_multiple_of(TICKS_PER_LOOK) {
                        if let Some(code) = self.exit_code().await {
                            return Ok(self.drained(&mut streams, code).await);
                        }
                        if let Some(outcome) = self.vanished(&streams).await {
                            return Ok(outcome);
                        }
                    }
                }
            }
        }
    }

    fn enter(&mut self, phase: Phase, detail: &str) {
        if self.phase == phase {
            return;
        }
        self.phase = phase;
        let plan = self.with.plan;
        if let Err(error) = self.with.store.set_phase(&plan.run, plan.attempt, phase) {
            tracing::warn!(%error, "a phase was not recorded");
        }
        self.with.recorder.phase(phase, detail);
    }

    /// What the agent said; returns what it is answered.
    fn heard(&mut self, bytes: &[u8]) -> Vec<u8> {
        let before = self.codec.signs_of_life();
        let events = self.codec.feed(bytes);
        if self.codec.signs_of_life() > before {
            self.last_sign = Instant::now();
        }
        events.into_iter().flat_map(|event| self.react(event)).collect()
    }

    fn react(&mut self, event: AgentEvent) -> Vec<u8> {
        match event {
            AgentEvent::CallRequested { request, call } => self.judged(request, call),
            AgentEvent::CallUnreadable { request, .. } => self.settle(&request),
            AgentEvent::ResultArrived { request, output } => self.arrived(&request, output.as_ref()),
            AgentEvent::PermissionRequested { request, .. } => self.settle(&request),
            AgentEvent::ControlRequestUnknown { request, subtype } => {
                let subtype = types::text::printable(&subtype, 60);
                self.with
                    .recorder
                    .emit(Event::Notice { text: format!("the agent asked for `{subtype}`, which is refused") });
                self.settle(&request)
            }
            AgentEvent::TurnStarted { permission_mode, .. } => {
                if permission_mode != PERMISSION_MODE {
                    let mode = types::text::printable(&permission_mode, 40);
                    self.with.watch.alarm(Alarm::Bypass(format!("the agent works in permission mode `{mode}`")));
                }
                Vec::new()
            }
            AgentEvent::InitializeFailed { reason } => {
                let reason = types::text::printable(&reason, 200);
                self.with.watch.alarm(Alarm::Bypass(format!("the agent refused its gate: {reason}")));
                Vec::new()
            }
            AgentEvent::Garbage { head, .. } => {
                tracing::debug!(%head, "a line of the agent was not understood");
                Vec::new()
            }
            AgentEvent::ModelRetry { status, attempt, max, delay } => {
                let status = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
                let text =
                    format!("model request failed ({status}), try {attempt} of {max} in {:.0} s", delay.as_secs_f64());
                self.with.recorder.emit(Event::Notice { text });
                Vec::new()
            }
            AgentEvent::Result(_)
            | AgentEvent::RequestCancelled { .. }
            | AgentEvent::Initialized
            | AgentEvent::Text { .. }
            | AgentEvent::ToolStarted { .. }
            | AgentEvent::ToolEnded { .. }
            | AgentEvent::RefusedByAgent { .. }
            | AgentEvent::BackgroundStarted { .. }
            | AgentEvent::BackgroundEnded { .. } => Vec::new(),
        }
    }

    fn answer(&mut self, request: &RequestId, answer: &Answer) -> Vec<u8> {
        // Not open any more: the agent took the question back, and nothing is to be written.
        self.codec.verdict(request, answer).unwrap_or_default()
    }

    fn settle(&mut self, request: &RequestId) -> Vec<u8> {
        self.codec.settle(request).unwrap_or_default()
    }
}
