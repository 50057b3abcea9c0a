//! What a call does. Programs are translated into these by tables; the floors decide on these alone, so that a new spelling
//! of an old effect needs no new rule.

use crate::{
    destination::{Destination, Direction},
    place::Place,
};
use std::fmt;
use types::catalogue::RuleId;

/// One thing that a command or a tool call does.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Reads the content of a path.
    Reads(Place),
    /// Creates or changes a path.
    Writes {
        /// Where.
        place: Place,
        /// True when what was there before is lost and nothing is put in its place.
        empties: bool,
    },
    /// Removes a path.
    Deletes {
        /// What.
        place: Place,
        /// With everything below it.
        recursive: bool,
    },
    /// Moves bytes over the network.
    Network {
        /// To whom.
        to: Destination,
        /// Which way the payload goes.
        direction: Direction,
    },
    /// Runs code that is not in the call itself.
    Executes(Program),
    /// A deed that a table knows by its rule.
    Risk(Finding),
    /// Something about the command could not be read.
    Unverifiable(String),
}

impl Effect {
    /// The place that it writes.
    pub(crate) fn written(&self) -> Option<&Place> {
        match self {
            Self::Writes { place, .. } => Some(place),
            Self::Reads(_)
            | Self::Deletes { .. }
            | Self::Network { .. }
            | Self::Executes(_)
            | Self::Risk(_)
            | Self::Unverifiable(_) => None,
        }
    }

    /// The place that it reads.
    pub(crate) fn read(&self) -> Option<&Place> {
        match self {
            Self::Reads(place) => Some(place),
            Self::Writes { .. }
            | Self::Deletes { .. }
            | Self::Network { .. }
            | Self::Executes(_)
            | Self::Risk(_)
            | Self::Unverifiable(_) => None,
        }
    }
}

/// Where executed code comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Program {
    /// A file.
    File(Place),
    /// The standard input of an interpreter, when its text is not known.
    Stdin,
    /// Scripts that the project defines (`make test`, `npm run build`); the manifest that defines them.
    Project(Place),
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A person decides.
    Questioned,
    /// Denied unless the operator allows it by rule.
    Refused,
    /// Denied, and no rule of the operator changes that.
    Forbidden,
}

/// A reason against a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// The rule of the catalogue.
    pub rule: RuleId,
    /// One sentence, lower case, no secrets.
    pub reason: String,
    /// A safer path for the agent.
    pub instead: &'static str,
    /// What would change the decision, for people.
    pub clears: &'static str,
}

impl Finding {
    /// A denial that nothing overrides.
    pub(crate) fn forbidden(rule: RuleId, reason: impl Into<String>, instead: &'static str) -> Self {
        Self {
            severity: Severity::Forbidden,
            rule,
            reason: reason.into(),
            instead,
            clears: "nothing; this is never allowed",
        }
    }

    /// A denial that an operator's allow rule overrides.
    pub(crate) fn refused(rule: RuleId, reason: impl Into<String>, instead: &'static str) -> Self {
        let clears = "an allow rule of the operator for exactly this command";
        Self { severity: Severity::Refused, rule, reason: reason.into(), instead, clears }
    }

    /// A question to a person.
    pub(crate) fn questioned(rule: RuleId, reason: impl Into<String>) -> Self {
        Self {
            severity: Severity::Questioned,
            rule,
            reason: reason.into(),
            instead: "",
            clears: "a person's approval, or an allow rule of the operator",
        }
    }
}

impl From<Finding> for Effect {
    fn from(finding: Finding) -> Self {
        Self::Risk(finding)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reads(place) => write!(f, "reads {place}"),
            Self::Writes { place, empties: false } => write!(f, "writes {place}"),
            Self::Writes { place, empties: true } => write!(f, "empties {place}"),
            Self::Deletes { place, recursive: false } => write!(f, "deletes {place}"),
            Self::Deletes { place, recursive: true } => write!(f, "deletes {place} recursively"),
            Self::Network { to, direction } => match direction {
                Direction::Down => write!(f, "fetches from {to}"),
                Direction::Up => write!(f, "sends to {to}"),
            },
            Self::Executes(Program::File(place)) => write!(f, "runs {place}"),
            Self::Executes(Program::Stdin) => f.write_str("runs what it reads from its input"),
            Self::Executes(Program::Project(place)) => write!(f, "runs a script defined in {place}"),
            Self::Risk(finding) => f.write_str(&finding.reason),
            Self::Unverifiable(why) => write!(f, "cannot be read: {why}"),
        }
    }
}
