//! Paths, resolved lexically, and the zone each lies in. Decisions are made on zones, never on the spelling of a path.

use crate::world::World;
use std::fmt;
use types::text::printable;

/// Stands in a text for what could not be resolved. A noncharacter, so that no honest input holds it.
pub(crate) const HOLE: char = '\u{fffe}';

/// A path that a call touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Absolute and without `.`, `..` and double slashes; may hold glob characters and unresolved parts.
    pub path: String,
    /// False when some of it could not be resolved.
    pub known: bool,
    /// True when it holds glob characters that the shell would expand.
    pub glob: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.path.replace(HOLE, "…"), 200))
    }
}

/// What kind of place a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    /// Not resolved far enough to tell.
    Unknown,
    /// `/dev/null` and its like.
    Discard,
    /// The gate's own files.
    Gate,
    /// Settings and state of the agent: what they say decides what the agent may do.
    AgentSettings,
    /// Inside a `.git` directory.
    GitInternals,
    /// Runs or is obeyed on the reviewer's side or by the next agent.
    HandOff,
    /// The rest of the work tree.
    Worktree,
    /// Scratch space.
    Tmp,
    /// Home files that run at login, or keys that let people in.
    Startup,
    /// The rest of the home.
    Home,
    /// Kernel and engine interfaces that lead out of the container.
    Escape,
    /// Disks and memory.
    Device,
    /// Accounts, boot, timers and loaders of the system.
    SystemCore,
    /// Logs and audit trails.
    Logs,
    /// The rest of the system.
    System,
}

impl Place {
    /// Resolves `text` against `cwd` (none: unknown), without looking at any disk.
    pub(crate) fn resolve(text: &str, glob: bool, cwd: Option<&str>, world: &World) -> Self {
        if text.starts_with(HOLE) {
            // What is not known may be an absolute path.
            return Self { path: format!("/{text}"), known: false, glob };
        }
        let (base, rest) = if text.starts_with('/') {
            ("", text)
        } else if text == "~" || text.starts_with("~/") {
            (world.home.as_str(), &text[1..])
        } else {
            match cwd {
                Some(cwd) => (cwd, text),
                None => {
                    let path = format!("{HOLE}/{text}");
                    return Self { path, known: false, glob };
                }
            }
        };
        let mut parts: Vec<&str> = Vec::new();
        let mut known = true;
        for part in base.split('/').chain(rest.split('/')) {
            match part {
                "" | "." => {}
                ".." => {
                    // Going up from a part that is not known may lead anywhere.
                    known &= parts.pop().is_none_or(|gone| !(gone.contains(HOLE) || glob && has_glob(gone)));
                }
                other => parts.push(other),
            }
        }
        // /proc/self/root is another name of the root, in any number.
        while parts.len() >= 3 && parts[0] == "proc" && (parts[2] == "root" || parts[2] == "cwd") {
            if parts[2] == "cwd" {
                known = false;
            }
            parts.drain(..3);
        }
        let path = format!("/{}", parts.join("/"));
        known &= !path.contains(HOLE);
        Self { glob: glob && has_glob(&path), path, known }
    }

    /// True for `dir` itself and everything below it.
    pub(crate) fn is_in(&self, dir: &str) -> bool {
        is_under(&self.path, dir)
    }

    /// The part of the path before the first unresolved or globbing component: everything it can name lies below.
    fn fixed(&self) -> &str {
        let mut end = 0;
        for part in self.path.split_inclusive('/') {
            if part.contains(HOLE) || (self.glob && has_glob(part)) {
                break;
            }
            end += part.len();
        }
        self.path[..end].trim_end_matches('/')
    }

    /// The zone of the path. A path with unresolved parts is in a zone only if every completion is.
    pub(crate) fn zone(&self, world: &World) -> Zone {
        let lower = self.path.to_ascii_lowercase();
        if let Some(zone) = special(&lower, world) {
            return zone;
        }
        let fixed = self.fixed();
        if is_under(fixed, &world.worktree) {
            return Zone::Worktree;
        }
        if (is_under(fixed, &world.tmp) || is_under(fixed, "/var/tmp") || is_under(fixed, "/dev/shm"))
            && fixed != "/dev"
        {
            return Zone::Tmp;
        }
        if !self.known {
            return Zone::Unknown;
        }
        if is_under(fixed, &world.home) || is_under(fixed, "/root") || is_under(fixed, "/home") {
            return Zone::Home;
        }
        Zone::System
    }

