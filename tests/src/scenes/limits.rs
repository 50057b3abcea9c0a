//! An agent that takes as much as it can of something.

use crate::{
    Ran, User,
    aftermath::{OPEN_GATE, bash, step},
};
use serde_json::Value;

/// Runs one shell command by an agent whose gate is open, after it has left a line of work.
#[must_use]
pub fn run(user: &User, command: &str, settings: &[&str]) -> Ran {
    let conversation = user.conversation(&[bash(&format!("echo one >> log.txt; {command}")), step("two")]);
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    user.run_task(&user.task("Write a log."), &conversation, &[&OPEN_GATE[..], &settings].concat())
}

/// The run reached this limit, and the work before it is there.
///
/// # Panics
/// When it did not, or they are not.
pub fn assert_limit(user: &User, ran: Ran, resource: &str) {
    let _ = ran.expect_code(102);
    let result = user.assert_ended("limit", &["one"]);
    assert_eq!(result["resource"], resource, "{result:#}");
    let reason = result["reason"].as_str().expect("reason");
    assert!(reason.starts_with(&format!("resource-limit {resource}: ")), "{reason}");
}

/// The same command is no limit with the built-in settings.
///
/// # Panics
/// When it is.
pub fn assert_passed(user: &User, ran: Ran) -> Value {
    let _ = ran.expect_code(0);
    user.assert_ended("passed", &["one", "two"])
}

/// More processes than there may be, while another run works.
///
/// # Panics
/// When the run does not end as it must.
pub fn a_fork_bomb_ends_its_run_and_no_other(bomber: &User, neighbour: &User) {
    let bomb = "for i in $(seq 1000); do sleep 300 & done; wait";
    std::thread::scope(|scope| {
        let bombed = scope.spawn(|| run(bomber, bomb, &["container.pids=150"]));
        assert_passed(neighbour, run(neighbour, "sleep 3", &[]));
        assert_limit(bomber, bombed.join().expect("run"), "processes");
    });
}

/// More memory than there is.
///
/// # Panics
/// When the run does not end as it must.
pub fn an_agent_that_is_killed_for_memory_has_reached_a_limit(user: &User) {
    // The kernel takes the largest process, which must be the agent's for the run to end by itself; the test makes sure of that.
    let hungry = "python3 -c 'bytearray(10**9)'; kill -KILL $PPID";
    assert_limit(user, run(user, hungry, &["container.memory-mb=800"]), "memory");
}

/// More files than there may be.
///
/// # Panics
/// When the run does not end as it must.
pub fn too_many_files_end_the_run(user: &User) {
    let many = "i=0; while :; do i=$((i+1)); mkdir $i; (cd $i; touch $(seq 500)); done";
    assert_limit(user, run(user, many, &["container.disk-files=5000"]), "files");
}

/// More words than are kept.
///
/// # Panics
/// When the run does not end as it must.
pub fn a_flood_of_output_ends_the_run(user: &User) {
    let words = "many words ".repeat(60_000);
    let turn = |text: &str| {
        serde_json::json!({"text": text, "tools": [
        {"name": "Bash", "input": {"command": "echo one >> log.txt", "description": "a step"}}]})
    };
    let turns =
        serde_json::json!({"version": 1, "turns": [turn("Begin."), turn(&words), turn(&words), {"text": "Done."}]});
    let conversation = user.file("conversation.json", &turns.to_string());
    let more = [&OPEN_GATE[..], &["--set", "container.log-mb=1", "--set", "limits.max-budget-usd=100"]].concat();
    let ran = user.run_task(&user.task("Write a log."), &conversation, &more).expect_code(102);
    let result = user.result();
    assert_eq!((&result["status"], &result["resource"]), (&"limit".into(), &"log".into()), "{}", ran.stdout);
    let kept = std::fs::metadata(user.attempt().join("transcript.jsonl")).expect("transcript").len();
    assert!(kept <= 1 << 20, "{kept}");
    user.assert_nothing_is_left();
}

/// More temporary files and more open files than there may be: the kernel says no, and the run goes on.
///
/// # Panics
/// When the run does not end as it must.
pub fn temporary_files_and_open_files_are_limited_by_the_kernel(user: &User) {
    let script = "import errno, os\n\
        files = []\n\
        try:\n    while True: files.append(os.open('/dev/null', os.O_RDONLY))\n\
        except OSError as error: print(errno.errorcode[error.errno], len(files) < 200)\n\
        for file in files: os.close(file)\n\
        try:\n    open('/tmp/large', 'wb').write(bytes(80 << 20))\n\
        except OSError as error: print(errno.errorcode[error.errno])\n";
    user.write("fill.py", script);
    user.commit("a script");
    let fill = "python3 fill.py > found; rm -f /tmp/large; test \"$(cat found)\" = \"$(printf 'EMFILE True\\nENOSPC')\" && rm found";
    let ran = run(user, &format!("{fill} || echo no >> log.txt"), &["container.tmp-mb=64", "container.open-files=200"]);
    assert_passed(user, ran);
}
