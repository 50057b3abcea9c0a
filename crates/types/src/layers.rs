//! Settings are one table made of layers, in which every value knows who set it.
//!
//! The embedded default profile names every key, so that it is at once the documentation, the list of known keys and the
//! lowest layer.

use crate::{profile::Profile, source::Source, text};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The section whose names the operator makes up.
const SECRETS: &str = "secrets.";

/// One layer of settings.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Who set it.
    pub source: Source,
    /// The keys it sets.
    pub table: Table,
}

/// Settings and where each came from.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The values in force.
    pub profile: Profile,
    /// Dotted key to the layer that set it last.
    pub sources: BTreeMap<String, Source>,
    /// Dotted key to the value, as TOML text.
    pub values: BTreeMap<String, String>,
}

/// Why settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The text is not TOML.
    #[error("{origin} is not valid TOML")]
    Syntax {
        /// Who set it.
        origin: Source,
        /// What is wrong, with line and column.
        #[source]
        cause: Box<toml::de::Error>,
    },
    /// A key that no build knows.
    #[error("unknown key `{key}` in {origin}")]
    UnknownKey {
        /// The dotted key.
        key: String,
        /// Who set it.
        origin: Source,
        /// A key that it may have been meant to be.
        suggestion: Option<String>,
    },
    /// A value of the wrong type or out of range.
    #[error("bad value for `{key}` in {origin}")]
    BadValue {
        /// The dotted key.
        key: String,
        /// Who set it.
        origin: Source,
        /// What is wrong.
        #[source]
        cause: Box<toml::de::Error>,
    },
    /// A `KEY=VALUE` setting without a key or an equals sign.
    #[error("`{text}` is not KEY=VALUE")]
    Assignment {
        /// The text as given.
        text: String,
    },
}

impl ProfileError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { suggestion: Some(word), .. } => Some(format!("did you mean `{word}`?")),
            Self::UnknownKey { suggestion: None, .. } => Some("`sandbox config show` lists every key".to_owned()),
            Self::Assignment { .. } => Some("write it like --set limits.timeout=45m".to_owned()),
            Self::Syntax { .. } | Self::BadValue { .. } => None,
        }
    }
}

impl Layer {
    /// Reads a layer from TOML text.
    ///
    /// # Errors
    /// [`ProfileError::Syntax`].
    pub fn parse(source: Source, text: &str) -> Result<Self, ProfileError> {
        match text.parse() {
            Ok(table) => Ok(Self { source, table }),
            Err(cause) => Err(ProfileError::Syntax { origin: source, cause: Box::new(cause) }),
        }
    }

    /// Reads the settings of whoever manages the machine, which win over every other layer. Beside the profile's keys there is
    /// `disable-auto-mode = "disable"`: every call that no rule allows asks a person.
    ///
    /// # Errors
    /// [`ProfileError::Syntax`]; [`ProfileError::UnknownKey`] for another value of that key, which must not pass for leave.
    pub fn managed(source: Source, text: &str) -> Result<Self, ProfileError> {
        let mut layer = Self::parse(source, text)?;
        match layer.table.remove("disable-auto-mode") {
            None => {}
            Some(Value::String(word)) if word == "disable" => {
                put(&mut layer.table, "gate.auto-mode", &Value::String("disabled".to_owned()));
            }
            Some(other) => {
                return Err(ProfileError::UnknownKey {
                    key: text::printable(&format!("disable-auto-mode = {other}"), 80),
                    origin: layer.source,
                    suggestion: Some("disable-auto-mode = \"disable\"".to_owned()),
                });
            }
        }
        Ok(layer)
    }

