//! The two floors: what is refused whatever anyone says, and what is safe without asking anyone.

mod hard;
mod safe;

pub(crate) use hard::finding;
pub(crate) use safe::{DATA, REGENERABLE, REGENERABLE_FILES, is_safe};
