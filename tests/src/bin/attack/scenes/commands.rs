//! What the command line refuses before anything is made.

use crate::{report::Report, stage::Stage};
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown, symlink},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use system_tests::{User, aftermath::step};

/// What others must not enter in a home.
const PRIVATE: [&str; 2] = ["state/sandbox", "cache/sandbox"];

/// A user with a task and a conversation.
fn ready(stage: &Stage, runtime: &str) -> (User, String, String) {
    let user = stage.user(runtime);
    let (task, conversation) =
        (user.task("Go.\n").display().to_string(), user.conversation(&[step("one")]).display().to_string());
    (user, task, conversation)
}

fn runs(user: &User) -> usize {
    fs::read_dir(user.home().join("state/sandbox/runs")).map_or(0, Iterator::count)
}

/// Wildcards, addresses and paths in the list of endpoints.
pub(super) fn settings(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let (user, task, conversation) = ready(stage, runtime);
    for endpoint in
        ["*.ok.test", "*", "ok.*", "11.0.0.66", "https://ok.test/path", "ok.test:0", ".ok.test", "ok.test/../evil.test"]
    {
        let set = format!("trust.endpoints=[\"{endpoint}\"]");
        let ran = user.run(&["run", &task, "--replay", &conversation, "--set", &set]);
        report.held("D-03", ran.code == 2, format!("`{endpoint}` ends with {}", ran.code));
    }
    report.held("D-03", runs(&user) == 0, "a run was begun");
    let good = user.run(&["config", "show", "--set", "trust.endpoints=[\"ok.test\"]"]);
    report.control("D-03", good.code == 0 && good.stdout.contains("ok.test"), "a plain name is refused too");
}

/// Links, pipes, bombs, and wishes that the operator did not grant.
pub(super) fn task_files(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let (user, task, conversation) = ready(stage, runtime);
    let secret = user.file("secret", "Zq7-taskfile-4c1e90\n");
    let link = user.home().join("link.md");
    symlink(&secret, &link).expect("link");
    let pipe = user.home().join("pipe.md");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let huge = user.home().join("huge.md");
    fs::File::create(&huge).and_then(|file| file.set_len(100 << 20)).expect("file");
    let with = |front: &str| format!("---\n{front}\n---\nGo.\n");
    let bomb = (0..30).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        format!("{text}a{}: &a{} [*a{n}, *a{n}, *a{n}, *a{n}]\n", n + 1, n + 1)
    });
    let deep = format!("name: {}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let wishes = [
        ("bomb", with(&bomb)),
        ("deep", with(&deep)),
        ("path", with("name: ../../../etc/passwd")),
        ("profile path", with("profile: ../../../etc/passwd")),
        ("gate", with("gate: {mode: allow-all}")),
        ("trust", with("trust: {endpoints: [evil.test]}")),
        ("network", with("network: {allowed: [\"evil.test\"]}")),
        ("budget", with("max-budget-usd: 1000000")),
        ("timeout", with("timeout: 1000h")),
        ("tag", with("name: !!python/object/apply:os.system [\"id\"]")),
    ];
    let mut files: Vec<_> = wishes.iter().map(|(name, text)| (*name, user.file(&format!("{name}.md"), text))).collect();
    files.extend([("link", link), ("pipe", pipe), ("huge", huge), ("directory", user.home().to_owned())]);
    for (name, path) in files {
        let since = Instant::now();
        let ran = user.run(&["run", &path.display().to_string(), "--replay", &conversation]);
        report.held("K-15", ran.code == 2, format!("{name}: ends with {}: {}", ran.code, ran.stderr));
        report.held("K-15", !ran.stderr.contains("Zq7-taskfile"), format!("{name}: quotes the file"));
        report.held("K-15", since.elapsed() < Duration::from_secs(20), format!("{name}: took {:?}", since.elapsed()));
    }
    report.held("K-15", runs(&user) == 0, "a run was begun");
    // The ordinary task goes past all of that, to where the engine is looked for.
    let away = user.with_env("DOCKER_HOST", "unix:///nonexistent/engine.sock");
    let ran = away.run(&["run", &task, "--replay", &conversation]);
    report.control("K-15", ran.code == 105, format!("an ordinary task ends with {}", ran.code));
}

