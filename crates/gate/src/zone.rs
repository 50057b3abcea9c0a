//! What kind of place a path is. Decisions are made on zones, never on the spelling of a path.

use crate::{
    place::{Place, is_under},
    world::World,
};
use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

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
    /// Caches of package managers and tools: they fill themselves again.
    Cache,
    /// The container's own disk outside of the system: directories of the image's own, visible files of the home.
    Disk,
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
        const SCRATCH: [&str; 4] = ["/var/tmp", "/dev/shm", "/private/tmp", "/var/folders"];
        if is_under(fixed, &world.tmp) || SCRATCH.iter().any(|dir| is_under(fixed, dir)) {
            return Zone::Tmp;
        }
        if is_cache(fixed) {
            return Zone::Cache;
        }
        if !self.known {
            return Zone::Unknown;
        }
        if let Some(rest) = fixed.strip_prefix(&world.home).filter(|rest| rest.starts_with('/')) {
            // What begins with a dot steers programs.
            return if rest.starts_with("/.") || rest.ends_with("/bin") || rest.contains("/bin/") {
                Zone::Home
            } else {
                Zone::Disk
            };
        }
        if is_under(fixed, &world.home)
            || is_under(fixed, "/root")
            || is_under(fixed, "/home")
            || is_under(fixed, "/Users")
        {
            return Zone::Home;
        }
        if is_own_disk(fixed) { Zone::Disk } else { Zone::System }
    }
}

