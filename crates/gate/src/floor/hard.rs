//! Turns an effect into the reason against it, if there is one.

use crate::{
    destination::Destination,
    effect::{Effect, Finding},
    place::Place,
    secret::{Secrecy, secrecy},
    world::World,
    zone::Zone,
};
use types::catalogue::RuleId;

const NAMED: &str = "delete named files of the work tree only";
const LEAVE: &str = "leave the settings of the agent and the gate as they are";

/// The reason against an effect.
pub(crate) fn finding(effect: &Effect, world: &World) -> Option<Finding> {
    match effect {
        Effect::Reads(place) => read(place, world),
        Effect::Writes { place, empties } => written(place, *empties, world),
        Effect::Deletes { place, recursive } => deleted(place, *recursive, world),
        Effect::Network { to, .. } => network(to, world),
        Effect::Risk(finding) => Some(finding.clone()),
        Effect::Executes(_) | Effect::Unverifiable(_) => None,
    }
}

fn read(place: &Place, world: &World) -> Option<Finding> {
    let shown_to_all = place.path.starts_with("/proc/sys/") || place.path.starts_with("/sys/");
    if place.zone(world) == Zone::Escape && !shown_to_all {
        return Some(Finding::forbidden(
            RuleId::SandboxEscape,
            format!("reads {place}, which leads out of the container"),
            "work inside this container",
        ));
    }
    if place.zone(world) == Zone::Device {
        return Some(Finding::refused(
            RuleId::CredentialAccess,
            format!("reads the raw device {place}"),
            "read files of the work tree",
        ));
    }
    match secrecy(place)? {
        Secrecy::Certain => Some(Finding::refused(
            RuleId::CredentialAccess,
            format!("reads credentials from {place}"),
            "work without the credential; the host adds what routes need",
        )),
        // It stays here: sending it on is another effect.
        Secrecy::Likely if world.is_named(place) => None,
        Secrecy::Likely => {
            Some(Finding::questioned(RuleId::CredentialAccess, format!("reads {place}, which may hold credentials")))
        }
    }
}

fn written(place: &Place, empties: bool, world: &World) -> Option<Finding> {
    if empties && place.zone(world) == Zone::Worktree && super::safe::is_data(place) {
        return Some(Finding::refused(RuleId::MassDeletion, format!("empties {place}, which holds data"), NAMED));
    }
    if place.path.ends_with("_history") {
        let reason = format!("writes {place}, the shell's record of what was run");
        return Some(Finding::refused(RuleId::SafetyRegression, reason, "leave the history alone"));
    }
    let wrote = |what: &str| format!("writes {place}, {what}");
    // One pattern that empties many files.
    if empties && place.glob && place.zone(world) == Zone::Worktree {
        return Some(Finding::refused(RuleId::MassDeletion, format!("empties all of {place}"), NAMED));
    }
    match place.zone(world) {
        Zone::Gate => Some(Finding::forbidden(RuleId::GateTampering, wrote("which belongs to the gate"), LEAVE)),
        Zone::AgentSettings => {
            Some(Finding::forbidden(RuleId::GateTampering, wrote("which decides what the agent may do"), LEAVE))
        }
        Zone::Escape => Some(Finding::forbidden(
            RuleId::SandboxEscape,
            wrote("which leads out of the container"),
            "work inside this container",
        )),
        Zone::Device => Some(Finding::forbidden(
            RuleId::MassDeletion,
            wrote("a disk or memory"),
            "write to a file of the work tree",
        )),
        Zone::GitInternals if place.path.ends_with("/.gitmodules") => {
            Some(Finding::questioned(RuleId::SupplyChain, wrote("which brings in other repositories")))
        }
        Zone::GitInternals if place.path.ends_with("/.git/info/exclude") => {
            Some(Finding::questioned(RuleId::Persistence, wrote("which hides files from git")))
        }
        Zone::GitInternals => Some(Finding::forbidden(
            RuleId::Persistence,
            wrote("which git runs or trusts later"),
            "use git commands; keep hooks and settings as they are",
        )),
        Zone::SystemCore => Some(Finding::refused(
            RuleId::Persistence,
            wrote("which decides over accounts, start-up or timers"),
            "keep changes inside the work tree",
        )),
        Zone::Startup => Some(Finding::refused(
            RuleId::Persistence,
            wrote("which takes effect when a program or a shell starts"),
            "set what you need in this call only",
        )),
        Zone::Logs if !empties && !is_trail(&place.path) => {
            Some(Finding::questioned(RuleId::UserBoundary, wrote("outside of the work tree")))
        }
        Zone::Logs => {
            Some(Finding::refused(RuleId::SafetyRegression, wrote("a log of the system"), "leave the logs alone"))
        }
        Zone::HandOff if is_instructions(&place.path) => {
            Some(Finding::questioned(RuleId::InstructionPoisoning, wrote("which later agents obey")))
        }
        Zone::HandOff => {
            Some(Finding::questioned(RuleId::Persistence, wrote("which runs or is obeyed outside of this run")))
        }
        Zone::Home | Zone::System => Some(Finding::questioned(RuleId::UserBoundary, wrote("outside of the work tree"))),
        Zone::Disk if empties => {
            Some(Finding::questioned(RuleId::UserBoundary, wrote("and empties it, outside of the work tree")))
        }
        Zone::Unknown | Zone::Discard | Zone::Worktree | Zone::Tmp | Zone::Cache | Zone::Disk => None,
    }
}

