//! What is promised, and what each promise rests on with each engine and runtime: one typed table. `sandbox doctor --guarantees`
//! prints it, and the handbook's page is rendered from it.
//!
//! What must stay true: a cell says `enforced` only where a test or the canary shows it; everything short of that says what is
//! missing.

use runtime::{EngineInfo, EngineKind, OciKind, OciRuntime};
use serde::Serialize;

/// How far a promise holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "reason", rename_all = "kebab-case")]
pub enum Held {
    /// By the kernel, the engine or us, and tested.
    Enforced,
    /// With a gap, and which.
    Partial(&'static str),
    /// Not at all, and why.
    NotEnforced(&'static str),
}

/// An engine with a runtime: a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// Docker with runc.
    DockerRunc,
    /// Docker with gVisor.
    DockerGvisor,
    /// Podman's API with runc.
    Podman,
    /// Either engine with crun.
    Crun,
    /// Kata Containers, by the engine's name for it.
    Kata,
}

impl Base {
    /// Every column, in the page's order.
    pub const ALL: [Self; 5] = [Self::DockerRunc, Self::DockerGvisor, Self::Podman, Self::Crun, Self::Kata];

    /// The column of an engine with a runtime; none for a runtime of which nothing is known.
    pub(crate) fn of(info: &EngineInfo, runtime: &OciRuntime) -> Option<Self> {
        match (info.kind, runtime.kind) {
            (_, OciKind::Kata) => Some(Self::Kata),
            (_, OciKind::Crun) => Some(Self::Crun),
            (EngineKind::Docker, OciKind::Runc) => Some(Self::DockerRunc),
            (EngineKind::Docker, OciKind::Gvisor) => Some(Self::DockerGvisor),
            (EngineKind::Podman, OciKind::Runc) => Some(Self::Podman),
            (EngineKind::Podman, OciKind::Gvisor) | (_, OciKind::Other) => None,
        }
    }

    /// Its heading.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DockerRunc => "Docker, runc",
            Self::DockerGvisor => "Docker, runsc",
            Self::Podman => "Podman, runc",
            Self::Crun => "crun (not tested)",
            Self::Kata => "kata (not tested)",
        }
    }
}

/// A promise: a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Guarantee {
    /// Its stable id.
    pub id: &'static str,
    /// The threats that it answers.
    pub threats: &'static str,
    /// What is promised.
    pub promise: &'static str,
    /// What it rests on where it is enforced.
    pub rests_on: &'static str,
    /// How far it holds with runc on Docker, with gVisor, with runc on Podman, and with Kata.
    held: [Held; 4],
}

impl Guarantee {
    /// How far it holds there.
    #[must_use]
    pub fn held(&self, base: Base) -> Held {
        let [docker, gvisor, podman, kata] = self.held;
        match base {
            Base::DockerRunc => docker,
            Base::DockerGvisor => gvisor,
            Base::Podman => podman,
            // It does runc's work on the same kernel; nobody has watched it here.
            Base::Crun => match docker {
                Yes => UNTESTED,
                Part(_) | No(_) => docker,
            },
            Base::Kata => kata,
        }
    }
}

use Held::{Enforced as Yes, NotEnforced as No, Partial as Part};

const UNTESTED: Held = Part("asked of the engine as for runc, seen by the canary, and not tested");
const SHARED_KERNEL: Held = Part(
    "the machine's kernel answers the calls that the filter lets through; a bug in one of them is open to the agent",
);
const MEASURED: Held = Part("measured about once a second, not a quota: some seconds of writing go over");
const STORAGE_PATHS: &str =
    "the mount table names the engine's storage directory and, under cgroup v1, the container's id";

