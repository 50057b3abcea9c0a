//! Cutting the agent's output into lines, with a cap, whatever the chunks are.

/// Longest line that is kept, in bytes. A longer one is dropped whole and reported at its end.
pub const MAX_LINE: usize = 16 * 1024 * 1024;
/// How much of a dropped line is kept for the report.
const HEAD: usize = 200;

/// One line of the output, without its line break.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line within the cap.
    Whole(Vec<u8>),
    /// The beginning of one that was not.
    TooLong(Vec<u8>),
}

/// Holds at most one unfinished line.
#[derive(Debug)]
pub(super) struct Splitter {
    held: Vec<u8>,
    over: bool,
    max: usize,
}

impl Splitter {
    /// A splitter for lines of at most `max` bytes.
    pub(super) fn new(max: usize) -> Self {
        Self { held: Vec::new(), over: false, max }
    }

    /// Takes bytes up to and including the next line break, if there is one; gives the line that it ends and the rest.
    pub(super) fn next<'a>(&mut self, bytes: &'a [u8]) -> (Option<Line>, &'a [u8]) {
        let (piece, rest, ends) = match bytes.iter().position(|&b| b == b'\n') {
            Some(at) => (&bytes[..at], &bytes[at + 1..], true),
            None => (bytes, &bytes[bytes.len()..], false),
        };
        self.hold(piece);
        if !ends {
            return (None, rest);
        }
        let held = std::mem::take(&mut self.held);
        let line = if std::mem::take(&mut self.over) { Line::TooLong(held) } else { Line::Whole(held) };
        (Some(line), rest)
    }

    fn hold(&mut self, piece: &[u8]) {
        if !self.over && self.held.len() + piece.len() > self.max {
            self.over = true;
            // The head is the same however the line was cut into chunks.
            let missing = HEAD.saturating_sub(self.held.len()).min(piece.len());
            self.held.extend_from_slice(&piece[..missing]);
            self.held.truncate(HEAD);
            self.held.shrink_to_fit();
        } else if !self.over {
            self.held.extend_from_slice(piece);
        } else {
            let missing = HEAD.saturating_sub(self.held.len()).min(piece.len());
            self.held.extend_from_slice(&piece[..missing]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(max: usize, chunks: &[&[u8]]) -> Vec<Line> {
        let mut splitter = Splitter::new(max);
        let mut out = Vec::new();
        for chunk in chunks {
            let mut rest = *chunk;
            while !rest.is_empty() {
                let (line, left) = splitter.next(rest);
                out.extend(line);
                rest = left;
            }
        }
        out
    }

    #[test]
    fn the_cap_drops_one_line_and_only_that() {
        let long = [b'x'; 300];
        let got = lines(250, &[b"ab\n", &long[..200], &long[..100], b"yy\ncd\n", b"rest"]);
        assert_eq!(got, [Line::Whole(b"ab".to_vec()), Line::TooLong(vec![b'x'; 200]), Line::Whole(b"cd".to_vec())]);
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(bytes in prop::collection::vec(prop::sample::select(b"ab\n".to_vec()), 0..2000), cut in 1usize..40, max in 0usize..400) {
            let whole = lines(max, &[&bytes]);
            let pieces: Vec<&[u8]> = bytes.chunks(cut).collect();
            prop_assert_eq!(whole, lines(max, &pieces));
        }
    }
}
