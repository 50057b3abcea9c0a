//! Caps size and nesting before the parser sees a line.
//!
//! brush-parser recurses per level and aborts the process when the stack ends, which no `catch_unwind` stops. This scan is
//! iterative. Measured with brush-parser 0.4: 1600 levels of any construct fit into a 16 MiB stack, 64 into 2 MiB.
//!
//! The parser also backtracks: a syntax error below d levels of `(` or `case` makes it read the rest about 2^d times
//! (measured: 14 unclosed `((` take 24 s). So each text has an effort, its words times two to that depth, and efforts are
//! capped too.

use std::borrow::Cow;

/// Longest command, in bytes.
pub(crate) const MAX_COMMAND: usize = 64 * 1024;
/// Deepest nesting of any mix of constructs.
const MAX_DEPTH: usize = 64;
/// Deepest nesting when quotes are not understood; bounds what a slip of the quote-aware scan can cost.
const MAX_NAIVE_DEPTH: usize = 256;

/// Most words of one text. The parser takes about 1.5 µs for each.
const MAX_WORDS: usize = 12 * 1024;
/// Most effort for all texts of one call.
pub(super) const MAX_EFFORT: usize = 16 * 1024;

/// Why a line is not parsed at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the command is longer than {MAX_COMMAND} bytes")]
    TooLong,
    #[error("the command nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("the command has more than {MAX_WORDS} words")]
    Words,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Paren,
    Substitution,
    Brace,
    Double,
    Backtick,
    Keyword(&'static str),
}

/// Checks a line's size and depth; gives the worst effort of parsing it, in words.
pub(crate) fn check(line: &str) -> Result<usize, Refusal> {
    if line.len() > MAX_COMMAND {
        return Err(Refusal::TooLong);
    }
    if naive_depth(line) > MAX_NAIVE_DEPTH {
        return Err(Refusal::TooDeep);
    }
    let Depth { worst, backtracking, words, here_documents } = aware_depth(line);
    // The tokenizer is quadratic in here-documents.
    if worst > MAX_DEPTH || here_documents > MAX_DEPTH || backtracking >= usize::BITS as usize / 2 {
        return Err(Refusal::TooDeep);
    }
    if words > MAX_WORDS {
        return Err(Refusal::Words);
    }
    let effort = (words + 1) << backtracking;
    if effort > MAX_EFFORT { Err(Refusal::TooDeep) } else { Ok(effort) }
}

/// What the scan counts.
#[derive(Default)]
struct Depth {
    worst: usize,
    /// Nesting of the constructs on which the parser backtracks.
    backtracking: usize,
    words: usize,
    here_documents: usize,
}

