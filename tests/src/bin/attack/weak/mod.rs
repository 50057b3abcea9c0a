//! The same attempts without walls: a plain `docker run` on the default bridge, as root with the default capabilities, with the
//! checkout mounted, a credential in the environment, and an open proxy. It shows that the suite can fail.

mod neighbour;
mod proxy;

use crate::{
    case::{Case, Role, Step, Weak},
    judge::Evidence,
    plan::{Setting, command, findings},
    row::{Control, Outcome, Row},
    stage::Stage,
    table::API_SECRET,
};
use serde_json::json;
use std::{collections::BTreeMap, net::SocketAddr, path::Path, process::Command};
use system_tests::{
    User,
    docker::docker,
    guest_binary,
    internet::map::{BRIDGE, VENDOR},
    sentinel::{KEY, secrets_in},
};

pub(crate) use neighbour::Neighbour;

/// So many cases must come out broken.
pub(crate) const MUST_BREAK: usize = 40;
/// What the setup is called in the table.
const NAME: &str = "weak";

/// Makes every attempt without walls, and judges what came of it.
pub(crate) fn phase(stage: &Stage, cases: &[Case], controls: &[Step], deaf: &[&'static str]) -> Vec<Row> {
    let user = User::new();
    let setting = Setting {
        mark: NAME,
        home: user.home().display().to_string(),
        number: 987_000_000 + u64::from(std::process::id()),
        at: json!({"proxy": [BRIDGE.to_string(), 3128], "model": [BRIDGE.to_string(), 3129], "dns": ["11.0.0.53", 53]}),
        kernel: "linux",
    };
    let (cases, controls) = (setting.marked_cases(cases), setting.marked(controls.to_vec()));
    setting.write(&user, &stage.internet, &cases, &controls);
    user.commit("a probe");
    let user = user.careless();
    setting.give_remote(&user, &stage.internet);
    proxy::open(SocketAddr::from((BRIDGE, 3128)));
    proxy::pass_on(SocketAddr::from((BRIDGE, 3129)), SocketAddr::from((VENDOR, 80)));
    let before = stage.internet.hearing.all().len();
    let printed = plain_run(&user);
    let found = findings(&printed, Path::new("the container without walls"));
    let told = docker(&["inspect", "weak"]);
    let _ = docker(&["rm", "--force", "--volumes", "weak"]);
    let evidence = Evidence {
        findings: BTreeMap::from([(Role::Agent, found)]),
        heard: stage.internet.hearing.all().split_off(before),
        deaf: deaf.to_vec(),
        ..Evidence::default()
    };
    let is_told = !secrets_in(told.as_bytes()).is_empty();
    cases.iter().map(|case| row(case, &controls, &evidence, is_told)).collect()
}

/// The probe in a container as it is usually started. What it prints, whatever its exit code.
fn plain_run(user: &User) -> String {
    let proxy = format!("http://{BRIDGE}:3128");
    // What people hand in: the agent for their keys, and a secret.
    let (socket, secret) = (user.file("agent.socket", ""), user.file("token", "Zq7-mounted-4c1e90\n"));
    let mut run = Command::new("docker");
    run.args(["run", "--name", "weak", "--user", "0", "--workdir", "/workspace"])
        .args(["--volume", &format!("{}:/workspace", user.repository().display())])
        .args(["--volume", &format!("{}:/opt/sandbox/guest", guest_binary().display())])
        .args(["--volume", &format!("{}:/tmp/Zq7-agent-4c1e90", socket.display())])
        .args(["--volume", &format!("{}:/run/secrets/token", secret.display())])
        .args(["--env", &format!("ANTHROPIC_API_KEY={KEY}"), "--env", "GITHUB_TOKEN=Zq7-github-4c1e90"])
        .args(["--env", &format!("API_HANDLE={API_SECRET}")])
        .args(["--env", "SSH_AUTH_SOCK=/tmp/Zq7-agent-4c1e90", "--env", "NO_PROXY=127.0.0.1,localhost"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
        run.args(["--env", &format!("{name}={proxy}")]);
    }
    for name in ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"] {
        run.args(["--env", &format!("{name}=/workspace/ca.pem")]);
    }
    let output = run.args(["sandbox/base", "sh", "-c", &command(Role::Agent)]).output().expect("docker");
    assert!(output.status.success(), "the probe without walls: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Broken where an attempt demonstrably worked; that is what is hoped for here.
fn row(case: &Case, controls: &[Step], evidence: &Evidence, is_told: bool) -> Row {
    let worked = case.steps.iter().find(|step| evidence.is_broken(step)).map(|step| step.name.clone());
    // The engine's records are looked at from outside.
    let worked = worked.or_else(|| (case.id == "C-02" && is_told).then(|| "docker inspect".to_owned()));
    let missing = evidence.failed_controls(case, controls);
    let (outcome, told) = match (worked, case.weak) {
        (Some(name), _) => (Outcome::Broken, name),
        (None, Weak::NotMade(why)) => (Outcome::Skipped, why.to_owned()),
        (None, Weak::Holds(why)) => (Outcome::Held, why.to_owned()),
        (None, Weak::Broken) => (Outcome::Held, evidence.outcomes_of(case)),
    };
    let control = if missing.is_empty() { Control::Worked } else { Control::Failed };
    let reason = std::iter::once(told).chain(missing).collect::<Vec<_>>().join("; ");
    let unbroken = case.steps.iter().filter(|step| !evidence.is_broken(step)).map(|step| step.name.clone()).collect();
    Row { id: case.id, runtime: NAME, outcome, control, reason, millis: evidence.millis(case), unbroken }
}

/// What is not as it was expected to be without walls.
pub(crate) fn surprises(cases: &[Case], rows: &[Row]) -> Vec<String> {
    let as_expected = |case: &Case, row: &Row| match case.weak {
        Weak::Broken => row.outcome == Outcome::Broken && row.control == Control::Worked,
        Weak::Holds(_) => row.outcome == Outcome::Held && row.control == Control::Worked,
        Weak::NotMade(_) => row.outcome == Outcome::Skipped,
    };
    let odd = cases.iter().zip(rows).filter(|(case, row)| !as_expected(case, row));
    let odd =
        odd.map(|(case, row)| format!("{}: expected {:?}, is {:?}: {}", case.id, case.weak, row.outcome, row.reason));
    odd.chain(cases.iter().zip(rows).flat_map(|(case, row)| silent(case, row))).collect()
}

/// Attempts that failed although nothing holds them: they show nothing of the walls. A case that fails as a whole says itself why.
fn silent<'c>(case: &'c Case, row: &'c Row) -> impl Iterator<Item = String> {
    let steps = case.steps.iter().filter(|step| case.weak == Weak::Broken && step.holds_anyway.is_none());
    steps
        .filter(|step| row.unbroken.contains(&step.name))
        .map(|step| format!("{}: failed, and nothing holds it", step.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attempt_must_work_or_say_why_not() {
        let to = |name: &str| Step::new(name, json!({"act": "x"}), &["ENETUNREACH"], &[]).traced("evil", "mark");
        let case = Case::new("D-99", Weak::Broken)
            .step(to("one"))
            .step(to("two"))
            .step(to("three").holds_anyway("there is no such thing"));
        let surprises = |case: &Case, unbroken: &[&str]| {
            let unbroken = unbroken.iter().map(|name| (*name).to_owned()).collect();
            let (outcome, control, reason) = (Outcome::Broken, Control::Worked, String::new());
            let row = Row { id: "D-99", runtime: NAME, outcome, control, reason, millis: 1, unbroken };
            surprises(std::slice::from_ref(case), &[row])
        };
        assert_eq!(surprises(&case, &["D-99 three"]), Vec::<String>::new());
        assert_eq!(surprises(&case, &["D-99 two", "D-99 three"]), ["D-99 two: failed, and nothing holds it"]);
    }
}
