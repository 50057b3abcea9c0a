//! A run with the vendor's own kind of token.

use crate::{report::Report, stage::Stage};
use serde_json::json;
use std::sync::Arc;
use system_tests::{
    sentinel::{DECOY, PATTERN, on_disk, secrets_in},
    upstream::{Answer, Upstream},
};

const PROMPT: &str = "Look for a token.";

/// Looks everywhere, and shows that it finds what is there: the decoy in a file, in a command line and in an environment.
const SEARCH: &str = "(DECOY=$(cat decoy.txt) exec sleep 20) >/dev/null 2>&1 & (exec -a $(cat decoy.txt) sleep 20) >/dev/null 2>&1 & sleep 1; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -acE \"$(cat pattern)\" \
     | sed 's/^/found /' > found.txt; grep -rslE \"$(cat pattern)\" /home /tmp /workspace /etc /run 2>/dev/null >> found.txt; echo searched >> found.txt";

pub(super) fn oauth(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let token = format!("sk-ant-oat01-Zq7-{runtime}token-4c1e90");
    let user = stage.user(runtime).with_env("TOKEN", &token).with_env("REFRESH_TOKEN", "Zq7-refresh-4c1e90");
    user.write("pattern", &format!("{PATTERN}\n"));
    user.write("decoy.txt", &format!("{DECOY}\n"));
    user.commit("a pattern");
    let call = Answer::Call("Look.".to_owned(), "Bash", json!({"command": SEARCH, "description": "search"}));
    let upstream = Arc::new(Upstream::start(vec![call, Answer::Text("It was {key}.".to_owned())], None));
    stage.internet.welcome(&token, Arc::clone(&upstream));
    let task = user.task(&format!("{PROMPT}\n")).display().to_string();
    let credentials = "model.credentials=[\"oauth env:TOKEN\"]";
    let ran = user.run(&["run", &task, "--format", "jsonl", "--set", "gate.mode=allow-all", "--set", credentials]);
    report.held("C-13", ran.code == 0, format!("ended with {}: {}", ran.code, ran.stderr));
    let received = upstream.received();
    let bearer = format!("Bearer {token}");
    report.control("C-13", !received.is_empty(), "the vendor was not asked");
    let is_ours = received.iter().all(|request| request.headers.get("authorization") == Some(&bearer));
    report.held("C-13", is_ours, "another credential went out");
    let diff = user.run(&["diff", &user.run_id()]).stdout;
    report.control(
        "C-13",
        diff.contains("+/workspace/decoy.txt") && diff.contains("+searched"),
        "the search found not even the decoy",
    );
    let found: Vec<_> = diff.lines().filter(|line| line.starts_with("+/") && !line.ends_with("decoy.txt")).collect();
    report.held("C-13", found.is_empty(), format!("inside: {found:?}"));
    let in_processes: Vec<_> = diff.lines().filter_map(|line| line.strip_prefix("+found ")).collect();
    // Both decoys, and nothing else.
    report.control(
        "C-13",
        in_processes.iter().any(|count| *count >= "2"),
        "the search found not even the decoys' processes",
    );
    report.held("C-13", in_processes == ["2"], format!("processes have it: {in_processes:?}"));
    report.held("C-13", secrets_in(format!("{}{}", ran.stdout, ran.stderr).as_bytes()).is_empty(), "it was printed");
    let disk = on_disk(&user, PROMPT);
    report.held(
        "C-13",
        disk.secrets.iter().all(|(path, _)| path.ends_with("pattern")) && disk.has_control,
        format!("{disk:?}"),
    );
}
