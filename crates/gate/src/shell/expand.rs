//! The forms of `${…}` that make another text out of a value that is known: pieces, replacements, cases, other names.

use super::{
    command::Word,
    walk::{MAX_STEPS, Walker},
};
use crate::{place::has_glob, secret::glob_matches};
use brush_parser::word::{Parameter, ParameterExpr, ParameterTransformOp, SubstringMatchKind};

/// Longest value that patterns are tried on, in bytes; trying is quadratic.
const MAX_PATTERNED: usize = 256;

impl Walker<'_> {
    /// The text of an expansion that changes a known value; none when it cannot be told.
    pub(super) fn changed(&mut self, expression: &ParameterExpr) -> Option<Word> {
        let (parameter, indirect) = parameter_of(expression)?;
        let mut value = self.scope_value(parameter)?;
        if indirect {
            value = self.scope.get(&value.text);
        }
        if !value.is_known() || value.glob {
            return None;
        }
        // Trying patterns is work that the cap on steps bounds.
        self.steps += 1 + value.text.len().min(MAX_PATTERNED) / 16;
        if self.steps > MAX_STEPS {
            return None;
        }
        let text = self.changed_text(expression, &value.text)?;
        Some(Word { text, ..value })
    }

    fn scope_value(&mut self, parameter: &Parameter) -> Option<Word> {
        match parameter {
            Parameter::Named(name) => Some(self.scope.get(name)),
            Parameter::Positional(n) if *n > 0 => self.scope.positional.as_ref()?.get(*n as usize - 1).cloned(),
            Parameter::Positional(_)
            | Parameter::Special(_)
            | Parameter::NamedWithIndex { .. }
            | Parameter::NamedWithAllIndices { .. } => None,
        }
    }

    fn changed_text(&mut self, expression: &ParameterExpr, text: &str) -> Option<String> {
        let mut known = |pattern: &Option<String>| -> Option<String> {
            let word = self.value(pattern.as_deref()?);
            word.is_known().then_some(word.text)
        };
        Some(match expression {
            ParameterExpr::Parameter { .. } => text.to_owned(),
            ParameterExpr::Substring { offset, length, .. } => {
                let from: i64 = offset.value.trim().parse().ok()?;
                let chars: Vec<char> = text.chars().collect();
                let from = if from < 0 {
                    chars.len().checked_sub(usize::try_from(-from).ok()?)?
                } else {
                    usize::try_from(from).ok()?
                };
                let rest = chars.get(from..).unwrap_or_default();
                let rest = match length {
                    None => rest,
                    Some(length) => {
                        let length: i64 = length.value.trim().parse().ok()?;
                        let end = if length < 0 {
                            rest.len().checked_sub(usize::try_from(-length).ok()?)?
                        } else {
                            usize::try_from(length).ok()?
                        };
                        &rest[..end.min(rest.len())]
                    }
                };
                rest.iter().collect()
            }
            ParameterExpr::ReplaceSubstring { pattern, replacement, match_kind, .. } => {
                let pattern = known(&Some(pattern.clone()))?;
                let with = match replacement {
                    Some(_) => known(replacement)?,
                    None => String::new(),
                };
                if pattern.is_empty() {
                    // Nothing is found anywhere but at the ends.
                    return Some(match match_kind {
                        SubstringMatchKind::Anywhere | SubstringMatchKind::FirstOccurrence => text.to_owned(),
                        SubstringMatchKind::Prefix => format!("{with}{text}"),
                        SubstringMatchKind::Suffix => format!("{text}{with}"),
                    });
                }
                if has_glob(&pattern) || text.len().saturating_mul(with.len().max(1)) > 1 << 20 {
                    return None;
                }
                match match_kind {
                    SubstringMatchKind::Anywhere => text.replace(&pattern, &with),
                    SubstringMatchKind::FirstOccurrence => text.replacen(&pattern, &with, 1),
                    SubstringMatchKind::Prefix => {
                        text.strip_prefix(&pattern).map_or_else(|| text.to_owned(), |rest| format!("{with}{rest}"))
                    }
                    SubstringMatchKind::Suffix => {
                        text.strip_suffix(&pattern).map_or_else(|| text.to_owned(), |rest| format!("{rest}{with}"))
                    }
                }
            }
            ParameterExpr::RemoveSmallestPrefixPattern { pattern, .. } => without_start(text, &known(pattern)?, false)?,
            ParameterExpr::RemoveLargestPrefixPattern { pattern, .. } => without_start(text, &known(pattern)?, true)?,
            ParameterExpr::RemoveSmallestSuffixPattern { pattern, .. } => without_end(text, &known(pattern)?, false)?,
            ParameterExpr::RemoveLargestSuffixPattern { pattern, .. } => without_end(text, &known(pattern)?, true)?,
            ParameterExpr::Transform { op: ParameterTransformOp::ToUpperCase, .. } => text.to_uppercase(),
            ParameterExpr::Transform { op: ParameterTransformOp::ToLowerCase, .. } => text.to_lowercase(),
            ParameterExpr::UppercasePattern { pattern, .. } if is_any(pattern) => text.to_uppercase(),
            ParameterExpr::LowercasePattern { pattern, .. } if is_any(pattern) => text.to_lowercase(),
            ParameterExpr::UppercaseFirstChar { pattern, .. } if is_any(pattern) => {
                first(text, |c| c.to_uppercase().collect())
            }
            ParameterExpr::LowercaseFirstChar { pattern, .. } if is_any(pattern) => {
                first(text, |c| c.to_lowercase().collect())
            }
            ParameterExpr::Transform { op: ParameterTransformOp::ExpandEscapeSequences, .. } => {
                super::escape::ansi_c(text)
            }
            // Other forms, and those with a pattern of their own.
            ParameterExpr::UppercasePattern { .. }
            | ParameterExpr::LowercasePattern { .. }
            | ParameterExpr::UppercaseFirstChar { .. }
            | ParameterExpr::LowercaseFirstChar { .. }
            | ParameterExpr::Transform { .. }
            | ParameterExpr::UseDefaultValues { .. }
            | ParameterExpr::AssignDefaultValues { .. }
            | ParameterExpr::IndicateErrorIfNullOrUnset { .. }
            | ParameterExpr::UseAlternativeValue { .. }
            | ParameterExpr::ParameterLength { .. }
            | ParameterExpr::VariableNames { .. }
            | ParameterExpr::MemberKeys { .. } => return None,
        })
    }
}

