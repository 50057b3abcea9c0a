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
use jiff::Timestamp;
use std::{fs, time::Duration};
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
        let mut looks = Vec::new();
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
            }
        }
        for usage in journal::read::<Usage>(&files.file("usage.jsonl"))? {
            totals.turns += u32::from(!usage.is_gate);
            totals.cost_usd += usage.cost_usd;
        }
        let egress = journal::read::<EgressRecord>(&files.file("egress.jsonl"))?;
        egress.iter().filter(|one| !is_canary(&one.asked)).for_each(|one| totals.egress.add(one));
        let worked = worked(&journal::read(&files.file("events.jsonl"))?);
        Ok(Self { join, totals, history: History::new(gate, looks), bypass, worked })
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

/// The time between events of phase `running`. What lies between two processes is not counted: each begins with another phase.
fn worked(events: &[EventRecord]) -> Duration {
    let mut sum = Duration::ZERO;
    let mut running: Option<Timestamp> = None;
    for EventRecord { at, event, .. } in events {
        let entered = if let Event::Phase { phase, .. } = event { Some(*phase) } else { None };
        if let Some(since) = running
            && entered != Some(Phase::Provisioning)
        {
            sum += Duration::try_from(at.duration_since(since)).unwrap_or_default();
        }
        let is_running = entered.map_or(running.is_some(), |phase| phase == Phase::Running);
        running = is_running.then_some(*at);
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
            notice(101),
            // Killed, and taken up much later.
            phase(5000, Phase::Provisioning),
            phase(5001, Phase::Running),
            notice(5003),
            phase(5004, Phase::Harvesting),
            notice(5009),
        ];
        assert_eq!(worked(&events), Duration::from_secs(5 + 1 + 3));
        assert_eq!(worked(&[]), Duration::ZERO);
    }
}
