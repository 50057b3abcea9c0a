//! A conversation that the real agent had with an endpoint is kept, and played again to the real agent it comes to the same work.

use serde_json::json;
use std::fs;
use system_tests::{
    User,
    upstream::{Answer, Upstream},
};

const KEY: &str = "sk-ant-api03-record-0123456789";

#[test]
fn what_an_endpoint_said_is_played_to_the_same_end() {
    let write = json!({"file_path": "/workspace/note.txt", "content": "one\n"});
    let call = json!({"command": "cat note.txt && echo two >> note.txt", "description": "Append"});
    let script = vec![
        Answer::Call("I write a note.".to_owned(), "Write", write),
        Answer::Call("I append to it.".to_owned(), "Bash", call),
        Answer::Text("The note has two lines.".to_owned()),
    ];
    let upstream = Upstream::start(script, None);
    let user = User::new().with_env("ANTHROPIC_API_KEY", KEY);
    let task = user.task("Write a note.").display().to_string();
    let kept = user.home().join("kept.json").display().to_string();
    let at = format!("model.upstream=http://{}", upstream.address);
    let _ = user.run(&["run", &task, "--set", &at, "--record", &kept, "--format", "jsonl"]).expect_code(0);
    let first = user.result();
    let patch = fs::read_to_string(user.attempt().join("changes.patch")).expect("patch");
    assert!(patch.contains("+two"), "{patch}");

    let text = fs::read_to_string(&kept).expect("kept");
    let kept_json: serde_json::Value = serde_json::from_str(&text).expect("json");
    assert_eq!(kept_json["turns"].as_array().map(Vec::len), Some(3), "{text}");
    assert_eq!(kept_json["turns"][1]["tools"][0]["name"], "Bash", "{text}");
    assert!(!text.contains(KEY) && !text.contains("toolu_upstream"), "{text}");

    // A user of the same repository without an account.
    let player = User::new();
    let task = player.task("Write a note.");
    let _ = player.run_task(&task, kept.as_ref(), &[]).expect_code(0);
    let second = player.result();
    assert_eq!(fs::read_to_string(player.attempt().join("changes.patch")).expect("patch"), patch);
    assert_eq!(second["summary"], first["summary"]);
    assert_eq!((&second["turns"], &second["gate"]["allowed"]), (&first["turns"], &first["gate"]["allowed"]));

    let again = user.run(&["run", &task.display().to_string(), "--set", &at, "--record", &kept]).expect_code(2);
    assert!(again.stderr.contains("is there already"), "{}", again.stderr);
}
