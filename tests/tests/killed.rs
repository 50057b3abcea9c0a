//! The `sandbox` process killed with SIGKILL at every stage, and started again: nothing is lost, nothing runs twice, nothing is left.

use std::{
    fs, thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use system_tests::{
    User,
    aftermath::OPEN_GATE,
    scenes::killing::{self, Scene},
};

#[test]
fn the_same_task_again_adopts_the_agent() {
    let scene = Scene::new(User::new());
    let first = scene.start();
    first.wait_for_call(1);
    scene.user.wait_for_line("two");
    first.kill();
    let _ = scene.start().finish().expect_code(0);
    scene.assert_passed();
}

#[test]
fn resume_adopts_the_agent_and_no_second_process_can() {
    let scene = Scene::new(User::new());
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
fn killed_at_every_stage_a_run_goes_on_to_its_end() {
    let codes = killing::at_every_stage(User::new());
    // The last one may have been at its end already.
    assert_eq!(codes[..6], [killing::KILLED; 6]);
}

#[test]
fn an_agent_without_a_model_stays_as_it_is_until_the_run_is_cancelled() {
    let scene = Scene::new(User::new());
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
    let whole = Scene::new(User::new());
    let _ = whole.start().finish().expect_code(0);
    let cost = whole.user.result()["cost-usd"].as_f64().expect("cost");
    let short = Scene::new(User::new());
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
    let scene = Scene::new(User::new());
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
