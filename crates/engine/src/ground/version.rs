//! Versions as engines and packages write them.

/// A version: its numbers, a candidate's number or the highest for a release, and whether a distribution packaged it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    numbers: [u32; 3],
    candidate: u32,
}

impl Version {
    /// A release.
    pub(super) const fn release(major: u32, minor: u32, patch: u32) -> Self {
        Self { numbers: [major, minor, patch], candidate: u32::MAX }
    }

    /// A release candidate.
    pub(super) const fn candidate(major: u32, minor: u32, patch: u32, number: u32) -> Self {
        Self { numbers: [major, minor, patch], candidate: number }
    }

    /// Reads `1.2.8`, `v1.2.8`, `1.4.0-rc.3`, `1.0.0-rc7`, `1.0.0~rc93+ds1-5+deb11u3`, `20.10.24+dfsg1`. None for other texts.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (numbers, rest) = text.split_at(end);
        let mut parts = numbers.split('.').filter(|part| !part.is_empty()).map(|part| part.parse::<u32>().ok());
        let mut next = || parts.next().unwrap_or(Some(0));
        let numbers = [next()?, next()?, next()?];
        let candidate = rest.trim_start_matches(['-', '~']).strip_prefix("rc").map(|rest| {
            let digits: String = rest.trim_start_matches('.').chars().take_while(char::is_ascii_digit).collect();
            digits.parse().unwrap_or(0)
        });
        (end > 0).then_some(Self { numbers, candidate: candidate.unwrap_or(u32::MAX) })
    }

    /// True when this version holds what was fixed in each of `fixes`, one for a line of releases, the newest last.
    pub(super) fn holds(self, fixes: &[Self]) -> bool {
        let is_newer = fixes.last().is_some_and(|newest| self >= *newest);
        let in_line = |fix: &&Self| fix.numbers[..2] == self.numbers[..2];
        is_newer || fixes.iter().find(in_line).is_some_and(|fix| self >= *fix)
    }
}

/// True when a distribution packaged it: then it can hold fixes that its number does not tell.
pub(super) fn is_packaged(text: &str) -> bool {
    ["+ds", "+dfsg", "deb", "ubuntu", ".el", ".fc", ".amzn", "alpine", "-r"].iter().any(|mark| text.contains(mark))
        && !text.contains("-rc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered() {
        let parse = |text| Version::parse(text).expect(text);
        assert_eq!(parse("v1.2.8"), Version::release(1, 2, 8));
        assert_eq!(parse("1.4.0-rc.3"), Version::candidate(1, 4, 0, 3));
        assert_eq!(parse("1.0.0~rc93+ds1-5+deb11u3"), Version::candidate(1, 0, 0, 93));
        assert_eq!(parse("20.10.24+dfsg1"), Version::release(20, 10, 24));
        assert!(parse("1.0.0-rc7") < parse("1.0.0"));
        assert!(parse("1.1.9") < parse("1.1.12"));
        assert_eq!((Version::parse(""), Version::parse("next")), (None, None));
    }

    #[test]
    fn a_fix_holds_in_its_line_of_releases_and_in_all_newer_ones() {
        let fixes = [Version::release(1, 2, 8), Version::release(1, 3, 3), Version::candidate(1, 4, 0, 3)];
        for (text, holds) in [
            ("1.1.15", false),
            ("1.2.7", false),
            ("1.2.8", true),
            ("1.2.9", true),
            ("1.3.2", false),
            ("1.3.3", true),
            ("1.4.0-rc.2", false),
            ("1.4.0-rc.3", true),
            ("1.4.0", true),
            ("2.0.0", true),
        ] {
            assert_eq!(Version::parse(text).expect(text).holds(&fixes), holds, "{text}");
        }
    }

    #[test]
    fn packages_are_told_from_releases() {
        for text in ["1.1.5+ds1-1+deb12u1", "1.1.7-0ubuntu1~22.04.2", "1.1.12-3.el9", "20.10.24+dfsg1", "1.1.13-r3"] {
            assert!(is_packaged(text), "{text}");
        }
        for text in ["1.2.5", "v1.1.11", "1.4.0-rc.2"] {
            assert!(!is_packaged(text), "{text}");
        }
    }
}
