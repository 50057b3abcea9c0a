//! Brings what code says about places and names into literals, so that the rest of the scan sees one spelling:
//! `Path.home() / ".ssh"`, `os.path.join("~", "x")`, `'o' + 's'`.
//!
//! What must stay true: only literals are joined; the work is bounded whatever the text.

use super::{Language, literal::literal};
use std::borrow::Cow;

/// Longest text that is folded, in bytes.
const MAX_TEXT: usize = 64 * 1024;
/// Most expressions and names that are replaced in one text; each is looked for in all that follows.
const MAX_REPLACED: usize = 64;
/// Most rounds; each joins what the one before brought together.
const MAX_ROUNDS: usize = 6;

/// Expressions that stand for the home and for the current directory.
#[rustfmt::skip]
const HOMES: [&str; 22] = [
    "pathlib.Path.home()", "Path.home()", "Dir.home", "require('os').homedir()", "require(\"os\").homedir()",
    "os.homedir()", "homedir()", "process.env.HOME", "process.env['HOME']", "os.environ['HOME']",
    "os.environ[\"HOME\"]", "os.environ.get('HOME')", "os.environ.get(\"HOME\")", "os.getenv('HOME')",
    "os.getenv(\"HOME\")", "ENV['HOME']", "ENV[\"HOME\"]", "$ENV{HOME}", "getenv('HOME')", "getenv(\"HOME\")",
    "$_SERVER['HOME']", "System.getProperty(\"user.home\")",
];
#[rustfmt::skip]
const HERE: [&str; 9] = [
    "pathlib.Path.cwd()", "Path.cwd()", "os.getcwd()", "process.cwd()", "Dir.pwd", "Dir.getwd", "getcwd()",
    "Deno.cwd()", "__dirname",
];
/// Calls that give back the place that they are given.
#[rustfmt::skip]
const SAME: [&str; 14] = [
    "os.path.expanduser(", "expanduser(", "File.expand_path(", "os.path.abspath(", "os.path.realpath(",
    "pathlib.Path(", "Path(", "PurePath(", "path.resolve(", "realpath(", "Pathname.new(", "os.fspath(", "str(",
    "String(",
];
/// Calls that join places.
const JOINS: [&str; 7] =
    ["os.path.join(", "posixpath.join(", "path.join(", "path.resolve(", "File.join(", "catfile(", "joinpath("];

/// A piece of the text.
enum Piece<'a> {
    Code(Cow<'a, str>),
    /// A string: its value, and its text while nothing was joined to it.
    Literal(String, Option<&'a str>),
}

/// The text with literals joined.
pub(super) fn folded(text: &str, language: Language) -> Cow<'_, str> {
    let triggers =
        ["=", "home", "HOME", "cwd", "pwd", "join(", "expand", "Path(", "+", "' .", "\" .", "' /", "\" /", ") /"];
    if text.len() > MAX_TEXT || !triggers.iter().any(|trigger| text.contains(trigger)) {
        return Cow::Borrowed(text);
    }
    let mut pieces = named(pieces(text, language));
    pieces = with_values(pieces);
    let mut changed = pieces.iter().any(|piece| matches!(piece, Piece::Literal(_, None)));
    for _ in 0..MAX_ROUNDS {
        let (next, joined) = round(pieces, language);
        pieces = next;
        if !joined {
            break;
        }
        changed = true;
    }
    if changed { Cow::Owned(render(&pieces)) } else { Cow::Borrowed(text) }
}

fn pieces(text: &str, language: Language) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut at = 0;
    let mut broken = 0;
    while let Some(c) = text[at..].chars().next() {
        let is_quote = matches!(c, '"' | '\'') || (c == '`' && language == Language::JavaScript);
        if is_quote && broken < 16 {
            match literal(&text[at..], c) {
                Some((value, after)) => {
                    let end = text.len() - after.len();
                    // A template and a formatted string hold code.
                    let is_code = value.contains("${") && c == '`'
                        || value.contains("#{") && language == Language::Ruby
                        || value.contains('{') && text[..at].ends_with(['f', 'F'])
                        || value.contains('$') && c == '"' && matches!(language, Language::Perl | Language::Php);
                    if !is_code {
                        found.push(Piece::Code(Cow::Borrowed(&text[start..at])));
                        found.push(Piece::Literal(value, Some(&text[at..end])));
                        start = end;
                    }
                    at = end;
                    continue;
                }
                None => broken += 1,
            }
        }
        if c == '#' && language == Language::Python {
            at = text[at..].find('\n').map_or(text.len(), |end| at + end);
            continue;
        }
        at += c.len_utf8();
    }
    found.push(Piece::Code(Cow::Borrowed(&text[start..])));
    found
}

