//! The list of checks as it grows.

use rustix::io::Errno;
use std::{io, thread};
use types::{
    probe::{Check, Expect},
    text::printable,
};

/// Longest detail, in characters.
const MAX_DETAIL: usize = 200;

/// Checks made so far, in order.
#[derive(Debug, Default)]
pub(super) struct Checks(Vec<Check>);

impl Checks {
    /// An attempt that must fail with one of `accepted`. Success and every other errno are surprises.
    pub(super) fn held<T>(&mut self, id: impl Into<String>, attempt: Result<T, Errno>, accepted: &[Errno]) {
        let (ok, detail) = match attempt {
            Ok(_) => (false, "it worked".to_owned()),
            Err(errno) => (accepted.contains(&errno), io::Error::from(errno).to_string()),
        };
        self.add(id, Expect::Held, ok, &detail);
    }

    /// A fact that must be so for something to be held.
    pub(super) fn holds(&mut self, id: impl Into<String>, ok: bool, detail: &str) {
        self.add(id, Expect::Held, ok, detail);
    }

    /// A positive control, with what came of it.
    pub(super) fn works(&mut self, id: impl Into<String>, result: Result<String, String>) {
        let ok = result.is_ok();
        let detail = result.unwrap_or_else(|reason| reason);
        self.add(id, Expect::Works, ok, &detail);
    }

    /// Takes in the checks of a thread; one that panicked is a surprise under `id`.
    pub(super) fn join(&mut self, id: &str, checks: thread::Result<Checks>) {
        match checks {
            Ok(checks) => self.0.extend(checks.0),
            Err(_) => self.works(id, Err("the check itself failed".to_owned())),
        }
    }

    pub(super) fn into_list(self) -> Vec<Check> {
        self.0
    }

    fn add(&mut self, id: impl Into<String>, expect: Expect, ok: bool, detail: &str) {
        self.0.push(Check { id: id.into(), expect, ok, detail: printable(detail, MAX_DETAIL) });
    }
}

#[cfg(test)]
impl Checks {
    /// The outcome of one check by its id.
    pub(super) fn outcome(&self, id: &str) -> Option<bool> {
        self.0.iter().find(|check| check.id == id).map(|check| check.ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_errnos_count_as_held() {
        let mut checks = Checks::default();
        checks.held("a", Err::<(), _>(Errno::PERM), &[Errno::PERM, Errno::NOSYS]);
        checks.held("b", Err::<(), _>(Errno::FAULT), &[Errno::PERM, Errno::NOSYS]);
        checks.held("c", Ok(3), &[Errno::PERM]);
        assert_eq!(["a", "b", "c"].map(|id| checks.outcome(id)), [Some(true), Some(false), Some(false)]);
    }

    #[test]
    fn a_check_that_fails_itself_is_a_surprise() {
        let mut checks = Checks::default();
        checks.join("thread", Err(Box::new("panicked")));
        assert_eq!(checks.outcome("thread"), Some(false));
    }
}
