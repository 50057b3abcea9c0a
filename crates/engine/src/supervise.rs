//! One loop that owns a working agent: its protocol, the gate's answers, held calls, limits, signals, and the channel, which is
//! made anew when it breaks.

use crate::{
    held::{About, Held},
    judge::Judge,
    link::{Link, LinkError},
    outcome::{Outcome, chain},
    paths::{AttemptPaths, PathError},
    place::Place,
    plan::AttemptPlan,
    recorder::Recorder,
    stop::Stop,
    transcript::Transcript,
    watch::{Alarm, Watch},
};
use agents::{
    AgentEvent, Answer, Completion, RequestId,
    claude::{Codec, OpenRequest},
};
use channel::OutputReader;
use egress::Egress;
use runtime::{AnyRuntime, ContainerId, ExecId, Runtime};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use store::{Store, StoreError};
use tokio::{
    io::AsyncWriteExt,
    sync::{mpsc::UnboundedReceiver, watch as signal},
    time::{sleep, timeout},
};
use types::{
    call::ToolCall,
    event::{Event, Phase},
    result::{GateCounts, Status},
    verdict::{Decision, Verdict},
    wire::{Open, Output},
};

/// How often limits, held calls and cancellation are looked at.
const TICK: Duration = Duration::from_millis(100);
/// The engine is asked about the agent's process once in so many ticks; the end of its stdout tells sooner.
const TICKS_PER_LOOK: u32 = 10;
/// The base mode in which a missing verdict means no.
const PERMISSION_MODE: &str = "dontAsk";
/// Silence after which background work that the agent left running no longer keeps the run.
const BACKGROUND: Duration = Duration::from_secs(60);
/// Time for the agent to end after its stdin was closed.
const LEAVE: Duration = Duration::from_secs(15);
/// Time for the guest to take what is written to the agent.
const WRITE: Duration = Duration::from_secs(30);
/// Time in which the engine notes the end of a container whose processes have ended.
const BLAME: Duration = Duration::from_secs(1);
/// Time in which a broken channel must come back.
const REATTACH: Duration = Duration::from_secs(20);
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
    _link: Link,
    stdin: channel::Stream,
    stdout: OutputReader,
    stderr: OutputReader,
    is_stderr_open: bool,
}

/// The bytes on disk.
struct Transcripts {
    stdin: Transcript,
    stdout: Transcript,
    stderr: Transcript,
}

