//! What is printed and written for a case: the table and `target/attack.json`.

use serde::Serialize;
use std::fmt::Write as _;

/// How a case came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// The attack failed as it must.
    Held,
    /// It worked, or it cannot be said that it failed as it must.
    Broken,
    /// It was not made; the reason says why.
    Skipped,
}

/// How its positive controls came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Control {
    /// All of them.
    Worked,
    /// At least one did not, so that the outcome says nothing.
    Failed,
}

/// One case in one setup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) runtime: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) control: Control,
    /// Why it did not hold, or was not made; empty when all is well.
    pub(crate) reason: String,
    /// Milliseconds that its attempts took.
    pub(crate) millis: u64,
    /// Without walls: the attempts that failed there too, which therefore show nothing of the walls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unbroken: Vec<String>,
}

impl Row {
    /// A case under a runtime that is not there.
    pub(crate) fn skipped(id: &'static str, runtime: &'static str) -> Self {
        let reason = format!("{runtime} is not installed");
        Self {
            id,
            runtime,
            outcome: Outcome::Skipped,
            control: Control::Failed,
            reason,
            millis: 0,
            unbroken: Vec::new(),
        }
    }

    /// True when the attack failed and that says something.
    pub(crate) fn is_proven(&self) -> bool {
        self.outcome == Outcome::Held && self.control == Control::Worked
    }
}

/// Longest reason in the table.
const MOST_REASON: usize = 160;

/// The table for people.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut out = String::new();
    for row in rows {
        let outcome = match row.outcome {
            Outcome::Held => "held",
            Outcome::Broken => "BROKEN",
            Outcome::Skipped => "skipped",
        };
        let control = match row.control {
            Control::Worked => "worked",
            Control::Failed => "FAILED",
        };
        let reason: String = row.reason.chars().take(MOST_REASON).collect();
        let line = format!("{:5} {:6} {outcome:8} {control:7} {:>7} ms  {reason}", row.id, row.runtime, row.millis);
        let _infallible = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// The rows as JSON.
pub(crate) fn json(rows: &[Row]) -> String {
    serde_json::to_string_pretty(rows).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_held_with_a_control_is_proven() {
        let row = |outcome, control| Row {
            id: "N-01",
            runtime: "runc",
            outcome,
            control,
            reason: String::new(),
            millis: 3,
            unbroken: Vec::new(),
        };
        assert!(row(Outcome::Held, Control::Worked).is_proven());
        for (outcome, control) in
            [(Outcome::Held, Control::Failed), (Outcome::Broken, Control::Worked), (Outcome::Skipped, Control::Worked)]
        {
            assert!(!row(outcome, control).is_proven());
        }
        assert_eq!(table(&[row(Outcome::Held, Control::Worked)]), "N-01  runc   held     worked        3 ms\n");
        let json = json(&[row(Outcome::Broken, Control::Failed)]);
        assert!(json.contains("\"outcome\": \"broken\"") && json.contains("\"control\": \"failed\""), "{json}");
        assert!(!json.contains("unbroken"), "{json}");
    }
}
