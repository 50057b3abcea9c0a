//! Expansions that cut or change a value: `${f%.ts}`, `${f##*/}`, `${x/a/b}`, `${x,,}`.
//!
//! A value may stand for several (`src/*.ts`); what comes out must stand for all that these become, or is not known.

use super::{command::Word, word::MAX_WORD};
use brush_parser::word::{Parameter, ParameterExpr, SubstringMatchKind};

/// The parameter whose value an expansion cuts or changes.
pub(super) fn parameter(expression: &ParameterExpr) -> Option<&Parameter> {
    match expression {
        ParameterExpr::RemoveSmallestSuffixPattern { parameter, .. }
        | ParameterExpr::RemoveLargestSuffixPattern { parameter, .. }
        | ParameterExpr::RemoveSmallestPrefixPattern { parameter, .. }
        | ParameterExpr::RemoveLargestPrefixPattern { parameter, .. }
        | ParameterExpr::UppercasePattern { parameter, .. }
        | ParameterExpr::LowercasePattern { parameter, .. }
        | ParameterExpr::ReplaceSubstring { parameter, .. } => Some(parameter),
        ParameterExpr::Parameter { .. }
        | ParameterExpr::UseDefaultValues { .. }
        | ParameterExpr::AssignDefaultValues { .. }
        | ParameterExpr::IndicateErrorIfNullOrUnset { .. }
        | ParameterExpr::UseAlternativeValue { .. }
        | ParameterExpr::ParameterLength { .. }
        | ParameterExpr::Substring { .. }
        | ParameterExpr::Transform { .. }
        | ParameterExpr::UppercaseFirstChar { .. }
        | ParameterExpr::LowercaseFirstChar { .. }
        | ParameterExpr::VariableNames { .. }
        | ParameterExpr::MemberKeys { .. } => None,
    }
}

/// What an expansion cuts off or changes, if its pattern is one of the plain ones.
pub(super) fn apply(expression: &ParameterExpr, value: &Word) -> Option<Word> {
    if !value.is_known() {
        return None;
    }
    let text = value.text.as_str();
    let text = match expression {
        ParameterExpr::RemoveSmallestSuffixPattern { indirect: false, pattern, .. } => suffix(text, pattern, false)?,
        ParameterExpr::RemoveLargestSuffixPattern { indirect: false, pattern, .. } => suffix(text, pattern, true)?,
        ParameterExpr::RemoveSmallestPrefixPattern { indirect: false, pattern, .. } => prefix(text, pattern, false)?,
        ParameterExpr::RemoveLargestPrefixPattern { indirect: false, pattern, .. } => prefix(text, pattern, true)?,
        ParameterExpr::LowercasePattern { indirect: false, pattern, .. } if !text.contains('*') && is_all(pattern) => {
            text.to_lowercase()
        }
        ParameterExpr::UppercasePattern { indirect: false, pattern, .. } if !text.contains('*') && is_all(pattern) => {
            text.to_uppercase()
        }
        ParameterExpr::ReplaceSubstring { indirect: false, pattern, replacement, match_kind, .. }
            if !text.contains('*') =>
        {
            let (pattern, new) = (literal(pattern)?, literal(replacement.as_deref().unwrap_or_default())?);
            match match_kind {
                _ if pattern.is_empty() => return None,
                SubstringMatchKind::FirstOccurrence => text.replacen(pattern, new, 1),
                SubstringMatchKind::Anywhere => text.replace(pattern, new),
                SubstringMatchKind::Prefix => {
                    text.strip_prefix(pattern).map_or_else(|| text.to_owned(), |rest| format!("{new}{rest}"))
                }
                SubstringMatchKind::Suffix => {
                    text.strip_suffix(pattern).map_or_else(|| text.to_owned(), |rest| format!("{rest}{new}"))
                }
            }
        }
        ParameterExpr::Parameter { .. }
        | ParameterExpr::UseDefaultValues { .. }
        | ParameterExpr::AssignDefaultValues { .. }
        | ParameterExpr::IndicateErrorIfNullOrUnset { .. }
        | ParameterExpr::UseAlternativeValue { .. }
        | ParameterExpr::ParameterLength { .. }
        | ParameterExpr::RemoveSmallestSuffixPattern { .. }
        | ParameterExpr::RemoveLargestSuffixPattern { .. }
        | ParameterExpr::RemoveSmallestPrefixPattern { .. }
        | ParameterExpr::RemoveLargestPrefixPattern { .. }
        | ParameterExpr::Substring { .. }
        | ParameterExpr::Transform { .. }
        | ParameterExpr::UppercaseFirstChar { .. }
        | ParameterExpr::UppercasePattern { .. }
        | ParameterExpr::LowercaseFirstChar { .. }
        | ParameterExpr::LowercasePattern { .. }
        | ParameterExpr::ReplaceSubstring { .. }
        | ParameterExpr::VariableNames { .. }
        | ParameterExpr::MemberKeys { .. } => return None,
    };
    (text.len() <= MAX_WORD).then(|| Word { text, ..value.clone() })
}

