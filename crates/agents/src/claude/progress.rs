//! Whether the agent has finished. A result line alone does not say so: background commands and subagents bring further turns,
//! and closing standard input too early makes their next tool fail while the run still reports success.

use super::line::{BackgroundTasks, text_of};
use crate::event::AgentEvent;
use std::{collections::BTreeMap, time::Duration};
use types::id::CallId;

/// Silence after the last result that means the end. Follow-up turns began within 0.2 s of the task's end.
const QUIET: Duration = Duration::from_secs(2);
/// The same after a background task has ended, because a turn about it is likely to begin.
const QUIET_AFTER_TASK: Duration = Duration::from_secs(10);
/// Background tasks that are told apart, at most.
const MAX_TASKS: usize = 1000;

/// Something that runs beside the turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Background {
    /// The agent's id for it.
    pub task: String,
    /// What it does, not escaped.
    pub description: String,
}

/// How far the session is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    has_result: bool,
    is_turn_open: bool,
    is_task_done: bool,
    running: BTreeMap<String, String>,
}

impl Progress {
    /// The model or a tool is at work.
    pub(super) fn turn_began(&mut self) {
        self.is_turn_open = true;
    }

    /// A result was reported.
    pub(super) fn turn_ended(&mut self) {
        self.has_result = true;
        self.is_turn_open = false;
        self.is_task_done = false;
    }

    /// The list of what runs beside the turns has changed.
    pub(super) fn background_is(&mut self, now: &BackgroundTasks<'_>, events: &mut Vec<AgentEvent>) {
        let now: BTreeMap<String, String> =
            now.tasks.iter().take(MAX_TASKS).map(|task| (task.task_id.clone(), text_of(task.description))).collect();
        for task in self.running.keys().filter(|task| !now.contains_key(*task)) {
            self.is_task_done = true;
            events.push(AgentEvent::BackgroundEnded { task: task.clone() });
        }
        for (task, description) in now.iter().filter(|(task, _)| !self.running.contains_key(*task)) {
            let (task, description) = (task.clone(), description.clone());
            events.push(AgentEvent::BackgroundStarted { task, description });
        }
        self.running = now;
    }

    /// What runs beside the turns.
    pub(super) fn background(&self) -> Vec<Background> {
        let of = |(task, description): (&String, &String)| Background {
            task: task.clone(),
            description: description.clone(),
        };
        self.running.iter().map(of).collect()
    }

    /// True when a result was reported and no turn is open.
    pub(super) fn is_between_turns(&self) -> bool {
        self.has_result && !self.is_turn_open
    }

    /// The silence after which the agent has finished; none while something is at work.
    pub(super) fn quiet_after(&self) -> Option<Duration> {
        let is_still = self.is_between_turns() && self.running.is_empty();
        is_still.then_some(if self.is_task_done { QUIET_AFTER_TASK } else { QUIET })
    }
}

/// A call id as the protocol has it.
pub(super) fn call_id(text: Option<String>) -> Option<CallId> {
    let text = text?;
    let good = !text.is_empty() && text.len() <= 200 && text.bytes().all(|b| b.is_ascii_graphic());
    good.then_some(CallId(text))
}
