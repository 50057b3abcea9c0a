//! What a panic says. The standard hook writes to stderr by itself, with whatever the message holds.

use super::text;
use std::{backtrace::Backtrace, fmt::Display, io::Write, panic, thread};

/// Puts a hook in place of the standard one that says the same without the operator's secrets. The backtrace comes when
/// `RUST_BACKTRACE` asks for it.
pub fn guard_panics() {
    panic::set_hook(Box::new(|info| {
        let said = said(thread::current().name(), info, &Backtrace::capture());
        let _ = std::io::stderr().lock().write_all(said.as_bytes());
    }));
}

fn said(thread: Option<&str>, info: &dyn Display, backtrace: &dyn Display) -> String {
    let name = thread.unwrap_or("<unnamed>");
    text(&format!("thread '{name}' {info}\n{backtrace}\n")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::learn;
    use types::secret::Secret;

    #[test]
    fn a_panic_says_everything_but_the_secret() {
        learn(&Secret::new("sk-panic-0123456789"));
        let info = "panicked at src/x.rs:1:2:\nno header for sk-panic-0123456789";
        let frames = "   0: x::y\n   1: z(\"736b2d70616e69632d30313233343536373839\")";
        assert_eq!(
            said(Some("main"), &info, &frames),
            "thread 'main' panicked at src/x.rs:1:2:\nno header for [redacted by sandbox]\n   0: x::y\n   1: z(\"[redacted by \
             sandbox]\")\n"
        );
        assert_eq!(said(None, &"panicked", &"disabled backtrace"), "thread '<unnamed>' panicked\ndisabled backtrace\n");
    }
}
