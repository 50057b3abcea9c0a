//! Calls that no stage of the gate settles: held until a person answers, answered once, and denied when no one does.

use serde_json::Value;
use std::{fs, path::PathBuf};
use system_tests::{
    Started, User,
    aftermath::{bash, step},
    is_event,
};

/// Writes outside the work tree, which the gate neither allows nor denies by itself; it leaves its line in the work tree too.
const QUESTIONABLE: &str = "echo asked | tee -a /home/agent/note >> log.txt";

struct Scene {
    user: User,
    task: PathBuf,
    conversation: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let user = User::new();
        let task = user.task("Write a log.");
        let conversation = user.conversation(&[step("one"), bash(QUESTIONABLE), step("three")]);
        Self { user, task, conversation }
    }

    /// Starts the run and waits until its second call is held; gives the id of the question.
    fn held(&self, more: &[&str]) -> (Started, String) {
        let started = self.user.start_task(&self.task, &self.conversation, more);
        let held = started.wait_for("held call", |event| is_event(event, "held"));
        (started, held["ask"].as_str().expect("id").to_owned())
    }

    fn pending(&self) -> Vec<Value> {
        let listed = self.user.run(&["pending", "--json"]).expect_code(0).stdout;
        listed.lines().map(|line| serde_json::from_str(line).expect("json")).collect()
    }

    fn transcript(&self) -> String {
        fs::read_to_string(self.user.attempt().join("transcript.jsonl")).expect("transcript")
    }
}

#[test]
fn an_approved_call_runs_once() {
    let scene = Scene::new();
    let (started, ask) = scene.held(&[]);
    let pending = scene.pending();
    assert_eq!(pending.len(), 1, "{pending:#?}");
    assert_eq!(
        (&pending[0]["ask"], &pending[0]["call"]["input"]["command"]),
        (&ask.as_str().into(), &QUESTIONABLE.into())
    );
    assert!(scene.user.run(&["ps", "--json"]).expect_code(0).stdout.contains("\"waiting\""));
    let _ = scene.user.run(&["approve", &ask]).expect_code(0);
    let again = scene.user.run(&["approve", &ask]).expect_code(2);
    assert!(again.stderr.contains(&ask), "{}", again.stderr);
    let _ = started.finish().expect_code(0);
    let result = scene.user.assert_ended("passed", &["one", "asked", "three"]);
    assert_eq!((&result["gate"]["asked"], &result["gate"]["denied"]), (&1.into(), &0.into()), "{result:#}");
    assert_eq!(scene.pending(), Vec::<Value>::new());
    let _ = scene.user.run(&["approve", &ask]).expect_code(2);
}

#[test]
fn a_refused_call_does_not_run_and_the_agent_is_told_why() {
    let scene = Scene::new();
    let (started, ask) = scene.held(&[]);
    let _ = scene.user.run(&["deny", &ask, "--reason", "keep to the work tree"]).expect_code(0);
    let _ = started.finish().expect_code(0);
    scene.user.assert_ended("passed", &["one", "three"]);
    assert!(scene.transcript().contains("keep to the work tree"));
}

#[test]
fn without_an_answer_the_run_ends_waiting_and_the_call_is_denied_when_it_goes_on() {
    let scene = Scene::new();
    let (started, ask) = scene.held(&["--set", "limits.approval-deadline=3s"]);
    let _ = started.finish().expect_code(104);
    let late = scene.user.run(&["approve", &ask]).expect_code(2);
    assert!(late.stderr.contains(&ask), "{}", late.stderr);
    let _ = scene.user.run(&["resume"]).expect_code(0);
    scene.user.assert_ended("passed", &["one", "three"]);
}

#[test]
fn past_the_grace_the_run_is_parked_and_an_approval_counts_all_the_same() {
    let scene = Scene::new();
    let (started, ask) = scene.held(&["--set", "limits.approval-grace=2s"]);
    let _ = started.finish().expect_code(104);
    let again = scene.user.run_task(&scene.task, &scene.conversation, &[]).expect_code(104);
    assert!(again.stderr.contains(&ask), "the same task is the same run: {}", again.stderr);
    let _ = scene.user.run(&["approve", &ask, "--resume", "--json"]).expect_code(0);
    let result = scene.user.assert_ended("passed", &["one", "asked", "three"]);
    assert_eq!((&result["gate"]["asked"], &result["gate"]["denied"]), (&1.into(), &0.into()), "{result:#}");
}

#[test]
fn the_clocks_stand_still_while_a_call_is_held() {
    let scene = Scene::new();
    let (started, ask) = scene.held(&["--set", "limits.timeout=15s", "--set", "limits.idle-timeout=15s"]);
    // Longer than both clocks, counted from the moment when the call was held.
    let over = std::time::Instant::now() + std::time::Duration::from_secs(17);
    while std::time::Instant::now() < over {
        assert_eq!(scene.pending().len(), 1);
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    let _ = scene.user.run(&["approve", &ask]).expect_code(0);
    let _ = started.finish().expect_code(0);
    scene.user.assert_ended("passed", &["one", "asked", "three"]);
}

#[test]
fn a_held_call_survives_its_process() {
    let scene = Scene::new();
    let (first, ask) = scene.held(&[]);
    first.kill();
    assert_eq!(scene.pending().len(), 1, "it can be answered while no process is there");
    let second = scene.user.start(&["resume", "--format", "jsonl"]);
    let held = second.wait_for("held call", |event| is_event(event, "held"));
    assert_eq!(held["ask"], ask.as_str(), "the question is the same");
    assert_eq!(scene.pending().len(), 1);
    let _ = scene.user.run(&["approve", &ask]).expect_code(0);
    let _ = second.finish().expect_code(0);
    scene.user.assert_ended("passed", &["one", "asked", "three"]);
}

#[test]
fn an_answer_given_while_no_process_is_there_counts() {
    let scene = Scene::new();
    let (first, ask) = scene.held(&[]);
    first.kill();
    let _ = scene.user.run(&["deny", &ask, "--reason", "not today"]).expect_code(0);
    let _ = scene.user.run(&["resume"]).expect_code(0);
    scene.user.assert_ended("passed", &["one", "three"]);
    assert!(scene.transcript().contains("not today"));
}
