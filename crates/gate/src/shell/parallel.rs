//! `parallel`: two programs of that name start a command on each of many values.

use super::{
    command::{SimpleCommand, Stdin, Word},
    fed::quoted,
    unwrap::{Wrapped, after_options, join},
};
use crate::place::HOLE;
use std::collections::BTreeSet;

/// Most values of one source that are put in one by one.
const MAX_VALUES: usize = 8;
/// Most combinations of them.
const MAX_LISTED: usize = 32;

/// `parallel cmd {} ::: a b ::: c d`: values are put in for marks, or at the end, and a shell reads the line. The program of
/// that name in moreutils starts the words as they are, so both are looked at.
pub(super) fn open(command: &SimpleCommand) -> Wrapped {
    const VALUED: [&str; 13] = [
        "-j",
        "--jobs",
        "-a",
        "-n",
        "-P",
        "-N",
        "--delay",
        "--timeout",
        "--joblog",
        "-C",
        "-I",
        "--colsep",
        "--max-args",
    ];
    let args = command.args();
    let is_mark = |word: &Word| word.text.starts_with(":::");
    let end = args.iter().position(is_mark).unwrap_or(args.len());
    let mut sources: Vec<Vec<Word>> = Vec::new();
    for word in &args[end..] {
        match sources.last_mut() {
            _ if word.text.starts_with("::::") => sources.push(vec![Word::hole()]),
            _ if is_mark(word) => sources.push(Vec::new()),
            // What stands in a file is not known.
            Some(source) if source.first().is_none_or(Word::is_known) => source.push(word.clone()),
            Some(_) | None => {}
        }
    }
    let options = &args[..end];
    let Some(mut inner) = after_options(options, &VALUED, 0) else {
        let code = if end < args.len() {
            let lines: Vec<String> = sources.iter().flatten().map(|word| word.text.clone()).collect();
            Word { text: lines.join("\n"), ..join(&args[end..]) }
        } else {
            match &command.stdin {
                Stdin::Text(word) if !word.text.trim().is_empty() => word.clone(),
                Stdin::Text(_) | Stdin::Pipe | Stdin::Inherited => Word::hole(),
            }
        };
        return Wrapped::Code { code, keep: true, via: "parallel" };
    };
    let own = &options[..options.len() - inner.len()];
    // In moreutils what stands behind `--` are the values, or the commands when nothing stands before it.
    let mut others = Vec::new();
    if own.last().is_some_and(|word| word.text == "--") {
        others.extend(inner.iter().map(|word| word.text.clone()));
    } else if let Some(at) = inner.iter().position(|word| word.text == "--") {
        let filled = inner[at + 1..].iter().take(MAX_LISTED).map(|value| {
            let put = |word: &Word| quoted(&word.text.replace("{}", &value.text));
            let argv: Vec<String> = inner[..at].iter().map(put).collect();
            format!("{} {}", argv.join(" "), quoted(&value.text))
        });
        others.extend(filled);
        if inner.len() > at + 1 + MAX_LISTED {
            others.push(HOLE.to_string());
        }
        if !inner[at + 1..].is_empty() {
            sources.push(inner.split_off(at).split_off(1));
        }
    }
    sources.retain(|source| !source.is_empty());
    let mut code = join(&inner);
    if sources.is_empty() {
        let lines = match &command.stdin {
            Stdin::Text(word) if !word.text.trim().is_empty() => {
                word.text.lines().map(|line| Word { text: line.to_owned(), ..word.clone() }).collect()
            }
            Stdin::Text(_) | Stdin::Pipe | Stdin::Inherited => vec![Word::hole()],
        };
        sources.push(lines);
    }
    code.absorb(&join(&sources.concat()));
    // A mark of its own, several values at once, columns: which value stands where is not known.
    let is_plain = own.iter().all(|word| {
        let text = word.text.as_str();
        !["-I", "-N", "-n", "-C", "--colsep", "--max-args", "--col", "--max-a", "--rpl", "-X", "-m", "-L"]
            .iter()
            .any(|option| text.starts_with(option))
    });
    let choices = combined(&sources);
    let mut lines: BTreeSet<String> = others.into_iter().collect();
    for values in &choices {
        lines.insert(filled(&code.text, values, true, is_plain));
        if inner.len() > 1 {
            let argv = inner.iter().map(|word| quoted(&filled(&word.text, values, false, is_plain)));
            let mut argv: Vec<String> = argv.collect();
            if !inner.iter().any(|word| is_marked(&word.text)) {
                argv.extend(values.iter().map(|value| quoted(value)));
            }
            lines.insert(argv.join(" "));
        }
    }
    code.text = lines.into_iter().collect::<Vec<_>>().join("\n");
    Wrapped::Code { code, keep: true, via: "parallel" }
}

/// One value of each source, in every combination; beyond the cap one of them is all that are left.
fn combined(sources: &[Vec<Word>]) -> Vec<Vec<String>> {
    let mut choices = vec![Vec::new()];
    for source in sources {
        let mut values: Vec<String> = source.iter().take(MAX_VALUES).map(|word| word.text.clone()).collect();
        if source.len() > MAX_VALUES {
            values.push(HOLE.to_string());
            values.extend(source[MAX_VALUES..].iter().take(MAX_LISTED).map(|word| word.text.clone()));
        }
        if choices.len() * values.len() > MAX_LISTED {
            values = vec![HOLE.to_string()];
        }
        choices = choices
            .iter()
            .flat_map(|head: &Vec<String>| {
                values.iter().map(move |value| [head.as_slice(), std::slice::from_ref(value)].concat())
            })
            .collect();
    }
    choices
}

fn is_marked(text: &str) -> bool {
    text.match_indices('{').any(|(at, _)| mark(&text[at..]).is_some())
}

/// The mark that a text begins with: its length, and which source it names.
fn mark(text: &str) -> Option<(usize, Option<usize>)> {
    let end = text.find('}')?;
    let inside = text.get(1..end)?;
    let number = inside.trim_end_matches(['.', '/']);
    match number {
        "" if matches!(inside, "" | "." | "/" | "//" | "/.") => Some((end + 1, None)),
        "#" | "%" => Some((end + 1, Some(0))),
        _ => number.trim_start_matches('-').parse().ok().map(|n: usize| (end + 1, Some(n))),
    }
}

/// A template with values in the place of its marks; as shell code each value is one word.
fn filled(template: &str, values: &[String], is_code: bool, is_plain: bool) -> String {
    let word = |value: &str| if is_code { quoted(value) } else { value.to_owned() };
    let all = || values.iter().map(|value| word(value)).collect::<Vec<_>>().join(" ");
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some((length, source)) = mark(rest) else {
            text.push('{');
            rest = &rest[1..];
            continue;
        };
        match source {
            _ if !is_plain => text.push(HOLE),
            None => text.push_str(&all()),
            Some(0) => text.push('1'),
            Some(n) => match values.get(n - 1) {
                Some(value) => text.push_str(&word(value)),
                None => text.push(HOLE),
            },
        }
        rest = &rest[length..];
    }
    text.push_str(rest);
    if is_code && !is_marked(template) {
        text = format!("{text} {}", all());
    }
    if !is_plain {
        text.push(' ');
        text.push(HOLE);
    }
    text
}
