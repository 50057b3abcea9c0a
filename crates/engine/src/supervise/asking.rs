//! Calls about which a model is being asked. The agent's other messages, the limits and the signals go on meanwhile.

use crate::judge::Opinion;
use agents::RequestId;
use std::time::Instant;
use tokio::task::{Id, JoinSet};
use types::{call::ToolCall, verdict::Verdict};

/// A call that waits for the classifier.
pub(super) struct Asked {
    pub(super) request: RequestId,
    pub(super) call: ToolCall,
    /// When the agent asked for it.
    pub(super) since: Instant,
}

/// The open questions of a session; they end with it.
#[derive(Default)]
pub(super) struct Asking {
    tasks: JoinSet<Verdict>,
    open: Vec<(Id, Asked)>,
}

impl Asking {
    /// True when no one is asked.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// True when this request waits for an answer.
    pub(super) fn waits_for(&self, request: &RequestId) -> bool {
        self.open.iter().any(|(_, asked)| asked.request == *request)
    }

    /// Begins to ask.
    pub(super) fn begin(&mut self, asked: Asked, opinion: Opinion) {
        let id = self.tasks.spawn(opinion).id();
        self.open.push((id, asked));
    }

    /// The next answer; one that cannot come is a denial without a judgement. None when no one is asked. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<(Asked, Verdict)> {
        let (id, verdict) = match self.tasks.join_next_with_id().await? {
            Ok(done) => done,
            Err(error) => (error.id(), Verdict::unavailable("the classifier failed on this call")),
        };
        let at = self.open.iter().position(|(open, _)| *open == id)?;
        Some((self.open.swap_remove(at).1, verdict))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{
        id::CallId,
        verdict::{Decision, Stage},
    };

    fn asked(name: &str) -> Asked {
        let call = ToolCall {
            id: CallId(name.into()),
            tool: "Bash".into(),
            input: serde_json::json!({}),
            cwd: "/workspace".into(),
            subagent: None,
        };
        Asked { request: RequestId::new(name).expect("id"), call, since: Instant::now() }
    }

    #[tokio::test]
    async fn answers_come_in_their_own_order_and_a_panic_denies() {
        let mut asking = Asking::default();
        let (word, heard) = tokio::sync::oneshot::channel::<()>();
        asking.begin(
            asked("slow"),
            Box::pin(async move {
                let _ = heard.await;
                Verdict { decision: Decision::Allow, stage: Stage::ClassifierFast, ..Verdict::unavailable("") }
            }),
        );
        asking.begin(asked("bad"), Box::pin(async { panic!("planted") }));
        let (first, verdict) = asking.next().await.expect("first");
        assert_eq!(
            (first.call.id.0.as_str(), verdict.decision, verdict.stage),
            ("bad", Decision::Deny, Stage::FailClosed)
        );
        assert!(asking.waits_for(&RequestId::new("slow").expect("id")) && !asking.is_empty());
        word.send(()).expect("sent");
        let (second, verdict) = asking.next().await.expect("second");
        assert_eq!((second.call.id.0.as_str(), verdict.decision), ("slow", Decision::Allow));
        assert!(asking.next().await.is_none() && asking.is_empty());
    }
}
