//! A checkout in which somebody has planted whatever git runs by itself.

use crate::{User, hostile::CANARY};
use serde_json::json;
use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// Git's own ways to run a program, in the configuration, the attributes and the hooks of the user's checkout.
fn plant_in_git(user: &User) {
    let home = user.home().display().to_string();
    let leave = |name: &str| format!("sh {home}/leave.sh {name}");
    let script =
        format!("mkdir -p {home}/canaries\n: > {home}/canaries/\"{CANARY}$1\"\n[ \"$1\" = clean ] && cat\nexit 0\n");
    user.file("leave.sh", &script);
    for (key, value) in [
        ("core.fsmonitor", leave("fsmonitor")),
        ("core.hooksPath", format!("{home}/hooks")),
        ("core.sshCommand", leave("ssh")),
        ("core.pager", leave("pager")),
        ("core.editor", leave("editor")),
        ("core.askPass", leave("askpass")),
        ("core.alternateRefsCommand", leave("alternate-refs")),
        ("pager.diff", leave("pager-diff")),
        ("pager.log", leave("pager-log")),
        ("diff.external", leave("diff-external")),
        ("diff.evil.textconv", leave("textconv")),
        ("diff.evil.command", leave("diff-command")),
        ("filter.evil.clean", leave("clean")),
        ("filter.evil.smudge", leave("smudge")),
        ("filter.evil.required", "true".to_owned()),
        ("merge.evil.driver", leave("merge")),
        ("gpg.program", leave("gpg")),
        ("commit.gpgSign", "true".to_owned()),
        ("tag.gpgSign", "true".to_owned()),
        ("credential.helper", format!("!{}", leave("credential"))),
        ("uploadpack.packObjectsHook", leave("pack-objects")),
        ("gc.auto", "1".to_owned()),
        ("remote.origin.url", format!("ext::{}", leave("ext"))),
        ("remote.origin.uploadpack", leave("uploadpack")),
        ("remote.origin.promisor", "true".to_owned()),
        ("remote.origin.partialclonefilter", "blob:none".to_owned()),
        ("protocol.ext.allow", "always".to_owned()),
    ] {
        user.git(&["config", key, &value]);
    }
    fs::create_dir(user.home().join("hooks")).expect("hooks");
    for name in
        ["pre-commit", "post-commit", "post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc"]
    {
        let hook = format!("#!/bin/sh\nexec {}\n", leave(&format!("hook-{name}")));
        for dir in ["../hooks", ".git/hooks"] {
            user.write_program(&format!("{dir}/{name}"), &hook);
        }
    }
    user.write(".git/info/attributes", "* filter=evil diff=evil merge=evil\n");
}

/// Names of the canaries, without what all of them begin with; they are gone afterwards.
fn take_canaries(home: &Path) -> BTreeSet<String> {
    let dir = home.join("canaries");
    let Ok(entries) = fs::read_dir(&dir) else { return BTreeSet::new() };
    let names = entries.map(|entry| entry.expect("entry").file_name().to_string_lossy().replacen(CANARY, "", 1));
    let names = names.collect();
    fs::remove_dir_all(&dir).expect("remove");
    names
}

/// Whatever git's configuration names, nothing of it runs on the host. Gives the plants that do run for a git that is simply started.
///
/// # Panics
/// When something does, or when the plants would not work.
#[must_use]
pub fn the_checkout_s_git_configuration_filters_and_hooks_never_run_on_the_host(user: &User) -> BTreeSet<String> {
    user.write(".gitattributes", "* filter=evil diff=evil merge=evil\n");
    user.commit("attributes");
    plant_in_git(user);

    // They do run for a git that is simply started in this checkout.
    user.write("README.md", "changed\n");
    user.git(&["-c", "commit.gpgSign=false", "commit", "--quiet", "--all", "--message", "changed"]);
    user.git(&["diff", "HEAD~1"]);
    let ran = take_canaries(user.home());
    for way in ["fsmonitor", "clean", "diff-command", "hook-pre-commit", "hook-reference-transaction"] {
        assert!(ran.contains(way), "{way} is no plant that works: {ran:?}");
    }

    let turns = [vec![("Write", json!({"file_path": "/workspace/done.txt", "content": "done\n"}))]];
    let conversation = user.conversation(&turns);
    let _ = user.run_task(&user.task("Write done.txt.\n"), &conversation, &[]).expect_code(0);
    assert_eq!(take_canaries(user.home()), BTreeSet::new());
    assert_eq!(changed(user), ["done.txt"]);

    let run = user.result()["run"].as_str().expect("run").to_owned();
    let patch = user.run(&["diff", &run]).expect_code(0).stdout;
    assert!(patch.contains("+++ b/done.txt"), "{patch}");
    let _ = user.run(&["show", &run]).expect_code(0);
    let _ = user.run(&["apply", &run]).expect_code(0);
    assert_eq!(take_canaries(user.home()), BTreeSet::new());
    let mut branch = Command::new("git");
    branch.args(["rev-parse", "--verify", "--quiet", &format!("sandbox/{run}")]).current_dir(user.repository());
    assert!(branch.status().expect("git").success(), "nothing was applied");
    ran
}

fn changed(user: &User) -> Vec<String> {
    let result = user.result();
    let changes = result["harvest"]["changes"].as_array().expect("changes");
    changes.iter().map(|change| change["path"].as_str().expect("path").to_owned()).collect()
}
