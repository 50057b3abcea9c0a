//! Paths, resolved lexically.

use crate::world::World;
use std::fmt;
use types::text::printable;

/// Stands in a text for what could not be resolved. A noncharacter, so that no honest input holds it.
pub(crate) const HOLE: char = '\u{fffe}';

/// A path that a call touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Absolute and without `.`, `..` and double slashes; may hold glob characters and unresolved parts.
    pub path: String,
    /// False when some of it could not be resolved.
    pub known: bool,
    /// True when it holds glob characters that the shell would expand.
    pub glob: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.path.replace(HOLE, "…"), 200))
    }
}

impl Place {
    /// Resolves `text` against `cwd` (none: unknown), without looking at any disk.
    pub(crate) fn resolve(text: &str, glob: bool, cwd: Option<&str>, world: &World) -> Self {
        if text.starts_with(HOLE) {
            // What is not known may be an absolute path.
            return Self { path: format!("/{text}"), known: false, glob };
        }
        let (base, rest) = if text.starts_with('/') {
            ("", text)
        } else if text == "~" || text.starts_with("~/") {
            (world.home.as_str(), &text[1..])
        } else {
            match cwd {
                Some(cwd) => (cwd, text),
                None => {
                    let path = format!("{HOLE}/{text}");
                    return Self { path, known: false, glob };
                }
            }
        };
        let mut parts: Vec<&str> = Vec::new();
        let mut known = true;
        for part in base.split('/').chain(rest.split('/')) {
            match part {
                "" | "." => {}
                ".." => {
                    // Going up from a part that is not known may lead anywhere.
                    known &= parts.pop().is_none_or(|gone| !(gone.contains(HOLE) || glob && has_glob(gone)));
                }
                other => parts.push(other),
            }
        }
        // /proc/self/root is another name of the root, in any number.
        while parts.len() >= 3 && parts[0] == "proc" && (parts[2] == "root" || parts[2] == "cwd") {
            if parts[2] == "cwd" {
                known = false;
            }
            parts.drain(..3);
        }
        let path = format!("/{}", parts.join("/"));
        known &= !path.contains(HOLE);
        // A directory with a star in it is one of several.
        Self { glob: (glob && has_glob(&path)) || base.contains('*'), path, known }
    }

    /// True for `dir` itself and everything below it.
    pub(crate) fn is_in(&self, dir: &str) -> bool {
        is_under(&self.path, dir)
    }

    /// The part of the path before the first unresolved or globbing component: everything it can name lies below.
    pub(crate) fn fixed(&self) -> &str {
        let mut end = 0;
        for part in self.path.split_inclusive('/') {
            if part.contains(HOLE) || (self.glob && has_glob(part)) {
                break;
            }
            end += part.len();
        }
        self.path[..end].trim_end_matches('/')
    }

    /// True when deleting it destroys the system, the home, the whole work tree or its history.
    pub(crate) fn is_critical(&self, world: &World) -> bool {
        let path = self.path.trim_end_matches("/*").trim_end_matches("/.*").trim_end_matches("/**");
        let path = path.trim_end_matches("/{*,.*}").trim_end_matches("/.[!.]*").trim_end_matches("/.??*");
        let everything = path.is_empty() || path == "/";
        let roots = [world.worktree.as_str(), world.home.as_str(), world.tmp.as_str(), "/root", "/home"];
        if everything || (roots.contains(&path) && !(path == world.tmp && self.glob)) {
            return true;
        }
        let own = [world.worktree.as_str(), world.home.as_str(), world.tmp.as_str(), "/var/tmp", "/dev/shm", "/root"];
        if own.iter().any(|dir| is_under(path, dir)) {
            // The history of the work tree, but not of a repository below it.
            return path == format!("{}/.git", world.worktree)
                || self.path.starts_with(&format!("{}/.git/", world.worktree));
        }
        // An ancestor of what we care for, or a directory right below the root.
        let depth = path.split('/').filter(|part| !part.is_empty()).count();
        let ancestor = own.iter().any(|dir| is_under(dir, path));
        let system = ["etc", "usr", "bin", "sbin", "lib", "lib64", "boot", "sys", "proc", "dev", "home"];
        let top = ["var", "opt", "srv", "mnt", "media", "run", "lib32", "libx32", "users", "data", "snap", "*"];
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let optional = ["share/doc", "share/man", "local/"];
        let in_system = system.contains(&first) && !optional.iter().any(|part| path.contains(part));
        ancestor
            || (depth <= 1 && (system.contains(&first) || top.contains(&first) || has_glob(first)))
            || (in_system && (depth <= 2 || !matches!(first, "usr" | "home")))
    }
}

/// True for `dir` itself and everything below it.
pub(crate) fn is_under(path: &str, dir: &str) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// True when `text` holds a character that the shell expands to file names.
pub(crate) fn has_glob(text: &str) -> bool {
    text.contains(['*', '?']) || text.split_once('[').is_some_and(|(_, rest)| rest.contains(']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Place {
        Place::resolve(text, has_glob(text), Some("/workspace"), &World::default())
    }

    #[test]
    fn every_spelling_of_a_path_is_one_path() {
        for text in ["/etc/../etc//passwd", "../etc/passwd", "/proc/self/root/etc/passwd", "./../etc/./passwd"] {
            assert_eq!(at(text).path, "/etc/passwd", "{text}");
        }
        assert_eq!(at("~/x").path, "/home/agent/x");
    }

    #[test]
    fn critical_paths_and_their_benign_twins() {
        let world = World::default();
        for text in [
            "/",
            "/*",
            "~",
            "~/*",
            ".",
            "*",
            "/workspace/*",
            ".git",
            "/etc",
            "/usr/bin",
            "/var",
            "/home/agent",
            "..",
            "/etc/ssl/x",
        ] {
            assert!(at(text).is_critical(&world), "{text}");
        }
        for text in
            ["target", "/tmp/x", "src/old", "~/.cache/x", "/var/lib/apt/lists/*", "/usr/local/lib/x/y", "/opt/a/b"]
        {
            assert!(!at(text).is_critical(&world), "{text}");
        }
    }
}
