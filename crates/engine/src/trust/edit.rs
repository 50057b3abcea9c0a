//! Changes of `trust.endpoints` in a profile's text. Order, comments and everything else of the file stay as the operator wrote them.

use super::{
    entry::{entry_line, from_toml, value},
    list::List,
};
use serde::Serialize;
use toml_edit::{DocumentMut, TomlError};
use types::{
    host::Endpoint,
    route::Route,
    text::{nearest, printable},
    trust::TrustEntry,
};

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// It stands in the list now.
    Added {
        /// The entry.
        entry: String,
    },
    /// It stands where another one for the same endpoint stood.
    Replaced {
        /// The entry.
        entry: String,
        /// The other one.
        was: String,
    },
    /// It is no longer in the list.
    Removed {
        /// The entry.
        entry: String,
    },
    /// The list says so already.
    Kept {
        /// The entry that says it.
        entry: String,
    },
}

/// A changed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The whole text.
    pub text: String,
    /// What was done, in order.
    pub changes: Vec<Change>,
}

/// Why a text cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It is not TOML.
    #[error("the profile is not valid TOML")]
    Syntax(#[from] TomlError),
    /// `trust.endpoints` is something else than a list.
    #[error("trust.endpoints of the profile is not a list")]
    NoList,
    /// An element of the list that is no entry.
    #[error("`{text}` in trust.endpoints is not an entry")]
    Entry {
        /// The element.
        text: String,
    },
    /// The list says something else of the endpoint.
    #[error("{endpoint} is trusted already, as {existing}")]
    Conflict {
        /// The endpoint.
        endpoint: Endpoint,
        /// The entry.
        existing: String,
    },
    /// The list has no entry for the endpoint.
    #[error("{endpoint} is not in trust.endpoints of the profile")]
    Absent {
        /// The endpoint.
        endpoint: Endpoint,
        /// One that it may have been meant to be.
        nearest: Option<String>,
    },
}

impl EditError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Conflict { .. } => Some("--replace puts the new entry in its place".to_owned()),
            Self::Absent { nearest: Some(known), .. } => Some(format!("did you mean {known}?")),
            Self::Absent { nearest: None, .. } => {
                Some("`sandbox trust show` lists what is there, with its source".to_owned())
            }
            Self::Syntax(_) | Self::NoList | Self::Entry { .. } => Some("mend the profile first".to_owned()),
        }
    }
}

/// Puts entries at the end of the list, or with `replace` in the place of those for the same endpoints.
///
/// # Errors
/// [`EditError`]; nothing is half done.
pub fn add_entries(text: &str, entries: &[TrustEntry], replace: bool) -> Result<Edited, EditError> {
    let mut document: DocumentMut = text.parse()?;
    let mut changes = Vec::new();
    for entry in entries {
        let wanted = route(entry)?;
        let mut list = List::of(&mut document).ok_or(EditError::NoList)?;
        let known = read(&list)?;
        let same: Vec<_> =
            known.iter().enumerate().filter(|(_, (_, route))| route.endpoint == wanted.endpoint).collect();
        let entry_text = entry_line(entry);
        match same.as_slice() {
            [] => {
                list.push(value(entry));
                changes.push(Change::Added { entry: entry_text });
            }
            all if all.iter().all(|(_, (_, route))| *route == wanted) => {
                changes.push(Change::Kept { entry: entry_text })
            }
            [(_, (existing, _)), ..] if !replace => {
                return Err(EditError::Conflict { endpoint: wanted.endpoint, existing: existing.clone() });
            }
            [(first, (existing, _)), others @ ..] => {
                list.replace(*first, value(entry));
                for (other, _) in others.iter().rev() {
                    list.remove(*other);
                }
                changes.push(Change::Replaced { entry: entry_text, was: existing.clone() });
            }
        }
    }
    Ok(Edited { text: document.to_string(), changes })
}

/// Takes out the entries for endpoints, with the comments on their own lines' ends.
///
/// # Errors
/// [`EditError`]; nothing is half done.
pub fn remove_entries(text: &str, endpoints: &[Endpoint]) -> Result<Edited, EditError> {
    let mut document: DocumentMut = text.parse()?;
    let mut changes = Vec::new();
    for endpoint in endpoints {
        let absent = |known: &[(String, Route)]| {
            let known: Vec<_> = known.iter().map(|(_, route)| route.endpoint.to_string()).collect();
            let nearest = nearest(&endpoint.to_string(), known.iter().map(String::as_str)).map(str::to_owned);
            EditError::Absent { endpoint: endpoint.clone(), nearest }
        };
        let Some(mut list) = List::existing(&mut document).ok_or(EditError::NoList)? else { return Err(absent(&[])) };
        let known = read(&list)?;
        if !known.iter().any(|(_, route)| route.endpoint == *endpoint) {
            return Err(absent(&known));
        }
        for (at, (text, _)) in known.iter().enumerate().rev().filter(|(_, (_, route))| route.endpoint == *endpoint) {
            list.remove(at);
            changes.push(Change::Removed { entry: text.clone() });
        }
    }
    Ok(Edited { text: document.to_string(), changes })
}

