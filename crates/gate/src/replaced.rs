//! Edits that a line makes in files by patterns: `sed -i 's/old/new/' file`. What they put in the place of what is judged as
//! an edit is.

use crate::{args::Args, place::Place, program, shell::SimpleCommand, world::World};

/// Most edits of one command.
const MAX_EDITS: usize = 32;

/// The files of an edit in place, with the pattern and what stands in its place afterwards.
pub(crate) fn edits(command: &SimpleCommand, world: &World) -> Vec<(Place, String, String)> {
    let name = command.name();
    if !matches!(name.as_str(), "sed" | "gsed" | "perl" | "ruby") {
        return Vec::new();
    }
    let in_place = |text: &str| {
        text.starts_with("--in-place")
            || text.starts_with('-') && !text.starts_with("--") && text[1..].chars().take(6).any(|c| c == 'i')
    };
    if !command.args().iter().any(|word| in_place(&word.text)) {
        return Vec::new();
    }
    let args = Args::parse(command.args(), &["-e", "-f", "-l", "--expression", "--file"]);
    let words: Vec<&crate::shell::Word> =
        args.values(&["-e", "--expression"]).chain(args.operands.iter().copied()).collect();
    let changes: Vec<(String, String)> =
        words.iter().filter(|word| word.is_known()).flat_map(|word| substitutions(&word.text)).collect();
    let files = args.operands.iter().filter(|word| substitutions(&word.text).is_empty() && !word.text.is_empty());
    files
        .flat_map(|file| {
            let place = program::place(file, command, world);
            changes.iter().map(move |(old, new)| (place.clone(), old.clone(), new.clone()))
        })
        .take(MAX_EDITS)
        .collect()
}

/// `s/old/new/` in each part of a script.
fn substitutions(script: &str) -> Vec<(String, String)> {
    script.split([';', '\n']).filter_map(substitution).take(MAX_EDITS).collect()
}

fn substitution(part: &str) -> Option<(String, String)> {
    fields(part).map(|(old, new, _)| (old, new))
}

/// The pattern, what comes in its place, and the flags of one substitution.
pub(crate) fn fields(part: &str) -> Option<(String, String, String)> {
    let rest = part.trim_start().strip_prefix('s')?;
    let mark = rest.chars().next().filter(|mark| matches!(mark, '/' | '#' | '|' | ',' | '@' | '~' | '%' | '!'))?;
    let mut fields = vec![String::new()];
    let mut chars = rest[1..].chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let next = chars.next()?;
                if next != mark {
                    fields.last_mut()?.push('\\');
                }
                fields.last_mut()?.push(next);
            }
            c if c == mark => fields.push(String::new()),
            c => fields.last_mut()?.push(c),
        }
    }
    let [old, new, flags] = fields.as_slice() else { return None };
    Some((old.clone(), new.clone(), flags.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_edits() {
        assert_eq!(substitutions("s/a/b/g; s#x#y\\#z#"), [("a".into(), "b".into()), ("x".into(), "y#z".into())]);
        assert!(substitutions("/a/d").is_empty() && substitutions("src/a/b").is_empty());
    }
}
