//! The whole way from a container: a program inside, the guest, the channel, the egress, the endpoint.

use crate::series::Report;
use std::fs;
use system_tests::User;
use system_tests::origin::{NAMES, Origin};

/// Name of the figure.
pub(crate) const THROUGHPUT: &str = "egress, from a container: 256 MiB";
const FIRST: &str = "egress, from a container: first byte";

/// One run whose setup downloads and says how long it took.
pub(crate) fn measure(report: &mut Report, origin: &Origin, rounds: usize) {
    let user = User::new();
    let url = |size: usize| format!("https://{}/{size}", NAMES[0]);
    let curl =
        |size: usize, what: &str| format!("curl -sS --insecure -o /dev/null -w '{size} %{{{what}}}\\n' {}", url(size));
    let small = format!("for n in $(seq {}); do {}; done", 10 * rounds, curl(1024, "time_starttransfer"));
    let large = format!("for n in $(seq {}); do {}; done", rounds.div_ceil(4), curl(256 << 20, "time_total"));
    let setup = serde_json::json!([small, large]);
    let task = user.task(&format!("---\nsetup: {setup}\n---\nSay that you are done.\n"));
    let conversation = user.conversation(&[]);
    let endpoint = format!("trust.endpoints=[{{endpoint=\"{}\", address=\"{}\"}}]", NAMES[0], origin.address);
    let ran = user.run_task(&task, &conversation, &["--set", &endpoint]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for (log, name) in [("setup/1.log", FIRST), ("setup/2.log", THROUGHPUT)] {
        let text = fs::read_to_string(user.attempt().join(log)).expect(log);
        for line in text.lines() {
            let (size, seconds) = line.split_once(' ').expect("a figure");
            let (size, seconds): (f64, f64) = (size.parse().expect("a size"), seconds.parse().expect("seconds"));
            if name == FIRST {
                report.time(name, std::time::Duration::from_secs_f64(seconds));
            } else {
                report.rate(name, size / 1e6 / seconds);
            }
        }
    }
}
