//! The secrets that are known at the moment. They come one by one: a refreshed token is one more.

use super::Scanner;
use std::sync::{Arc, PoisonError, RwLock};
use types::secret::Secret;

/// A set of secrets. Clones are the same set.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    known: Arc<RwLock<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    secrets: Vec<Secret>,
    scanner: Arc<Scanner>,
}

impl Secrets {
    /// Adds one, before it is used for the first time. None is ever taken away: what was once written down can come back.
    pub fn add(&self, secret: &Secret) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if secret.expose().is_empty() || known.secrets.contains(secret) {
            return;
        }
        known.secrets.push(secret.clone());
        known.scanner = Arc::new(Scanner::new(&known.secrets));
    }

    /// A scanner for all that are known now.
    #[must_use]
    pub fn scanner(&self) -> Arc<Scanner> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner).scanner)
    }
}
