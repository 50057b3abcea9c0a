//! What a run needs, looked at one by one, each with what to do about it; and what each guarantee rests on here.

use crate::{
    credential,
    ground::{
        self,
        advisories::{self, Known, Reach, Standing},
        guarantees::{Base, GUARANTEES, Guarantee, Held},
    },
};
use runtime::{AnyRuntime, EngineInfo, EngineKind, OciKind, OciRuntime, Runtime};
use serde::Serialize;
use std::path::Path;
use types::profile::{ContainerProfile, Profile};

/// Free space below which a disk is worth a word, in bytes.
const LITTLE: u64 = 5 << 30;

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

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoctorReport {
    /// The checks, in order.
    pub checks: Vec<DoctorCheck>,
    /// What each guarantee rests on with this engine and runtime; empty where nothing is known of them.
    pub guarantees: Vec<StandingGuarantee>,
}

/// A guarantee and how far it holds here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StandingGuarantee {
    /// The guarantee.
    #[serde(flatten)]
    pub guarantee: &'static Guarantee,
    /// The engine and runtime.
    pub base: Base,
    /// How far it holds there.
    pub here: Held,
}

fn check(name: &'static str, state: CheckState, fact: impl Into<String>, hint: Option<&str>) -> DoctorCheck {
    DoctorCheck { name, state, fact: fact.into(), hint: hint.map(str::to_owned) }
}

