//! Several ways through a line: what holds after one that may have been taken, and after rounds of a loop.

use super::{Function, Reference, Scope};
use crate::{place::HOLE, shell::Word};
use std::rc::Rc;

/// Most bodies that one function may have, each on another way through the line.
const MAX_BODIES: usize = 4;

impl Scope {
    /// Joins the state after a branch that may or may not have run: what differs is not known.
    pub(in crate::shell) fn join(&mut self, other: Self) {
        let mine: Vec<String> = self.vars.keys().filter(|name| !other.vars.contains_key(*name)).cloned().collect();
        for name in mine {
            self.forget(&name);
        }
        for (name, value) in &other.vars {
            match self.vars.get(name).cloned() {
                Some(mine) if mine.text == value.text => {}
                Some(mine) => {
                    self.choose(name, &mine);
                    self.choose(name, value);
                }
                None => self.choose(name, value),
            }
        }
        for (name, values) in &other.choices {
            values.iter().for_each(|value| self.choose(name, value));
        }
        for (name, value) in other.vars {
            match self.vars.get_mut(&name) {
                Some(mine) if mine.text == value.text => mine.absorb(&value),
                Some(mine) => {
                    mine.absorb(&value);
                    mine.text = HOLE.to_string();
                }
                None => {
                    let known = Word { sources: value.sources, secret: value.secret, ..Word::hole() };
                    self.vars.insert(name, known);
                }
            }
        }
        let same = |mine: &Vec<Word>, theirs: &Vec<Word>| {
            mine.len() == theirs.len() && mine.iter().zip(theirs).all(|(mine, theirs)| mine.text == theirs.text)
        };
        self.arrays.retain(|name, mine| other.arrays.get(name).is_some_and(|theirs| same(mine, theirs)));
        for (name, function) in &mut self.functions {
            function.is_certain &= other.functions.contains_key(name);
        }
        for (name, theirs) in other.functions {
            match self.functions.get_mut(&name) {
                Some(mine) => {
                    mine.is_certain &= theirs.is_certain;
                    mine.is_exported &= theirs.is_exported;
                    for body in theirs.bodies {
                        if !mine.bodies.iter().any(|known| Rc::ptr_eq(known, &body)) {
                            mine.bodies.push(body);
                        }
                    }
                    // Every body is walked at least once at the end of the line.
                    if mine.bodies.len() > MAX_BODIES {
                        mine.is_certain = false;
                    }
                }
                None => _ = self.functions.insert(name, Function { is_certain: false, ..theirs }),
            }
        }
        for (name, reference) in &mut self.references {
            reference.is_certain &= other.references.get(name) == Some(reference);
        }
        for (name, theirs) in other.references {
            self.references.entry(name).or_insert(Reference { is_certain: false, ..theirs });
        }
        let same = |mine: &Option<Vec<Word>>| match (mine, &other.positional) {
            (Some(mine), Some(theirs)) => same(mine, theirs),
            (Some(_), None) | (None, Some(_)) => false,
            (None, None) => true,
        };
        if !same(&self.positional) {
            self.positional = None;
        }
        self.exported.retain(|name| other.exported.contains(name));
        self.fixed.extend(other.fixed);
        if self.cwd != other.cwd {
            self.cwd = None;
        }
        if self.before != other.before {
            self.before = None;
        }
    }

    /// True when a variable may be something that it could not be before.
    pub(in crate::shell) fn has_more_choices_than(&self, before: &Self) -> bool {
        let count = |scope: &Self, name: &String| scope.choices.get(name).map_or(0, Vec::len);
        self.choices.keys().any(|name| before.vars.contains_key(name) && count(self, name) > count(before, name))
    }

    /// True when a loop's body that ran left what it found.
    pub(in crate::shell) fn is_kept_by(&self, before: &Self) -> bool {
        let same_vars = before
            .vars
            .iter()
            .all(|(name, old)| !old.is_known() || self.vars.get(name).is_some_and(|new| new.text == old.text));
        let same_functions = self.functions.len() == before.functions.len()
            && before.functions.iter().all(|(name, old)| {
                self.functions
                    .get(name)
                    .is_some_and(|new| new.is_certain == old.is_certain && new.bodies.len() == old.bodies.len())
            });
        let same_positional = match (&self.positional, &before.positional) {
            (Some(new), Some(old)) => {
                new.len() == old.len() && new.iter().zip(old).all(|(new, old)| new.text == old.text)
            }
            (Some(_) | None, None) => true,
            (None, Some(_)) => false,
        };
        let same_place = before.cwd.is_none() || before.cwd == self.cwd;
        same_vars && same_functions && same_positional && same_place
    }
}
