//! Variables, functions and the directory, as far as the line sets them.
//!
//! What must stay true: a value counts as known only where every way through the line that leads there gives that value.

mod ways;

use super::command::Word;
use crate::{
    place::{Place, is_under},
    secret::is_secret_variable,
    world::World,
};
use brush_parser::ast::FunctionBody;
use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

/// Names that lead to names, up to which they are followed.
const MAX_NAMES: usize = 8;
/// Most values that are kept of a variable which has one of several.
const MAX_CHOICES: usize = 4;
/// Variables that every program is started with.
const INHERITED: [&str; 3] = ["HOME", "TMPDIR", "SHELL"];

/// A function of the line.
#[derive(Clone)]
pub(super) struct Function {
    /// What it may be.
    pub bodies: Vec<Rc<FunctionBody>>,
    /// False when the name may as well stand for a program.
    pub is_certain: bool,
    pub is_exported: bool,
}

/// Another name of a variable: `declare -n`.
#[derive(Clone, PartialEq, Eq)]
struct Reference {
    target: String,
    is_certain: bool,
}

/// What a variable was before a function made it its own.
#[derive(Clone)]
struct Saved {
    value: Option<Word>,
    items: Option<Vec<Word>>,
    reference: Option<Reference>,
    /// False when it may have stayed the caller's.
    is_certain: bool,
}

