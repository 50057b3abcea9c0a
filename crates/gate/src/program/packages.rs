//! Package managers: a locked install is part of building; new code from outside is a decision.

use crate::{
    args::Args,
    effect::{Effect, Finding, Program},
    place::Place,
    shell::SimpleCommand,
    world::World,
};
use types::catalogue::RuleId;

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    let words = command.args();
    let text = |n: usize| words.get(n).map(|word| word.text.as_str()).unwrap_or_default();
    let has = |names: &[&str]| words.iter().any(|word| names.contains(&word.text.as_str()));
    Some(match name {
        "npm" | "pnpm" | "yarn" | "bun" | "cnpm" => node(name, command, world),
        "npx" | "bunx" | "pnpx" | "uvx" | "pipx" => runner(name, command, world),
        "pip" | "pip3" => pip(words.iter().map(|word| word.text.as_str()).collect()),
        "uv" | "poetry" | "pdm" | "pipenv" | "hatch" | "rye" | "conda" | "mamba" | "micromamba" => {
            python(name, command, world)
        }
        "gem" | "bundle" | "bundler" | "composer" | "cpan" | "cpanm" | "luarocks" | "nuget" | "cabal" | "stack"
        | "mix" | "opam" | "nix" | "nix-shell" | "asdf" | "mise" | "rustup" | "nvm" | "volta" | "corepack"
        | "pyenv" | "rbenv" | "sdk" | "fnm" | "pod" => {
            let verb = text(0);
            let frozen = has(&["--frozen", "--deployment", "--local", "--no-update"]);
            match verb {
                "" | "list" | "show" | "info" | "outdated" | "check" | "config" | "env" | "--version" | "-v"
                | "version" | "current" | "which" | "where" | "test" | "format" | "compile" | "build" | "validate"
                | "search" | "lint" | "template" | "help" | "--help" | "toolchain" | "target" | "component"
                    if name != "rustup" || matches!(text(1), "" | "list") || verb == "show" =>
                {
                    Vec::new()
                }
                "publish" | "push" | "yank" | "owner" => publishes(),
                "exec" if name == "bundle" => vec![Effect::Unverifiable("bundle exec runs a program".to_owned())],
                "install" if frozen => Vec::new(),
                _ => new_code("brings in code or tools from outside"),
            }
        }
        "twine" | "flit" | "semantic-release" | "lerna" | "changeset" => {
            if matches!(text(0), "upload" | "publish" | "") { publishes() } else { return None }
        }
        _ => return None,
    })
}

pub(super) fn publishes() -> Vec<Effect> {
    vec![Finding::refused(RuleId::ExternalWrite, "publishes to a registry", "leave publishing to a person").into()]
}

pub(super) fn new_code(reason: &str) -> Vec<Effect> {
    vec![Finding::questioned(RuleId::SupplyChain, reason).into()]
}

/// Programs that only build, test or format with what is installed.
fn is_local_tool(name: &str) -> bool {
    super::build::is_tool(name)
}

pub(super) fn manifest(name: &str, command: &SimpleCommand, world: &World) -> Effect {
    Effect::Executes(Program::Project(Place::resolve(name, false, command.cwd.as_deref(), world)))
}

