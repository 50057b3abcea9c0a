//! The example, end to end: the real agent on a scripted conversation, a refused call, a verified diff.

use system_tests::{User, is_event, left_in_engine, workspace};

fn example() -> (User, system_tests::Ran) {
    let user = User::with_example();
    let example = workspace().join("examples/fix-failing-test");
    let ran = user.run_task(&example.join("task.md"), &example.join("conversation.json"), &[]).expect_code(0);
    (user, ran)
}

#[test]
fn the_example_passes_and_its_result_can_be_read_applied_and_audited() {
    let (user, ran) = example();
    let result = user.result();
    assert_eq!(result["status"], "passed", "{result:#}");
    assert_eq!(result["verify"]["passed"], true);
    assert_eq!(result["gate"]["bypassed"], 0);
    assert_eq!(result["harvest"]["changes"][0]["path"], "receipts/split.py");

    // verify ran in a container of its own.
    let run = result["run"].as_str().expect("run");
    assert_ne!(result["verify"]["container"], serde_json::Value::Null);
    assert!(ran.events().iter().any(|event| is_event(event, "command") && event["phase"] == "verifying"));

    // One refused call, with its reason, and the agent was told.
    let denied: Vec<_> =
        user.journal("gate.jsonl").into_iter().filter(|line| line["verdict"]["decision"] == "deny").collect();
    assert_eq!(denied.len(), 1, "{denied:#?}");
    assert_eq!(denied[0]["verdict"]["rule"], "untrusted_code");
    let transcript = std::fs::read_to_string(user.attempt().join("transcript.jsonl")).expect("transcript");
    assert!(transcript.contains("Blocked by the sandbox gate [untrusted_code]"));

    // The work tree of the user is untouched until the result is applied, and then it has a branch.
    assert_eq!(user.git(&["status", "--porcelain"]), "");
    let words = run.rsplit_once('-').expect("words").0;
    let patch = user.run(&["diff", words]).expect_code(0).stdout;
    assert!(patch.contains("+++ b/receipts/split.py"), "{patch}");
    let _ = user.run(&["apply", words]).expect_code(0);
    let branch = format!("sandbox/{run}");
    assert_eq!(user.git(&["diff", "--name-only", "main", &branch]), "receipts/split.py");
    assert_eq!(user.git(&["status", "--porcelain"]), "");
    assert!(user.git(&["log", "-1", "--format=%ae", &branch]).ends_with("@sandbox.invalid"));
    let _ = user.run(&["audit", "verify", words]).expect_code(0);
    let shown = user.run(&["show", words]).expect_code(0).stdout;
    assert!(shown.contains("verify ✓"), "{shown}");
    assert_eq!(left_in_engine(run), Vec::<String>::new());
}

#[test]
fn a_changed_record_is_found() {
    let (user, _) = example();
    let path = user.attempt().join("gate.jsonl");
    let text = std::fs::read_to_string(&path).expect("read");
    std::fs::write(&path, text.replacen("\"deny\"", "\"allow\"", 1)).expect("write");
    let run = user.result()["run"].as_str().expect("run").to_owned();
    let refused = user.run(&["audit", "verify", &run]).expect_code(1);
    assert!(refused.stderr.contains("damaged"), "{}", refused.stderr);
}