/// Looks at everything; a missing engine does not keep the other checks from being made.
pub(crate) async fn examine(runtime: Result<AnyRuntime, runtime::Error>, profile: &Profile) -> DoctorReport {
    let mut checks = Vec::new();
    let mut guarantees = Vec::new();
    match runtime {
        Err(error) => {
            let hint = error.hint().unwrap_or("start Docker or Podman, or point DOCKER_HOST at one");
            checks.push(check("engine", CheckState::Bad, crate::outcome::chain(&error), Some(hint)));
        }
        Ok(runtime) => {
            match runtime.info().await {
                Ok(info) => {
                    checks.extend(engine_checks(&info, &profile.container));
                    guarantees = guarantees_of(&info, &profile.container);
                }
                Err(error) => {
                    checks.push(check("engine", CheckState::Bad, crate::outcome::chain(&error), error.hint()));
                }
            }
            for (name, image) in [("run image", &profile.container.image), ("agent image", &profile.agent.image)] {
                checks.push(match runtime.image_id(image).await {
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
    checks.push(match credential::find(&profile.model.credentials, |name| std::env::var(name).ok()) {
        Ok(_) => check("credential", CheckState::Good, "found; it stays on the host", None),
        Err(error) => {
            let hint = "set ANTHROPIC_API_KEY; --replay works without";
            check("credential", CheckState::Note, error.to_string(), Some(hint))
        }
    });
    DoctorReport { checks, guarantees }
}

fn guarantees_of(info: &EngineInfo, container: &ContainerProfile) -> Vec<StandingGuarantee> {
    let base = info.runtime(&container.runtime).and_then(|runtime| Base::of(info, runtime));
    let here = |base: Base| GUARANTEES.iter().map(move |guarantee| (guarantee, base));
    let rows = base.into_iter().flat_map(here);
    rows.map(|(guarantee, base)| StandingGuarantee { guarantee, base, here: guarantee.held(base) }).collect()
}

fn engine_checks(info: &EngineInfo, container: &ContainerProfile) -> Vec<DoctorCheck> {
    let platform = info.platform.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
    let fact = format!("{:?} {}{platform} at {}, API {}", info.kind, info.version, info.endpoint, info.api);
    let mut out = vec![check("engine", CheckState::Good, fact, None)];
    let fact = format!("{} {} on {}, cgroup v{}", info.kernel, info.arch, info.os, info.cgroup_version);
    out.push(check("kernel", CheckState::Good, fact, None));
    out.push(match ground::runtime_of(info, container) {
        Ok(runtime) => check("runtime", CheckState::Good, runtime_fact(info, runtime), None),
        Err(error) => check("runtime", CheckState::Bad, error.to_string(), Some(&error.hint())),
    });
    if let Some(runtime) = info.runtime(&container.runtime) {
        out.extend(runtime_checks(runtime));
        out.extend(advisories::known_of(info, runtime).iter().filter_map(advisory_check));
    }
    out.push(security_check(info));
    if info.kind == EngineKind::Podman {
        let fact = "Podman copies this machine's /etc/hosts into containers, so that the names in it can be read there";
        let hint = "set base_hosts_file = \"none\" below [containers] in containers.conf";
        out.push(check("hosts file", CheckState::Note, fact, Some(hint)));
    }
    let machine_mb = info.memory >> 20;
    if machine_mb > 0 && container.memory_mb > machine_mb {
        let fact = format!("the machine has {machine_mb} MiB, and container.memory-mb is {}", container.memory_mb);
        out.push(check("memory", CheckState::Note, fact, Some("lower container.memory-mb")));
    }
    out.extend(disk_checks(info, container));
    out
}

fn runtime_fact(info: &EngineInfo, runtime: &OciRuntime) -> String {
    let is_default = runtime.name == info.default_runtime;
    let version = info.runtime_version.as_deref().filter(|_| is_default).map(|version| format!(" {version}"));
    let names: Vec<_> = info.runtimes.iter().map(|runtime| runtime.name.as_str()).collect();
    format!("{}{} ({:?}) of {}", runtime.name, version.unwrap_or_default(), runtime.kind, names.join(", "))
}

/// What is worth a word about a kind of runtime.
fn runtime_checks(runtime: &OciRuntime) -> Vec<DoctorCheck> {
    match runtime.kind {
        OciKind::Gvisor if !runtime.args.iter().any(|arg| arg == "--network=none") => {
            let fact = "runsc is registered without --network=none: gVisor keeps a network stack that nothing needs";
            let hint = "add \"--network=none\" to its runtimeArgs in the engine's daemon.json";
            vec![check("runsc", CheckState::Note, fact, Some(hint))]
        }
        OciKind::Other => {
            let fact = "nothing is known of this runtime but what the canary finds at the start of a run";
            vec![check("guarantees", CheckState::Note, fact, None)]
        }
        OciKind::Runc | OciKind::Crun | OciKind::Gvisor | OciKind::Kata => Vec::new(),
    }
}

/// A word on an advisory that is not known to be fixed.
fn advisory_check(known: &Known) -> Option<DoctorCheck> {
    let Known { advisory, version, standing } = known;
    let part = advisory.part.name();
    let known_as = match standing {
        Standing::Fixed => return None,
        Standing::Open => format!("{part} {version} has {}", advisory.id),
        Standing::Unknown => {
            format!("{part} {version} is a package that may or may not hold the fix of {}", advisory.id)
        }
    };
    let (state, reach) = match (advisory.reach, standing) {
        (Reach::Closed(why), _) => (CheckState::Note, format!("; runs are not open to it: {why}")),
        (Reach::Open, Standing::Open) => (CheckState::Bad, "; runs are refused".to_owned()),
        (Reach::Open, Standing::Unknown | Standing::Fixed) => (CheckState::Note, String::new()),
    };
    let hint = match standing {
        Standing::Open | Standing::Fixed => format!("update {part}: it is fixed in {}", advisory.fixed_in),
        Standing::Unknown => {
            format!("your distribution's security tracker knows; upstream fixed it in {}", advisory.fixed_in)
        }
    };
    Some(check("advisory", state, format!("{known_as} ({}){reach}", advisory.what), Some(&hint)))
}

fn security_check(info: &EngineInfo) -> DoctorCheck {
    let has = |name: &str| info.security.iter().any(|option| option == name);
    let module = if has("apparmor") {
        "AppArmor"
    } else if has("selinux") {
        "SELinux"
    } else {
        "no security module"
    };
    let users = match (info.rootless, has("userns")) {
        (true, _) => "rootless",
        (false, true) => "user namespaces",
        (false, false) => "no user namespaces: uids inside are the machine's",
    };
    if has("seccomp") {
        check("hardening", CheckState::Good, format!("seccomp, {module}, {users}"), None)
    } else {
        let hint = "runs need an engine and a kernel with seccomp; the canary would refuse to start the agent";
        check("hardening", CheckState::Bad, format!("the engine has no seccomp ({module}, {users})"), Some(hint))
    }
}

fn disk_checks(info: &EngineInfo, container: &ContainerProfile) -> Vec<DoctorCheck> {
    let fact = format!(
        "{} on {}: no quota on volumes; the work tree and the home are counted, up to {} MiB and {} files (container.disk-mb, container.disk-files)",
        info.storage_driver, info.data_root, container.disk_mb, container.disk_files
    );
    let mut out = vec![check("disk limit", CheckState::Note, fact, None)];
    // Of an engine elsewhere the path is not here.
    let is_here = info.endpoint.starts_with("unix://") && Path::new(&info.data_root).is_dir();
    if is_here && let Some(free) = free_space(Path::new(&info.data_root)) {
        let limit = container.disk_mb << 20;
        let fact = format!("{} MiB are free below {}", free >> 20, info.data_root);
        out.push(if free < LITTLE {
            check("disk", CheckState::Note, fact, Some("make room, or a run may fail half way"))
        } else if free < limit {
            let hint = "lower container.disk-mb, or one run can fill the disk";
            check("disk", CheckState::Note, fact, Some(hint))
        } else {
            check("disk", CheckState::Good, fact, None)
        });
    }
    out
}

fn free_space(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::tests::{container, engine};

    fn states(version: &str) -> Vec<(&'static str, CheckState)> {
        let checks = engine_checks(&engine(version), &container(|_| {}));
        checks.into_iter().map(|check| (check.name, check.state)).collect()
    }

    #[test]
    fn an_old_runc_is_bad_a_package_is_noted_and_a_new_one_is_good() {
        let bad = states("1.1.11");
        assert!(bad.contains(&("runtime", CheckState::Bad)) && bad.contains(&("advisory", CheckState::Bad)), "{bad:?}");
        let packaged = states("1.1.5+ds1-1+deb12u1");
        assert!(packaged.contains(&("runtime", CheckState::Good)), "{packaged:?}");
        assert!(packaged.contains(&("advisory", CheckState::Note)), "{packaged:?}");
        assert!(states("1.3.3").iter().all(|(name, _)| *name != "advisory"));
    }

    #[test]
    fn every_guarantee_stands_for_a_known_runtime_and_none_for_an_unknown_one() {
        let info = engine("1.3.3");
        let runc = guarantees_of(&info, &container(|_| {}));
        assert_eq!(runc.len(), GUARANTEES.len());
        let gvisor = guarantees_of(&info, &container(|c| c.runtime = "runsc".into()));
        let of = |rows: &[StandingGuarantee], id| rows.iter().find(|row| row.guarantee.id == id).map(|row| row.here);
        assert_ne!(of(&runc, "kernel"), of(&gvisor, "kernel"));
        assert_eq!(of(&gvisor, "kernel"), Some(Held::Enforced));
        let mut odd = engine("1.3.3");
        odd.runtimes[0].kind = OciKind::Other;
        assert_eq!(guarantees_of(&odd, &container(|_| {})), []);
    }

    #[test]
    fn an_engine_without_seccomp_is_bad() {
        let mut info = engine("1.3.3");
        assert_eq!(security_check(&info).state, CheckState::Good);
        info.security = vec!["apparmor".into()];
        assert_eq!(security_check(&info).state, CheckState::Bad);
    }
}