/// Puts literals in the place of the expressions that stand for home and current directory.
fn named(pieces: Vec<Piece<'_>>) -> Vec<Piece<'_>> {
    let mut left = MAX_REPLACED;
    let mut found: Vec<Piece<'_>> = Vec::with_capacity(pieces.len());
    // `os.environ['HOME']` holds a literal itself: its three pieces are looked at as one text.
    let mut pieces = pieces.into_iter().peekable();
    while let Some(piece) = pieces.next() {
        if let Piece::Literal(value, raw) = &piece
            && value == "HOME"
            && let Some(Piece::Code(before)) = found.last_mut()
            && let Some(Piece::Code(after)) = pieces.peek()
        {
            let opens =
                ["os.environ[", "process.env[", "ENV[", "$_SERVER[", "os.environ.get(", "os.getenv(", "getenv("];
            let open = opens.iter().find(|open| before.ends_with(**open));
            let close = after.chars().next().filter(|c| matches!(c, ']' | ')'));
            if let (Some(open), Some(_), Some(_)) = (open, close, raw) {
                let kept = before[..before.len() - open.len()].to_owned();
                *before = Cow::Owned(kept);
                let rest = after[1..].to_owned();
                pieces.next();
                found.push(Piece::Literal("~".to_owned(), None));
                split(Cow::Owned(rest), &mut found, &mut left);
                continue;
            }
        }
        match piece {
            Piece::Code(code) => split(code, &mut found, &mut left),
            literal @ Piece::Literal(..) => found.push(literal),
        }
    }
    found
}

fn split<'a>(code: Cow<'a, str>, found: &mut Vec<Piece<'a>>, left: &mut usize) {
    let mut rest = code;
    while *left > 0 && !rest.is_empty() {
        let homes = HOMES.iter().map(|name| (*name, "~"));
        let here = HERE.iter().map(|name| (*name, "."));
        let is_own = |at: usize| {
            !rest[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '$'))
        };
        let hit = homes
            .chain(here)
            .filter_map(|(name, value)| rest.find(name).filter(|at| is_own(*at)).map(|at| (at, name.len(), value)))
            .min_by_key(|(at, length, _)| (*at, usize::MAX - length));
        let Some((at, length, value)) = hit else { break };
        *left -= 1;
        found.push(Piece::Code(Cow::Owned(rest[..at].to_owned())));
        found.push(Piece::Literal(value.to_owned(), None));
        rest = Cow::Owned(rest[at + length..].to_owned());
    }
    found.push(Piece::Code(rest));
}

/// Most names whose value is put in their place.
const MAX_NAMES: usize = 16;

/// Puts a literal in the place of a name that stands for it and for nothing else: `c = 'ls'; system(c)`.
fn with_values(pieces: Vec<Piece<'_>>) -> Vec<Piece<'_>> {
    let mut values: Vec<(String, String)> = Vec::new();
    let mut left = 2 * MAX_NAMES;
    for window in pieces.windows(3) {
        if left == 0 || values.len() >= MAX_NAMES {
            break;
        }
        let [Piece::Code(before), Piece::Literal(value, _), Piece::Code(after)] = window else { continue };
        let Some(name) = assigned(before).filter(|_| after.is_empty() || after.starts_with(['\n', ';', ')'])) else {
            continue;
        };
        left -= 1;
        let times: usize = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Code(code) => assignments(code, name),
                Piece::Literal(..) => 0,
            })
            .sum();
        if times == 1 && value.len() < 4096 {
            values.push((name.to_owned(), value.clone()));
        }
    }
    if values.is_empty() {
        return pieces;
    }
    let mut left = MAX_REPLACED;
    let mut out = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match piece {
            Piece::Code(code) => put(code, &values, &mut out, &mut left),
            literal @ Piece::Literal(..) => out.push(literal),
        }
    }
    out
}

