//! What needs no question. Everything here is a promise; what is not listed is not safe.

use crate::{
    destination::{Destination, Direction},
    effect::{Effect, Program},
    ledger::Ledger,
    place::Place,
    secret::{Secrecy, glob_matches, secrecy},
    world::World,
    zone::Zone,
};

/// Directories that a build makes again.
#[rustfmt::skip]
pub(crate) const REGENERABLE: [&str; 58] = [
    "target", "node_modules", "dist", "build", "out", "coverage", ".coverage", ".next", ".nuxt", ".turbo", ".cache",
    ".parcel-cache", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".tox", ".nox", ".eggs", "htmlcov",
    ".nyc_output", "storybook-static", "bin", "obj", ".gradle", ".svelte-kit", ".vite", ".venv", "test-results",
    "playwright-report", "tmp", "_build", "_dist", "_site", ".tmp", ".docusaurus", ".dart_tool", ".angular", ".expo",
    ".terraform", ".hypothesis", ".benchmarks", ".ipynb_checkpoints", "dist-newstyle", ".stack-work", "zig-cache",
    ".zig-cache", "zig-out", "cmake-build-debug", "cmake-build-release", "DerivedData", ".bloop", ".metals",
    ".stryker-tmp", "wheelhouse", "ebin", "typings", "builddir",
];
/// Files that a build makes again.
pub(crate) const REGENERABLE_FILES: [&str; 10] =
    ["*.o", "*.pyc", "*.pyo", "*.class", "*.log", "*.tmp", "*.egg-info", "*.tsbuildinfo", "*.profraw", "*.orig"];
/// Files whose loss is data lost.
pub(crate) const DATA: [&str; 8] = ["*.sqlite", "*.sqlite3", "*.db", "*.csv", "*.parquet", "*.sql", "*.dump", "*.bak"];

/// True when the effect needs no question, given that nothing speaks against it.
pub(crate) fn is_safe(effect: &Effect, world: &World, ledger: &Ledger) -> bool {
    match effect {
        Effect::Reads(place) => {
            let is_open = match secrecy(place) {
                None => true,
                Some(Secrecy::Likely) => world.is_named(place),
                Some(Secrecy::Certain) => false,
            };
            place.known && is_open && is_readable(place, world)
        }
        Effect::Writes { place, empties } => match place.zone(world) {
            Zone::Discard => true,
            Zone::Tmp | Zone::Cache => place.known,
            Zone::Disk => place.known && !*empties,
            Zone::Worktree => place.known && !(*empties && is_data(place)),
            Zone::Unknown
            | Zone::Gate
            | Zone::AgentSettings
            | Zone::GitInternals
            | Zone::HandOff
            | Zone::Startup
            | Zone::Home
            | Zone::Escape
            | Zone::Device
            | Zone::SystemCore
            | Zone::Logs
            | Zone::System => false,
        },
        Effect::Deletes { place, recursive } => place.known && is_deletable(place, *recursive, world, ledger),
        Effect::Network { to, direction } => match to {
            Destination::Loopback { .. } | Destination::Remote(_) => true,
            Destination::Trusted(_) | Destination::Page(_) => *direction == Direction::Down,
            Destination::Metadata(_) | Destination::Engine(_) | Destination::Foreign(_) | Destination::Unknown => false,
        },
        Effect::Executes(Program::File(place)) => {
            // Content of this run is judged beside it.
            let is_ours =
                place.zone(world) == Zone::Worktree || (place.zone(world) == Zone::Tmp && ledger.knows(&place.path));
            // One of several files of the tree: fine while the run has touched none that it could be.
            let is_untouched = || ledger.files_below(place.fixed()).next().is_none();
            let is_certain = !place.glob || (!place.path.contains("**") && is_untouched());
            place.known && is_certain && is_ours && !ledger.was_downloaded(place.fixed())
                || is_installed(place, world, ledger)
        }
        Effect::Executes(Program::Project(manifest)) => {
            let is_certain = !manifest.glob || ledger.files_below(manifest.fixed()).next().is_none();
            manifest.known && is_certain && manifest.is_in(&world.worktree) && !ledger.is_unread(&manifest.path)
        }
        Effect::Executes(Program::Stdin) | Effect::Risk(_) | Effect::Unverifiable(_) => false,
    }
}

