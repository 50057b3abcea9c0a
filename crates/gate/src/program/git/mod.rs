//! Git: reading and local work is the job; history, remotes and configuration belong to people.

mod config;
mod push;
mod shown;

use super::{place, reads};
use crate::{
    args::Args,
    destination::{Destination, Direction},
    effect::{Effect, Finding},
    shell::{SimpleCommand, Word},
    world::World,
    zone::Zone,
};
use types::catalogue::RuleId;

#[rustfmt::skip]
const READ_ONLY: &[&str] = &[
    "status", "log", "show", "diff", "blame", "annotate", "shortlog", "describe", "rev-parse", "rev-list", "ls-files",
    "ls-tree", "cat-file", "name-rev", "merge-base", "show-ref", "for-each-ref", "symbolic-ref", "count-objects",
    "fsck", "grep", "whatchanged", "cherry", "diff-tree", "diff-index", "diff-files", "range-diff", "var", "version",
    "help", "check-ignore", "check-attr", "verify-commit", "verify-tag", "show-branch", "ls-remote", "check-mailmap",
    "check-ref-format", "column", "diff-pairs", "fmt-merge-msg", "get-tar-commit-id", "merge-tree", "patch-id",
    "rerere", "show-index", "stripspace", "verify-pack", "bugreport", "diagnose", "unpack-file",
    // Helpers that people install beside git and that only count and list.
    "summary", "effort", "authors", "info", "count", "brv", "standup", "missing", "show-tree", "show-merged-branches",
    "show-unmerged-branches", "local-commits", "cliff", "guilt",
];
#[rustfmt::skip]
const LOCAL: &[&str] = &[
    "add", "commit", "mv", "rm", "merge", "rebase", "cherry-pick", "revert", "init", "notes", "apply", "am",
    "format-patch", "mergetool", "archive", "stage", "write-tree", "commit-tree", "hash-object", "read-tree",
    "interpret-trailers", "secrets", "commit-graph", "multi-pack-index", "index-pack", "pack-objects",
    "unpack-objects", "update-index", "update-server-info", "merge-file", "mktag", "mktree", "checkout-index",
    "sparse-checkout", "fast-export", "bundle", "mailinfo", "mailsplit", "prune-packed", "refs", "backfill", "absorb",
];
const COMMIT: &str = "commit on the work tree's branch; the host takes the work out";

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    match name {
        "git" => {}
        "git-secrets" | "gitleaks" | "delta" | "tig" => return Some(Vec::new()),
        "jj" => return Some(jujutsu(command)),
        _ => return None,
    }
    let mut effects = Vec::new();
    let words = command.args();
    let mut i = 0;
    while let Some(word) = words.get(i).filter(|word| word.text.starts_with('-')) {
        match word.text.as_str() {
            "-C" => {
                effects.extend(
                    words
                        .get(i + 1)
                        .filter(|word| !word.is_known())
                        .map(|_| Effect::Unverifiable("git in a directory that is not known".to_owned())),
                );
                i += 1;
            }
            "-c" => {
                effects.extend(words.get(i + 1).and_then(|word| config::config(&word.text)));
                i += 1;
            }
            text if text.starts_with("--git-dir")
                || text.starts_with("--work-tree")
                || text.starts_with("--exec-path=")
                || text.starts_with("--config-env") =>
            {
                effects.push(
                    Finding::questioned(RuleId::GitRemote, "points git at another directory or configuration").into(),
                );
                i += usize::from(!text.contains('='));
            }
            _ => {}
        }
        i += 1;
    }
    let Some(verb) = words.get(i) else { return Some(effects) };
    let rest = &words[i + 1..];
    if !verb.is_known() {
        effects.push(Effect::Unverifiable("which git command runs is not known".to_owned()));
        return Some(effects);
    }
    effects.extend(subcommand(&verb.text, rest, command, world));
    Some(effects)
}

fn questioned(reason: &str) -> Vec<Effect> {
    vec![Finding::questioned(RuleId::GitRemote, reason).into()]
}

