//! Path patterns for paths that were asked for: exactly these paths where they are few, else a few patterns that cover them and others.

mod folding;

use folding::Folding;
use std::collections::BTreeSet;
use types::path::{NormalPath, PathPattern};

/// Most patterns that a person can still read.
pub(super) const MAX_PATTERNS: usize = 8;

type Segments = Vec<String>;

/// True when a pattern can stand for the path and for no other one: it is not too long and holds no star.
pub(super) fn is_exact(path: &NormalPath) -> bool {
    !path.as_str().contains('*') && PathPattern::parse(path.as_str()).is_ok()
}

/// Patterns that cover all of `paths` that are [`is_exact`], at most [`MAX_PATTERNS`] of them.
pub(super) fn narrow(paths: &BTreeSet<NormalPath>) -> Vec<PathPattern> {
    let segments = |path: &NormalPath| path.as_str()[1..].split('/').map(str::to_owned).collect();
    let mut patterns: BTreeSet<Segments> = paths.iter().filter(|path| is_exact(path)).map(segments).collect();
    while patterns.len() > MAX_PATTERNS {
        patterns = Folding::of(patterns).fewer();
        if patterns.len() > MAX_PATTERNS {
            patterns = below_directories(&patterns);
        }
    }
    let text = |segments: &Segments| format!("/{}", segments.join("/"));
    patterns.iter().filter_map(|segments| PathPattern::parse(&text(segments)).ok()).collect()
}

/// Everything below the first segments, or below the root when these are too many.
fn below_directories(patterns: &BTreeSet<Segments>) -> BTreeSet<Segments> {
    let below = |pattern: &Segments| match pattern.split_first() {
        Some((first, rest)) if !rest.is_empty() && first != "**" => vec![first.clone(), "**".to_owned()],
        Some(_) | None => pattern.clone(),
    };
    let folded: BTreeSet<_> = patterns.iter().map(below).collect();
    if folded.len() < patterns.len() { folded } else { BTreeSet::from([vec!["**".to_owned()]]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn paths(texts: &[&str]) -> BTreeSet<NormalPath> {
        texts.iter().map(|text| NormalPath::parse(text).expect(text)).collect()
    }

    fn narrowed(texts: &[&str]) -> Vec<String> {
        narrow(&paths(texts)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn few_paths_are_themselves() {
        assert_eq!(narrowed(&["/", "/a/b", "/a/c"]), ["/", "/a/b", "/a/c"]);
        assert_eq!(narrowed(&["/a*b", "/c"]), ["/c"], "a star would stand for more");
    }

    #[test]
    fn many_paths_fold_where_they_differ() {
        let simple: Vec<_> = (0..20).map(|n| format!("/simple/package-{n}/")).collect();
        let mut all: Vec<_> = simple.iter().map(String::as_str).collect();
        all.push("/health");
        assert_eq!(narrowed(&all), ["/health", "/simple/*/"]);
        let deep: Vec<_> = (0..20).map(|n| format!("/files{}", format!("/{n}").repeat(n + 1))).collect();
        assert_eq!(narrowed(&deep.iter().map(String::as_str).collect::<Vec<_>>()), ["/files/**"]);
        let flat: Vec<_> = (0..20).map(|n| format!("/{n}/{n}")).collect();
        assert_eq!(narrowed(&flat.iter().map(String::as_str).collect::<Vec<_>>()), ["/**"]);
    }

    proptest! {
        #[test]
        fn all_are_covered_by_few(texts in proptest::collection::btree_set("(/[abx.~]{1,3}){1,5}/?|/[a-z]{1,8}|/", 0..60)) {
            let paths: BTreeSet<_> = texts.iter().filter_map(|text| NormalPath::parse(text).ok()).collect();
            let patterns = narrow(&paths);
            prop_assert!(patterns.len() <= MAX_PATTERNS);
            for path in &paths {
                prop_assert!(patterns.iter().any(|pattern| pattern.covers(path)), "{path} by {patterns:?}");
            }
            if paths.len() <= MAX_PATTERNS {
                let texts: BTreeSet<_> = paths.iter().map(|path| path.as_str().to_owned()).collect();
                prop_assert_eq!(patterns.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), texts);
            }
        }
    }
}
