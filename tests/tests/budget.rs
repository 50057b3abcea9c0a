//! What the model may take: each limit ends the run by its name, with the work so far, and none is forgotten with its process.

use serde_json::Value;
use system_tests::{
    User,
    aftermath::{OPEN_GATE, endless_step, step},
};

/// A run of three steps under a setting; gives its result.
fn limited(code: i32, front: &str, setting: &str) -> (User, Value) {
    let user = User::new();
    let task = user.task(&format!("{front}Write a log."));
    let conversation = user.conversation(&[step("one"), step("two"), step("three")]);
    let more = [&OPEN_GATE[..], &["--set", setting]].concat();
    let _ = user.run_task(&task, &conversation, &more).expect_code(code);
    let result = user.result();
    (user, result)
}

#[test]
fn every_limit_ends_the_run_by_its_name() {
    for (setting, name) in [
        ("limits.max-turns=2", "max-turns"),
        ("limits.max-requests=2", "max-requests"),
        ("limits.max-budget-usd=0.0001", "max-budget-usd"),
        ("limits.max-tokens.input=5", "max-tokens.input"),
        ("limits.max-tokens.output=5", "max-tokens.output"),
    ] {
        let (user, result) = limited(102, "", setting);
        assert_eq!((&result["status"], &result["limit"]), (&"limit".into(), &name.into()), "{result:#}");
        assert!(result["reason"].as_str().expect("reason").starts_with(&format!("{name}: ")), "{result:#}");
        assert!(result["harvest"].is_object(), "{setting}: the work so far is kept: {result:#}");
        let (turns, requests) = (result["turns"].as_u64(), result["requests"].as_u64());
        assert!(turns <= Some(2) && requests <= Some(2) && turns <= requests, "{result:#}");
        assert_eq!(user.journal("usage.jsonl").len() as u64, requests.expect("requests"));
    }
    // The control: what suffices ends nothing, and is counted.
    let (user, result) = limited(0, "", "limits.max-tokens.output=100000");
    assert_eq!(result["limit"], Value::Null);
    let spent: u64 = user.journal("usage.jsonl").iter().filter_map(|line| line["output-tokens"].as_u64()).sum();
    assert_eq!(result["tokens"]["output"].as_u64(), Some(spent), "{result:#}");
    assert!(result["requests"].as_u64() >= Some(4), "{result:#}");
}

#[test]
fn a_task_narrows_and_does_not_widen() {
    let (_, result) = limited(102, "---\nmax-requests: 2\n---\n", "limits.max-requests=50");
    assert_eq!(result["limit"], "max-requests", "{result:#}");
    let user = User::new();
    let task = user.task("---\nmax-requests: 51\n---\nWrite a log.");
    let conversation = user.conversation(&[step("one")]);
    let refused = user.run_task(&task, &conversation, &["--set", "limits.max-requests=50"]).expect_code(2);
    assert!(refused.stderr.contains("max-requests 51"), "{}", refused.stderr);
}

#[test]
fn what_a_killed_process_spent_is_spent() {
    let user = User::new();
    let task = user.task("Write a log.");
    let conversation = user.conversation(&[step("one"), endless_step("two")]);
    let more = [&OPEN_GATE[..], &["--set", "limits.max-requests=2", "--set", "limits.timeout=20s"]].concat();
    let first = user.start_task(&task, &conversation, &more);
    first.wait_for_call(1);
    user.wait_for_line("two");
    first.kill();
    // The step is ended from outside, so that the agent asks the model once more.
    let ended = ["exec", "--user", "1000", &user.agent_container(), "pkill", "-KILL", "-x", "sleep"];
    assert!(user.docker(&ended).status().expect("docker").success());
    let _ = user.run(&["resume"]).expect_code(102);
    let result = user.result();
    assert_eq!((&result["limit"], &result["requests"]), (&"max-requests".into(), &2.into()), "{result:#}");
    let counted: u64 = user.journal("usage.jsonl").iter().filter_map(|line| line["input-tokens"].as_u64()).sum();
    assert_eq!(result["tokens"]["input"].as_u64(), Some(counted), "the bill is whole: {result:#}");
}
