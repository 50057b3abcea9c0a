//! What runs may reach, as a tool for people: what is in force and why, what was refused and what would allow it, changes of the
//! operator's list, and what the package managers of an image ask for. Nothing here opens anything: the operator does.

mod allowing;
mod discover;
mod edit;
mod effective;
mod entry;
mod explained;
mod list;
mod narrow;
mod proposal;
mod question;
mod refused;
mod suggest;
#[cfg(test)]
pub(crate) mod testing;
mod weak;

pub use discover::{Discovered, DiscoveredHost};
pub use edit::{Change, EditError, Edited, add_entries, remove_entries};
pub use effective::Effective;
pub use entry::{InvalidEntry, entry_line, read_entry};
pub use explained::{Answer as TrustAnswer, Explained, ForGit, WhyNot, explain_request};
pub use proposal::Proposal;
pub use question::{Asked, InvalidQuestion};
pub use suggest::{Never, Refusals, Suggestion, suggest};
pub use weak::{Weakness, weak_spots};
