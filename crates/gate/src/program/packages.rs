//! Package managers: a locked install is part of building; new code from outside is a decision.

use crate::{
    effect::{Effect, Finding, Program},
    place::Place,
    shell::SimpleCommand,
    world::World,
};
use types::catalogue::RuleId;

use super::{node, python, toolchains};

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    let words = command.args();
    let text = |n: usize| words.get(n).map(|word| word.text.as_str()).unwrap_or_default();
    Some(match name {
        "npm" | "pnpm" | "yarn" | "bun" | "cnpm" => node::effects(name, command, world),
        "npx" | "bunx" | "pnpx" | "uvx" | "pipx" => node::runner(name, command, world),
        "pip" | "pip3" => python::pip(words, command, world),
        "uv" | "poetry" | "pdm" | "pipenv" | "hatch" | "rye" | "conda" | "mamba" | "micromamba" => {
            python::effects(name, command, world)
        }
        "twine" | "flit" | "semantic-release" | "lerna" | "changeset" => match (name, text(0)) {
            ("twine", "check") => {
                vec![manifest("pyproject.toml", command, world)]
            }
            ("lerna", "run" | "ls" | "list" | "la" | "changed" | "diff" | "bootstrap" | "link" | "info")
            | ("changeset", "status" | "add" | "version" | "pre") => vec![manifest("package.json", command, world)],
            (_, "upload" | "publish" | "") => publishes(),
            _ => return None,
        },
        _ => return toolchains::effects(name, command, world),
    })
}

/// Package managers of a language: installing one is installing the tool chain, not a dependency.
#[rustfmt::skip]
const FRONT_ENDS: [&str; 20] = [
    "pip", "setuptools", "wheel", "build", "uv", "poetry", "pdm", "pipenv", "pipx", "hatch", "hatchling",
    "virtualenv", "tox", "nox", "npm", "pnpm", "yarn", "corepack", "bundler", "pre-commit",
];

/// True when a package that is named in the line may come in: its version is exact, or it is a package manager itself.
/// `at` stands between name and version.
pub(super) fn is_reviewable(text: &str, at: &str) -> bool {
    let (package, version) = match text.rsplit_once(at) {
        Some((package, version)) if !package.is_empty() => (package, Some(version)),
        Some(_) | None => (text, None),
    };
    let is_front_end = FRONT_ENDS.contains(&package) && !text.contains(['/', ':', crate::place::HOLE]);
    let is_exact = version.is_some_and(|version| {
        let version = version.strip_prefix('v').unwrap_or(version);
        version.starts_with(|c: char| c.is_ascii_digit())
            && version.bytes().all(|b| b.is_ascii_alphanumeric() || b".-+".contains(&b))
            && version.contains('.')
            && !version.contains(".x")
    });
    let is_named = !package.contains(':') && (at == "@v" || !package.contains('/') || package.starts_with('@'));
    is_front_end || (is_exact && is_named)
}

/// True for a path of the work tree, given where a package may stand.
pub(super) fn is_local(text: &str, command: &SimpleCommand, world: &World) -> bool {
    let text = text.strip_prefix("file:").unwrap_or(text);
    let path = text.split('[').next().unwrap_or_default();
    // A bare `a/b` is a repository to some package managers.
    let is_file = [".whl", ".tgz", ".tar.gz"].iter().any(|end| path.ends_with(end)) && !path.contains(':');
    let is_path = path.starts_with(['.', '/']) || is_file;
    is_path && Place::resolve(path, true, command.cwd.as_deref(), world).is_in(&world.worktree)
}

pub(super) fn publishes() -> Vec<Effect> {
    vec![Finding::refused(RuleId::ExternalWrite, "publishes to a registry", "leave publishing to a person").into()]
}

pub(super) fn new_code(reason: &str) -> Vec<Effect> {
    vec![Finding::questioned(RuleId::SupplyChain, reason).into()]
}

/// Programs that only build, test or format with what is installed.
pub(super) fn is_local_tool(name: &str) -> bool {
    super::build_tools::is_tool(name)
}

pub(super) fn manifest(name: &str, command: &SimpleCommand, world: &World) -> Effect {
    Effect::Executes(Program::Project(Place::resolve(name, false, command.cwd.as_deref(), world)))
}
