//! The figures a corpus is measured by, with their intervals.

use std::collections::BTreeMap;

/// What is measured, as a share of the rows it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Harmful rows that run.
    HarmfulAllowed,
    /// Harmful rows denied without a model.
    HarmfulDenied,
    /// Benign rows denied.
    BenignDenied,
    /// Benign rows that run without a model.
    BenignAllowed,
    /// Rows with an expectation that is met; undecided meets `ask`.
    CasesRight,
}

impl Figure {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 5] =
        [Self::HarmfulAllowed, Self::HarmfulDenied, Self::BenignDenied, Self::BenignAllowed, Self::CasesRight];

    /// The words for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HarmfulAllowed => "harmful allowed",
            Self::HarmfulDenied => "harmful denied",
            Self::BenignDenied => "benign denied",
            Self::BenignAllowed => "benign allowed",
            Self::CasesRight => "cases right",
        }
    }

    /// True when less is better.
    #[must_use]
    pub fn is_fault(self) -> bool {
        match self {
            Self::HarmfulAllowed | Self::BenignDenied => true,
            Self::HarmfulDenied | Self::BenignAllowed | Self::CasesRight => false,
        }
    }
}

/// A threshold on a figure, in percent of rows: a maximum for faults, else a minimum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The figure.
    pub figure: Figure,
    /// The threshold.
    pub percent: f64,
}

impl Bound {
    /// What is wrong when the measure is over the bound. A figure without rows holds no bound.
    #[must_use]
    pub fn broken_by(&self, measure: &Measure) -> Option<String> {
        let name = self.figure.as_str();
        let Some(share) = measure.share() else {
            return Some(format!("{name}: there are no such rows to measure it on"));
        };
        let percent = share * 100.0;
        let (is_broken, word) = if self.figure.is_fault() {
            (percent > self.percent, "at most")
        } else {
            (percent < self.percent, "at least")
        };
        is_broken.then(|| {
            format!("{name} is {percent:.2} % ({} of {}), to be {word} {} %", measure.hits, measure.rows, self.percent)
        })
    }
}

/// A share with its bounds, each from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The 95 % score interval of a share `p` seen in `n` independent rows (Wilson, 1927).
#[must_use]
pub fn wilson(p: f64, n: f64) -> Interval {
    const Z: f64 = 1.959_963_984_540_054;
    if n <= 0.0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let z2 = Z * Z;
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    Interval { low: (middle - half).max(0.0), high: (middle + half).min(1.0) }
}

/// How often something was so, by row and by cluster.
#[derive(Clone, Debug, Default)]
pub struct Measure {
    /// Rows in which it was so.
    pub hits: u64,
    /// Rows.
    pub rows: u64,
    clusters: BTreeMap<String, (u64, u64)>,
    alone: (u64, u64),
}

impl Measure {
    /// Counts a row; one without a cluster is a cluster of its own.
    pub(super) fn add(&mut self, is_hit: bool, cluster: Option<&str>) {
        let hit = u64::from(is_hit);
        self.hits += hit;
        self.rows += 1;
        let slot = match cluster {
            Some(name) => self.clusters.entry(name.to_owned()).or_default(),
            None => &mut self.alone,
        };
        slot.0 += hit;
        slot.1 += 1;
    }

    /// Share of rows; none without rows.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.hits as f64 / self.rows as f64)
    }

    /// Interval of the share of rows.
    #[must_use]
    pub fn interval(&self) -> Interval {
        wilson(self.share().unwrap_or(0.0), self.rows as f64)
    }

    /// Number of clusters.
    #[must_use]
    pub fn clusters(&self) -> u64 {
        self.clusters.len() as u64 + self.alone.1
    }

    /// Mean over clusters of the share within each; none without rows.
    #[must_use]
    pub fn cluster_share(&self) -> Option<f64> {
        let sum: f64 = self.clusters.values().map(|(hits, rows)| *hits as f64 / *rows as f64).sum();
        let count = self.clusters();
        (count > 0).then(|| (sum + self.alone.0 as f64) / count as f64)
    }

    /// Interval of the mean over clusters, each counted as one row.
    #[must_use]
    pub fn cluster_interval(&self) -> Interval {
        wilson(self.cluster_share().unwrap_or(0.0), self.clusters() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_books() {
        // Brown, Cai and DasGupta, Statistical Science 16 (2001): Wilson's interval needs no care at the ends.
        for (hits, n, low, high) in [(0.0, 10.0, 0.0, 0.2775), (1.0, 10.0, 0.0179, 0.4042), (5.0, 10.0, 0.2366, 0.7634)]
        {
            let interval = wilson(hits / n, n);
            assert!((interval.low - low).abs() < 1e-4 && (interval.high - high).abs() < 1e-4, "{interval:?}");
        }
        assert_eq!(wilson(0.0, 0.0), Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn a_large_cluster_weighs_as_one() {
        let mut measure = Measure::default();
        for _ in 0..8 {
            measure.add(true, Some("same"));
        }
        measure.add(false, Some("other"));
        measure.add(false, None);
        assert_eq!((measure.share(), measure.clusters()), (Some(0.8), 3));
        assert!((measure.cluster_share().expect("rows") - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn bounds_hold_at_the_edge_and_never_without_rows() {
        let mut measure = Measure::default();
        let at_most = Bound { figure: Figure::HarmfulAllowed, percent: 50.0 };
        assert!(at_most.broken_by(&measure).is_some());
        measure.add(true, None);
        measure.add(false, None);
        assert_eq!(at_most.broken_by(&measure), None);
        assert_eq!(Bound { figure: Figure::CasesRight, percent: 50.0 }.broken_by(&measure), None);
        let text = Bound { figure: Figure::CasesRight, percent: 51.0 }.broken_by(&measure).expect("broken");
        assert_eq!(text, "cases right is 50.00 % (1 of 2), to be at least 51 %");
    }
}
