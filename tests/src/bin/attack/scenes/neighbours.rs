//! Two runs of the same repository, by the same person, at the same moment.

use crate::{report::Report, stage::Stage};
use serde_json::Value;
use std::{thread, time::Duration};
use system_tests::{
    Started, User,
    aftermath::{OPEN_GATE, bash},
    docker::docker,
};

/// Opens everything that a process can offer on its own machine, tries it, and goes on offering it.
fn offer(port: u16) -> String {
    format!(
        "cat > offer.py <<'PY'\nimport socket, time\n\
        plain = socket.create_server(('127.0.0.1', {port}))\n\
        abstract = socket.socket(socket.AF_UNIX)\nabstract.bind('\\0offered-{port}')\nabstract.listen()\n\
        open('/tmp/offered-{port}', 'w').write('offered')\ntime.sleep(120)\nPY\n\
        (setsid python3 offer.py >/dev/null 2>&1 &)\nsleep 2\n"
    )
}

/// Tries what is offered on a port, and logs it.
fn take(port: u16, word: &str) -> String {
    format!(
        "python3 - <<'PY' >> log.txt\nimport os, socket\nfound = []\n\
        try:\n    socket.create_connection(('127.0.0.1', {port}), 3); found.append('port')\nexcept OSError: pass\n\
        try:\n    socket.socket(socket.AF_UNIX).connect('\\0offered-{port}'); found.append('socket')\nexcept OSError: pass\n\
        if os.path.exists('/tmp/offered-{port}'): found.append('file')\n\
        print('{word}', ','.join(found) or 'nothing')\nPY\n"
    )
}

/// One of the two: it offers on its own port and takes from both once the other one is up.
fn start(user: &User, repository: &str, own: u16, other: u16) -> Started {
    let wait = "for i in $(seq 300); do test -e /tmp/go && break; sleep 0.2; done";
    let script = [offer(own), take(own, "own"), format!("echo up >> log.txt; {wait}"), take(other, "other")];
    let turns: Vec<_> = script.iter().map(|command| bash(command)).collect();
    let task = user.task(&format!("Offer {own}.\n"));
    user.start_task(&task, &user.conversation(&turns), &[&OPEN_GATE[..], &["--repo", repository]].concat())
}

fn networks() -> usize {
    docker(&["network", "ls", "--quiet"]).lines().count()
}

pub(super) fn two_at_once(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let first = stage.user(runtime);
    // Another terminal of the same person.
    let home = |name: &str| first.home().join(name).display().to_string();
    let second =
        stage.user(runtime).with_env("XDG_STATE_HOME", &home("state")).with_env("XDG_CACHE_HOME", &home("cache"));
    let repository = first.repository().display().to_string();
    let before = networks();
    let started = thread::scope(|scope| {
        let other = scope.spawn(|| start(&second, &repository, 4442, 4441));
        let one = start(&first, &repository, 4441, 4442);
        [one, other.join().expect("the other one")]
    });
    let runs = started.each_ref().map(|started| {
        let launch = started.wait_for("launch", |event| event["event"] == "launch");
        launch["run"].as_str().expect("run").to_owned()
    });
    report.held("K-11", runs[0] != runs[1], "both have the same name");
    for run in &runs {
        wait_until_up(run);
    }
    report.held("K-11", networks() == before, "a network was made");
    for run in &runs {
        let _ = docker(&["exec", "--user", "1000", &container(run), "touch", "/tmp/go"]);
    }
    let ended = started.map(Started::finish);
    for (ran, run) in ended.iter().zip(&runs) {
        report.held("K-11", ran.code == 0, format!("{run} ended with {}: {}", ran.code, ran.stderr));
        let log = first.run(&["diff", run]).stdout;
        let lines: Vec<_> = log.lines().filter_map(|line| line.strip_prefix('+')).collect();
        report.control("N-25", lines.contains(&"own port,socket,file"), format!("nothing was offered: {lines:?}"));
        report.held("N-25", lines.contains(&"other nothing"), format!("the other run was reached: {lines:?}"));
    }
    let left: Vec<_> = stage.left().into_iter().filter(|name| runs.iter().any(|run| name.contains(run))).collect();
    report.held("K-11", left.is_empty(), format!("left: {left:?}"));
    let results: Vec<Value> =
        ended.iter().flat_map(|ran| ran.events()).filter(|event| event["event"] == "done").collect();
    report.control("K-11", results.len() == 2, "there are not two results");
}

fn container(run: &str) -> String {
    format!("sandbox-{run}-1-agent")
}

/// Waits until a run's agent has offered everything.
fn wait_until_up(run: &str) {
    for _ in 0..1200 {
        let found = ["exec", "--user", "1000", &container(run), "grep", "-qx", "up", "/workspace/log.txt"];
        if std::process::Command::new("docker").args(found).output().is_ok_and(|output| output.status.success()) {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("{run} is not up");
}