/// Programs' own directories in a home that hold code, caches and plain settings; of the others nobody knows what they hold.
#[rustfmt::skip]
const OPEN_IN_HOME: [&str; 43] = [
    ".bash", ".zsh", ".profile", ".inputrc", ".vim", ".emacs", ".tmux", ".screenrc", ".gitconfig", ".gitignore",
    ".cargo", ".rustup", ".local/lib", ".local/bin", ".local/share/mise", ".local/share/uv", ".local/share/pnpm", ".local/share/nvim", ".local/pipx", ".nvm", ".pyenv", ".rbenv",
    ".sdkman", ".asdf", ".volta", ".bun", ".deno", ".npm", ".yarn", ".pnpm", ".cache", ".venv", ".virtualenvs",
    ".conda", ".julia", ".stack", ".ghcup", ".opam", ".claude", ".codex", ".gemini", ".editorconfig", ".dotnet",
];

/// True for a hidden file of a home that may be read without a question.
fn is_open_in_home(place: &Place, world: &World) -> bool {
    let path = place.path.as_str();
    let rest = path
        .strip_prefix(&format!("{}/", world.home))
        .or_else(|| path.strip_prefix("/root/"))
        .or_else(|| path.strip_prefix("/home/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest))
        .or_else(|| path.strip_prefix("/Users/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest));
    rest.is_none_or(|rest| {
        !rest.starts_with('.') || rest.contains("**") || OPEN_IN_HOME.iter().any(|open| rest.starts_with(open))
    })
}

/// A program of the image or of an environment that package managers fill, given by its path, which the run did not write.
fn is_installed(place: &Place, world: &World, ledger: &Ledger) -> bool {
    place.known
        && !place.glob
        && crate::program::is_program_dir(place, world)
        && !ledger.was_written(&place.path)
        && !ledger.was_downloaded(&place.path)
}

fn is_readable(place: &Place, world: &World) -> bool {
    match place.zone(world) {
        Zone::Home => is_open_in_home(place, world),
        Zone::Escape => place.path.starts_with("/proc/sys/") || place.path.starts_with("/sys/"),
        Zone::Device | Zone::Unknown => false,
        Zone::Discard
        | Zone::Gate
        | Zone::AgentSettings
        | Zone::GitInternals
        | Zone::HandOff
        | Zone::Worktree
        | Zone::Tmp
        | Zone::Cache
        | Zone::Disk
        | Zone::Startup
        | Zone::SystemCore
        | Zone::Logs
        | Zone::System => true,
    }
}

fn is_deletable(place: &Place, recursive: bool, world: &World, ledger: &Ledger) -> bool {
    match place.zone(world) {
        Zone::Tmp => {
            !place.is_critical(world) && place.path != world.tmp && !(place.glob && parent(place) == world.tmp)
        }
        Zone::Cache => true,
        Zone::Worktree => {
            let regenerable = place.path.split('/').any(|part| REGENERABLE.contains(&part))
                || REGENERABLE_FILES
                    .iter()
                    .any(|pattern| glob_matches(pattern, name(place)) || *pattern == name(place));
            let own = !place.glob && ledger.was_written(&place.path);
            regenerable || own || (!recursive && !place.glob && !is_data(place))
        }
        Zone::Discard
        | Zone::Unknown
        | Zone::Gate
        | Zone::AgentSettings
        | Zone::GitInternals
        | Zone::HandOff
        | Zone::Startup
        | Zone::Disk
        | Zone::Home
        | Zone::Escape
        | Zone::Device
        | Zone::SystemCore
        | Zone::Logs
        | Zone::System => false,
    }
}

/// True for files whose loss is data lost.
pub(super) fn is_data(place: &Place) -> bool {
    DATA.iter().any(|pattern| glob_matches(pattern, name(place)))
}

fn name(place: &Place) -> &str {
    place.path.rsplit('/').next().unwrap_or_default()
}

fn parent(place: &Place) -> &str {
    place.path.rsplit_once('/').map_or("", |(parent, _)| parent)
}
