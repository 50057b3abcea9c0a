//! Programs that start another program on what they are fed or find: `xargs`, `find -exec`.

use super::{
    command::{SimpleCommand, Stdin, Word},
    unwrap::{Wrapped, after_options, position},
};
use crate::{place::HOLE, world::World};

/// Most commands of one `find`, and most lines, that are followed.
const MAX_VALUES: usize = 8;

pub(super) fn xargs(command: &SimpleCommand) -> Wrapped {
    const VALUED: [&str; 14] = [
        "-I",
        "-i",
        "-n",
        "-P",
        "-L",
        "-s",
        "-d",
        "-a",
        "-E",
        "--max-args",
        "--max-procs",
        "--delimiter",
        "--arg-file",
        "--replace",
    ];
    let args = command.args();
    let fed = match &command.stdin {
        Stdin::Text(word) if !word.text.trim().is_empty() => word.clone(),
        Stdin::Text(_) | Stdin::Pipe | Stdin::Inherited => Word::hole(),
    };
    let replace = position(args, &["-I", "--replace"]).and_then(|at| args.get(at + 1)).map(|word| word.text.clone());
    let replace = replace.or_else(|| {
        args.iter().find_map(|word| word.text.strip_prefix("-I").filter(|rest| !rest.is_empty()).map(str::to_owned))
    });
    let Some(mut inner) = after_options(args, &VALUED, 0) else {
        return Wrapped::Command { inner: vec![Word::literal("echo"), fed], keep: true, via: "xargs" };
    };
    // With a delimiter of its own the words are not what blanks make of them.
    let is_raw = position(args, &["-0", "--null", "-d", "--delimiter"]).is_some()
        || args.iter().any(|word| word.text.starts_with("-d") || word.text.starts_with("--delimiter="));
    let is_whole = is_raw || position(args, &["-L", "-l"]).is_some();
    let of =
        |text: String| Word { glob: text.contains('*'), text, sources: command.inputs.clone(), secret: fed.secret };
    let Some(mark) = replace else {
        let parts: Vec<String> = match (is_raw, is_whole) {
            (true, _) => delimited(&fed.text, args),
            (false, true) => vec![unquoted(&fed.text)],
            (false, false) => split(&fed.text, true),
        };
        inner.extend(parts.into_iter().map(of));
        return Wrapped::Command { inner, keep: true, via: "xargs" };
    };
    // Each line is a value.
    let lines: Vec<String> =
        if is_raw { delimited(&fed.text, args) } else { fed.text.lines().map(|line| unquoted(line.trim())).collect() };
    let is_cut = lines.len() > MAX_VALUES;
    let rest = is_cut.then(|| HOLE.to_string());
    let mut all: Vec<Vec<Word>> = lines
        .into_iter()
        .take(MAX_VALUES)
        .chain(rest)
        .map(|line| {
            let put = |word: &Word| {
                let mut word = word.clone();
                if word.text.contains(&mark) {
                    word.sources.extend(command.inputs.iter().cloned());
                    word.text = word.text.replace(&mark, &line);
                    word.glob |= line.contains("**");
                }
                word
            };
            inner.iter().map(put).collect()
        })
        .collect();
    match (all.len(), all.pop()) {
        (1, Some(inner)) => Wrapped::Command { inner, keep: true, via: "xargs" },
        (_, Some(last)) => {
            all.push(last);
            Wrapped::InTurn { inner: all, via: "xargs" }
        }
        (_, None) => Wrapped::Command { inner, keep: true, via: "xargs" },
    }
}

/// The words of a text as `xargs` splits it: quotes hold together and go, a backslash keeps what follows.
fn split(text: &str, at_blanks: bool) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let (mut quote, mut chars) = (None, text.chars());
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, c) if at_blanks && c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// A line without the quotes that `xargs` takes away.
fn unquoted(line: &str) -> String {
    split(line, false).pop().unwrap_or_default()
}

