//! No secret inside (invariant 4), and none in what a run leaves. Each search also has to find a decoy that lies where it looks.

use base64::Engine as _;
use serde_json::json;
use std::{collections::BTreeSet, fs, path::Path, process::Command};
use system_tests::{
    User,
    docker::docker,
    left_in_engine,
    sentinel::{DECOY, KEY, PATTERN, files_below, on_disk, secrets_in, spelled_in},
    upstream::{Answer, Upstream},
};

const PROMPT: &str = "Look around, says the prompt of this test.";

/// Checks that no file of the user's state and cache holds a secret; the prompt, which is stored, shows that the search works.
fn assert_nothing_on_disk(user: &User) {
    let found = on_disk(user, PROMPT);
    assert!(found.secrets.is_empty(), "{found:?}");
    assert!(found.has_control, "the prompt lies in the state directory");
}

/// A user whose environment and repository are full of secrets that no run may see.
fn careless_user() -> User {
    User::new().careless()
}

fn upstream_at(upstream: &Upstream) -> String {
    format!("model.upstream=http://{}", upstream.address)
}

/// What a search from inside printed: nothing but the decoy, which it found in each of `places`.
fn assert_search_is_clean(whose: &str, text: &str, places: &[&str]) {
    assert!(text.trim_end().ends_with("searched"), "{whose}: the search came to its end:\n{text}");
    assert_eq!(secrets_in(text.as_bytes()), BTreeSet::new(), "{whose}:\n{text}");
    for place in places {
        let is_found = text.lines().any(|line| line.starts_with(place) && line.ends_with(DECOY));
        assert!(is_found, "{whose}: the decoy in {place}:\n{text}");
    }
    let has = |line: &str| text.lines().any(|found| found == line);
    assert!(
        has("remote origin\thttps://git.test/acme/app.git (fetch)"),
        "{whose}: the remote without its user:\n{text}"
    );
    assert!(!text.contains("dotenv ") && !text.contains("stash "), "{whose}:\n{text}");
    assert!(!text.contains("ref other") && !text.contains("elsewhere"), "{whose}:\n{text}");
    for variable in ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "SSH_AUTH_SOCK", "SANDBOX_LOG", "XDG_STATE_HOME"] {
        assert!(!has(&format!("variable {variable}")), "{whose}: {variable}");
    }
}

/// What the engine tells about a run's containers, volumes and images.
fn told_by_engine(run: &str) -> String {
    let left = left_in_engine(run);
    assert!(!left.is_empty(), "the run's containers are there");
    let mut told: String = left.iter().map(|name| docker(&["inspect", name])).collect();
    assert!(told.contains(run), "{told}");
    for image in ["sandbox/base", "sandbox/claude:2.1.329"] {
        told.push_str(&docker(&["inspect", image]));
        told.push_str(&docker(&["history", "--no-trunc", image]));
    }
    told
}

/// Searches a running container as root, from a helper that shares its processes and volumes: what the agent could not read is
/// read here.
fn search_as_root(container: &str) -> String {
    let (pid, volumes) = (format!("--pid=container:{container}"), format!("--volumes-from={container}"));
    let engine = ["run", "--rm", &pid, &volumes, "--network=none", "--user=0"];
    let rights = ["--cap-add=SYS_PTRACE", "--cap-add=DAC_READ_SEARCH", "--security-opt=seccomp=unconfined"];
    // The files are the agent's, which git would not take from a user that is not.
    let git = ["COUNT=1", "KEY_0=safe.directory", "VALUE_0=*"].map(|setting| format!("--env=GIT_CONFIG_{setting}"));
    let command = ["sandbox/base", "sh", "/workspace/search.sh", "/proc/1/root"];
    let git = git.iter().map(String::as_str);
    docker(&engine.into_iter().chain(rights).chain(git).chain(command).collect::<Vec<_>>())
}

/// The command lines of all processes of this host.
fn command_lines() -> String {
    let processes = fs::read_dir("/proc").expect("proc").flatten();
    let line = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok()).map(line).collect()
}

