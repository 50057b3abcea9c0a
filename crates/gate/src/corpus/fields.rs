//! Fields of a corpus row by name, in whatever case its author writes names.

use serde_json::{Map, Value};

/// The value of the first of `names` that the object has. Names are compared without case, `-` and `_`.
pub(super) fn field<'v>(object: &'v Map<String, Value>, names: &[&str]) -> Option<&'v Value> {
    names.iter().find_map(|name| {
        object.get(*name).or_else(|| object.iter().find(|(key, _)| plain(key) == plain(name)).map(|(_, value)| value))
    })
}

/// The same, as a text; none when it is something else.
pub(super) fn text(object: &Map<String, Value>, names: &[&str]) -> Option<String> {
    field(object, names).and_then(Value::as_str).map(str::to_owned)
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_every_case() {
        for key in ["session-branch", "session_branch", "sessionBranch", "Session Branch"] {
            let object = Map::from_iter([(key.to_owned(), Value::from("x"))]);
            assert_eq!(text(&object, &["branch", "session-branch"]).as_deref(), Some("x"), "{key}");
            assert_eq!(field(&object, &["session"]), None);
        }
    }
}
