//! What the engine hears from the egress while a run is on: records, counts, and the facts of invariant 9.
//!
//! The calls come from the tasks that carry the traffic; what must stop the run is sent to the supervisor as an [`Alarm`].

use crate::{
    join::{Finding, Join},
    journal::{Journal, JournalError},
    listeners::is_canary,
    paths::AttemptPaths,
    recorder::Recorder,
    throttle::Throttle,
};
use egress::{Admission, LimitReached, Observer, Spent};
use gate::Suspicion;
use serde::{Deserialize, Serialize};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc::UnboundedSender;
use types::{
    budget::{TokenClass, TokenCounts},
    event::{EgressRecord, Event, Usage, WireToolResult, WireToolUse},
    id::CallId,
    profile::LimitsProfile,
    result::{EgressCounts, GateCounts},
};

/// A reason to stop the run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Alarm {
    /// A call had an effect without a verdict.
    Bypass(String),
    /// A limit is reached; the text begins with its name.
    Limit(String),
    /// The model endpoint refused the credential.
    AuthRefused(u16),
    /// What must be recorded could not be.
    Unrecorded(String),
}

/// A look at what a tool returned, before the model read it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Look {
    /// The call that brought it.
    pub(crate) id: CallId,
    /// Lines of `gate.jsonl` before it.
    pub(crate) judged: u64,
    /// What was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) found: Option<Suspicion>,
    /// It could not be looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) failed: bool,
}

/// A line of `calls.jsonl`: what passed on the wire and what was seen in it, so that another process can go on with the join.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WireRecord {
    /// The model emitted a call.
    Use(WireToolUse),
    /// A result came back.
    Result(WireToolResult),
    /// The agent brought a result before the model got it.
    Look(Look),
    /// A request to the model was let up.
    Admitted {
        /// Its number.
        request: u64,
        /// What is charged for it if it is never closed.
        lost: Usage,
    },
    /// The request is over and charged.
    Closed {
        /// Its number.
        request: u64,
        /// It was a turn of the agent.
        is_turn: bool,
    },
}

/// Running totals.
#[derive(Debug, Default, Clone)]
pub(crate) struct Totals {
    pub(crate) egress: EgressCounts,
    pub(crate) turns: u32,
    pub(crate) cost_usd: f64,
    pub(crate) tokens: TokenCounts,
    /// Requests to the model.
    pub(crate) requests: u64,
    /// Answers of the endpoint that are rate limits.
    pub(crate) rate_limits: u64,
    /// Time that the run waited for the endpoint under earlier processes.
    pub(crate) throttled: Duration,
    pub(crate) rejected_before_gate: u64,
    pub(crate) bypassed: u64,
    pub(crate) suspected: u64,
    pub(crate) unprobed: u64,
}

impl Totals {
    /// Counts what a result was.
    pub(crate) fn returned(&mut self, finding: &Finding) {
        match finding {
            Finding::Settled => {}
            Finding::Unprobed => self.unprobed += 1,
            Finding::RejectedBeforeGate => self.rejected_before_gate += 1,
            Finding::Bypass(_) => self.bypassed += 1,
        }
    }

    /// Counts what a request took.
    pub(crate) fn paid(&mut self, usage: &Usage) {
        self.cost_usd += usage.cost_usd;
        self.tokens = self.tokens.plus(TokenCounts {
            input: usage.input_tokens,
            output: usage.output_tokens,
            cache_write: usage.cache_write_tokens,
            cache_read: usage.cache_read_tokens,
        });
    }

    /// The same for the gateway of the next process.
    pub(crate) fn spent(&self) -> Spent {
        Spent { usd: self.cost_usd, tokens: self.tokens, turns: self.turns.into(), requests: self.requests }
    }

    /// Counts a look at a result.
    pub(crate) fn looked(&mut self, look: &Look) {
        self.suspected += u64::from(look.found.is_some());
        self.unprobed += u64::from(look.failed);
    }

    /// Adds them to what the gate counted.
    pub(crate) fn add_to(&self, counts: GateCounts) -> GateCounts {
        GateCounts {
            rejected_before_gate: self.rejected_before_gate,
            bypassed: self.bypassed,
            suspected: self.suspected,
            unprobed: self.unprobed,
            ..counts
        }
    }
}

