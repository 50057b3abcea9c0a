//! Lines of git's protocol: four hexadecimal digits that count themselves, and the line (gitprotocol-common, "pkt-line").

/// Longest line that git writes, with its length (gitprotocol-common).
const MAX_LINE: usize = 65_520;

/// Why bytes are no lines.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PktError {
    /// No length, or one that no line has.
    #[error("a line's length is not one")]
    Length,
    /// A line whose content is not what it should be.
    #[error("{0}")]
    Content(&'static str),
    /// Over a cap.
    #[error("it is longer than {max} bytes before its pack begins")]
    TooLong {
        /// The cap.
        max: usize,
    },
    /// The bytes end within a line or before the end of the list.
    #[error("it ends too early")]
    Cut,
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pkt<'b> {
    /// A line with its content, without a line break at its end.
    Line(&'b [u8]),
    /// `0000`: the end of a list.
    Flush,
    /// `0001`: between the parts of a request of version 2.
    Delimiter,
}

/// Takes the first line off the bytes; none when more bytes are needed.
///
/// # Errors
/// [`PktError::Length`]
pub(crate) fn first(bytes: &[u8]) -> Result<Option<(Pkt<'_>, &[u8])>, PktError> {
    let Some((digits, rest)) = bytes.split_at_checked(4) else {
        return if bytes.iter().all(u8::is_ascii_hexdigit) { Ok(None) } else { Err(PktError::Length) };
    };
    // `from_str_radix` would take a sign.
    let plain = digits.iter().all(u8::is_ascii_hexdigit);
    let length = std::str::from_utf8(digits).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
    match length.filter(|_| plain).ok_or(PktError::Length)? {
        0 => Ok(Some((Pkt::Flush, rest))),
        1 => Ok(Some((Pkt::Delimiter, rest))),
        length @ 5..=MAX_LINE => Ok(rest.split_at_checked(length - 4).map(|(line, rest)| {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            (Pkt::Line(line), rest)
        })),
        _ => Err(PktError::Length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_taken_one_by_one() {
        assert_eq!(first(b"0009want\n0000"), Ok(Some((Pkt::Line(b"want"), &b"0000"[..]))));
        assert_eq!(first(b"0000x"), Ok(Some((Pkt::Flush, &b"x"[..]))));
        assert_eq!(first(b"0001"), Ok(Some((Pkt::Delimiter, &b""[..]))));
        for more in [&b""[..], b"00", b"0009wan"] {
            assert_eq!(first(more), Ok(None));
        }
        for bad in [&b"0002"[..], b"0003", b"0004", b"fff1", b"+009want", b"GET ", b"00G"] {
            assert_eq!(first(bad), Err(PktError::Length), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic_and_always_come_to_an_end(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'0'), Just(b'5')], 0..200)) {
            let mut rest = &bytes[..];
            while let Ok(Some((_, after))) = first(rest) {
                prop_assert!(after.len() < rest.len());
                rest = after;
            }
        }
    }
}
