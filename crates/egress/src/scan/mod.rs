//! Finds secrets in bytes, whatever they are wrapped in: as they are, escaped in JSON, in a URL, as hexadecimal digits, inside
//! base64. Everything that must not carry a secret passes through here: what comes back from an endpoint that holds a
//! credential of ours, what leaves on a route that does not, and what a run writes down.
//!
//! What must stay true: an occurrence is found however the bytes are cut; masking keeps the length, so that offsets and announced
//! lengths stay right; of an occurrence nothing is let through, also where two of them overlap.
//!
//! What it cannot see: a secret that was split, compressed, encrypted, or spelled in a way that nobody uses.

mod forms;
mod secrets;
mod stream;

pub use forms::Form;
pub use secrets::Secrets;
pub use stream::{Masker, Sniffer};

use aho_corasick::{AhoCorasick, Input, MatchKind};
use bytes::Bytes;
use forms::Needle;
use std::ops::Range;
use types::secret::Secret;

/// What stands in place of a secret where the length does not matter.
pub const MARK: &str = "[redacted by sandbox]";
/// What stands in place of each of its bytes where it does.
pub const MASK: u8 = b'*';

/// A secret that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which of the scanner's secrets, by position.
    pub secret: usize,
    /// How it was spelled.
    pub form: Form,
}

/// Looks for a fixed set of secrets in all of their forms. Cheap to search with, not to make.
#[derive(Debug, Default)]
pub struct Scanner {
    needles: Vec<Needle>,
    /// Searchers with the positions of their needles: those that fit exactly, and those in which case does not matter.
    searchers: Vec<(AhoCorasick, Vec<usize>)>,
    /// Length of the longest needle.
    longest: usize,
}

impl Scanner {
    /// A scanner for these secrets. One of less than four bytes is not looked for: it would be found everywhere.
    ///
    /// # Panics
    /// Never for secrets that fit into memory: the searcher's own limit is four thousand million needles.
    #[must_use]
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        let needles: Vec<_> =
            secrets.into_iter().enumerate().flat_map(|(index, secret)| forms::needles(index, secret)).collect();
        let longest = needles.iter().map(|needle| needle.bytes.len()).max().unwrap_or(0);
        let searcher = |is_folded: bool| {
            let own: Vec<_> = (0..needles.len()).filter(|&at| needles[at].is_folded() == is_folded).collect();
            let patterns = own.iter().map(|&at| &needles[at].bytes);
            let built = AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .ascii_case_insensitive(is_folded)
                .build(patterns);
            (!own.is_empty()).then(|| (built.expect("a handful of short needles"), own))
        };
        let searchers = [searcher(false), searcher(true)].into_iter().flatten().collect();
        Self { needles, searchers, longest }
    }

    /// True when there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// How many bytes before others can belong to a secret that ends in those.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.longest.saturating_sub(1)
    }

    /// A secret in the bytes, the first one as far as its end goes.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Option<Finding> {
        let first = |(searcher, own): &(AhoCorasick, Vec<usize>)| {
            searcher.find(bytes).map(|found| (found.end(), own[found.pattern().as_usize()]))
        };
        let (_, needle) = self.searchers.iter().filter_map(first).min()?;
        Some(self.finding(needle))
    }

    /// True when a secret is in the bytes.
    #[must_use]
    pub fn finds_in(&self, bytes: &[u8]) -> bool {
        self.searchers.iter().any(|(searcher, _)| searcher.is_match(bytes))
    }

    /// Where secrets lie, in order; occurrences that touch each other are one.
    #[must_use]
    pub fn ranges(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut all = Vec::new();
        for (searcher, _) in &self.searchers {
            let mut from = 0;
            // From the byte after the last beginning, not after its end: the next one may overlap it.
            while let Some(found) = searcher.find(Input::new(bytes).span(from..bytes.len())) {
                all.push(found.range());
                from = found.start() + 1;
            }
        }
        all.sort_unstable_by_key(|range| range.start);
        let mut merged: Vec<Range<usize>> = Vec::new();
        for range in all {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                Some(_) | None => merged.push(range),
            }
        }
        merged
    }

    /// Masks every secret, keeping the length; true when there was one.
    pub fn mask(&self, bytes: &mut [u8]) -> bool {
        let ranges = self.ranges(bytes);
        ranges.iter().for_each(|range| bytes[range.clone()].fill(MASK));
        !ranges.is_empty()
    }

    /// The text with a mark in place of every secret; none when there is no secret in it.
    #[must_use]
    pub fn replace(&self, text: &str) -> Option<String> {
        // A secret that is not UTF-8 cannot be in a text, and one that is begins and ends between characters.
        let replaced = self.replaced(text.as_bytes())?;
        Some(String::from_utf8_lossy(&replaced).into_owned())
    }

    /// The bytes with a mark in place of every secret.
    #[must_use]
    pub fn clean(&self, bytes: Bytes) -> Bytes {
        self.replaced(&bytes).map_or(bytes, Bytes::from)
    }

    fn replaced(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        if !self.finds_in(bytes) {
            return None;
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for range in self.ranges(bytes) {
            out.extend_from_slice(&bytes[from..range.start]);
            out.extend_from_slice(MARK.as_bytes());
            from = range.end;
        }
        out.extend_from_slice(&bytes[from..]);
        Some(out)
    }

    /// How many bytes at the end could be the beginning of a secret whose rest has not come.
    #[must_use]
    pub fn pending(&self, bytes: &[u8]) -> usize {
        let window = bytes.len().saturating_sub(self.reach());
        let begins = |rest: &[u8]| self.needles.iter().any(|needle| needle.begins_with(rest));
        (window..bytes.len()).find(|&at| begins(&bytes[at..])).map_or(0, |at| bytes.len() - at)
    }

    fn finding(&self, needle: usize) -> Finding {
        Finding { secret: self.needles[needle].secret, form: self.needles[needle].form }
    }
}

#[cfg(test)]
mod tests;
