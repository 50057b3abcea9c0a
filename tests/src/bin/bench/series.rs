//! Samples by name, and what is printed of them.

use serde_json::{Value, json};
use std::{fmt::Write, time::Duration};

/// What a series counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Time, kept in microseconds, shown in milliseconds.
    Time,
    /// Memory, kept and shown in MiB.
    Mib,
    /// Throughput, kept and shown in millions of bytes a second.
    Rate,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Time => "ms",
            Self::Mib => "MiB",
            Self::Rate => "MB/s",
        }
    }
}

/// The samples of one thing.
pub(crate) struct Series {
    name: String,
    unit: Unit,
    samples: Vec<f64>,
}

impl Series {
    /// The sample below which `share` of all lie (nearest rank).
    fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }
}

/// Everything that was measured, in the order in which it is shown.
#[derive(Default)]
pub(crate) struct Report {
    series: Vec<Series>,
    notes: Vec<String>,
}

impl Report {
    /// Adds a time.
    pub(crate) fn time(&mut self, name: &str, sample: Duration) {
        self.add(name, Unit::Time, sample.as_secs_f64() * 1e3);
    }

    /// Adds an amount of memory.
    pub(crate) fn memory(&mut self, name: &str, kib: u64) {
        self.add(name, Unit::Mib, kib as f64 / 1024.0);
    }

    /// Adds a throughput, in millions of bytes a second.
    pub(crate) fn rate(&mut self, name: &str, sample: f64) {
        self.add(name, Unit::Rate, sample);
    }

    /// Adds a line for people.
    pub(crate) fn note(&mut self, line: String) {
        self.notes.push(line);
    }

    fn add(&mut self, name: &str, unit: Unit, sample: f64) {
        match self.series.iter_mut().find(|series| series.name == name) {
            Some(series) => series.samples.push(sample),
            None => self.series.push(Series { name: name.to_owned(), unit, samples: vec![sample] }),
        }
    }

    fn quantile(&self, name: &str, share: f64) -> f64 {
        self.series.iter().find(|series| series.name == name).map_or(f64::NAN, |series| series.quantile(share))
    }

    /// One line per series.
    pub(crate) fn table(&self) -> String {
        let mut out = format!(
            "\n{:<52} {:>4} {:>5} {:>9} {:>9} {:>9} {:>9} {:>9}\n",
            "", "n", "unit", "min", "p50", "p90", "p99", "max"
        );
        for series in &self.series {
            let _ = write!(out, "{:<52} {:>4} {:>5}", series.name, series.samples.len(), series.unit.name());
            for share in [0.0, 0.5, 0.9, 0.99, 1.0] {
                let _ = write!(out, " {:>9.2}", series.quantile(share));
            }
            out.push('\n');
        }
        out
    }

    /// The targets and whether they were reached, of the parts that were measured.
    pub(crate) fn conclusions(&self) -> Vec<String> {
        use crate::{
            calls, decide, start,
            way_out::{self, DIRECT, FIRST_BYTE, FROM_CONTAINER, LARGE, OURS, TOKEN, figure},
        };
        let of = |name, share| self.quantile(name, share);
        let ratio = of(start::TOTAL, 0.5) / of(start::PLAIN, 0.5);
        let (p50, p99) = (of(calls::VERDICT, 0.5), of(calls::VERDICT, 0.99));
        let price = of(calls::GATED, 0.5) - of(calls::UNGATED, 0.5);
        let egress = |what: &str, way: &str| self.quantile(&figure(what, way), 0.5);
        let added = egress(FIRST_BYTE, OURS) - egress(FIRST_BYTE, DIRECT);
        let (rate, inside) = (egress(LARGE, OURS), of(FROM_CONTAINER, 0.5));
        let best = way_out::PEERS.iter().map(|peer| egress(LARGE, peer)).fold(f64::NAN, f64::max);
        let token = egress(TOKEN, way_out::GATEWAY) - egress(TOKEN, DIRECT);
        let says = |reached| if reached { "reached" } else { "missed" };
        let (decided, slowest) = (of(decide::DECISION, 0.5), of(decide::DECISION, 0.99));
        let worst = of(decide::HOSTILE, 1.0);
        let lines = [
            (decided, format!("decision: p50 {decided:.3} ms (target ≤ 0.1): {}", says(decided <= 0.1))),
            (slowest, format!("decision: p99 {slowest:.3} ms (target ≤ 1): {}", says(slowest <= 1.0))),
            (worst, format!("hostile input: at most {worst:.1} ms (target ≤ 50): {}", says(worst <= 50.0))),
            (ratio, format!("start: {ratio:.2} × the plain docker run (target ≤ 2): {}", says(ratio <= 2.0))),
            (p50, format!("verdict: p50 {p50:.2} ms (target ≤ 1): {}", says(p50 <= 1.0))),
            (p99, format!("verdict: p99 {p99:.2} ms (target ≤ 5): {}", says(p99 <= 5.0))),
            (added, format!("egress: adds {added:.2} ms to a first byte (target ≤ 1): {}", says(added <= 1.0))),
            (rate, format!("egress: {rate:.0} MB/s (target ≥ 200): {}", says(rate >= 200.0))),
            (
                best,
                format!(
                    "egress: the fastest other proxy makes {best:.0} MB/s (target: not more): {}",
                    says(rate >= best)
                ),
            ),
            (inside, format!("egress: {inside:.0} MB/s from a container (target ≥ 200): {}", says(inside >= 200.0))),
            (token, format!("egress: adds {token:.2} ms to the first token (target ≤ 1): {}", says(token <= 1.0))),
            (price, format!("a tool call pays {price:.1} ms for being gated (difference of the medians)")),
        ];
        let lines = lines.into_iter().filter(|(figure, _)| figure.is_finite()).map(|(_, line)| line);
        self.notes.iter().cloned().chain(lines).collect()
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> String {
        let series = |series: &Series| -> Value {
            let at = |share| (series.quantile(share) * 1000.0).round() / 1000.0;
            json!({
                "name": series.name, "unit": series.unit.name(), "n": series.samples.len(),
                "min": at(0.0), "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": at(1.0),
            })
        };
        let all: Vec<_> = self.series.iter().map(series).collect();
        format!("{:#}\n", Value::from(all))
    }
}