/// The name at the end of `… name = `.
fn assigned(code: &str) -> Option<&str> {
    let left = code.trim_end().strip_suffix('=')?;
    if left.ends_with(['=', '!', '<', '>', '+', '-', ':', '|', '&', '*', '/', '.', '%']) {
        return None;
    }
    let left = left.trim_end();
    let start = left.rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$' | '@'))).map_or(0, |at| at + 1);
    let name = &left[start..];
    let before = left[..start].trim_end_matches([' ', '\t']);
    let begins = before.is_empty()
        || before.ends_with(['\n', ';', '{', '(', ':'])
        || ["let", "const", "var", "my", "our", "local"].iter().any(|word| before.ends_with(word));
    (begins && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())).then_some(name)
}

/// How often a name is given a value in a piece of code.
fn assignments(code: &str, name: &str) -> usize {
    own(code, name)
        .filter(|at| {
            let after = code[at + name.len()..].trim_start();
            let is_set = after.starts_with('=') && !after.starts_with("==") && !after.starts_with("=>");
            is_set
                || after.starts_with("+=")
                || after.starts_with(".=")
                || after.starts_with("in ")
                || after.starts_with(',') && code[..*at].trim_end().ends_with("for")
        })
        .count()
}

/// Where a name stands by itself.
fn own<'a>(code: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(name).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back();
        let after = code[at + name.len()..].chars().next();
        let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '@');
        !before.is_some_and(|c| joins(c) || c == '.') && !after.is_some_and(|c| joins(c) || c == '[')
    })
}

/// Splits code where a name stands as an argument.
fn put<'a>(code: Cow<'a, str>, values: &[(String, String)], out: &mut Vec<Piece<'a>>, left: &mut usize) {
    let mut rest = code;
    while *left > 0 && !rest.is_empty() {
        let hit = values
            .iter()
            .filter_map(|(name, value)| {
                let at = own(&rest, name).find(|at| {
                    let before = rest[..*at].trim_end();
                    let after = rest[at + name.len()..].trim_start();
                    let opens = before.ends_with(['(', ',', '[', '+', '/', '.'])
                        || ["system", "exec", "eval", "return"].iter().any(|word| before.ends_with(word));
                    opens && (after.is_empty() || after.starts_with([')', ',', ']', '+', ';', '\n', '/', '.', '}']))
                })?;
                Some((at, name.len(), value))
            })
            .min_by_key(|(at, _, _)| *at);
        let Some((at, length, value)) = hit else { break };
        *left -= 1;
        out.push(Piece::Code(Cow::Owned(rest[..at].to_owned())));
        out.push(Piece::Literal(value.clone(), None));
        rest = Cow::Owned(rest[at + length..].to_owned());
    }
    out.push(Piece::Code(rest));
}

/// One round over all pieces; tells whether something was joined.
fn round(pieces: Vec<Piece<'_>>, language: Language) -> (Vec<Piece<'_>>, bool) {
    let mut out: Vec<Piece<'_>> = Vec::with_capacity(pieces.len());
    let mut joined = false;
    for piece in pieces {
        match piece {
            // Code right after code is one piece.
            Piece::Code(code) if matches!(out.last(), Some(Piece::Code(_))) => {
                if let Some(Piece::Code(last)) = out.last_mut() {
                    last.to_mut().push_str(&code);
                }
            }
            // A method of a place is read as a call with the place as its first argument.
            Piece::Code(code) if code.trim() == ".joinpath(" && matches!(out.last(), Some(Piece::Literal(..))) => {
                let receiver = out.pop();
                out.push(Piece::Code(Cow::Borrowed("joinpath(")));
                out.extend(receiver);
                out.push(Piece::Code(Cow::Borrowed(",")));
                joined = true;
            }
            Piece::Code(code) => {
                let code = unwrapped(&mut out, code, &mut joined);
                out.push(Piece::Code(code));
            }
            Piece::Literal(value, raw) => match joint(&out, language) {
                Some(between) => {
                    out.pop();
                    if let Some(Piece::Literal(before, text)) = out.last_mut() {
                        if between == "/" && language == Language::Python && value.starts_with('/') {
                            // An absolute part throws away what came before it.
                            before.clear();
                            before.push_str(&value);
                        } else if between == "/" {
                            before.truncate(before.trim_end_matches('/').len());
                            before.push('/');
                            before.push_str(value.trim_start_matches('/'));
                        } else {
                            before.push_str(between);
                            before.push_str(&value);
                        }
                        *text = None;
                        joined = true;
                    }
                }
                None => out.push(Piece::Literal(value, raw)),
            },
        }
    }
    (out, joined)
}

