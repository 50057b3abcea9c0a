//! The built guest as its users meet it, outside of a container: PID 1 with a host, the shim, the hook.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod hook;
mod init;
mod launch;
mod world;
