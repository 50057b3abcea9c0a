//! Compilers, test runners, linters and formatters: the everyday work of an agent.

use super::packages::{manifest, new_code, publishes};
use crate::{
    args::Args,
    effect::{Effect, Program},
    shell::SimpleCommand,
    world::World,
};

/// Tools that build, test, check or format the project with what is installed, and do no more than its files say.
const TOOLS: [&str; 120] = [
    "pytest",
    "py.test",
    "tox",
    "nox",
    "coverage",
    "mypy",
    "ruff",
    "black",
    "isort",
    "flake8",
    "pylint",
    "pyright",
    "basedpyright",
    "bandit",
    "pre-commit",
    "autopep8",
    "pyflakes",
    "pydocstyle",
    "vulture",
    "tsc",
    "eslint",
    "prettier",
    "jest",
    "vitest",
    "mocha",
    "ava",
    "nyc",
    "c8",
    "tap",
    "cypress",
    "playwright",
    "biome",
    "oxlint",
    "stylelint",
    "rollup",
    "webpack",
    "esbuild",
    "vite",
    "next",
    "nuxt",
    "astro",
    "tsup",
    "turbo",
    "nx",
    "parcel",
    "swc",
    "babel",
    "react-scripts",
    "react-app-rewired",
    "svelte-check",
    "vue-tsc",
    "ng",
    "knip",
    "depcheck",
    "madge",
    "typedoc",
    "api-extractor",
    "gulp",
    "grunt",
    "karma",
    "rimraf-check",
    "commitlint",
    "lint-staged",
    "markdownlint",
    "markdownlint-cli2",
    "standard",
    "xo",
    "tslint",
    "jshint",
    "sass",
    "postcss",
    "tailwindcss",
    "storybook",
    "docusaurus",
    "vitepress",
    "mkdocs",
    "sphinx-build",
    "ts-node-check",
    "craco",
    "golangci-lint",
    "gofmt",
    "goimports",
    "gofumpt",
    "staticcheck",
    "govulncheck",
    "gotestsum",
    "rustfmt",
    "clippy-driver",
    "rustc",
    "clang-format",
    "clang-tidy",
    "cppcheck",
    "shellcheck",
    "shfmt",
    "hadolint",
    "yamllint",
    "actionlint",
    "gcc",
    "g++",
    "cc",
    "c++",
    "clang",
    "clang++",
    "ld",
    "ar",
    "as",
    "ranlib",
    "strip",
    "javac",
    "javadoc",
    "kotlinc",
    "ghc",
    "ocamlc",
    "ktlint",
    "checkstyle",
    "scalafmt",
    "swiftlint",
    "swiftformat",
    "protoc",
    "buf",
];

/// True for a tool of the table.
pub(super) fn is_tool(name: &str) -> bool {
    TOOLS.contains(&name)
}

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    let words = command.args();
    let args = Args::parse(words, &["-C", "-f", "-o", "--file", "--directory", "-j"]);
    let verb = args.operands.first().map(|word| word.text.as_str()).unwrap_or_default();
    let has = |names: &[&str]| words.iter().any(|word| names.contains(&word.text.as_str()));
    Some(match name {
        "cargo" => cargo(command, world),
        "go" => go(command, world),
        "make" | "gmake" | "just" | "task" | "ninja" | "rake" | "invoke" => {
            let targets: Vec<&str> = args.operands.iter().map(|word| word.text.as_str()).collect();
            if has(&["--eval", "-f", "--file", "--makefile"])
                || targets.iter().any(|target| target.contains('=') && target.contains("SHELL"))
            {
                return Some(vec![Effect::Unverifiable("make takes its rules from elsewhere".to_owned())]);
            }
            if !args.operands.iter().all(|word| word.is_known()) {
                return Some(vec![Effect::Unverifiable("which target runs is not known".to_owned())]);
            }
            let outward = ["deploy", "release", "publish", "push", "upload", "install", "uninstall", "destroy", "prod"];
            let mut effects = vec![manifest(if name == "just" { "justfile" } else { "Makefile" }, command, world)];
            if targets.iter().any(|target| outward.iter().any(|word| target.contains(word))) {
                effects.extend(new_code("runs a target whose name says that it acts outside the work tree"));
            }
            effects
        }
        "mvn" | "gradle" | "sbt" | "ant" | "bazel" | "bazelisk" | "buck" | "dotnet" | "swift" | "xcodebuild"
        | "msbuild" | "meson" | "cmake" | "ctest" | "zig" | "lein" | "flutter" | "dart" | "gleam" | "elm"
        | "crystal" | "nim" | "mix" => {
            if matches!(verb, "deploy" | "publish" | "release" | "nuget" | "upload")
                || has(&["deploy", "publish", "uploadArchives", "push"])
            {
                return Some(publishes());
            }
            if name == "cmake" && has(&["-P", "-E"])
                || verb == "tool"
                || verb == "add"
                || verb == "install" && name != "mvn"
                || has(&["--install"])
            {
                return Some(new_code("runs or installs something beyond the build"));
            }
            vec![manifest("build files", command, world)]
        }
        _ if is_tool(name) => {
            let loads = has(&["--resolve-plugins-relative-to", "-wrapper", "--to-stdout"])
                || words.iter().any(|word| {
                    word.text.starts_with("-fplugin")
                        || word.text.starts_with("-wrapper")
                        || word.text.starts_with("-specs")
                        || word.text.starts_with("-B/")
                });
            if loads {
                return Some(vec![Effect::Unverifiable("the tool loads code that the line names".to_owned())]);
            }
            if name == "rimraf-check" {
                return None;
            }
            let outputs = Args::parse(words, &["-o"]);
            let mut effects: Vec<Effect> = outputs
                .values(&["-o"])
                .map(|word| Effect::Writes { place: super::place(word, command, world), empties: false })
                .collect();
            let outside: Vec<_> =
                args.operands.iter().copied().filter(|word| word.text.starts_with(['/', '~'])).collect();
            effects.extend(super::reads(&outside, command, world));
            effects.push(manifest("the project's settings", command, world));
            effects
        }
        _ => return None,
    })
}

