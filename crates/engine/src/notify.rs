//! Telling the operator that a call waits: a command on the host and a webhook, as the profile says.
//!
//! What must stay true: both have a deadline; a failure is told and changes nothing; what the agent wrote reaches the command as
//! values of variables, escaped, and never as a part of its text; the operator's secrets are taken out of it.

use crate::{outcome::chain, recorder::Recorder, redact};
use serde::Serialize;
use std::{process::Stdio, time::Duration};
use tokio::{process::Command, task::JoinSet, time::timeout};
use types::{call::ToolCall, event::Event, id::RunId, profile::NotifyProfile, text::printable};

/// Time for each way.
const DEADLINE: Duration = Duration::from_secs(20);
/// Ways under way at the same time; beyond it none is begun, because those before have told already.
const MAX_UNDER_WAY: usize = 16;

/// What the operator is told.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Notice {
    run: String,
    ask: String,
    call: String,
    reason: String,
    /// All of it in one line, under the name that chat services show.
    text: String,
}

impl Notice {
    /// A notice of a new question.
    pub(crate) fn new(run: &RunId, ask: &str, call: &ToolCall, reason: &str) -> Self {
        // Before anything is cut, or half a secret would be left.
        let call = redact::record(call.clone())
            .map_or_else(|_| "a call that cannot be shown".to_owned(), |call| call.summary(400));
        let reason = printable(&redact::text(reason), 400);
        let text = format!(
            "{} waits for you: {call} ({reason}). sandbox approve {ask}, or sandbox deny {ask} --reason '…'",
            run.words()
        );
        Self { run: run.to_string(), ask: ask.to_owned(), call, reason, text }
    }
}

/// The notices of one process.
#[derive(Debug)]
pub(crate) struct Notices {
    profile: NotifyProfile,
    under_way: JoinSet<Result<(), String>>,
}

impl Notices {
    /// Nothing told yet.
    pub(crate) fn new(profile: &NotifyProfile) -> Self {
        Self { profile: profile.clone(), under_way: JoinSet::new() }
    }

    /// Begins to tell.
    pub(crate) fn send(&mut self, notice: &Notice) {
        if self.under_way.len() >= MAX_UNDER_WAY {
            return;
        }
        let NotifyProfile { command, webhook } = self.profile.clone();
        if !command.trim().is_empty() {
            self.under_way.spawn(run(command, notice.clone()));
        }
        if !webhook.trim().is_empty() {
            self.under_way.spawn(post(webhook, notice.clone()));
        }
    }

    /// Reports what went wrong with those that have ended.
    pub(crate) fn report(&mut self, recorder: &Recorder) {
        while let Some(ended) = self.under_way.try_join_next() {
            told(recorder, ended.unwrap_or_else(|error| Err(error.to_string())));
        }
    }

    /// Waits for the rest; each has its deadline.
    pub(crate) async fn finish(&mut self, recorder: &Recorder) {
        while let Some(ended) = self.under_way.join_next().await {
            told(recorder, ended.unwrap_or_else(|error| Err(error.to_string())));
        }
    }
}

fn told(recorder: &Recorder, ended: Result<(), String>) {
    if let Err(reason) = ended {
        recorder.emit(Event::Notice { text: printable(&reason, 300) });
    }
}

async fn run(command: String, notice: Notice) -> Result<(), String> {
    let mut child = Command::new("/bin/sh")
        .args(["-c", &command])
        .env("SANDBOX_RUN", &notice.run)
        .env("SANDBOX_ASK", &notice.ask)
        .env("SANDBOX_CALL", &notice.call)
        .env("SANDBOX_REASON", &notice.reason)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("notify.command cannot be started: {error}"))?;
    match timeout(DEADLINE, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("notify.command ended with {status}")),
        Ok(Err(error)) => Err(format!("notify.command: {error}")),
        Err(_) => Err(format!("notify.command did not end within {} s", DEADLINE.as_secs())),
    }
}

async fn post(webhook: String, notice: Notice) -> Result<(), String> {
    let url = url::Url::parse(&webhook).map_err(|_| "notify.webhook is not a URL".to_owned())?;
    let body = serde_json::to_vec(&notice).map_err(|error| format!("notify.webhook: {error}"))?;
    egress::post_json(&url, body, DEADLINE).await.map_err(|error| format!("notify.webhook: {}", chain(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, time::Instant};
    use tokio::sync::mpsc;
    use types::{event::EventRecord, id::CallId};

    fn notice() -> Notice {
        let input = serde_json::json!({"command": "echo \"$(touch pwned)\" '; touch pwned; \u{1b}[2J"});
        let call = ToolCall { id: CallId("c".into()), tool: "Bash".into(), input, cwd: "/w".into(), subagent: None };
        Notice::new(&RunId::mint(1, 1), "a3f", &call, "be\u{7}cause")
    }

    /// Sends the notice by these ways; gives what was reported.
    async fn sent(dir: &std::path::Path, command: &str, webhook: &str) -> Vec<String> {
        let (sender, mut events) = mpsc::unbounded_channel::<EventRecord>();
        let recorder =
            Recorder::open(&RunId::mint(1, 1), &dir.join("events.jsonl"), Instant::now(), sender).expect("recorder");
        let mut notices = Notices::new(&NotifyProfile { command: command.into(), webhook: webhook.into() });
        notices.send(&notice());
        notices.finish(&recorder).await;
        let mut out = Vec::new();
        while let Ok(record) = events.try_recv() {
            if let Event::Notice { text } = record.event {
                out.push(text);
            }
        }
        out
    }

    #[test]
    fn no_secret_is_told_also_where_the_text_is_cut() {
        let secret = "sk-notice-0123456789abcdef";
        redact::learn(&types::secret::Secret::new(secret));
        for before in 0..420 {
            let input = serde_json::json!({"command": format!("{} {secret}", "a".repeat(before))});
            let call =
                ToolCall { id: CallId("c".into()), tool: "Bash".into(), input, cwd: "/w".into(), subagent: None };
            let reason = format!("{} {secret}", "b".repeat(before));
            let notice = Notice::new(&RunId::mint(1, 1), "a3f", &call, &reason);
            let told = serde_json::to_string(&notice).expect("json");
            assert!(!told.contains("sk-not"), "{before}: {told}");
            assert!(before > 300 || told.matches("[redacted by sandbox]").count() == 4, "{before}: {told}");
        }
    }

    #[tokio::test]
    async fn the_command_gets_the_question_as_values() {
        let dir = tempfile::tempdir().expect("dir");
        let out = dir.path().join("out");
        let command = format!(
            "cd {} && printf '%s\\n' \"$SANDBOX_ASK\" \"$SANDBOX_CALL\" \"$SANDBOX_REASON\" > out",
            dir.path().display()
        );
        assert_eq!(sent(dir.path(), &command, "").await, Vec::<String>::new());
        let told = fs::read_to_string(out).expect("out");
        assert!(told.starts_with("a3f\nBash echo \"$(touch pwned)\"") && !told.contains(['\u{1b}', '\u{7}']), "{told}");
        assert!(!dir.path().join("pwned").exists());
    }

    #[tokio::test]
    async fn failures_are_told_without_the_webhook_and_end_nothing() {
        let dir = tempfile::tempdir().expect("dir");
        let mut told = sent(dir.path(), "exit 3", "http://127.0.0.1:1/secret-token").await;
        told.sort();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("notify.command ended with exit status: 3"), "{told:?}");
        assert!(told[1].starts_with("notify.webhook: ") && !told[1].contains("secret-token"), "{told:?}");
        assert_eq!(sent(dir.path(), "", "").await, Vec::<String>::new());
    }
}
