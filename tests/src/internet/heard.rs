//! What the places of the fake internet have heard.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// The name of the host that containers must not learn.
pub(super) const HOST_NAME: &str = "zq7-hostname-4c1e90";
/// Most bytes that are kept of one connection.
const MOST: usize = 256 * 1024;
/// How long a datagram may be under way.
const SOON: Duration = Duration::from_secs(10);

/// One connection or datagram.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Name of the place.
    pub place: &'static str,
    /// Who sent it.
    pub from: IpAddr,
    /// What came, decrypted where it was TLS, after the hello as it was.
    pub bytes: Vec<u8>,
}

impl Heard {
    /// True when `text` is in it.
    #[must_use]
    pub fn has(&self, text: &str) -> bool {
        text.is_empty() || self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// Everything that was heard so far. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Hearing {
    all: Arc<Mutex<Vec<Heard>>>,
}

impl Hearing {
    fn lock(&self) -> MutexGuard<'_, Vec<Heard>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that something came; what follows on the same connection is added under the number that is returned.
    pub(super) fn begin(&self, place: &'static str, from: IpAddr) -> usize {
        let mut all = self.lock();
        all.push(Heard { place, from: from.to_canonical(), bytes: Vec::new() });
        all.len() - 1
    }

    /// Adds what came on a connection.
    pub(super) fn add(&self, number: usize, bytes: &[u8]) {
        let mut all = self.lock();
        let kept = &mut all[number].bytes;
        let left = MOST.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(left)]);
    }

    /// Everything, as it is now.
    #[must_use]
    pub fn all(&self) -> Vec<Heard> {
        self.lock().clone()
    }

    /// How often a place has heard `text`; empty text is in everything.
    #[must_use]
    pub fn count(&self, place: &str, text: &str) -> usize {
        self.lock().iter().filter(|heard| heard.place == place && heard.has(text)).count()
    }

    /// Waits until a place has heard `text`, at most ten seconds.
    #[must_use]
    pub fn waits_for(&self, place: &str, text: &str) -> bool {
        let end = Instant::now() + SOON;
        while self.count(place, text) == 0 {
            if Instant::now() > end {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
    }
}
