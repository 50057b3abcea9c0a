//! What is a question in a run in which a tool result looked like an injection, though it would be safe otherwise.
//!
//! Sending anything but to loopback, reading credentials, and running what was changed after the suspicion: the three ways
//! in which an injection does its harm. Ordinary reading, editing and testing go on.

use crate::{
    destination::{Destination, Direction},
    effect::{Effect, Program},
    ledger::Ledger,
    secret::secrecy,
    tool::Reading,
};

/// Why the call is a question now; none when it is as safe as before.
pub(crate) fn of(reading: &Reading, ledger: &Ledger) -> Option<String> {
    if let Some(earlier) = reading.effects().find_map(|effect| ledger.part_of_denied(effect)) {
        return Some(format!("does a part of what was denied before: {}", earlier.reason));
    }
    if ledger.suspected == 0 {
        return None;
    }
    let hit = reading.effects().find(|effect| match effect {
        Effect::Network { to, direction } => match to {
            Destination::Loopback { .. } => false,
            Destination::Remote(_) | Destination::Trusted(_) => *direction == Direction::Up,
            Destination::Metadata(_)
            | Destination::Engine(_)
            | Destination::Page(_)
            | Destination::Foreign(_)
            | Destination::Unknown => true,
        },
        Effect::Reads(place) => secrecy(place).is_some() || ledger.holds_secret(&place.path),
        Effect::Executes(Program::File(place) | Program::Project(place)) => ledger.changed_after_suspicion(&place.path),
        Effect::Executes(Program::Stdin) => true,
        Effect::Writes { .. } | Effect::Deletes { .. } | Effect::Risk(_) | Effect::Unverifiable(_) => false,
    })?;
    Some(format!("a tool result of this run looked like an injection, and the call {hit}"))
}
