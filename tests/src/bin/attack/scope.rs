//! Which cases there are. `scope.txt` has a line for each, and the table must have the same.

/// Id and what is done here.
pub(crate) fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("scope.txt").lines().filter_map(|line| line.split_once("  "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        case::{Step, Weak},
        scenes::SCENES,
        table::{cases, controls},
    };
    use serde_json::json;
    use std::collections::BTreeSet;

    /// The ids of the threat list that are about the boundary.
    fn in_scope() -> Vec<String> {
        let range = |chapter: &'static str, last: usize| (1..=last).map(move |n| format!("{chapter}-{n:02}"));
        let around_the_gate = [1, 4, 5, 6, 7, 8, 9, 18].map(|n| format!("T-{n:02}"));
        let chapters = [range("N", 30), range("D", 6), range("X", 14), range("C", 14), range("K", 18)];
        chapters.into_iter().flatten().chain(around_the_gate).collect()
    }

    #[test]
    fn every_id_in_scope_has_a_line_and_a_case() {
        let written: Vec<_> = lines().map(|(id, _)| id).collect();
        assert_eq!(written, in_scope());
        let mut known: Vec<_> = cases().iter().map(|case| case.id).collect();
        let mut wanted = written.clone();
        known.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(known, wanted);
    }

    #[test]
    fn every_case_does_something_and_has_a_control() {
        let controls: BTreeSet<_> = controls().into_iter().map(|step| step.name).collect();
        let scenes: BTreeSet<_> = SCENES.iter().map(|(name, _)| *name).collect();
        for case in cases() {
            assert!(!case.steps.is_empty() || !case.scenes.is_empty(), "{}: nothing is done", case.id);
            assert!(case.steps.is_empty() || !case.controls.is_empty(), "{}: no control", case.id);
            let unknown = case.controls.iter().find(|name| !controls.contains(**name));
            assert_eq!(unknown, None, "{}: no such control", case.id);
            let unknown = case.scenes.iter().find(|name| !scenes.contains(**name));
            assert_eq!(unknown, None, "{}: no such scene", case.id);
        }
    }

    #[test]
    fn steps_can_be_told_apart_and_can_fail() {
        let mut seen = BTreeSet::new();
        let attempts = cases().into_iter().flat_map(|case| case.steps);
        for step in attempts.chain(controls()) {
            assert_eq!(weakness(&step), None, "{}", step.name);
            assert!(seen.insert(step.name.clone()), "{} comes twice", step.name);
        }
    }

    /// Why a step says nothing, or says it in a way that never fits.
    fn weakness(step: &Step) -> Option<String> {
        let proof = || step.good_in_proof.iter().flatten();
        let all = || step.good.iter().chain(proof()).chain(&step.bad);
        if step.good.is_empty() {
            return Some("nothing is good".to_owned());
        }
        // A command that ends well whatever it found has said nothing before its last line.
        let everything = step.good.iter().chain(proof()).find(|good| ["*", "0*", "0 *"].contains(&good.as_str()));
        let inside = all().find(|pattern| pattern.trim_end_matches('*').contains('*') || pattern.ends_with("**"));
        let both = step.bad.iter().find(|bad| step.good.contains(bad));
        let told =
            [(everything, "fits whatever comes"), (inside, "has its star in the middle"), (both, "is good and bad")];
        told.into_iter().find_map(|(found, what)| found.map(|pattern| format!("`{pattern}` {what}")))
    }

    #[test]
    fn weak_steps_are_told() {
        let of = |good: &[&str], bad: &[&str]| weakness(&Step::new("x", json!({"act": "x"}), good, bad));
        assert_eq!(of(&["0 403", "56 *"], &["0 *"]), None);
        for (good, bad, told) in [
            (&["*"][..], &[][..], "whatever"),
            (&["0 2", "0 *"], &[], "whatever"),
            (&["7", "*unreachable*"], &[], "middle"),
            (&["7"], &["0 *x"], "middle"),
            (&["7"], &["7"], "good and bad"),
            (&[], &["7"], "nothing is good"),
        ] {
            assert!(of(good, bad).is_some_and(|found| found.contains(told)), "{good:?} {bad:?}");
        }
    }

    #[test]
    fn what_a_control_traces_is_of_its_own_run() {
        for step in controls() {
            for trace in &step.traces {
                assert!(trace.texts.iter().any(|text| text.contains("{mark}")), "{}: {:?}", step.name, trace.texts);
            }
        }
    }

    #[test]
    fn enough_is_expected_to_break_without_walls() {
        let broken = cases().iter().filter(|case| case.weak == Weak::Broken).count();
        assert!(broken >= crate::weak::MUST_BREAK, "{broken}");
    }
}
