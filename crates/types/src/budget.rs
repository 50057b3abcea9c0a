//! What a run may take and what it took: the caps of `[limits]`, the four classes of tokens, and the names of the limits by which a
//! run can end.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Cow, cmp::Ordering, fmt};

/// A highest count, or none. Written as a number or as `"none"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cap(Option<u64>);

impl Cap {
    /// No cap.
    pub const NONE: Self = Self(None);

    /// At most so many.
    #[must_use]
    pub const fn at(count: u64) -> Self {
        Self(Some(count))
    }

    /// The count, if there is one.
    #[must_use]
    pub const fn count(self) -> Option<u64> {
        self.0
    }
}

/// No cap is wider than every cap.
impl PartialOrd for Cap {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let width = |cap: &Self| (cap.0.is_none(), cap.0);
        width(self).partial_cmp(&width(other))
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(count) => write!(f, "{count}"),
            None => f.write_str("none"),
        }
    }
}

impl Serialize for Cap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(count) => serializer.serialize_u64(count),
            None => serializer.serialize_str("none"),
        }
    }
}

impl<'de> Deserialize<'de> for Cap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Count(u64),
            Word(String),
        }
        match Written::deserialize(deserializer) {
            Ok(Written::Count(count)) if count > 0 => Ok(Self(Some(count))),
            Ok(Written::Word(word)) if word == "none" => Ok(Self(None)),
            Ok(Written::Count(_) | Written::Word(_)) | Err(_) => {
                Err(D::Error::custom("expected a whole number above 0, or \"none\""))
            }
        }
    }
}

impl JsonSchema for Cap {
    fn schema_name() -> Cow<'static, str> {
        "Cap".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "A highest count, or \"none\".",
            "anyOf": [{"type": "integer", "minimum": 1}, {"const": "none"}],
        })
    }
}

/// Caps on the four classes of tokens, `limits.max-tokens`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TokenCaps {
    /// Input tokens that are neither read from nor written to the cache.
    pub input: Cap,
    /// Output tokens.
    pub output: Cap,
    /// Input tokens written to the cache.
    pub cache_write: Cap,
    /// Input tokens read from the cache.
    pub cache_read: Cap,
}

impl TokenCaps {
    /// The cap of a class.
    #[must_use]
    pub fn of(&self, class: TokenClass) -> Cap {
        match class {
            TokenClass::Input => self.input,
            TokenClass::Output => self.output,
            TokenClass::CacheWrite => self.cache_write,
            TokenClass::CacheRead => self.cache_read,
        }
    }

    /// The cap of a class, to be changed.
    pub fn of_mut(&mut self, class: TokenClass) -> &mut Cap {
        match class {
            TokenClass::Input => &mut self.input,
            TokenClass::Output => &mut self.output,
            TokenClass::CacheWrite => &mut self.cache_write,
            TokenClass::CacheRead => &mut self.cache_read,
        }
    }
}

/// Counts of the four classes of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct TokenCounts {
    /// Input tokens that were neither read from nor written to the cache.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Input tokens written to the cache.
    pub cache_write: u64,
    /// Input tokens read from the cache.
    pub cache_read: u64,
}

impl TokenCounts {
    /// The count of a class.
    #[must_use]
    pub fn of(&self, class: TokenClass) -> u64 {
        match class {
            TokenClass::Input => self.input,
            TokenClass::Output => self.output,
            TokenClass::CacheWrite => self.cache_write,
            TokenClass::CacheRead => self.cache_read,
        }
    }

    /// Both together, class by class.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            cache_read: self.cache_read.saturating_add(other.cache_read),
        }
    }

    /// The first less the second, class by class; not below zero.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_sub(other.input),
            output: self.output.saturating_sub(other.output),
            cache_write: self.cache_write.saturating_sub(other.cache_write),
            cache_read: self.cache_read.saturating_sub(other.cache_read),
        }
    }
}

/// The classes of tokens that are priced apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenClass {
    /// Input that is neither read from nor written to the cache.
    Input,
    /// Output.
    Output,
    /// Input written to the cache.
    CacheWrite,
    /// Input read from the cache.
    CacheRead,
}