#[test]
fn no_secret_is_inside_and_none_is_left_behind() {
    let user = careless_user();
    let search = json!({"command": "sh search.sh > findings.txt 2>&1", "description": "Search"});
    let script = vec![
        Answer::Call("The key is {key}, isn't it?".to_owned(), "Bash", search),
        Answer::Text("It was {key}.".to_owned()),
    ];
    let upstream = Upstream::start(script, Some(1));
    let task = user.task(&format!("---\nverify: ['sh search.sh']\n---\n{PROMPT}\n"));
    let (task, at) = (task.display().to_string(), upstream_at(&upstream));
    let args = ["run", &task, "--format", "jsonl", "--set", "gate.mode=allow-all", "--set", &at];
    let started = user.start(&args);

    // The agent has searched and waits for the model; everything of the run is there to be looked at.
    upstream.wait_until_held();
    let run = user.attempt().ancestors().nth(4).and_then(Path::file_name).expect("run").to_string_lossy().into_owned();
    assert_eq!(secrets_in(told_by_engine(&run).as_bytes()), BTreeSet::new());
    let lines = command_lines();
    assert!(lines.contains(&task) && !lines.contains(KEY), "{lines}");
    let filter = format!("label=sandbox.run={run}");
    let container = docker(&["ps", "--quiet", "--filter", &filter]);
    let by_root = search_as_root(container.trim());
    let places = ["environ of /proc/", "object: "];
    assert_search_is_clean("root", &by_root, &places);
    assert_search_is_clean("root", &by_root, &["file /proc/1/root/workspace/decoy.txt:", "memory of "]);
    for read in ["read environ of 1", "read memory of 1"] {
        assert!(by_root.lines().any(|line| line == read), "{read}:\n{by_root}");
    }
    upstream.release();
    let ran = started.finish().expect_code(0);

    // The key went out, and nothing else that identifies.
    let received = upstream.received();
    assert!(received.len() >= 2, "{received:#?}");
    for request in &received {
        assert_eq!(request.headers.get("x-api-key").map(String::as_str), Some(KEY));
        assert!(!request.headers.contains_key("authorization"));
        let all = format!("{:?} {}", request.headers, request.body);
        assert!(!all.contains("sandbox-placeholder"), "{all}");
        assert_eq!(secrets_in(request.body.to_string().as_bytes()), BTreeSet::new());
    }

    // The agent and the proof found nothing, and what was reflected did not come back.
    let _ = user.run(&["apply", &run]).expect_code(0);
    let by_agent = user.git(&["show", &format!("sandbox/{run}:findings.txt")]);
    assert_search_is_clean("agent", &by_agent, &places);
    assert_search_is_clean("agent", &by_agent, &["file /workspace/decoy.txt:"]);
    let by_verify = fs::read_to_string(user.attempt().join("verify/1.log")).expect("log");
    assert_search_is_clean("verify", &by_verify, &places);
    let records = user.journal("egress.jsonl");
    let cleaned = records
        .iter()
        .filter_map(|record| record["reason"].as_str())
        .filter(|reason| reason.contains("a secret of the operator"));
    assert_eq!(cleaned.count(), 2, "{records:#?}");
    let transcript = fs::read_to_string(user.attempt().join("transcript.jsonl")).expect("transcript");
    assert!(transcript.contains("The key is [redacted by sandbox], isn't it?"), "what was reflected did not come back");

    // Nor does it lie in what the run leaves or says, with every detail logged.
    assert!(ran.stderr.contains("TRACE"), "{}", ran.stderr);
    assert_eq!(secrets_in(ran.stdout.as_bytes()), BTreeSet::new());
    assert_eq!(secrets_in(ran.stderr.as_bytes()), BTreeSet::new());
    for command in [vec!["show", &run], vec!["logs", &run], vec!["diff", &run], vec!["config", "show"], vec!["doctor"]]
    {
        let said = user.run(&command);
        assert!(!said.stdout.is_empty(), "{command:?}");
        assert_eq!(secrets_in(format!("{}{}", said.stdout, said.stderr).as_bytes()), BTreeSet::new(), "{command:?}");
    }
    assert_nothing_on_disk(&user);
}

