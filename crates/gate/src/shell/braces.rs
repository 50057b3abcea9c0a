//! Brace expansion: `{a,b}`, `{1..9}`, as far as its results are few.

use super::{guarded::guarded, walk::Walker};
use brush_parser::{
    ParserOptions,
    word::{BraceExpressionMember, BraceExpressionOrText},
};

/// Deepest nesting of braces in one word; measured: 10 open ones take 30 ms, 14 take 4 s.
const MAX_BRACE_DEPTH: usize = 6;
/// Most words that braces in one word may expand to.
const MAX_BRACES: usize = 64;

impl Walker<'_> {
    /// Brace expansion, on the raw text.
    pub(super) fn braces(&mut self, raw: &str) -> Vec<String> {
        if !raw.contains('{') || !(raw.contains(',') || raw.contains("..")) {
            return vec![raw.to_owned()];
        }
        // The parser tries every way to close what is open: its time is exponential in the depth.
        let parsed = (brace_depth(raw) <= MAX_BRACE_DEPTH)
            .then(|| guarded(|| brush_parser::word::parse_brace_expansions(raw, &ParserOptions::default())))
            .flatten();
        if parsed.is_none() {
            self.gap("a brace expansion that cannot be parsed".to_owned());
        }
        let Some(Ok(Some(parts))) = parsed else {
            return vec![raw.to_owned()];
        };
        expand_braces(&parts, 0).unwrap_or_else(|| {
            self.gap("brace expansion with too many results".to_owned());
            vec![raw.to_owned()]
        })
    }
}

fn brace_depth(raw: &str) -> usize {
    let (mut depth, mut worst) = (0usize, 0);
    for byte in raw.bytes() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        worst = worst.max(depth);
    }
    worst
}

fn expand_braces(parts: &[BraceExpressionOrText], depth: usize) -> Option<Vec<String>> {
    let mut results = vec![String::new()];
    if depth > 8 {
        return None;
    }
    for part in parts {
        let choices = match part {
            BraceExpressionOrText::Text(text) => vec![text.clone()],
            BraceExpressionOrText::Expr(members) => {
                let mut choices = Vec::new();
                for member in members {
                    match member {
                        BraceExpressionMember::Child(inner) => choices.extend(expand_braces(inner, depth + 1)?),
                        BraceExpressionMember::NumberSequence { start, end, increment } => {
                            let step = increment.unsigned_abs().max(1);
                            if start.abs_diff(*end) / step >= MAX_BRACES as u64 {
                                return None;
                            }
                            let (low, high) = (*start.min(end), *start.max(end));
                            choices.extend((low..=high).step_by(usize::try_from(step).ok()?).map(|n| n.to_string()));
                        }
                        BraceExpressionMember::CharSequence { start, end, .. } => {
                            let (low, high) = (*start.min(end), *start.max(end));
                            choices.extend((low..=high).take(MAX_BRACES).map(|c| c.to_string()));
                        }
                    }
                }
                choices
            }
        };
        if results.len() * choices.len() > MAX_BRACES {
            return None;
        }
        results = results.iter().flat_map(|head| choices.iter().map(move |tail| format!("{head}{tail}"))).collect();
    }
    Some(results)
}
