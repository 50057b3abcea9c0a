//! What an earlier process left of an attempt, read back from its files: the join, the totals, the gate's counts, the agent's last
//! words and the time it worked. Nothing here asks the engine.

use crate::{
    error::EngineError,
    history::History,
    join::{Dialect, Finding, Join},
    journal, judge,
    listeners::{HOME, is_canary},
    paths::AttemptPaths,
    watch::{Totals, WireRecord},
};
use egress::Admission;
use jiff::Timestamp;
use std::{collections::BTreeMap, fs, time::Duration};
use types::{
    event::{EgressRecord, Event, EventRecord, GateRecord, Phase, Usage},
    result::GateCounts,
};

/// What is on disk of an attempt.
pub(crate) struct Remembered {
    pub(crate) join: Join,
    pub(crate) totals: Totals,
    /// What the gate decided and saw.
    pub(crate) history: History,
    /// A bypass that was recorded; the process may have died before it stopped the run.
    pub(crate) bypass: Option<String>,
    /// Requests to the model that were let up and of whose end nothing is on record.
    pub(crate) lost: Vec<Admission>,
    /// Time that the agent worked under earlier processes.
    pub(crate) worked: Duration,
}

impl Remembered {
    /// Reads an attempt's files; all are empty before its first process.
    ///
    /// # Errors
    /// [`EngineError::Journal`] for a line that is not what was written.
    pub(crate) fn read(files: &AttemptPaths) -> Result<Self, EngineError> {
        let dialect = Dialect {
            inputs_agree: |wire, call| agents::claude::inputs_agree(wire, call, HOME),
            is_refused_before_gate: agents::claude::is_refused_before_gate,
        };
        let (mut join, mut totals, mut bypass) = (Join::new(dialect), Totals::default(), None);
        let (mut looks, mut open) = (Vec::new(), BTreeMap::new());
        let gate: Vec<GateRecord> = journal::read(&files.file("gate.jsonl"))?;
        for record in &gate {
            join.settled(&record.call.id, record.verdict.decision);
        }
        for record in journal::read(&files.file("calls.jsonl"))? {
            match record {
                WireRecord::Use(call) => join.emitted(call),
                WireRecord::Result(result) => {
                    let finding = join.returned(&result);
                    totals.returned(&finding);
                    if let Finding::Bypass(what) = finding {
                        bypass = Some(what);
                    }
                }
                WireRecord::Look(look) => {
                    join.looked_at(&look.id);
                    totals.looked(&look);
                    looks.push(look);
                }
                WireRecord::Admitted { request, lost } => {
                    totals.requests = totals.requests.max(request);
                    open.insert(request, lost);
                }
                WireRecord::Closed { request, is_turn } => {
                    totals.turns += u32::from(is_turn);
                    open.remove(&request);
                }
            }
        }
        journal::read::<Usage>(&files.file("usage.jsonl"))?.iter().for_each(|usage| totals.paid(usage));
        let lost = open.into_iter().map(|(request, lost)| Admission { request, lost }).collect();
        let egress = journal::read::<EgressRecord>(&files.file("egress.jsonl"))?;
        egress.iter().filter(|one| !is_canary(&one.asked)).for_each(|one| totals.egress.add(one));
        let events: Vec<EventRecord> = journal::read(&files.file("events.jsonl"))?;
        totals.throttled = time_in(Phase::RateLimited, &events);
        totals.rate_limits = events.iter().filter(|one| matches!(one.event, Event::RateLimited { .. })).count() as u64;
        let worked = time_in(Phase::Running, &events);
        Ok(Self { join, totals, history: History::new(gate, looks), bypass, lost, worked })
    }
}

/// The gate's counts as recorded, for an end in which no judge was at work.
pub(crate) fn counts(records: &[GateRecord], totals: &Totals) -> GateCounts {
    let mut counts = GateCounts::default();
    records.iter().for_each(|record| judge::count(&mut counts, &record.verdict));
    totals.add_to(counts)
}

/// The agent's last words as recorded.
pub(crate) fn last_words(files: &AttemptPaths, deadline: Duration) -> String {
    let mut codec = agents::claude::Codec::new(deadline);
    let _already_acted_on = codec.feed(&fs::read(files.file("transcript.jsonl")).unwrap_or_default());
    codec.results().last().map(|result| result.text.clone()).unwrap_or_default()
}

/// The time in a phase, between events. What lies between two processes is not counted: each begins with another phase.
fn time_in(wanted: Phase, events: &[EventRecord]) -> Duration {
    let mut sum = Duration::ZERO;
    let mut within: Option<Timestamp> = None;
    for EventRecord { at, event, .. } in events {
        let entered = if let Event::Phase { phase, .. } = event { Some(*phase) } else { None };
        if let Some(since) = within
            && entered != Some(Phase::Provisioning)
        {
            sum += Duration::try_from(at.duration_since(since)).unwrap_or_default();
        }
        let is_within = entered.map_or(within.is_some(), |phase| phase == wanted);
        within = is_within.then_some(*at);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::id::RunId;

    fn event(second: i64, event: Event) -> EventRecord {
        EventRecord { at: Timestamp::from_second(second).expect("time"), run: RunId::mint(1, 1), event }
    }

    fn phase(second: i64, phase: Phase) -> EventRecord {
        event(second, Event::Phase { phase, detail: String::new() })
    }

    fn notice(second: i64) -> EventRecord {
        event(second, Event::Notice { text: "x".into() })
    }

    #[test]
    fn only_work_counts_and_not_the_time_without_a_process() {
        let events = [
            phase(0, Phase::Provisioning),
            phase(5, Phase::Running),
            notice(8),
            phase(10, Phase::Waiting),
            phase(100, Phase::Running),
            phase(101, Phase::RateLimited),
            notice(131),
            phase(141, Phase::Running),
            notice(142),
            // Killed, and taken up much later.
            phase(5000, Phase::Provisioning),
            phase(5001, Phase::Running),
            notice(5003),
            phase(5004, Phase::Harvesting),
            notice(5009),
        ];
        assert_eq!(time_in(Phase::Running, &events), Duration::from_secs(5 + 1 + 1 + 3));
        assert_eq!(time_in(Phase::RateLimited, &events), Duration::from_secs(40));
        assert_eq!(time_in(Phase::Running, &[]), Duration::ZERO);
    }
}