/// The table.
pub const GUARANTEES: &[Guarantee] = &[
    Guarantee {
        id: "one-way-out",
        threats: "N-01 N-22 N-26 N-27 D-01",
        promise: "no network device but loopback; every byte leaves through the channel, where the host decides",
        rests_on: "a network namespace of its own with nothing in it; canary at every start",
        held: [Yes, Yes, Yes, UNTESTED],
    },
    Guarantee {
        id: "host-decides",
        threats: "N-02 N-07 N-19 X-01 X-04",
        promise: "only trusted endpoints are reached, under the name that was asked for",
        rests_on: "the egress on the host",
        held: [Yes, Yes, Yes, Yes],
    },
    Guarantee {
        id: "no-secret-inside",
        threats: "C-01 C-02 C-05 C-09",
        promise: "no key, token, agent socket or variable of the host is inside",
        rests_on: "an environment made from nothing, no bind mounts, credentials added outside; canary",
        held: [Yes, Yes, Yes, Yes],
    },
    Guarantee {
        id: "no-rights",
        threats: "K-02 K-05",
        promise: "no capability, no uid 0, no way to gain either; the root file system is read-only",
        rests_on: "capabilities dropped, no-new-privileges, non-root uids; canary",
        held: [Yes, Yes, Yes, UNTESTED],
    },
    Guarantee {
        id: "system-calls",
        threats: "K-04",
        promise: "dangerous system calls are refused: namespaces, mounts, io_uring, bpf, keys, odd socket families",
        rests_on: "our seccomp profile; canary",
        held: [
            Yes,
            Part(
                "gVisor filters no process that is started in a running container; it has no bpf, io_uring or modules, and namespaces, mounts and keys are its own",
            ),
            Yes,
            UNTESTED,
        ],
    },
    Guarantee {
        id: "kernel",
        threats: "K-03 K-04",
        promise: "a bug in the machine's kernel is not within reach",
        rests_on: "a kernel of the container's own, in user space or in a virtual machine",
        held: [SHARED_KERNEL, Yes, SHARED_KERNEL, UNTESTED],
    },
    Guarantee {
        id: "engine",
        threats: "K-01 N-23",
        promise: "no engine's socket or API is within reach",
        rests_on: "no bind mounts, no network; canary",
        held: [Yes, Yes, Yes, Yes],
    },
    Guarantee {
        id: "known-escapes",
        threats: "K-03",
        promise: "a runtime through which containers are known to get out is refused",
        rests_on: "versions that the engine tells; packages that hold fixes under an older number are named by doctor",
        held: [
            Part("the version is known for the engine's default runtime only"),
            Part("the engine does not tell the version of runsc"),
            Part("the version is known for the engine's default runtime only"),
            Part("the engine does not tell its version"),
        ],
    },
    Guarantee {
        id: "no-fall-back",
        threats: "K-12",
        promise: "a runtime that is missing is an error, never another runtime",
        rests_on: "the engine's list of runtimes; the canary looks for the kernel that the runtime is known for",
        held: [Yes, Yes, Yes, Part("its kernel is Linux as well, so that the canary cannot tell it from runc")],
    },
    Guarantee {
        id: "supervisor",
        threats: "C-01 K-07",
        promise: "the agent can neither signal, trace nor write to PID 1",
        rests_on: "a uid of its own, not dumpable; canary",
        held: [
            Yes,
            Part(
                "PID 1's environment and memory map, which hold nothing, can be read; its memory and descriptors cannot",
            ),
            Yes,
            UNTESTED,
        ],
    },
    Guarantee {
        id: "memory",
        threats: "K-06",
        promise: "memory is limited, and reaching the limit is the run's outcome",
        rests_on: "the control group, without swap; the kernel's count of kills",
        held: [Yes, Part("the limit holds for the container as a whole: reaching it ends all of it"), Yes, UNTESTED],
    },
    Guarantee {
        id: "processes",
        threats: "K-06",
        promise: "processes are limited, and staying at the limit is the run's outcome",
        rests_on: "the control group",
        held: [Yes, Part("the limit is one on gVisor's own threads: reaching it ends the container"), Yes, UNTESTED],
    },
    Guarantee {
        id: "disk",
        threats: "K-06 G-17",
        promise: "the work tree and the home cannot fill the machine's disk, neither with bytes nor with files",
        rests_on: "counting what lies there, with removed files that are still open; what cannot be seen is charged as the disk's loss",
        held: [MEASURED, MEASURED, MEASURED, MEASURED],
    },
    Guarantee {
        id: "temporary-files",
        threats: "K-06",
        promise: "/tmp is limited",
        rests_on: "a file system in memory with a size",
        held: [Yes, Yes, Yes, UNTESTED],
    },
    Guarantee {
        id: "output",
        threats: "K-06",
        promise: "what the agent prints is limited; stdout ends the run, stderr is cut with a mark",
        rests_on: "the host, which stores it; the engine keeps no log",
        held: [Yes, Yes, Yes, Yes],
    },
    Guarantee {
        id: "processor",
        threats: "K-06",
        promise: "processors are limited, and the wall clock ends what spins",
        rests_on: "the control group; the host's clock",
        held: [Yes, Yes, Yes, UNTESTED],
    },
    Guarantee {
        id: "no-core-dumps",
        threats: "C-11",
        promise: "no process leaves a core dump",
        rests_on: "RLIMIT_CORE",
        held: [
            Part("a machine whose core_pattern is a pipe gets cores whatever the limit; they hold no secret"),
            Yes,
            Part("a machine whose core_pattern is a pipe gets cores whatever the limit; they hold no secret"),
            UNTESTED,
        ],
    },
    Guarantee {
        id: "nothing-of-the-machine",
        threats: "K-18",
        promise: "names, serial numbers and paths of the machine cannot be read",
        rests_on: "masked paths, a host name of ours, empty files of names in our image; canary",
        held: [
            Part(STORAGE_PATHS),
            Part("the container's id can be read"),
            Part(
                "as with Docker; without base_hosts_file = \"none\" in containers.conf the names in the machine's /etc/hosts too",
            ),
            UNTESTED,
        ],
    },
    Guarantee {
        id: "nothing-lost",
        threats: "K-08 K-09 K-10",
        promise: "the work is harvested whatever ended the run",
        rests_on: "volumes that outlive the container, effects recorded before they are made",
        held: [Yes, Yes, Yes, UNTESTED],
    },
    Guarantee {
        id: "covert-channels",
        threats: "X-11",
        promise: "timing and the load of shared processors tell nothing",
        rests_on: "",
        held: [
            No("processors and caches are shared"),
            No("processors and caches are shared"),
            No("processors and caches are shared"),
            No("processors and caches are shared"),
        ],
    },
];

