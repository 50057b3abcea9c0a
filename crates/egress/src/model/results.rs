//! Which tool results were reported already: agents send the whole history with every request.

use super::refused::Refused;
use crate::{limits::TOOL_RESULTS, observer::Observer};
use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};
use types::event::WireToolResult;

/// Ids of the results that were reported.
#[derive(Default)]
pub(crate) struct Results {
    seen: Mutex<HashSet<String>>,
}

impl Results {
    /// Reports the results that are new.
    ///
    /// # Errors
    /// [`Refused::TooLarge`] when there are more than can be remembered; none of them goes unreported.
    pub(crate) fn report(&self, results: Vec<WireToolResult>, sink: &dyn Observer) -> Result<(), Refused> {
        for result in results {
            let new = {
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                if seen.len() >= TOOL_RESULTS && !seen.contains(&result.id.0) {
                    return Err(Refused::TooLarge("more tool results than one run may have"));
                }
                seen.insert(result.id.0.clone())
            };
            if new {
                sink.tool_result(result);
            }
        }
        Ok(())
    }
}
