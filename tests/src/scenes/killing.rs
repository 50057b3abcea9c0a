//! The `sandbox` process killed with SIGKILL, and started again.

use crate::{
    Started, User,
    aftermath::{OPEN_GATE, bash, step},
    is_event,
};
use std::{fs, path::PathBuf};

/// A task whose result proves that each step ran once.
const TASK: &str = "---\nsetup: [\"test -e README.md\"]\nverify: [\"sort log.txt | uniq -c | grep -vq '^ *1 ' && exit 1; wc -l < log.txt | grep -qx 4\"]\n---\nWrite a log.";
const STEPS: [&str; 4] = ["one", "two", "three", "four"];

/// A user with a task of four steps, of which the second takes a while.
pub struct Scene {
    /// The user.
    pub user: User,
    /// The task's file.
    pub task: PathBuf,
    /// The conversation's file.
    pub conversation: PathBuf,
}

impl Scene {
    /// The scene for a user who has no run yet.
    #[must_use]
    pub fn new(user: User) -> Self {
        let task = user.task(TASK);
        let [one, two, three, four] = STEPS;
        let slow = bash(&format!("echo {two} >> log.txt; sleep 2"));
        let conversation = user.conversation(&[step(one), slow, step(three), step(four)]);
        Self { user, task, conversation }
    }

    /// Starts the run.
    #[must_use]
    pub fn start(&self) -> Started {
        self.user.start_task(&self.task, &self.conversation, &OPEN_GATE)
    }

    /// Goes on with it.
    #[must_use]
    pub fn resume(&self) -> Started {
        self.user.start(&["resume", "--format", "jsonl"])
    }

    /// Checks that the run passed with every step done once.
    ///
    /// # Panics
    /// When it did not.
    pub fn assert_passed(&self) {
        let result = self.user.assert_ended("passed", &STEPS);
        assert_eq!(result["verify"]["passed"], true, "{result:#}");
        assert_eq!(result["gate"]["allowed"], 4, "{result:#}");
        assert_eq!(result["gate"]["bypassed"], 0, "{result:#}");
        assert_eq!(result["summary"], "Done.", "{result:#}");
    }
}

/// Kills a run before anything is made, with the container created, in setup, while the agent works, and twice after that; from
/// the harvest on it needs no model. Gives the exit codes of those that were killed.
///
/// # Panics
/// When something is lost, done twice or left.
#[must_use]
pub fn at_every_stage(user: User) -> Vec<i32> {
    let mut codes = Vec::new();
    let scene = Scene::new(user);
    let first = scene.start();
    let _ = first.wait_for("launch", |event| is_event(event, "launch"));
    codes.push(kill(first));
    let second = scene.start();
    let _ = second.wait_for("create", |event| is_event(event, "step") && event["name"] == "create");
    codes.push(kill(second));
    let third = scene.resume();
    third.wait_for_phase("setup");
    codes.push(kill(third));
    let fourth = scene.resume();
    fourth.wait_for_call(1);
    scene.user.wait_for_line("two");
    codes.push(kill(fourth));
    let fifth = scene.resume();
    fifth.wait_for_phase("harvesting");
    codes.push(kill(fifth));
    fs::remove_file(&scene.conversation).expect("remove");
    let sixth = scene.resume();
    sixth.wait_for_phase("verifying");
    codes.push(kill(sixth));
    let seventh = scene.resume();
    seventh.wait_for_phase("verifying");
    scene.user.wait_for_result();
    codes.push(kill(seventh));
    // It may have cleaned up and closed the run before it was killed.
    let last = scene.resume().finish();
    assert!([0, 4].contains(&last.code), "{last:#?}");
    scene.assert_passed();
    codes
}

/// What stands for the exit code of a process that a signal has ended.
pub const KILLED: i32 = -1;

fn kill(started: Started) -> i32 {
    started.signal("KILL");
    started.finish().code
}