/// True for no pattern, which means every character.
fn is_all(pattern: &Option<String>) -> bool {
    pattern.as_deref().is_none_or(|pattern| matches!(pattern, "" | "?"))
}

/// A pattern that matches itself only.
fn literal(pattern: &str) -> Option<&str> {
    pattern.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/:+,= ".contains(&b)).then_some(pattern)
}

fn suffix(text: &str, pattern: &Option<String>, is_largest: bool) -> Option<String> {
    let pattern = pattern.as_deref()?;
    // What is certain about the end of every value.
    let tail = text.rsplit_once('*').map_or(text, |(_, tail)| tail);
    let is_open = text.contains('*');
    if let Some(mark) = pattern.strip_suffix('*').filter(|mark| matches!(*mark, "." | "/" | "-" | "_" | ":" | "=")) {
        let at = if is_largest { text.find(mark) } else { text.rfind(mark) };
        let is_certain = at.is_some_and(|at| at >= text.len() - tail.len()) && !is_largest;
        return match at {
            Some(at) if !is_open || is_certain || mark == "/" => Some(text[..at].to_owned()),
            Some(_) => None,
            None if !is_open || tail.is_empty() => Some(text.to_owned()),
            None => None,
        };
    }
    let pattern = literal(pattern)?;
    match text.strip_suffix(pattern) {
        Some(rest) if !is_open || tail.len() >= pattern.len() => Some(rest.to_owned()),
        Some(_) => None,
        None if is_open && pattern.ends_with(tail) && !tail.is_empty() => None,
        None => Some(text.to_owned()),
    }
}

fn prefix(text: &str, pattern: &Option<String>, is_largest: bool) -> Option<String> {
    let pattern = pattern.as_deref()?;
    let is_open = text.contains('*');
    if let Some(mark) = pattern.strip_prefix('*').filter(|mark| matches!(*mark, "." | "/" | "-" | "_" | ":" | "=")) {
        if is_open && mark != "/" {
            return None;
        }
        let at = if is_largest { text.rfind(mark) } else { text.find(mark) };
        return Some(at.map_or(text, |at| &text[at + mark.len()..]).to_owned());
    }
    let pattern = literal(pattern)?;
    let head = text.split('*').next().unwrap_or_default();
    match text.strip_prefix(pattern) {
        Some(rest) if head.len() >= pattern.len() => Some(rest.to_owned()),
        Some(_) => None,
        None if is_open && pattern.starts_with(head) => None,
        None => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_certain_or_not_known() {
        let cut = |text: &str, pattern: &str, largest: bool| suffix(text, &Some(pattern.to_owned()), largest);
        assert_eq!(cut("a/b.tar.gz", ".*", false).as_deref(), Some("a/b.tar"));
        assert_eq!(cut("a.tar.gz", ".*", true).as_deref(), Some("a"));
        assert_eq!(cut("src/*.ts", ".ts", false).as_deref(), Some("src/*"));
        assert_eq!(cut("src/*.ts", "/*", false).as_deref(), Some("src"));
        assert_eq!(cut("*", ".png", false).as_deref(), Some("*"));
        // Some of these end in it, some do not.
        assert_eq!(cut("*.png", "a.png", false), None);
        assert_eq!(cut("*foo", ".*", false), None);
        assert_eq!(cut("*.tar.gz", ".*", true), None);
        assert_eq!(cut("x$(id)", "$(id)", false), None);
        let head = |text: &str, pattern: &str, largest: bool| prefix(text, &Some(pattern.to_owned()), largest);
        assert_eq!(head("a/b/c.rs", "*/", true).as_deref(), Some("c.rs"));
        assert_eq!(head("a/b/c.rs", "*/", false).as_deref(), Some("b/c.rs"));
        assert_eq!(head("src/*.ts", "*/", true).as_deref(), Some("*.ts"));
        assert_eq!(head("*/x", "s", false), None);
        assert_eq!(head("v1.2", "v", false).as_deref(), Some("1.2"));
    }
}
