//! What models cost. The built-in prices are list prices as published by the vendor; the operator can add to them and change them.
//! Only standard rates are in it. Batches do not pass the gateway, and fast answers only with `server-side = "allow"`; `service_tier`
//! passes, and what it changes in the price is not seen.

use crate::config::ConfigError;
use types::{budget::TokenCounts, profile::ModelPrice};

/// What one answer took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Tokens by class.
    pub(crate) tokens: TokenCounts,
    /// So many of the tokens written to the cache stay there for an hour, for twice the input's price.
    pub(crate) hourly: u64,
    /// Searches that the endpoint made.
    pub(crate) searches: u64,
}

/// US dollars per million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rate {
    input: f64,
    output: f64,
    cache_write: f64,
    cache_read: f64,
}

/// Model, input, output; the rest follows from the input.
const TABLE: [(&str, f64, f64); 2] = [("claude-sonnet-4-6", 3.0, 15.0), ("claude-opus-4-6", 5.0, 25.0)];
/// US dollars for one search.
const SEARCH: f64 = 0.01;

/// The prices of one gateway.
#[derive(Clone, Debug)]
pub(crate) struct Prices {
    /// The operator's first.
    rates: Vec<(String, Rate)>,
}

impl Prices {
    /// The built-in prices with the operator's before them.
    ///
    /// # Errors
    /// [`ConfigError::Price`] for one that is no amount of money.
    pub(crate) fn new(own: &[ModelPrice]) -> Result<Self, ConfigError> {
        let mut rates = Vec::new();
        for price in own {
            let rate = Rate {
                input: price.input,
                output: price.output,
                cache_write: price.cache_write.unwrap_or(price.input * 1.25),
                cache_read: price.cache_read.unwrap_or(price.input * 0.1),
            };
            let all = [rate.input, rate.output, rate.cache_write, rate.cache_read];
            if price.model.is_empty() || all.iter().any(|amount| !amount.is_finite() || *amount < 0.0) {
                return Err(ConfigError::Price { model: price.model.clone() });
            }
            rates.push((price.model.clone(), rate));
        }
        let built_in = TABLE.map(|(model, input, output)| {
            (model.to_owned(), Rate { input, output, cache_write: input * 1.25, cache_read: input * 0.1 })
        });
        rates.extend(built_in);
        Ok(Self { rates })
    }

    /// The cost in US dollars; none for a model without a price.
    pub(crate) fn cost(&self, model: &str, taken: &Taken) -> Option<f64> {
        let (_, rate) = self.rates.iter().find(|(name, _)| is_model(model, name))?;
        Some(rate.cost(taken))
    }

    /// The cost with the dearest of all prices, for a model without one: a budget must hold for it too.
    pub(crate) fn dearest(&self, taken: &Taken) -> f64 {
        self.rates.iter().map(|(_, rate)| rate.cost(taken)).fold(0.0, f64::max)
    }
}

impl Rate {
    fn cost(&self, taken: &Taken) -> f64 {
        let count = |tokens: u64| tokens as f64 / 1e6;
        let TokenCounts { input, output, cache_write, cache_read } = taken.tokens;
        let hourly = taken.hourly.min(cache_write);
        count(input) * self.input
            + count(output) * self.output
            + count(cache_write - hourly) * self.cache_write
            + count(hourly) * self.cache_write.max(self.input * 2.0)
            + count(cache_read) * self.cache_read
            + taken.searches as f64 * SEARCH
    }
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

    const MILLION: u64 = 1_000_000;

    fn all() -> Taken {
        let tokens = TokenCounts { input: MILLION, output: MILLION, cache_write: MILLION, cache_read: MILLION };
        Taken { tokens, hourly: 0, searches: 0 }
    }

    fn near(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found - expected).abs() < 1e-9)
    }

    #[test]
    fn prices_by_class() {
        let prices = Prices::new(&[]).expect("prices");
        assert!(near(prices.cost("claude-sonnet-4-6", &all()), 3.0 + 15.0 + 3.75 + 0.3));
        assert!(near(prices.cost("claude-opus-4-6-20260101", &all()), 5.0 + 25.0 + 6.25 + 0.5));
        let more = Taken { hourly: MILLION, searches: 3, ..all() };
        assert!(near(prices.cost("claude-sonnet-4-6", &more), 3.0 + 15.0 + 6.0 + 0.3 + 0.03));
        for unknown in ["claude-sonnet-4-60", "claude-sonnet-4-6-fast", "claude-haiku", "", "claude-sonnet-4-6-2026010"]
        {
            assert_eq!(prices.cost(unknown, &all()), None, "{unknown}");
        }
        assert!(near(Some(prices.dearest(&all())), 5.0 + 25.0 + 6.25 + 0.5));
    }

    #[test]
    fn the_operator_s_prices_come_first() {
        let price = |model: &str, input, output| ModelPrice {
            model: model.into(),
            input,
            output,
            cache_write: None,
            cache_read: Some(0.0),
        };
        let prices = Prices::new(&[price("local", 0.0, 0.0), price("claude-opus-4-6", 1.0, 2.0)]).expect("prices");
        assert!(near(prices.cost("local", &all()), 0.0));
        assert!(near(prices.cost("claude-opus-4-6", &all()), 1.0 + 2.0 + 1.25));
        for bad in [f64::NAN, -1.0, f64::INFINITY] {
            assert!(Prices::new(&[price("x", bad, 1.0)]).is_err(), "{bad}");
        }
    }
}