struct Session<'a> {
    with: &'a Supervisor<'a>,
    container: ContainerId,
    exec: ExecId,
    judge: Judge,
    codec: Codec,
    held: Held<RequestId>,
    on_disk: Transcripts,
    started: Instant,
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
        let open = |name: &str| Transcript::open(&self.files.file(name));
        let on_disk = match (open("agent.stdin.jsonl"), open("transcript.jsonl"), open("agent.stderr.log")) {
            (Ok(stdin), Ok(stdout), Ok(stderr)) => Transcripts { stdin, stdout, stderr },
            (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => {
                let outcome = Outcome::new(Status::Internal, chain(&error));
                return Ended { outcome, summary: String::new(), gate: judge.counts() };
            }
        };
        let deadline = self.plan.profile.limits.approval_deadline.duration();
        let mut session = Session {
            with: self,
            container: place.container,
            exec: place.exec,
            judge,
            codec: Codec::new(deadline),
            held: Held::default(),
            on_disk,
            started: Instant::now(),
            last_output: Instant::now(),
            last_sign: Instant::now(),
            judged: Vec::new(),
            phase: Phase::Admitted,
        };
        let outcome = match session.work(place.link, stop, alarms).await {
            Ok(outcome) => session.blamed(outcome).await,
            Err(broken) => session.explain(&broken).await,
        };
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
                    Ok(0) => return Ok(self.exited().await),
                    Ok(count) => {
                        self.last_output = Instant::now();
                        self.on_disk.stdout.append(&out[..count])?;
                        let answers = self.heard(&out[..count]);
                        self.write(&mut streams, &answers).await?;
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
                        self.on_disk.stderr.append(&err[..count])?;
                        streams.is_stderr_open = streams.stderr.ack(self.on_disk.stderr.length()).await.is_ok();
                    }
                    Ok(_) | Err(_) => streams.is_stderr_open = false,
                },
                Some(alarm) = alarms.recv() => return Ok(self.alarmed(alarm)),
                _ = stop.changed() => if let Some(outcome) = stop.borrow_and_update().outcome() {
                    return Ok(outcome);
                },
                _ = tick.tick() => {
                    if let Some(outcome) = self.over_limit(leaving.is_some()) {
                        return Ok(outcome);
                    }
                    let (answers, expired) = self.answers();
                    self.write(&mut streams, &answers).await?;
                    if expired {
                        return Ok(Outcome::new(Status::Waiting, "a held call was not answered within limits.approval-deadline")
                            .with_hint("the call was denied; run the task again when someone can answer"));
                    }
                    match leaving {
                        None if self.is_finished() => {
                            leaving = Some(Instant::now());
                            self.close_stdin(&mut streams).await;
                        }
                        None if self.is_left_running() => return Ok(self.concluded(None)),
                        Some(since) if since.elapsed() > LEAVE => return Ok(self.concluded(None)),
                        None | Some(_) => {}
                    }
                    ticks = ticks.wrapping_add(1);
                    if ticks.is_multiple_of(TICKS_PER_LOOK)
                        && let Some(code) = self.exit_code().await
                    {
                        return Ok(self.drained(&mut streams, code).await);
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

    /// Lets the waiting shim execute the agent and says what the task is. Both are on record before, so that the next process
    /// goes on from here and does not begin anew.
    async fn launch(&mut self, mut link: Link) -> Result<Streams, Broken> {
        let plan = self.with.plan;
        self.with.store.set_phase(&plan.run, plan.attempt, Phase::Running)?;
        self.open()?;
        self.execute(&mut link).await?;
        self.streams(link, 0).await
    }

    async fn execute(&self, link: &mut Link) -> Result<(), Broken> {
        let since = Instant::now();
        link.control.launch().await?;
        self.with.recorder.step("execve", since);
        Ok(())
    }

    /// Stores the first words to the agent, or the rest of them.
    fn open(&mut self) -> Result<(), Broken> {
        let opening = self.codec.opening(&self.with.plan.prompt);
        let stored = self.on_disk.stdin.from(0)?;
        if let Some(rest) = opening.strip_prefix(stored.as_slice()) {
            self.on_disk.stdin.append(rest)?;
        }
        Ok(())
    }

    /// Goes on with an agent that another process started: what was said so far is on disk.
    async fn take_up(&mut self) -> Result<Streams, Broken> {
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
    async fn streams(&mut self, link: Link, accepted: u64) -> Result<Streams, Broken> {
        let session = &link.session;
        let mut stdin = session.open(&Open::Stdin { offset: accepted }).await?;
        let stdout = OutputReader::open(session, Output::Stdout, self.on_disk.stdout.length()).await?;
        let stderr = OutputReader::open(session, Output::Stderr, self.on_disk.stderr.length()).await?;
        let unsent = self.on_disk.stdin.from(accepted)?;
        send(&mut stdin, &unsent).await?;
        Ok(Streams { _link: link, stdin, stdout, stderr, is_stderr_open: true })
    }

    /// A new session after a break, tried for a while. Calls that wait for an answer are judged, unless they were before.
    async fn reattach(&mut self) -> Result<Streams, Broken> {
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

    async fn attach(&mut self) -> Result<Streams, Broken> {
        let plan = self.with.plan;
        let generation = self.with.store.next_generation(&plan.run, plan.attempt)?;
        let (mut link, status) = Link::attach(self.with.runtime, &self.container, self.with.egress, generation).await?;
        if !status.launched {
            // The process before this one died between its record and its word to the shim.
            self.execute(&mut link).await?;
        }
        let mut streams = self.streams(link, status.stdin_accepted).await?;
        let answers = self.unanswered();
        self.store_and_send(&mut streams, &answers).await?;
        Ok(streams)
    }

    /// Calls that an earlier process or session left without an answer.
    fn unanswered(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for (request, what) in self.codec.unanswered() {
            match what {
                OpenRequest::Call(_) if self.held.waits_for(&request) => {}
                OpenRequest::Call(call) => out.extend(self.judged(request, call)),
                OpenRequest::UnreadableCall | OpenRequest::Permission { .. } | OpenRequest::Unknown => {
                    out.extend(self.settle(&request));
                }
            }
        }
        out
    }

    /// Writes to the agent, over a new session where this one breaks.
    async fn write(&mut self, streams: &mut Streams, bytes: &[u8]) -> Result<(), Broken> {
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
    async fn store_and_send(&mut self, streams: &mut Streams, bytes: &[u8]) -> Result<(), Broken> {
        if !bytes.is_empty() {
            self.on_disk.stdin.append(bytes)?;
            send(&mut streams.stdin, bytes).await?;
        }
        self.report_judged();
        Ok(())
    }

    /// Tells of the calls whose answer is written now. (The record that counts was made before, by the judge.)
    fn report_judged(&mut self) {
        for (call, verdict, since) in self.judged.drain(..) {
            let answered_micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.with.recorder.emit(Event::Gate { call, verdict, answered_micros });
        }
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

    fn judged(&mut self, request: RequestId, call: ToolCall) -> Vec<u8> {
        let mut verdict = self.judge.judge(&call);
        let mut bytes = Vec::new();
        match Answer::of(&verdict) {
            Some(answer) => bytes = self.answer(&request, &answer),
            None => match self.hold(request.clone(), &call, &verdict) {
                Ok(()) => {}
                Err(unavailable) => {
                    bytes = self.answer(&request, &Answer::Deny { text: unavailable.agent_text() });
                    verdict = *unavailable;
                }
            },
        }
        self.judged.push((call, verdict, self.last_output));
        bytes
    }

    /// Holds a call for a person; where that cannot be recorded, it is denied.
    fn hold(&mut self, request: RequestId, call: &ToolCall, verdict: &Verdict) -> Result<(), Box<Verdict>> {
        let plan = self.with.plan;
        let about = About {
            run: &plan.run,
            attempt: plan.attempt,
            reason: &verdict.reason,
            deadline: plan.profile.limits.approval_deadline,
        };
        let held = self.held.hold(self.with.store, &about, request, call.clone());
        match held {
            Ok(ask) => {
                self.with.recorder.emit(Event::Held { ask, call: call.clone(), reason: verdict.reason.clone() });
                self.enter(Phase::Waiting, "");
                Ok(())
            }
            Err(error) => {
                let unavailable = Verdict::unavailable(format!("the question cannot be recorded: {}", chain(&error)));
                Err(Box::new(self.judge.replace(call, unavailable)))
            }
        }
    }

    /// Answers of people that came since the last look; true when a deadline passed.
    fn answers(&mut self) -> (Vec<u8>, bool) {
        if self.held.is_empty() {
            return (Vec::new(), false);
        }
        let taken = match self.held.take(self.with.store) {
            Ok(taken) => taken,
            Err(error) => {
                tracing::warn!(%error, "held calls cannot be looked up");
                return (Vec::new(), false);
            }
        };
        let (mut out, mut expired) = (Vec::new(), false);
        for answered in taken {
            expired |= answered.is_expired;
            let verdict = self.judge.answered(&answered.call, answered.decision, &answered.reason);
            let answer = Answer::of(&verdict).unwrap_or_else(|| Answer::Deny { text: verdict.agent_text() });
            out.extend(self.answer(&answered.request, &answer));
            let decision = if answer == Answer::Allow { Decision::Allow } else { Decision::Deny };
            self.with.recorder.emit(Event::Answered { ask: answered.ask, decision, reason: answered.reason });
        }
        if self.held.is_empty() {
            self.last_sign = Instant::now();
            self.enter(Phase::Running, "");
        }
        (out, expired)
    }

    fn alarmed(&self, alarm: Alarm) -> Outcome {
        match alarm {
            Alarm::Bypass(what) => Outcome::new(Status::Policy, what)
                .with_hint("the agent was stopped at once; its work was harvested, review it with care"),
            Alarm::Limit(what) => Outcome::new(Status::Limit, what).with_hint("partial work is kept"),
            Alarm::AuthRefused(status) => {
                Outcome::new(Status::Authentication, format!("the model endpoint answered {status}"))
                    .with_hint("check the credential that model.credentials names")
            }
            Alarm::Unrecorded(what) => Outcome::new(Status::Infrastructure, what).with_hint("is the disk full?"),
        }
    }

    /// Wall clock, silence, cancellation.
    fn over_limit(&self, is_leaving: bool) -> Option<Outcome> {
        let plan = self.with.plan;
        let limits = &plan.profile.limits;
        let worked = self.with.worked + self.started.elapsed().saturating_sub(self.held.waited());
        if worked > limits.timeout.duration() {
            let outcome = Outcome::new(Status::Limit, format!("timeout: {} of work", limits.timeout));
            return Some(outcome.with_hint("partial work is kept; raise the timeout in task and profile"));
        }
        let is_silent = self.last_sign.elapsed() > limits.idle_timeout.duration();
        // An agent that is done may be silent: see `is_left_running`.
        if is_silent && self.held.is_empty() && !is_leaving && !self.codec.is_between_turns() {
            let outcome =
                Outcome::new(Status::Limit, format!("idle-timeout: the agent was silent for {}", limits.idle_timeout));
            return Some(outcome.with_hint("partial work is kept"));
        }
        match self.with.store.attempt(&plan.run, plan.attempt) {
            Ok(Some(attempt)) if attempt.cancel => Some(Outcome::new(Status::Interrupted, "cancelled")),
            Ok(_) | Err(_) => None,
        }
    }

    /// A result was reported, no turn is open, nothing runs in the background, and it has been quiet.
    fn is_finished(&self) -> bool {
        self.codec.quiet_after().is_some_and(|quiet| self.last_output.elapsed() > quiet)
    }

    /// The agent is done, and something that it started, such as a server, would run for ever.
    fn is_left_running(&self) -> bool {
        let silence = BACKGROUND.min(self.with.plan.profile.limits.idle_timeout.duration());
        self.codec.is_between_turns() && self.last_sign.elapsed() > silence
    }

    async fn close_stdin(&self, streams: &mut Streams) {
        if let Err(error) = timeout(WRITE, streams.stdin.shutdown()).await {
            tracing::debug!(%error, "the agent's stdin was not closed in time");
        }
    }

    async fn exit_code(&self) -> Option<i64> {
        let state = self.with.runtime.exec_state(&self.exec).await.ok()?;
        if state.running { None } else { state.exit_code }
    }

    /// The agent's process is gone; takes what is still on the way.
    async fn drained(&mut self, streams: &mut Streams, code: i64) -> Outcome {
        let mut buffer = vec![0; BUFFER];
        while let Ok(Ok(count)) = timeout(TICK, streams.stdout.read(&mut buffer)).await {
            if count == 0 || self.on_disk.stdout.append(&buffer[..count]).is_err() {
                break;
            }
            self.heard(&buffer[..count]);
        }
        self.concluded(Some(code))
    }

    /// The agent closed its stdout: its exit code follows.
    async fn exited(&mut self) -> Outcome {
        let end = Instant::now() + LEAVE;
        while Instant::now() < end {
            if let Some(code) = self.exit_code().await {
                return self.concluded(Some(code));
            }
            sleep(Duration::from_millis(20)).await;
        }
        self.concluded(None)
    }

    fn concluded(&self, exit: Option<i64>) -> Outcome {
        match self.codec.completion(exit) {
            Completion::Finished { .. } if self.codec.is_between_turns() => Outcome::finished(),
            Completion::Finished { .. } => Outcome::new(Status::Truncated, "the agent ended while a turn was open"),
            Completion::Truncated { reason } => Outcome::new(Status::Truncated, reason)
                .with_hint(format!("its stderr is in {}", self.with.files.file("agent.stderr.log").display())),
            Completion::TurnLimit => Outcome::new(Status::Limit, "max-turns"),
            Completion::BudgetLimit => Outcome::new(Status::Limit, "max-budget-usd"),
            Completion::Authentication { reason } => Outcome::new(Status::Authentication, reason),
            Completion::ModelUnavailable { reason, .. } => Outcome::new(Status::Infrastructure, reason),
        }
    }

    /// The channel or a file failed, perhaps because the agent or its container ended.
    async fn explain(&mut self, broken: &Broken) -> Outcome {
        let code = self.exit_code().await;
        match self.with.runtime.inspect(&self.container).await {
            Ok(state) if state.running && code.is_none() => Outcome::new(Status::Infrastructure, chain(broken)),
            Ok(_) => {
                let outcome = self.concluded(code);
                self.blamed(outcome).await
            }
            error @ Err(_) => Outcome::new(Status::Truncated, chain(broken)).considering(&error),
        }
    }

    /// Looks at the container of an agent that ended half way: when that ends, the agent's process is reported first.
    async fn blamed(&self, outcome: Outcome) -> Outcome {
        if outcome.status != Status::Truncated {
            return outcome;
        }
        let end = Instant::now() + BLAME;
        loop {
            let considered = outcome.clone().considering(&self.with.runtime.inspect(&self.container).await);
            if considered != outcome || Instant::now() > end {
                return considered;
            }
            sleep(TICK).await;
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
