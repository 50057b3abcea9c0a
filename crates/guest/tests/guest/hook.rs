//! The managed hook as the agent runs it: exit code 0 and silence, or 2 and a reason.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

fn hook(input: &[u8], session_file: &Path) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_guest"))
        .args(["hook", "claude", "--session-file"])
        .arg(session_file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn no_opinion_for_our_session_and_exit_2_for_everything_else() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("session");
    let input =
        br#"{"session_id":"s-1","hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"ls"}}"#;

    let missing = hook(input, &file);
    assert_eq!(missing.status.code(), Some(2));

    std::fs::write(&file, "s-1").unwrap();
    let ours = hook(input, &file);
    assert_eq!((ours.status.code(), ours.stdout.len(), ours.stderr.len()), (Some(0), 0, 0));

    std::fs::write(&file, "s-2").unwrap();
    let other = hook(input, &file);
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("nested agents"), "{other:?}");
    assert!(other.stdout.is_empty());

    for garbage in [&b""[..], b"{", b"\xff\xfe", b"[1]"] {
        assert_eq!(hook(garbage, &file).status.code(), Some(2), "{garbage:?}");
    }
}
