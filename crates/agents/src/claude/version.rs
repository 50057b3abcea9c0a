//! Which versions this adapter was tested with. Another one may ask the gate in another way, or not at all.

use std::fmt;

/// A version of Claude Code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patch: u32,
}

/// The oldest supported version; later patches of the same minor version are supported too.
pub const SUPPORTED_FROM: Version = Version { major: 2, minor: 1, patch: 312 };

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Why a binary is not run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedVersion {
    /// `--version` printed something else.
    #[error("`{printed}` is not the version of claude")]
    Unreadable {
        /// What was printed, escaped and cut.
        printed: String,
    },
    /// A version that was not tested.
    #[error("claude {found} is not supported: use {SUPPORTED_FROM} or a later 2.1 version")]
    Untested {
        /// The version.
        found: Version,
    },
}

/// Reads what `claude --version` prints (`2.1.329 (Claude Code)`) and checks it against the supported range.
///
/// # Errors
/// [`UnsupportedVersion`] for anything else.
pub fn check_version(printed: &str) -> Result<Version, UnsupportedVersion> {
    let unreadable = || UnsupportedVersion::Unreadable { printed: types::text::printable(printed.trim(), 60) };
    let number = printed.trim().strip_suffix("(Claude Code)").ok_or_else(unreadable)?.trim_end();
    let mut parts = number.split('.').map(|part| {
        let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if plain { part.parse().ok() } else { None }
    });
    let (Some(Some(major)), Some(Some(minor)), Some(Some(patch)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(unreadable());
    };
    let found = Version { major, minor, patch };
    let next_minor = Version { major: SUPPORTED_FROM.major, minor: SUPPORTED_FROM.minor + 1, patch: 0 };
    if found >= SUPPORTED_FROM && found < next_minor { Ok(found) } else { Err(UnsupportedVersion::Untested { found }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tested_versions_run() {
        for good in ["2.1.312 (Claude Code)", "2.1.329 (Claude Code)\n", "2.1.1000 (Claude Code)"] {
            assert!(check_version(good).is_ok(), "{good}");
        }
        for old_or_new in
            ["2.1.311 (Claude Code)", "2.2.0 (Claude Code)", "1.9.999 (Claude Code)", "3.0.0 (Claude Code)"]
        {
            let got = check_version(old_or_new);
            assert!(matches!(got, Err(UnsupportedVersion::Untested { .. })), "{got:?}");
        }
        for unreadable in [
            "",
            "2.1.329",
            "2.1 (Claude Code)",
            "2.1.3.4 (Claude Code)",
            "2.1.+329 (Claude Code)",
            "2.1.99999999999 (Claude Code)",
            "codex 2.1.329 (Claude Code)",
        ] {
            let got = check_version(unreadable);
            assert!(matches!(got, Err(UnsupportedVersion::Unreadable { .. })), "{got:?}");
        }
    }
}
