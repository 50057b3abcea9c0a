//! Guesses the work tree of a call from someone else's session, from the first file of a project that it names.

use serde_json::Value;

/// Directories at the root that test beds put a project into.
const BEDS: [&str; 3] = ["app", "testbed", "repo"];
/// Directories of a home that hold projects and are none.
const SHELVES: [&str; 14] = [
    "Documents",
    "Desktop",
    "Developer",
    "Projects",
    "projects",
    "Source",
    "source",
    "src",
    "code",
    "Code",
    "dev",
    "work",
    "repos",
    "git",
];

/// The work tree, if the input names a file of a project.
pub(super) fn root(input: &Value) -> Option<String> {
    let direct =
        ["file_path", "notebook_path", "path"].iter().filter_map(|key| input.get(key)).filter_map(Value::as_str);
    if let Some(root) = direct.filter(|path| path.starts_with('/')).find_map(|path| project(path, false)) {
        return Some(root);
    }
    let texts = ["command", "code"].iter().filter_map(|key| input.get(key)).filter_map(Value::as_str);
    texts.flat_map(paths).find_map(|(path, is_entered)| project(path, is_entered))
}

/// Absolute paths of a line in order, and whether the line goes into them.
fn paths(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let starts = text.match_indices('/').map(|(at, _)| at).filter(|at| {
        let before = text[..*at].chars().next_back();
        before.is_none_or(|c| c.is_whitespace() || "\"'=(<>;|&`,".contains(c))
    });
    starts.map(|at| {
        let rest = &text[at..];
        let end = rest.find(|c: char| c.is_whitespace() || "\"';|&()<>`,$*?{}[]:\\".contains(c)).unwrap_or(rest.len());
        let word = text[..at].trim_end_matches(['"', '\'', ' ']).rsplit([' ', '\n', ';', '&', '(']).next();
        (&rest[..end], matches!(word, Some("cd" | "-C" | "pushd")))
    })
}

/// The project's directory: `/testbed`, `/Users/u/p`, `/home/u/projects/p`. A path that ends there is a file of no project,
/// unless the line goes into it.
fn project(path: &str, is_entered: bool) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return None;
    }
    // A drive of another system, mounted: `/c/Users/…`, `/mnt/c/Users/…`, `/Volumes/disk/…`.
    let mount = match parts.as_slice() {
        ["mnt", drive, "Users" | "home", ..] if drive.len() == 1 => 2,
        [drive, "Users", ..] if drive.len() == 1 => 1,
        [..] => 0,
    };
    let depth = match &parts[mount..] {
        ["workspaces", _, ..] => 2,
        [bed, ..] if BEDS.contains(bed) => 1,
        ["Users" | "home", _, rest @ ..] => {
            let shelves = rest.iter().take_while(|part| SHELVES.contains(part)).count();
            let name = rest.get(shelves)?;
            // Settings and keys of a person are no project.
            if name.starts_with('.') || *name == "Library" {
                return None;
            }
            3 + shelves
        }
        [..] => return None,
    };
    let depth = depth + mount;
    (parts.len() > depth || (is_entered && parts.len() == depth)).then(|| format!("/{}", parts[..depth].join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_file_of_a_project_names_the_work_tree() {
        for (command, root_of) in [
            ("cat /app/x", Some("/app")),
            ("cat \"/Users/ann/web shop/x\"; ls /testbed/y", Some("/testbed")),
            ("cd /home/ann/shop && make", Some("/home/ann/shop")),
            ("grep x /tmp/log /home/ann/code/shop/src/a.rs", Some("/home/ann/code/shop")),
            ("sed -n 1p --file=/Users/ann/shop/a", Some("/Users/ann/shop")),
            ("tar czf /home/ann/all.tgz x", None),
            ("cat /home/ann/.ssh/id_rsa /etc/passwd /tmp/x", None),
            ("cat src/app/x ./testbed/y", None),
            ("ls /app/../etc/x", None),
        ] {
            assert_eq!(root(&json!({ "command": command })).as_deref(), root_of, "{command}");
        }
        assert_eq!(root(&json!({"file_path": "/repo/a/b.rs"})).as_deref(), Some("/repo"));
    }
}
