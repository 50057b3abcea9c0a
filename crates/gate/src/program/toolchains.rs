//! Package managers and tool chains of the other languages, one row each: what the project's files pin may come in.

use super::packages::{is_local, is_reviewable, manifest, new_code, publishes};
use crate::{args::Args, effect::Effect, shell::SimpleCommand, world::World};

/// What the verbs of one program do.
struct Tool {
    names: &'static [&'static str],
    /// The file that says what the project uses.
    manifest: &'static str,
    /// Verbs that do what the project's files say, or only show something.
    project: &'static [&'static str],
    /// Verbs that bring in what the line names; fine when that is exact.
    adds: &'static [&'static str],
    /// Stands between a name and its exact version.
    at: &'static str,
}

#[rustfmt::skip]
const TOOLS: [Tool; 11] = [
    Tool {
        names: &["bundle", "bundler"],
        manifest: "Gemfile",
        project: &[
            "", "install", "exec", "check", "show", "list", "info", "outdated", "config", "env", "platform", "lock",
            "clean", "binstubs", "doctor", "licenses", "version", "help", "cache", "package", "pristine", "console",
        ],
        adds: &["add"],
        at: "@",
    },
    Tool {
        names: &["gem"],
        manifest: "Gemfile",
        project: &[
            "", "list", "search", "info", "build", "env", "environment", "contents", "dependency", "outdated",
            "which", "help", "specification", "check", "query", "stale", "sources", "cleanup",
        ],
        adds: &["install", "i"],
        at: ":",
    },
    Tool {
        names: &["composer"],
        manifest: "composer.json",
        project: &[
            "", "install", "i", "dump-autoload", "dumpautoload", "validate", "show", "info", "outdated",
            "check-platform-reqs", "test", "run-script", "run", "exec", "licenses", "status", "diagnose", "about",
            "why", "depends", "why-not", "prohibits", "audit", "lint", "phpstan", "cs", "cs-fix", "check", "analyse",
            "search", "suggests", "fund", "archive", "clear-cache", "list", "help", "remove", "config", "init",
        ],
        adds: &["require", "req"],
        at: ":",
    },
    Tool {
        names: &["mix"],
        manifest: "mix.exs",
        project: &[
            "", "test", "compile", "format", "deps.get", "deps.compile", "deps", "deps.tree", "credo", "dialyzer",
            "run", "phx.server", "phx.routes", "phx.digest", "docs", "escript.build", "release", "help", "new",
            "phx.new", "xref", "clean", "deps.clean", "local.hex", "local.rebar", "hex.audit", "hex.outdated",
            "sobelow", "coveralls", "cmd", "do", "gettext.extract", "ecto.gen.migration", "phx.gen.schema",
            "loadconfig", "profile.fprof", "assets.build", "assets.deploy", "lint", "check",
        ],
        adds: &[],
        at: "@",
    },
    Tool {
        names: &["cabal", "stack"],
        manifest: "cabal.project",
        project: &[
            "", "build", "test", "bench", "run", "exec", "check", "clean", "configure", "update", "freeze", "repl",
            "haddock", "list", "info", "path", "ls", "setup", "sdist", "gen-bounds", "outdated", "format", "v2-build",
            "v2-test", "ide", "list-bin", "ghci", "ghc", "runghc", "hpc", "init", "new", "query", "dot", "templates",
        ],
        adds: &[],
        at: "-",
    },
    Tool {
        names: &["rustup"],
        manifest: "rust-toolchain.toml",
        project: &[
            "", "show", "toolchain", "target", "component", "update", "default", "override", "install", "run",
            "which", "doc", "check", "completions", "set", "help", "man", "uninstall",
        ],
        adds: &[],
        at: "@",
    },
    Tool {
        names: &[
            "nvm", "fnm", "volta", "pyenv", "rbenv", "nodenv", "goenv", "jenv", "sdk", "n", "asdf", "mise", "rtx",
            "chruby", "rvm", "proto", "corepack",
        ],
        manifest: ".tool-versions",
        project: &[
            "", "ls", "list", "ls-remote", "list-remote", "list-all", "current", "which", "where", "use", "install",
            "local", "global", "shell", "env", "alias", "default", "version", "versions", "rehash", "reshim", "exec",
            "x", "info", "doctor", "help", "latest", "pin", "fetch", "root", "init", "prefix", "shims", "whence",
            "activate", "trust", "tasks", "run", "set", "enable", "disable", "prepare", "cache", "outdated", "prune",
            "settings", "hash", "up", "c", "flush", "home",
        ],
        adds: &[],
        at: "@",
    },
    Tool {
        names: &["luarocks"],
        manifest: "rockspec",
        project: &[
            "", "list", "show", "search", "make", "build", "lint", "test", "path", "config", "help", "doc", "init",
            "which",
        ],
        adds: &["install"],
        at: "@",
    },
    Tool {
        names: &["opam"],
        manifest: "opam",
        project: &[
            "", "list", "show", "info", "search", "env", "exec", "switch", "lint", "config", "var", "update", "pin",
            "init", "clean", "tree", "lock", "help",
        ],
        adds: &["install"],
        at: ".",
    },
    Tool {
        names: &["pod", "carthage"],
        manifest: "Podfile",
        project: &[
            "", "install", "list", "search", "outdated", "lib", "spec", "env", "bootstrap", "ipc", "cache", "help",
        ],
        adds: &[],
        at: "@",
    },
    Tool {
        names: &[
            "nix", "nix-build", "nix-instantiate", "nix-store", "nix-collect-garbage", "nix-channel", "nix-shell",
            "nix-hash", "nix-prefetch-url",
        ],
        manifest: "flake.nix",
        project: &[
            "", "build", "develop", "flake", "eval", "fmt", "run", "log", "store", "path-info", "why-depends", "hash",
            "show-config", "search", "derivation", "repl", "print-dev-env", "help", "--version", "--gc", "-q",
            "--query", "--list", "-d",
        ],
        adds: &[],
        at: "@",
    },
];

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    match name {
        "cpan" | "cpanm" | "nuget" | "paket" | "vcpkg" | "conan" | "spack" | "easy_install" | "jpm" | "bower"
        | "tlmgr" => {
            let verb = command.args().first().map(|word| word.text.as_str()).unwrap_or_default();
            let shows = matches!(
                verb,
                "list"
                    | "search"
                    | "show"
                    | "info"
                    | "sources"
                    | "locals"
                    | "restore"
                    | "--version"
                    | "help"
                    | "profile"
            );
            return Some(if shows { Vec::new() } else { new_code("brings in code or tools from outside") });
        }
        _ => {}
    }
    let tool = TOOLS.iter().find(|tool| tool.names.contains(&name))?;
    let args = Args::parse(
        command.args(),
        &["-v", "--version", "-C", "--jobs", "-j", "--toolchain", "--profile", "-c", "--path"],
    );
    let verb = args.operands.first().map(|word| word.text.as_str()).unwrap_or_default();
    // Cabal's commands of today under the names that they had in between.
    let verb = match verb.strip_prefix("v2-").or_else(|| verb.strip_prefix("new-")) {
        Some(plain) if name == "cabal" => plain,
        Some(_) | None => verb,
    };
    let rest = args.operands.get(1..).unwrap_or_default();
    let project = || vec![manifest(tool.manifest, command, world)];
    let outside = || Some(new_code("brings in code or tools from outside"));
    if matches!(verb, "publish" | "push" | "yank" | "owner" | "hex.publish" | "upload" | "trunk" | "signin")
        && !tool.project.contains(&verb)
    {
        return Some(publishes());
    }
    // Nix takes flakes from anywhere; versions and plugins can be named by a URL.
    let hands_on =
        matches!((name, verb), ("bundle" | "bundler" | "opam" | "stack" | "cabal" | "mise" | "asdf", "exec" | "x"));
    let is_foreign = !hands_on
        && rest.iter().any(|word| {
            let text = word.text.as_str();
            text.contains("://")
                || text.contains("git+")
                || !word.is_known()
                || (text.contains([':', '#'])
                    && !text.starts_with('.')
                    && tool.at == "@"
                    && tool.manifest != "rockspec")
        });
    if is_foreign
        || matches!(
            (name, rest.first().map(|word| word.text.as_str())),
            ("rustup", Some("link")) | ("sdk", Some("self"))
        )
    {
        return outside();
    }
    if name == "nix-shell"
        || args.has(&["--command", "-c", "--run", "-p", "--packages", "--impure", "--expr", "-E", "--plugin"])
            && name.starts_with("nix")
    {
        return Some(vec![Effect::Unverifiable(format!("`{name}` runs what the line names"))]);
    }
    if verb == "run" && command.args().iter().any(|word| matches!(word.text.as_str(), "-e" | "--eval")) {
        return Some(vec![Effect::Unverifiable(format!("`{name}` runs code of the line"))]);
    }
    if tool.project.contains(&verb) {
        return Some(project());
    }
    let exact =
        args.values(&["-v", "--version"]).any(|word| is_reviewable(&format!("x{}{}", tool.at, word.text), tool.at));
    let all_exact = rest.iter().all(|word| {
        is_reviewable(&word.text, tool.at)
            || is_local(&word.text, command, world)
            || (exact && !word.text.contains('/'))
    });
    if tool.adds.contains(&verb) && all_exact {
        return Some(project());
    }
    outside()
}