    /// True when deleting it destroys the system, the home, the whole work tree or its history.
    pub(crate) fn is_critical(&self, world: &World) -> bool {
        let path = self.path.trim_end_matches("/*").trim_end_matches("/.*").trim_end_matches("/**");
        let path = path.trim_end_matches("/{*,.*}").trim_end_matches("/.[!.]*").trim_end_matches("/.??*");
        let everything = path.is_empty() || path == "/";
        let roots = [world.worktree.as_str(), world.home.as_str(), world.tmp.as_str(), "/root", "/home"];
        if everything || (roots.contains(&path) && !(path == world.tmp && self.glob)) {
            return true;
        }
        let own = [world.worktree.as_str(), world.home.as_str(), world.tmp.as_str(), "/var/tmp", "/dev/shm", "/root"];
        if own.iter().any(|dir| is_under(path, dir)) {
            // The history of the work tree, but not of a repository below it.
            return path == format!("{}/.git", world.worktree)
                || self.path.starts_with(&format!("{}/.git/", world.worktree));
        }
        // An ancestor of what we care for, or a directory right below the root.
        let depth = path.split('/').filter(|part| !part.is_empty()).count();
        let ancestor = own.iter().any(|dir| is_under(dir, path));
        let system = ["etc", "usr", "bin", "sbin", "lib", "lib64", "boot", "sys", "proc", "dev", "home"];
        let top = ["var", "opt", "srv", "mnt", "media", "run", "lib32", "libx32", "users", "data", "snap", "*"];
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let optional = ["share/doc", "share/man", "local/"];
        let in_system = system.contains(&first) && !optional.iter().any(|part| path.contains(part));
        ancestor
            || (depth <= 1 && (system.contains(&first) || top.contains(&first) || has_glob(first)))
            || (in_system && (depth <= 2 || first != "usr"))
    }
}

/// True for `dir` itself and everything below it.
pub(crate) fn is_under(path: &str, dir: &str) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// True when `text` holds a character that the shell expands to file names.
pub(crate) fn has_glob(text: &str) -> bool {
    text.contains(['*', '?']) || text.split_once('[').is_some_and(|(_, rest)| rest.contains(']'))
}

/// The zones that are found by name, on the lower-case path: case-folding file systems must not open a side door.
fn special(path: &str, world: &World) -> Option<Zone> {
    const DISCARD: [&str; 10] = [
        "/dev/null",
        "/dev/stdout",
        "/dev/stderr",
        "/dev/stdin",
        "/dev/tty",
        "/dev/zero",
        "/dev/urandom",
        "/dev/random",
        "/dev/full",
        "/dev/ptmx",
    ];
    if DISCARD.contains(&path) || path.starts_with("/dev/fd/") || path.starts_with("/proc/self/fd/") {
        return Some(Zone::Discard);
    }
    const GATE: [&str; 7] = [
        "/run/sandbox",
        "/var/run/sandbox",
        "/opt/sandbox",
        "/etc/claude-code",
        "/etc/codex",
        "/etc/opencode",
        "/etc/gemini-cli",
    ];
    if GATE.iter().any(|dir| is_under(path, dir)) || path.contains("/.config/sandbox") {
        return Some(Zone::Gate);
    }
    if is_escape(path) {
        return Some(Zone::Escape);
    }
    if let Some(zone) = named_component(path, world) {
        return Some(zone);
    }
    const DISKS: [&str; 11] = [
        "/dev/sd",
        "/dev/hd",
        "/dev/vd",
        "/dev/xvd",
        "/dev/nvme",
        "/dev/mmcblk",
        "/dev/dm-",
        "/dev/mapper",
        "/dev/disk",
        "/dev/mem",
        "/dev/kmem",
    ];
    if DISKS.iter().any(|disk| path.starts_with(disk)) {
        return Some(Zone::Device);
    }
    const CORE: [&str; 22] = [
        "/etc/passwd",
        "/etc/shadow",
        "/etc/group",
        "/etc/gshadow",
        "/etc/sudoers",
        "/etc/cron",
        "/etc/systemd",
        "/etc/init",
        "/etc/rc",
        "/etc/pam.d",
        "/etc/ssh",
        "/etc/ld.so",
        "/etc/profile",
        "/etc/bash.bashrc",
        "/etc/update-motd.d",
        "/etc/udev",
        "/boot",
        "/var/spool/cron",
        "/lib/systemd",
        "/usr/lib/systemd",
        "/etc/security",
        "/etc/modules",
    ];
    if CORE.iter().any(|core| path.starts_with(core)) || path == "/etc/hosts" || path.starts_with("/etc/environment") {
        return Some(Zone::SystemCore);
    }
    (is_under(path, "/var/log") || is_under(path, "/var/audit")).then_some(Zone::Logs)
}

fn is_escape(path: &str) -> bool {
    const SOCKETS: [&str; 5] = ["docker.sock", "containerd.sock", "podman.sock", "crio.sock", "docker_engine"];
    const FILES: [&str; 6] =
        ["/proc/sysrq-trigger", "/proc/kcore", "/proc/sys/kernel", "/proc/sys/vm", "/sys/kernel", "/proc/1/root"];
    SOCKETS.iter().any(|name| path.ends_with(name))
        || FILES.iter().any(|file| is_under(path, file))
        || path.ends_with("/release_agent")
        || path.ends_with("/core_pattern")
        || path.ends_with("/notify_on_release")
}