/// A runtime that the engine does not know, and no engine at all: nothing runs anywhere else.
pub(super) fn no_runtime(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let (user, task, conversation) = ready(stage, runtime);
    let missing = format!("container.runtime={runtime}-missing");
    let ran = user.run(&["run", &task, "--replay", &conversation, "--set", &missing]);
    report.held("K-12", ran.code == 105, format!("ends with {}: {}", ran.code, ran.stderr));
    report.held("K-12", ran.stderr.contains(&format!("{runtime}-missing")), "the runtime is not named");
    report.held("K-12", user.journal("gate.jsonl").is_empty(), "the agent made a call");
    user.assert_nothing_is_left();
    let away = stage.user(runtime).with_env("DOCKER_HOST", "unix:///nonexistent/engine.sock");
    let ran = away.run(&["run", &task, "--replay", &conversation]);
    report.held("K-12", ran.code == 105, format!("without an engine: ends with {}", ran.code));
    let (works, task, conversation) = ready(stage, runtime);
    let ran = works.run(&["run", &task, "--replay", &conversation, "--set", "gate.mode=allow-all"]);
    report.control("K-12", ran.code == 0, format!("the same with the runtime ends with {}: {}", ran.code, ran.stderr));
    report.held("K-14", others_can_enter(works.home()).is_empty(), format!("{:?}", others_can_enter(works.home())));
    for name in PRIVATE {
        let opened = fs::set_permissions(works.home().join(name), fs::Permissions::from_mode(0o755));
        report.control("K-14", opened.is_ok(), format!("there is no {name}"));
    }
    report.control("K-14", others_can_enter(works.home()).len() == PRIVATE.len(), "what is open was not found");
}

/// Directories that others made, own or can enter, where state and cache go.
pub(super) fn places(stage: &Stage, runtime: &'static str, report: &mut Report) {
    // Without an engine a run that is not refused before ends for want of one.
    let told = |prepare: &dyn Fn(&Path)| {
        let (user, task, conversation) = ready(stage, runtime);
        prepare(user.home());
        let away = user.with_env("DOCKER_HOST", "unix:///nonexistent/engine.sock");
        away.run(&["run", &task, "--replay", &conversation]).stderr
    };
    let made = |home: &Path, what: &str, mode: u32, owner: Option<u32>| {
        let dir = home.join(what).join("sandbox");
        fs::create_dir_all(&dir).expect("directory");
        fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).expect("mode");
        chown(&dir, owner, owner).expect("owner");
    };
    for what in ["state", "cache"] {
        for (mode, owner, words) in [
            (0o700, Some(12345), "belongs to uid 12345"),
            (0o777, None, "others can enter"),
            (0o755, None, "others can enter"),
        ] {
            let said = told(&|home| made(home, what, mode, owner));
            report.held("K-14", said.contains(words), format!("{what} with mode {mode:o} of {owner:?}: {said}"));
        }
        let said = told(&|home| made(home, what, 0o700, None));
        report.control("K-14", said.contains("no container engine answers"), format!("{what} of one's own: {said}"));
    }
    let said = told(&|home| {
        made(home, "elsewhere", 0o777, None);
        fs::create_dir_all(home.join("state")).expect("directory");
        symlink(home.join("elsewhere/sandbox"), home.join("state/sandbox")).expect("link");
    });
    report.held("K-14", said.contains("others can enter"), format!("a link to what all can enter: {said}"));
}

/// What of a user's state and cache can be entered or read by others, looked at from the top.
fn others_can_enter(home: &Path) -> Vec<String> {
    let dirs = PRIVATE.map(|name| home.join(name));
    let is_open = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0);
    dirs.iter().filter(|path| is_open(path)).map(|path| path.display().to_string()).collect()
}
