//! Ways out of containers that were published, and which versions hold the fix. What a version alone cannot tell is said to be
//! unknown.
//!
//! The lines of releases and their fixes are those of the projects' own advisories; of packages only those are listed whose
//! changelog names the advisory.

use super::version::{Version, is_packaged};
use runtime::{EngineInfo, EngineKind, OciKind, OciRuntime};

/// The part that an advisory is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Runc,
    Engine,
    Desktop,
}

impl Part {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Runc => "runc",
            Self::Engine => "Docker Engine",
            Self::Desktop => "Docker Desktop",
        }
    }
}

/// Whether a run gives an agent what the way out needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It does: processes are started in a container whose processes are hostile.
    Open,
    /// It does not, and why.
    Closed(&'static str),
}

/// A published way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advisory {
    pub(crate) id: &'static str,
    pub(crate) part: Part,
    pub(crate) what: &'static str,
    pub(crate) reach: Reach,
    /// The first fixed version of each line of releases, the newest line last.
    fixed: &'static [Version],
    /// Packages that hold the fix under an older number.
    packages: &'static [&'static str],
    /// In words, for people.
    pub(crate) fixed_in: &'static str,
}

/// How a version stands to an advisory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Fixed,
    Open,
    /// A distribution's package with an older number: it may hold the fix.
    Unknown,
}

/// An advisory and how the engine's version stands to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) advisory: &'static Advisory,
    pub(crate) version: String,
    pub(crate) standing: Standing,
}

const OWN_MOUNTS: &str = "it needs a hand in the mounts of a container that is being created; volumes and their places are ours, and nothing runs in them then";
const NO_NETWORK: &str = "no run has a network device or asks the engine's name server";
const RUNC_2025: &[Version] = &[Version::release(1, 2, 8), Version::release(1, 3, 3), Version::candidate(1, 4, 0, 3)];

const ADVISORIES: &[Advisory] = &[
    Advisory {
        id: "CVE-2019-5736",
        part: Part::Runc,
        what: "a process inside overwrites the runtime's program when another is started beside it",
        reach: Reach::Open,
        fixed: &[Version::candidate(1, 0, 0, 7)],
        packages: &[],
        fixed_in: "1.0.0-rc7",
    },
    Advisory {
        id: "CVE-2024-21626",
        part: Part::Runc,
        what: "a leaked descriptor leads to the machine's files",
        reach: Reach::Open,
        fixed: &[Version::release(1, 1, 12)],
        packages: &["1.1.5+ds1-1+deb12u", "1.0.0~rc93+ds1-5+deb11u3", "1.0.0~rc93+ds1-5+deb11u4"],
        fixed_in: "1.1.12",
    },
    Advisory {
        id: "CVE-2025-31133",
        part: Part::Runc,
        what: "masked paths are mounted over something else",
        reach: Reach::Closed(OWN_MOUNTS),
        fixed: RUNC_2025,
        packages: &[],
        fixed_in: "1.2.8, 1.3.3, 1.4.0-rc.3",
    },
    Advisory {
        id: "CVE-2025-52565",
        part: Part::Runc,
        what: "the console is mounted over something else",
        reach: Reach::Closed("no run has a console, and its mounts are ours"),
        fixed: RUNC_2025,
        packages: &[],
        fixed_in: "1.2.8, 1.3.3, 1.4.0-rc.3",
    },
    Advisory {
        id: "CVE-2025-52881",
        part: Part::Runc,
        what: "the runtime's writes to /proc are led elsewhere",
        reach: Reach::Closed(OWN_MOUNTS),
        fixed: RUNC_2025,
        packages: &[],
        fixed_in: "1.2.8, 1.3.3, 1.4.0-rc.3",
    },
    Advisory {
        id: "CVE-2024-29018",
        part: Part::Engine,
        what: "names asked for on an internal network leave the machine",
        reach: Reach::Closed(NO_NETWORK),
        fixed: &[Version::release(23, 0, 11), Version::release(25, 0, 5), Version::release(26, 0, 0)],
        packages: &[],
        fixed_in: "23.0.11, 25.0.5, 26.0.0",
    },
    Advisory {
        id: "CVE-2025-9074",
        part: Part::Desktop,
        what: "every container reaches the engine's API over the network",
        reach: Reach::Closed(NO_NETWORK),
        fixed: &[Version::release(4, 44, 3)],
        packages: &[],
        fixed_in: "4.44.3",
    },
];

