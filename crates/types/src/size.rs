//! Sizes as people write them: `64KiB`, `16MiB`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ByteSize(u64);

/// Why a text is not a size.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a size: write a whole number with B, KiB, MiB or GiB, such as 16MiB")]
pub struct InvalidSize {
    text: String,
}

impl ByteSize {
    /// Reads `512B`, `64KiB`, `16MiB`, `2GiB`.
    ///
    /// # Errors
    /// [`InvalidSize`]
    pub fn parse(text: &str) -> Result<Self, InvalidSize> {
        let bad = || InvalidSize { text: crate::text::printable(text, 40) };
        let (digits, unit) =
            UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit))).ok_or_else(bad)?;
        let digits = digits.trim_end();
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let count = digits.parse::<u64>().ok().filter(|_| plain);
        count.and_then(|count| count.checked_mul(*unit)).map(Self).ok_or_else(bad)
    }

    /// The number of bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl From<u64> for ByteSize {
    fn from(bytes: u64) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, unit) =
            UNITS.into_iter().find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit)).unwrap_or(("B", 1));
        write!(f, "{}{name}", self.0 / unit)
    }
}

impl TryFrom<String> for ByteSize {
    type Error = InvalidSize;
    fn try_from(text: String) -> Result<Self, InvalidSize> {
        Self::parse(&text)
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> Self {
        size.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_and_show_alike() {
        for (text, bytes) in [("0B", 0), ("512B", 512), ("64KiB", 65536), ("16 MiB", 16 << 20), ("2GiB", 2 << 30)] {
            let size = ByteSize::parse(text).expect(text);
            assert_eq!(size.bytes(), bytes);
            assert_eq!(ByteSize::parse(&size.to_string()).map(ByteSize::bytes).ok(), Some(bytes));
        }
        for bad in ["", "1", "KiB", "-1KiB", "1.5MiB", "1MB", "99999999999GiB"] {
            assert!(ByteSize::parse(bad).is_err(), "{bad}");
        }
    }
}