    /// Reads `limits.timeout=45m`; the value is TOML where it parses as such, else a string.
    ///
    /// # Errors
    /// [`ProfileError::Assignment`].
    pub fn assignment(source: Source, text: &str) -> Result<Self, ProfileError> {
        let bad = || ProfileError::Assignment { text: text::printable(text, 80) };
        let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(bad)?;
        let parsed = format!("x = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("x"));
        let mut value = parsed.unwrap_or_else(|| Value::String(value.to_owned()));
        for part in key.rsplit('.') {
            value = Value::Table(Table::from_iter([(part.to_owned(), value)]));
        }
        match value {
            Value::Table(table) => Ok(Self { source, table }),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => Err(bad()),
        }
    }
}

impl Resolved {
    /// Lays `layers` over each other. The first one must be the default profile, which names every key but those of `[secrets]`.
    ///
    /// # Errors
    /// [`ProfileError`] names the key and the layer.
    pub fn new(layers: &[Layer]) -> Result<Self, ProfileError> {
        let mut merged: BTreeMap<String, (Value, Source)> = BTreeMap::new();
        for (n, layer) in layers.iter().enumerate() {
            for (key, value) in flatten(&layer.table) {
                if n > 0 && !merged.contains_key(&key) && !key.starts_with(SECRETS) {
                    let suggestion = text::nearest(&key, merged.keys().map(String::as_str)).map(str::to_owned);
                    let key = text::printable(&key, 80);
                    return Err(ProfileError::UnknownKey { key, origin: layer.source.clone(), suggestion });
                }
                let before = merged.insert(key.clone(), (value.clone(), layer.source.clone()));
                // A wrong value is reported with its key and layer: try it alone over what was valid before.
                if n > 0
                    && let Err(cause) = profile_of(&merged)
                {
                    drop(before);
                    return Err(ProfileError::BadValue { key, origin: layer.source.clone(), cause: Box::new(cause) });
                }
            }
        }
        let profile = profile_of(&merged).map_err(|cause| ProfileError::BadValue {
            key: "(profile)".to_owned(),
            origin: Source::Default,
            cause: Box::new(cause),
        })?;
        let values = merged.iter().map(|(key, (value, _))| (key.clone(), value.to_string())).collect();
        let sources = merged.into_iter().map(|(key, (_, source))| (key, source)).collect();
        Ok(Self { profile, sources, values })
    }
}

fn profile_of(merged: &BTreeMap<String, (Value, Source)>) -> Result<Profile, toml::de::Error> {
    let mut root = Table::new();
    for (key, (value, _)) in merged {
        put(&mut root, key, value);
    }
    root.try_into()
}

/// Sets a dotted key. Where a layer gave a plain value for a section, that value stays and is refused by its type.
fn put(table: &mut Table, key: &str, value: &Value) {
    let Some((section, rest)) = key.split_once('.') else {
        table.insert(key.to_owned(), value.clone());
        return;
    };
    if let Value::Table(inner) = table.entry(section).or_insert_with(|| Value::Table(Table::new())) {
        put(inner, rest, value);
    }
}

/// Tables become dotted keys; everything else, arrays with their tables too, is a value. So is each secret: a layer replaces it as a whole.
fn flatten(table: &Table) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(inner) if format!("{name}.") == SECRETS => {
                out.extend(inner.iter().map(|(secret, value)| (format!("{SECRETS}{secret}"), value.clone())));
            }
            Value::Table(inner) => {
                out.extend(flatten(inner).into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => out.push((name.clone(), value.clone())),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::SecretName,
        profile::{AutoMode, Dialect},
    };

    fn resolve(more: &[Layer]) -> Result<Resolved, ProfileError> {
        let default = include_str!("../../../profiles/default.toml");
        let mut layers = vec![Layer::parse(Source::Default, default)?];
        layers.extend_from_slice(more);
        Resolved::new(&layers)
    }

    #[test]
    fn every_key_of_the_profile_stands_in_the_default() {
        let resolved = resolve(&[]).expect("default");
        let value = toml::Table::try_from(&resolved.profile).expect("table");
        let keys: Vec<_> = flatten(&value).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), resolved.sources.len(), "{keys:?}");
    }

    #[test]
    fn later_layers_win_and_are_named() {
        let set = Layer::assignment(Source::Flag("set".into()), "limits.timeout=45m").expect("set");
        let resolved = resolve(&[set]).expect("resolved");
        assert_eq!(resolved.profile.limits.timeout.duration().as_secs(), 2700);
        assert_eq!(resolved.sources["limits.timeout"], Source::Flag("set".into()));
        assert_eq!(resolved.sources["limits.max-turns"], Source::Default);
        let deeper = Layer::assignment(Source::Flag("set".into()), "gate.classifier.kind=openai").expect("set");
        let resolved = resolve(&[deeper]).expect("resolved");
        assert_eq!(resolved.profile.gate.classifier.kind, Dialect::Openai);
        assert_eq!(resolved.profile.gate.classifier.model, "claude-sonnet-4-6");
    }

    #[test]
    fn the_machine_s_manager_has_the_last_word_on_auto_mode() {
        let managed = |text| Layer::managed(Source::File("/etc/managed.toml".into()), text);
        let own = Layer::assignment(Source::Flag("set".into()), "gate.auto-mode=enabled").expect("set");
        let mode = |layers: &[Layer]| resolve(layers).expect("resolved").profile.gate.auto_mode;
        assert_eq!(mode(std::slice::from_ref(&own)), AutoMode::Enabled, "control");
        for text in
            ["disable-auto-mode = \"disable\"", "disable-auto-mode = \"disable\"\n[gate]\ndeny = [\"WebFetch\"]"]
        {
            assert_eq!(mode(&[own.clone(), managed(text).expect(text)]), AutoMode::Disabled);
        }
        for bad in ["disable-auto-mode = true", "disable-auto-mode = \"enable\""] {
            assert!(matches!(managed(bad), Err(ProfileError::UnknownKey { .. })), "{bad}");
        }
    }

    #[test]
    fn slips_are_refused_with_the_likely_word() {
        let error = Layer::assignment(Source::Flag("set".into()), "limits.timout=45m").and_then(|set| resolve(&[set]));
        assert_eq!(error.err().and_then(|e| e.hint()).as_deref(), Some("did you mean `limits.timeout`?"));
    }

    #[test]
    fn secrets_are_named_by_the_operator_and_replaced_whole() {
        let file = |text| Layer::parse(Source::File("/profile.toml".into()), text).expect(text);
        let one = file("[secrets.api]\nsource = \"env:API\"\nheader = \"x-api-key\"\nvalue = \"{}\"\n");
        let two = file("[secrets.api]\nsource = \"file:/k\"\n");
        let resolved = resolve(&[one.clone(), two]).expect("resolved");
        let secret = &resolved.profile.secrets[&SecretName::new("api").expect("name")];
        assert_eq!((secret.source.as_str(), secret.header.as_str()), ("file:/k", "authorization"));
        for bad in [
            "[secrets.api]\nsource = 1\n",
            "[secrets.api]\nheder = \"x\"\nsource = \"env:A\"\n",
            "[secrets]\napi = \"x\"\n",
        ] {
            assert!(matches!(resolve(&[one.clone(), file(bad)]), Err(ProfileError::BadValue { .. })), "{bad}");
        }
    }

    #[test]
    fn bad_values_name_their_key_and_layer() {
        for bad in [
            "limits.timeout=soon",
            "gate.mode=off",
            "limits.max-turns=-1",
            "trust.endpoints=yes",
            "agent=claude",
            "gate.classifier=off",
        ] {
            let set = Layer::assignment(Source::Flag("set".into()), bad).expect(bad);
            assert!(resolve(&[set]).is_err(), "{bad}");
        }
    }
}
