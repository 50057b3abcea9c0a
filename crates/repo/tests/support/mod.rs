//! A hermetic user repository, its mirror, and the harvest job run on this host with its paths replaced.

use repo::{Base, HarvestError, Mirror, Remote, ResultRepo, UserRepo, harvest};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use types::harvest::Harvest;

/// The run that all tests harvest.
pub(crate) const RUN: &str = "quiet-otter-1";

/// A world below one temporary directory.
pub(crate) struct World {
    pub temp: tempfile::TempDir,
    pub user: PathBuf,
}

impl World {
    /// A user repository with one commit on `main`.
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().expect("temp");
        let user = temp.path().join("user");
        fs::create_dir(&user).expect("dir");
        git(&user, &["init", "-q", "-b", "main"]);
        fs::write(user.join("a.txt"), "one\ntwo\nthree\n").expect("write");
        fs::write(user.join("gone.txt"), "gone\n").expect("write");
        fs::write(user.join("run.sh"), "#!/bin/sh\n").expect("write");
        fs::write(user.join(".gitignore"), "target/\n").expect("write");
        fs::create_dir(user.join("src")).expect("dir");
        fs::write(user.join("src/lib.rs"), "pub fn f() {}\n").expect("write");
        commit(&user, "first\n\nbody");
        Self { temp, user }
    }

    pub(crate) async fn open(&self) -> (UserRepo, Mirror) {
        let user = UserRepo::discover(&self.user).await.expect("discovered");
        let mirror = Mirror::open(&self.temp.path().join("cache"), &user).expect("mirror");
        (user, mirror)
    }

    /// Extracts the snapshot of the base as a work tree and for the job.
    pub(crate) async fn workspace(&self, mirror: &Mirror, base: &Base, remotes: &[Remote]) -> PathBuf {
        let tar = mirror.snapshot(base, remotes).await.expect("snapshot");
        let work = self.temp.path().join("workspace");
        extract(&tar, &work);
        extract(&tar, &self.temp.path().join("harvest/base"));
        work
    }

    /// Runs the job over the work tree as it is now.
    pub(crate) fn job(&self, base: &Base) -> Output {
        let job = harvest::job(RUN, base);
        let mut command = Command::new("timeout");
        command.arg("60").args(&job.argv).env_clear().envs(job.env);
        command.env("SANDBOX_WORK", self.temp.path().join("workspace"));
        command.env("SANDBOX_HARVEST", self.temp.path().join("harvest"));
        command.output().expect("job")
    }

    pub(crate) async fn receive(
        &self,
        mirror: &Mirror,
        base: &Base,
        stream: &[u8],
        name: &str,
    ) -> Result<(Harvest, ResultRepo), HarvestError> {
        harvest::receive(mirror, base, stream, &self.temp.path().join(name)).await
    }

    /// Job and intake.
    pub(crate) async fn harvest(&self, mirror: &Mirror, base: &Base) -> (Harvest, ResultRepo) {
        let done = self.job(base);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        self.receive(mirror, base, &done.stdout, "result").await.expect("received")
    }
}

pub(crate) fn extract(tar: &Path, to: &Path) {
    fs::create_dir_all(to).expect("dir");
    let done = Command::new("tar").args(["--no-same-owner", "-xf"]).arg(tar).arg("-C").arg(to).status();
    assert!(done.expect("tar").success());
}

/// Git as a user runs it, with the repository's own configuration in force.
pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let done = plain(dir, args);
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

pub(crate) fn plain(dir: &Path, args: &[&str]) -> Output {
    Command::new("git")
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("HOME", "/dev/null")
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "u")))
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "u@example.invalid")))
        .output()
        .expect("git")
}

pub(crate) fn commit(dir: &Path, message: &str) {
    git(dir, &["add", "-A"]);
    git(dir, &["commit", "-q", "-m", message]);
}

/// Plants everything that git may execute, all of it touching one canary file, whose path is returned.
pub(crate) fn plant(dir: &Path, canary: &Path) {
    let script = canary.with_extension("sh");
    fs::write(&script, format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", canary.display())).expect("script");
    git(dir, &["config", "core.pager", "cat"]);
    Command::new("chmod").arg("+x").arg(&script).status().expect("chmod");
    let script = script.to_str().expect("path").to_owned();
    let hooks = dir.join(".git/hooks");
    fs::create_dir_all(&hooks).expect("hooks");
    for hook in
        ["pre-commit", "post-checkout", "post-index-change", "reference-transaction", "post-merge", "pre-auto-gc"]
    {
        fs::copy(&script, hooks.join(hook)).expect("hook");
    }
    for key in [
        "core.fsmonitor",
        "filter.evil.clean",
        "filter.evil.smudge",
        "diff.evil.textconv",
        "diff.external",
        "merge.evil.driver",
        "core.sshCommand",
        "core.alternateRefsCommand",
        "credential.helper",
        "gpg.program",
        "uploadpack.packObjectsHook",
        "core.editor",
    ] {
        git(dir, &["config", key, &script]);
    }
    git(dir, &["config", "log.showSignature", "true"]);
    fs::create_dir_all(dir.join(".git/info")).expect("info");
    fs::write(dir.join(".git/info/attributes"), "* filter=evil diff=evil merge=evil\n").expect("attributes");
}
