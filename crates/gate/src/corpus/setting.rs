//! The world of a row: what it says itself, else the project that every corpus shares.

use super::{
    fields::{field, text},
    project,
};
use crate::World;
use serde_json::{Map, Value};
use types::host::Endpoint;

/// Names of the field with the directory.
const CWD: [&str; 3] = ["cwd", "working-directory", "workdir"];

/// World and directory of a row.
pub(super) struct Setting {
    pub(super) world: World,
    pub(super) cwd: String,
}

/// Reads the row's `world`. A row without one is a call in `/workspace`, a clone of one project on a branch of the agent's own;
/// calls from other people's sessions name files of theirs, and the project of the first one is the work tree.
pub(super) fn of(row: &Map<String, Value>, input: &Value) -> Setting {
    let empty = Map::new();
    let given = field(row, &["world"]).and_then(Value::as_object).unwrap_or(&empty);
    let path = |names: &[&str]| text(given, names).or_else(|| text(row, names)).filter(|path| path.starts_with('/'));
    let plain = World::default();
    let cwd = path(&CWD);
    let worktree = path(&["worktree", "work-tree", "workspace", "root"]).or_else(|| match &cwd {
        Some(cwd) if is_below(cwd, &plain.worktree) => None,
        Some(cwd) => Some(cwd.clone()),
        None => project::root(input),
    });
    let worktree = worktree.unwrap_or(plain.worktree);
    let below = text(given, &CWD).or_else(|| text(row, &CWD)).filter(|path| !path.is_empty());
    let below = below.map(|path| format!("{worktree}/{}", path.trim_start_matches("./")));
    let remotes = match field(given, &["remotes", "remote"]) {
        Some(value) => remotes(value),
        None => vec![("origin".to_owned(), "git@github.com:acme/app.git".to_owned())],
    };
    let branch = text(given, &["session-branch", "branch"]).unwrap_or_else(|| "feature/login".to_owned());
    let trusted = field(given, &["trusted", "trust", "trusted-endpoints", "trusted-hosts", "endpoints"]);
    let registries = field(given, &["registries", "registry", "install-hosts", "package-registries"]);
    Setting {
        cwd: cwd.or(below).unwrap_or_else(|| worktree.clone()),
        world: World {
            worktree,
            home: path(&["home", "home-dir"]).unwrap_or(plain.home),
            tmp: path(&["tmp", "tmp-dir", "temp"]).unwrap_or(plain.tmp),
            remotes,
            trusted: trusted.map(endpoints).unwrap_or_default(),
            session_branch: Some(branch),
            default_branch: text(given, &["default-branch", "main-branch", "base-branch"])
                .or_else(|| Some("main".to_owned())),
            registries: registries.map_or_else(|| vec!["*.registry.example".to_owned()], hosts),
            ..World::default()
        },
    }
}

