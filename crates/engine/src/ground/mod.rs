//! What a run stands on: the engine, its OCI runtime and the kernel below; what is known against them, and what each guarantee
//! rests on there.
//!
//! What must stay true: a runtime that the engine does not have, or through which a hostile container is known to get out, is an
//! error; nothing falls back to another one.

pub(crate) mod advisories;
pub(crate) mod guarantees;
mod version;

use advisories::{Reach, Standing};
use runtime::{EngineInfo, OciKind, OciRuntime};
use types::{probe::Kernel, profile::ContainerProfile};

/// Why a run is not made on this engine.
#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    /// The engine has no such runtime.
    #[error("the engine at {endpoint} has no runtime `{name}`")]
    NoRuntime {
        /// Where the engine is.
        endpoint: String,
        /// The name that was asked for.
        name: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// A part of the engine lets a hostile container out.
    #[error("{part} {version} lets a hostile container out ({id}: {what})")]
    KnownEscape {
        /// Which part.
        part: &'static str,
        /// Its version.
        version: String,
        /// The advisory.
        id: &'static str,
        /// What it is.
        what: &'static str,
    },
}

impl GroundError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NoRuntime { known, .. } => format!(
                "set container.runtime to one of {}, or register it in the engine's daemon.json; nothing falls back to another one",
                known.join(", ")
            ),
            Self::KnownEscape { part, id, .. } => {
                format!("update {part}; container.accept-risk = [\"{id}\"] runs on it all the same")
            }
        }
    }
}

/// The runtime that a run gets, after everything that forbids it was looked for.
///
/// # Errors
/// [`GroundError`].
pub(crate) fn runtime_of<'a>(
    info: &'a EngineInfo,
    container: &ContainerProfile,
) -> Result<&'a OciRuntime, GroundError> {
    let Some(runtime) = info.runtime(&container.runtime) else {
        return Err(GroundError::NoRuntime {
            endpoint: info.endpoint.clone(),
            name: container.runtime.clone(),
            known: info.runtimes.iter().map(|runtime| runtime.name.clone()).collect(),
        });
    };
    for found in advisories::known_of(info, runtime) {
        let is_accepted = container.accept_risk.iter().any(|id| id == found.advisory.id);
        if found.standing == Standing::Open && found.advisory.reach == Reach::Open && !is_accepted {
            return Err(GroundError::KnownEscape {
                part: found.advisory.part.name(),
                version: found.version,
                id: found.advisory.id,
                what: found.advisory.what,
            });
        }
    }
    Ok(runtime)
}

/// The kernel that the canary must find below this kind of runtime.
pub(crate) fn kernel_of(kind: OciKind) -> Kernel {
    match kind {
        OciKind::Gvisor => Kernel::Gvisor,
        OciKind::Runc | OciKind::Crun | OciKind::Kata | OciKind::Other => Kernel::Linux,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use runtime::EngineKind;

    /// An engine whose default runtime is runc of this version; it has runsc too.
    pub(crate) fn engine(version: &str) -> EngineInfo {
        let runtime = |name: &str| OciRuntime { name: name.into(), kind: OciKind::of(name, ""), args: Vec::new() };
        EngineInfo {
            kind: EngineKind::Docker,
            version: "28.0.0".into(),
            api: "1.48".into(),
            endpoint: "unix:///x".into(),
            os: "Debian".into(),
            arch: "x86_64".into(),
            cgroup_version: 2,
            storage_driver: "overlay2".into(),
            platform: None,
            kernel: "6.12".into(),
            data_root: "/nowhere".into(),
            runtimes: vec![runtime("runc"), runtime("runsc")],
            default_runtime: "runc".into(),
            runtime_version: Some(version.into()),
            security: vec!["seccomp".into()],
            rootless: false,
            cpus: 2,
            memory: 8 << 30,
        }
    }

    /// The container's settings of the built-in profile, changed.
    pub(crate) fn container(change: impl FnOnce(&mut ContainerProfile)) -> ContainerProfile {
        let text = include_str!("../../../../profiles/default.toml");
        let layer = types::profile::Layer::parse(types::source::Source::Default, text).expect("layer");
        let mut container = types::profile::Resolved::new(&[layer]).expect("profile").profile.container;
        change(&mut container);
        container
    }

    #[test]
    fn an_unknown_runtime_is_an_error_and_never_another_one() {
        let info = engine("1.3.3");
        let refused = runtime_of(&info, &container(|c| c.runtime = "kata".into())).expect_err("refused");
        assert!(refused.hint().contains("one of runc, runsc"), "{}", refused.hint());
        let found = runtime_of(&info, &container(|c| c.runtime = "runsc".into())).expect("runsc");
        assert_eq!((found.kind, kernel_of(found.kind)), (OciKind::Gvisor, Kernel::Gvisor));
        assert_eq!(runtime_of(&info, &container(|_| {})).expect("default").kind, OciKind::Runc);
    }

    #[test]
    fn a_runc_with_a_known_way_out_is_refused_unless_that_one_is_accepted() {
        let info = engine("1.1.11");
        let refused = runtime_of(&info, &container(|_| {})).expect_err("refused");
        assert!(refused.to_string().contains("CVE-2024-21626"), "{refused}");
        assert!(runtime_of(&info, &container(|c| c.accept_risk = vec!["CVE-2019-5736".into()])).is_err());
        assert!(runtime_of(&info, &container(|c| c.accept_risk = vec!["CVE-2024-21626".into()])).is_ok());
        assert!(runtime_of(&info, &container(|c| c.runtime = "runsc".into())).is_ok(), "it is about runc");
        assert!(runtime_of(&engine("1.1.12"), &container(|_| {})).is_ok());
    }
}
