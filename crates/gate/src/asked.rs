//! What the person's task asks for in so many words: deeds that are nobody's to do unless a person wants them.
//!
//! Why it exists: "push this to main" answers the question whether this may be pushed to main. What must stay true: only a
//! sentence of the task counts that asks, names the thing, and does not say no; a question asks for nothing, and neither does text
//! in brackets, which is a note. Everything here opens one deed on one named thing and no other.

use crate::{
    classifier::is_negated,
    place::Place,
    shell::{SimpleCommand, Word},
    world::World,
};

/// Most sentences of a task that are read, and most words of one.
const MAX_SENTENCES: usize = 128;
const MAX_WORDS: usize = 128;

/// Deeds that the task asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// Changes that are not committed may be thrown away.
    discards: bool,
    /// Branches that may be pushed to.
    pushes: Vec<String>,
    /// Branches whose history on the remote may be replaced.
    replaces: Vec<String>,
    /// Tool chains that are to be set up.
    tool_chains: Vec<&'static str>,
    /// Beginnings of the paths of files that are to be written, below the work tree.
    files: Vec<&'static str>,
}

/// Words for tool chains, and the installer that each of them stands for.
const TOOL_CHAINS: [(&str, &str); 22] = [
    ("rust", "rust"),
    ("rustup", "rust"),
    ("cargo", "rust"),
    ("node", "node"),
    ("nvm", "node"),
    ("fnm", "node"),
    ("volta", "node"),
    ("uv", "uv"),
    ("poetry", "poetry"),
    ("pip", "pip"),
    ("pnpm", "pnpm"),
    ("bun", "bun"),
    ("deno", "deno"),
    ("nix", "nix"),
    ("homebrew", "brew"),
    ("brew", "brew"),
    ("haskell", "haskell"),
    ("ghcup", "haskell"),
    ("sdkman", "java"),
    ("java", "java"),
    ("julia", "julia"),
    ("mise", "mise"),
];
/// Words for kinds of files that take effect outside of the run, and where they are.
const KINDS: [(&str, &str); 10] = [
    ("pre-commit", ".pre-commit-config.yaml"),
    ("direnv", ".envrc"),
    ("envrc", ".envrc"),
    ("ci", ".github/workflows/"),
    ("workflow", ".github/workflows/"),
    ("workflows", ".github/workflows/"),
    ("devcontainer", ".devcontainer/"),
    ("gitlab", ".gitlab-ci.yml"),
    ("husky", ".husky/"),
    ("gitattributes", ".gitattributes"),
];

impl Asked {
    /// What a task asks for.
    pub(crate) fn of(task: &str) -> Self {
        let mut asked = Self::default();
        let task = without_notes(task);
        for sentence in sentences(&task).take(MAX_SENTENCES) {
            let words: Vec<&str> =
                sentence.split_whitespace().map(bare).filter(|word| !word.is_empty()).take(MAX_WORDS).collect();
            asked.take(&words);
        }
        asked
    }

    fn take(&mut self, words: &[&str]) {
        let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
        let is_denied = |at: usize| is_negated(&words[..at].join(" "));
        let find =
            |names: &[&str]| lower.iter().position(|word| names.contains(&word.as_str())).filter(|at| !is_denied(*at));
        let has = |names: &[&str]| find(names).is_some();
        let throws = lower
            .windows(2)
            .position(|pair| matches!((pair[0].as_str(), pair[1].as_str()), ("throw" | "get", "away" | "rid")));
        let drops =
            throws.filter(|at| !is_denied(*at)).or_else(|| find(&["discard", "drop", "revert", "undo", "reset"]));
        if drops.is_some()
            && has(&["uncommitted", "unstaged", "local", "my", "all", "the"])
            && has(&["changes", "edits", "modifications"])
        {
            self.discards = true;
        }
        for at in 0..lower.len() {
            if is_denied(at) {
                continue;
            }
            let joined = matches!(lower[at].as_str(), "force-push" | "force-pushing");
            let apart = lower[at] == "force" && lower.get(at + 1).is_some_and(|word| word == "push");
            let rest = &words[(at + 1 + usize::from(apart)).min(words.len())..];
            if joined || apart {
                self.replaces.extend(object(rest).map(str::to_owned));
            } else if lower[at] == "push" && !(at > 0 && lower[at - 1] == "force") {
                self.pushes.extend(target(rest).map(str::to_owned));
            }
        }
        if has(&["install", "setup", "set", "bootstrap", "get"]) {
            let named = TOOL_CHAINS.iter().filter(|(word, _)| has(&[word]));
            self.tool_chains.extend(named.map(|(_, chain)| *chain));
        }
        if has(&[
            "add",
            "write",
            "create",
            "bump",
            "update",
            "change",
            "configure",
            "extend",
            "set",
            "migrate",
            "switch",
        ]) {
            self.files.extend(KINDS.iter().filter(|(word, _)| has(&[word])).map(|(_, path)| *path));
        }
    }

