//! Making foreign text safe to print. Everything that an agent, a repository or a network peer wrote passes through here
//! before it reaches a terminal.

/// `text` with control, bidirectional and invisible characters shown as escapes, cut after `max` characters with a mark.
#[must_use]
pub fn printable(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max) + 8);
    for (n, c) in text.chars().enumerate() {
        if n == max {
            out.push('…');
            break;
        }
        push_escaped(&mut out, c);
    }
    out
}

/// Like [`printable`], without a cut, keeping line breaks and tabs: for diffs and logs.
#[must_use]
pub fn printable_block(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || c == '\t' {
            out.push(c);
        } else {
            push_escaped(&mut out, c);
        }
    }
    out
}

fn push_escaped(out: &mut String, c: char) {
    if is_unsafe(c) {
        out.extend(c.escape_unicode());
    } else {
        out.push(c);
    }
}

/// Characters that move the cursor, reorder or hide text.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The known word nearest to `unknown`, if one is near enough to be a likely slip.
#[must_use]
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(unknown, word), word))
        .filter(|(distance, word)| *distance <= 2.max(word.len() / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_shown_not_sent() {
        assert_eq!(printable("a\u{1b}]52;c;x\u{7}b\u{202e}", 99), "a\\u{1b}]52;c;x\\u{7}b\\u{202e}");
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable_block("a\tb\nc\r"), "a\tb\nc\\u{d}");
    }

    #[test]
    fn slips_are_recognised() {
        assert_eq!(nearest("timout", ["timeout", "verify"]), Some("timeout"));
        assert_eq!(nearest("zzz", ["timeout", "verify"]), None);
    }
}
