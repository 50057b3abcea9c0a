//! Edits that weaken what keeps a project safe: tests, checks of the CI, certificates, who may do what. And edits that
//! speak to later agents or change where packages come from.

mod checks;
mod marks;
mod orders;
mod sources;

pub(crate) use checks::is_kept_test;
pub(crate) use orders::{is_instruction_file, skips_permissions};

use crate::{
    effect::{Effect, Finding},
    place::Place,
    world::World,
};

/// What an edit takes away and puts in its place; `removed` is empty where the old content is not known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub removed: &'a str,
    pub added: &'a str,
}

impl Change<'_> {
    /// True when the added text says it more often than the removed one.
    fn adds(&self, marks: &[&str]) -> bool {
        count(self.added, marks) > count(self.removed, marks)
    }
}

/// True when the removed text names one of the marks and the added text names it less often.
fn loses(change: Change<'_>, marks: &[&str]) -> bool {
    // Code that moved elsewhere in one edit is not lost; text in comments does not count as kept.
    marks.iter().any(|mark| count(&code_of(change.removed), &[mark]) > count(&code_of(change.added), &[mark]))
}

fn code_of(text: &str) -> String {
    text.lines()
        .filter(|line| {
            let line = line.trim_start();
            !line.starts_with("//")
                && !line.starts_with('#')
                && !line.starts_with('*')
                && !line.starts_with("import ")
                && !line.starts_with("from ")
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn count(text: &str, marks: &[&str]) -> usize {
    marks.iter().map(|mark| text.matches(mark).count()).sum()
}

fn is_prose(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_list = name.starts_with("requirements") || name.starts_with("constraints") || name == "cmakelists.txt";
    !is_list && [".md", ".mdx", ".txt", ".rst", ".adoc", ".puml"].iter().any(|end| path.ends_with(end))
}

/// What speaks against the change of this file.
pub(crate) fn findings(place: &Place, change: Change<'_>, world: &World) -> Vec<Finding> {
    let lower = place.path.to_ascii_lowercase();
    let mut found = Vec::new();
    if !is_prose(&lower) {
        found.extend(checks::findings(&lower, change));
        found.extend(sources::findings(&lower, change));
    }
    found.extend(orders::findings(&lower, change, world));
    found
}

/// Findings as effects of a call.
pub(crate) fn effects(place: &Place, change: Change<'_>, world: &World) -> Vec<Effect> {
    findings(place, change, world).into_iter().map(Effect::from).collect()
}
