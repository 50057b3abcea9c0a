//! The list of checks as it grows.

use rustix::io::Errno;
use std::{io, thread};
use types::{
    canary,
    probe::{Check, Expect, Kernel},
    text::printable,
};

/// Longest detail, in characters.
const MAX_DETAIL: usize = 200;

/// Checks made so far, in order.
#[derive(Debug, Default)]
pub(super) struct Checks {
    list: Vec<Check>,
    kernel: Kernel,
}

impl Checks {
    /// No checks yet, below this kernel.
    pub(super) fn below(kernel: Kernel) -> Self {
        Self { list: Vec::new(), kernel }
    }

    pub(super) fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// An attempt that must fail with one of `accepted`. Success and every other errno are surprises, unless the call is one that
    /// gVisor answers itself: then it has not reached the machine's kernel, whatever came of it.
    pub(super) fn held<T>(&mut self, id: impl Into<String>, attempt: Result<T, Errno>, accepted: &[Errno]) {
        let id = id.into();
        let (ok, detail) = match attempt {
            Ok(_) => (false, "it worked".to_owned()),
            Err(errno) => (accepted.contains(&errno), io::Error::from(errno).to_string()),
        };
        if self.is_answered_by_gvisor(&id) && !ok {
            return self.add(id, Expect::Held, true, &format!("answered by gVisor's own kernel: {detail}"));
        }
        self.add(id, Expect::Held, ok, &detail);
    }

    /// True when gVisor may answer this itself and is what lies below.
    pub(super) fn is_answered_by_gvisor(&self, id: &str) -> bool {
        self.kernel == Kernel::Gvisor && canary::probe(id).is_some_and(|probe| probe.is_gvisors_own)
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
            Ok(checks) => self.list.extend(checks.list),
            Err(_) => self.works(id, Err("the check itself failed".to_owned())),
        }
    }

    pub(super) fn into_list(self) -> Vec<Check> {
        self.list
    }

    fn add(&mut self, id: impl Into<String>, expect: Expect, ok: bool, detail: &str) {
        let id = id.into();
        let threat = canary::probe(&id).map(|probe| probe.threat.to_owned()).unwrap_or_default();
        self.list.push(Check { id, threat, expect, ok, detail: printable(detail, MAX_DETAIL) });
    }
}

#[cfg(test)]
impl Checks {
    /// The outcome of one check by its id.
    pub(super) fn outcome(&self, id: &str) -> Option<bool> {
        self.list.iter().find(|check| check.id == id).map(|check| check.ok)
    }

    /// The ids of what surprised.
    pub(super) fn surprises(&self) -> Vec<&str> {
        self.list.iter().filter(|check| !check.ok).map(|check| check.id.as_str()).collect()
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
    fn what_gvisor_answers_itself_is_a_surprise_on_linux_only() {
        for (kernel, wanted) in [(Kernel::Linux, false), (Kernel::Gvisor, true)] {
            let mut checks = Checks::below(kernel);
            checks.held("sys.unshare", Ok(()), &[Errno::PERM]);
            checks.held("sys.bpf", Ok(()), &[Errno::PERM]);
            assert_eq!((checks.outcome("sys.unshare"), checks.outcome("sys.bpf")), (Some(wanted), Some(false)));
        }
    }

    #[test]
    fn a_check_that_fails_itself_is_a_surprise() {
        let mut checks = Checks::default();
        checks.join("thread", Err(Box::new("panicked")));
        assert_eq!(checks.outcome("thread"), Some(false));
    }
}
