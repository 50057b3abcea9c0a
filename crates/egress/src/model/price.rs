//! List prices of the models that are known, in US dollars per million tokens, as published by their vendor. Long-context
//! and batch rates and the one-hour cache are not in it.

/// Tokens of one answer by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// Neither read from nor written to the cache.
    pub(crate) input: u64,
    /// Generated.
    pub(crate) output: u64,
    /// Written to the cache: 1.25 times the input price.
    pub(crate) cache_write: u64,
    /// Read from the cache: a tenth of the input price.
    pub(crate) cache_read: u64,
}

/// Model, input price, output price.
const TABLE: [(&str, f64, f64); 2] = [("claude-sonnet-4-6", 3.0, 15.0), ("claude-opus-4-6", 5.0, 25.0)];

/// The cost in US dollars; `None` for a model that is not in the table.
pub(crate) fn cost(model: &str, tokens: Tokens) -> Option<f64> {
    let (_, input, output) = TABLE.iter().find(|(name, _, _)| is_model(model, name))?;
    let count = |tokens: u64| tokens as f64 / 1e6;
    Some(
        count(tokens.input) * input
            + count(tokens.output) * output
            + count(tokens.cache_write) * input * 1.25
            + count(tokens.cache_read) * input * 0.1,
    )
}

/// True for the name itself and for its dated ids, `<name>-YYYYMMDD`.
pub(crate) fn is_model(model: &str, name: &str) -> bool {
    match model.strip_prefix(name) {
        Some("") => true,
        Some(rest) => {
            rest.strip_prefix('-').is_some_and(|date| date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()))
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_by_class() {
        let million = 1_000_000;
        let all = Tokens { input: million, output: million, cache_write: million, cache_read: million };
        let near = |model, expected: f64| cost(model, all).is_some_and(|found| (found - expected).abs() < 1e-9);
        assert!(near("claude-sonnet-4-6", 3.0 + 15.0 + 3.75 + 0.3));
        assert!(near("claude-opus-4-6-20260101", 5.0 + 25.0 + 6.25 + 0.5));
        for unknown in ["claude-sonnet-4-60", "claude-sonnet-4-6-fast", "claude-haiku", "", "claude-sonnet-4-6-2026010"]
        {
            assert_eq!(cost(unknown, all), None, "{unknown}");
        }
    }
}