/// The parameter that an expansion of one value names, and whether it names another.
fn parameter_of(expression: &ParameterExpr) -> Option<(&Parameter, bool)> {
    match expression {
        ParameterExpr::Parameter { parameter, indirect }
        | ParameterExpr::Substring { parameter, indirect, .. }
        | ParameterExpr::ReplaceSubstring { parameter, indirect, .. }
        | ParameterExpr::RemoveSmallestPrefixPattern { parameter, indirect, .. }
        | ParameterExpr::RemoveLargestPrefixPattern { parameter, indirect, .. }
        | ParameterExpr::RemoveSmallestSuffixPattern { parameter, indirect, .. }
        | ParameterExpr::RemoveLargestSuffixPattern { parameter, indirect, .. }
        | ParameterExpr::UppercasePattern { parameter, indirect, .. }
        | ParameterExpr::LowercasePattern { parameter, indirect, .. }
        | ParameterExpr::UppercaseFirstChar { parameter, indirect, .. }
        | ParameterExpr::LowercaseFirstChar { parameter, indirect, .. }
        | ParameterExpr::Transform { parameter, indirect, .. } => Some((parameter, *indirect)),
        ParameterExpr::UseDefaultValues { .. }
        | ParameterExpr::AssignDefaultValues { .. }
        | ParameterExpr::IndicateErrorIfNullOrUnset { .. }
        | ParameterExpr::UseAlternativeValue { .. }
        | ParameterExpr::ParameterLength { .. }
        | ParameterExpr::VariableNames { .. }
        | ParameterExpr::MemberKeys { .. } => None,
    }
}

/// True for a pattern that every character matches.
fn is_any(pattern: &Option<String>) -> bool {
    pattern.as_deref().is_none_or(|pattern| matches!(pattern, "" | "?" | "*"))
}

fn first(text: &str, change: impl Fn(char) -> String) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| format!("{}{}", change(c), chars.as_str()))
}

fn without_start(text: &str, pattern: &str, largest: bool) -> Option<String> {
    if text.len() > MAX_PATTERNED {
        return None;
    }
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let mut hits = ends.filter(|end| glob_matches(pattern, &text[..*end]));
    let end = if largest { hits.next_back() } else { hits.next() };
    Some(text[end.unwrap_or(0)..].to_owned())
}

fn without_end(text: &str, pattern: &str, largest: bool) -> Option<String> {
    if text.len() > MAX_PATTERNED {
        return None;
    }
    let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let mut hits = starts.filter(|start| glob_matches(pattern, &text[*start..]));
    let start = if largest { hits.next() } else { hits.next_back() };
    Some(text[..start.unwrap_or(text.len())].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{shell, world::World};

    fn runs(line: &str) -> String {
        let line = shell::read(line, "/workspace", &World::default()).expect("readable");
        line.commands.last().map(|command| command.text()).unwrap_or_default()
    }

    #[test]
    fn values_are_changed_as_bash_does() {
        for (line, want) in [
            ("x=zzrm; ${x:2} a", "rm a"),
            ("x=rmzz; ${x:0:2} a", "rm a"),
            ("x=zrm; ${x: -2} a", "rm a"),
            ("x=@m; ${x//@/r} a", "rm a"),
            ("x=##rm; ${x###} a", "#rm a"),
            ("x=/usr/bin/rm; ${x##*/} a", "rm a"),
            ("x=rm.tar.gz; ${x%%.*} a", "rm a"),
            ("x=RM; ${x,,} a", "rm a"),
            ("y=rm; x=y; ${!x} a", "rm a"),
            ("set -- rm; $1 a", "rm a"),
        ] {
            assert_eq!(runs(line), want, "{line}");
        }
    }

    #[test]
    fn what_is_not_known_stays_so() {
        for line in ["${x:2} a", "${x//@/r} a", "x=$(date); ${x%%.*} a"] {
            assert!(runs(line).contains(crate::place::HOLE), "{line}");
        }
    }

    #[test]
    fn removal_of_patterns() {
        assert_eq!(without_start("a/b/c", "*/", false).as_deref(), Some("b/c"));
        assert_eq!(without_start("a/b/c", "*/", true).as_deref(), Some("c"));
        assert_eq!(without_end("a.b.c", ".*", false).as_deref(), Some("a.b"));
        assert_eq!(without_end("a.b.c", ".*", true).as_deref(), Some("a"));
        assert_eq!(without_end("abc", "x", true).as_deref(), Some("abc"));
    }
}
