//! Variables, functions and the directory, as far as the line sets them.

use super::command::Word;
use crate::{
    place::{Place, is_under},
    secret::is_secret_variable,
    world::World,
};
use brush_parser::ast::FunctionBody;
use std::{collections::HashMap, rc::Rc};

/// What the shell knows at one point of the line.
#[derive(Clone)]
pub(super) struct Scope {
    pub vars: HashMap<String, Word>,
    /// The elements of arrays; `vars` has them joined.
    pub arrays: HashMap<String, Vec<Word>>,
    pub functions: HashMap<String, Rc<FunctionBody>>,
    /// `$1…`; none outside of a function whose arguments are known.
    pub positional: Option<Vec<Word>>,
    pub cwd: Option<String>,
    /// Where `cd -` leads.
    before: Option<String>,
}

impl Scope {
    pub(super) fn new(cwd: &str, world: &World) -> Self {
        let vars = HashMap::from([
            ("HOME".to_owned(), Word::literal(&world.home)),
            ("TMPDIR".to_owned(), Word::literal(&world.tmp)),
            ("SHELL".to_owned(), Word::literal("/bin/bash")),
            ("IFS".to_owned(), Word::literal(" \t\n")),
        ]);
        let place = Place::resolve(cwd, false, Some(&world.worktree), world);
        Self {
            vars,
            arrays: HashMap::new(),
            functions: HashMap::new(),
            positional: None,
            cwd: place.known.then_some(place.path),
            before: None,
        }
    }

    /// The value of a variable; what the line did not set is a hole.
    pub(super) fn get(&self, name: &str) -> Word {
        match (name, &self.cwd) {
            ("PWD", Some(cwd)) => Word::literal(cwd),
            _ => self
                .vars
                .get(name)
                .cloned()
                .unwrap_or_else(|| Word { secret: is_secret_variable(name), ..Word::hole() }),
        }
    }

    /// Sets a variable.
    pub(super) fn set(&mut self, name: &str, value: Word) {
        // Setting the joined elements again is no change.
        if self.vars.get(name).is_none_or(|old| old.text != value.text) {
            self.arrays.remove(name);
        }
        self.vars.insert(name.to_owned(), value);
    }

    /// Sets an array whose joined elements are `value`.
    pub(super) fn set_array(&mut self, name: &str, value: Word, items: Vec<Word>) {
        self.set(name, value);
        self.arrays.insert(name.to_owned(), items);
    }

    /// Joins the state after a branch that may or may not have run: what differs is not known.
    pub(super) fn join(&mut self, other: Self) {
        for (name, value) in other.vars {
            match self.vars.get_mut(&name) {
                Some(mine) if mine.text == value.text => mine.absorb(&value),
                Some(mine) => {
                    mine.absorb(&value);
                    mine.text = crate::place::HOLE.to_string();
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
        self.functions.extend(other.functions);
        if self.cwd != other.cwd {
            self.cwd = None;
        }
        if self.before != other.before {
            self.before = None;
        }
    }

    /// Follows `cd`.
    pub(super) fn change_directory(&mut self, target: Option<&Word>, world: &World) {
        let here = self.cwd.clone();
        self.cwd = match target {
            None => Some(world.home.clone()),
            Some(word) if word.text == "-" => self.before.take(),
            Some(word) => {
                let place = Place::resolve(&word.text, word.glob, self.cwd.as_deref(), world);
                // One of several directories of the work tree: what is named from there is one of several places too.
                let is_certain = !place.glob || is_under(place.fixed(), &world.worktree) && !place.path.contains("/.");
                (place.known && is_certain).then_some(place.path)
            }
        };
        self.before = here;
    }
}
