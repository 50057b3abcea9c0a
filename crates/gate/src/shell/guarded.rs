//! The parser behind a guard: it panics on some malformed texts. Such a text is one that cannot be read, no more.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `parse` gives; none when it panics. It keeps no state of ours that could be left half changed.
pub(super) fn guarded<T>(parse: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(parse)).ok()
}
