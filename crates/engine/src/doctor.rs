//! What a run needs, looked at one by one, each with what to do about it.

use crate::credential;
use runtime::{AnyRuntime, EngineInfo, EngineKind, Runtime};
use serde::Serialize;
use types::profile::Profile;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    /// As it should be.
    Good,
    /// Works, with something to know.
    Note,
    /// Runs cannot work.
    Bad,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DoctorCheck {
    /// What was looked at.
    pub name: &'static str,
    /// How it came out.
    pub state: CheckState,
    /// What was found.
    pub fact: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

fn check(name: &'static str, state: CheckState, fact: impl Into<String>, hint: Option<&str>) -> DoctorCheck {
    DoctorCheck { name, state, fact: fact.into(), hint: hint.map(str::to_owned) }
}

/// Looks at everything; a missing engine does not keep the other checks from being made.
pub(crate) async fn examine(runtime: Result<AnyRuntime, runtime::Error>, profile: &Profile) -> Vec<DoctorCheck> {
    let mut out = Vec::new();
    match runtime {
        Err(error) => {
            let hint = error.hint().unwrap_or("start Docker or Podman, or point DOCKER_HOST at one");
            out.push(check("engine", CheckState::Bad, crate::outcome::chain(&error), Some(hint)));
        }
        Ok(runtime) => {
            match runtime.info().await {
                Ok(info) => out.extend(engine_checks(&info, &profile.container.runtime)),
                Err(error) => out.push(check("engine", CheckState::Bad, crate::outcome::chain(&error), error.hint())),
            }
            for (name, image) in [("run image", &profile.container.image), ("agent image", &profile.agent.image)] {
                out.push(match runtime.image_id(image).await {
                    Ok(Some(id)) => check(name, CheckState::Good, format!("{image} {id}"), None),
                    Ok(None) => {
                        let hint = "`sandbox image build` builds ours; pull any other one";
                        check(name, CheckState::Bad, format!("{image} is not in the engine"), Some(hint))
                    }
                    Err(error) => check(name, CheckState::Bad, crate::outcome::chain(&error), error.hint()),
                });
            }
        }
    }
    out.push(match credential::find(&profile.model.credentials, |name| std::env::var(name).ok()) {
        Ok(_) => check("credential", CheckState::Good, "found; it stays on the host", None),
        Err(error) => {
            let hint = "set ANTHROPIC_API_KEY; --replay works without";
            check("credential", CheckState::Note, error.to_string(), Some(hint))
        }
    });
    out
}

fn engine_checks(info: &EngineInfo, wanted: &str) -> Vec<DoctorCheck> {
    let fact = format!(
        "{:?} {} at {}, API {}, cgroup v{}, {}",
        info.kind, info.version, info.endpoint, info.api, info.cgroup_version, info.storage_driver
    );
    let mut out = vec![check("engine", CheckState::Good, fact, None)];
    let runtime = if wanted.is_empty() { &info.default_runtime } else { wanted };
    out.push(if info.runtimes.iter().any(|known| known == runtime) {
        check("runtime", CheckState::Good, runtime, None)
    } else {
        check(
            "runtime",
            CheckState::Bad,
            format!("{runtime} is not known to the engine"),
            Some("set container.runtime to one of those it has"),
        )
    });
    if let Some(version) = info.runc_version.as_deref().filter(|version| is_old_runc(version)) {
        let fact = format!(
            "runc {version} is older than 1.2.8 and may hold escapes that are fixed there (CVE-2025-31133, 52565, 52881)"
        );
        out.push(check("runc", CheckState::Note, fact, Some("update it, unless your distribution carries the fixes")));
    }
    if info.kind == EngineKind::Podman {
        let fact = "Podman copies this machine's /etc/hosts into containers, so that the names in it can be read there";
        let hint = "set base_hosts_file = \"none\" below [containers] in containers.conf";
        out.push(check("hosts file", CheckState::Note, fact, Some(hint)));
    }
    let quota = "none: this engine sets no quota on volumes; /tmp is limited by container.tmp-mb";
    out.push(check("disk limit", CheckState::Note, quota, None));
    out
}

/// 1.2.8, 1.3.3 and 1.4.0 carry the fixes.
fn is_old_runc(version: &str) -> bool {
    let mut parts = version.split(['.', '-', '+', '~']).map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor, patch) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    (major, minor) < (1, 2) || ((major, minor) == (1, 2) && patch < 8) || ((major, minor) == (1, 3) && patch < 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_runc_versions_are_told_apart() {
        for (version, is_old) in [
            ("1.1.5+ds1", true),
            ("1.2.7", true),
            ("1.2.8", false),
            ("1.3.2", true),
            ("1.3.3", false),
            ("1.4.0", false),
        ] {
            assert_eq!(is_old_runc(version), is_old, "{version}");
        }
    }
}