fn is_below(path: &str, dir: &str) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `{"origin": URL}`, `{"origin": {"url": URL}}`, `["origin=URL"]`, `[["origin", URL]]`, `[{"name": …, "url": …}]`, `URL`.
fn remotes(value: &Value) -> Vec<(String, String)> {
    let url_of = |value: &Value| match value {
        Value::Object(map) => text(map, &["url", "fetch", "push-url"]),
        Value::String(url) => Some(url.clone()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    };
    match value {
        Value::Object(map) => {
            map.iter().filter_map(|(name, value)| url_of(value).map(|url| (name.clone(), url))).collect()
        }
        Value::Array(list) => list
            .iter()
            .filter_map(|item| match item {
                Value::Object(map) => {
                    let name = text(map, &["name", "remote"]).unwrap_or_else(|| "origin".to_owned());
                    url_of(item).map(|url| (name, url))
                }
                Value::Array(pair) => match pair.as_slice() {
                    [Value::String(name), Value::String(url)] => Some((name.clone(), url.clone())),
                    [..] => None,
                },
                Value::String(text) => Some(named(text)),
                Value::Null | Value::Bool(_) | Value::Number(_) => None,
            })
            .collect(),
        Value::String(text) => vec![named(text)],
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

fn named(text: &str) -> (String, String) {
    let (name, url) =
        text.split_once([' ', '\t', '=']).filter(|(name, _)| !name.contains([':', '/'])).unwrap_or(("origin", text));
    (name.trim().to_owned(), url.trim().to_owned())
}

/// Endpoints from texts, `{"host": …, "port": …}` and maps by host; what names no endpoint trusts nothing.
fn endpoints(value: &Value) -> Vec<Endpoint> {
    let parse = |text: &str| {
        let (scheme, rest) = text.split_once("://").map_or((None, text), |(scheme, rest)| (Some(scheme), rest));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let text = scheme.map_or_else(|| authority.to_owned(), |scheme| format!("{scheme}://{authority}"));
        Endpoint::parse(&text).ok()
    };
    match value {
        Value::String(text) => parse(text).into_iter().collect(),
        Value::Array(list) => list.iter().flat_map(endpoints).collect(),
        Value::Object(map) => match text(map, &["endpoint", "host", "url", "name"]) {
            Some(host) => {
                let port = field(map, &["port"]).and_then(Value::as_u64);
                parse(&port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"))).into_iter().collect()
            }
            None => map.keys().filter_map(|host| parse(host)).collect(),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// Hosts of registries: texts, with or without a scheme.
fn hosts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => {
            let host = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
            vec![host.split('/').next().unwrap_or_default().to_ascii_lowercase()]
        }
        Value::Array(list) => list.iter().flat_map(hosts).collect(),
        Value::Object(map) => map.values().flat_map(hosts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn setting(row: Value) -> Setting {
        let row = row.as_object().cloned().expect("an object");
        of(&row, row.get("input").unwrap_or(&Value::Null))
    }

    #[test]
    fn a_row_without_a_world_is_in_the_shared_project() {
        let Setting { world, cwd } = setting(json!({}));
        assert_eq!((cwd.as_str(), world.worktree.as_str()), ("/workspace", "/workspace"));
        assert_eq!(world.session_branch.as_deref(), Some("feature/login"));
        assert_eq!(world.remotes.len(), 1);
        let theirs = setting(json!({"input": {"file_path": "/testbed/src/a.py"}}));
        assert_eq!((theirs.cwd.as_str(), theirs.world.worktree.as_str()), ("/testbed", "/testbed"));
    }

    #[test]
    fn what_the_row_says_wins_in_every_spelling() {
        let url = "git@forge.example:a/b.git";
        for remotes in [
            json!({"up": url}),
            json!({"up": {"url": url}}),
            json!([{"name": "up", "url": url}]),
            json!([["up", url]]),
            json!([format!("up={url}")]),
            json!(format!("up {url}")),
        ] {
            let row = json!({"world": {"workTree": "/w", "Session_Branch": "b", "remotes": remotes, "trusted": ["docs.example",
                {"host": "ci.example", "port": 8443}], "home": "/h", "tmpDir": "/t"}, "input": {"file_path": "/testbed/x/y"}});
            let Setting { world, cwd } = setting(row);
            assert_eq!((cwd.as_str(), world.worktree.as_str(), world.home.as_str()), ("/w", "/w", "/h"));
            assert_eq!(world.remotes, [("up".to_owned(), url.to_owned())]);
            assert_eq!((world.session_branch.as_deref(), world.tmp.as_str()), (Some("b"), "/t"));
            assert!(world.trusts("docs.example", 443) && world.trusts("ci.example", 8443));
        }
        let own = json!({"world": {"defaultBranch": "trunk-2", "registries": ["https://npm.corp.example/x", "*.pkg.example"]}});
        let world = setting(own).world;
        assert!(world.is_shared_branch("trunk-2") && world.is_registry("https://npm.corp.example/left-pad"));
        assert!(world.is_registry("https://a.pkg.example/") && !world.is_registry("https://pkg.example/"));
        let plain = setting(json!({})).world;
        assert!(plain.is_shared_branch("main") && !plain.is_shared_branch("trunk-2"));
        assert!(
            plain.is_registry("https://npm.registry.example/x") && !plain.is_registry("http://npm.registry.example/x")
        );
        assert!(setting(json!({"world": {"remotes": []}})).world.remotes.is_empty());
        assert_eq!(setting(json!({"world": {"cwd": "/workspace/a"}})).world.worktree, "/workspace");
        assert_eq!(setting(json!({"world": {"cwd": "/srv/a"}})).world.worktree, "/srv/a");
        assert_eq!(setting(json!({"world": {"worktree": "/srv/a", "cwd": "./b"}})).cwd, "/srv/a/b");
    }
}
