//! Splits arguments into options and operands, the way most programs do.

use crate::{place::HOLE, shell::Word};

/// Options that make a command look or try instead of act.
const SOFTENERS: [&str; 6] = ["--dry-run", "--cached", "--staged", "--check", "--list", "--help"];

/// The arguments of one command.
#[derive(Debug, Default)]
pub(crate) struct Args<'a> {
    /// Option names (`-r`, `--recursive`) with their values.
    pub options: Vec<(String, Option<Word>)>,
    /// Everything else, in order.
    pub operands: Vec<&'a Word>,
    /// True when a word that is not known could be an option.
    pub is_dynamic: bool,
}

impl<'a> Args<'a> {
    /// `valued` lists the options that take a value of their own.
    pub(crate) fn parse(words: &'a [Word], valued: &[&str]) -> Self {
        let mut args = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let text = word.text.as_str();
            args.is_dynamic |= text.starts_with(HOLE);
            if text == "--" {
                args.operands.extend(words.by_ref());
            } else if text.starts_with("--") {
                match text.split_once('=') {
                    Some((name, value)) => args.option(name, Some(Word { text: value.to_owned(), ..word.clone() })),
                    None if valued.contains(&text) => args.option(text, words.next().cloned()),
                    None => args.option(text, None),
                }
            } else if text.len() > 1 && text.starts_with('-') {
                if valued.contains(&text) {
                    args.option(text, words.next().cloned());
                    continue;
                }
                for (at, c) in text.char_indices().skip(1) {
                    let name = format!("-{c}");
                    if valued.contains(&name.as_str()) {
                        let rest = &text[at + c.len_utf8()..];
                        let value = if rest.is_empty() {
                            words.next().cloned()
                        } else {
                            Some(Word { text: rest.to_owned(), ..word.clone() })
                        };
                        args.option(&name, value);
                        break;
                    }
                    args.option(&name, None);
                }
            } else {
                args.operands.push(word);
            }
        }
        args
    }

    fn option(&mut self, name: &str, value: Option<Word>) {
        self.options.push((name.to_owned(), value));
    }

    /// True when one of the options is given; a long option may be cut short, as GNU programs allow.
    /// Where an option makes a command harmless, one letter is no proof of it.
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        self.options.iter().any(|(given, _)| {
            names.iter().any(|name| {
                let enough = if SOFTENERS.contains(name) { 4 } else { 3 };
                given == name || (given.len() >= enough && given.starts_with("--") && name.starts_with(given.as_str()))
            })
        })
    }

    /// The values of one of the options.
    pub(crate) fn values<'s>(&'s self, names: &'s [&str]) -> impl Iterator<Item = &'s Word> {
        self.options.iter().filter(|(given, _)| names.contains(&given.as_str())).filter_map(|(_, value)| value.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_values_and_ends() {
        let words: Vec<Word> = ["-rfo", "x", "--force", "--out=y", "a", "--", "-z"].map(Word::literal).to_vec();
        let args = Args::parse(&words, &["-o"]);
        assert!(args.has(&["-r"]) && args.has(&["-f"]) && args.has(&["--force"]));
        assert_eq!(args.values(&["-o"]).next().map(|word| word.text.as_str()), Some("x"));
        assert_eq!(args.operands.iter().map(|word| word.text.as_str()).collect::<Vec<_>>(), ["a", "-z"]);
        assert!(Args::parse(&[Word::literal("--recur")], &[]).has(&["--recursive"]));
    }
}
