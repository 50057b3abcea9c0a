//! Carrying out runs while showing them: events to the reporter, signals and answers back to the engine.

use crate::{
    args::Format,
    failure::Failure,
    report::{self, human::Human},
};
use engine::{Answer, Engine, Stop, Supervised};
use std::{
    io::{BufRead, IsTerminal},
    sync::mpsc as thread_mpsc,
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc::UnboundedReceiver, watch},
    task::JoinSet,
};
use types::{
    event::{Event, EventRecord},
    exit::Exit,
    result::AttemptResult,
};

/// How often the live line is redrawn and the terminal is looked at.
const TICK: Duration = Duration::from_millis(200);

/// How events are shown and whether a person at the terminal is asked.
pub(super) struct View {
    pub(super) format: Format,
    pub(super) may_prompt: bool,
    pub(super) budget: f64,
}

/// Supervises the attempts to their end and returns the exit code of the most severe one.
pub(super) async fn supervise(
    engine: &Engine,
    attempts: Vec<Supervised>,
    mut events: UnboundedReceiver<EventRecord>,
    view: &View,
) -> Result<Exit, Failure> {
    let (stop_sender, stop) = watch::channel(Stop::No);
    let mut running = JoinSet::new();
    for attempt in attempts {
        let (engine, stop) = (engine.clone(), stop.clone());
        running.spawn(async move { engine.execute(attempt, stop).await });
    }
    let internal = |error: std::io::Error| Failure::of(&error, None, Exit::Internal);
    let mut interrupts = signal(SignalKind::interrupt()).map_err(internal)?;
    let mut terminations = signal(SignalKind::terminate()).map_err(internal)?;
    let mut screen = Screen::new(view);
    let mut ends: Vec<Exit> = Vec::new();
    let mut failure = None;
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            Some(record) = events.recv() => screen.event(&record),
            ended = running.join_next() => match ended {
                None => break,
                Some(Ok(Ok(result))) => ends.push(exit_of(&result)),
                Some(Ok(Err(error))) => failure = Some(Failure::from(error)),
                Some(Err(error)) => failure = Some(Failure::of(&error, None, Exit::Internal)),
            },
            _ = interrupts.recv() => {
                let stage = stop_sender.borrow().next(false);
                if stage == Stop::Abandon {
                    return Ok(Exit::Interrupted);
                }
                screen.say(stage.announcement());
                let _ = stop_sender.send(stage);
            }
            _ = terminations.recv() => {
                let stage = stop_sender.borrow().next(true);
                if stage == Stop::Abandon {
                    return Ok(Exit::Terminated);
                }
                let _ = stop_sender.send(stage);
            }
            _ = tick.tick() => screen.tick(engine),
        }
    }
    while let Ok(record) = events.try_recv() {
        screen.event(&record);
    }
    match failure {
        Some(failure) => Err(failure),
        None => Ok(ends.into_iter().min_by_key(|exit| exit.rank()).unwrap_or(Exit::NothingToRun)),
    }
}

fn exit_of(result: &AttemptResult) -> Exit {
    result.status.exit()
}

/// What the person sees, and what they type.
struct Screen {
    human: Option<Human>,
    keys: Option<thread_mpsc::Receiver<String>>,
    asked: Vec<String>,
}

impl Screen {
    fn new(view: &View) -> Self {
        let human = (view.format == Format::Human).then(|| Human::new(view.budget));
        let may_prompt = view.may_prompt && human.is_some();
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Self { human, keys: (may_prompt && terminal).then(read_lines), asked: Vec::new() }
    }

    fn say(&self, text: &str) {
        match &self.human {
            Some(human) => human.print(text),
            None => report::human::to_stderr(text),
        }
    }

    fn event(&mut self, record: &EventRecord) {
        match &mut self.human {
            Some(human) => human.event(record),
            None => report::json(record),
        }
        match &record.event {
            Event::Held { ask, .. } if self.keys.is_some() => {
                self.asked.push(ask.clone());
                self.say("              allow this call once? y = yes, anything else is the reason for no");
            }
            Event::Answered { ask, .. } => self.asked.retain(|open| open != ask),
            Event::Held { .. }
            | Event::Launch { .. }
            | Event::Phase { .. }
            | Event::Step { .. }
            | Event::Canary { .. }
            | Event::Turn { .. }
            | Event::Gate { .. }
            | Event::Suspected { .. }
            | Event::RateLimited { .. }
            | Event::Refused { .. }
            | Event::Reached { .. }
            | Event::Command { .. }
            | Event::Notice { .. }
            | Event::Done { .. } => {}
        }
    }

    /// Redraws, and takes a typed line as the answer to the oldest question. Lines typed while nothing is asked are dropped,
    /// so that a key pressed too early approves nothing.
    fn tick(&mut self, engine: &Engine) {
        if let Some(human) = &self.human {
            human.tick();
        }
        let Some(line) = self.keys.as_ref().and_then(|keys| keys.try_recv().ok()) else { return };
        if self.asked.is_empty() {
            return;
        }
        let ask = self.asked.remove(0);
        let line = line.trim();
        let answered = match line {
            "y" | "yes" => engine.answer(&ask, Answer::Allow, "at the terminal"),
            "" | "n" | "no" => engine.answer(&ask, Answer::Deny, "a person said no"),
            reason => engine.answer(&ask, Answer::Deny, reason),
        };
        if let Err(error) = answered {
            self.say(&error.to_string());
        }
    }
}

/// Lines from the terminal. The thread ends with the process: a blocking read cannot be cancelled.
fn read_lines() -> thread_mpsc::Receiver<String> {
    let (sender, receiver) = thread_mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
