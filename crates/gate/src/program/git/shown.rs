//! Git prints what it has: a file that holds credentials is read from the history as much as from the disk.

use super::super::{place, reads};
use crate::{
    effect::Effect,
    secret::secrecy,
    shell::{SimpleCommand, Stdin, Word},
    world::World,
};

/// Most names that are looked at in what feeds `git cat-file --batch`.
const MAX_NAMES: usize = 256;

/// Reads of the files with credentials whose content a command prints or packs.
pub(super) fn effects(verb: &str, rest: &[Word], command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let has = |names: &[&str]| rest.iter().any(|word| names.contains(&word.text.as_str()));
    let is_patch = has(&["-p", "-u", "--patch", "-U", "-c", "--cc", "--full-diff"])
        || rest
            .iter()
            .any(|word| ["-L", "-G", "-S", "-U", "--unified"].iter().any(|start| word.text.starts_with(start)));
    let shows = match verb {
        "log" | "format-patch" | "stash" | "reflog" => is_patch,
        "diff" => !has(&["--stat", "--name-only", "--name-status", "--shortstat", "--numstat", "--quiet"]),
        "show" | "cat-file" | "blame" | "annotate" | "grep" | "whatchanged" | "diff-tree" | "diff-index"
        | "diff-files" | "archive" | "checkout-index" | "unpack-file" | "range-diff" => true,
        _ => false,
    };
    if !shows || verb == "cat-file" && has(&["-e", "-t", "-s"]) {
        return Vec::new();
    }
    let mut is_path = false;
    // The first operand of a search is what is searched for.
    let mut skip = usize::from(verb == "grep" && !rest.iter().any(|word| word.text.starts_with("-e")));
    let mut named = Vec::new();
    for word in rest {
        if word.text == "--" {
            is_path = true;
        } else if is_path || !word.text.starts_with('-') {
            if skip > 0 {
                skip -= 1;
            } else {
                named.extend(path(word));
            }
        }
    }
    if let (true, Stdin::Text(text)) = (verb == "cat-file", &command.stdin) {
        let lines = text.text.lines().take(MAX_NAMES);
        named.extend(lines.filter_map(|line| path(&Word { text: line.trim().to_owned(), ..text.clone() })));
    }
    named.retain(|word| secrecy(&place(word, command, world)).is_some());
    reads(&named.iter().collect::<Vec<_>>(), command, world)
}

/// The path that an operand names: `PATH`, `COMMIT:PATH`, `:0:PATH`, `:(top)PATH`; none for what is left out.
fn path(word: &Word) -> Option<Word> {
    let text = word.text.as_str();
    if [":!", ":^", ":(exclude"].iter().any(|start| text.starts_with(start)) {
        return None;
    }
    let name = text.rsplit(':').next().unwrap_or_default();
    let name = if name.starts_with('(') { name.split_once(')').map_or(name, |(_, name)| name) } else { name };
    (!name.is_empty()).then(|| Word { text: name.to_owned(), ..word.clone() })
}