/// Depth without regard to quotes: openers less closers of any kind, at their worst.
fn naive_depth(line: &str) -> usize {
    let (mut depth, mut worst) = (0usize, 0usize);
    for byte in line.bytes() {
        match byte {
            b'(' | b'{' => depth += 1,
            b')' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        worst = worst.max(depth);
    }
    worst
}

/// Depth with quotes, comments and here-documents understood. Closers count only where they close the innermost construct,
/// so that every slip makes the depth larger, not smaller.
fn aware_depth(line: &str) -> Depth {
    let bytes = line.as_bytes();
    let mut stack: Vec<Open> = Vec::new();
    let mut depth = Depth::default();
    let mut i = 0;
    let mut known = 0;
    let mut word_start = true;
    let mut command_start = true;
    let mut pending: Vec<(String, bool)> = Vec::new();
    while i < bytes.len() {
        let inside_double = stack.last() == Some(&Open::Double);
        let byte = bytes[i];
        let (was_word_start, was_command_start) = (word_start, command_start);
        word_start = false;
        command_start = false;
        match byte {
            b'\\' => i += 1,
            b'"' if inside_double => _ = stack.pop(),
            b'"' => stack.push(Open::Double),
            b'`' if stack.last() == Some(&Open::Backtick) || (inside_double && stack.contains(&Open::Backtick)) => {
                while stack.pop().is_some_and(|open| open != Open::Backtick) {}
            }
            b'`' => {
                stack.push(Open::Backtick);
                (word_start, command_start) = (true, true);
            }
            b'$' if bytes.get(i + 1) == Some(&b'{') => {
                stack.push(Open::Brace);
                i += 1;
            }
            b'$' if bytes.get(i + 1) == Some(&b'(') => {
                stack.push(Open::Substitution);
                i += 1;
                (word_start, command_start) = (true, true);
            }
            b'}' if stack.last() == Some(&Open::Brace) => _ = stack.pop(),
            _ if inside_double => {}
            b'\'' => {
                let ansi = i > 0 && bytes[i - 1] == b'$';
                i += 1;
                while i < bytes.len() && bytes[i] != b'\'' {
                    i += if ansi && bytes[i] == b'\\' { 2 } else { 1 };
                }
            }
            b'(' => {
                stack.push(Open::Paren);
                (word_start, command_start) = (true, true);
            }
            b')' => {
                if matches!(stack.last(), Some(Open::Paren | Open::Substitution)) {
                    stack.pop();
                }
                (word_start, command_start) = (true, true);
            }
            b'#' if was_word_start => {
                while i + 1 < bytes.len() && bytes[i + 1] != b'\n' {
                    i += 1;
                }
            }
            b'<' if bytes.get(i + 1) == Some(&b'<') && bytes.get(i + 2) != Some(&b'<') => {
                depth.here_documents += 1;
                let (delimiter, next) = here_end(line, i + 2);
                if !delimiter.is_empty() && pending.len() < MAX_DEPTH {
                    pending.push((delimiter, bytes.get(i + 2) == Some(&b'-')));
                }
                i = next.max(i + 2) - 1;
            }
            b'\n' => {
                for (delimiter, tabs) in pending.drain(..) {
                    i = skip_body(line, i, &delimiter, tabs);
                }
                (word_start, command_start) = (true, true);
            }
            b';' | b'&' | b'|' => (word_start, command_start) = (true, true),
            b' ' | b'\t' => (word_start, command_start) = (true, was_command_start),
            _ if was_word_start => {
                let end = line[i..].find([' ', '\t', '\n', ';', '&', '|', '(', ')', '<', '>', '"', '\'', '`', '$']);
                let word = &line[i..end.map_or(line.len(), |end| i + end)];
                command_start = keyword(word, was_command_start, &mut stack);
                i += word.len().max(1) - 1;
            }
            b'<' | b'>' if bytes.get(i + 1) != Some(&b'(') => depth.words += 1,
            _ => {}
        }
        if stack.len() != known {
            known = stack.len();
            depth.worst = depth.worst.max(known);
            // What stands inside a substitution is one word to the parser.
            let outer = stack
                .iter()
                .take_while(|open| !matches!(open, Open::Substitution | Open::Backtick | Open::Double | Open::Brace));
            let count = outer.filter(|open| matches!(open, Open::Paren | Open::Keyword("case"))).count();
            depth.backtracking = depth.backtracking.max(count);
        }
        depth.words += usize::from(was_word_start && !word_start);
        if depth.worst > MAX_DEPTH || depth.here_documents > MAX_DEPTH {
            // It is refused already; reading on could be slow.
            break;
        }
        i += 1;
    }
    depth
}

/// Opens and closes keyword constructs. Openers count anywhere, closers only where a command begins.
fn keyword(word: &str, at_command: bool, stack: &mut Vec<Open>) -> bool {
    let close = |stack: &mut Vec<Open>, kind| {
        if at_command && stack.last() == Some(&Open::Keyword(kind)) {
            stack.pop();
        }
    };
    match word {
        "if" => stack.push(Open::Keyword("if")),
        "case" => stack.push(Open::Keyword("case")),
        "while" | "until" | "for" | "select" if at_command => stack.push(Open::Keyword("do")),
        "{" => stack.push(Open::Keyword("{")),
        "[[" => stack.push(Open::Keyword("[[")),
        "!" if stack.contains(&Open::Keyword("[[")) => stack.push(Open::Keyword("[[")),
        "coproc" | "function" if at_command => {}
        "fi" => close(stack, "if"),
        "esac" => close(stack, "case"),
        "done" => close(stack, "do"),
        "}" => close(stack, "{"),
        "]]" => {
            while stack.last() == Some(&Open::Keyword("[[")) {
                stack.pop();
            }
        }
        "then" | "else" | "elif" | "do" | "time" | "!" => {}
        _ => return false,
    }
    true
}

/// The delimiter of a here-document that starts at `at`, unquoted, and where the scan goes on.
fn here_end(line: &str, at: usize) -> (String, usize) {
    let rest = &line[at..];
    let start = rest.find(|c: char| !matches!(c, '-' | ' ' | '\t')).unwrap_or(rest.len());
    let body = &rest[start..];
    let end = body.find([' ', '\t', '\n', ';', '&', '|', '(', ')', '<', '>']).unwrap_or(body.len());
    let delimiter: String = body[..end].chars().filter(|c| !matches!(c, '\'' | '"' | '\\')).collect();
    (delimiter, at + start + end)
}

/// True for a text in which the tokenizer may take another delimiter for a here-document than the shell does: quotes around nothing,
/// white space of a kind that it does not skip, more than one blank inside a substitution, an expansion. Where it ends the document elsewhere, commands
/// could hide in it. Which `<<` are here-documents is not asked: a text too many is one that cannot be read.
pub(super) fn has_odd_here_document(text: &str) -> bool {
    let is_odd = |c: char| c.is_whitespace() && !matches!(c, ' ' | '\t' | '\n');
    text.contains("<<")
        && (text.contains(is_odd)
            || text.replace("<<<", "...").match_indices("<<").any(|(at, _)| !has_plain_delimiter(&text[at + 2..])))
}

/// The text with an end at which the tokenizer stops.
///
/// brush-parser 0.4 loops for ever, and takes memory, when the text ends while the first here-document that waits for its body has an empty
/// delimiter. A blank line is the end of such a document, so one for each `<<`, one for the line of the last, and one for a
/// backslash before them leave none open. To the shell they are nothing.
pub(super) fn with_end(text: &str) -> Cow<'_, str> {
    match text.matches("<<").count() {
        0 => Cow::Borrowed(text),
        documents => Cow::Owned(format!("{text}{}", "\n".repeat(documents + 3))),
    }
}

