//! Which cases there are. `scope.txt` has a line for each, and the table must have the same.

/// Id and what is done here.
pub(crate) fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("scope.txt").lines().filter_map(|line| line.split_once("  "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        case::Weak,
        scenes::SCENES,
        table::{cases, controls},
    };
    use std::collections::{BTreeMap, BTreeSet};

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
        let mut seen = BTreeMap::new();
        for case in cases() {
            for step in case.steps {
                let can_be_broken = !step.bad.is_empty() || !step.traces.is_empty() || step.good != ["*"];
                assert!(can_be_broken, "{}: nothing is bad", step.name);
                let both = step.bad.iter().find(|bad| step.good.contains(bad));
                assert_eq!(both, None, "{}: good and bad", step.name);
                assert_eq!(seen.insert(step.name.clone(), case.id), None, "{} comes twice", step.name);
            }
        }
    }

    #[test]
    fn enough_is_expected_to_break_without_walls() {
        let broken = cases().iter().filter(|case| case.weak == Weak::Broken).count();
        assert!(broken >= crate::weak::MUST_BREAK, "{broken}");
    }
}