/// What joins the literal before with the one that comes now, if anything does.
fn joint(out: &[Piece<'_>], language: Language) -> Option<&'static str> {
    let [.., Piece::Literal(..), Piece::Code(code)] = out else { return None };
    match (code.trim(), language) {
        ("+", _) => Some(""),
        (".", Language::Perl | Language::Php) => Some(""),
        ("", Language::Python) if code.is_empty() => Some(""),
        ("/", Language::Python) => Some("/"),
        (",", _) => {
            let [.., Piece::Code(open), Piece::Literal(..), Piece::Code(_)] = out else { return None };
            JOINS.iter().any(|join| open.ends_with(join)).then_some("/")
        }
        _ => None,
    }
}

/// Takes a call that gives back its only literal away from around it; gives what is left of the code after.
fn unwrapped<'a>(out: &mut Vec<Piece<'a>>, code: Cow<'a, str>, joined: &mut bool) -> Cow<'a, str> {
    let [.., Piece::Code(open), Piece::Literal(_, text)] = out.as_mut_slice() else { return code };
    let Some(close) = code.find(|c: char| !c.is_whitespace()).filter(|at| code[*at..].starts_with(')')) else {
        return code;
    };
    let name = SAME.iter().chain(&JOINS).filter(|name| open.ends_with(**name)).max_by_key(|name| name.len());
    let Some(name) = name else { return code };
    let kept = open[..open.len() - name.len()].to_owned();
    *open = Cow::Owned(kept);
    *text = None;
    *joined = true;
    Cow::Owned(code[close + 1..].to_owned())
}

fn render(pieces: &[Piece<'_>]) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Code(code) => text.push_str(code),
            Piece::Literal(_, Some(raw)) => text.push_str(raw),
            Piece::Literal(value, None) => {
                text.push('\'');
                for c in value.chars() {
                    match c {
                        '\'' | '\\' => text.extend(['\\', c]),
                        '\n' => text.push_str("\\n"),
                        c => text.push(c),
                    }
                }
                text.push('\'');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_names_become_one_literal() {
        for (language, text, want) in [
            (Language::Python, "rmtree(Path.home() / '.ssh' / \"id\")", "rmtree('~/.ssh/id')"),
            (Language::Python, "os.path.join(os.path.expanduser('~'), 'a', 'b')", "'~/a/b'"),
            (Language::Python, "os.path.join('/', 'etc', 'x')", "'/etc/x'"),
            (Language::Python, "os.path.join('/usr', '/etc/x')", "'/etc/x'"),
            (Language::Python, "Path.home().joinpath('.ssh', 'id')", "'~/.ssh/id'"),
            (Language::Python, "open(os.environ['HOME'] + '/x')", "open('~/x')"),
            (Language::Python, "__import__('o'+'s')", "__import__('os')"),
            (Language::Python, "c = 'ls'\nos.system(c)", "c = 'ls'\nos.system('ls')"),
            (Language::Perl, "my $c = 'ls'; system($c)", "my $c = 'ls'; system('ls')"),
            (Language::JavaScript, "rmSync(process.cwd(), {})", "rmSync('.', {})"),
            (Language::JavaScript, "path.join(os.homedir(), 'x')", "'~/x'"),
            (Language::Ruby, "rm_rf(Dir.home)", "rm_rf('~')"),
            (Language::Perl, "system('r' . 'm')", "system('rm')"),
            (Language::Php, "readfile(getenv(\"HOME\").\"/.ssh/x\")", "readfile('~/.ssh/x')"),
        ] {
            assert_eq!(folded(text, language), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_literal_stays() {
        for (language, text) in [
            (Language::Python, "a + b"),
            (Language::Python, "c = 'ls'\nc = f()\nos.system(c)"),
            (Language::Python, "c = 'ls'\nfor c in x:\n    os.system(c)"),
            (Language::Python, "f'{x}' + 'y'"),
            (Language::Python, "print('use Path.home()')"),
            (Language::Python, "os.path.join(base, 'x')"),
            (Language::JavaScript, "`${a}` + 'b'"),
            (Language::Python, "'open + end"),
        ] {
            assert_eq!(folded(text, language), text, "{text}");
        }
    }

    #[test]
    fn odd_texts_cost_little_and_never_panic() {
        for piece in ["'", "\"", "+", "'a' + ", "Path(", "'x' / ", "os.path.join('a', ", "é' + '"] {
            let text = piece.repeat(MAX_TEXT / piece.len());
            _ = folded(&text, Language::Python);
        }
    }
}
