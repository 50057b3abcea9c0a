//! Many patterns become fewer: a star in the place of the segment in which most of them differ, again and again.
//!
//! What must stay true: the paths are what programs inside asked for, so that the time for all of them together grows no faster than their
//! text, but for a logarithm. So each group of patterns that differ in one segment is made once and then kept up to date.

use super::{MAX_PATTERNS, Segments};
use std::{
    cmp::Ordering,
    collections::{BTreeSet, BinaryHeap, HashMap},
    rc::Rc,
};

/// Most stars of a folded pattern; a pattern that came from a path has none.
const MAX_STARS: usize = 4;
const STAR: &str = "*";

/// Patterns by number, and their groups.
pub(super) struct Folding {
    patterns: Vec<Option<Rc<Segments>>>,
    left: usize,
    groups: HashMap<Place, BTreeSet<usize>>,
    /// Each group of two or more has an entry here that is not smaller than it.
    largest: BinaryHeap<Group>,
    before: Runs,
    behind: Runs,
}

/// What is the same in all patterns of a group: the segments before and behind the one in which they differ, as runs.
type Place = (usize, usize);

/// Numbers for runs of segments: equal runs have equal numbers.
#[derive(Default)]
struct Runs(HashMap<(usize, Rc<str>), usize>);

/// A group, as large as it was when this was made.
#[derive(PartialEq, Eq)]
struct Group {
    members: usize,
    at: usize,
    /// One that is or was in it.
    pattern: Rc<Segments>,
    place: Place,
}

impl Folding {
    /// Nothing is folded yet.
    pub(super) fn of(patterns: BTreeSet<Segments>) -> Self {
        let mut folding = Self {
            patterns: Vec::new(),
            left: 0,
            groups: HashMap::new(),
            largest: BinaryHeap::new(),
            before: Runs::default(),
            behind: Runs::default(),
        };
        patterns.into_iter().for_each(|pattern| folding.insert(pattern));
        folding
    }

    /// As few as there should be, or as can be.
    pub(super) fn fewer(mut self) -> BTreeSet<Segments> {
        while self.left > MAX_PATTERNS
            && let Some(group) = self.largest.pop()
        {
            let members = self.groups.get(&group.place).map_or(0, BTreeSet::len);
            if members == group.members {
                self.fold(&group);
            } else if members > 1 {
                self.largest.push(Group { members, ..group });
            }
        }
        self.patterns.into_iter().flatten().map(Rc::unwrap_or_clone).collect()
    }

    fn fold(&mut self, group: &Group) {
        for number in self.groups.remove(&group.place).unwrap_or_default() {
            if let Some(pattern) = self.patterns[number].take() {
                self.left -= 1;
                for (_, place) in self.places(&pattern) {
                    if let Some(members) = self.groups.get_mut(&place) {
                        members.remove(&number);
                    }
                }
            }
        }
        self.insert(group.segments().map(str::to_owned).collect());
    }

    fn insert(&mut self, pattern: Segments) {
        let (number, pattern) = (self.patterns.len(), Rc::new(pattern));
        for (at, place) in self.places(&pattern) {
            let members = self.groups.entry(place).or_default();
            members.insert(number);
            if members.len() > 1 {
                self.largest.push(Group { members: members.len(), at, pattern: pattern.clone(), place });
            }
        }
        self.patterns.push(Some(pattern));
        self.left += 1;
    }

    /// Where a star may come, and the groups that the pattern is in for it.
    fn places(&mut self, pattern: &Segments) -> Vec<(usize, Place)> {
        if pattern.iter().any(|segment| segment == "**") {
            return Vec::new();
        }
        let stars = pattern.iter().filter(|segment| *segment == STAR).count();
        let before = self.before.of(pattern.iter());
        let mut behind = self.behind.of(pattern.iter().rev());
        behind.reverse();
        let all = (0..pattern.len()).map(|at| (at, (before[at], behind[at + 1])));
        all.filter(|(at, _)| pattern[*at] == STAR || stars < MAX_STARS).collect()
    }
}

impl Runs {
    /// The numbers of the first none, one, two … of the segments.
    fn of<'a>(&mut self, segments: impl Iterator<Item = &'a String>) -> Vec<usize> {
        let mut numbers = vec![0];
        let mut last = 0;
        for segment in segments {
            let next = self.0.len() + 1;
            last = *self.0.entry((last, segment.as_str().into())).or_insert(next);
            numbers.push(last);
        }
        numbers
    }
}

impl Group {
    /// The pattern that stands for all of them.
    fn segments(&self) -> impl Iterator<Item = &str> {
        self.pattern.iter().enumerate().map(|(at, own)| if at == self.at { STAR } else { own })
    }
}

/// Of equally large ones the last in order, which has its star further behind.
impl Ord for Group {
    fn cmp(&self, other: &Self) -> Ordering {
        let sizes = (self.members, self.at).cmp(&(other.members, other.at));
        sizes.then_with(|| self.segments().cmp(other.segments()))
    }
}

impl PartialOrd for Group {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn segments(path: &str) -> Segments {
        path[1..].split('/').map(str::to_owned).collect()
    }

    /// The same, said as simply as can be: the groups are made anew for each star.
    fn said_simply(mut patterns: BTreeSet<Segments>) -> BTreeSet<Segments> {
        while patterns.len() > MAX_PATTERNS {
            let mut groups: BTreeMap<(usize, Segments), Vec<Segments>> = BTreeMap::new();
            for pattern in patterns.iter().filter(|pattern| !pattern.iter().any(|segment| segment == "**")) {
                for at in 0..pattern.len() {
                    let mut starred = pattern.clone();
                    STAR.clone_into(&mut starred[at]);
                    if starred.iter().filter(|segment| *segment == STAR).count() <= MAX_STARS {
                        groups.entry((at, starred)).or_default().push(pattern.clone());
                    }
                }
            }
            groups.retain(|_, members| members.len() > 1);
            let Some(((_, starred), members)) = groups.into_iter().max_by_key(|(_, members)| members.len()) else {
                break;
            };
            patterns.retain(|pattern| !members.contains(pattern));
            patterns.insert(starred);
        }
        patterns
    }

    #[test]
    fn tens_of_thousands_are_folded_although_each_star_stands_for_two() {
        let pairs = (0..20_000).flat_map(|n| [format!("/{n}/b{n}/x"), format!("/{n}/b{n}/y")]);
        let folded = Folding::of(pairs.map(|path| segments(&path)).collect()).fewer();
        assert_eq!(folded.len(), 20_000);
        assert!(folded.contains(&segments("/7/b7/*")));
    }

    proptest! {
        #[test]
        fn what_is_kept_up_to_date_is_what_would_be_made_anew(
            paths in proptest::collection::btree_set("(/([ab]|c?d)){1,7}(/(\\*\\*)?)?", 0..80)
        ) {
            let patterns: BTreeSet<_> = paths.iter().map(|path| segments(path)).collect();
            prop_assert_eq!(Folding::of(patterns.clone()).fewer(), said_simply(patterns));
        }
    }
}