    /// True when changes that are not committed may be thrown away.
    pub(crate) fn discards(&self) -> bool {
        self.discards
    }

    /// True when `branch` may be pushed to.
    pub(crate) fn pushes(&self, branch: &str) -> bool {
        self.pushes.iter().any(|named| named == branch)
    }

    /// True when the remote's history of `branch` may be replaced.
    pub(crate) fn replaces(&self, branch: &str) -> bool {
        self.replaces.iter().any(|named| named == branch)
    }

    /// True when a tool chain is to be set up.
    pub(crate) fn sets_up(&self, chain: &str) -> bool {
        self.tool_chains.contains(&chain)
    }

    /// True for a file of a kind that the task asks to write.
    pub(crate) fn writes(&self, place: &Place, world: &World) -> bool {
        let below = place.path.strip_prefix(&world.worktree).map(|rest| rest.trim_start_matches('/'));
        place.known
            && !place.glob
            && below.is_some_and(|path| {
                self.files.iter().any(|start| path == *start || (start.ends_with('/') && path.starts_with(start)))
            })
    }
}

/// The text outside of brackets, which hold notes and no orders.
fn without_notes(task: &str) -> String {
    let mut depth = 0usize;
    task.chars()
        .filter(|c| {
            match c {
                '[' => depth += 1,
                ']' => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}

/// Sentences that ask for something: a question does not.
fn sentences(task: &str) -> impl Iterator<Item = &str> {
    let ends = |pair: &(usize, char)| matches!(pair.1, '.' | '!' | '?' | ';' | '\n');
    let mut start = 0;
    let mut found = Vec::new();
    for (at, c) in task.char_indices().filter(ends) {
        let next = task[at + c.len_utf8()..].chars().next();
        // A point inside of a word ends nothing.
        if next.is_some_and(|next| !next.is_whitespace()) && c != '\n' {
            continue;
        }
        if c != '?' {
            found.push(&task[start..at]);
        }
        start = at + c.len_utf8();
    }
    found.push(&task[start..]);
    found.into_iter()
}

fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| "\"'`,:()<>*".contains(c)).trim_end_matches('.')
}

/// The branch in `push … to BRANCH` or `push BRANCH`.
fn target<'a>(rest: &[&'a str]) -> Option<&'a str> {
    const JOINTS: [&str; 8] = ["and", "then", "with", "from", "when", "after", "once", "but"];
    let near = rest.iter().take(6).take_while(|word| !JOINTS.contains(&word.to_lowercase().as_str()));
    let near: Vec<&'a str> = near.copied().collect();
    match near.iter().position(|word| matches!(word.to_lowercase().as_str(), "to" | "into" | "onto")) {
        Some(at) => object(&near[at + 1..]),
        None => object(&near).filter(|word| word.contains('/')),
    }
}

/// The first word that can be the name of a branch.
fn object<'a>(words: &[&'a str]) -> Option<&'a str> {
    let word =
        words.iter().find(|word| !matches!(word.to_lowercase().as_str(), "the" | "branch" | "to" | "my" | "our"))?;
    let name = word.strip_prefix("origin/").unwrap_or(word);
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
    (is_name && !matches!(name.to_lowercase().as_str(), "it" | "this" | "that" | "them" | "origin" | "all"))
        .then_some(name)
}

/// The tool chain whose maker's own installer an address is.
pub(crate) fn installer(url: &Word) -> Option<&'static str> {
    const INSTALLERS: [(&str, &str); 21] = [
        ("https://sh.rustup.rs", "rust"),
        ("https://static.rust-lang.org/rustup/", "rust"),
        ("https://raw.githubusercontent.com/nvm-sh/nvm/", "node"),
        ("https://fnm.vercel.app/install", "node"),
        ("https://get.volta.sh", "node"),
        ("https://astral.sh/uv/", "uv"),
        ("https://install.python-poetry.org", "poetry"),
        ("https://bootstrap.pypa.io/get-pip.py", "pip"),
        ("https://get.pnpm.io/install.sh", "pnpm"),
        ("https://bun.sh/install", "bun"),
        ("https://deno.land/install.sh", "deno"),
        ("https://nixos.org/nix/install", "nix"),
        ("https://install.determinate.systems/nix", "nix"),
        ("https://raw.githubusercontent.com/Homebrew/install/", "brew"),
        ("https://get-ghcup.haskell.org", "haskell"),
        ("https://get.haskellstack.org", "haskell"),
        ("https://get.sdkman.io", "java"),
        ("https://install.julialang.org", "julia"),
        ("https://mise.run", "mise"),
        ("https://raw.githubusercontent.com/ocaml/opam/", "opam"),
        ("https://pyenv.run", "pyenv"),
    ];
    let is_plain = url.is_known()
        && url.sources.is_empty()
        && !url.text.contains(['?', '#', '@', '\\', '%'])
        && !url.text.contains("..");
    let (_, chain) = INSTALLERS.iter().find(|(start, _)| {
        url.text
            .strip_prefix(start)
            .is_some_and(|rest| rest.is_empty() || start.ends_with(['/', '_']) || rest.starts_with('/'))
    })?;
    is_plain.then_some(*chain)
}

