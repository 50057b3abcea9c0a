//! What a run leaves, as the tests of failures look at it: its work, its records, and nothing in the engine.

use crate::{Started, User, is_event, left_in_engine};
use serde_json::{Value, json};
use std::{fs, process::Command};

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

    /// Checks that the engine holds nothing of the only run and that there is nothing to resume.
    ///
    /// # Panics
    /// When there is.
    pub fn assert_nothing_is_left(&self) {
        assert_eq!(left_in_engine(&self.run_id()), Vec::<String>::new());
        let swept = self.run(&["gc", "--json"]).expect_code(0).stdout;
        let swept: Value = serde_json::from_str(&swept).expect("json");
        assert_eq!((&swept["removed"], &swept["kept"]), (&json!([]), &json!([])));
        let _ = self.run(&["resume"]).expect_code(4);
    }
}

impl Started {
    /// Waits until the gate has answered the call of a scripted turn (from zero), so that the turns before it are done.
    pub fn wait_for_call(&self, turn: usize) {
        let id = format!("toolu_replay_{turn}_0");
        let _ = self.wait_for(&id, |event| is_event(event, "gate") && event["call"]["id"] == id.as_str());
    }

    /// Waits until the attempt enters a phase.
    pub fn wait_for_phase(&self, phase: &str) {
        let _ = self.wait_for(phase, |event| is_event(event, "phase") && event["phase"] == phase);
    }
}

/// Runs a command of the container engine.
///
/// # Panics
/// When it fails.
pub fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().expect("docker");
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}