/// The observer of one run.
pub(crate) struct Watch {
    join: Mutex<Join>,
    totals: Mutex<Totals>,
    calls: Journal,
    egress: Journal,
    usage: Journal,
    recorder: Arc<Recorder>,
    alarms: UnboundedSender<Alarm>,
    throttle: Throttle,
    limits: LimitsProfile,
    /// A journal is full, and that was told.
    is_full: AtomicBool,
}

impl Watch {
    /// Opens the journals of the attempt; `join` and `totals` hold what earlier processes saw.
    pub(crate) fn open(
        paths: &AttemptPaths,
        join: Join,
        totals: Totals,
        limits: &LimitsProfile,
        recorder: Arc<Recorder>,
        alarms: UnboundedSender<Alarm>,
    ) -> Result<Self, JournalError> {
        Ok(Self {
            join: Mutex::new(join),
            totals: Mutex::new(totals),
            calls: Journal::plain(&paths.file("calls.jsonl"))?,
            egress: Journal::chained(&paths.file("egress.jsonl"))?,
            usage: Journal::plain(&paths.file("usage.jsonl"))?,
            recorder,
            alarms,
            throttle: Throttle::default(),
            limits: limits.clone(),
            is_full: AtomicBool::new(false),
        })
    }

    /// Raises the alarms of what was used up under earlier processes.
    pub(crate) fn check_limits(&self) {
        let Totals { cost_usd, tokens, .. } = self.totals();
        let limit_usd = self.limits.max_budget_usd;
        if cost_usd >= limit_usd {
            self.limit_reached(LimitReached::Budget { spent_usd: cost_usd, limit_usd });
        }
        for class in TokenClass::ALL {
            let cap = self.limits.max_tokens.of(class).count();
            if let Some(limit) = cap.filter(|limit| tokens.of(class) >= *limit) {
                self.limit_reached(LimitReached::Tokens { class, spent: tokens.of(class), limit });
            }
        }
    }

    /// Charges what another process let up and did not live to hear the end of.
    pub(crate) fn charge_lost(&self, lost: Admission) {
        if lost.lost != Usage::default() {
            self.usage(lost.lost);
        }
        self.closed(lost.request, false);
    }

    /// The waits for the endpoint.
    pub(crate) fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    /// All of them together, also those of earlier processes.
    pub(crate) fn throttled(&self) -> Duration {
        self.totals().throttled + self.throttle.waited(Instant::now())
    }

    /// The join, for the supervisor's side of it.
    pub(crate) fn join(&self) -> MutexGuard<'_, Join> {
        self.join.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The totals so far.
    pub(crate) fn totals(&self) -> Totals {
        self.lock_totals().clone()
    }

    fn lock_totals(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A result was looked at; the record comes before the agent goes on.
    pub(crate) fn looked(&self, look: Look) {
        self.join().looked_at(&look.id);
        self.lock_totals().looked(&look);
        self.record(&self.calls, &WireRecord::Look(look));
    }

    /// Something that must stop the run.
    pub(crate) fn alarm(&self, alarm: Alarm) {
        let _ = self.alarms.send(alarm);
    }

    /// What cannot be recorded must not go on unrecorded.
    fn record(&self, journal: &Journal, line: &impl Serialize) {
        match journal.append(line) {
            Ok(()) => {}
            // Programs inside can go on asking until the run has ended.
            Err(JournalError::Full { .. }) if self.is_full.swap(true, Ordering::Relaxed) => {}
            Err(error @ JournalError::Full { .. }) => self.alarm(Alarm::Limit(format!("journal: {error}"))),
            Err(error @ (JournalError::Io { .. } | JournalError::Encode { .. } | JournalError::Damaged { .. })) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                self.alarm(Alarm::Unrecorded(format!("{error}{cause}")));
            }
        }
    }
}