/// The values of a text whose ends the options name; a hole for an end that is not followed.
fn delimited(text: &str, args: &[Word]) -> Vec<String> {
    let given = args.iter().enumerate().find_map(|(at, word)| match word.text.as_str() {
        "-0" | "--null" => Some("\0"),
        "-d" | "--delimiter" => args.get(at + 1).map(|word| word.text.as_str()),
        text => text.strip_prefix("--delimiter=").or(text.strip_prefix("-d")),
    });
    let end = match given.unwrap_or_default() {
        "\\n" => '\n',
        "\\0" => '\0',
        "\\t" => '\t',
        text if text.chars().count() == 1 => text.chars().next().unwrap_or_default(),
        _ => return vec![text.to_owned(), HOLE.to_string()],
    };
    text.split(end).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// A value as one word of shell code; what stands for paths below a directory stays a pattern.
pub(super) fn quoted(text: &str) -> String {
    if text.contains("/**") || text.contains(HOLE) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// `find … -exec cmd {} \;`: `{}` is some path below the start.
pub(super) fn find(args: &[Word], _world: &World) -> Wrapped {
    const EXEC: [&str; 8] = ["-exec", "-execdir", "-ok", "-okdir", "-x", "--exec", "-X", "--exec-batch"];
    let Some(at) = position(args, &EXEC) else { return Wrapped::Plain };
    let root = args.iter().find(|word| !word.text.starts_with(['-', '(', '!'])).filter(|_| at > 0);
    let is_fd = matches!(args[at].text.as_str(), "-x" | "--exec" | "-X" | "--exec-batch");
    let name =
        position(args, &["-name", "-iname"]).and_then(|at| args.get(at + 1)).map_or("*", |word| word.text.as_str());
    let mut below = format!("{}/**/{name}", root.map_or(".", |word| word.text.trim_end_matches('/')));
    if is_fd {
        below = found_by_fd(&args[..at]);
    }
    let mut started: Vec<Vec<Word>> = vec![Vec::new()];
    let mut rest = args[at + 1..].iter();
    loop {
        let inner = started.last_mut().map(|inner| {
            for word in rest.by_ref().take_while(|word| !matches!(word.text.as_str(), ";" | "+")) {
                let glob = word.glob || word.text.contains("{}");
                inner.push(Word { text: word.text.replace("{}", &below), glob, ..word.clone() });
            }
        });
        let is_next = |word: &Word| EXEC.contains(&word.text.as_str());
        if inner.is_none() || started.len() >= MAX_VALUES || !rest.by_ref().any(is_next) {
            break;
        }
        started.push(Vec::new());
    }
    let is_cut = rest.any(|word| EXEC.contains(&word.text.as_str()));
    if started.len() > 1 {
        if is_cut {
            // More of them than are followed: one could be anything.
            started.push(vec![Word::hole()]);
        }
        return Wrapped::InTurn { inner: started, via: "find -exec" };
    }
    let mut inner = started.pop().unwrap_or_default();
    if is_fd && !args[at + 1..].iter().any(|word| word.text.contains('{')) && !inner.is_empty() {
        inner.push(Word { glob: true, ..Word::literal(below) });
    }
    if inner.is_empty() {
        return Wrapped::Plain;
    }
    Wrapped::Command { inner, keep: true, via: "find -exec" }
}

/// What `fd PATTERN [DIRECTORY…]` or `fd -e EXTENSION` finds, as a pattern of paths.
fn found_by_fd(args: &[Word]) -> String {
    const VALUED: [&str; 12] =
        ["-e", "--extension", "-t", "--type", "-d", "--max-depth", "-E", "--exclude", "-S", "--size", "-j", "-c"];
    let extension = position(args, &["-e", "--extension"]).and_then(|at| args.get(at + 1));
    let mut operands = Vec::new();
    let mut skip = false;
    for word in args {
        if skip || word.text.starts_with('-') {
            skip = !skip && VALUED.contains(&word.text.as_str());
        } else {
            operands.push(word.text.as_str());
        }
    }
    let pattern = operands.first().filter(|text| text.chars().filter(|c| c.is_alphanumeric()).count() > 1);
    let name = match (extension, pattern) {
        (Some(extension), _) => format!("*.{}", extension.text.trim_start_matches('.')),
        (None, Some(pattern)) => {
            format!("*{}", pattern.trim_start_matches('^').trim_end_matches('$').replace('\\', ""))
        }
        (None, None) => "*".to_owned(),
    };
    format!("{}/**/{name}", operands.get(1).map_or(".", |root| root.trim_end_matches('/')))
}
