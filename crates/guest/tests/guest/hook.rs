//! The managed hook as a program: exit code 2 and a reason. (That it lets our own agent's calls pass, every run of the system tests
//! shows; here it has a parent that no engine started.)

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
fn exit_2_and_a_reason_for_everybody_but_our_agent() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("session");
    let input =
        br#"{"session_id":"s-1","hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"ls"}}"#;

    let missing = hook(input, &file);
    assert_eq!(missing.status.code(), Some(2));

    std::fs::write(&file, "s-1").unwrap();
    let ours = hook(input, &file);
    assert_eq!((ours.status.code(), ours.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&ours.stderr).contains("did not start this agent"), "{ours:?}");

    std::fs::write(&file, "s-2").unwrap();
    let other = hook(input, &file);
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("nested agents"), "{other:?}");
    assert!(other.stdout.is_empty());

    for garbage in [&b""[..], b"{", b"\xff\xfe", b"[1]"] {
        assert_eq!(hook(garbage, &file).status.code(), Some(2), "{garbage:?}");
    }
}