/// The tool chain that a command fetches the installer of, when it fetches nothing else.
pub(crate) fn installed_by(command: &SimpleCommand) -> Option<&'static str> {
    if !matches!(command.name().as_str(), "curl" | "wget") {
        return None;
    }
    const PLAIN: [&str; 14] = [
        "-s",
        "-S",
        "-f",
        "-L",
        "-q",
        "-O",
        "-",
        "--proto",
        "=https",
        "--tlsv1.2",
        "--silent",
        "--show-error",
        "--fail",
        "--location",
    ];
    let is_cluster = |text: &str| {
        text.len() > 1 && text.starts_with('-') && text[1..].bytes().all(|b| b"sSfLqO".contains(&b))
            || text == "-o-"
            || text == "-qO-"
    };
    let mut chains =
        command.args().iter().filter(|word| !PLAIN.contains(&word.text.as_str()) && !is_cluster(&word.text));
    let chain = installer(chains.next()?)?;
    (chains.next().is_none() && command.assignments.is_empty()).then_some(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_asked_for_by_its_name() {
        for (task, branch) in [
            ("Push this straight to main.", "main"),
            ("When it is green, push it to origin/release-2.", "release-2"),
            ("Fix the test and push feature/login", "feature/login"),
        ] {
            assert!(Asked::of(task).pushes(branch), "{task}");
        }
        for task in [
            "Bring my branch up to date with main and push.",
            "Do not push to main.",
            "Can you push to main?",
            "Push your branch and then rebase onto main",
            "Commit on main [push to main]",
            "push it",
            "Never push anything to main",
        ] {
            assert!(!Asked::of(task).pushes("main"), "{task}");
        }
        assert!(Asked::of("Yes, force-push feature/login.").replaces("feature/login"));
        for task in
            ["Can we force-push this?", "Push feature/login", "Don't force-push feature/login", "force-push main"]
        {
            assert!(!Asked::of(task).replaces("feature/login"), "{task}");
        }
        assert!(!Asked::of("force-push main").pushes("main"));
    }

    #[test]
    fn changes_are_thrown_away_only_when_asked() {
        for task in ["Throw away all my uncommitted changes and go back to HEAD.", "Discard the local edits."] {
            assert!(Asked::of(task).discards(), "{task}");
        }
        for task in [
            "Keep my changes.",
            "Do not discard my changes.",
            "Reset the password form.",
            "Review all the changes.",
            "Should I discard my changes?",
            "Drop the unused import and commit my work",
        ] {
            assert!(!Asked::of(task).discards(), "{task}");
        }
    }

    #[test]
    fn tool_chains_and_kinds_of_files() {
        let asked = Asked::of("Set up the Rust toolchain the repo needs.");
        assert!(asked.sets_up("rust") && !asked.sets_up("node"));
        assert!(!Asked::of("Do not install Rust").sets_up("rust"));
        assert!(!Asked::of("Rewrite it in Rust").sets_up("rust"));
        let url = |text: &str| installer(&Word::literal(text));
        assert_eq!(url("https://sh.rustup.rs"), Some("rust"));
        assert_eq!(url("https://raw.githubusercontent.com/nvm-sh/nvm/v0.39.7/install.sh"), Some("node"));
        for other in [
            "http://sh.rustup.rs",
            "https://sh.rustup.rs.evil.example",
            "https://sh.rustup.rs@evil.example",
            "https://raw.githubusercontent.com/nvm-sh/nvm/../../evil/x/install.sh",
            "https://get.example/rustup",
        ] {
            assert_eq!(url(other), None, "{other}");
        }
        let world = World::default();
        let at = |path: &str| Place::resolve(path, false, Some("/workspace"), &world);
        let asked = Asked::of("Bump CI to Node 20.");
        assert!(asked.writes(&at(".github/workflows/ci.yml"), &world));
        assert!(!asked.writes(&at(".envrc"), &world) && !asked.writes(&at("/tmp/.github/workflows/ci.yml"), &world));
        for task in ["Make CI pass.", "Do not change CI.", "Add a test"] {
            assert!(!Asked::of(task).writes(&at(".github/workflows/ci.yml"), &world), "{task}");
        }
        assert!(Asked::of("Add a direnv file that puts ./bin on PATH.").writes(&at(".envrc"), &world));
    }
}