fn cargo(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let words: Vec<_> = command.args().iter().filter(|word| !word.text.starts_with('+')).cloned().collect();
    let args = Args::parse(
        &words,
        &[
            "-p",
            "--package",
            "--features",
            "-F",
            "--target",
            "--manifest-path",
            "-j",
            "--bin",
            "--example",
            "--test",
            "--config",
            "-Z",
            "--git",
            "--path",
            "--index",
            "--registry",
            "--target-dir",
            "-C",
        ],
    );
    let verb = args.operands.first().map(|word| word.text.as_str()).unwrap_or_default();
    if args.has(&["--config", "-C"]) {
        return vec![Effect::Unverifiable("cargo settings in the line can run programs".to_owned())];
    }
    match verb {
        "" | "build" | "b" | "check" | "c" | "test" | "t" | "bench" | "clippy" | "fmt" | "doc" | "d" | "fix"
        | "nextest" | "metadata" | "tree" | "pkgid" | "locate-project" | "verify-project" | "clean" | "fetch"
        | "generate-lockfile" | "vendor" | "version" | "help" | "llvm-cov" | "audit" | "deny" | "machete" | "udeps"
        | "expand" | "miri" | "hack" | "outdated" | "read-manifest" | "search" | "info" | "insta" | "package"
        | "sort" | "bloat" | "criterion" | "semver-checks" | "modules" | "rustc" | "rustdoc" => {
            vec![manifest("Cargo.toml", command, world)]
        }
        "run" | "r" => vec![manifest("Cargo.toml", command, world)],
        "publish" | "yank" | "owner" | "login" | "logout" | "release" => publishes(),
        "install" if args.values(&["--path"]).next().is_some_and(|word| word.text == ".") => {
            vec![manifest("Cargo.toml", command, world)]
        }
        "install" if args.has(&["--git", "--index"]) => vec![
            crate::effect::Finding::refused(
                types::catalogue::RuleId::SupplyChain,
                "installs code straight from a repository",
                "install a pinned release from the registry",
            )
            .into(),
        ],
        _ => new_code("brings in code from outside"),
    }
}

fn go(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(command.args(), &["-o", "-run", "-C", "-exec", "-toolexec"]);
    let verb = args.operands.first().map(|word| word.text.as_str()).unwrap_or_default();
    let single = |name: &str| {
        command.args().iter().any(|word| word.text.trim_start_matches('-').split('=').next() == Some(name))
    };
    if single("exec") || single("toolexec") || single("overlay") {
        return vec![Effect::Unverifiable("go runs a program that the line names".to_owned())];
    }
    match verb {
        "" | "build" | "test" | "vet" | "fmt" | "list" | "env" | "version" | "doc" | "help" | "clean" | "tool"
        | "generate" | "fix" | "bug" => {
            if verb == "env" && single("w") {
                return new_code("changes go's settings");
            }
            vec![manifest("go.mod", command, world)]
        }
        "mod" | "work" => vec![manifest("go.mod", command, world)],
        "run" => {
            let target = args.operands.get(1);
            if target.is_some_and(|word| word.text.contains('@')) {
                return new_code("runs a module that is not in the project");
            }
            match target {
                Some(word) if word.text.ends_with(".go") => {
                    vec![Effect::Executes(Program::File(super::place(word, command, world)))]
                }
                _ => vec![manifest("go.mod", command, world)],
            }
        }
        _ => new_code("brings in code from outside"),
    }
}