/// The operator's own key lies in the repository: the agent reads it and spells it in other ways. It is the work's, and stays in it;
/// what the run writes down about the work is without it.
#[test]
fn a_key_that_is_in_the_repository_is_not_in_what_is_written_about_it() {
    let user = User::new().with_env("ANTHROPIC_API_KEY", KEY).with_env("SANDBOX_LOG", "trace");
    user.write("leaked.env", &format!("{DECOY}\nANTHROPIC_API_KEY={KEY}\n"));
    user.write("spell.sh", "cat leaked.env\nbase64 -w 0 leaked.env; echo\nxxd -p leaked.env | tr -d '\\n'; echo\n");
    user.commit("a mistake");
    let spell = json!({"command": "sh spell.sh; od -An -tx1 leaked.env | tr -d ' \\n' | sed 's/../%&/g'", "description": "Look"});
    let script = vec![
        Answer::Call("I look.".to_owned(), "Bash", spell),
        Answer::Call(
            "The key is {key64}.".to_owned(),
            "Bash",
            json!({"command": format!("echo {KEY} | wc -c"), "description": "Count"}),
        ),
        Answer::Text("It is {keyhex}, or {keyurl}.".to_owned()),
    ];
    let upstream = Upstream::start(script, None);
    let front = "setup: ['sh spell.sh']\nverify: ['sh spell.sh; sleep 0.1; printf sk-ant-api03-; sleep 0.1; printf Zq7-key-4c1e90']";
    let task = user.task(&format!("---\n{front}\n---\n{PROMPT}\n")).display().to_string();
    let at = upstream_at(&upstream);
    let args = ["run", &task, "--format", "jsonl", "--set", "gate.mode=allow-all", "--set", &at];
    // The task holds the key in two halves, which are none.
    let ran = user.run(&args).expect_code(0);
    let attempt = user.attempt();
    let mut looked_at = BTreeSet::new();
    for path in files_below(&user.home().join("state")) {
        let name = path.strip_prefix(&attempt).unwrap_or(&path).display().to_string();
        // The work itself, and the tree that it came to.
        if ["git/", "changes.", "result.tar"].iter().any(|work| name.starts_with(work)) {
            continue;
        }
        let bytes = fs::read(&path).expect("read");
        let is_whole = |bytes: &[u8]| bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes());
        assert!(!is_whole(&bytes), "{name}:\n{}", String::from_utf8_lossy(&bytes));
        assert_eq!(spelled_in(KEY, &bytes), BTreeSet::new(), "{name}");
        if bytes.windows(DECOY.len()).any(|window| window == DECOY.as_bytes()) {
            looked_at.insert(name);
        }
    }
    for name in ["transcript.jsonl", "calls.jsonl", "setup/1.log", "verify/1.log"] {
        assert!(looked_at.contains(name), "the decoy beside the key is in {name}: {looked_at:?}");
    }
    for said in [&ran.stdout, &ran.stderr] {
        assert!(!said.contains(KEY) && spelled_in(KEY, said.as_bytes()).is_empty(), "{said}");
    }
    let records = user.journal("gate.jsonl");
    assert!(
        records.iter().any(|record| record["call"]["input"]["command"] == "echo [redacted by sandbox] | wc -c"),
        "{records:#?}"
    );
    assert!(user.run(&["audit", "verify", &user.run_id()]).code == 0, "the chains hold");
    let log = fs::read_to_string(attempt.join("verify/1.log")).expect("log");
    assert!(log.ends_with(&"*".repeat(KEY.len())), "{log}");
}

#[test]
fn a_task_that_holds_the_key_is_refused_before_anything_is_made() {
    let user = User::new().with_env("ANTHROPIC_API_KEY", KEY);
    let task = user.task(&format!("Use the key {KEY}.")).display().to_string();
    let upstream = Upstream::start(vec![Answer::Text("Done.".to_owned())], None);
    let at = upstream_at(&upstream);
    let ran = user.run(&["run", &task, "--set", &at]).expect_code(2);
    assert!(ran.stderr.contains("holds the operator's credential") && !ran.stderr.contains(KEY), "{}", ran.stderr);
    assert!(!user.home().join("state/sandbox/runs").read_dir().is_ok_and(|mut runs| runs.next().is_some()));
    // The control: the same without the key is carried out.
    let other = user.task("Use the key.").display().to_string();
    let _ = user.run(&["run", &other, "--set", &at]).expect_code(0);
}

