//! Turns the permission settings of a user's Claude Code into a profile of ours.
//!
//! What must stay true: nothing is taken over that would mean something else here; what is left out is named with the reason.

use gate::{Gate, Policy, World};
use serde_json::{Map, Value};
use std::fmt::Write;
use types::text::printable;

/// Why settings cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The text is no JSON.
    #[error("the settings are not JSON")]
    Syntax(#[source] serde_json::Error),
    /// Something has another shape than Claude Code writes.
    #[error("`{key}` is not {wanted}")]
    Shape {
        /// The key.
        key: String,
        /// What was expected.
        wanted: &'static str,
    },
}

/// A profile made from Claude Code's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// The profile, with a comment for what was left out.
    pub toml: String,
    /// Rules and sentences that were taken over.
    pub taken: usize,
    /// What was left out, with the reason.
    pub left: Vec<String>,
}

/// Reads `permissions` and `autoMode` of a `settings.json`.
///
/// # Errors
/// [`ImportError`].
pub fn import_claude(text: &str) -> Result<Imported, ImportError> {
    let settings: Value = serde_json::from_str(text).map_err(ImportError::Syntax)?;
    let settings = object("the file", &settings)?;
    let empty = Map::new();
    let section = |key: &str| settings.get(key).map_or(Ok(&empty), |value| object(key, value));
    let (permissions, auto) = (section("permissions")?, section("autoMode")?);
    let mut imported = Imported::default();
    let mut gate = String::new();
    for key in ["allow", "ask", "deny"] {
        let mut rules = Vec::new();
        for rule in texts(&format!("permissions.{key}"), permissions.get(key))? {
            match refusal(&rule) {
                None => rules.push(rule),
                Some(reason) => imported.left.push(format!("{key} {}: {reason}", printable(&rule, 120))),
            }
        }
        imported.taken += rules.len();
        list(&mut gate, key, &rules);
    }
    let off = [permissions.get("disableAutoMode"), settings.get("disableAutoMode")];
    if off.into_iter().flatten().any(|value| value == "disable") {
        gate.push_str("auto-mode = \"disabled\"\n");
        imported.taken += 1;
    }
    let mut prose = String::new();
    for (theirs, other, ours) in [
        ("environment", "environment", "environment"),
        ("allow", "allow", "allow"),
        ("soft_deny", "softDeny", "soft-deny"),
        ("hard_deny", "hardDeny", "hard-deny"),
    ] {
        let sentences = texts(&format!("autoMode.{theirs}"), auto.get(theirs).or_else(|| auto.get(other)))?;
        imported.taken += sentences.len();
        list(&mut prose, ours, &sentences);
    }
    let known = ["allow", "ask", "deny", "disableAutoMode"];
    for key in permissions.keys().filter(|key| !known.contains(&key.as_str())) {
        let reason = match key.as_str() {
            "additionalDirectories" => "a run sees its own repository only",
            "defaultMode" | "disableBypassPermissionsMode" => "every call is judged in any mode",
            _ => "not known here",
        };
        imported.left.push(format!("permissions.{}: {reason}", printable(key, 60)));
    }
    let known = ["environment", "allow", "soft_deny", "softDeny", "hard_deny", "hardDeny"];
    for key in auto.keys().filter(|key| !known.contains(&key.as_str())) {
        imported.left.push(format!("autoMode.{}: not known here", printable(key, 60)));
    }
    for (title, body) in [("gate", gate), ("gate.classifier", prose)] {
        if !body.is_empty() {
            let _ = writeln!(imported.toml, "[{title}]\n{body}");
        }
    }
    if !imported.left.is_empty() {
        imported.toml.push_str("# Not taken over:\n");
        for left in &imported.left {
            let _ = writeln!(imported.toml, "#   {left}");
        }
    }
    Ok(imported)
}

/// Why a rule has no meaning here.
fn refusal(rule: &str) -> Option<String> {
    let policy = Policy { allow: vec![rule.to_owned()], ..Policy::default() };
    Gate::new(&policy, World::default()).err().map(|error| format!("{}; {}", error.reason, error.hint))
}

fn list(out: &mut String, key: &str, entries: &[String]) {
    if entries.is_empty() {
        return;
    }
    let _ = writeln!(out, "{key} = [");
    for entry in entries {
        let _ = writeln!(out, "    {},", toml::Value::String(entry.clone()));
    }
    out.push_str("]\n");
}

fn object<'v>(key: &str, value: &'v Value) -> Result<&'v Map<String, Value>, ImportError> {
    value.as_object().ok_or_else(|| ImportError::Shape { key: key.to_owned(), wanted: "an object" })
}

fn texts(key: &str, value: Option<&Value>) -> Result<Vec<String>, ImportError> {
    let shape = || ImportError::Shape { key: key.to_owned(), wanted: "a list of texts" };
    let Some(value) = value else { return Ok(Vec::new()) };
    let list = value.as_array().ok_or_else(shape)?;
    list.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(shape)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_prose_come_over_and_the_rest_is_named() {
        let text = r#"{
            "model": "opus",
            "permissions": {
                "allow": ["Bash(npm run test:*)", "Bahs(ls)", "WebFetch(domain:docs.example)"],
                "deny": ["Read(./.env)"],
                "additionalDirectories": ["../other"]
            },
            "autoMode": {"environment": ["$defaults", "Our forge is \"forge.example\""], "softDeny": ["Never touch\nbilling"]}
        }"#;
        let imported = import_claude(text).expect("settings");
        assert_eq!((imported.taken, imported.left.len()), (6, 2));
        let table: toml::Table = imported.toml.parse().expect("TOML");
        let gate = &table["gate"];
        assert_eq!(gate["allow"].as_array().map(Vec::len), Some(2));
        assert_eq!(gate["deny"][0].as_str(), Some("Read(./.env)"));
        assert_eq!(gate["classifier"]["environment"][1].as_str(), Some("Our forge is \"forge.example\""));
        assert_eq!(gate["classifier"]["soft-deny"][0].as_str(), Some("Never touch\nbilling"));
        assert!(
            imported.toml.contains("#   allow Bahs(ls): the tool is not known; did you mean `Bash`?"),
            "{}",
            imported.toml
        );
        assert!(imported.toml.contains("#   permissions.additionalDirectories: a run sees"), "{}", imported.toml);
    }

    #[test]
    fn what_has_another_shape_is_refused_with_its_key() {
        for (text, message) in [
            ("nope", "the settings are not JSON"),
            ("[]", "`the file` is not an object"),
            (r#"{"permissions": {"allow": "Bash"}}"#, "`permissions.allow` is not a list of texts"),
            (r#"{"autoMode": {"soft_deny": [1]}}"#, "`autoMode.soft_deny` is not a list of texts"),
        ] {
            assert_eq!(import_claude(text).expect_err(text).to_string(), message);
        }
        assert_eq!(import_claude("{}").expect("nothing to take"), Imported::default());
    }

    #[test]
    fn a_comment_cannot_become_a_setting() {
        let imported =
            import_claude(r#"{"permissions": {"allow": ["Bad(\n[gate]\nmode = \"allow-all\""]}}"#).expect("read");
        assert_eq!(imported.toml.parse::<toml::Table>().expect("TOML"), toml::Table::new());
    }
}
