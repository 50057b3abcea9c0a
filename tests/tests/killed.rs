//! The `sandbox` process killed with SIGKILL at every stage, and started again: nothing is lost, nothing runs twice, nothing is left.

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use system_tests::{
    Started, User,
    aftermath::{OPEN_GATE, bash, step},
};

/// A task whose result proves that each step ran once.
const TASK: &str = "---\nsetup: [\"test -e README.md\"]\nverify: [\"sort log.txt | uniq -c | grep -vq '^ *1 ' && exit 1; wc -l < log.txt | grep -qx 4\"]\n---\nWrite a log.";
const STEPS: [&str; 4] = ["one", "two", "three", "four"];

/// A user with a task of four steps, of which the second takes a while.
struct Scene {
    user: User,
    task: PathBuf,
    conversation: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let user = User::new();
        let task = user.task(TASK);
        let [one, two, three, four] = STEPS;
        let slow = bash(&format!("echo {two} >> log.txt; sleep 2"));
        let conversation = user.conversation(&[step(one), slow, step(three), step(four)]);
        Self { user, task, conversation }
    }

    fn start(&self) -> Started {
        self.user.start_task(&self.task, &self.conversation, &OPEN_GATE)
    }

    fn resume(&self) -> Started {
        self.user.start(&["resume", "--format", "jsonl"])
    }

    /// Checks that the run passed with every step done once.
    fn assert_passed(&self) {
        let result = self.user.assert_ended("passed", &STEPS);
        assert_eq!(result["verify"]["passed"], true, "{result:#}");
        assert_eq!(result["gate"]["allowed"], 4, "{result:#}");
        assert_eq!(result["gate"]["bypassed"], 0, "{result:#}");
        assert_eq!(result["summary"], "Done.", "{result:#}");
    }
}

#[test]
fn the_same_task_again_adopts_the_agent() {
    let scene = Scene::new();
    let first = scene.start();
    first.wait_for_call(1);
    scene.user.wait_for_line("two");
    first.kill();
    let _ = scene.start().finish().expect_code(0);
    scene.assert_passed();
}

#[test]
fn resume_adopts_the_agent_and_no_second_process_can() {
    let scene = Scene::new();
    let first = scene.start();
    first.wait_for_call(1);
    scene.user.wait_for_line("two");
    first.kill();
    // Adopted twice, with a break, and still once for the agent.
    let second = scene.resume();
    second.wait_for_phase("running");
    let refused = scene.user.run(&["resume", &scene.user.run_id()]).expect_code(2);
    assert!(refused.stderr.contains("another process works on the run"), "{}", refused.stderr);
    second.kill();
    let _ = scene.resume().finish().expect_code(0);
    scene.assert_passed();
}

#[test]
fn a_run_whose_agent_was_not_started_begins_anew() {
    let scene = Scene::new();
    let first = scene.start();
    let _ = first.wait_for("launch", |event| event["event"] == "launch");
    first.kill();
    let second = scene.start();
    let _ = second.wait_for("create", |event| event["event"] == "step" && event["name"] == "create");
    second.kill();
    let third = scene.resume();
    third.wait_for_phase("setup");
    third.kill();
    let _ = scene.resume().finish().expect_code(0);
    scene.assert_passed();
}

#[test]
fn harvest_and_verification_are_repeated_and_need_no_model() {
    let scene = Scene::new();
    let first = scene.start();
    first.wait_for_phase("harvesting");
    first.kill();
    fs::remove_file(&scene.conversation).expect("remove");
    let second = scene.resume();
    second.wait_for_phase("verifying");
    second.kill();
    let third = scene.resume();
    third.wait_for_phase("verifying");
    scene.user.wait_for_result();
    third.kill();
    // It may have cleaned up and closed the run before it was killed.
    let last = scene.resume().finish();
    assert!([0, 4].contains(&last.code), "{last:#?}");
    scene.assert_passed();
}

