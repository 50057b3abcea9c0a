//! Python's package managers.

use super::{
    build::is_commit,
    packages::{is_local, is_reviewable, manifest, new_code, publishes},
};
use crate::{
    args::Args,
    effect::{Effect, Finding},
    shell::{SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

pub(super) fn pip(words: &[Word], command: &SimpleCommand, world: &World) -> Vec<Effect> {
    #[rustfmt::skip]
    const VALUED: [&str; 29] = [
        "--no-binary", "--only-binary", "--implementation", "--abi", "--python-version",
        "-r", "--requirement", "-c", "--constraint", "-i", "--index-url", "--extra-index-url", "--trusted-host", "-f",
        "--find-links", "-t", "--target", "--timeout", "--retries", "-e", "--editable", "--group", "--python", "-p",
        "--platform", "--progress-bar", "-d", "--dest", "--root",
    ];
    let args = Args::parse(words, &VALUED);
    let verb = args.operands.first().map(|word| word.text.as_str()).unwrap_or_default();
    match verb {
        "" | "list" | "show" | "freeze" | "check" | "debug" | "help" | "cache" | "index" | "inspect" | "hash"
        | "tree" | "lock" | "compile" => Vec::new(),
        "config" if args.operands.get(1).is_some_and(|word| matches!(word.text.as_str(), "list" | "get" | "debug")) => {
            Vec::new()
        }
        "install" | "download" | "wheel" | "sync" => install(&args, command, world),
        "uninstall" => new_code("removes packages"),
        _ => new_code("changes packages"),
    }
}

fn install(args: &Args<'_>, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let operands: Vec<&Word> = args.operands[1..].iter().copied().chain(args.values(&["-e", "--editable"])).collect();
    let is_pinned = |text: &str| {
        text.contains("git+https://")
            && text.rsplit_once('@').is_some_and(|(_, end)| is_commit(end.split('#').next().unwrap_or_default()))
    };
    let foreign: Vec<&&Word> =
        operands.iter().filter(|word| word.text.contains("://") || word.text.starts_with("git+")).collect();
    if !foreign.is_empty() && foreign.iter().all(|word| is_pinned(&word.text)) {
        return new_code("builds a commit of another repository");
    }
    if !foreign.is_empty() {
        let instead = "install a pinned release from the registry";
        return vec![Finding::refused(RuleId::SupplyChain, "installs code straight from a URL", instead).into()];
    }
    let offline = args.has(&["--no-index"]);
    let mut indexes = args.values(&["-i", "--index-url", "--extra-index-url"]);
    let elsewhere = args.has(&["--trusted-host"])
        || indexes.any(|word| !world.is_registry(&word.text))
        || args
            .values(&["-f", "--find-links"])
            .any(|word| !offline || !is_local(&format!("./{}", word.text), command, world));
    let is_open = args.has(&["--trusted-host"])
        || args
            .values(&["-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-r"])
            .any(|word| word.text.starts_with("http:"))
        || args.values(&["-r", "--requirement", "-c"]).any(|word| word.text.contains("://"));
    if is_open {
        let instead = "take packages from the registry that the project uses";
        let reason = "takes packages from a place that anyone on the way can change";
        return vec![Finding::refused(RuleId::SupplyChain, reason, instead).into()];
    }
    if elsewhere {
        return new_code("takes packages from another registry");
    }
    let requires = args.has(&["-r", "--requirement"]);
    if args.has(&["--require-hashes"]) || (offline && !requires) {
        return vec![manifest("pyproject.toml", command, world)];
    }
    let pinned = operands.iter().all(|word| {
        is_reviewable(&word.text, "==")
            || word.text == "."
            || word.text.starts_with(".[")
            || is_local(&word.text, command, world)
    });
    let grouped = args.has(&["--group"]);
    if pinned && !requires && !grouped && !operands.is_empty() {
        vec![manifest("pyproject.toml", command, world)]
    } else {
        new_code("installs packages that are not pinned")
    }
}

/// Verbs that show, build, or resolve without bringing anything in.
#[rustfmt::skip]
const SHOWS: [&str; 38] = [
    "", "lock", "tree", "show", "check", "env", "version", "list", "info", "venv", "build", "export", "help", "fmt",
    "format", "search", "config", "shell", "test", "python", "about", "debug", "init", "new", "cache", "self", "tool",
    "graph", "verify", "audit", "workspace", "dep", "activate", "deactivate", "clean", "scripts", "outdated", "lint",
];

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    #[rustfmt::skip]
    const VALUED: [&str; 22] = [
        "--directory", "--project", "--python", "-p", "-C", "--with", "--without", "--only", "--extra", "-E",
        "--extras", "--group", "--only-group", "--no-group", "-n", "-e", "--env-file", "--package", "--script",
        "--index-url", "--index", "-G",
    ];
    let words = command.args();
    let args = Args::parse(words, &VALUED);
    let text = |n: usize| args.operands.get(n).map(|word| word.text.as_str()).unwrap_or_default();
    let project = || vec![manifest("pyproject.toml", command, world)];
    let verb = text(0);
    match (name, verb) {
        ("uv", "run") if args.has(&["--with", "--with-requirements", "--with-editable", "--index-url", "--index"]) => {
            new_code("runs with packages that are not in the lock file")
        }
        // What is run is read as a command of its own.
        (_, "run") => project(),
        ("uv", "pip") => {
            let at = words.iter().position(|word| word.text == "pip").unwrap_or_default();
            pip(&words[at + 1..], command, world)
        }
        ("uv" | "poetry" | "pdm" | "rye" | "hatch", "sync" | "install") => project(),
        ("pipenv", "sync" | "install") if args.operands.len() == 1 => project(),
        (_, "publish") if args.has(&["--dry-run"]) => project(),
        (_, "publish" | "upload") => publishes(),
        ("uv", "tool") if text(1) == "run" => super::node::runner("uvx", &beneath(command, "run"), world),
        ("uv", "tool")
            if text(1) == "install" && args.operands[2..].iter().all(|word| is_reviewable(&word.text, "==")) =>
        {
            project()
        }
        ("uv", "tool") if !matches!(text(1), "" | "list" | "dir" | "update-shell") => new_code("installs a tool"),
        // Python itself, from the same place as the tool chain.
        ("uv", "python") if matches!(text(1), "" | "list" | "find" | "dir" | "pin" | "install" | "upgrade") => {
            project()
        }
        ("poetry", "self") if !matches!(text(1), "" | "show" | "lock") => new_code("changes poetry itself"),
        ("poetry" | "pdm" | "pipenv", "init") if args.has(&["--dependency", "--dev-dependency"]) => {
            new_code("brings in packages")
        }
        (_, "config" | "env" | "python" | "self" | "activate")
            if args.operands.len() > 2
                && !matches!(text(1), "list" | "info" | "remove" | "get" | "show" | "activate") =>
        {
            new_code("changes the Python installation")
        }
        ("uv", "cache") => Vec::new(),
        ("uv" | "poetry" | "pdm", "add")
            if args.operands[1..].iter().all(|word| is_local(&word.text, command, world)) =>
        {
            project()
        }
        (_, "remove" | "lock" | "build") if !matches!(name, "conda" | "mamba" | "micromamba") => project(),
        _ if SHOWS.contains(&verb) => Vec::new(),
        _ => new_code("brings in packages"),
    }
}

/// The words after a verb, as a command of their own.
fn beneath(command: &SimpleCommand, verb: &str) -> SimpleCommand {
    let at = command.argv.iter().position(|word| word.text == verb).unwrap_or_default();
    SimpleCommand { argv: command.argv[at..].to_vec(), ..command.clone() }
}
