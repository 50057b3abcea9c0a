//! What an agent can use up, and what then becomes of its run (K-06): the limit is its outcome, with the resource's name; its work is
//! harvested; nothing is left in the engine.

use serde_json::Value;
use std::path::PathBuf;
use system_tests::{
    Ran, User,
    aftermath::{OPEN_GATE, bash, step},
};

/// Runs one shell command by an agent whose gate is open, after it has left a line of work.
fn run(user: &User, command: &str, settings: &[&str]) -> Ran {
    let conversation = user.conversation(&[bash(&format!("echo one >> log.txt; {command}")), step("two")]);
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    user.run_task(&user.task("Write a log."), &conversation, &[&OPEN_GATE[..], &settings].concat())
}

/// The run reached this limit, and the work before it is there.
fn assert_limit(user: &User, ran: Ran, resource: &str) {
    let _ = ran.expect_code(102);
    let result = user.assert_ended("limit", &["one"]);
    assert_eq!(result["resource"], resource, "{result:#}");
    let reason = result["reason"].as_str().expect("reason");
    assert!(reason.starts_with(&format!("resource-limit {resource}: ")), "{reason}");
}

/// The same command is no limit with the built-in settings.
fn assert_passed(user: &User, ran: Ran) -> Value {
    let _ = ran.expect_code(0);
    user.assert_ended("passed", &["one", "two"])
}

#[test]
fn a_fork_bomb_ends_its_run_and_no_other() {
    let (bomber, neighbour) = (User::new(), User::new());
    let bomb = "for i in $(seq 1000); do sleep 300 & done; wait";
    std::thread::scope(|scope| {
        let bombed = scope.spawn(|| run(&bomber, bomb, &["container.pids=150"]));
        assert_passed(&neighbour, run(&neighbour, "sleep 3", &[]));
        assert_limit(&bomber, bombed.join().expect("run"), "processes");
    });
}

#[test]
fn many_processes_for_a_moment_are_no_limit() {
    let user = User::new();
    let ran = run(&user, "for i in $(seq 120); do sleep 2 & done; wait", &["container.pids=150"]);
    assert_passed(&user, ran);
}

#[test]
fn an_agent_that_is_killed_for_memory_has_reached_a_limit() {
    let user = User::new();
    // The kernel takes the largest process, which must be the agent's for the run to end by itself; the test makes sure of that.
    let hungry = "python3 -c 'bytearray(10**9)'; kill -KILL $PPID";
    assert_limit(&user, run(&user, hungry, &["container.memory-mb=800"]), "memory");
}

#[test]
fn a_command_that_is_killed_for_memory_is_told_and_the_agent_goes_on() {
    let user = User::new();
    let ran = run(&user, "python3 -c 'bytearray(10**9)'; sleep 2", &["container.memory-mb=800"]);
    let told = ran.events().iter().any(|event| {
        event["event"] == "notice" && event["text"].as_str().is_some_and(|text| text.starts_with("memory: "))
    });
    assert!(told, "{}", ran.stdout);
    assert_passed(&user, ran);
}

#[test]
fn commands_of_the_task_that_are_killed_for_memory_have_reached_a_limit() {
    for key in ["setup", "verify"] {
        let user = User::new();
        let task = user.task(&format!("---\n{key}: [\"python3 -c 'bytearray(10**9)'\"]\n---\nWrite a log.\n"));
        let more = [&OPEN_GATE[..], &["--set", "container.memory-mb=800"]].concat();
        let _ = user.run_task(&task, &user.conversation(&[step("one")]), &more).expect_code(102);
        let result = user.result();
        assert_eq!((&result["status"], &result["resource"]), (&"limit".into(), &"memory".into()), "{key}: {result:#}");
        user.assert_nothing_is_left();
    }
}

#[test]
fn a_full_disk_ends_the_run_wherever_the_bytes_are() {
    for fill in [
        "cat /dev/zero > large",
        "cat /dev/zero > ~/large",
        // A file without a name, and a directory that nobody may look into.
        "exec 3> gone; rm gone; cat /dev/zero >&3",
        "mkdir closed; cat /dev/zero > closed/large & sleep 0.5; chmod 0 closed; wait",
    ] {
        let user = User::new();
        assert_limit(&user, run(&user, fill, &["container.disk-mb=300"]), "disk");
    }
}

#[test]
fn a_sparse_file_is_as_large_as_it_is_on_disk() {
    let user = User::new();
    let sparse = "truncate -s 400G sparse; dd if=/dev/zero of=real bs=1M count=150 2> /dev/null; sleep 6; rm real";
    let result = assert_passed(&user, run(&user, sparse, &["container.disk-mb=300"]));
    let omitted = result["harvest"]["omitted"].to_string();
    assert!(omitted.contains("sparse"), "{result:#}");
}

#[test]
fn too_many_files_end_the_run() {
    let user = User::new();
    let many = "i=0; while :; do i=$((i+1)); mkdir $i; (cd $i; touch $(seq 500)); done";
    assert_limit(&user, run(&user, many, &["container.disk-files=5000"]), "files");
}

#[test]
fn a_flood_of_output_ends_the_run() {
    let user = User::new();
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

#[test]
fn the_output_of_commands_is_cut_with_a_mark() {
    let user = User::new();
    let task = user.task("---\nsetup: ['head -c 1000000000 /dev/zero']\n---\nWrite a log.\n");
    let _ = user.run_task(&task, &user.conversation(&[step("one"), step("two")]), &OPEN_GATE).expect_code(0);
    let log: PathBuf = user.attempt().join("setup/1.log");
    let text = std::fs::read(&log).expect("log");
    let end = String::from_utf8_lossy(&text[text.len() - 80..]).into_owned();
    assert!(end.contains("[983222784 more bytes were dropped]"), "{end}");
    assert!(text.len() < (16 << 20) + 100, "{}", text.len());
}

#[test]
fn a_spinning_processor_is_ended_by_the_wall_clock() {
    let user = User::new();
    let spin = "for i in 1 2 3 4; do (while :; do :; done) & done; wait";
    let _ = run(&user, spin, &["limits.timeout=20s", "container.cpus=0.5"]).expect_code(102);
    let result = user.assert_ended("limit", &["one"]);
    assert!(result["reason"].as_str().is_some_and(|reason| reason.starts_with("timeout")), "{result:#}");
}

#[test]
fn temporary_files_and_open_files_are_limited_by_the_kernel() {
    let user = User::new();
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
    let ran =
        run(&user, &format!("{fill} || echo no >> log.txt"), &["container.tmp-mb=64", "container.open-files=200"]);
    assert_passed(&user, ran);
}
