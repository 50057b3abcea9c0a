//! Bytes addressed by their offset since the beginning, kept until they are known to be stored elsewhere.
//!
//! PID 1 keeps the agent's output on tapes, and a host can keep the stdin that it has sent on one. A tape is bounded;
//! when it is full its owner stops taking bytes in, which is felt as back-pressure at the source. Nothing is lost.

use std::collections::VecDeque;

/// A bounded run of bytes with offsets.
#[derive(Debug)]
pub struct Tape {
    bytes: VecDeque<u8>,
    /// Offset of the first byte in `bytes`.
    start: u64,
    cap: usize,
}

/// An offset that the tape cannot serve.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("offset {offset} is not among those kept, {kept_from} to {end}")]
pub struct TapeError {
    /// The offset asked for.
    pub offset: u64,
    /// The oldest that is kept.
    pub kept_from: u64,
    /// One past the newest.
    pub end: u64,
}

impl Tape {
    /// An empty tape that holds up to `cap` bytes.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self { bytes: VecDeque::new(), start: 0, cap }
    }

    /// Bytes that may be pushed now.
    #[must_use]
    pub fn room(&self) -> usize {
        self.cap - self.bytes.len()
    }

    /// Appends what fits of `bytes` and says how many that were.
    #[must_use = "bytes that did not fit are still the caller's"]
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room());
        self.bytes.extend(&bytes[..taken]);
        taken
    }

    /// Offset of the oldest byte that is kept.
    #[must_use]
    pub fn kept_from(&self) -> u64 {
        self.start
    }

    /// Offset one past the newest byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// The bytes from `offset` on, as many as lie together in memory; empty only at the end of the tape.
    ///
    /// # Errors
    /// [`TapeError`] for an offset that was released already or was never reached.
    pub fn at(&self, offset: u64) -> Result<&[u8], TapeError> {
        let skip = self.index(offset)?;
        let (front, back) = self.bytes.as_slices();
        Ok(if skip < front.len() { &front[skip..] } else { &back[skip - front.len()..] })
    }

    /// Forgets the bytes before `offset`. An offset that was released already changes nothing.
    ///
    /// # Errors
    /// [`TapeError`] for an offset past the end: the other side claims bytes that it cannot have.
    pub fn release(&mut self, offset: u64) -> Result<(), TapeError> {
        if offset <= self.start {
            return Ok(());
        }
        let count = self.index(offset)?;
        self.bytes.drain(..count);
        self.start = offset;
        if self.bytes.is_empty() {
            self.bytes.shrink_to(64 * 1024);
        }
        Ok(())
    }

    fn index(&self, offset: u64) -> Result<usize, TapeError> {
        let error = TapeError { offset, kept_from: self.start, end: self.end() };
        if offset > error.end {
            return Err(error);
        }
        offset.checked_sub(self.start).and_then(|index| usize::try_from(index).ok()).ok_or(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_full_tape_takes_nothing_and_makes_room_by_release() {
        let mut tape = Tape::new(4);
        assert_eq!(tape.push(b"abcdef"), 4);
        assert_eq!(tape.push(b"e"), 0);
        tape.release(3).unwrap();
        assert_eq!(tape.push(b"ef"), 2);
        assert_eq!((tape.kept_from(), tape.end()), (3, 6));
        assert_eq!(tape.at(6).unwrap(), b"");
        assert_eq!(tape.at(2), Err(TapeError { offset: 2, kept_from: 3, end: 6 }));
        assert!(tape.at(7).is_err());
        assert!(tape.release(7).is_err());
        assert!(tape.release(u64::MAX).is_err());
        assert_eq!(tape.release(1), Ok(()));
        assert_eq!(tape.kept_from(), 3);
    }

    proptest! {
        #[test]
        fn reads_equal_the_source_at_every_kept_offset(steps in proptest::collection::vec((0usize..40, 0u64..40), 1..60)) {
            let mut tape = Tape::new(64);
            let mut source: Vec<u8> = Vec::new();
            for (push, release) in steps {
                let fresh: Vec<u8> = (0..push).map(|n| (source.len() + n) as u8).collect();
                let taken = tape.push(&fresh);
                source.extend(&fresh[..taken]);
                let to = tape.kept_from() + release;
                prop_assert_eq!(tape.release(to).is_ok(), to <= source.len() as u64);
                prop_assert_eq!(tape.end(), source.len() as u64);
                prop_assert!(tape.end() - tape.kept_from() <= 64);
                let mut offset = tape.kept_from();
                while offset < tape.end() {
                    let part = tape.at(offset).unwrap();
                    prop_assert!(!part.is_empty());
                    prop_assert_eq!(part, &source[offset as usize..][..part.len()]);
                    offset += part.len() as u64;
                }
            }
        }
    }
}
