//! Runs on each kind of OCI runtime (K-03, K-12): the example passes on runc and on gVisor with every row of the canary's table, limits
//! are limits there, and nothing falls back to another runtime.

use serde_json::Value;
use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::Path};
use system_tests::{
    User,
    aftermath::{OPEN_GATE, bash, step},
    private_engine::PrivateEngine,
    workspace,
};
use types::{canary, probe::Expect};

fn with_runtime(runtime: &str) -> [String; 2] {
    ["--set".to_owned(), format!("container.runtime={runtime}")]
}

/// Runs the example on a runtime and returns what the canary found.
fn example_on(runtime: &str) -> Vec<Value> {
    let user = User::with_example();
    let example = workspace().join("examples/fix-failing-test");
    let [set, value] = with_runtime(runtime);
    let ran = user.run_task(&example.join("task.md"), &example.join("conversation.json"), &[&set, &value]);
    let _ = ran.expect_code(0);
    let result = user.result();
    assert_eq!((&result["status"], &result["verify"]["passed"]), (&"passed".into(), &true.into()), "{result:#}");
    assert_eq!(result["harvest"]["changes"][0]["path"], "receipts/split.py");
    assert_eq!(result["gate"]["denied"], 1, "{result:#}");
    user.assert_nothing_is_left();
    let probe = fs::read(user.attempt().join("probe.json")).expect("probe.json");
    let probe: Value = serde_json::from_slice(&probe).expect("json");
    probe["checks"].as_array().expect("checks").clone()
}

/// Every row of the table was tried, but for the one about a trusted name, which this run does not have; and nothing else was.
fn assert_whole_table(checks: &[Value]) {
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let rows: BTreeSet<_> = checks
        .iter()
        .map(|check| {
            assert_eq!(check["ok"], true, "{check}");
            let row = canary::probe(&text(check, "id")).unwrap_or_else(|| panic!("not in the table: {check}"));
            assert_eq!(text(check, "threat"), row.threat, "{check}");
            assert_eq!(check["expect"] == "works", row.expect == Expect::Works, "{check}");
            row.id
        })
        .collect();
    let all: BTreeSet<_> = canary::CANARY.iter().map(|row| row.id).filter(|id| *id != "control.trusted-name").collect();
    assert_eq!(rows, all);
}

#[test]
fn the_example_passes_on_runc_with_the_whole_table() {
    assert_whole_table(&example_on("runc"));
}

#[test]
fn the_example_passes_on_gvisor_with_the_whole_table() {
    let checks = example_on("runsc");
    assert_whole_table(&checks);
    let own = checks.iter().filter(|check| check["detail"].as_str().is_some_and(|text| text.contains("gVisor's own")));
    assert!(own.count() > 5, "what gVisor answers itself is said");
}

#[test]
fn limits_are_limits_on_gvisor_too() {
    let cases = [
        ("for i in $(seq 1000); do sleep 300 & done; wait", "container.pids=150", "processes"),
        ("python3 -c 'bytearray(2 * 10**9)'", "container.memory-mb=1000", "memory"),
        ("cat /dev/zero > large", "container.disk-mb=300", "disk"),
    ];
    for (command, setting, resource) in cases {
        let user = User::new();
        let conversation = user.conversation(&[bash(&format!("echo one >> log.txt; {command}")), step("two")]);
        let [set, value] = with_runtime("runsc");
        let more = [&OPEN_GATE[..], &[&set, &value, "--set", setting]].concat();
        let _ = user.run_task(&user.task("Write a log."), &conversation, &more).expect_code(102);
        let result = user.assert_ended("limit", &["one"]);
        assert_eq!(result["resource"], resource, "{result:#}");
    }
}

#[test]
fn a_runtime_that_the_engine_does_not_have_is_an_error_and_nothing_is_made() {
    let user = User::new();
    let [set, value] = with_runtime("nowhere");
    let ran = user.run_task(&user.task("Go."), &user.conversation(&[step("one")]), &[&set, &value]).expect_code(105);
    assert!(ran.stderr.contains("has no runtime `nowhere`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("nothing falls back"), "{}", ran.stderr);
    assert_eq!(user.result()["harvest"], Value::Null);
    user.assert_nothing_is_left();
}

/// A program in `dir` that is runc in all but its name, and, where one is given, its version.
fn impostor(dir: &Path, name: &str, version: Option<&str>) -> String {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().expect("parent")).expect("directory");
    let says = version.map_or_else(String::new, |version| {
        format!("case \"$*\" in *--version*) printf 'runc version {version}\\ncommit: v{version}\\nspec: 1.0.2\\n'; exit 0 ;; esac\n")
    });
    fs::write(&path, format!("#!/bin/sh\n{says}exec runc \"$@\"\n")).expect("program");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode");
    path.display().to_string()
}

#[test]
fn runtimes_that_are_too_old_or_not_what_they_seem_are_refused() {
    let engine = PrivateEngine::with(|dir| {
        let old = impostor(dir, "old/runc", Some("1.1.11"));
        let feigned = impostor(dir, "feigned/runsc", None);
        vec![
            format!("--add-runtime=old={old}"),
            format!("--add-runtime=feigned={feigned}"),
            "--default-runtime=old".into(),
        ]
    });
    let run = |user: &User, settings: &[&str]| {
        let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        user.run_task(&user.task("Go."), &user.conversation(&[step("one")]), &[&OPEN_GATE[..], &settings].concat())
    };
    let user = || User::new().with_env("DOCKER_HOST", &engine.host());

    let refused = user();
    let ran = run(&refused, &[]).expect_code(105);
    assert!(ran.stderr.contains("runc 1.1.11 lets a hostile container out (CVE-2024-21626"), "{}", ran.stderr);
    assert!(ran.stderr.contains("container.accept-risk"), "{}", ran.stderr);
    let doctor = refused.run(&["doctor"]).expect_code(105).stdout;
    assert!(doctor.contains("runs are refused"), "{doctor}");

    let accepted = user();
    let _ = run(&accepted, &["container.accept-risk=[\"CVE-2024-21626\"]"]).expect_code(0);
    accepted.assert_ended("passed", &["one"]);

    // A name that promises gVisor's kernel and leads to the machine's.
    let deceived = user();
    let _ = run(&deceived, &["container.runtime=feigned"]).expect_code(103);
    let reason = deceived.result()["reason"].to_string();
    assert!(reason.contains("control.kernel"), "{reason}");
    deceived.assert_nothing_is_left();
}
