//! The command line: what to leave out.

/// Everything, unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    /// Only the setup without walls.
    pub(crate) only_weak: bool,
    /// Only with walls.
    pub(crate) only_strong: bool,
    /// Only the run of the plan, with the machine's own engine and its first runtime.
    pub(crate) only_inside: bool,
    /// Only this runtime.
    pub(crate) runtime: Option<String>,
    /// Only these cases.
    pub(crate) ids: Vec<String>,
}

/// How it is called.
pub(crate) const USAGE: &str = "usage: attack [--weak | --strong | --inside] [--runtime runc|runsc] [ID]...";

impl Args {
    /// Reads the command line; none when it cannot be understood.
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Option<Self> {
        let mut out = Self::default();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--weak" => out.only_weak = true,
                "--strong" => out.only_strong = true,
                "--inside" => out.only_inside = true,
                "--runtime" => {
                    out.runtime = Some(args.next().filter(|name| crate::stage::RUNTIMES.contains(&name.as_str()))?)
                }
                id if crate::scope::lines().any(|(known, _)| known == id) => out.ids.push(arg),
                _ => return None,
            }
        }
        let parts = [out.only_weak, out.only_strong, out.only_inside];
        Some(out).filter(|_| parts.into_iter().filter(|is_set| *is_set).count() <= 1)
    }

    /// The same command line.
    pub(crate) fn again(&self) -> Vec<String> {
        let weak = [(self.only_weak, "--weak"), (self.only_strong, "--strong"), (self.only_inside, "--inside")];
        let weak = weak.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag.to_owned());
        let runtime = self.runtime.iter().flat_map(|name| ["--runtime".to_owned(), name.clone()]);
        weak.chain(runtime).chain(self.ids.iter().cloned()).collect()
    }

    /// True when the case is wanted.
    pub(crate) fn wants(&self, id: &str) -> bool {
        self.ids.is_empty() || self.ids.iter().any(|wanted| wanted == id)
    }

    /// True when the same is tried without walls.
    pub(crate) fn wants_weak(&self) -> bool {
        !self.only_strong && !self.only_inside
    }

    /// The runtimes that are wanted.
    pub(crate) fn runtimes(&self) -> Vec<&'static str> {
        if self.only_inside {
            return crate::stage::RUNTIMES[..1].to_vec();
        }
        let is_wanted = |name: &&str| self.runtime.as_deref().is_none_or(|wanted| wanted == *name);
        crate::stage::RUNTIMES.into_iter().filter(is_wanted).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_said_again() {
        let read = |args: &[&str]| Args::parse(args.iter().map(|arg| (*arg).to_owned()));
        let args = read(&["--weak", "--runtime", "runsc", "N-01", "K-18"]).expect("good");
        assert_eq!(Args::parse(args.again().into_iter()), Some(args.clone()));
        assert!(args.wants("N-01") && !args.wants("N-02"));
        assert_eq!(args.runtimes(), ["runsc"]);
        assert!(read(&[]).is_some_and(|args| args.wants("N-02") && args.runtimes().len() == 2));
        for bad in [
            &["--runtime"][..],
            &["--runtime", "kata"],
            &["N-99"],
            &["--fast"],
            &["--weak", "--strong"],
            &["--inside", "--weak"],
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
