//! Names of things. Ids are newtypes so that a run's name can never be passed where a container's is meant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a text is not an id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a valid {kind}: use 1 to {max} of a-z, 0-9 and single dashes")]
pub struct InvalidId {
    /// What the text was meant to be.
    pub kind: &'static str,
    /// The text as given, cut to a printable length.
    pub text: String,
    /// Longest accepted length.
    pub max: usize,
}

fn check(kind: &'static str, text: &str, max: usize) -> Result<String, InvalidId> {
    let good = !text.is_empty()
        && text.len() <= max
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--");
    if good { Ok(text.to_owned()) } else { Err(InvalidId { kind, text: crate::text::printable(text, 60), max }) }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Accepts lower-case letters, digits and single dashes.
            ///
            /// # Errors
            /// [`InvalidId`] for anything else, an empty text or one that is too long.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                check($kind, text, $max).map(Self)
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

id!(
    /// A run: two words and a sortable part, `quiet-otter-01kb3x9v2q`. Any unique prefix names it on the command line.
    RunId, "run id", 64
);
id!(
    /// A task's name, unique within a run.
    TaskName, "task name", 64
);
id!(
    /// A secret of the operator, by which routes and tasks name it.
    SecretName, "secret name", 64
);

impl RunId {
    /// Makes an id from a moment (milliseconds since the epoch) and 32 random bits.
    #[must_use]
    pub fn mint(millis: u64, random: u32) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let adjective = ADJECTIVES[(random & 0x3f) as usize];
        let noun = NOUNS[((random >> 6) & 0x3f) as usize];
        let mut bits = (u128::from(millis) << 20) | u128::from(random >> 12);
        let mut tail = [0u8; 14];
        for slot in tail.iter_mut().rev() {
            *slot = ALPHABET[(bits & 31) as usize];
            bits >>= 5;
        }
        let tail: String = tail.iter().map(|&b| b as char).collect();
        Self(format!("{adjective}-{noun}-{tail}"))
    }

    /// The two words, for people: `quiet-otter`.
    #[must_use]
    pub fn words(&self) -> &str {
        self.0.rsplit_once('-').map_or(&self.0, |(words, _)| words)
    }
}

/// The id the model gave to one tool call (`toolu_…`); any short printable ASCII.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CallId(pub String);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::printable(&self.0, 80))
    }
}

const ADJECTIVES: [&str; 64] = [
    "amber", "ample", "azure", "bold", "brave", "brief", "bright", "brisk", "calm", "candid", "clear", "clever",
    "cosy", "crisp", "dapper", "deft", "eager", "early", "fair", "fleet", "fond", "frank", "fresh", "gentle", "glad",
    "golden", "grand", "happy", "hardy", "honest", "humble", "keen", "kind", "lively", "loyal", "lucid", "lucky",
    "mellow", "merry", "mild", "modest", "neat", "nimble", "noble", "patient", "placid", "plain", "polite", "prime",
    "proud", "quick", "quiet", "rapid", "ready", "robust", "serene", "sharp", "silent", "smooth", "solid", "steady",
    "sunny", "tidy", "vivid",
];
const NOUNS: [&str; 64] = [
    "adder", "alder", "aspen", "badger", "beaver", "birch", "bison", "cedar", "condor", "coral", "crane", "curlew",
    "deer", "dove", "eagle", "egret", "elder", "elm", "falcon", "fern", "finch", "fox", "gecko", "goose", "grouse",
    "hare", "hawk", "hazel", "heron", "ibis", "jackal", "jay", "kestrel", "kite", "lark", "lemur", "linden", "lynx",
    "maple", "marten", "mole", "moose", "newt", "oak", "osprey", "otter", "owl", "panda", "pine", "plover", "puffin",
    "quail", "raven", "robin", "salmon", "seal", "shrew", "stork", "swan", "tern", "thrush", "trout", "walnut", "wren",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minted_ids_are_valid_and_sort_by_time_within_words() {
        let a = RunId::mint(1_700_000_000_000, 0xdead_beef);
        let b = RunId::mint(1_700_000_000_001, 0xdead_beef);
        assert!(RunId::new(a.as_str()).is_ok());
        assert_eq!(a.words(), b.words());
        assert!(a < b);
    }

    #[test]
    fn ids_refuse_paths_escapes_and_option_look_alikes() {
        for bad in ["", "-x", "a/b", "..", "a--b", "A", "a\u{1b}[31m", "x-"] {
            assert!(TaskName::new(bad).is_err(), "{bad:?}");
        }
        assert!(TaskName::new("fix-login-2").is_ok());
    }
}