/// What the shell knows at one point of the line.
#[derive(Clone)]
pub(super) struct Scope {
    pub vars: HashMap<String, Word>,
    /// Values that a variable may have which is not known.
    pub choices: HashMap<String, Vec<Word>>,
    /// The elements of arrays; `vars` has them joined.
    pub arrays: HashMap<String, Vec<Word>>,
    pub functions: HashMap<String, Function>,
    /// `$1…`; none where the arguments are not known.
    pub positional: Option<Vec<Word>>,
    /// `$0`.
    pub zero: Word,
    pub cwd: Option<String>,
    /// Where `cd -` leads.
    before: Option<String>,
    references: HashMap<String, Reference>,
    exported: HashSet<String>,
    /// Variables whose assignments fail, or change the value.
    fixed: HashSet<String>,
    /// The variables of the functions that are running.
    frames: Vec<HashMap<String, Saved>>,
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
            choices: HashMap::new(),
            arrays: HashMap::new(),
            functions: HashMap::new(),
            positional: None,
            zero: Word::literal("bash"),
            cwd: place.known.then_some(place.path),
            before: None,
            references: HashMap::new(),
            exported: INHERITED.map(str::to_owned).into(),
            fixed: HashSet::new(),
            frames: Vec::new(),
        }
    }

    /// The value of a variable; what the line did not set is a hole.
    pub(super) fn get(&self, name: &str) -> Word {
        let Some(name) = self.target(name) else { return Word::hole() };
        if is_kept_by_the_shell(name) {
            return Word::hole();
        }
        match (self.vars.get(name), name, &self.cwd) {
            (Some(value), ..) => value.clone(),
            (None, "PWD", Some(cwd)) => Word::literal(cwd),
            (None, ..) => Word { secret: is_secret_variable(name), ..Word::hole() },
        }
    }

    /// The variable that a name stands for; none when that is not certain.
    fn target<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut name = name;
        for _ in 0..MAX_NAMES {
            match self.references.get(name) {
                Some(reference) if reference.is_certain => name = &reference.target,
                Some(_) => return None,
                None => return Some(name),
            }
        }
        None
    }

    /// Sets a variable.
    pub(super) fn set(&mut self, name: &str, value: Word) {
        let name = match self.target(name) {
            Some(name) => name.to_owned(),
            // One of several is set.
            None => {
                let mut names = vec![name.to_owned()];
                while names.len() <= MAX_NAMES
                    && let Some(reference) = names.last().and_then(|name| self.references.get(name))
                {
                    names.push(reference.target.clone());
                }
                return names.iter().for_each(|name| self.forget(name));
            }
        };
        // An element changes the whole in a way that is not followed.
        if let Some((array, _)) = name.split_once('[') {
            return self.set(array, Word { text: format!("{}{}", value.text, crate::place::HOLE), ..value });
        }
        let value =
            if self.fixed.contains(&name) { Word { text: crate::place::HOLE.to_string(), ..value } } else { value };
        // Setting the joined elements again is no change.
        if self.vars.get(&name).is_none_or(|old| old.text != value.text) {
            self.arrays.remove(&name);
        }
        self.choices.remove(&name);
        self.vars.insert(name, value);
    }

    /// Sets an array whose joined elements are `value`.
    pub(super) fn set_array(&mut self, name: &str, value: Word, items: Vec<Word>) {
        self.set(name, value);
        if !self.fixed.contains(name) && !self.references.contains_key(name) && !name.contains('[') {
            self.arrays.insert(name.to_owned(), items);
        }
    }

    /// Makes a value unknown; where it came from stays.
    pub(super) fn forget(&mut self, name: &str) {
        let old = self.vars.get(name).cloned().unwrap_or_else(|| self.get(name));
        self.arrays.remove(name);
        self.choose(name, &old);
        self.vars.insert(name.to_owned(), Word { text: crate::place::HOLE.to_string(), glob: false, ..old });
    }

    /// Adds to what a variable may be.
    fn choose(&mut self, name: &str, value: &Word) {
        if !value.is_known() || value.text.is_empty() || name == "IFS" {
            return;
        }
        let choices = self.choices.entry(name.to_owned()).or_default();
        if choices.len() < MAX_CHOICES && !choices.iter().any(|known| known.text == value.text) {
            choices.push(value.clone());
        }
    }

    /// Something sets variables whose names are not known.
    pub(super) fn forget_all(&mut self) {
        for name in self.vars.keys().cloned().collect::<Vec<_>>() {
            if name != "IFS" {
                self.forget(&name);
            }
        }
    }

    /// Makes a name stand for another variable.
    pub(super) fn refer(&mut self, name: &str, target: &str) {
        self.references.insert(name.to_owned(), Reference { target: target.to_owned(), is_certain: target != name });
    }

    /// What a name stands for is no longer certain.
    pub(super) fn loosen(&mut self, name: &str) {
        if let Some(reference) = self.references.get_mut(name) {
            reference.is_certain = false;
        }
    }

    /// Later assignments fail, or change what they assign.
    pub(super) fn fix(&mut self, name: &str) {
        self.fixed.insert(name.to_owned());
    }

    pub(super) fn export(&mut self, name: &str, is_exported: bool) {
        if is_exported {
            self.exported.insert(name.to_owned());
        } else {
            self.exported.remove(name);
        }
    }

    /// A function that starts.
    pub(super) fn enter(&mut self) {
        self.frames.push(HashMap::new());
    }

    /// A function makes a variable its own; false outside of functions.
    pub(super) fn own(&mut self, name: &str, is_certain: bool) -> bool {
        let saved = Saved {
            value: self.vars.get(name).cloned(),
            items: self.arrays.get(name).cloned(),
            reference: self.references.get(name).cloned(),
            is_certain,
        };
        let Some(frame) = self.frames.last_mut() else { return false };
        frame.entry(name.to_owned()).or_insert(saved);
        // A variable of its own begins without a value.
        self.references.remove(name);
        self.forget(name);
        true
    }

    /// A function sets a variable of the line from within: whose it is, is not followed.
    pub(super) fn set_outside(&mut self, name: &str) {
        for frame in &mut self.frames {
            if let Some(saved) = frame.get_mut(name) {
                saved.is_certain = false;
            }
        }
        self.forget(name);
    }

    /// A function that ends: what was its own is the caller's again.
    pub(super) fn leave(&mut self) {
        for (name, saved) in self.frames.pop().unwrap_or_default() {
            self.arrays.remove(&name);
            match saved.reference {
                Some(reference) => _ = self.references.insert(name.clone(), reference),
                None => _ = self.references.remove(&name),
            }
            match saved.value {
                Some(value) => _ = self.vars.insert(name.clone(), value),
                None => _ = self.vars.remove(&name),
            }
            match saved.items {
                Some(items) if saved.is_certain => _ = self.arrays.insert(name, items),
                Some(_) | None if saved.is_certain => {}
                Some(_) | None => self.forget(&name),
            }
        }
    }

    /// What a program that is started finds of it: the variables and functions that are handed on.
    pub(super) fn hand_on(&mut self, knows_environment: bool) {
        let exported = &self.exported;
        self.vars.retain(|name, _| name == "IFS" || knows_environment && exported.contains(name));
        self.arrays.clear();
        let vars = &self.vars;
        self.choices.retain(|name, _| vars.contains_key(name));
        for function in self.functions.values_mut() {
            function.is_certain &= function.is_exported && knows_environment;
        }
        self.positional = None;
        self.zero = Word::hole();
        self.references.clear();
        self.fixed.clear();
        self.frames.clear();
    }

    pub(super) fn define(&mut self, name: &str, body: Rc<FunctionBody>) {
        let is_exported = self.functions.get(name).is_some_and(|function| function.is_exported);
        let function = Function { bodies: vec![body], is_certain: true, is_exported };
        self.functions.insert(name.to_owned(), function);
    }

    /// Follows `cd`.
    pub(super) fn change_directory(&mut self, target: Option<&Word>, world: &World) {
        let here = self.cwd.clone();
        self.cwd = match target {
            // With a list of places to look in, a name leads anywhere.
            Some(_) if self.vars.contains_key("CDPATH") => None,
            None => {
                let home = self.get("HOME");
                let place = Place::resolve(&home.text, false, self.cwd.as_deref(), world);
                (home.is_known() && place.known).then_some(place.path)
            }
            Some(word) if word.text == "-" => self.before.take(),
            Some(word) => {
                let place = Place::resolve(&word.text, word.glob, self.cwd.as_deref(), world);
                // One of several directories of the work tree: what is named from there is one of several places too.
                let is_certain = !place.glob || is_under(place.fixed(), &world.worktree) && !place.path.contains("/.");
                (place.known && is_certain).then_some(place.path)
            }
        };
        self.before = here;
        self.vars.remove("PWD");
    }
}

/// Variables that the shell sets itself, whatever the line assigns to them.
fn is_kept_by_the_shell(name: &str) -> bool {
    name.starts_with("BASH") && name != "BASH_ENV"
        || name.starts_with("COMP_")
        || name.starts_with("EPOCH")
        || matches!(
            name,
            "_" | "FUNCNAME"
                | "RANDOM"
                | "SRANDOM"
                | "SECONDS"
                | "LINENO"
                | "GROUPS"
                | "UID"
                | "EUID"
                | "PPID"
                | "DIRSTACK"
                | "PIPESTATUS"
                | "OLDPWD"
                | "OPTARG"
                | "HISTCMD"
        )
}