impl Observer for Watch {
    fn egress(&self, record: EgressRecord) {
        self.record(&self.egress, &record);
        // The canary's own attempts are on record, but they are not the agent's.
        if is_canary(&record.asked) {
            return;
        }
        self.lock_totals().egress.add(&record);
        if !record.allowed {
            self.recorder.emit(Event::Refused { asked: record.asked, rule: record.rule });
        }
    }

    fn tool_use(&self, call: WireToolUse) {
        self.record(&self.calls, &WireRecord::Use(call.clone()));
        self.join().emitted(call);
    }

    fn tool_result(&self, result: WireToolResult) {
        self.record(&self.calls, &WireRecord::Result(result.clone()));
        let finding = self.join().returned(&result);
        self.lock_totals().returned(&finding);
        if let Finding::Bypass(what) = finding {
            self.alarm(Alarm::Bypass(what));
        }
    }

    fn usage(&self, usage: Usage) {
        self.lock_totals().paid(&usage);
        self.record(&self.usage, &usage);
    }

    fn admitted(&self, admission: Admission) {
        let Admission { request, lost } = admission;
        self.lock_totals().requests = request;
        self.record(&self.calls, &WireRecord::Admitted { request, lost });
    }

    fn closed(&self, request: u64, is_turn: bool) {
        self.record(&self.calls, &WireRecord::Closed { request, is_turn });
        if is_turn {
            let (turns, cost_usd) = {
                let mut totals = self.lock_totals();
                totals.turns += 1;
                (totals.turns, totals.cost_usd)
            };
            self.recorder.emit(Event::Turn { turns, cost_usd });
        }
    }

    fn auth_refused(&self, status: u16) {
        self.alarm(Alarm::AuthRefused(status));
    }

    fn rate_limited(&self, status: u16, retry_after: Option<Duration>) {
        self.lock_totals().rate_limits += 1;
        self.throttle.limited(status, retry_after, Instant::now());
        self.recorder.emit(Event::RateLimited { status, retry_after_secs: retry_after.map(|span| span.as_secs()) });
    }

    fn rate_cleared(&self) {
        self.throttle.cleared(Instant::now());
    }

    fn limit_reached(&self, limit: LimitReached) {
        self.alarm(Alarm::Limit(limit.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{join::Dialect, paths::AttemptPaths, trust::testing::profile};
    use egress::limits::JOURNAL_BYTES;
    use std::{fs::File, io::Write as _};
    use tokio::sync::mpsc;
    use types::id::RunId;

    #[test]
    fn a_full_journal_ends_the_run_once() {
        let dir = tempfile::tempdir().expect("dir");
        let paths = AttemptPaths { task: dir.path().to_owned(), root: dir.path().to_owned() };
        // Holes, but for the end of the last line.
        let mut calls = File::create(paths.file("calls.jsonl")).expect("file");
        calls.set_len(JOURNAL_BYTES - 200).expect("length");
        calls = File::options().append(true).open(paths.file("calls.jsonl")).expect("file");
        calls.write_all(b"\n").expect("line");
        let (events, _events) = mpsc::unbounded_channel();
        let recorder = Recorder::open(&RunId::mint(1, 1), &paths.file("events.jsonl"), Instant::now(), events);
        let (alarms, mut heard) = mpsc::unbounded_channel();
        let dialect = Dialect { inputs_agree: |_, _| true, is_refused_before_gate: |_| false };
        let limits = profile("").limits;
        let recorder = Arc::new(recorder.expect("recorder"));
        let watch = Watch::open(&paths, Join::new(dialect), Totals::default(), &limits, recorder, alarms);
        let watch = watch.expect("watch");
        watch.closed(1, false);
        assert_eq!(heard.try_recv().ok(), None, "there is room");
        for request in 2..40 {
            watch.closed(request, false);
        }
        let Ok(Alarm::Limit(what)) = heard.try_recv() else { panic!("no alarm") };
        assert!(what.starts_with("journal: ") && what.contains("calls.jsonl is longer than 268435456 bytes"), "{what}");
        assert_eq!(heard.try_recv().ok(), None);
        assert!(std::fs::metadata(paths.file("calls.jsonl")).expect("file").len() <= JOURNAL_BYTES);
    }
}
