//! Every exit code of the documented table, reached by the built binary. Codes that come with harvested work have more tests in
//! `failures.rs`; here each stands once, so that none can be forgotten.

use serde_json::json;
use std::fs;
use system_tests::{
    Ran, Started, User,
    aftermath::{OPEN_GATE, bash, endless_step, step},
    upstream::{Answer, Upstream},
};
use types::exit::Exit;

/// Reaches the code and gives what the process did; none for a code that nothing ends with yet.
fn reach(exit: Exit) -> Option<Ran> {
    match exit {
        Exit::Passed => Some(run("Do nothing.", &[], &[])),
        Exit::Internal => Some(damaged_store()),
        Exit::Usage => Some(run("---\ntimeot: 5m\n---\nGo.", &[], &[])),
        Exit::NothingToRun => Some(User::new().run(&["resume"])),
        // Parked runs come with the queue.
        Exit::Parked => None,
        Exit::Failed => Some(run("---\nverify: [\"test -e missing\"]\n---\nGo.", &[step("one")], &[])),
        Exit::Truncated => Some(run("Go.", &[bash("kill -KILL $PPID")], &[])),
        Exit::Limit => Some(run("---\nmax-turns: 1\n---\nGo.", &[step("one"), step("two")], &[])),
        Exit::Policy => Some(run("Go.", &[bash(&forged_result()), endless_step("two")], &[])),
        Exit::Waiting => Some(unanswered()),
        Exit::Infrastructure => Some(no_engine()),
        Exit::Setup => Some(run("---\nsetup: [\"exit 3\"]\n---\nGo.", &[step("one")], &[])),
        Exit::Authentication => Some(User::new().with_task("Go.").run(&["run", "../task.md"])),
        Exit::ApplyConflict => Some(applied_over_a_branch()),
        Exit::Interrupted => Some(signalled("INT")),
        Exit::Terminated => Some(signalled("TERM")),
    }
}

/// A test for each code, and a check that there is one for each.
macro_rules! reached {
    ($($name:ident: $exit:ident,)*) => {
        $(
            #[test]
            fn $name() {
                let ran = reach(Exit::$exit);
                let code = ran.as_ref().map_or(-1, |ran| ran.code);
                assert_eq!(code, i32::from(Exit::$exit.code()), "{ran:#?}");
            }
        )*

        #[test]
        fn every_code_but_parked_has_its_test() {
            let tested = [Exit::Parked, $(Exit::$exit,)*];
            assert!(Exit::ALL.iter().all(|exit| tested.contains(exit)));
        }
    };
}

reached! {
    a_task_that_passes_ends_with_0: Passed,
    a_damaged_store_ends_with_1: Internal,
    an_unknown_key_ends_with_2: Usage,
    nothing_to_resume_ends_with_4: NothingToRun,
    a_verification_that_fails_ends_with_100: Failed,
    an_agent_that_crashes_ends_with_101: Truncated,
    too_many_turns_end_with_102: Limit,
    a_result_that_no_verdict_allowed_ends_with_103: Policy,
    an_unanswered_question_ends_with_104: Waiting,
    no_engine_ends_with_105: Infrastructure,
    a_setup_that_fails_ends_with_106: Setup,
    no_credential_ends_with_107: Authentication,
    a_branch_of_other_content_ends_with_108: ApplyConflict,
    an_interrupt_ends_with_130: Interrupted,
    a_termination_ends_with_143: Terminated,
}

