//! JSON with one meaning: no key twice, a cap on the number of values. Two readers of such a text agree on it, which
//! matters because the gateway decides on its reading and the endpoint or the agent acts on theirs.

use crate::limits::JSON_NODES;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::{cell::Cell, fmt};

/// Reads a JSON text.
///
/// # Errors
/// When it is no JSON, has a key twice in one object, nests over 127 levels or holds over [`JSON_NODES`] values.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let text = std::str::from_utf8(bytes).map_err(serde_json::Error::custom)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let left = Cell::new(JSON_NODES);
    let value = Strict { left: &left }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Builds a value and counts.
#[derive(Clone, Copy)]
struct Strict<'c> {
    left: &'c Cell<usize>,
}

impl Strict<'_> {
    fn count<E: serde::de::Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| E::custom("too many values"))?;
        self.left.set(left);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom("a key comes twice in one object"));
            }
            map.insert(key, access.next_value_seed(self)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_meaning_or_none() {
        let text = r#"{"a":[1,-2,2.5,"x\u0041",null,true],"b":{}}"#;
        assert_eq!(parse(text.as_bytes()).ok(), serde_json::from_str(text).ok());
        for bad in [r#"{"a":1,"a":2}"#, r#"{"x":{"model":"a","mod\u0065l":"b"}}"#, "{} {}", "", "{", "\"\u{0}\""] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(b"\"\xff\"").is_err());
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
        let many = format!("[{}0]", "0,".repeat(JSON_NODES));
        assert!(parse(many.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(text in "[{}\\[\\]\",:a0\\\\ ]{0,60}") {
            let _ = parse(text.as_bytes());
        }
    }
}
