//! Whether a quote proves consent: it must stand, word for word, in what the person wrote, and not be the tail of a sentence that
//! says no.

/// Fewest characters and words of a quote: less stands in any text.
const MIN_CHARS: usize = 8;
const MIN_WORDS: usize = 2;
/// Words that turn round what follows them in a sentence.
const NEGATIONS: [&str; 16] = [
    "not",
    "never",
    "no",
    "without",
    "don't",
    "dont",
    "doesn't",
    "mustn't",
    "shouldn't",
    "can't",
    "cannot",
    "won't",
    "avoid",
    "except",
    "unless",
    "instead",
];

/// Negations that tell how things are, and those that forbid.
const DESCRIBES: [&str; 4] = ["cannot", "can't", "doesn't", "won't"];
const FORBIDS: [&str; 10] = ["not", "never", "no", "without", "don't", "dont", "mustn't", "shouldn't", "avoid", "you"];

/// True when `quote` is a verbatim part of one of `sources`; runs of white space count as one space.
pub(super) fn is_verbatim(quote: &str, sources: &[&str]) -> bool {
    let quote = normal(quote);
    if quote.chars().count() < MIN_CHARS || quote.split(' ').count() < MIN_WORDS {
        return false;
    }
    sources.iter().any(|source| {
        let source = normal(source);
        source.match_indices(&quote).any(|(at, _)| {
            let (before, after) = (&source[..at], &source[at + quote.len()..]);
            is_edge(before.chars().next_back(), quote.chars().next())
                && is_edge(quote.chars().next_back(), after.chars().next())
                && !is_negated(before)
        })
    })
}

fn normal(text: &str) -> String {
    text.replace('’', "'").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// True where no word is cut in two.
fn is_edge(left: Option<char>, right: Option<char>) -> bool {
    !(left.is_some_and(char::is_alphanumeric) && right.is_some_and(char::is_alphanumeric))
}

/// True when the sentence that `before` ends in has said no already.
pub(crate) fn is_negated(before: &str) -> bool {
    let sentence = before.rsplit(['.', '!', '?', ';', ':']).next().unwrap_or_default().to_lowercase();
    // "It cannot connect, check …" tells what is wrong and then asks: what only describes ends at the comma.
    let clause =
        |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '\'').any(|word| DESCRIBES.contains(&word));
    let asks =
        |text: &str| !text.split(|c: char| !c.is_alphanumeric() && c != '\'').any(|word| FORBIDS.contains(&word));
    let sentence = match sentence.rsplit_once(", ") {
        Some((head, tail)) if clause(head) && asks(head) => tail.to_owned(),
        Some(_) | None => sentence,
    };
    sentence.split(|c: char| !c.is_alphanumeric() && c != '\'').any(|word| NEGATIONS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: &str = "Clean up the PR.\nDelete the   old branch feature/x, then push it to origin. Do not drop the staging \
                        database; don’t force-push main.";

    #[test]
    fn only_the_person_s_own_words_count() {
        for good in ["Delete the old branch feature/x", "push it to\n origin", "Clean up the PR."] {
            assert!(is_verbatim(good, &["other", TASK]), "{good}");
        }
        for bad in [
            "",
            "the",
            "push",
            "delete the old branch feature/x",
            "Delete the old branch feature/xy",
            "lete the old branch",
            "push it to evil",
            "Delete the old branch then push it",
            "drop the staging database",
            "force-push main",
        ] {
            assert!(!is_verbatim(bad, &["other", TASK]), "{bad}");
        }
        assert!(
            is_verbatim("Do not drop the staging database", &[TASK]),
            "with its `not` it is verbatim; what it allows is another matter"
        );
        assert!(!is_verbatim("push it to origin", &[]));
    }

    proptest::proptest! {
        #[test]
        fn what_is_taken_for_consent_stands_in_the_text(quote in "[a-z ]{0,24}", source in "[a-z ]{0,60}") {
            if is_verbatim(&quote, &[&source]) {
                proptest::prop_assert!(normal(&source).contains(&normal(&quote)));
            }
        }

        #[test]
        fn any_words_of_a_text_without_a_no_are_found(words in proptest::collection::vec("[b-m]{4,8}", 3..12), from in 0..8_usize) {
            let from = from.min(words.len() - 2);
            proptest::prop_assert!(is_verbatim(&words[from..].join("\n "), &[&words.join(" ")]));
        }
    }

    #[test]
    fn a_second_place_without_a_no_counts() {
        assert!(is_verbatim("drop the table", &["never drop the table by hand. Then drop the table with the script"]));
    }
}
