//! npm and its kin: what the lock file pins may come in, scripts of the project may run.

use super::packages::{is_local, is_local_tool, is_reviewable, manifest, new_code, publishes};
use crate::{
    args::Args,
    effect::{Effect, Finding, Program},
    shell::{SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

/// Verbs that only show something, in all of their spellings.
#[rustfmt::skip]
const SHOWS: [&str; 44] = [
    "ls", "list", "ll", "la", "outdated", "view", "info", "show", "v", "why", "explain", "help", "root", "bin",
    "prefix", "audit", "fund", "doctor", "ping", "docs", "licenses", "search", "s", "se", "find", "whoami", "query",
    "stars", "sbom", "repo", "bugs", "issues", "get", "help-search", "diff", "find-dupes", "node", "dir", "pm",
    "workspaces", "versions", "plugin", "constraints", "store",
];
/// Verbs that do what the project's files say.
#[rustfmt::skip]
const PROJECT: [&str; 36] = [
    "ci", "clean-install", "install-clean", "test", "t", "tst", "it", "cit", "start", "stop", "restart", "build",
    "lint", "dev", "typecheck", "format", "check", "type-check", "fmt", "coverage", "version", "pack", "prune",
    "dedupe", "ddp", "rebuild", "rb", "uninstall", "remove", "rm", "un", "r", "unlink", "install-test", "fetch",
    "workspace",
];
/// Words in the name of a script that acts outside of the work tree.
const OUTWARD: [&str; 6] = ["deploy", "release", "publish", "push", "prod", "reset"];

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    #[rustfmt::skip]
    const VALUED: [&str; 14] = [
        "--prefix", "-w", "--workspace", "-C", "--dir", "--filter", "-F", "--cwd", "--registry", "--loglevel",
        "--pack-destination", "--node-options", "--script-shell", "--userconfig",
    ];
    // For pnpm and yarn `-w` means the root of the workspaces and takes no value.
    let valued: Vec<&str> =
        VALUED.into_iter().filter(|option| name == "npm" || !matches!(*option, "-w" | "--workspace")).collect();
    let args = Args::parse(command.args(), &valued);
    let verb = args.operands.first().map(|word| word.text.as_str()).unwrap_or_default();
    let named = args.operands.get(1).map(|word| word.text.as_str()).unwrap_or_default();
    let script = manifest("package.json", command, world);
    let is_shown = SHOWS.contains(&verb) || verb.is_empty();
    if matches!(verb, "config" | "c" | "get" | "token")
        && args.operands.iter().any(|word| {
            let lower = word.text.to_ascii_lowercase();
            lower.contains("_auth") || lower.contains("_password") || lower.contains("authtoken")
        })
    {
        let instead = "work without the credential; the host adds what routes need";
        return vec![Finding::refused(RuleId::CredentialAccess, "reads the credentials of a registry", instead).into()];
    }
    if is_from_address(&args) && (is_add(verb) || matches!(verb, "exec" | "x" | "dlx")) {
        return straight_from_address();
    }
    if args.values(&["--registry"]).any(|word| word.text.starts_with("http:") && !world.is_registry(&word.text)) {
        return elsewhere();
    }
    if matches!(verb, "publish" | "unpublish") && !args.has(&["--dry-run"]) {
        return publishes();
    }
    let from_known = args.values(&["--registry"]).all(|word| world.is_registry(&word.text));
    if (args.has(&["--registry"]) && !from_known
        || args.has(&["--script-shell", "--node-options", "--userconfig", "--ignore-path"]))
        && !is_shown
    {
        return new_code("takes packages from another registry or runs them with another shell");
    }
    if args.operands.iter().any(|word| !word.is_known()) {
        return vec![Effect::Unverifiable("part of the command is not known".to_owned())];
    }
    match verb {
        _ if verb.is_empty() => {
            if name == "yarn" {
                vec![script]
            } else {
                Vec::new()
            }
        }
        "audit" if named == "fix" && !args.has(&["--dry-run"]) => new_code("changes installed versions"),
        _ if SHOWS.contains(&verb) && !matches!(named, "add" | "import" | "link" | "untrusted" | "trust") => Vec::new(),
        _ if is_add(verb) => {
            let global = args.has(&["-g", "--global"]);
            let may_come = |text: &str| is_reviewable(text, "@") || (!global && is_local(text, command, world));
            if args.operands[1..].iter().all(|word| may_come(&word.text)) && !(global && args.operands.len() == 1) {
                vec![script]
            } else {
                new_code("adds packages whose versions are not pinned")
            }
        }
        _ if args.has(&["-g", "--global"]) => new_code("changes packages of every project"),
        // yarn's commands of the registry; `workspace NAME` and `workspaces foreach` hand on what follows.
        "npm" | "workspace" | "workspaces"
            if args
                .operands
                .iter()
                .any(|word| matches!(word.text.as_str(), "publish" | "login" | "logout" | "tag")) =>
        {
            publishes()
        }
        "run" | "run-script" | "rum" | "urn" => run(name, named, &args, command, world),
        _ if PROJECT.contains(&verb) => vec![script],
        "config" | "c" if matches!(named, "get" | "list" | "ls" | "") => Vec::new(),
        "pkg" if matches!(named, "get" | "fix") => vec![script],
        "cache" if matches!(named, "clean" | "verify" | "ls" | "dir" | "list" | "rm") => Vec::new(),
        "org" | "team" | "access" | "owner" | "dist-tag" | "profile" | "token"
            if matches!(named, "ls" | "list" | "get") =>
        {
            Vec::new()
        }
        "publish" if args.has(&["--dry-run"]) => vec![script],
        "publish" | "unpublish" | "deprecate" | "token" | "adduser" => publishes(),
        "owner" | "access" | "dist-tag" | "login" | "logout" | "team" | "org" | "hook" | "profile" | "star"
        | "unstar" => {
            vec![Finding::questioned(RuleId::ExternalWrite, "works on an account of the registry").into()]
        }
        // What is run is read as a command of its own.
        "exec" | "x" if is_local_tool(named.split('@').next().unwrap_or_default()) || named.is_empty() => vec![script],
        "exec" | "x" | "dlx" | "create" | "init" | "innit" if named.is_empty() => vec![script],
        "dlx" if is_tool(named) => vec![script],
        "exec" | "x" | "dlx" | "create" | "init" => new_code("runs a package that may not be installed"),
        "link" | "set" | "pkg" | "config" | "c" | "update" | "upgrade" | "up" | "cache" | "import" | "patch" => {
            new_code("changes how or which packages are installed")
        }
        // yarn, pnpm and bun run scripts and installed tools by their bare name.
        _ if name == "bun" && is_script_file(verb) => {
            vec![Effect::Executes(Program::File(super::place(args.operands[0], command, world)))]
        }
        _ if name != "npm" => run(name, verb, &args, command, world),
        _ => vec![Effect::Unverifiable(format!("npm {verb} is not known"))],
    }
}

fn is_add(verb: &str) -> bool {
    matches!(verb, "install" | "i" | "in" | "add" | "a")
}

/// True when a package is named by an address of its own.
fn is_from_address(args: &Args<'_>) -> bool {
    args.operands.iter().skip(1).any(|word| {
        let text = word
            .text
            .split_once('@')
            .map_or(word.text.as_str(), |(name, rest)| if name.is_empty() { &word.text } else { rest });
        ["http:", "https:", "git+", "git:", "github:", "gitlab:", "bitbucket:", "gist:"]
            .iter()
            .any(|start| text.starts_with(start) || word.text.starts_with(start))
    })
}

fn straight_from_address() -> Vec<Effect> {
    let instead = "install a pinned release from the registry";
    vec![Finding::refused(RuleId::SupplyChain, "installs code straight from a URL", instead).into()]
}

fn elsewhere() -> Vec<Effect> {
    let instead = "take packages from the registry that the project uses";
    vec![
        Finding::refused(
            RuleId::SupplyChain,
            "takes packages from a registry that anyone on the way can change",
            instead,
        )
        .into(),
    ]
}

fn is_script_file(text: &str) -> bool {
    [".ts", ".js", ".mjs", ".cjs", ".tsx", ".mts"].iter().any(|end| text.ends_with(end))
}

/// A tool of the table, with an exact version or none.
fn is_tool(text: &str) -> bool {
    match text.rsplit_once('@') {
        Some((tool, _)) if !tool.is_empty() => is_local_tool(tool) && is_reviewable(text, "@"),
        Some(_) | None => is_local_tool(text),
    }
}

/// A script of the project, by its name.
fn run(name: &str, script: &str, args: &Args<'_>, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let mut effects = vec![manifest("package.json", command, world)];
    let lower = script.to_ascii_lowercase();
    if lower.split([':', '-', '_', '.', '/']).any(|part| matches!(part, "deploy" | "publish")) {
        let instead = "leave it to a person; the host takes the work out";
        effects
            .push(Finding::refused(RuleId::ExternalWrite, "runs a script that deploys or publishes", instead).into());
    } else if OUTWARD.iter().any(|word| lower.contains(word)) {
        let reason = "runs a script whose name says that it acts outside";
        effects.push(Finding::questioned(RuleId::ExternalWrite, reason).into());
    }
    if name == "bun"
        && (script.contains('/') || is_script_file(script))
        && let Some(file) = args.operands.iter().find(|word| word.text == script)
    {
        effects.push(Effect::Executes(Program::File(super::place(file, command, world))));
    }
    effects
}

/// `npx` and its kin. A tool that the table knows comes from the lock file, or is pinned in the line; what the project has
/// installed beyond that is not known here.
pub(super) fn runner(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    const VALUED: [&str; 11] =
        ["-p", "--package", "-c", "--call", "--from", "--spec", "--with", "--python", "--prefix", "-w", "--workspace"];
    // What stands after the tool is the tool's.
    let words = command.args();
    let mut own = 0;
    while let Some(word) = words.get(own).filter(|word| word.text.starts_with('-') && word.text != "--") {
        own += if VALUED.contains(&word.text.as_str()) { 2 } else { 1 };
    }
    let own = words.len().min(own + 1 + usize::from(name == "pipx"));
    let rest: Vec<Word> = words[own..].iter().filter(|word| !word.text.starts_with('-')).cloned().collect();
    let words: Vec<Word> = words[..own].iter().chain(&rest).cloned().collect();
    let args = Args::parse(&words, &VALUED);
    let first = args.operands.first().map(|word| word.text.as_str()).unwrap_or_default();
    let address = |text: &str| text.contains("://") || text.starts_with("github:") || text.starts_with("git+");
    let spec = args.values(&["--from", "--spec", "-p", "--package"]).any(|word| address(&word.text));
    let package = if name == "pipx" { args.operands.get(1) } else { args.operands.first() };
    if spec || package.is_some_and(|word| address(&word.text)) {
        return straight_from_address();
    }
    let shows = args.has(&["--version", "--help"]) && first.is_empty();
    if shows || (name == "pipx" && matches!(first, "list" | "environment" | "run" | "")) && args.operands.len() < 2 {
        return Vec::new();
    }
    if args.has(&["--with", "--from", "--registry"]) {
        return new_code("runs a package that may not be installed");
    }
    if args.values(&["-p", "--package"]).any(|word| !is_reviewable(&word.text, "@") && !is_local_tool(&word.text)) {
        return new_code("runs a package that may not be installed");
    }
    let tool =
        if name == "pipx" && first == "run" { args.operands.get(1).map_or("", |word| &word.text) } else { first };
    const RUNNERS: [&str; 8] = ["tsx", "ts-node", "esno", "jiti", "ts-node-esm", "babel-node", "lerna", "changeset"];
    if RUNNERS.contains(&tool) {
        // What it runs is read as a command of its own.
        return vec![manifest("package.json", command, world)];
    }
    if name == "pipx" && first == "run" && is_reviewable(tool, "==") {
        return vec![manifest("pyproject.toml", command, world)];
    }
    if is_tool(tool) || (name == "uvx" && is_tool(&tool.replace("==", "@"))) || args.has(&["--no-install"]) {
        return vec![manifest("package.json", command, world)];
    }
    if name == "pipx" && first == "install" && args.operands[1..].iter().all(|word| is_reviewable(&word.text, "==")) {
        return Vec::new();
    }
    new_code("runs a package that may not be installed")
}