/// The list's entries on one line each, with the routes that they stand for.
fn read(list: &List<'_>) -> Result<Vec<(String, Route)>, EditError> {
    let each = |text: String| {
        let bad = || EditError::Entry { text: printable(&text, 80) };
        let entry = from_toml(&text).map_err(|_| bad())?;
        Ok((entry_line(&entry), entry.route().map_err(|_| bad())?))
    };
    list.texts().into_iter().map(each).collect()
}

fn route(entry: &TrustEntry) -> Result<Route, EditError> {
    entry.route().map_err(|_| EditError::Entry { text: printable(&entry_line(entry), 80) })
}

#[cfg(test)]
mod tests {
    use super::{super::entry::read_entry, *};
    use proptest::prelude::*;

    fn entries(texts: &[&str]) -> Vec<TrustEntry> {
        texts.iter().map(|text| read_entry(text).expect(text)).collect()
    }

    fn add(text: &str, entry: &str) -> String {
        add_entries(text, &entries(&[entry]), false).expect(entry).text
    }

    fn remove(text: &str, endpoint: &str) -> String {
        remove_entries(text, &[Endpoint::parse(endpoint).expect(endpoint)]).expect(endpoint).text
    }

    #[test]
    fn a_list_is_begun_where_there_is_none() {
        assert_eq!(add("", "a.example"), "[trust]\nendpoints = [\n    \"a.example\",\n]\n");
        assert_eq!(
            add("# mine\n[limits]\ntimeout = \"1h\" # long\n", "a.example"),
            "# mine\n[limits]\ntimeout = \"1h\" # long\n\n[trust]\nendpoints = [\n    \"a.example\",\n]\n"
        );
        assert_eq!(
            add("[trust]\nendpoints = []\nupload-max = \"1MiB\"\n", "a.example"),
            "[trust]\nendpoints = [\n    \"a.example\",\n]\nupload-max = \"1MiB\"\n"
        );
        assert_eq!(
            add("[trust]\nupload-max = \"1MiB\"\n[git]\nfetch = false\n", "a.example"),
            "[trust]\nupload-max = \"1MiB\"\nendpoints = [\n    \"a.example\",\n]\n[git]\nfetch = false\n"
        );
    }

    #[test]
    fn comments_order_and_style_stay() {
        for (before, after) in [
            ("trust.endpoints = [\"a.example\"]\n", "trust.endpoints = [\"a.example\", \"z.example\"]\n"),
            (
                "[trust]\nendpoints = [\n  # builds\n  \"a.example\", # ours\n  # the end\n]\n",
                "[trust]\nendpoints = [\n  # builds\n  \"a.example\", # ours\n  # the end\n  \"z.example\",\n]\n",
            ),
            (
                "[trust]\nendpoints = [\n\t\"b.example\",\n\t\"a.example\" # ours\n]\n",
                "[trust]\nendpoints = [\n\t\"b.example\",\n\t\"a.example\", # ours\n\t\"z.example\",\n]\n",
            ),
            ("trust = { endpoints = [\"a.example\"] }\n", "trust = { endpoints = [\"a.example\", \"z.example\"] }\n"),
            (
                "[[trust.endpoints]]\nendpoint = \"a.example\"\n\n[git]\nfetch = false\n",
                "[[trust.endpoints]]\nendpoint = \"a.example\"\n\n[[trust.endpoints]]\nendpoint = \"z.example\"\n\n[git]\nfetch = false\n",
            ),
        ] {
            assert_eq!(add(before, "z.example"), after, "{before}");
            assert_eq!(add(after, "z.example"), after, "the same again changes nothing");
        }
    }

