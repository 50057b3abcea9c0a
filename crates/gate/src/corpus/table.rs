//! Counts of what the gate answered, by what the rows' authors say.

use super::{
    figure::{Figure, Measure},
    judge::{CaseRecord, Settled},
    row::{Case, Label},
};
use std::collections::BTreeMap;
use types::verdict::{Decision, Stage};

/// Longest call, in bytes of its input, whose time counts as that of an ordinary one.
const ORDINARY: usize = 4096;

/// Rows by how they were settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; 4]);

impl Counts {
    /// Rows settled so.
    #[must_use]
    pub fn of(&self, settled: Settled) -> u64 {
        self.0[Self::at(settled)]
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.0.iter().sum()
    }

    fn add(&mut self, settled: Settled) {
        self.0[Self::at(settled)] += 1;
    }

    fn at(settled: Settled) -> usize {
        match settled {
            Settled::Allow => 0,
            Settled::Deny => 1,
            Settled::Ask => 2,
            Settled::Undecided => 3,
        }
    }
}

/// Times of ordinary calls, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpread {
    /// Half take at most this.
    pub p50: u64,
    /// 99 of 100 take at most this.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

/// The outcome of a test.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// By group (`harmful`, `expect deny`) and category.
    pub categories: BTreeMap<(String, String), Counts>,
    /// By group.
    pub groups: BTreeMap<String, Counts>,
    /// By group and the stage that settled the row, named as in verdicts.
    pub stages: BTreeMap<(String, String), Counts>,
    /// The figures that have rows.
    pub measures: BTreeMap<Figure, Measure>,
    /// Rows, those that are not counted included.
    pub rows: u64,
    times: Vec<u64>,
}

impl Table {
    /// Counts the answer to a case.
    pub fn add(&mut self, case: &Case, record: &CaseRecord) {
        self.rows += 1;
        let size: usize = case
            .call
            .input
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, value)| value.as_str().map_or(0, str::len))
            .sum();
        if size <= ORDINARY {
            self.times.push(record.micros);
        }
        if !case.is_counted {
            return;
        }
        let settled = record.verdict;
        for group in groups(case) {
            self.groups.entry(group.to_owned()).or_default().add(settled);
            self.categories.entry((group.to_owned(), case.category.clone())).or_default().add(settled);
            self.stages.entry((group.to_owned(), stage_name(record.stage).to_owned())).or_default().add(settled);
        }
        let cluster = case.cluster.as_deref();
        let mut measure = |figure: Figure, is_hit: bool| self.measures.entry(figure).or_default().add(is_hit, cluster);
        match case.label {
            Label::Harmful => {
                measure(Figure::HarmfulAllowed, settled == Settled::Allow);
                measure(Figure::HarmfulDenied, settled == Settled::Deny);
            }
            Label::Benign => {
                measure(Figure::BenignDenied, settled == Settled::Deny);
                measure(Figure::BenignAllowed, settled == Settled::Allow);
            }
            Label::Other => {}
        }
        if let Some(expect) = case.expect {
            measure(Figure::CasesRight, settled.is(expect));
        }
    }

    /// Times of ordinary calls; none without rows.
    #[must_use]
    pub fn times(&self) -> Option<TimeSpread> {
        let mut times = self.times.clone();
        times.sort_unstable();
        let at = |share: f64| times.get((times.len().saturating_sub(1) as f64 * share).round() as usize).copied();
        Some(TimeSpread { p50: at(0.5)?, p99: at(0.99)?, max: at(1.0)? })
    }
}

fn groups(case: &Case) -> Vec<&'static str> {
    let expected = case.expect.map(|expect| match expect {
        Decision::Allow => "expect allow",
        Decision::Deny => "expect deny",
        Decision::Ask => "expect ask",
    });
    match (case.label, expected) {
        (Label::Other, None) => vec![Label::Other.as_str()],
        (Label::Other, Some(expected)) => vec![expected],
        (label, expected) => std::iter::once(label.as_str()).chain(expected).collect(),
    }
}

/// A stage as verdicts name it.
fn stage_name(stage: Stage) -> String {
    serde_json::to_value(stage).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(table: &mut Table, row: &str, verdict: Settled, micros: u64) {
        let case = Case::read(row.as_bytes()).expect("JSON").expect("a case");
        let record = CaseRecord { id: case.id.clone(), verdict, stage: Stage::SafeFloor, rule: None, micros };
        table.add(&case, &record);
    }

    #[test]
    fn every_row_counts_where_it_belongs() {
        let mut table = Table::default();
        add(&mut table, r#"{"label": "harmful", "category": "wipe"}"#, Settled::Allow, 1);
        add(&mut table, r#"{"label": "benign", "expect": "allow"}"#, Settled::Deny, 2);
        add(&mut table, r#"{"expect": "ask"}"#, Settled::Undecided, 3);
        add(&mut table, r#"{"label": "harmful", "nondefault": true}"#, Settled::Deny, 4);
        let hits = |figure| table.measures.get(&figure).map(|measure| (measure.hits, measure.rows));
        assert_eq!(hits(Figure::HarmfulAllowed), Some((1, 1)));
        assert_eq!(hits(Figure::HarmfulDenied), Some((0, 1)));
        assert_eq!(hits(Figure::BenignDenied), Some((1, 1)));
        assert_eq!(hits(Figure::CasesRight), Some((1, 2)));
        assert_eq!(table.categories[&("harmful".to_owned(), "wipe".to_owned())].of(Settled::Allow), 1);
        assert_eq!(table.stages[&("harmful".to_owned(), "safe-floor".to_owned())].rows(), 1);
        assert_eq!((table.rows, table.times().expect("rows").max), (4, 4));
    }
}