/// The zones that are found by name, on the lower-case path: case-folding file systems must not open a side door.
fn special(path: &str, world: &World) -> Option<Zone> {
    #[rustfmt::skip]
    const DISCARD: [&str; 10] = [
        "/dev/null", "/dev/stdout", "/dev/stderr", "/dev/stdin", "/dev/tty", "/dev/zero", "/dev/urandom",
        "/dev/random", "/dev/full", "/dev/ptmx",
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
    #[rustfmt::skip]
    const DISKS: [&str; 11] = [
        "/dev/sd", "/dev/hd", "/dev/vd", "/dev/xvd", "/dev/nvme", "/dev/mmcblk", "/dev/dm-", "/dev/mapper",
        "/dev/disk", "/dev/mem", "/dev/kmem",
    ];
    if DISKS.iter().any(|disk| path.starts_with(disk)) {
        return Some(Zone::Device);
    }
    #[rustfmt::skip]
    const CORE: &[&str] = &[
        "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/sudoers", "/etc/cron", "/etc/systemd",
        "/etc/init", "/etc/rc", "/etc/pam.d", "/etc/ssh", "/etc/ld.so", "/etc/profile", "/etc/bash.bashrc",
        "/etc/update-motd.d", "/etc/udev", "/boot", "/var/spool/cron", "/lib/systemd", "/usr/lib/systemd",
        "/etc/security", "/etc/modules", "/etc/xdg/autostart", "/etc/xinetd", "/etc/inetd", "/etc/anacrontab",
        "/etc/doas.conf", "/etc/polkit", "/etc/networkmanager/dispatcher", "/etc/network/if-", "/var/spool/at",
        "/etc/nsswitch", "/etc/dhcp", "/etc/audit", "/etc/sysctl", "/etc/resolv.conf", "/etc/polkit-1",
        "/lib/udev", "/usr/lib/udev", "/etc/pacman.d/hooks", "/usr/share/initramfs-tools", "/etc/initramfs-tools",
        "/usr/share/polkit-1", "/etc/kernel", "/etc/grub.d", "/etc/default/grub",
        "/etc/x11/xsession", "/etc/logrotate", "/etc/dbus-1", "/etc/modprobe", "/etc/update-motd", "/etc/zsh/",
        "/usr/lib/zypper/commands", "/usr/lib/python3/dist-packages/sitecustomize",
    ];
    let path = inside_mount(path);
    if CORE.iter().any(|core| path.starts_with(core)) || path == "/etc/hosts" || path.starts_with("/etc/environment") {
        return Some(Zone::SystemCore);
    }
    ["/var/log", "/var/audit", "/var/mail", "/var/spool/mail"]
        .iter()
        .any(|dir| is_under(path, dir))
        .then_some(Zone::Logs)
}

/// The path as it is named inside of another root: `/mnt/etc/passwd` is that system's `/etc/passwd`.
fn inside_mount(path: &str) -> &str {
    const MOUNTS: [&str; 9] =
        ["/mnt", "/media", "/host", "/hostfs", "/rootfs", "/sysroot", "/target", "/chroot", "/volumes"];
    if !MOUNTS.iter().any(|mount| is_under(path, mount)) {
        return path;
    }
    ["/etc/", "/boot/", "/var/"].iter().find_map(|dir| path.find(dir)).map_or(path, |at| &path[at..])
}

/// Caches, in any home.
fn is_cache(path: &str) -> bool {
    const SYSTEM: [&str; 4] = ["/var/lib/apt/lists", "/var/cache", "/var/lib/yum", "/var/lib/dnf"];
    #[rustfmt::skip]
    const HOMES: [&str; 12] = [
        "/.cache", "/.npm", "/.yarn", "/.pnpm-store", "/.cargo/registry", "/.cargo/git", "/.gradle/caches",
        "/.m2/repository", "/go/pkg", "/.nuget/packages", "/.bun/install/cache", "/.ccache",
    ];
    let in_home = path.starts_with("/home/")
        || path.starts_with("/root/")
        || path.starts_with("/Users/")
        || path.starts_with("/go/");
    SYSTEM.iter().any(|dir| is_under(path, dir))
        || (in_home && HOMES.iter().any(|dir| path.find(dir).is_some_and(|at| is_under(&path[at..], dir))))
}

/// Directories that no distribution uses, and those it leaves to the image.
fn is_own_disk(path: &str) -> bool {
    const OTHERS: [&str; 24] = [
        "bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "var", "boot", "dev", "proc", "sys", "run",
        "root", "home", "mnt", "media", "host", "hostfs", "rootfs", "sysroot", "volumes", "snap",
    ];
    const LEFT: [&str; 4] = ["/var/www", "/usr/local/share", "/usr/local/src", "/usr/src"];
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    (!first.is_empty() && !first.starts_with('.') && !OTHERS.contains(&first.to_ascii_lowercase().as_str()))
        || LEFT.iter().any(|dir| is_under(path, dir))
}

/// Names of the sockets of container engines.
pub(crate) const SOCKETS: [&str; 5] = ["docker.sock", "containerd.sock", "podman.sock", "crio.sock", "docker_engine"];

fn is_escape(path: &str) -> bool {
    const FILES: [&str; 6] =
        ["/proc/sysrq-trigger", "/proc/kcore", "/proc/sys/kernel", "/proc/sys/vm", "/sys/kernel", "/proc/1/root"];
    let other_root = path.strip_prefix("/proc/").and_then(|rest| rest.split_once('/')).is_some_and(|(pid, rest)| {
        pid.bytes().all(|byte| byte.is_ascii_digit()) && (is_under(rest, "root") || is_under(rest, "ns"))
    });
    other_root
        || SOCKETS.iter().any(|name| path.ends_with(name))
        || FILES.iter().any(|file| is_under(path, file))
        || path.ends_with("/release_agent")
        || path.ends_with("/core_pattern")
        || path.ends_with("/notify_on_release")
}

/// Parts of paths of settings of agents.
#[rustfmt::skip]
static AGENT: LazyLock<Parts> = LazyLock::new(|| Parts::new(&[
    "/.claude.json", "/.claude/settings", "/.claude/hooks", "/.codex/config", "/.codex/hooks",
    "/.gemini/settings", "/.qwen/settings", "/.config/opencode", "/.claude/agents", "/opencode.json",
    "/.opencode/", "/.aider.conf", "/.continue/config", "/.windsurf/", "/.codeium/", "/.roo/mcp", "/.amazonq/",
    "/.kiro/settings", "/.crush.json", "/crush.json", "/.config/goose", "/.goose/", "/.cursor/mcp.json",
    "/.cursor/hooks", "/.cursor/permissions", "/.config/amp", "/.augment/settings", "/.factory/settings",
    "/.sandbox/", "/.vscode/mcp.json",
]));
/// Parts of paths in the work tree that run or are obeyed elsewhere.
#[rustfmt::skip]
static HAND_OFF: LazyLock<Parts> = LazyLock::new(|| Parts::new(&[
    "/.github/copilot", "/.github/instructions", "/.github/codeowners", "/.github/dependabot", "/codeowners",
    "/.gitlab/", "/.windsurfrules", "/.clinerules", "/.roorules", "/.roo/", "/.kiro/", "/.junie/", "/.rules",
    "/.goosehints", "/qwen.md", "/codex.md", "/conventions.md", "/lefthook.yml", "/.zed/", "/.drone.yml",
    "/.github/workflows", "/.github/actions", "/.gitlab-ci.yml", "/.circleci", "/.travis.yml", "/azure-pipelines",
    "/jenkinsfile", "/.vscode", "/.idea", "/.devcontainer", "/.envrc", "/.husky", "/.githooks",
    "/.pre-commit-config", "/.cargo/config", "/claude.md", "/agents.md", "/gemini.md", "/.cursor",
    "/.cursorrules", "/.mcp.json", "/.gitattributes", "/.claude", "/.buildkite",
]));
/// Parts of paths of what runs at login or lets people in.
#[rustfmt::skip]
static STARTUP: LazyLock<Parts> = LazyLock::new(|| Parts::new(&[
    "/.bash_aliases", "/.vimrc", "/.vim/", "/.config/nvim", "/.emacs", "/.tmux.conf", "/.screenrc", "/.psqlrc",
    "/.sqliterc", "/.irbrc", "/.pryrc", "/.gdbinit", "/.lldbinit", "/.ipython/profile", "/.pythonrc", "/.inputrc",
    "/.xinitrc", "/.xprofile", "/.xsession", "/.gradle/init", "/.config/environment.d", "/.rprofile",
    "/sitecustomize.py", "/usercustomize.py", "/.config/gtk", "/.local/share/systemd",
    "/.bashrc", "/.bash_profile", "/.bash_login", "/.bash_logout", "/.profile", "/.zshrc", "/.zprofile",
    "/.zshenv", "/.zlogin", "/.config/autostart", "/.config/systemd", "/.config/fish", "/.ssh", "/.gitconfig",
    "/.config/git", "/.pam_environment",
]));

/// Texts that are looked for in one pass: each place that a call names is held against all of them.
struct Parts(Option<AhoCorasick>);

impl Parts {
    fn new(texts: &[&str]) -> Self {
        Self(AhoCorasick::new(texts).ok())
    }

    /// True when any is in the path, and when nothing could be made to find them.
    fn is_in(&self, path: &str) -> bool {
        self.0.as_ref().is_none_or(|parts| parts.is_match(path))
    }
}

/// Zones decided by a component anywhere in the path.
fn named_component(path: &str, world: &World) -> Option<Zone> {
    let home = world.home.to_ascii_lowercase();
    let in_home = |name: &str| path.strip_prefix(&home).is_some_and(|rest| is_under(rest, name));
    if AGENT.is_in(path) || ["/.claude", "/.codex", "/.gemini"].iter().any(|dir| in_home(dir)) {
        return Some(Zone::AgentSettings);
    }
    let worktree = path.strip_prefix(&world.worktree.to_ascii_lowercase());
    if path.split('/').any(|part| part == ".git" || part == ".gitmodules" || part.starts_with("git~")) {
        return Some(Zone::GitInternals);
    }
    if worktree.is_some() && HAND_OFF.is_in(path) {
        return Some(Zone::HandOff);
    }
    #[rustfmt::skip]
    const HOOKS: [&str; 9] = [
        "pre-commit", "post-commit", "commit-msg", "prepare-commit-msg", "pre-push", "post-checkout", "post-merge",
        "pre-rebase", "pre-receive",
    ];
    if HOOKS.contains(&path.rsplit('/').next().unwrap_or_default()) {
        return Some(Zone::HandOff);
    }
    (worktree.is_none() && STARTUP.is_in(path)).then_some(Zone::Startup)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::{HOLE, has_glob};

    fn at(text: &str) -> Place {
        Place::resolve(text, has_glob(text), Some("/workspace"), &World::default())
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
            ("/etc/X11/Xsession.d/99x", Zone::SystemCore),
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
    fn an_unknown_part_leaves_no_certain_zone() {
        let world = World::default();
        assert_eq!(at(&format!("/{HOLE}/x")).zone(&world), Zone::Unknown);
        assert_eq!(at(&format!("src/{HOLE}/x")).zone(&world), Zone::Worktree);
        assert!(!at(&format!("src/{HOLE}/x")).known);
    }
}
