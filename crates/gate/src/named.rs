//! Files that the person's task names. Asking for work on a file by its name answers the question whether it may be read, or written
//! with content that shows nothing wrong; it answers no other question.

use crate::{asked::Asked, classifier::is_negated, place::Place, world::World};

/// Most files that are taken from one task.
const MAX_FILES: usize = 64;

/// The files, as paths below the work tree. A sentence that says no names none.
pub(crate) fn files(task: &str, worktree: &str) -> Vec<String> {
    let is_mark = |c: char| c.is_whitespace() || "\"'`,;()[]<>*".contains(c);
    let mut found = Vec::new();
    for word in task.split(is_mark) {
        let name = word.trim_end_matches(['.', ':', '!', '?']).trim_start_matches("./");
        let at = word.as_ptr() as usize - task.as_ptr() as usize;
        if found.len() < MAX_FILES && is_file(name) && !is_negated(&task[..at]) {
            found.push(format!("{worktree}/{name}"));
        }
    }
    found
}

/// True for what can only be the name of a file: `.env`, `CLAUDE.md`, `.github/workflows/ci.yml`.
fn is_file(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or_default();
    let end = name.rsplit_once('.').map(|(_, end)| end).unwrap_or_default();
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    is_plain && !word.starts_with('/') && !word.contains("..") && !end.is_empty() && end.len() <= 12
}

impl World {
    /// The same world, in which the person asked for `task`.
    #[must_use]
    pub fn with_task(mut self, task: &str) -> Self {
        self.named = files(task, &self.worktree);
        self.asked = Asked::of(task);
        self
    }

    /// True when the task names exactly this file, or asks for one of its kind.
    pub(crate) fn is_named(&self, place: &Place) -> bool {
        place.known && !place.glob && self.named.contains(&place.path) || self.asked.writes(place, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_from_sentences_that_ask() {
        let of = |task: &str| files(task, "/w");
        assert_eq!(of("The server cannot connect; check the settings in `.env`."), ["/w/.env"]);
        assert_eq!(
            of("Write docs/AGENTS.md, then bump .github/workflows/ci.yml!"),
            ["/w/docs/AGENTS.md", "/w/.github/workflows/ci.yml"]
        );
        for none in
            ["Do not touch CLAUDE.md.", "Fix it without reading .env", "Read /etc/x.conf", "../a.b", "Run tests", ""]
        {
            assert_eq!(of(none), Vec::<String>::new(), "{none}");
        }
        assert_eq!(of("Never mind the past. Look at .env"), ["/w/.env"]);
    }
}
