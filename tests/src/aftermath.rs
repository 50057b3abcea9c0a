//! What a run leaves, as the tests of failures look at it: its work, its records, and nothing in the engine.

use crate::{Started, User, is_event};
use serde_json::{Value, json};
use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// Switches the gate off, for tests that are not about it.
pub const OPEN_GATE: [&str; 2] = ["--set", "gate.mode=allow-all"];

/// A scripted shell command.
#[must_use]
pub fn bash(command: &str) -> Vec<(&'static str, Value)> {
    vec![("Bash", json!({"command": command, "description": "a step"}))]
}

/// A scripted shell command that leaves a line in `log.txt`, so that it shows when it runs twice or not at all.
#[must_use]
pub fn step(line: &str) -> Vec<(&'static str, Value)> {
    bash(&format!("echo {line} >> log.txt"))
}

/// The same, and then it does not end by itself.
#[must_use]
pub fn endless_step(line: &str) -> Vec<(&'static str, Value)> {
    bash(&format!("echo {line} >> log.txt; sleep 100"))
}

impl User {
    /// The same user with a task file; `../task.md` names it from the repository.
    #[must_use]
    pub fn with_task(self, text: &str) -> Self {
        let _ = self.task(text);
        self
    }

    /// The id of the only run.
    ///
    /// # Panics
    /// When there is not exactly one.
    #[must_use]
    pub fn run_id(&self) -> String {
        let task = self.attempt();
        let run = task.ancestors().nth(4).and_then(|dir| dir.file_name()).expect("run");
        run.to_string_lossy().into_owned()
    }

    /// Name of the container in which the agent of the only run works.
    #[must_use]
    pub fn agent_container(&self) -> String {
        format!("sandbox-{}-1-agent", self.run_id())
    }

    /// Waits until the agent's command has written a line into `log.txt`, at most a minute.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_for_line(&self, line: &str) {
        let container = self.agent_container();
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            let found = ["exec", "--user", "1000", &container, "grep", "-qx", line, "/workspace/log.txt"];
            if self.docker(&found).output().expect("docker").status.success() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("no line {line} in log.txt");
    }

    /// The lines that are in `log.txt` now, in the agent's container.
    ///
    /// # Panics
    /// When the engine does not answer.
    #[must_use]
    pub fn logged_inside(&self) -> Vec<String> {
        let show = ["exec", "--user", "1000", &self.agent_container(), "cat", "/workspace/log.txt"];
        let output = self.docker(&show).output().expect("docker");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    /// Waits until the result of the only attempt is written, at most a minute.
    ///
    /// # Panics
    /// When it is not.
    pub fn wait_for_result(&self) {
        let path = self.attempt().join("result.json");
        let end = Instant::now() + Duration::from_secs(60);
        while !path.exists() {
            assert!(Instant::now() < end, "no {}", path.display());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// A command of the container engine's own client, for the engine that this user's runs are in.
    #[must_use]
    pub fn docker(&self, args: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(args);
        if let Some(host) = self.variable("DOCKER_HOST") {
            command.env("DOCKER_HOST", host);
        }
        command
    }

    /// The lines that the patch of the only attempt adds to `log.txt`.
    ///
    /// # Panics
    /// When there is no patch.
    #[must_use]
    pub fn logged(&self) -> Vec<String> {
        let patch = fs::read_to_string(self.attempt().join("changes.patch")).expect("changes.patch");
        let of_log = patch.split("diff --git ").find(|part| part.starts_with("a/log.txt ")).unwrap_or_default();
        let added = of_log.lines().filter(|line| !line.starts_with("+++")).filter_map(|line| line.strip_prefix('+'));
        added.map(str::to_owned).collect()
    }

    /// Checks how the only run ended, that these lines and no others are in the harvested `log.txt`, that nothing is left to be
    /// resumed, and that the engine holds nothing of it.
    ///
    /// # Panics
    /// When one of this does not hold.
    pub fn assert_ended(&self, status: &str, logged: &[&str]) -> Value {
        let result = self.result();
        assert_eq!(result["status"], status, "{result:#}");
        assert_eq!(self.logged(), logged, "{result:#}");
        self.assert_nothing_is_left();
        result
    }

    /// Names of containers and volumes of the only run in this user's engine.
    ///
    /// # Panics
    /// When the engine does not answer.
    #[must_use]
    pub fn left_in_engine(&self) -> Vec<String> {
        let filter = format!("label=sandbox.run={}", self.run_id());
        let containers = ["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"];
        let volumes = ["volume", "ls", "--filter", &filter, "--format", "{{.Name}}"];
        let mut names = Vec::new();
        for list in [containers.as_slice(), volumes.as_slice()] {
            let output = self.docker(list).output().expect("docker");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            names.extend(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned));
        }
        names
    }

    /// Checks that the engine holds nothing of the only run and that there is nothing to resume.
    ///
    /// # Panics
    /// When there is.
    pub fn assert_nothing_is_left(&self) {
        assert_eq!(self.left_in_engine(), Vec::<String>::new());
        let swept = self.run(&["gc", "--json"]).expect_code(0).stdout;
        assert!(!swept.contains(&self.run_id()) && swept.contains("\"kept\":[]"), "{swept}");
        let _ = self.run(&["resume"]).expect_code(4);
    }
}

impl Started {
    /// Waits until the gate has answered the call of a scripted turn (from zero), so that the turns before it are done.
    pub fn wait_for_call(&self, turn: usize) {
        let id = format!("toolu_replay_{turn}_0");
        let _ = self.wait_for(&id, |event| is_event(event, "gate") && event["call"]["id"] == id.as_str());
    }

    /// Kills the process, which can do nothing about it, and waits until it is gone.
    ///
    /// # Panics
    /// When `kill` fails.
    pub fn kill(self) {
        self.signal("KILL");
        let _ = self.finish();
    }

    /// Sends SIGINT as a terminal does for Ctrl-C: to the process and to everything that it started.
    ///
    /// # Panics
    /// When `kill` fails.
    pub fn press_ctrl_c(&self) {
        let group = format!("-{}", self.id());
        assert!(Command::new("kill").args(["-s", "INT", "--", &group]).status().expect("kill").success());
    }

    /// Waits until a program that the process started runs, by a word of its command line; at most a minute.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_for_child(&self, word: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while !children(self.id()).iter().any(|command| command.contains(word)) {
            assert!(Instant::now() < end, "no {word} under {}", self.id());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until the process has said something on stderr, at most a minute.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_for_words(&self, words: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.stderr().contains(words) {
            assert!(Instant::now() < end, "no `{words}` in: {}", self.stderr());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the attempt enters a phase.
    pub fn wait_for_phase(&self, phase: &str) {
        let _ = self.wait_for(phase, |event| is_event(event, "phase") && event["phase"] == phase);
    }
}

/// Command lines of a process's children.
fn children(parent: u32) -> Vec<String> {
    let parent = format!("PPid:\t{parent}\n");
    let processes = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok).map(|entry| entry.path());
    let own = processes.filter(|path| fs::read_to_string(path.join("status")).is_ok_and(|text| text.contains(&parent)));
    own.filter_map(|path| fs::read(path.join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .collect()
}