    #[test]
    fn an_endpoint_has_one_entry() {
        let text = "[trust]\nendpoints = [\n    \"a.example\", # why\n    \"b.example\",\n    \"A.example:443\",\n]\n";
        let narrow = entries(&[r#"{ endpoint = "a.example", methods = ["GET"] }"#]);
        let error = add_entries(text, &narrow, false).expect_err("conflict");
        assert_eq!(error.to_string(), "a.example:443 is trusted already, as \"a.example\"");
        let edited = add_entries(text, &narrow, true).expect("replaced");
        assert_eq!(
            edited.text,
            "[trust]\nendpoints = [\n    { endpoint = \"a.example\", methods = [\"GET\"] }, # why\n    \"b.example\",\n]\n"
        );
        assert!(matches!(edited.changes.as_slice(), [Change::Replaced { .. }]));
        let again = add_entries(&edited.text, &narrow, true).expect("again");
        assert!(matches!(again.changes.as_slice(), [Change::Kept { .. }]) && again.text == edited.text);
        let tables = "[[trust.endpoints]]\nendpoint = \"a.example\"\n";
        let edited = add_entries(tables, &narrow, true).expect("replaced").text;
        assert_eq!(edited, "[[trust.endpoints]]\nendpoint = \"a.example\"\nmethods = [\"GET\"]\n");
    }

    #[test]
    fn what_is_removed_takes_its_own_comment_along() {
        let text = "[trust]\nendpoints = [\n  # builds\n  \"a.example\", # a\n  # rest\n  \"b.example\", # b\n  \"c.example\", # c\n]\n";
        assert_eq!(
            remove(text, "b.example"),
            "[trust]\nendpoints = [\n  # builds\n  \"a.example\", # a\n  # rest\n  \"c.example\", # c\n]\n"
        );
        assert_eq!(
            remove(text, "a.example"),
            "[trust]\nendpoints = [\n  # builds\n  # rest\n  \"b.example\", # b\n  \"c.example\", # c\n]\n"
        );
        assert_eq!(
            remove(text, "c.example"),
            "[trust]\nendpoints = [\n  # builds\n  \"a.example\", # a\n  # rest\n  \"b.example\", # b\n]\n"
        );
        for (before, gone, after) in [
            ("trust.endpoints = [\"a.example\", \"b.example\"]\n", "a.example", "trust.endpoints = [\"b.example\"]\n"),
            ("trust.endpoints = [\"a.example\", \"b.example\"]\n", "b.example", "trust.endpoints = [\"a.example\"]\n"),
            ("trust.endpoints = [\n  \"a.example\"\n]\n", "a.example", "trust.endpoints = []\n"),
            ("[[trust.endpoints]]\nendpoint = \"a.example\"\n", "a.example", ""),
        ] {
            assert_eq!(remove(before, gone), after, "{before}");
        }
    }

    #[test]
    fn what_is_not_there_or_not_readable_is_named() {
        let endpoint = Endpoint::parse("a.exampel").expect("endpoint");
        let near =
            remove_entries("trust.endpoints = [\"a.example\"]\n", std::slice::from_ref(&endpoint)).expect_err("absent");
        assert_eq!(near.hint().as_deref(), Some("did you mean a.example:443?"));
        assert!(matches!(remove_entries("", &[endpoint]), Err(EditError::Absent { nearest: None, .. })));
        let entry = entries(&["z.example"]);
        assert!(matches!(add_entries("trust = [", &entry, false), Err(EditError::Syntax(_))));
        assert!(matches!(add_entries("trust.endpoints = \"x\"", &entry, false), Err(EditError::NoList)));
        assert!(matches!(add_entries("trust = 1", &entry, false), Err(EditError::NoList)));
        assert!(matches!(add_entries("trust.endpoints = [1]", &entry, false), Err(EditError::Entry { .. })));
        assert!(matches!(add_entries("trust.endpoints = [\"*\"]", &entry, false), Err(EditError::Entry { .. })));
    }

    proptest! {
        /// Whatever stands in the list, what is added can be read back, nothing else changes, and removing it again leaves the others.
        #[test]
        fn the_rest_of_the_list_stays(
            names in proptest::collection::btree_set("[a-y]{1,4}\\.example", 0..5),
            gaps in proptest::collection::vec("(\n  )?( # [a-z]{0,3}\n  )?", 6),
            comma in any::<bool>(),
        ) {
            let mut text = String::from("[trust]\nendpoints = [");
            for (n, (name, gap)) in names.iter().zip(&gaps).enumerate() {
                let last = n + 1 == names.len();
                text.push_str(&format!("{gap}\"{name}\"{}", if last && !comma { "" } else { "," }));
            }
            text.push_str(&format!("{}]\nupload-max = \"1MiB\"\n", gaps[5]));
            let listed = |text: &str| {
                let mut document: DocumentMut = text.parse().expect("TOML");
                let list = List::existing(&mut document).expect("list").expect("there");
                read(&list).expect("entries").into_iter().map(|(text, _)| text).collect::<Vec<_>>()
            };
            let comments = |text: &str| text.matches('#').count();
            let before = listed(&text);
            let added = add(&text, "z.example");
            let mut wanted = before.clone();
            wanted.push("\"z.example\"".to_owned());
            prop_assert_eq!(listed(&added), wanted);
            prop_assert_eq!(comments(&added), comments(&text));
            prop_assert!(added.ends_with("]\nupload-max = \"1MiB\"\n"));
            prop_assert_eq!(listed(&remove(&added, "z.example")), before);
        }
    }
}
