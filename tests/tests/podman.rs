//! Runs on Podman's API socket: the same example, and a run that is killed and taken up.

use system_tests::{
    User,
    aftermath::{OPEN_GATE, bash, step},
    private_podman::PrivatePodman,
    workspace,
};

#[test]
fn runs_pass_on_podman_and_are_adopted_there() {
    let podman = PrivatePodman::new();
    the_example_passes(User::with_example().with_env("DOCKER_HOST", &podman.host()));
    a_killed_run_is_adopted(&User::new().with_env("DOCKER_HOST", &podman.host()));
    memory_is_a_limit(&User::new().with_env("DOCKER_HOST", &podman.host()));
}

fn memory_is_a_limit(user: &User) {
    let hungry = bash("echo one >> log.txt; python3 -c 'bytearray(10**9)'; kill -KILL $PPID");
    let more = [&OPEN_GATE[..], &["--set", "container.memory-mb=800"]].concat();
    let _ = user.run_task(&user.task("Write a log."), &user.conversation(&[hungry]), &more).expect_code(102);
    let result = user.assert_ended("limit", &["one"]);
    assert_eq!(result["resource"], "memory", "{result:#}");
}

fn the_example_passes(user: User) {
    let doctor = user.run(&["doctor"]).stdout;
    assert!(doctor.contains("Podman"), "{doctor}");
    let example = workspace().join("examples/fix-failing-test");
    let _ = user.run_task(&example.join("task.md"), &example.join("conversation.json"), &[]).expect_code(0);
    let result = user.result();
    assert_eq!((&result["status"], &result["verify"]["passed"]), (&"passed".into(), &true.into()), "{result:#}");
    assert_eq!(result["harvest"]["changes"][0]["path"], "receipts/split.py");
    assert_eq!(result["gate"]["denied"], 1, "{result:#}");
    user.assert_nothing_is_left();
}

fn a_killed_run_is_adopted(user: &User) {
    let task = user.task("Write a log.");
    let slow = bash("echo two >> log.txt; sleep 2");
    let conversation = user.conversation(&[step("one"), slow, step("three")]);
    let started = user.start_task(&task, &conversation, &OPEN_GATE);
    started.wait_for_call(1);
    user.wait_for_line("two");
    started.kill();
    let _ = user.start(&["resume", "--format", "jsonl"]).finish().expect_code(0);
    user.assert_ended("passed", &["one", "two", "three"]);
    user.assert_nothing_is_left();
}