type Turn = Vec<(&'static str, serde_json::Value)>;

fn run(task: &str, turns: &[Turn], more: &[&str]) -> Ran {
    let user = User::new();
    user.run_task(&user.task(task), &user.conversation(turns), &[&OPEN_GATE, more].concat())
}

/// A request to the model, from a program of the agent's, that carries the result of a call that no one ever judged.
fn forged_result() -> String {
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_replay_7_0", "content": "done"});
    let messages = json!([{"role": "user", "content": [result]}]);
    let body = json!({"model": "claude-sonnet-4-6", "max_tokens": 5, "messages": messages});
    format!("curl -sS \"$ANTHROPIC_BASE_URL/v1/messages\" -H 'content-type: application/json' -d '{body}'")
}

fn damaged_store() -> Ran {
    let user = User::new();
    let _ = user.run(&["ps"]).expect_code(0);
    fs::write(user.home().join("state/sandbox/sandbox.db"), "no database, whatever its name says".repeat(200))
        .expect("write");
    user.run(&["ps"])
}

fn unanswered() -> Ran {
    let user = User::new();
    let conversation = user.conversation(&[bash("touch /home/agent/elsewhere")]);
    user.run_task(
        &user.task("Go."),
        &conversation,
        &["--set", "limits.approval-deadline=1s", "--set", "gate.ask=[\"Bash(touch:*)\"]"],
    )
}

fn no_engine() -> Ran {
    let user = User::new().with_env("DOCKER_HOST", "unix:///nonexistent/engine.sock");
    let ran = user.run_task(&user.task("Go."), &user.conversation(&[]), &[]);
    assert!(ran.stderr.contains("no container engine answers at unix:///nonexistent/engine.sock"), "{}", ran.stderr);
    assert_eq!(user.result()["status"], "infrastructure", "a run that was begun has its result");
    ran
}

fn applied_over_a_branch() -> Ran {
    let user = User::new();
    let _ = user.run_task(&user.task("Go."), &user.conversation(&[step("one")]), &OPEN_GATE).expect_code(0);
    let (run, branch) = (user.run_id(), format!("sandbox/{}", user.run_id()));
    user.git(&["checkout", "--quiet", "-b", &branch]);
    user.write("README.md", "Something else.\n");
    user.commit("other work");
    let other = user.git(&["rev-parse", &branch]);
    let refused = user.run(&["apply", &run]);
    assert_eq!(user.git(&["rev-parse", &branch]), other, "the branch stays as it is");
    user.git(&["checkout", "--quiet", "main"]);
    user.git(&["branch", "-D", &branch]);
    let _ = user.run(&["apply", &run]).expect_code(0);
    refused
}

fn signalled(signal: &str) -> Ran {
    let user = User::new();
    let started: Started = user.start_task(&user.task("Go."), &user.conversation(&[endless_step("one")]), &OPEN_GATE);
    started.wait_for_call(0);
    started.signal(signal);
    started.finish()
}

#[test]
fn every_bad_task_file_ends_with_2_and_says_what_is_wrong() {
    let bad = [
        ("", "no prompt"),
        ("---\nname: x\n", "no closing"),
        ("---\npriority: 3\n---\nGo.", "`priority` is not supported yet"),
        ("---\ntimeout: 9h\n---\nGo.", "the task asks for"),
        ("---\nremotes: [upstream]\n---\nGo.", "no remote `upstream`"),
        ("---\nbase: no-such-branch\n---\nGo.", "no-such-branch"),
    ];
    let user = User::new();
    let conversation = user.conversation(&[]).display().to_string();
    for (text, reason) in bad {
        let task = user.task(text).display().to_string();
        let ran = user.run(&["run", &task, "--replay", &conversation]).expect_code(2);
        assert!(ran.stderr.contains(reason), "{text:?}: {}", ran.stderr);
    }
    for set in ["limits.timout=5m", "gate.mode=off", "limits.timeout"] {
        let _ = user.run(&["run", "../task.md", "--replay", &conversation, "--set", set]).expect_code(2);
    }
    let _ = user.run(&["run", "missing.md"]).expect_code(2);
    let _ = user.run(&["show", "no-such-run"]).expect_code(2);
    let _ = user.run(&["no-such-command"]).expect_code(2);
    assert_eq!(fs::read_dir(user.home().join("state/sandbox/runs")).expect("runs").count(), 0, "nothing was begun");
}

// The example is the control: it requires changes, makes some, and passes.
#[test]
fn required_changes_that_are_not_there_end_with_100() {
    let _ = run("---\nexpect: {changes: required}\n---\nGo.", &[], &[]).expect_code(100);
}

#[test]
fn forbidden_changes_end_with_100() {
    let _ = run("---\nexpect: {changes: forbidden}\n---\nGo.", &[step("one")], &[]).expect_code(100);
}

#[test]
fn a_credential_that_the_endpoint_refuses_ends_with_107() {
    let upstream = Upstream::start(vec![Answer::Error(401, "invalid x-api-key".to_owned())], None);
    let user = User::new().with_env("ANTHROPIC_API_KEY", "sk-refused").with_task("Go.");
    let url = format!("model.upstream=http://{}", upstream.address);
    let ran = user.run(&["run", "../task.md", "--format", "jsonl", "--set", &url]).expect_code(107);
    assert!(!upstream.received().is_empty(), "the endpoint was asked");
    assert!(!ran.stdout.contains("sk-refused") && !ran.stderr.contains("sk-refused"));
    let result = user.result();
    assert_eq!(result["status"], "authentication", "{result:#}");
    user.assert_nothing_is_left();
}