impl TokenClass {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Input, Self::Output, Self::CacheWrite, Self::CacheRead];

    /// The limit by which a run ends when its cap is reached.
    #[must_use]
    pub fn limit(self) -> Limit {
        match self {
            Self::Input => Limit::MaxTokensInput,
            Self::Output => Limit::MaxTokensOutput,
            Self::CacheWrite => Limit::MaxTokensCacheWrite,
            Self::CacheRead => Limit::MaxTokensCacheRead,
        }
    }
}

/// A limit of `[limits]` that can end a run, by the name of its setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Limit {
    /// Wall clock.
    #[serde(rename = "timeout")]
    Timeout,
    /// Silence of the agent.
    #[serde(rename = "idle-timeout")]
    IdleTimeout,
    /// Turns of the model.
    #[serde(rename = "max-turns")]
    MaxTurns,
    /// Cost of model requests.
    #[serde(rename = "max-budget-usd")]
    MaxBudgetUsd,
    /// Model requests.
    #[serde(rename = "max-requests")]
    MaxRequests,
    /// Input tokens beside the cache.
    #[serde(rename = "max-tokens.input")]
    MaxTokensInput,
    /// Output tokens.
    #[serde(rename = "max-tokens.output")]
    MaxTokensOutput,
    /// Input tokens written to the cache.
    #[serde(rename = "max-tokens.cache-write")]
    MaxTokensCacheWrite,
    /// Input tokens read from the cache.
    #[serde(rename = "max-tokens.cache-read")]
    MaxTokensCacheRead,
}

impl Limit {
    /// Every limit.
    pub const ALL: [Self; 9] = [
        Self::Timeout,
        Self::IdleTimeout,
        Self::MaxTurns,
        Self::MaxBudgetUsd,
        Self::MaxRequests,
        Self::MaxTokensInput,
        Self::MaxTokensOutput,
        Self::MaxTokensCacheWrite,
        Self::MaxTokensCacheRead,
    ];

    /// Its name, as in the profile.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::IdleTimeout => "idle-timeout",
            Self::MaxTurns => "max-turns",
            Self::MaxBudgetUsd => "max-budget-usd",
            Self::MaxRequests => "max-requests",
            Self::MaxTokensInput => "max-tokens.input",
            Self::MaxTokensOutput => "max-tokens.output",
            Self::MaxTokensCacheWrite => "max-tokens.cache-write",
            Self::MaxTokensCacheRead => "max-tokens.cache-read",
        }
    }

    /// The limit that a reason for an end begins with.
    #[must_use]
    pub fn of_reason(reason: &str) -> Option<Self> {
        let (name, _) = reason.split_once(':')?;
        Self::ALL.into_iter().find(|limit| limit.as_str() == name)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_are_counts_or_none_and_none_is_the_widest() {
        let caps: TokenCaps = serde_json::from_str(r#"{"input":5,"cache-read":"none"}"#).expect("caps");
        assert_eq!((caps.of(TokenClass::Input), caps.of(TokenClass::CacheRead)), (Cap::at(5), Cap::NONE));
        assert_eq!(
            serde_json::to_string(&caps).expect("json"),
            r#"{"input":5,"output":"none","cache-write":"none","cache-read":"none"}"#
        );
        for bad in ["0", "-1", "1.5", "\"many\"", "\"5\"", "null", "true"] {
            assert!(serde_json::from_str::<Cap>(bad).is_err(), "{bad}");
        }
        assert!(Cap::NONE > Cap::at(u64::MAX) && Cap::at(2) > Cap::at(1) && Cap::NONE <= Cap::NONE);
        assert_eq!([Cap::NONE, Cap::at(7)].map(|cap| cap.to_string()), ["none", "7"]);
    }

    #[test]
    fn limits_have_one_name_in_files_and_in_reasons() {
        for limit in Limit::ALL {
            assert_eq!(serde_json::to_value(limit).expect("json"), limit.as_str());
            assert_eq!(Limit::of_reason(&format!("{limit}: something")), Some(limit));
        }
        assert_eq!(Limit::of_reason("cancelled"), None);
    }
}