#[test]
fn an_endpoint_that_quotes_the_token_in_an_error_does_not_show_it() {
    let token = "sk-ant-oat01-Zq7-token-4c1e90";
    let user = careless_user().with_env("TOKEN", token);
    let upstream = Upstream::start(vec![Answer::Error(400, "bad request with {key}".to_owned())], None);
    let task = user.task(&format!("{PROMPT}\n")).display().to_string();
    let at = upstream_at(&upstream);
    let oauth = "model.credentials=[\"oauth env:TOKEN\"]";
    let ran = user.run(&["run", &task, "--format", "jsonl", "--set", &at, "--set", oauth]);
    assert_ne!(ran.code, 0);
    let received = upstream.received();
    assert!(!received.is_empty());
    for request in received {
        assert_eq!(request.headers.get("authorization"), Some(&format!("Bearer {token}")));
        assert!(!request.headers.contains_key("x-api-key"));
    }
    assert_eq!(secrets_in(format!("{}{}", ran.stdout, ran.stderr).as_bytes()), BTreeSet::new());
    let transcript = fs::read_to_string(user.attempt().join("transcript.jsonl")).expect("transcript");
    assert!(transcript.contains("bad request with [redacted by sandbox]"), "{transcript}");
    assert_nothing_on_disk(&user);
}

#[test]
fn a_credential_that_cannot_be_used_is_not_shown() {
    let user = User::new().with_env("SANDBOX_LOG", "trace").with_env("RUST_BACKTRACE", "1");
    let task = user.task(&format!("{PROMPT}\n")).display().to_string();
    let key = user.file("key", "Zq7-file-4c1e90\n\u{1}");
    let (file, printed) = (format!("file:{}", key.display()), format!("command:cat {}; exit 3", key.display()));
    let source = |source: &str| format!("model.credentials=[\"api-key {source}\"]");
    let upstream = |url: &str| format!("model.upstream={url}");
    let nowhere = upstream("http://127.0.0.1:9");
    for settings in [
        [source(&file), nowhere.clone()],
        [source(&printed), nowhere],
        [source("env:PATH"), upstream("http://user:Zq7-password-4c1e90@127.0.0.1:9")],
        [source("env:PATH"), upstream("http://127.0.0.1:9/?key=Zq7-query-4c1e90")],
    ] {
        let ran = user.run(&["run", &task, "--set", &settings[0], "--set", &settings[1]]);
        assert_ne!(ran.code, 0, "{settings:?}");
        assert!(!ran.stderr.is_empty(), "{settings:?}");
        assert_eq!(secrets_in(format!("{}{}", ran.stdout, ran.stderr).as_bytes()), BTreeSet::new(), "{settings:?}");
        for path in files_below(&user.home().join("state")) {
            assert_eq!(secrets_in(&fs::read(&path).expect("read")), BTreeSet::new(), "{settings:?} {}", path.display());
        }
    }
    let shown = user.run(&["config", "show", "--set", "model.upstream=http://user:Zq7-shown-4c1e90@a.test"]);
    assert!(shown.stdout.contains("a.test"), "{}", shown.stdout);
    assert_eq!(secrets_in(shown.stdout.as_bytes()), BTreeSet::new());
}

#[test]
fn the_search_finds_what_it_looks_for() {
    use base64::engine::general_purpose::STANDARD;
    let hex: String = KEY.bytes().map(|byte| format!("{byte:02X}")).collect();
    let percent: String = KEY.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let mut spelled = vec![hex, percent];
    spelled.extend(["", "a", "ab", "abc"].map(|before| STANDARD.encode(format!("{before}{KEY}\n"))));
    for text in &spelled {
        assert_eq!(spelled_in(KEY, format!("x {text} y").as_bytes()).len(), 1, "{text}");
    }
    assert!(spelled_in(KEY, STANDARD.encode(DECOY).as_bytes()).is_empty());
    let found = |text: &str| secrets_in(text.as_bytes()).into_iter().collect::<Vec<_>>();
    assert_eq!(found(&format!("a {KEY}b Zq7-x-4c1e9 {DECOY} {PATTERN}")), ["Zq7-key-4c1e90"]);
    let user = careless_user();
    let grep = Command::new("grep").args(["-rsahoE", PATTERN]).arg(user.repository()).output().expect("grep");
    let raw = String::from_utf8_lossy(&grep.stdout).into_owned();
    for secret in ["dotenv", "unstaged", "remote", "header"] {
        assert!(raw.contains(&format!("Zq7-{secret}-4c1e90")), "{raw}");
    }
    let objects = user.git(&["cat-file", "--batch-all-objects", "--batch"]);
    for secret in ["undone", "branch", "stash", "decoy"] {
        assert!(objects.contains(&format!("Zq7-{secret}-4c1e90")), "{secret}");
    }
}