/// The table as Markdown: one row for each promise, then the gaps, numbered.
#[must_use]
pub fn page() -> String {
    let mut gaps: Vec<&str> = Vec::new();
    let mut rows = String::new();
    for guarantee in GUARANTEES {
        let cells = Base::ALL.map(|base| cell(guarantee.held(base), &mut gaps));
        let rests_on = if guarantee.rests_on.is_empty() { "–" } else { guarantee.rests_on };
        let Guarantee { id, promise, threats, .. } = guarantee;
        rows += &format!("| `{id}`: {promise} | {threats} | {rests_on} | {} |\n", cells.join(" | "));
    }
    let names = Base::ALL.map(Base::name);
    let columns = [&["guarantee", "threats", "rests on"], names.as_slice()].concat();
    let head = format!("| {} |\n|{}\n", columns.join(" | "), " --- |".repeat(columns.len()));
    let gaps = gaps.iter().enumerate().map(|(n, gap)| format!("{}. {gap}\n", n + 1)).collect::<String>();
    format!("{head}{rows}\n{gaps}")
}

fn cell(held: Held, gaps: &mut Vec<&'static str>) -> String {
    let (word, reason) = match held {
        Held::Enforced => return "enforced".to_owned(),
        Held::Partial(reason) => ("partial", reason),
        Held::NotEnforced(reason) => ("no", reason),
    };
    let known = gaps.iter().position(|gap| *gap == reason);
    let n = known.unwrap_or_else(|| {
        gaps.push(reason);
        gaps.len() - 1
    });
    format!("{word} ({})", n + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_and_what_is_enforced_rests_on_something() {
        let ids: BTreeSet<_> = GUARANTEES.iter().map(|guarantee| guarantee.id).collect();
        assert_eq!(ids.len(), GUARANTEES.len());
        for guarantee in GUARANTEES {
            let is_enforced = Base::ALL.iter().any(|base| guarantee.held(*base) == Held::Enforced);
            assert!(!is_enforced || !guarantee.rests_on.is_empty(), "{}", guarantee.id);
        }
    }

    #[test]
    fn each_line_of_the_table_has_as_many_cells() {
        let page = page();
        let cells = |line: &str| line.matches(" |").count();
        let rows: Vec<_> = page.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), GUARANTEES.len() + 2);
        for row in &rows {
            assert_eq!(cells(row), 3 + Base::ALL.len(), "{row}");
        }
    }

    /// `UPDATE_DOCS=1 cargo nextest run -p engine guarantees` writes the page anew.
    #[test]
    fn the_handbook_holds_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/security.md");
        let text = std::fs::read_to_string(path).expect("docs/security.md");
        let (begin, end) = ("<!-- guarantees: generated -->\n", "<!-- guarantees: end -->");
        let (head, rest) = text.split_once(begin).expect("a begin mark");
        let (_, tail) = rest.split_once(end).expect("an end mark");
        let wanted = format!("{head}{begin}\n{}\n{end}{tail}", page());
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &wanted).expect("write");
        } else {
            assert!(text == wanted, "docs/security.md is out of date: UPDATE_DOCS=1 writes it");
        }
    }
}