#[test]
fn an_agent_without_a_model_stays_as_it_is_until_the_run_is_cancelled() {
    let scene = Scene::new();
    let first = scene.start();
    first.wait_for_call(1);
    scene.user.wait_for_line("two");
    first.kill();
    fs::remove_file(&scene.conversation).expect("remove");
    let _ = scene.user.run(&["resume"]).expect_code(2);
    scene.user.wait_for_line("two");
    let _ = scene.user.run(&["cancel", &scene.user.run_id()]).expect_code(0);
    let _ = scene.resume().finish().expect_code(130);
    scene.user.assert_ended("interrupted", &["one", "two"]);
}

#[test]
fn what_was_spent_before_a_kill_stays_spent() {
    let whole = Scene::new();
    let _ = whole.start().finish().expect_code(0);
    let cost = whole.user.result()["cost-usd"].as_f64().expect("cost");
    let short = Scene::new();
    // Enough for what comes before the kill, and for what comes after it, but not for both.
    let budget = format!("limits.max-budget-usd={}", cost * 0.9);
    let more = [&OPEN_GATE[..], &["--set", &budget]].concat();
    let first = short.user.start_task(&short.task, &short.conversation, &more);
    first.wait_for_call(2);
    first.kill();
    let _ = short.resume().finish().expect_code(102);
    let result = short.user.result();
    assert!(result["reason"].as_str().is_some_and(|reason| reason.starts_with("max-budget-usd")), "{result:#}");
    assert!(result["cost-usd"].as_f64().is_some_and(|spent| spent >= cost * 0.9), "{result:#}");
    short.user.assert_nothing_is_left();
}

/// What a process leaves that is killed while it fills a shared volume, some time ago and just now.
#[test]
fn what_a_killed_fill_left_is_swept_when_it_is_old() {
    let user = User::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("clock").as_secs();
    let [old, young] = [now - 4000, now].map(|since| {
        let name = format!("sandbox-test-fill-{}-{since}", std::process::id());
        let since = format!("sandbox.since={since}");
        let labels = ["--label", "sandbox.role=fill", "--label", "sandbox.fill=sandbox-test-fill", "--label", &since];
        let volume = [&["volume", "create"], &labels[..], &[&name]].concat();
        let mount = format!("{name}:/fill");
        let helper =
            [&["create", "--name", &name, "--volume", &mount], &labels[..], &["sandbox/base", "true"]].concat();
        for made in [volume, helper] {
            assert!(user.docker(&made).output().expect("docker").status.success());
        }
        name
    });
    let exists =
        |kind: &str, name: &str| user.docker(&[kind, "inspect", name]).output().expect("docker").status.success();
    let swept = user.run(&["gc", "--json"]).expect_code(0).stdout;
    let left = ["container", "volume"].map(|kind| (exists(kind, &old), exists(kind, &young)));
    for remove in [["rm", "--force", &young], ["volume", "rm", &young]] {
        assert!(user.docker(&remove).output().expect("docker").status.success());
    }
    assert_eq!(left, [(false, true); 2], "{swept}");
}

/// Kills one run again and again, each time a little later in its life than it got before.
#[test]
fn killed_at_random_moments_a_run_loses_nothing_and_does_nothing_twice() {
    let scene = Scene::new();
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).expect("clock").subsec_nanos();
    let mut random = seed;
    let mut process = scene.start();
    let _ = process.wait_for("launch", |event| event["event"] == "launch");
    for round in 1..=8_u32 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let pause = Duration::from_millis(u64::from(random >> 16) % (250 * u64::from(round)));
        thread::sleep(pause);
        process.kill();
        process = scene.resume();
    }
    let last = process.finish();
    // Nothing to resume: the run had ended before it could be killed once more.
    assert!([0, 4].contains(&last.code), "seed {seed}: {last:#?}");
    scene.assert_passed();
}
