//! Parameter expansion: variables, arguments and arrays, with defaults and alternatives.

use super::{command::Word, trim, walk::Walker};
use crate::place::HOLE;
use brush_parser::word::{Parameter, ParameterExpr, SpecialParameter};

impl Walker<'_> {
    /// The values of a parameter expansion.
    pub(super) fn parameter(&mut self, expression: &ParameterExpr, raw: &str) -> Vec<Word> {
        if let ParameterExpr::Parameter { parameter, indirect: false } = expression {
            return self.parameter_value(parameter);
        }
        if let ParameterExpr::UseDefaultValues { parameter, indirect: false, default_value, .. }
        | ParameterExpr::AssignDefaultValues { parameter, indirect: false, default_value, .. } = expression
        {
            let value = self.parameter_value(parameter);
            let default = self.value(default_value.as_deref().unwrap_or_default());
            let is_set = value.iter().all(|word| word.is_known() && !word.text.is_empty());
            if is_set && !value.is_empty() {
                return value;
            }
            if let (ParameterExpr::AssignDefaultValues { .. }, Parameter::Named(name)) = (expression, parameter) {
                // What it was is not known, or it is the new value from now on.
                let is_empty = value.iter().all(|word| word.text.is_empty());
                self.assigned(name, if is_empty { default.clone() } else { Word::hole() });
            }
            if value.iter().all(|word| word.text.is_empty()) {
                return vec![default];
            }
            // Either may be used, so the value is not known; what the line gives stays to be looked at.
            let sources = value.iter().flat_map(|word| word.sources.clone()).chain(default.sources).collect();
            let secret = default.secret || value.iter().any(|word| word.secret);
            return vec![Word { sources, secret, ..Word::literal(format!("{HOLE}{}", default.text)) }];
        }
        if let ParameterExpr::UseAlternativeValue { alternative_value, .. } = expression {
            let value = self.value(alternative_value.as_deref().unwrap_or_default());
            let text = format!("{HOLE}{}", value.text);
            return vec![Word { text, glob: false, ..value }];
        }
        if let Some(words) = self.arguments_from(expression) {
            return words;
        }
        if let Some(word) = self.changed(expression) {
            return vec![word];
        }
        // The other forms: their value is a hole, and substitutions inside them must not go unseen.
        let inner = raw.get(2..).unwrap_or_default();
        if inner.contains("$(") || inner.contains('`') || inner.contains("@P") {
            self.gap(format!("the expansion `{raw}` runs commands"));
        }
        let name: String =
            inner.trim_start_matches(['!', '#']).chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let value = self.scope.get(&name);
        if let Some(parameter) = trim::parameter(expression)
            && let [value] = self.parameter_value(parameter).as_slice()
            && let Some(word) = trim::apply(expression, value)
        {
            return vec![word];
        }
        let is_length = matches!(expression, ParameterExpr::ParameterLength { .. });
        vec![Word { sources: value.sources, secret: value.secret && !is_length, ..Word::hole() }]
    }

    fn parameter_value(&mut self, parameter: &Parameter) -> Vec<Word> {
        match parameter {
            Parameter::Named(name) => vec![self.scope.get(name)],
            Parameter::Positional(0) => vec![self.scope.zero.clone()],
            Parameter::Positional(n) => match &self.scope.positional {
                Some(words) => vec![words.get(*n as usize - 1).cloned().unwrap_or_default()],
                None => vec![Word::hole()],
            },
            Parameter::Special(SpecialParameter::AllPositionalParameters { .. }) => {
                self.scope.positional.clone().unwrap_or_else(|| vec![Word::hole()])
            }
            Parameter::Special(
                SpecialParameter::PositionalParameterCount
                | SpecialParameter::LastExitStatus
                | SpecialParameter::CurrentOptionFlags
                | SpecialParameter::ProcessId
                | SpecialParameter::LastBackgroundProcessId
                | SpecialParameter::ShellName,
            ) => vec![Word::hole()],
            Parameter::NamedWithIndex { name, index } => {
                if index.contains(['$', '`']) {
                    self.value(index);
                }
                if let Ok(at) = index.trim().parse::<usize>()
                    && let Some(items) = self.scope.arrays.get(name)
                {
                    return vec![items.get(at).cloned().unwrap_or_default()];
                }
                let value = self.scope.get(name);
                vec![Word { sources: value.sources, secret: value.secret, ..Word::hole() }]
            }
            Parameter::NamedWithAllIndices { name, .. } => {
                self.scope.arrays.get(name).cloned().unwrap_or_else(|| vec![self.scope.get(name)])
            }
        }
    }

    /// `${@:2}`, `${a[@]:1:2}`: some of the arguments, or of an array.
    fn arguments_from(&self, expression: &ParameterExpr) -> Option<Vec<Word>> {
        let ParameterExpr::Substring { parameter, indirect: false, offset, length } = expression else { return None };
        let words: Vec<Word> = match parameter {
            Parameter::Special(SpecialParameter::AllPositionalParameters { .. }) => {
                std::iter::once(&self.scope.zero).chain(self.scope.positional.as_ref()?).cloned().collect()
            }
            Parameter::NamedWithAllIndices { name, .. } => self.scope.arrays.get(name)?.clone(),
            Parameter::Named(_)
            | Parameter::Positional(_)
            | Parameter::Special(_)
            | Parameter::NamedWithIndex { .. } => {
                return None;
            }
        };
        let from: i64 = offset.value.trim().parse().ok()?;
        let from = match usize::try_from(from) {
            Ok(from) => from,
            Err(_) => words.len().checked_sub(usize::try_from(-from).ok()?)?,
        };
        let rest = words.get(from..).unwrap_or_default();
        let length = match length {
            None => rest.len(),
            Some(length) => length.value.trim().parse::<usize>().ok()?.min(rest.len()),
        };
        Some(rest[..length].to_vec())
    }
}

/// For `$@` and `$*`: whether they are joined into one word when quoted.
pub(super) fn is_all(expression: &ParameterExpr) -> Option<bool> {
    if let ParameterExpr::Parameter {
        parameter: Parameter::Special(SpecialParameter::AllPositionalParameters { concatenate }),
        ..
    } = expression
    {
        return Some(*concatenate);
    }
    if let ParameterExpr::Parameter { parameter: Parameter::NamedWithAllIndices { concatenate, .. }, .. } = expression {
        return Some(*concatenate);
    }
    if let ParameterExpr::Substring {
        parameter:
            Parameter::Special(SpecialParameter::AllPositionalParameters { concatenate })
            | Parameter::NamedWithAllIndices { concatenate, .. },
        ..
    } = expression
    {
        return Some(*concatenate);
    }
    None
}
