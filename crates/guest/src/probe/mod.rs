//! The canary: tries from inside what must fail and, as positive control, what must work.
//!
//! It runs as the agent's uid in a process of its own, because what is not refused may change that process. What must
//! stay true: a check is `ok` only on positive evidence, an errno from the list of that very check or an answer; a
//! timeout, an odd errno or a check that could not be made is a surprise.

mod checks;
mod control;
mod env;
mod files;
mod host;
mod net;
mod privilege;
mod resolver;
mod sockets;
mod syscalls;

use checks::Checks;
use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
    time::Instant,
};
use types::probe::{ProbePlan, ProbeReport};

/// Exit code when the report holds a surprise.
const UNSOUND: u8 = 1;
/// Exit code when there is no report.
const NO_REPORT: u8 = 2;

/// What is not in the plan; other than the defaults only in tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The uid that the probe must run as.
    pub(crate) agent_uid: u32,
    /// The DNS server to ask; the first of `resolv.conf` if none is given.
    pub(crate) resolver: Option<SocketAddr>,
}

/// `guest probe --plan JSON`: prints the report as JSON; exit code 0 only for a sound one.
pub(crate) fn main(plan: &str, settings: &Settings) -> ExitCode {
    let plan: ProbePlan = match serde_json::from_str(plan) {
        Ok(plan) => plan,
        Err(error) => {
            let _unheard =
                writeln!(io::stderr(), "guest: {}", crate::command::chain("the plan is no json plan", &error));
            return ExitCode::from(NO_REPORT);
        }
    };
    let report = run(&plan, settings);
    let mut text = serde_json::to_vec(&report).unwrap_or_default();
    text.push(b'\n');
    match io::stdout().write_all(&text) {
        Ok(()) if report.is_sound() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(UNSOUND),
        Err(_) => ExitCode::from(NO_REPORT),
    }
}

/// Makes every check. The system calls come first: some need a process with one thread.
pub(crate) fn run(plan: &ProbePlan, settings: &Settings) -> ProbeReport {
    let start = Instant::now();
    let mut checks = Checks::below(plan.kernel);
    host::kernel(&mut checks);
    syscalls::check(&mut checks);
    privilege::check(&mut checks, settings.agent_uid);
    env::check(&mut checks, &plan.variables, std::env::vars_os());
    files::check(&mut checks, &plan.writable);
    host::check(&mut checks);
    sockets::check(&mut checks);
    // The exchanges with the host wait for it, so they run beside the connects that must fail at once.
    std::thread::scope(|scope| {
        let control = scope.spawn(|| control::check(plan));
        let names = scope.spawn(|| resolver::check(plan, settings.resolver));
        net::check(&mut checks, &plan.unreachable);
        checks.join("control.host", control.join());
        checks.join("control.resolver", names.join());
    });
    ProbeReport { checks: checks.into_list(), micros: u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX) }
}