fn destroys(reason: &str) -> Vec<Effect> {
    vec![
        Finding::refused(RuleId::MassDeletion, reason, "keep the history; commit on top of it or work on a new branch")
            .into(),
    ]
}

fn subcommand(verb: &str, rest: &[Word], command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(
        rest,
        &[
            "-m",
            "-F",
            "-C",
            "-c",
            "--message",
            "--author",
            "--date",
            "-b",
            "-B",
            "-n",
            "-S",
            "-G",
            "-L",
            "--since",
            "--until",
            "--format",
        ],
    );
    let has = |names: &[&str]| args.has(names);
    let first = args.operands.first().map(|word| word.text.as_str()).unwrap_or_default();
    if has(&["--upload-pack", "--receive-pack", "--exec", "-x"])
        && matches!(verb, "fetch" | "pull" | "clone" | "ls-remote" | "archive" | "rebase")
    {
        return vec![Effect::Unverifiable("git runs a program that the line names".to_owned())];
    }
    if args.operands.iter().any(|word| word.text.starts_with("ext::") || word.text.starts_with("fd::")) {
        return vec![
            Finding::forbidden(
                RuleId::UntrustedCode,
                "fetches through a program that the URL names",
                "use a configured remote",
            )
            .into(),
        ];
    }
    match verb {
        "push" => push::effects(rest, command, world),
        "send-pack" | "http-push" => {
            vec![Finding::refused(RuleId::GitRemote, "pushes to a remote", COMMIT).into()]
        }
        "send-email" | "request-pull" | "credential" | "credential-store" | "credential-cache" => {
            questioned("sends work or credentials outside")
        }
        "ls-remote" | "fetch" | "pull" | "remote-update" => fetch(&args, world),
        "remote" => match first {
            "" | "show" | "get-url" => Vec::new(),
            // A new name sends nothing; what is pushed or merged from it is judged then.
            "add" if args.operands.get(2).is_some_and(|word| world.is_remote(&word.text)) => Vec::new(),
            "add" | "rename" | "remove" | "rm" | "set-head" | "set-branches"
                if !touches_recorded(&args, world) && !has(&["-f", "--fetch", "-t", "-m", "--mirror"]) =>
            {
                questioned("changes the names of the repository's remotes")
            }
            "add" | "set-url" | "rename" | "remove" | "rm" | "set-head" | "set-branches" => {
                vec![
                    Finding::refused(
                        RuleId::GitRemote,
                        "changes the repository's remotes",
                        "use the remotes that are configured",
                    )
                    .into(),
                ]
            }
            "update" | "prune" => Vec::new(),
            _ => questioned("changes remotes"),
        },
        "clone" | "submodule" => clone(verb, &args, world),
        "clean" if has(&["-n", "--dry-run"]) => Vec::new(),
        "clean" => destroys("deletes every untracked file, which nothing can bring back"),
        "reset"
            if has(&["--hard"])
                && matches!(first, "" | "HEAD")
                && args.operands.len() < 2
                && world.asked.discards() =>
        {
            Vec::new()
        }
        "reset" if has(&["--hard"]) => questioned("throws away changes that are not committed"),
        "reset" => Vec::new(),
        "checkout" | "switch" | "restore" => {
            // A named file comes back as some commit has it; where that decides over the agent, it is a change like any other.
            let mut effects = if world.asked.discards() { Vec::new() } else { checkout(verb, rest, &args) };
            effects.extend(super::writes(&args.operands, command, world).into_iter().filter(|effect| {
                matches!(effect, Effect::Writes { place, .. } if matches!(place.zone(world), Zone::AgentSettings | Zone::Gate))
            }));
            effects
        }
        "stash" if matches!(first, "drop" | "clear") => destroys("drops stashed work for good"),
        "bisect" if first == "run" => bisected(rest, command, world),
        "stash" if first == "run" => vec![Effect::Unverifiable("git stash run is not known".to_owned())],
        "stash" | "bisect" => Vec::new(),
        "branch" if has(&["-D"]) || (has(&["-d", "--delete"]) && has(&["-f", "--force"])) => {
            questioned("deletes a branch that may not be merged")
        }
        "branch"
            if has(&["-f", "--force", "-M"]) && args.operands.iter().any(|word| world.is_shared_branch(&word.text)) =>
        {
            questioned("moves a branch that others build on")
        }
        "branch" => Vec::new(),
        "maintenance" if first == "start" => questioned("plans work of git for later"),
        "tag" if has(&["-d", "--delete"]) => questioned("deletes a tag"),
        "tag" => Vec::new(),
        "config" => config::configure(&args, rest),
        "filter-branch" | "filter-repo" | "replace" => destroys("rewrites the history"),
        "reflog" if matches!(first, "expire" | "delete") => destroys("removes the record of earlier commits"),
        "reflog" => Vec::new(),
        "gc" | "prune"
            if has(&["--prune"]) || verb == "prune" || rest.iter().any(|word| word.text.starts_with("--prune")) =>
        {
            destroys("removes commits that nothing refers to")
        }
        "gc" | "repack" | "pack-refs" | "maintenance" => Vec::new(),
        "update-ref" => destroys("moves or deletes references directly"),
        "worktree" if matches!(first, "list" | "prune" | "lock" | "unlock") => Vec::new(),
        "worktree" if matches!(first, "add" | "move" | "remove") && !has(&["-f", "--force"]) => {
            let target: Vec<_> = args.operands.iter().skip(1).take(1).copied().collect();
            super::writes(&target, command, world)
        }
        "lfs"
            if matches!(
                first,
                "ls-files" | "status" | "env" | "pull" | "fetch" | "checkout" | "logs" | "version" | "fsck" | "locks"
            ) =>
        {
            Vec::new()
        }
        "worktree" => questioned("adds or removes another work tree"),
        "commit"
            if has(&["--no-verify"])
                || (has(&["-n"]) && verb == "commit")
                || rest.iter().any(|word| word.text == "-n") =>
        {
            vec![Finding::questioned(RuleId::SafetyRegression, "skips the project's commit checks").into()]
        }
        "grep" if rest.iter().any(|word| word.text.starts_with("-O") || word.text.starts_with("--open")) => {
            vec![Effect::Unverifiable("git grep starts a program".to_owned())]
        }
        _ if READ_ONLY.contains(&verb) => {
            let mut effects = shown::effects(verb, rest, command, world);
            for word in rest.iter().filter(|word| word.text.starts_with("--output=")) {
                let target = Word { text: word.text.trim_start_matches("--output=").to_owned(), ..word.clone() };
                effects.push(Effect::Writes { place: place(&target, command, world), empties: false });
            }
            // Paths outside of the repository are read as plain files.
            let outside: Vec<_> = args
                .operands
                .iter()
                .copied()
                .filter(|word| word.text.starts_with(['/', '~']) || word.text.contains("../"))
                .collect();
            let files = if has(&["--no-index"]) { args.operands.clone() } else { outside };
            effects.extend(reads(
                &files.into_iter().filter(|word| word.text.contains('/')).collect::<Vec<_>>(),
                command,
                world,
            ));
            effects
        }
        _ if LOCAL.contains(&verb) => {
            let mut effects = shown::effects(verb, rest, command, world);
            if matches!(verb, "archive" | "bundle" | "format-patch" | "fast-export") {
                // What it packs is the project's content.
                effects.extend(reads(&[&Word::literal(".")], command, world));
            }
            if verb == "archive" && args.options.iter().any(|(name, _)| name == "--remote") {
                return questioned("reads from another repository");
            }
            if verb == "rm" && first == "." || verb == "rm" && has(&["-r"]) && first == "*" {
                return destroys("deletes the whole work tree");
            }
            if verb == "rm" && !has(&["--cached", "-n", "--dry-run"]) {
                // The history still has them; what is in the work tree goes.
                let gone = args.operands.iter().map(|word| place(word, command, world)).filter(|gone| !gone.glob);
                effects.extend(gone.map(|place| Effect::Deletes { place, recursive: false }));
            }
            if has(&["--no-verify"]) {
                effects.push(Finding::questioned(RuleId::SafetyRegression, "skips the project's checks").into());
            }
            let named = args.options.iter().filter_map(|(_, value)| value.as_ref());
            let outside: Vec<_> =
                args.operands.iter().copied().chain(named).filter(|word| word.text.starts_with(['/', '~'])).collect();
            effects.extend(reads(&outside, command, world));
            if rest.iter().any(|word| word.text.starts_with("--unsafe-paths")) {
                effects.push(Effect::Unverifiable("the patch may change files anywhere".to_owned()));
            }
            effects
        }
        _ => vec![Effect::Unverifiable(format!("git {verb} may be an alias"))],
    }
}