fn node(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(
        command.args(),
        &[
            "--prefix",
            "-w",
            "--workspace",
            "-C",
            "--dir",
            "--filter",
            "-F",
            "--cwd",
            "--registry",
            "--loglevel",
            "--pack-destination",
        ],
    );
    let verb = args.operands.first().map(|word| word.text.as_str()).unwrap_or_default();
    let named = args.operands.get(1).map(|word| word.text.as_str()).unwrap_or_default();
    let script = manifest("package.json", command, world);
    if args.has(&["--registry", "--script-shell", "--node-options"]) {
        return new_code("takes packages from another registry or runs them with another shell");
    }
    if args.has(&["-g", "--global"]) && verb != "list" && verb != "ls" && verb != "bin" && verb != "root" {
        return new_code("installs a package for every project");
    }
    if args.operands.iter().any(|word| !word.is_known()) {
        return vec![Effect::Unverifiable("part of the command is not known".to_owned())];
    }
    match verb {
        "ci" | "clean-install" => vec![script],
        "install" | "i" | "add"
            if args.operands.len() == 1
                && (name != "yarn" || verb == "install")
                && (args.has(&["--frozen-lockfile", "--immutable", "--offline"])) =>
        {
            vec![script]
        }
        "install" | "i" if args.operands.len() == 1 => vec![script],
        "" if name == "yarn" => vec![script],
        "install" | "i" | "add" => {
            // An exact version of a package that was named is as reviewable as a lock file.
            let exact = |text: &str| {
                text.rsplit_once('@').is_some_and(|(package, version)| {
                    !package.is_empty()
                        && version.chars().all(|c| c.is_ascii_digit() || c == '.')
                        && version.matches('.').count() == 2
                })
            };
            if args.operands[1..].iter().all(|word| {
                exact(&word.text) && !word.text.contains(['/', ':']) || word.text.starts_with('@') && exact(&word.text)
            }) {
                vec![script]
            } else {
                new_code("adds packages whose versions are not pinned")
            }
        }
        "test" | "t" | "tst" | "start" | "stop" | "restart" | "build" | "lint" | "dev" | "typecheck" | "format"
        | "check" | "type-check" | "fmt" | "coverage" => vec![script],
        "run" | "run-script" | "rum" => {
            let lower = named.to_ascii_lowercase();
            if ["deploy", "release", "publish", "push", "prod", "migrate", "seed", "reset"]
                .iter()
                .any(|word| lower.contains(word))
            {
                return vec![
                    script,
                    Finding::questioned(RuleId::ExternalWrite, "runs a script whose name says that it acts outside")
                        .into(),
                ];
            }
            if name == "bun" && (named.contains('/') || named.ends_with(".ts") || named.ends_with(".js")) {
                let file = args.operands[1];
                return vec![Effect::Executes(Program::File(super::place(file, command, world)))];
            }
            vec![script]
        }
        "ls"
        | "list"
        | "ll"
        | "outdated"
        | "view"
        | "info"
        | "show"
        | "why"
        | "explain"
        | "help"
        | "root"
        | "bin"
        | "prefix"
        | "version"
        | "audit"
        | "fund"
        | "pack"
        | "doctor"
        | "ping"
        | "docs"
        | "why-is-node-running"
        | "prune"
        | "dedupe"
        | "licenses"
        | "search"
        | "whoami"
        | "query"
        | "rebuild" => {
            if verb == "audit" && named == "fix" {
                new_code("changes installed versions")
            } else {
                Vec::new()
            }
        }
        "" => Vec::new(),
        "config" if matches!(named, "get" | "list" | "ls" | "") => Vec::new(),
        "publish" | "unpublish" | "deprecate" | "token" | "adduser" => publishes(),
        "owner" | "access" | "dist-tag" | "login" | "logout" | "team" | "org" | "hook" | "profile" => {
            vec![Finding::questioned(RuleId::ExternalWrite, "works on an account of the registry").into()]
        }
        "exec" | "x" | "dlx" | "create" | "init" if named.is_empty() => Vec::new(),
        "exec" | "x" if is_local_tool(named) => vec![manifest("package.json", command, world)],
        "exec" | "x" | "dlx" | "create" | "init" => new_code("runs a package that may not be installed"),
        "uninstall" | "remove" | "rm" | "un" => vec![script],
        "link" | "unlink" | "set" | "pkg" | "config" | "update" | "upgrade" | "up" | "cache" | "store" | "import"
        | "patch" => new_code("changes how or which packages are installed"),
        // yarn, pnpm and bun run scripts and installed tools by their bare name.
        _ if name != "npm" && is_local_tool(verb) => vec![script],
        _ if name == "bun" && (verb.ends_with(".ts") || verb.ends_with(".js")) => {
            vec![Effect::Executes(Program::File(super::place(args.operands[0], command, world)))]
        }
        _ if name != "npm" => {
            vec![
                script,
                Finding::questioned(RuleId::UntrustedCode, "runs a script whose name does not tell what it does")
                    .into(),
            ]
        }
        _ => vec![Effect::Unverifiable(format!("npm {verb} is not known"))],
    }
}

