//! Progress for people, on stderr: one line per fact, and at a terminal a live line with phase, time, turns, cost and the
//! last tool call.

use super::{
    line::{Tone, line, time},
    summary,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};
use types::{
    event::{Event, EventRecord, Phase},
    id::RunId,
    text::printable,
    verdict::{Decision, Stage},
};

/// A call in a status line.
const CALL_WIDTH: usize = 72;

/// The reporter of one run.
pub(crate) struct Human {
    bar: Option<ProgressBar>,
    started: Instant,
    last_sign: Instant,
    phase: Phase,
    turns: u32,
    cost: f64,
    budget: f64,
    last_call: String,
    /// What the model endpoint said of its limits.
    limited: String,
}

impl Human {
    /// A live line is drawn only at a terminal; `budget` is shown beside the cost.
    pub(crate) fn new(budget: f64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix:>12.cyan.bold}  {spinner} {wide_msg}");
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        let now = Instant::now();
        Self {
            bar,
            started: now,
            last_sign: now,
            phase: Phase::Admitted,
            turns: 0,
            cost: 0.0,
            budget,
            last_call: String::new(),
            limited: String::new(),
        }
    }

    /// Prints above the live line.
    pub(crate) fn print(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| to_stderr(text)),
            None => to_stderr(text),
        }
    }

    /// Redraws the live line; called a few times a second.
    pub(crate) fn tick(&self) {
        let Some(bar) = &self.bar else { return };
        let (verb, detail) = match self.phase {
            Phase::Admitted | Phase::Provisioning => ("Preparing", String::new()),
            Phase::Setup => ("Setup", String::new()),
            Phase::Running => ("Running", self.activity()),
            Phase::Waiting => ("Waiting", format!("{} · a call waits for you: sandbox pending", self.activity())),
            Phase::RateLimited => ("Limited", format!("{} · {}", self.activity(), self.limited)),
            Phase::Parked => ("Parking", String::new()),
            Phase::Harvesting => ("Harvesting", String::new()),
            Phase::Verifying => ("Verifying", String::new()),
            Phase::Done => ("Done", String::new()),
        };
        bar.set_prefix(verb);
        bar.set_message(format!("{}{detail}", time(self.started.elapsed())));
    }

    fn activity(&self) -> String {
        let idle = self.last_sign.elapsed();
        let idle = if idle < Duration::from_secs(2) { String::new() } else { format!(" · idle {}", time(idle)) };
        format!(" · turn {} · ${:.2} of ${:.2}{idle} · {}", self.turns, self.cost, self.budget, self.last_call)
    }

    /// Shows one event.
    pub(crate) fn event(&mut self, record: &EventRecord) {
        self.last_sign = Instant::now();
        for text in self.lines(&record.run, &record.event) {
            self.print(&text);
        }
        if matches!(record.event, Event::Held { .. }) && std::io::stderr().is_terminal() {
            // Someone may look elsewhere.
            let _ = write!(std::io::stderr().lock(), "\x07");
        }
        self.tick();
        if matches!(record.event, Event::Done { .. })
            && let Some(bar) = self.bar.take()
        {
            bar.finish_and_clear();
        }
    }

    fn lines(&mut self, run: &RunId, event: &Event) -> Vec<String> {
        match event {
            Event::Launch { repository, base, image, .. } => {
                let fact = format!("{} · {repository} {base} · image {image}", run.words());
                vec![line(Tone::Plain, "Preparing", &printable(&fact, 200))]
            }
            Event::Phase { phase, detail } => {
                self.phase = *phase;
                match phase {
                    // Back from waiting: the live line says it.
                    Phase::Running if detail.is_empty() => Vec::new(),
                    Phase::Running => vec![line(Tone::Plain, "Running", &printable(detail, 200))],
                    Phase::Verifying => vec![line(Tone::Plain, "Verifying", &printable(detail, 200))],
                    Phase::RateLimited => {
                        self.limited = printable(detail, 120);
                        vec![line(Tone::Warn, "Limited", &self.limited)]
                    }
                    Phase::Admitted
                    | Phase::Provisioning
                    | Phase::Setup
                    | Phase::Waiting
                    | Phase::Parked
                    | Phase::Harvesting
                    | Phase::Done => Vec::new(),
                }
            }
            Event::Canary { report } => {
                let held = report.checks.iter().filter(|check| check.expect == types::probe::Expect::Held).count();
                let spent = time(Duration::from_micros(report.micros));
                let fact = format!("{held} probes held, {} controls worked   {spent}", report.checks.len() - held);
                if report.is_sound() {
                    return vec![line(Tone::Plain, "Canary", &fact)];
                }
                let surprises = report.surprises();
                surprises
                    .iter()
                    .map(|check| line(Tone::Bad, "Canary", &printable(&format!("{}: {}", check.id, check.detail), 200)))
                    .collect()
            }
            Event::Turn { turns, cost_usd } => {
                (self.turns, self.cost) = (*turns, *cost_usd);
                Vec::new()
            }
            Event::Gate { call, verdict, .. } => {
                self.last_call = call.summary(CALL_WIDTH);
                let rule = verdict.rule.as_deref().unwrap_or("policy");
                match (verdict.decision, verdict.stage) {
                    (Decision::Allow | Decision::Ask, _) => Vec::new(),
                    (Decision::Deny, Stage::FailClosed) => {
                        let fact = format!("{}   {}", self.last_call, printable(&verdict.reason, 160));
                        vec![line(Tone::Warn, "Unavailable", &fact)]
                    }
                    (
                        Decision::Deny,
                        Stage::Integrity
                        | Stage::Normalise
                        | Stage::HardFloor
                        | Stage::Rules
                        | Stage::SoftFloor
                        | Stage::SafeFloor
                        | Stage::Ledger
                        | Stage::ClassifierFast
                        | Stage::ClassifierFull
                        | Stage::Undecided
                        | Stage::Escalation
                        | Stage::Person
                        | Stage::AllowAll,
                    ) => {
                        let told =
                            verdict.instead.as_deref().map(|text| format!("; told to {text}")).unwrap_or_default();
                        let fact = format!("{}   {rule}{}", self.last_call, printable(&told, 160));
                        vec![line(Tone::Warn, "Denied", &fact)]
                    }
                }
            }
            Event::Suspected { call, trick, excerpt } => {
                let fact = format!("{}   {trick}: {}", call.summary(CALL_WIDTH), printable(excerpt, 160));
                vec![line(Tone::Warn, "Suspect", &fact)]
            }
            Event::Held { ask, call, reason } => vec![
                line(Tone::Warn, "Asks", &format!("{}   {}", call.summary(200), printable(reason, 200))),
                line(Tone::Dim, "answer", &format!("sandbox approve {ask}      sandbox deny {ask} --reason '…'")),
            ],
            Event::Answered { ask, decision, reason } => {
                let verb = match decision {
                    Decision::Allow => "Approved",
                    Decision::Deny | Decision::Ask => "Denied",
                };
                vec![line(Tone::Plain, verb, &format!("{ask}   {}", printable(reason, 160)))]
            }
            Event::Refused { asked, rule } => {
                vec![line(Tone::Warn, "Refused", &format!("{}   {rule}", printable(asked, 120)))]
            }
            Event::Command { phase, command, code, millis } => {
                let verb = if *phase == Phase::Setup { "Setup" } else { "Verified" };
                let (tone, verb) = if *code == 0 { (Tone::Good, verb) } else { (Tone::Bad, "Exit") };
                let spent = time(Duration::from_millis(*millis));
                let code = if *code == 0 { String::new() } else { format!("{code}  ") };
                vec![line(tone, verb, &format!("{code}{}   {spent}", printable(command, 160)))]
            }
            Event::Notice { text } => vec![line(Tone::Warn, "Note", &printable(text, 300))],
            Event::Done { result } => summary::lines(result),
            // The phase says it once for all of them.
            Event::RateLimited { .. } | Event::Step { .. } | Event::Reached { .. } => Vec::new(),
        }
    }
}

/// Writes a line to stderr; a closed stderr does not end the run.
pub(crate) fn to_stderr(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