/// True for a change of a remote that was recorded at the start, under whose name work goes out.
fn touches_recorded(args: &Args<'_>, world: &World) -> bool {
    args.operands.get(1).is_none_or(|word| !word.is_known() || world.is_remote(&word.text))
}

/// `git bisect run COMMAND…`: the command runs on each commit.
fn bisected(rest: &[Word], command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let at = rest.iter().position(|word| word.text == "run").map_or(rest.len(), |at| at + 1);
    match rest.get(at..) {
        Some(argv @ [_, ..]) if command.depth < u8::MAX => {
            let inner = SimpleCommand { argv: argv.to_vec(), depth: u8::MAX, ..command.clone() };
            super::program(&inner, world)
        }
        _ => vec![Effect::Unverifiable("bisect runs a program".to_owned())],
    }
}

fn fetch(args: &Args<'_>, world: &World) -> Vec<Effect> {
    match args.operands.first() {
        Some(word) if world.is_remote(&word.text) || !word.text.contains([':', '/']) && word.is_known() => {
            vec![Effect::Network { to: Destination::Remote(word.text.clone()), direction: Direction::Down }]
        }
        Some(word) => vec![Effect::Network { to: Destination::parse(&word.text, world), direction: Direction::Down }],
        None => vec![Effect::Network {
            to: Destination::Remote("the configured remote".to_owned()),
            direction: Direction::Down,
        }],
    }
}