fn runner(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(command.args(), &["-p", "--package", "-c", "--call", "--from", "--with", "--python"]);
    if args.has(&["-c", "--call", "-p", "--package", "--from", "--with"]) {
        return new_code("runs a package that may not be installed");
    }
    let first = command.args().iter().find(|word| !word.text.starts_with('-'));
    let Some(tool) = first else { return Vec::new() };
    if name == "pipx" && matches!(tool.text.as_str(), "list" | "environment") {
        return Vec::new();
    }
    if name != "pipx" && is_local_tool(&tool.text) {
        return vec![manifest("package.json", command, world)];
    }
    new_code("runs a package that may not be installed")
}

fn pip(words: Vec<&str>) -> Vec<Effect> {
    let verb = words.iter().find(|word| !word.starts_with('-')).copied().unwrap_or_default();
    match verb {
        "" | "list" | "show" | "freeze" | "check" | "debug" | "help" | "cache" | "index" | "inspect" => Vec::new(),
        "install" | "download" | "wheel" => {
            let has = |name: &str| words.iter().any(|word| *word == name || word.starts_with(&format!("{name}=")));
            if has("--index-url")
                || has("-i")
                || has("--extra-index-url")
                || has("--trusted-host")
                || has("--find-links")
            {
                return new_code("takes packages from another registry");
            }
            let operands: Vec<&str> = words.iter().filter(|word| !word.starts_with('-')).skip(1).copied().collect();
            if operands.iter().any(|word| word.contains("://") || word.starts_with("git+")) {
                return vec![
                    Finding::refused(
                        RuleId::SupplyChain,
                        "installs code straight from a URL",
                        "install a pinned release from the registry",
                    )
                    .into(),
                ];
            }
            let local = |word: &&str| matches!(*word, "." | "./") || word.starts_with(".[") || word.starts_with("./");
            let pinned = |word: &&str| word.contains("==") || local(word);
            if has("--require-hashes") || (!operands.is_empty() && !has("-r") && operands.iter().all(pinned)) {
                return Vec::new();
            }
            new_code("installs packages that are not pinned")
        }
        "uninstall" => new_code("removes packages"),
        _ => new_code("changes packages"),
    }
}

fn python(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let words = command.args();
    let args = Args::parse(
        words,
        &[
            "--directory",
            "--project",
            "--python",
            "-p",
            "-C",
            "--with",
            "--extra",
            "--group",
            "-n",
            "-e",
            "--env-file",
            "--package",
        ],
    );
    let verb = args.operands.first().map(|word| word.text.as_str()).unwrap_or_default();
    match (name, verb) {
        (_, "run") if args.has(&["--with", "--with-requirements", "--index-url"]) => {
            new_code("runs with packages that are not in the lock file")
        }
        (_, "run") => {
            let at = words.iter().position(|word| word.text == "run").unwrap_or_default() + 1;
            let mut inner = &words[at..];
            while let Some(word) = inner.first().filter(|word| word.text.starts_with('-')) {
                let valued = matches!(
                    word.text.as_str(),
                    "--directory"
                        | "--project"
                        | "--python"
                        | "-p"
                        | "--extra"
                        | "--group"
                        | "-n"
                        | "--env-file"
                        | "--package"
                        | "--cwd"
                );
                inner = inner.get(if valued { 2 } else { 1 }..).unwrap_or_default();
            }
            if inner.is_empty() {
                return Vec::new();
            }
            let mut effects = vec![manifest("pyproject.toml", command, world)];
            if inner.first().is_some_and(|word| word.text.ends_with(".py")) {
                effects.push(Effect::Executes(Program::File(super::place(&inner[0], command, world))));
                return effects;
            }
            effects.extend(super::program(&SimpleCommand { argv: inner.to_vec(), ..command.clone() }, world));
            effects
        }
        ("uv", "pip") => {
            pip(words.iter().skip_while(|word| word.text != "pip").skip(1).map(|word| word.text.as_str()).collect())
        }
        (_, "sync" | "install") if args.operands.len() == 1 && name != "conda" => {
            vec![manifest("pyproject.toml", command, world)]
        }
        (_, "publish" | "upload") => publishes(),
        (
            _,
            "" | "lock" | "tree" | "show" | "check" | "env" | "version" | "list" | "info" | "venv" | "build" | "export"
            | "help" | "fmt" | "format" | "search" | "config" | "shell" | "test" | "python",
        ) => {
            let changes = matches!(verb, "python" | "config" | "env") && args.operands.len() > 2;
            if changes { new_code("changes the Python installation") } else { Vec::new() }
        }
        _ => new_code("brings in packages"),
    }
}
