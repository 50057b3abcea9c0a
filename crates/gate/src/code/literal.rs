//! Tells code from the strings in it, and reads the strings that calls are given.

use super::Language;
use crate::shell::Word;

/// The literal first arguments of calls; a hole for each argument that is no literal.
pub(super) fn calls(text: &str, names: &[&str]) -> Vec<Word> {
    let mut found = Vec::new();
    for name in names {
        for (at, _) in text.match_indices(name) {
            let is_inside = text[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
            if !is_inside && found.len() < 64 {
                found.push(argument(&text[at + name.len()..]));
            }
        }
    }
    found
}

/// The commands that calls start: a text for a shell, or a program with its literal arguments.
pub(super) fn started(text: &str, names: &[&str]) -> Vec<Word> {
    let mut found = Vec::new();
    for name in names {
        for (at, _) in text.match_indices(name) {
            let is_inside = text[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
            if !is_inside && found.len() < 64 {
                let rest = &text[at + name.len()..];
                found.push(with_arguments(rest).unwrap_or_else(|| argument(rest)));
            }
        }
    }
    found
}

/// `"rm", "-rf", "/"` and `"rm", ["-rf", "/"]` as one command; none when the first text is the only one.
fn with_arguments(text: &str) -> Option<Word> {
    let mut rest = text.trim_start().trim_start_matches('(').trim_start();
    let mut words = Vec::new();
    while words.len() < 64 {
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else { break };
        let (value, after) = literal(rest, quote)?;
        words.push(value);
        let after = after.trim_start();
        let Some(next) = after.strip_prefix(',') else {
            rest = after;
            break;
        };
        rest = next.trim_start();
        rest = rest.strip_prefix('[').unwrap_or(rest).trim_start();
    }
    let program = words.first()?;
    if words.len() < 2 || program.contains(char::is_whitespace) {
        return None;
    }
    let mut command: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
    // More may follow that is no literal.
    if !rest.starts_with([']', ')', ';', '}', '{']) && !rest.is_empty() {
        command.push(crate::place::HOLE.to_string());
    }
    Some(Word::literal(command.join(" ")))
}

/// Literal arguments of the named calls, written with or without parentheses.
pub(super) fn arguments(text: &str, names: &[&str]) -> Vec<Word> {
    let spelled: Vec<String> =
        names.iter().flat_map(|name| [format!("{name}("), format!("{name} "), format!("{name}Sync(")]).collect();
    calls(text, &spelled.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A string, or a list of strings joined as words.
fn argument(text: &str) -> Word {
    let rest = text.trim_start().trim_start_matches('(').trim_start();
    if let Some(list) = rest.strip_prefix('[') {
        let Some(end) = list.find(']') else { return Word::hole() };
        let items = strings(&list[..end], Language::Python);
        let bare = without_strings(&list[..end]);
        let only_literals = bare.chars().all(|c| matches!(c, '"' | '\'' | ',' | ' ' | '\n'));
        let quoted: Vec<String> = items.iter().map(|item| format!("'{}'", item.replace('\'', "'\\''"))).collect();
        return if only_literals && !items.is_empty() { Word::literal(quoted.join(" ")) } else { Word::hole() };
    }
    let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) else { return Word::hole() };
    match literal(rest, quote) {
        Some((value, after)) => {
            // What follows must end the argument: no concatenation, no formatting.
            let next = after.trim_start().chars().next();
            let ends = next.is_none_or(|c| matches!(c, ')' | ',' | ';' | '\n' | '}'));
            if ends && !(quote == '`' && value.contains("${")) { Word::literal(value) } else { Word::hole() }
        }
        None => Word::hole(),
    }
}

/// Reads one string literal that begins `text`; gives its value and the rest.
pub(super) fn literal(text: &str, quote: char) -> Option<(String, &str)> {
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    if let Some(body) = text.strip_prefix(&triple) {
        let end = body.find(&triple)?;
        return Some((body[..end].to_owned(), &body[end + 3..]));
    }
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            match chars.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'x' => {
                    let digits: String = chars.by_ref().take(2).map(|(_, c)| c).collect();
                    value.push(u8::from_str_radix(&digits, 16).map_or(crate::place::HOLE, char::from));
                }
                'u' | 'U' | 'N' | '0'..='9' => value.push(crate::place::HOLE),
                other => value.push(other),
            }
        } else if c == quote {
            return Some((value, &text[at + c.len_utf8()..]));
        } else {
            value.push(c);
        }
    }
    None
}

/// All string literals.
pub(super) fn strings(text: &str, language: Language) -> Vec<String> {
    let mut found = Vec::new();
    split(text, language, |value| found.push(value.to_owned()));
    found
}

/// The code with strings emptied and comments gone.
pub(crate) fn without_strings(text: &str) -> String {
    without_strings_in(text, Language::JavaScript)
}

pub(super) fn without_strings_in(text: &str, language: Language) -> String {
    split(text, language, |_| {})
}

/// Walks over code and strings; what is no closed string stays code, so that nothing hides behind a stray quote.
fn split(text: &str, language: Language, mut on_string: impl FnMut(&str)) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    let mut broken = 0;
    while let Some(c) = rest.chars().next() {
        let is_quote = matches!(c, '"' | '\'') || (c == '`' && language == Language::JavaScript);
        if is_quote && broken < 16 {
            match literal(rest, c) {
                Some((value, after)) => {
                    on_string(&value);
                    bare.push(c);
                    // A template runs the code inside it.
                    if (c == '`' && value.contains("${"))
                        || (language == Language::Python && bare.ends_with(['f', '"']) && value.contains('{'))
                        || (language == Language::Ruby && value.contains("#{"))
                    {
                        bare.push_str(&value);
                    }
                    bare.push(c);
                    rest = after;
                    continue;
                }
                None => broken += 1,
            }
        }
        if c == '#' && matches!(language, Language::Python) {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
            continue;
        }
        bare.push(c);
        rest = &rest[c.len_utf8()..];
    }
    bare
}