fn clone(verb: &str, args: &Args<'_>, world: &World) -> Vec<Effect> {
    if verb == "submodule" {
        let safe = args.operands.first().is_none_or(|word| matches!(word.text.as_str(), "status" | "summary"));
        return if safe { Vec::new() } else { questioned("brings in other repositories") };
    }
    // The values of options stand among the operands.
    let is_address = |word: &&&Word| word.text.contains([':', '/']) || !word.is_known();
    let Some(url) = args.operands.iter().find(is_address).or(args.operands.first()) else { return Vec::new() };
    if world.is_remote(&url.text) {
        return vec![Effect::Network { to: Destination::Remote(url.text.clone()), direction: Direction::Down }];
    }
    vec![Effect::Network { to: Destination::parse(&url.text, world), direction: Direction::Down }]
}

fn checkout(verb: &str, rest: &[Word], args: &Args<'_>) -> Vec<Effect> {
    let force = args.has(&["-f", "--force", "--discard-changes"]);
    let paths = rest.iter().any(|word| word.text == "--")
        || args.operands.iter().any(|word| word.text == ".")
        || (verb == "restore" && !args.has(&["--staged"]));
    let broad = args
        .operands
        .iter()
        .any(|word| matches!(word.text.as_str(), "." | "*" | ":/") || word.glob || !word.is_known());
    if force || (paths && broad) { questioned("throws away changes that are not committed") } else { Vec::new() }
}

fn jujutsu(command: &SimpleCommand) -> Vec<Effect> {
    let words: Vec<&str> =
        command.args().iter().map(|word| word.text.as_str()).filter(|word| !word.starts_with('-')).collect();
    match words.as_slice() {
        ["git", "push", ..] => questioned("pushes to a remote"),
        ["git", ..] | ["config", "set" | "edit", ..] => questioned("changes remotes or configuration"),
        [
            "log" | "st" | "status" | "diff" | "show" | "new" | "describe" | "desc" | "commit" | "edit" | "bookmark"
            | "op" | "evolog" | "file" | "help" | "version",
            ..,
        ]
        | [] => Vec::new(),
        _ => questioned("changes the history"),
    }
}