/// Zones decided by a component anywhere in the path.
fn named_component(path: &str, world: &World) -> Option<Zone> {
    const AGENT: [&str; 9] = [
        "/.claude.json",
        "/.claude/settings",
        "/.claude/hooks",
        "/.codex/config",
        "/.codex/hooks",
        "/.gemini/settings",
        "/.qwen/settings",
        "/.config/opencode",
        "/.claude/agents",
    ];
    let home = world.home.to_ascii_lowercase();
    let in_home = |name: &str| path.strip_prefix(&home).is_some_and(|rest| is_under(rest, name));
    if AGENT.iter().any(|part| path.contains(part))
        || ["/.claude", "/.codex", "/.gemini"].iter().any(|dir| in_home(dir))
    {
        return Some(Zone::AgentSettings);
    }
    let worktree = path.strip_prefix(&world.worktree.to_ascii_lowercase());
    if path.split('/').any(|part| part == ".git" || part == ".gitmodules" || part.starts_with("git~")) {
        return Some(Zone::GitInternals);
    }
    const HAND_OFF: [&str; 24] = [
        "/.github/workflows",
        "/.github/actions",
        "/.gitlab-ci.yml",
        "/.circleci",
        "/.travis.yml",
        "/azure-pipelines",
        "/jenkinsfile",
        "/.vscode",
        "/.idea",
        "/.devcontainer",
        "/.envrc",
        "/.husky",
        "/.githooks",
        "/.pre-commit-config",
        "/.cargo/config",
        "/claude.md",
        "/agents.md",
        "/gemini.md",
        "/.cursor",
        "/.cursorrules",
        "/.mcp.json",
        "/.gitattributes",
        "/.claude",
        "/.buildkite",
    ];
    if worktree.is_some() && HAND_OFF.iter().any(|part| path.contains(part)) {
        return Some(Zone::HandOff);
    }
    const HOOKS: [&str; 9] = [
        "pre-commit",
        "post-commit",
        "commit-msg",
        "prepare-commit-msg",
        "pre-push",
        "post-checkout",
        "post-merge",
        "pre-rebase",
        "pre-receive",
    ];
    if HOOKS.contains(&path.rsplit('/').next().unwrap_or_default()) {
        return Some(Zone::HandOff);
    }
    const STARTUP: [&str; 16] = [
        "/.bashrc",
        "/.bash_profile",
        "/.bash_login",
        "/.bash_logout",
        "/.profile",
        "/.zshrc",
        "/.zprofile",
        "/.zshenv",
        "/.zlogin",
        "/.config/autostart",
        "/.config/systemd",
        "/.config/fish",
        "/.ssh",
        "/.gitconfig",
        "/.config/git",
        "/.pam_environment",
    ];
    (worktree.is_none() && STARTUP.iter().any(|part| path.contains(part))).then_some(Zone::Startup)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Place {
        Place::resolve(text, has_glob(text), Some("/workspace"), &World::default())
    }

    #[test]
    fn every_spelling_of_a_path_is_one_path() {
        for text in ["/etc/../etc//passwd", "../etc/passwd", "/proc/self/root/etc/passwd", "./../etc/./passwd"] {
            assert_eq!(at(text).path, "/etc/passwd", "{text}");
        }
        assert_eq!(at("~/x").path, "/home/agent/x");
    }

    #[test]
    fn zones_fold_case_and_see_through_dots() {
        let world = World::default();
        for (text, zone) in [
            ("src/a.rs", Zone::Worktree),
            (".GiT/hooks/x", Zone::GitInternals),
            (".cLauDe/settings.local.json", Zone::AgentSettings),
            ("~/.claude/projects/x.jsonl", Zone::AgentSettings),
            (".GitHub/Workflows/ci.yml", Zone::HandOff),
            ("/tmp/x", Zone::Tmp),
            ("/tmp/../etc/cron.d/x", Zone::SystemCore),
            ("/run/sandbox/gate", Zone::Gate),
            ("/var/run/docker.sock", Zone::Escape),
            ("~/.bashrc", Zone::Startup),
            ("/usr/share/x", Zone::System),
            ("/dev/null", Zone::Discard),
        ] {
            assert_eq!(at(text).zone(&world), zone, "{text}");
        }
    }

    #[test]
    fn critical_paths_and_their_benign_twins() {
        let world = World::default();
        for text in [
            "/",
            "/*",
            "~",
            "~/*",
            ".",
            "*",
            "/workspace/*",
            ".git",
            "/etc",
            "/usr/bin",
            "/var",
            "/home/agent",
            "..",
            "/etc/ssl/x",
        ] {
            assert!(at(text).is_critical(&world), "{text}");
        }
        for text in
            ["target", "/tmp/x", "src/old", "~/.cache/x", "/var/lib/apt/lists/*", "/usr/local/lib/x/y", "/opt/a/b"]
        {
            assert!(!at(text).is_critical(&world), "{text}");
        }
    }

    #[test]
    fn an_unknown_part_leaves_no_certain_zone() {
        let world = World::default();
        assert_eq!(at(&format!("/{HOLE}/x")).zone(&world), Zone::Unknown);
        assert_eq!(at(&format!("src/{HOLE}/x")).zone(&world), Zone::Worktree);
        assert!(!at(&format!("src/{HOLE}/x")).known);
    }
}
