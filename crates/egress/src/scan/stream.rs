//! The same for bytes that come in pieces. Neither type waits for more than the beginning of a secret: whatever cannot become one
//! passes at once.

use super::{Finding, MASK, Scanner};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

/// Watches a stream and tells of the secrets in it; the bytes go their own way.
#[derive(Debug)]
pub struct Sniffer {
    scanner: Arc<Scanner>,
    /// The last bytes, one less than the longest needle has.
    tail: Vec<u8>,
}

impl Sniffer {
    /// At the beginning of a stream.
    #[must_use]
    pub fn new(scanner: Arc<Scanner>) -> Self {
        Self { scanner, tail: Vec::new() }
    }

    /// Looks at the next piece; a secret whose last byte is in it is found. One that ends within a piece has begun to leave when
    /// the piece before it left: whoever wants to stop it whole uses a [`Masker`].
    pub fn feed(&mut self, piece: &[u8]) -> Option<Finding> {
        let keep = self.scanner.reach();
        let mut joint = std::mem::take(&mut self.tail);
        let before = joint.len();
        joint.extend_from_slice(&piece[..piece.len().min(keep)]);
        let across = self.scanner.ranges(&joint).iter().any(|range| range.end > before);
        let found = across.then(|| self.scanner.find(&joint)).flatten().or_else(|| self.scanner.find(piece));
        if piece.len() >= keep {
            joint.clear();
            joint.extend_from_slice(&piece[piece.len() - keep..]);
        } else {
            joint.drain(..joint.len().saturating_sub(keep));
        }
        self.tail = joint;
        found
    }
}

/// Passes a stream on with its secrets masked, byte for byte as long as it was. What could be the beginning of a secret is held until
/// the next piece shows whether it is.
#[derive(Debug)]
pub struct Masker {
    scanner: Arc<Scanner>,
    held: BytesMut,
    /// So many of the held bytes are the end of a secret already.
    masked: usize,
}

impl Masker {
    /// At the beginning of a stream.
    #[must_use]
    pub fn new(scanner: Arc<Scanner>) -> Self {
        Self { scanner, held: BytesMut::new(), masked: 0 }
    }

    /// Takes a piece and gives what may go on.
    pub fn push(&mut self, piece: &[u8]) -> Bytes {
        self.held.extend_from_slice(piece);
        let pending = self.scanner.pending(&self.held);
        self.release(self.held.len() - pending)
    }

    /// The stream is over: gives what was held.
    pub fn finish(mut self) -> Bytes {
        self.release(self.held.len())
    }

    /// Gives the first `count` bytes, and remembers how far a secret reaches into the rest.
    fn release(&mut self, count: usize) -> Bytes {
        let ranges = self.scanner.ranges(&self.held);
        let reaches = ranges.iter().filter(|range| range.start < count).map(|range| range.end).max();
        let reaches = reaches.unwrap_or(0).max(self.masked);
        let mut out = self.held.split_to(count);
        let covered = self.masked.min(count);
        out[..covered].fill(MASK);
        for range in ranges.into_iter().filter(|range| range.start < count) {
            out[range.start..range.end.min(count)].fill(MASK);
        }
        self.masked = reaches.saturating_sub(count);
        out.freeze()
    }
}