/// True when what follows `<<` is a delimiter of plain text, quoted or not, with an end.
fn has_plain_delimiter(rest: &str) -> bool {
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    let mut chars = rest.strip_prefix([' ', '\t']).unwrap_or(rest).chars();
    let (mut quote, mut is_empty) = (None, true);
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None | Some('"'), '$' | '`') | (None, '(') => return false,
            (None | Some('"'), '\\') => is_empty &= chars.next().is_none_or(char::is_whitespace),
            (None, ' ' | '\t' | '\n' | ';' | '&' | '|' | ')' | '<' | '>') => return !is_empty,
            (None | Some(_), c) => is_empty &= c.is_whitespace(),
        }
    }
    quote.is_none() && !is_empty
}

/// Skips a here-document's body; returns the position of the line break after its end.
fn skip_body(line: &str, newline: usize, delimiter: &str, tabs: bool) -> usize {
    let mut at = newline + 1;
    while at <= line.len() {
        let rest = &line[at..];
        let end = rest.find('\n').map_or(line.len(), |end| at + end);
        let text = if tabs { line[at..end].trim_start_matches('\t') } else { &line[at..end] };
        if text == delimiter {
            return end;
        }
        if end >= line.len() {
            break;
        }
        at = end + 1;
    }
    newline
}

#[cfg(test)]
mod tests {
    use super::{super::guarded::guarded, *};
    use proptest::prelude::*;

