//! Programs that start what their options name: terminals that stay, other users' shells, git's loops.

use super::{
    command::Word,
    fed::quoted,
    unwrap::{Wrapped, join, position},
};

/// `su -c CODE`, `script -qec CODE`, `--command=CODE`.
pub(super) fn given_code(args: &[Word]) -> Option<Word> {
    if let Some(word) = args.iter().find(|word| word.text.starts_with("--command=")) {
        return Some(Word { text: word.text["--command=".len()..].to_owned(), ..word.clone() });
    }
    let at = args.iter().position(|word| {
        word.text == "--command"
            || word.text.starts_with('-')
                && !word.text.starts_with("--")
                && word.text.ends_with('c')
                && word.text.len() < 6
    })?;
    args.get(at + 1).cloned()
}

/// What a terminal multiplexer starts: the words after its own.
pub(super) fn multiplexed(name: &str, args: &[Word]) -> Option<Word> {
    const VALUED: [&str; 14] = ["-s", "-n", "-c", "-t", "-x", "-y", "-S", "-L", "-f", "-e", "-F", "-p", "-l", "-h"];
    let verbs = [
        "new",
        "new-session",
        "new-window",
        "neww",
        "split-window",
        "splitw",
        "respawn-pane",
        "run-shell",
        "run",
        "send-keys",
        "send",
        "popup",
        "display-popup",
        "pipe-pane",
    ];
    let verb = args.iter().position(|word| verbs.contains(&word.text.as_str()));
    let rest = match verb {
        Some(at) => args.get(at + 1..)?,
        // Only screen takes a command without a verb.
        None if name != "screen" => return None,
        None => args,
    };
    let mut i = 0;
    while let Some(word) = rest.get(i).filter(|word| word.text.starts_with('-')) {
        // `screen -dmS name cmd`: the name follows the cluster.
        let takes = VALUED.contains(&word.text.as_str()) || (verb.is_none() && word.text.ends_with('S'));
        i += if takes { 2 } else { 1 };
    }
    let words: Vec<Word> =
        rest.get(i..)?.iter().filter(|word| !matches!(word.text.as_str(), "Enter" | "C-m")).cloned().collect();
    let code = match words.as_slice() {
        [] => return None,
        [only] => only.clone(),
        // Several words are one command, whose quoting is gone.
        several => {
            Word { text: several.iter().map(|word| quoted(&word.text)).collect::<Vec<_>>().join(" "), ..join(several) }
        }
    };
    Some(code)
}

/// Git's verbs that run what the line gives them.
pub(super) fn git(args: &[Word]) -> Wrapped {
    let Some(verb) = args.iter().position(|word| {
        matches!(
            word.text.as_str(),
            "bisect" | "rebase" | "submodule" | "filter-branch" | "for-each-repo" | "difftool" | "mergetool"
        )
    }) else {
        return Wrapped::Plain;
    };
    let rest = &args[verb + 1..];
    let code = match args[verb].text.as_str() {
        "bisect" if rest.first().is_some_and(|word| word.text == "run") => {
            let inner = rest.get(1..).unwrap_or_default().to_vec();
            return if inner.is_empty() {
                Wrapped::Plain
            } else {
                Wrapped::Command { inner, keep: true, via: "git bisect run" }
            };
        }
        "submodule" => position(rest, &["foreach"]).and_then(|at| {
            let words: Vec<Word> =
                rest[at + 1..].iter().skip_while(|word| word.text.starts_with('-')).cloned().collect();
            (!words.is_empty()).then(|| join(&words))
        }),
        "for-each-repo" => return Wrapped::Plain,
        _ => position(
            rest,
            &[
                "-x",
                "--exec",
                "--tree-filter",
                "--index-filter",
                "--msg-filter",
                "--env-filter",
                "--commit-filter",
                "--parent-filter",
                "--setup",
                "--extcmd",
            ],
        )
        .and_then(|at| rest.get(at + 1).cloned())
        .or_else(|| {
            rest.iter().find_map(|word| {
                let code = word.text.strip_prefix("--exec=").or_else(|| word.text.strip_prefix("-x"))?;
                (!code.is_empty()).then(|| Word { text: code.to_owned(), ..word.clone() })
            })
        }),
    };
    code.map_or(Wrapped::Plain, |code| Wrapped::Code { code, keep: true, via: "git" })
}
