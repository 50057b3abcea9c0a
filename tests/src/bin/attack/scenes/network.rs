//! The egress under pressure, gone, and with nothing to let out.

use crate::{report::Report, stage::Stage};
use std::{
    fs, thread,
    time::{Duration, Instant},
};
use system_tests::{
    User,
    aftermath::{OPEN_GATE, bash, endless_step, step},
    internet::map::PLACES,
};

const TRUSTED: [&str; 2] = ["--set", "trust.endpoints=[\"http://plain.test\"]"];
/// Exit code and status of a request, as curl says them.
const SHOWN: &str = "-sS -o /dev/null -w %{http_code} --max-time 8";

/// Runs a command in the agent's container as the agent.
fn inside(user: &User, command: &str) -> String {
    let container = user.agent_container();
    let exec = ["exec", "--user", "1000", &container, "sh", "-c", command];
    let output = user.docker(&exec).output().expect("docker");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The process that holds the egress is killed while the agent works: what is inside loses the way out and gains none.
pub(super) fn egress_killed(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let user = stage.user(runtime);
    let conversation = user.conversation(&[step("one"), endless_step("two")]);
    let more = [&OPEN_GATE[..], &TRUSTED].concat();
    let started = user.start_task(&user.task("Write a log."), &conversation, &more);
    started.wait_for_call(1);
    user.wait_for_line("two");
    let by_proxy = format!("curl {SHOWN} -x http://127.0.0.1:3128 http://plain.test/{runtime}-orphaned; echo");
    report.control("N-30", inside(&user, &by_proxy).starts_with("200"), "the way out was not there before");
    started.kill();
    let heard = || stage.internet.hearing.count("plain", &format!("{runtime}-orphaned"));
    let before = heard();
    for (what, command) in [
        ("the proxy", by_proxy.as_str()),
        ("a name", &format!("curl {SHOWN} --noproxy '*' http://plain.test/{runtime}-orphaned; echo")),
        ("an address", &format!("curl {SHOWN} --noproxy '*' http://11.0.0.66/{runtime}-orphaned; echo")),
        ("the bridge", &format!("curl {SHOWN} --noproxy '*' http://172.17.0.1:7200/{runtime}-orphaned; echo")),
    ] {
        let came = inside(&user, command);
        report.held("N-30", came.starts_with("000"), format!("by {what}: `{came}`"));
    }
    // What is inside goes on without its supervisor, so that something was there to try.
    report.control("N-30", inside(&user, "echo works") == "works", "nothing was left inside that could try");
    report.held("N-30", heard() == before, "something got out without the egress");
    let gone: usize = ["evil", "bridge"]
        .map(|place| stage.internet.hearing.count(place, &format!("{runtime}-orphaned")))
        .iter()
        .sum();
    report.held("N-30", gone == 0, "something was reached without the egress");
    let _ = user.run(&["cancel", &user.run_id()]).expect_code(0);
    let _ = user.run(&["resume"]).expect_code(130);
    report.held("N-30", user.logged() == ["one", "two"], "the work was not harvested");
    user.assert_nothing_is_left();
}

/// A run without endpoints, and settings in which the list is missing, empty or no list.
pub(super) fn nothing_trusted(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let plain = PLACES.iter().find(|place| place.name == "plain").expect("a place");
    report.control("N-16", stage.internet.reaches(plain, "before-nothing"), "the site is not there");
    let user = stage.user(runtime);
    let mark = format!("{runtime}-nothing");
    let get = |more: &str| format!("curl {SHOWN} {more} http://plain.test/{mark} >> log.txt; echo >> log.txt");
    let direct = get("--noproxy \"*\"");
    let conversation = user.conversation(&[bash(&get("")), bash(&direct), bash("echo end >> log.txt")]);
    let ran =
        user.run_task(&user.task("Look."), &conversation, &[&OPEN_GATE[..], &["--set", "trust.endpoints=[]"]].concat());
    report.held("N-16", ran.code == 0, format!("ended with {}", ran.code));
    report.held("N-16", user.logged() == ["403", "000", "end"], format!("{:?}", user.logged()));
    report.held("N-16", stage.internet.hearing.count("plain", &mark) == 0, "the site was reached");
    let missing = user.file("none.toml", "[trust]\n").display().to_string();
    let shown = user.run(&["config", "show", "--profile", &missing]);
    let is_empty = |line: &str| line.starts_with("trust.endpoints ") && line.contains("= []");
    report.held("N-16", shown.code == 0 && shown.stdout.lines().any(is_empty), "a missing list is not empty");
    for set in ["trust.endpoints=null", "trust.endpoints=", "trust.endpoints=true", "trust=[]"] {
        let refused = user.run(&["config", "show", "--set", set]);
        report.held("N-16", refused.code == 2, format!("`{set}` ends with {}", refused.code));
    }
    let absent = user.run(&["config", "show", "--profile", "/nonexistent/profile.toml"]);
    report.held("N-16", absent.code == 2, "a missing file is taken for an empty one");
}

/// Opens what it can: idle connections, heads that come a byte at a time, a head without end; asks for what is denied meanwhile.
const PRESSURE: &str = "cat > press.py <<'PY'
import socket, time
held, refused = [], 0
def connect():
    return socket.create_connection(('127.0.0.1', 3128), 5)
for n in range(1500):
    try:
        held.append(connect())
    except OSError:
        refused += 1
slow = []
for n in range(50):
    try:
        slow.append(connect())
    except OSError:
        refused += 1
sent = 0
try:
    endless = connect()
    endless.settimeout(5)
    endless.sendall(b'GET http://plain.test/ HTTP/1.1\\r\\nHost: plain.test\\r\\nX: ')
    while sent < 1 << 30:
        endless.sendall(b'x' * (1 << 20))
        sent += 1 << 20
except OSError:
    pass
print('head stopped' if sent < 1 << 30 else 'head taken')
open('/tmp/pressed', 'w').close()
end = time.monotonic() + 12
while time.monotonic() < end:
    for sock in slow:
        try:
            sock.send(b'G')
        except OSError:
            pass
    time.sleep(1)
PY
python3 press.py >> log.txt 2>&1 &
for i in $(seq 300); do test -e /tmp/pressed && break; sleep 0.1; done
";

/// Megabytes that the process which holds the egress may take.
const MOST_MEMORY: u64 = 700;

/// One run presses on the egress as hard as it can, while another one works; afterwards both are served.
pub(super) fn overload(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let (hostile, other) = (stage.user(runtime), stage.user(runtime));
    let mark = format!("{runtime}-pressed");
    let get =
        |url: &str, word: &str| format!("printf '{word} ' >> log.txt; curl {SHOWN} {url} >> log.txt; echo >> log.txt");
    let denied = get(&format!("http://evil.test/{mark}"), "denied");
    let turns = [
        bash(&format!("{PRESSURE}{denied}; wait")),
        bash(&format!("sleep 1; {}", get(&format!("http://plain.test/{mark}-after"), "after"))),
    ];
    let more = [&OPEN_GATE[..], &TRUSTED].concat();
    let started = hostile.start_task(&hostile.task("Press.\n"), &hostile.conversation(&turns), &more);
    started.wait_for_call(0);
    let beside = other.conversation(&[bash(&get(&format!("http://plain.test/{mark}-beside"), "beside"))]);
    let since = Instant::now();
    let beside = other.run_task(&other.task("Work.\n"), &beside, &more);
    report.held(
        "N-29",
        beside.code == 0 && other.logged() == ["beside 200"],
        format!("the other run: {:?}", other.logged()),
    );
    report.held("N-29", since.elapsed() < Duration::from_secs(90), format!("the other run took {:?}", since.elapsed()));
    let peak = peak_memory(&started.id().to_string());
    let ran = started.finish();
    report.held("N-29", ran.code == 0, format!("ended with {}: {}", ran.code, ran.stderr));
    let logged = hostile.logged();
    report.held("N-29", logged.iter().any(|line| line == "head stopped"), format!("a head of a gigabyte: {logged:?}"));
    let denied = logged.iter().find(|line| line.starts_with("denied "));
    report.held("N-29", denied.is_some_and(|line| line != "denied 200"), format!("under pressure: {denied:?}"));
    report.held("N-29", stage.internet.hearing.count("evil", &mark) == 0, "pressure opened the way");
    report.control(
        "N-29",
        logged.iter().any(|line| line == "after 200"),
        format!("nothing worked afterwards: {logged:?}"),
    );
    report.held(
        "N-29",
        peak.is_some_and(|peak| peak < MOST_MEMORY),
        format!("the supervising process took {peak:?} MiB"),
    );
}

/// The most that a process has had in memory so far, in MiB. It is looked at after a while.
fn peak_memory(process: &str) -> Option<u64> {
    thread::sleep(Duration::from_secs(2));
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? / 1024)
}
