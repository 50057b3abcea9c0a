//! Start: from the start of the `sandbox run` process to the agent's execve, canary included. The same runs give the harvest and
//! the memory of the supervising process.

use crate::{
    docker,
    observed::{self, Observed},
    series::Report,
};
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};
use system_tests::User;

/// The peer.
pub(crate) const PLAIN: &str = "docker run --network none IMAGE true";
/// What is compared with it.
pub(crate) const TOTAL: &str = "start: process to the agent's execve";
/// Sizes of the repositories between which growth is shown.
const SIZES: [usize; 2] = [10, 3000];
/// OCI runtimes that are compared.
const RUNTIMES: [&str; 2] = ["runc", "runsc"];

/// A user with a repository, and a run whose conversation ends at once.
struct Short {
    user: User,
    task: PathBuf,
    conversation: PathBuf,
}

impl Short {
    fn new(files: usize) -> Self {
        let user = User::new();
        for n in 0..files {
            user.write(&format!("src/d{}/f{n}.txt", n / 50), &format!("file {n}\n").repeat(100));
        }
        user.write("LAST", "");
        user.commit("files");
        let (task, conversation) = (user.task("Say that you are done.\n"), user.conversation(&[]));
        Self { user, task, conversation }
    }

    /// The same on another OCI runtime than the engine's default.
    fn on(runtime: &str) -> Self {
        let short = Self::new(10);
        let settings = short.user.home().join("config/sandbox");
        fs::create_dir_all(&settings).expect("directory");
        fs::write(settings.join("profile.toml"), format!("[container]\nruntime = \"{runtime}\"\n")).expect("settings");
        short
    }

    /// What it costs this machine to write the files out once more.
    fn check_out(&self) -> Duration {
        let to = self.user.home().join("copy");
        let since = Instant::now();
        self.user.git(&["checkout-index", "--all", &format!("--prefix={}/", to.display())]);
        let took = since.elapsed();
        fs::remove_dir_all(to).expect("the copy");
        took
    }

    fn run(&self) -> Observed {
        observed::run(&self.user, &self.task, &self.conversation, |_| {})
    }
}

/// Peer and start in turns.
pub(crate) fn measure(report: &mut Report, rounds: usize) {
    let short = Short::new(10);
    // Fills the volumes that all runs share and the repository's snapshot.
    short.run();
    docker::plain_run();
    for round in 0..rounds {
        // Whoever comes second may find the engine warmer.
        if round % 2 == 0 {
            report.time(PLAIN, docker::plain_run());
        }
        let run = short.run();
        if round % 2 == 1 {
            report.time(PLAIN, docker::plain_run());
        }
        report.time(TOTAL, run.start());
        note_steps(report, &run);
        report.time("harvest", run.step("harvest").took);
        report.memory("memory of the supervising process (VmHWM)", run.peak_kib);
    }
}

/// Start and canary on each runtime, in turns and a quarter of the rounds.
pub(crate) fn measure_runtimes(report: &mut Report, rounds: usize) {
    let all = RUNTIMES.map(|runtime| (runtime, Short::on(runtime)));
    // Fills the snapshots.
    for (_, short) in &all {
        short.run();
    }
    for _ in 0..rounds.div_ceil(4) {
        for (runtime, short) in &all {
            let run = short.run();
            report.time(&format!("start on {runtime}"), run.start());
            report.time(&format!("  container's start on {runtime}"), run.step("start").took);
            report.time(&format!("  canary on {runtime}"), run.step("canary").took);
        }
    }
}

/// Each step, and the time that no step covers.
fn note_steps(report: &mut Report, run: &Observed) {
    report.time("  process: spawn to main", run.exec());
    let end = run.step("execve").end;
    let mut steps: Vec<_> = run.steps().into_iter().filter(|step| step.end <= end).collect();
    for step in &steps {
        report.time(&format!("  {}", step.name), step.took);
    }
    // Steps may overlap.
    steps.sort_by_key(|step| step.end - step.took);
    let mut covered_to = run.spawned() + run.exec();
    let mut uncovered = Duration::ZERO;
    for step in steps {
        uncovered += (step.end - step.took).saturating_sub(covered_to);
        covered_to = covered_to.max(step.end);
    }
    report.time("  between the steps", uncovered);
}

/// Start with a small and a larger repository, in turns and a quarter of the rounds; and the first run at a commit, which makes
/// its snapshot.
pub(crate) fn measure_growth(report: &mut Report, rounds: usize) {
    let all = SIZES.map(|files| (files, Short::new(files)));
    for (files, short) in &all {
        report.time(&format!("start, {files} files, first run at the commit"), short.run().start());
    }
    for _ in 0..rounds.div_ceil(4) {
        for (files, short) in &all {
            let run = short.run();
            report.time(&format!("start, {files} files"), run.start());
            report.time(&format!("  work tree, {files} files"), run.step("work tree").took);
            report.time(&format!("  for scale: git checkout-index of {files} files"), short.check_out());
            report.time(&format!("harvest, {files} files"), run.step("harvest").took);
        }
    }
}