impl Advisory {
    fn standing(&self, version: &str) -> Standing {
        let holds = Version::parse(version).is_some_and(|parsed| parsed.holds(self.fixed));
        if holds || self.packages.iter().any(|package| version.starts_with(package)) {
            Standing::Fixed
        } else if is_packaged(version) || Version::parse(version).is_none() {
            Standing::Unknown
        } else {
            Standing::Open
        }
    }
}

/// Everything that is known of this engine with this runtime. A part whose version the engine does not tell is left out.
pub(crate) fn known_of(info: &EngineInfo, runtime: &OciRuntime) -> Vec<Known> {
    let version_of = |part| match part {
        // The engine tells the version of its default runtime only.
        Part::Runc if runtime.kind == OciKind::Runc && runtime.name == info.default_runtime => {
            info.runtime_version.clone()
        }
        Part::Runc => None,
        Part::Engine => (info.kind == EngineKind::Docker).then(|| info.version.clone()),
        Part::Desktop => info.platform.as_deref().and_then(desktop_version),
    };
    let known = |advisory: &'static Advisory| {
        let version = version_of(advisory.part)?;
        Some(Known { advisory, standing: advisory.standing(&version), version })
    };
    ADVISORIES.iter().filter_map(known).collect()
}

/// `Docker Desktop 4.43.2 (199162)` is 4.43.2.
fn desktop_version(platform: &str) -> Option<String> {
    let words = platform.split_whitespace();
    words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::tests::engine;

    fn standings(info: &EngineInfo) -> Vec<(&'static str, Standing)> {
        let runtime = info.runtime("").expect("runtime");
        known_of(info, runtime).into_iter().map(|known| (known.advisory.id, known.standing)).collect()
    }

    fn of(info: &EngineInfo, id: &str) -> Option<Standing> {
        standings(info).into_iter().find(|(found, _)| *found == id).map(|(_, standing)| standing)
    }

    #[test]
    fn versions_of_runc_stand_as_their_advisories_say() {
        for (version, leaked, masked) in [
            ("1.1.11", Standing::Open, Standing::Open),
            ("1.1.12", Standing::Fixed, Standing::Open),
            ("1.3.3", Standing::Fixed, Standing::Fixed),
            ("1.1.5+ds1-1+deb12u1", Standing::Fixed, Standing::Unknown),
            ("1.1.5+ds1-1", Standing::Unknown, Standing::Unknown),
            ("1.1.7-0ubuntu1~22.04.2", Standing::Unknown, Standing::Unknown),
            ("", Standing::Unknown, Standing::Unknown),
        ] {
            let info = engine(version);
            let found = (of(&info, "CVE-2024-21626"), of(&info, "CVE-2025-31133"));
            assert_eq!(found, (Some(leaked), Some(masked)), "{version}");
        }
    }

    #[test]
    fn engines_are_looked_at_too_and_what_is_not_told_is_left_out() {
        let mut info = engine("1.3.3");
        assert_eq!(of(&info, "CVE-2024-29018"), Some(Standing::Fixed));
        info.version = "25.0.4".into();
        assert_eq!(of(&info, "CVE-2024-29018"), Some(Standing::Open));
        assert_eq!(of(&info, "CVE-2025-9074"), None);
        info.platform = Some("Docker Desktop 4.43.2 (199162)".into());
        assert_eq!(of(&info, "CVE-2025-9074"), Some(Standing::Open));
        info.platform = Some("Docker Desktop 4.44.3 (202357)".into());
        assert_eq!(of(&info, "CVE-2025-9074"), Some(Standing::Fixed));
        info.runtime_version = None;
        assert_eq!(of(&info, "CVE-2024-21626"), None);
    }
}
