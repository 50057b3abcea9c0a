//! Lengths of time as people write them: `30m`, `1h 30m`, `90s`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// A length of time, at least one millisecond and at most 30 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Span(Duration);

/// Why a text is not a length of time.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a length of time: write it like 90s, 30m or 1h30m, at most 30 days")]
pub struct InvalidSpan {
    text: String,
}

impl Span {
    /// Reads `90s`, `30m`, `1h30m`.
    ///
    /// # Errors
    /// [`InvalidSpan`] for anything else, zero, negative, or more than 30 days.
    pub fn parse(text: &str) -> Result<Self, InvalidSpan> {
        text.parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|signed| Duration::try_from(signed).ok())
            .filter(|span| *span >= Duration::from_millis(1) && *span <= Duration::from_secs(30 * 86_400))
            .map(Self)
            .ok_or_else(|| InvalidSpan { text: crate::text::printable(text, 40) })
    }

    /// So many minutes.
    #[must_use]
    pub const fn from_minutes(minutes: u8) -> Self {
        Self(Duration::from_secs(minutes as u64 * 60))
    }

    /// The length.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed = jiff::SignedDuration::try_from(self.0).unwrap_or(jiff::SignedDuration::MAX);
        write!(f, "{signed:#}")
    }
}

impl TryFrom<String> for Span {
    type Error = InvalidSpan;
    fn try_from(text: String) -> Result<Self, InvalidSpan> {
        Self::parse(&text)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_show_alike() {
        for (text, secs) in [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("1h 30m", 5400)] {
            let span = Span::parse(text).expect(text);
            assert_eq!(span.duration().as_secs(), secs);
            assert_eq!(Span::parse(&span.to_string()).map(Span::duration).ok(), Some(span.duration()));
        }
        for bad in ["", "0s", "-5m", "30", "forever", "9000h"] {
            assert!(Span::parse(bad).is_err(), "{bad}");
        }
    }
}
