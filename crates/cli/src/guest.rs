//! The static guest that the build script made; one binary is shipped.

/// An ELF executable for this machine's architecture.
pub(crate) static GUEST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest"));
