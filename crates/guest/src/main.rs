//! The inside half of the sandbox: one static binary that is PID 1, the bridge, the agent's shim, the canary and the
//! agent's managed hook. It holds no policy: it forwards, answers and reports, and every decision is the host's.

mod bridge;
mod command;
mod dns;
mod fds;
mod hook;
mod init;
mod peer;
mod probe;
mod shim;
mod usage;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(std::env::args_os().skip(1))
}