    #[test]
    fn bombs_of_every_kind_are_refused() {
        let n = 100;
        for (open, close) in [
            ("( ", " )"),
            ("(", ")"),
            ("$(", ")"),
            ("\"$(", ")\""),
            ("{ ", "; }"),
            ("if a; then ", "; fi"),
            ("if ", "; then b; fi"),
            ("while a; do ", "; done"),
            ("for i in a; do ", "; done"),
            ("case x in x) ", ";; esac"),
            ("${x:-", "}"),
            ("\"${x:-", "}\""),
            ("f() { ", "; }"),
            ("cat <(", ")"),
            ("$((", "))"),
            ("((", "))"),
            ("[[ ( ", " ) ]]"),
            ("@(", ")"),
            ("until a; do ", "; done"),
            ("select a in b; do ", "; done"),
        ] {
            let line = format!("echo; {}:{}", open.repeat(n), close.repeat(n));
            assert_eq!(check(&line), Err(Refusal::TooDeep), "{open}");
            assert_eq!(check(&format!("echo; {}", open.repeat(n))), Err(Refusal::TooDeep), "{open}");
            let line = format!("echo; {}:{}", open.repeat(9), close.repeat(9));
            assert!(open.starts_with('(') || open.starts_with("case") || check(&line).is_ok(), "{open}");
            assert!(check(&format!("echo; {}:{}", open.repeat(3), close.repeat(3))).is_ok(), "{open}");
        }
        assert_eq!(check(&format!("[[ {} a ]]", "! ".repeat(n))), Err(Refusal::TooDeep));
        assert_eq!(check(&"a".repeat(MAX_COMMAND + 1)), Err(Refusal::TooLong));
        for unit in ["a;", "a ", ">b ", "a>b;"] {
            assert_eq!(check(&unit.repeat(MAX_WORDS + 1)), Err(Refusal::Words), "{unit}");
            assert!(check(&unit.repeat(MAX_WORDS / 2)).is_ok(), "{unit}");
        }
    }

    #[test]
    fn here_documents_without_a_plain_delimiter_are_odd() {
        for text in [
            "a <<''",
            "a << \"\" ",
            "a <<\r\t",
            ";;<<\r",
            "a <<-''\t",
            "a <<\\\n ",
            "a <<",
            "a <<E\r\nx\r\nE",
            ",<< $(  ## <<< ~(3",
            "a << `b",
            "a <<@( ## <<< ~(3",
            "a <<E\"b $( ##\"",
            "a <<\"E $( ## <<< ~(3",
            "a <<'E",
            "a $(b <<  E ",
            "a <<- \tE",
        ] {
            assert!(has_odd_here_document(text), "{text:?}");
        }
        for text in [
            "cat <<E\nx\nE",
            "cat <<-'E'\nx\nE",
            "cat <<\\E\nx\nE",
            "cat <<\"E F\"\nx\nE F",
            "cat <<'$(E)'\nx\n$(E)",
            "cat <<E\"O\"F; ls\nx\nEOF",
            "cat <<'E'\ncout << \"f(x) = \" << y << endl;\nE",
            "a <<< ''",
            "a\r",
            "echo $((1 << 2))",
        ] {
            assert!(!has_odd_here_document(text), "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// A text that it does not end on takes all memory, so that this test cannot fail quietly.
        #[test]
        fn the_tokenizer_stops_at_the_end(
            parts in proptest::collection::vec(
                prop::sample::select(vec![
                    "<<", "<<-", "<<<", " ", "\t", "\r", "\n", "E", "''", "\"\"", "'", "\"", "\\", "$(", "$((", "${", "$[",
                    "(", ")", "))", "}", "]", "`", "#", ";", "|", "@(",
                ]),
                0..24,
            ),
        ) {
            let text = parts.concat();
            let options = brush_parser::ParserOptions::default().tokenizer_options();
            // It panics on some texts, which `guarded` takes for unreadable.
            _ = guarded(|| brush_parser::uncached_tokenize_str(&with_end(&text), &options).is_ok());
        }
    }

    #[test]
    fn flat_lines_are_not_deep() {
        for line in [
            "echo '((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((('".to_owned(),
            "for i in a; do :; done; ".repeat(100),
            "if a; then b; else c; fi\n".repeat(100),
            "case x in a) b;; c) d;; esac\n".repeat(100),
            format!("cat <<'E'\n{}\nE\necho", "it's ((((".repeat(30)),
            "# ((( it's\n( a )\n".repeat(70),
            "f() { a; }\n".repeat(100),
        ] {
            assert!(check(&line).is_ok(), "{}", &line[..30]);
        }
    }
}