/// Files that agents take orders from.
fn is_instructions(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    crate::weaken::is_instruction_file(&lower) && !lower.ends_with('/')
}

/// Logs that tell who did what.
fn is_trail(path: &str) -> bool {
    const TRAILS: [&str; 16] = [
        "auth", "syslog", "messages", "wtmp", "btmp", "lastlog", "secure", "audit", "journal", "kern", "utmp",
        "xferlog", "maillog", "faillog", "cron", "dpkg",
    ];
    TRAILS.iter().any(|trail| path.rsplit_once("/log/").is_some_and(|(_, name)| name.starts_with(trail)))
        || path.starts_with("/var/audit")
}

fn deleted(place: &Place, recursive: bool, world: &World) -> Option<Finding> {
    // `rm -rf "$X/…"` with an unset X is a deletion of the root.
    let rooted = !place.known
        && recursive
        && place.path.chars().nth(1) == Some(crate::place::HOLE)
        && place.path.chars().nth(2) == Some('/');
    let everything =
        place.known && place.is_critical(world) && (recursive || place.glob || place.path.contains("/.git/"));
    if everything {
        return Some(Finding::forbidden(
            RuleId::MassDeletion,
            format!("deletes {place}, which nothing brings back"),
            NAMED,
        ));
    }
    if rooted {
        return Some(Finding::questioned(RuleId::MassDeletion, "deletes below a path that may be empty"));
    }
    let gone = |what: &str| format!("deletes {place}, {what}");
    if place.path.ends_with("_history") {
        let reason = gone("the shell's record of what was run");
        return Some(Finding::refused(RuleId::SafetyRegression, reason, "leave the history alone"));
    }
    if recursive && holds_work(place, world) {
        let reason = gone("where people keep their work or a server its data");
        return Some(Finding::refused(RuleId::MassDeletion, reason, NAMED));
    }
    match place.zone(world) {
        Zone::Gate | Zone::AgentSettings => {
            Some(Finding::forbidden(RuleId::GateTampering, gone("which belongs to the gate or the agent"), LEAVE))
        }
        Zone::Escape | Zone::Device => {
            Some(Finding::forbidden(RuleId::SandboxEscape, gone("a device or engine interface"), NAMED))
        }
        Zone::Logs => {
            Some(Finding::refused(RuleId::SafetyRegression, gone("a log of the system"), "leave the logs alone"))
        }
        Zone::SystemCore | Zone::Startup => {
            Some(Finding::refused(RuleId::MassDeletion, gone("which the system or the login needs"), NAMED))
        }
        Zone::GitInternals | Zone::HandOff | Zone::Home | Zone::System | Zone::Disk => {
            Some(Finding::questioned(RuleId::MassDeletion, gone("outside of what the task works on")))
        }
        Zone::Worktree if secrecy(place) == Some(Secrecy::Likely) && !world.is_named(place) => {
            Some(Finding::questioned(RuleId::MassDeletion, gone("which git does not keep")))
        }
        Zone::Worktree | Zone::Tmp | Zone::Cache | Zone::Unknown | Zone::Discard => None,
    }
}

/// Directories of a home in which people keep what they made, and of servers in which they keep their data.
fn holds_work(place: &Place, world: &World) -> bool {
    #[rustfmt::skip]
    const WORK: [&str; 14] = [
        "projects", "documents", "desktop", "pictures", "downloads", "music", "videos", "work", "repos", "developer",
        "dev", "code", "src", "backups",
    ];
    let lower = place.path.to_ascii_lowercase();
    let lower = lower.trim_end_matches("/*");
    let in_home = lower
        .strip_prefix(&format!("{}/", world.home.to_ascii_lowercase()))
        .or_else(|| lower.strip_prefix("/root/"))
        .or_else(|| lower.strip_prefix("/home/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest))
        .or_else(|| lower.strip_prefix("/users/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest));
    let is_server_data = lower.strip_prefix("/var/lib/").is_some_and(|rest| {
        [
            "docker",
            "containerd",
            "postgresql",
            "mysql",
            "mongodb",
            "redis",
            "elasticsearch",
            "kubelet",
            "etcd",
            "rancher",
        ]
        .iter()
        .any(|server| crate::place::is_under(rest, server))
    });
    is_server_data || in_home.is_some_and(|rest| WORK.contains(&rest))
}

fn network(to: &Destination, world: &World) -> Option<Finding> {
    if let Destination::Engine(_) = to {
        return Some(Finding::forbidden(RuleId::SandboxEscape, format!("talks to {to}"), "work inside this container"));
    }
    match to {
        Destination::Metadata(_) => Some(Finding::forbidden(
            RuleId::CredentialAccess,
            format!("talks to {to}"),
            "there are no cloud credentials here",
        )),
        Destination::Loopback { port } => world
            .control
            .iter()
            .any(|control| control.rsplit(':').next().and_then(|text| text.parse::<u16>().ok()) == Some(*port))
            .then(|| {
                Finding::forbidden(
                    RuleId::GateTampering,
                    "talks to the gate's own endpoint",
                    "a person answers approvals, not the agent",
                )
            }),
        Destination::Engine(_)
        | Destination::Trusted(_)
        | Destination::Remote(_)
        | Destination::Page(_)
        | Destination::Foreign(_)
        | Destination::Unknown => None,
    }
}
