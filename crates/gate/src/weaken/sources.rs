//! Where packages come from, and what runs when they are installed.

use super::{Change, loses};
use crate::effect::Finding;
use types::catalogue::RuleId;

/// What speaks against the change of the file at this lower-case path.
pub(super) fn findings(path: &str, change: Change<'_>) -> Vec<Finding> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut found = Vec::new();
    let mut supply = |reason: &str| found.push(Finding::questioned(RuleId::SupplyChain, reason));
    if matches!(name, "package.json" | "composer.json")
        && crate::content::LIFECYCLE.iter().any(|hook| change.adds(&[&format!("\"{hook}\"")]))
    {
        supply("adds a script that runs on every install");
    }
    let settings = matches!(
        name,
        ".npmrc"
            | "pip.conf"
            | ".pypirc"
            | ".yarnrc"
            | ".yarnrc.yml"
            | "pip.ini"
            | "bunfig.toml"
            | "nuget.config"
            | "settings.xml"
            | ".condarc"
    ) || path.ends_with("/.cargo/config.toml")
        || path.ends_with("/.bundle/config");
    if settings
        && change.adds(&[
            "registry",
            "index-url",
            "find-links",
            "trusted-host",
            "npmRegistryServer",
            "script-shell",
            "node-options",
            "[source",
            "packageSources",
            "<mirror",
            "channels",
            "BUNDLE_MIRROR",
            "yarnPath",
            "plugins:",
            "strict-ssl",
            "proxy=",
            "git=",
            "shell=",
            "onload-script",
            "preload",
        ])
    {
        supply("changes where packages come from or how they are installed");
    }
    let manifest = matches!(
        name,
        "pyproject.toml" | "pipfile" | "gemfile" | "cargo.toml" | "uv.toml" | "build.gradle" | "pom.xml"
    ) || (name.starts_with("requirements") && name.ends_with(".txt"));
    if manifest
        && change.adds(&[
            "--index-url",
            "--extra-index-url",
            "--trusted-host",
            "[[tool.uv.index]]",
            "[[tool.poetry.source]]",
            "[[source]]",
            "git+http",
            "git = \"http",
            "maven { url",
            "<repository>",
            "source \"http",
        ])
    {
        supply("takes packages from another place than the registry");
    }
    let sources_changed = match name {
        "package.json" => {
            change.adds(&["\": \"git+", "\": \"git:", "\": \"http:", "\": \"https:", "\": \"github:", "\": \"npm:"])
                && dependency_from_elsewhere(change.added)
        }
        "go.mod" => {
            change.added.lines().any(|line| line.contains("=>") && !line.contains("=> .") && !line.contains("=> /"))
        }
        "gemfile" | "podfile" => {
            change.adds(&["git:", "git 'http", ":git =>"])
                || change.added.contains("source ")
                    && hosts(change.added).iter().any(|host| !hosts(change.removed).contains(host))
        }
        "gradle-wrapper.properties" | "maven-wrapper.properties" => change.adds(&["distributionUrl", "wrapperUrl"]),
        "pyproject.toml" => change.adds(&["backend-path", " @ http", " @ git"]),
        ".gitmodules" => change.adds(&["url ="]),
        "setup.cfg" | "setup.py" => change.adds(&["dependency_links", " @ http", " @ git"]),
        _ => {
            name.starts_with("requirements")
                && name.ends_with(".txt")
                && change.adds(&[" @ http", " @ git", "git+", "-f http"])
        }
    };
    if sources_changed {
        supply("takes packages from another place than the registry");
    }
    // A file of settings that names a program makes the next build run it.
    let runs = match name {
        "config.toml" | "config" if path.contains("/.cargo/") => change.adds(&[
            "rustc-wrapper",
            "rustc-workspace-wrapper",
            "runner",
            "linker",
            "credential-provider",
            "credential-process",
        ]),
        "settings.json" if path.contains("/.vscode/") => change.adds(&[
            "autoApprove",
            "allowAutomaticTasks",
            "terminal.integrated.profiles",
            "terminal.integrated.env",
            "defaultInterpreterPath",
            "git.path",
            "eslint.nodePath",
            "executablePath",
        ]),
        _ => path.contains("/apt.conf") && change.adds(&["-Invoke", "Pre-Install-Pkgs"]),
    };
    if runs {
        supply("names a program that tools run by themselves");
    }
    let locked = matches!(
        name,
        "package-lock.json"
            | "yarn.lock"
            | "pnpm-lock.yaml"
            | "cargo.lock"
            | "poetry.lock"
            | "uv.lock"
            | "gemfile.lock"
            | "go.sum"
            | "composer.lock"
            | "bun.lock"
    );
    if locked
        && (hosts(change.added).iter().any(|host| !hosts(change.removed).contains(host))
            || change.adds(&[
                "\"resolved\"",
                "resolved \"",
                "integrity",
                "checksum = ",
                "source = ",
                "hash = ",
                "h1:",
                "tarball:",
            ])
            || loses(change, &["integrity", "checksum", "h1:"]))
    {
        supply("changes a lock file by hand");
    }
    found
}

/// True when a line gives a package by an address instead of a version.
fn dependency_from_elsewhere(text: &str) -> bool {
    text.lines().any(|line| {
        let Some((key, value)) = line.split_once("\": \"") else { return false };
        let key = key.trim_start().trim_start_matches(['{', '"', ' ']);
        #[rustfmt::skip]
        const NO_PACKAGE: [&str; 12] = [
            "homepage", "url", "repository", "bugs", "$schema", "registry", "license", "author", "funding", "email",
            "proxy", "website",
        ];
        let from = ["git+", "git:", "http:", "https:", "github:"].iter().any(|start| value.starts_with(start));
        from && !NO_PACKAGE.contains(&key)
    })
}

/// The hosts of the addresses in a text, at most some.
fn hosts(text: &str) -> Vec<&str> {
    text.match_indices("://")
        .take(64)
        .map(|(at, _)| {
            let rest = &text[at + 3..];
            &rest[..rest.find(|c: char| matches!(c, '/' | '"' | '\'') || c.is_whitespace()).unwrap_or(rest.len())]
        })
        .collect()
}
