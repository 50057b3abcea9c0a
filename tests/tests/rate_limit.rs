//! A model endpoint that limits its rate: the agent sees it as it is, the run waits visibly, and not for ever.

use serde_json::{Value, json};
use system_tests::{
    User, is_event,
    upstream::{Answer, Upstream},
};

fn limited(times: usize, retry_after: u64) -> (User, Upstream) {
    let call = json!({"command": "echo one >> log.txt", "description": "a step"});
    let then = Box::new(Answer::Call("One.".to_owned(), "Bash", call));
    let script = vec![Answer::Limited { times, retry_after, then }, Answer::Text("Done.".to_owned())];
    (User::new().with_env("ANTHROPIC_API_KEY", "sk-rate-limit-0123456789"), Upstream::start(script, None))
}

#[test]
fn the_run_waits_in_a_state_of_its_own_and_goes_on() {
    let (user, upstream) = limited(2, 9);
    let task = user.task("Write a log.").display().to_string();
    let at = format!("model.upstream=http://{}", upstream.address);
    // Both clocks are shorter than the waits.
    let clocks = ["--set", "limits.idle-timeout=12s", "--set", "limits.timeout=15s"];
    let args = ["run", &task, "--format", "jsonl", "--set", "gate.mode=allow-all", "--set", &at];
    let started = user.start(&[&args[..], &clocks].concat());
    let entered = started.wait_for("the phase", |event| is_event(event, "phase") && event["phase"] == "rate-limited");
    assert_eq!(entered["detail"], "the model endpoint answers 429, asks to wait 9 s");
    let listed = user.run(&["ps"]).expect_code(0).stdout;
    assert!(listed.contains("rate-limited") && listed.contains("waits for the model endpoint"), "{listed}");
    let ran = started.finish().expect_code(0);
    let events = ran.events();
    let limits: Vec<_> = events.iter().filter(|event| is_event(event, "rate-limited")).collect();
    assert_eq!(limits.len(), 2, "{limits:#?}");
    assert_eq!((&limits[0]["status"], &limits[0]["retry_after_secs"]), (&429.into(), &9.into()));
    let phases: Vec<_> = events.iter().filter(|event| is_event(event, "phase")).map(|event| &event["phase"]).collect();
    let left = phases.iter().position(|phase| *phase == "rate-limited").map(|at| phases[at + 1].clone());
    assert_eq!(left, Some(Value::from("running")), "{phases:?}");
    let result = user.result();
    assert_eq!((&result["status"], &result["rate-limited"]["answers"]), (&"passed".into(), &2.into()), "{result:#}");
    assert!(result["rate-limited"]["millis"].as_u64() >= Some(17_000), "{result:#}");
    let shown = user.run(&["show", &user.run_id()]).expect_code(0).stdout;
    assert!(shown.contains("2 rate limits, waited"), "{shown}");
    let logged = user.run(&["logs", &user.run_id()]).expect_code(0).stdout;
    assert!(logged.contains("the model endpoint answers 429, asks to wait 9 s"), "{logged}");
}

#[test]
fn the_wait_has_a_bound() {
    let (user, upstream) = limited(usize::MAX, 2);
    let task = user.task("Write a log.").display().to_string();
    let at = format!("model.upstream=http://{}", upstream.address);
    let ran = user.run(&["run", &task, "--set", &at, "--set", "limits.rate-limit-timeout=3s"]).expect_code(105);
    let result = user.result();
    let reason = result["reason"].as_str().expect("reason");
    assert!(reason.starts_with("rate-limit-timeout: the model endpoint answers 429"), "{result:#}");
    assert!(ran.stderr.contains("limits.rate-limit-timeout"), "{}", ran.stderr);
}
