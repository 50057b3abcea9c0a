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
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Time => "ms",
            Self::Mib => "MiB",
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
pub(crate) struct Report(Vec<Series>);

impl Report {
    /// Adds a time.
    pub(crate) fn time(&mut self, name: &str, sample: Duration) {
        self.add(name, Unit::Time, sample.as_secs_f64() * 1e3);
    }

    /// Adds an amount of memory.
    pub(crate) fn memory(&mut self, name: &str, kib: u64) {
        self.add(name, Unit::Mib, kib as f64 / 1024.0);
    }

    fn add(&mut self, name: &str, unit: Unit, sample: f64) {
        match self.0.iter_mut().find(|series| series.name == name) {
            Some(series) => series.samples.push(sample),
            None => self.0.push(Series { name: name.to_owned(), unit, samples: vec![sample] }),
        }
    }

    fn quantile(&self, name: &str, share: f64) -> f64 {
        self.0.iter().find(|series| series.name == name).map_or(f64::NAN, |series| series.quantile(share))
    }

    /// One line per series.
    pub(crate) fn table(&self) -> String {
        let mut out = format!(
            "\n{:<52} {:>4} {:>5} {:>9} {:>9} {:>9} {:>9} {:>9}\n",
            "", "n", "unit", "min", "p50", "p90", "p99", "max"
        );
        for series in &self.0 {
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
        use crate::{calls, decide, start};
        let of = |name, share| self.quantile(name, share);
        let ratio = of(start::TOTAL, 0.5) / of(start::PLAIN, 0.5);
        let (p50, p99) = (of(calls::VERDICT, 0.5), of(calls::VERDICT, 0.99));
        let price = of(calls::GATED, 0.5) - of(calls::UNGATED, 0.5);
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
            (price, format!("a tool call pays {price:.1} ms for being gated (difference of the medians)")),
        ];
        lines.into_iter().filter(|(figure, _)| figure.is_finite()).map(|(_, line)| line).collect()
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
        let all: Vec<_> = self.0.iter().map(series).collect();
        format!("{:#}\n", Value::from(all))
    }
}
