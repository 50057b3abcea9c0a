//! The scripts of a `package.json`, whole or as an edit shows a part of it.

use super::Part;
use serde_json::Value;

/// Most scripts that are read.
const MAX_SCRIPTS: usize = 1000;
/// Most words of scripts that are taken for names of other scripts.
const MAX_WORDS: usize = 4000;

/// Scripts that run on every install.
pub(crate) const LIFECYCLE: [&str; 8] =
    ["preinstall", "install", "postinstall", "prepare", "prepublish", "preprepare", "postprepare", "post-install-cmd"];

/// The commands of the scripts that the words choose, or of every script.
pub(super) fn commands(content: &str, part: Part<'_>) -> Vec<String> {
    let scripts = scripts(content);
    let Part::Named(words) = part else { return scripts.into_iter().map(|(_, command)| command).collect() };
    let text = |word: &crate::shell::Word| word.text.clone();
    let is_install = words
        .iter()
        .any(|word| matches!(word.text.as_str(), "install" | "i" | "ci" | "clean-install" | "add" | "rebuild"));
    let mut open: Vec<String> =
        words.iter().map(text).map(|word| if word == "t" { "test".to_owned() } else { word }).collect();
    let mut taken = vec![false; scripts.len()];
    let mut out = Vec::new();
    let mut followed = 0;
    while let Some(word) = open.pop() {
        followed += 1;
        if followed > MAX_WORDS {
            // Too many names to tell which run: all of them may.
            return scripts.into_iter().map(|(_, command)| command).collect();
        }
        for (at, (name, command)) in scripts.iter().enumerate() {
            let is_named =
                *name == word || name.strip_prefix("pre") == Some(&word) || name.strip_prefix("post") == Some(&word);
            let is_install = is_install && LIFECYCLE.contains(&name.as_str());
            if taken[at] || !(is_named || is_install) {
                continue;
            }
            taken[at] = true;
            // Scripts call each other by name: `npm run build && npm run lint`.
            open.extend(
                command.split([' ', '"', '\'', ';', '&', '|']).filter(|word| !word.is_empty()).map(str::to_owned),
            );
            out.push(command.clone());
        }
    }
    out
}

/// Script names with their commands.
pub(crate) fn scripts(content: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    match serde_json::from_str::<Value>(content) {
        Ok(value) => {
            for key in ["scripts", "tasks"] {
                for (name, value) in value.get(key).and_then(Value::as_object).into_iter().flatten() {
                    match value {
                        Value::String(command) => found.push((name.clone(), command.clone())),
                        Value::Array(list) => {
                            found.extend(
                                list.iter().filter_map(Value::as_str).map(|command| (name.clone(), command.to_owned())),
                            );
                        }
                        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
                    }
                }
            }
        }
        Err(_) => {
            for line in content.lines().take(2000) {
                let line = line.trim().trim_start_matches(['{', ' ']).trim_end_matches([',', '}', ' ']);
                let pair = serde_json::from_str::<Value>(&format!("{{{line}}}")).ok();
                for (name, value) in pair.as_ref().and_then(Value::as_object).into_iter().flatten() {
                    // A version is no command.
                    if let Some(command) = value.as_str().filter(|text| !is_version(text)) {
                        found.push((name.clone(), command.to_owned()));
                    }
                }
            }
        }
    }
    found.truncate(MAX_SCRIPTS);
    found
}

/// True when each line of a part of the file says by itself what it is: a pair, a bracket, a version.
pub(super) fn is_legible(part: &str) -> bool {
    part.lines().map(str::trim).filter(|line| !line.is_empty()).all(|line| {
        let inner = line.trim_start_matches('{').trim_end_matches([',', '}', '{', '[', ']']).trim();
        let word = inner.trim_matches('"');
        let is_bare = word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'^' | b'~' | b'-'));
        let is_key = inner.strip_suffix(':').is_some_and(|key| serde_json::from_str::<String>(key.trim()).is_ok());
        is_bare || is_key || serde_json::from_str::<Value>(&format!("{{{inner}}}")).is_ok()
    })
}

fn is_version(text: &str) -> bool {
    text.starts_with(['^', '~', '>', '<', '=', '*'])
        || text.starts_with(|c: char| c.is_ascii_digit())
        || text == "latest"
}

/// True when the text names packages with versions or places to get them from.
pub(crate) fn names_dependencies(content: &str) -> bool {
    content.lines().any(|line| {
        let Some((_, value)) = line.split_once("\": \"") else { return false };
        let value = value.trim_end_matches([',', '"', ' ', '}']);
        (is_version(value)
            && !line.trim_start().starts_with("\"version\"")
            && !line.trim_start().starts_with("\"node\""))
            || value.starts_with("git")
            || value.starts_with("http")
            || value.starts_with("npm:")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::Word;

    #[test]
    fn scripts_are_chosen_by_name_and_by_each_other() {
        let text =
            r#"{"scripts": {"pretest": "a", "test": "npm run lint", "lint": "b", "deploy": "c", "postinstall": "d"}}"#;
        let of = |name: &str| commands(text, Part::Named(&[Word::literal(name)]));
        assert_eq!(of("test"), ["a", "npm run lint", "b"]);
        assert_eq!(of("ci"), ["d"]);
        assert_eq!(commands(text, Part::All).len(), 5);
        assert_eq!(scripts("  \"test\": \"x | sh\",\n  \"jest\": \"^29.0.0\"").len(), 1);
        assert!(names_dependencies("\"left-pad\": \"^1.0.0\"") && !names_dependencies("\"test\": \"jest\""));
    }
}
