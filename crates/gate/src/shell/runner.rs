//! Programs that run another one in an environment of the project: from its lock file, a virtual environment, a tool chain.

use super::{
    command::{SimpleCommand, Word},
    unwrap::Wrapped,
};

/// How a runner is written.
struct Runner {
    name: &'static str,
    /// Words between the name and the inner command; empty when there are none.
    verbs: &'static [&'static str],
    /// Options before the inner command that take a value.
    valued: &'static [&'static str],
    /// What the explanation calls it.
    via: &'static str,
}

const fn runner(
    name: &'static str,
    verbs: &'static [&'static str],
    valued: &'static [&'static str],
    via: &'static str,
) -> Runner {
    Runner { name, verbs, valued, via }
}

#[rustfmt::skip]
const UV: &[&str] = &[
    "--directory", "--project", "--python", "-p", "--extra", "--group", "--only-group", "--no-group", "--env-file",
    "--package", "--with", "--with-requirements", "--with-editable", "--index-url", "--index", "--from", "-w",
];
const NODE: &[&str] = &["--prefix", "-w", "--workspace", "-C", "--dir", "--filter", "-F", "--cwd", "-p", "--package"];

/// Runners of what the project has installed.
const RUNNERS: &[Runner] = &[
    runner("uv", &["run"], UV, "uv run"),
    runner("poetry", &["run"], &["-C", "--directory", "-P", "--project"], "poetry run"),
    runner("pdm", &["run"], &["-p", "--project"], "pdm run"),
    runner("pipenv", &["run"], &[], "pipenv run"),
    runner("hatch", &["run"], &["-e", "--env"], "hatch run"),
    runner("rye", &["run"], &["--pyproject"], "rye run"),
    runner("conda", &["run"], &["-n", "--name", "-p", "--prefix", "--cwd"], "conda run"),
    runner("mamba", &["run"], &["-n", "--name", "-p", "--prefix", "--cwd"], "conda run"),
    runner("micromamba", &["run"], &["-n", "--name", "-p", "--prefix", "--cwd"], "conda run"),
    runner("bundle", &["exec"], &[], "bundle exec"),
    runner("bundler", &["exec"], &[], "bundle exec"),
    runner("npm", &["exec", "x"], NODE, "npm exec"),
    runner("pnpm", &["exec"], NODE, "npm exec"),
    runner("yarn", &["exec"], NODE, "npm exec"),
    runner("bun", &["x"], NODE, "npm exec"),
    runner("npx", &[], NODE, "npm exec"),
    runner("pnpx", &[], NODE, "npm exec"),
    runner("bunx", &[], NODE, "npm exec"),
    runner("opam", &["exec"], &["--switch"], "opam exec"),
    runner("stack", &["exec"], &[], "stack exec"),
    runner("cabal", &["exec"], &[], "cabal exec"),
    runner("mise", &["exec", "x"], &["-C", "--cd"], "mise exec"),
    runner("asdf", &["exec"], &[], "asdf exec"),
    runner("pyenv", &["exec"], &[], "pyenv exec"),
    runner("rbenv", &["exec"], &[], "rbenv exec"),
    runner("rustup", &["run"], &[], "rustup run"),
    runner("volta", &["run"], &["--node", "--npm", "--yarn"], "volta run"),
    runner("corepack", &["npm", "pnpm", "yarn"], &[], "corepack"),
    runner("dotenvx", &["run"], &["-f", "-e", "--env"], "dotenvx run"),
    runner("mix", &["cmd"], &[], "mix cmd"),
    runner("composer", &["exec"], &[], "composer exec"),
    runner("nvm", &["exec"], &[], "nvm exec"),
    runner("tox", &["exec"], &["-e"], "tox exec"),
    runner("nodemon", &[], &["--exec", "-x", "-w", "--watch", "-e", "--ext", "-i"], "nodemon"),
    runner("nix", &["develop", "shell"], &["-f", "--file", "-I"], "nix develop"),
    runner("xcrun", &[], &["--sdk", "--toolchain"], "xcrun"),
];

/// What a runner runs; none when the command is no runner, or runs nothing that the line names.
pub(super) fn open(command: &SimpleCommand) -> Option<Wrapped> {
    let name = command.name();
    let args = command.args();
    let found = RUNNERS.iter().find(|runner| runner.name == name)?;
    let mut i = 0;
    let mut rest = args;
    if !found.verbs.is_empty() {
        // Options of the program itself may stand before the verb.
        while rest.first().is_some_and(|word| word.text.starts_with('-')) {
            let skip = if found.valued.contains(&rest[0].text.as_str()) { 2 } else { 1 };
            rest = rest.get(skip..)?;
            i += skip;
        }
        let verb = rest.first()?;
        if !found.verbs.contains(&verb.text.as_str()) {
            return None;
        }
        i += usize::from(name != "corepack");
        // The tool chain stands before the command.
        i += usize::from(matches!(name.as_str(), "rustup" | "nvm"));
    }
    if found.via == "nix develop" {
        let at = args.iter().position(|word| matches!(word.text.as_str(), "-c" | "--command"))?;
        let inner = args.get(at + 1..).unwrap_or_default().to_vec();
        return (!inner.is_empty()).then_some(Wrapped::Command { inner, keep: true, via: found.via });
    }
    let options: &[&str] = match found.via {
        "npm exec" => &["-c", "--call"],
        "nodemon" => &["--exec", "-x"],
        _ => &[],
    };
    // After the tool, `-c` is an option of the tool.
    let own = args.len() - inner(args.get(i..)?, found.valued).len();
    let own = if found.via == "nodemon" { args.len() } else { own };
    let code = args[..own].iter().position(|word| options.contains(&word.text.as_str()));
    if let Some(code) = code.and_then(|at| args.get(at + 1)) {
        return Some(Wrapped::Code { code: code.clone(), keep: true, via: found.via });
    }
    let inner = inner(args.get(i..)?, found.valued);
    if inner.is_empty() {
        return None;
    }
    // `npx tool@1.2.3` runs `tool`, which the package table judges by its version.
    if found.via == "npm exec" && inner.first().is_some_and(|word| word.text.contains('@')) {
        return None;
    }
    Some(Wrapped::Command { inner, keep: true, via: found.via })
}

fn inner(args: &[Word], valued: &[&str]) -> Vec<Word> {
    let mut i = 0;
    while let Some(word) = args.get(i) {
        match word.text.as_str() {
            "--" => {
                i += 1;
                break;
            }
            text if text.starts_with('-') => i += if valued.contains(&text) { 2 } else { 1 },
            _ => break,
        }
    }
    args.get(i..).unwrap_or_default().to_vec()
}

/// True when a program found through this wrapper comes from the project's own environment.
pub(crate) fn is_environment(via: &str) -> bool {
    RUNNERS.iter().any(|runner| runner.via == via)
        && !matches!(via, "npm exec" | "xcrun" | "corepack" | "dotenvx run" | "mix cmd" | "nodemon" | "nix develop")
}
