//! What parsing a word can cost, told before it is parsed.
//!
//! brush-parser 0.4 tries every way to read an expansion that it cannot close or that has something odd in it, level by level, so its
//! time is exponential in the depth. Measured, for each level more: `${a[` 18 times as long, `$((` 7, `$(` 3, `${` 2.5, a plain
//! opener inside any of them 2. What must stay true: nothing makes the depth look smaller than what the parser may see, so an
//! end counts only where no quote before it could be read in two ways. Over random texts of these parts no word
//! within [`MAX_EFFORT`] took 60 ms.

/// Most effort for all words of one call.
pub(super) const MAX_EFFORT: usize = 4 * 1024;
/// Most constructs that may be open at once.
const MAX_OPEN: usize = 256;

/// A construct that is open.
struct Open {
    /// What ends it.
    end: &'static [u8],
    /// What a level cost before it.
    before: usize,
    /// A quote in it could be read in two ways, so that its end may be none.
    is_doubtful: bool,
}

const QUOTE: &[u8] = b"\"";

/// The effort of parsing a word: the sum over its constructs of what their level costs.
pub(super) fn word(raw: &str) -> usize {
    let bytes = raw.as_bytes();
    let mut open: Vec<Open> = Vec::new();
    let (mut cost, mut total, mut at) = (1usize, 0usize, 0);
    while at < bytes.len() {
        let rest = &bytes[at..];
        if let Some(closed) = open.pop_if(|open| rest.starts_with(open.end) && !open.is_doubtful) {
            cost = closed.before;
            at += closed.end.len();
        } else if let Some((end, factor)) = opener(rest, at > 0 && bytes[at - 1] == b'$', &open) {
            open.push(Open { end, before: cost, is_doubtful: false });
            cost = cost.saturating_mul(factor);
            total = total.saturating_add(cost);
            at += end.len();
            if open.len() > MAX_OPEN || total > MAX_EFFORT {
                return usize::MAX;
            }
        } else if matches!(rest[0], b'\'' | b'\\' | b'`') {
            let plain = plain_quote(rest);
            if plain.is_none() {
                open.iter_mut().for_each(|open| open.is_doubtful = true);
            }
            at += plain.unwrap_or(1);
        } else {
            at += 1;
        }
    }
    total
}

/// The end and the factor of the construct that begins here.
fn opener(rest: &[u8], follows_dollar: bool, open: &[Open]) -> Option<(&'static [u8], usize)> {
    let is_inside = || open.iter().any(|open| open.end != QUOTE);
    let has_index = || open.iter().any(|open| matches!(open.end, b"}" | b"]" | b"))"));
    match rest {
        [b'(', b'(', ..] if follows_dollar => Some((b"))", 7)),
        [b'(', ..] if follows_dollar => Some((b")", 3)),
        [b'{', ..] if follows_dollar => Some((b"}", 3)),
        [b'[', ..] if follows_dollar => Some((b"]", 4)),
        [b'[', ..] if has_index() => Some((b"]", 9)),
        [b'(', ..] if is_inside() => Some((b")", 2)),
        [b'{', ..] if is_inside() => Some((b"}", 2)),
        [b'"', ..] if open.last().is_none_or(|open| open.end != QUOTE) => Some((QUOTE, 1)),
        _ => None,
    }
}

/// Length of quoted text that nothing makes something else.
fn plain_quote(rest: &[u8]) -> Option<usize> {
    let is_plain = |byte: &u8| !b"$(){}[]\"'`\\".contains(byte);
    match rest {
        [b'\\', next, ..] => is_plain(next).then_some(2),
        [b'\'', rest @ ..] => {
            let length = rest.iter().take_while(|byte| is_plain(byte)).count();
            (rest.get(length) == Some(&b'\'')).then_some(length + 2)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::guarded::guarded, *};
    use brush_parser::{ParserOptions, word as parser};
    use proptest::prelude::*;

    #[test]
    fn what_people_write_has_room() {
        for text in [
            r#""$(cd "$(dirname "$(readlink -f "$(command -v "$0")")")" && pwd)""#,
            "${a:-${b:-${c:-${d:-e}}}}",
            "$((($1 + 2) * (3 - $x[1])))",
            "it's :( and :( and (a) [b] {c}",
            r#"{"a": [{"b": "$(id -un)"}, {"c": "${HOME}"}]}"#,
        ] {
            assert!(word(text) < MAX_EFFORT / 4, "{text}: {}", word(text));
        }
        let many = r#"$(date +"%F") ${x:-y} "#.repeat(200);
        assert!(word(&many) <= MAX_EFFORT, "{}", word(&many));
    }

    #[test]
    fn depth_has_none_whatever_seems_to_end_it() {
        for unit in
            ["${a[", "${a[']'", "$(", "$(')'", "$(\\)", "$((", "$(()", "${a:-", "${a:-'}'", "$[", "${(", "$(`)`"]
        {
            assert_eq!(word(&unit.repeat(16)), usize::MAX, "{unit}");
        }
        assert_eq!(word(&format!("${}", "{(".repeat(16))), usize::MAX);
    }

    const PARTS: [&str; 32] = [
        "$(", "${a[", "${a:-", "${", "$((", "(", ")", "}", "]", "'", "\"", "\\", "#", "`", "a", " ", "{", ",", "[",
        "<(", "$'", "$[", "\n", "((", "))", "${#", "@(", "$", "{a,", "..", "~", ">",
    ];

    proptest! {
        /// The parser ends: a word that slipped through would keep the test from ending.
        #[test]
        fn words_with_room_are_parsed(
            before in prop::collection::vec(prop::sample::select(PARTS.as_slice()), 0..3),
            unit in prop::collection::vec(prop::sample::select(PARTS.as_slice()), 1..6),
            times in prop::sample::select(vec![5usize, 8, 12, 20, 40]),
            after in prop::collection::vec(prop::sample::select(PARTS.as_slice()), 0..4),
        ) {
            let text = format!("{}{}{}", before.concat(), unit.concat().repeat(times), after.concat());
            if word(&text) <= MAX_EFFORT {
                let _ = guarded(|| parser::parse(&text, &ParserOptions::default()));
                let _ = guarded(|| parser::parse_heredoc(&text, &ParserOptions::default()));
            }
        }
    }
}
