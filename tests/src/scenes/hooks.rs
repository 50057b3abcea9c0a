//! The agent with a hook or a callback that fails, lies or is missing; the host is played by the test.

use super::judged::{bash, read, write};
use crate::rig::{Rig, Setup, opening_without_gate, settings_with_hook};
use serde_json::{Value, json};
use std::time::Duration;
use types::{call::ToolCall, event::WireToolResult};

/// A timeout for hooks that are to reach it; the answers that are to come in time take milliseconds.
pub const SHORT: Duration = Duration::from_secs(2);
/// What a read-only call brings back, if it runs.
pub const MARK: &str = "MARKED CONTENT";

/// What a hook may answer.
#[must_use]
pub fn decision(word: &str) -> Value {
    json!({"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": word, "permissionDecisionReason": "said so"}})
}

/// A turn that tries to write in two ways and to read, named for what goes wrong in it.
fn attempts(name: &str) -> Vec<(&'static str, Value)> {
    vec![bash(&format!("touch {name}-bash")), write(&format!("{name}-write")), read(&format!("{name}-marked.txt"))]
}

/// The agent with a turn of attempts for each name.
#[must_use]
pub fn setup(names: &[&'static str]) -> Setup {
    let turns: Vec<_> = names.iter().map(|name| attempts(name)).collect();
    let mut setup = Setup::new(&turns);
    setup.files = names.iter().map(|name| (format!("{name}-marked.txt"), format!("{MARK}\n"))).collect();
    setup
}

/// The turn of a call.
#[must_use]
pub fn turn_of(call: &ToolCall) -> usize {
    call.id.0.split('_').nth(2).and_then(|turn| turn.parse().ok()).expect("a call of the script")
}

/// What became of a turn's attempts.
#[derive(Debug, PartialEq, Eq)]
pub enum Became {
    /// Each came back as an error and changed nothing.
    Nothing,
    /// The same, but what was to be read was read.
    OnlyRead,
    /// All of it happened.
    Done,
}

/// What became of each turn's attempts.
///
/// # Panics
/// When the results contradict each other.
pub async fn became(rig: &Rig, names: &[&str]) -> Vec<Became> {
    let tree = rig.work_tree().await;
    let results = rig.results();
    let result = |turn: usize, call: usize| -> &WireToolResult {
        results.get(&format!("toolu_replay_{turn}_{call}")).unwrap_or_else(|| panic!("{turn} {call}: {}", rig.heard()))
    };
    let of = |(turn, name): (usize, &&str)| {
        let happened = ["bash", "write"].map(|way| tree.contains(&format!("{name}-{way}")));
        let errors = [0, 1, 2].map(|call| result(turn, call).is_error);
        let was_read = result(turn, 2).head.contains(MARK);
        match (happened, errors, was_read) {
            ([false, false], [true, true, true], false) => Became::Nothing,
            ([false, false], [true, true, false], true) => Became::OnlyRead,
            ([true, true], [false, false, false], true) => Became::Done,
            other => panic!("{name}: {other:?}\n{results:#?}"),
        }
    };
    names.iter().enumerate().map(of).collect()
}

/// A managed hook that does what the file's name in its input says.
pub const HOOK: &str = r#"
decide() { printf '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"%s"}}' "$1"; }
case "$(cat)" in
    */crash-*|*' crash-'*) kill -SEGV $$ ;;
    */killed-*|*' killed-'*) kill -KILL $$ ;;
    */one-*|*' one-'*) exit 1 ;;
    */three-*|*' three-'*) echo '{}'; exit 3 ;;
    */slow-*|*' slow-'*) sleep 60 ;;
    */maybe-*|*' maybe-'*) decide maybe ;;
    */deny-*|*' deny-'*) decide deny ;;
    */garbage-*|*' garbage-'*) echo 'garbage {' ;;
    */empty-*|*' empty-'*) echo '{}' ;;
    */allow-*|*' allow-'*) decide allow ;;
esac"#;
const HOOK_FAULTS: [&str; 10] =
    ["crash", "killed", "one", "three", "slow", "maybe", "deny", "garbage", "empty", "allow"];

/// The hook crashes, is killed, exits with other codes, is slow, and answers what is no answer; and there is no callback. Gives what
/// became of each; the last hook allows.
///
/// # Panics
/// When something happens all the same.
pub async fn a_broken_hook_alone_lets_nothing_happen(runtime: Option<&str>) -> Vec<Became> {
    let mut setup = setup(&HOOK_FAULTS);
    setup.runtime = runtime.map(str::to_owned);
    setup.settings = Some(settings_with_hook(&["/bin/sh", "-c", HOOK], SHORT));
    let mut rig = Rig::start(setup).await;
    rig.say(&opening_without_gate()).await;
    rig.host(|_, call| panic!("nobody was to be asked about {call:?}")).await;
    let mut expected: Vec<_> = (0..7).map(|_| Became::Nothing).collect();
    // Without a failure the hook has no opinion, and there is no callback that has one.
    expected.extend([Became::OnlyRead, Became::OnlyRead, Became::Done]);
    let found = became(&rig, &HOOK_FAULTS).await;
    assert_eq!(found, expected);
    found
}
