//! What the script answers in the classifier's place. That a request is the classifier's is known from where it comes from: the
//! host asks it, and nothing from inside can.

use super::{Script, failure, render, typed, whole};
use crate::model::{answer::Answer, question::Question};
use bytes::Bytes;
use futures::stream;
use hyper::{
    StatusCode,
    header::{HeaderValue, RETRY_AFTER},
};
use serde_json::{Value, json};
use std::{io, sync::PoisonError, time::Duration};
use types::replay::{ApiError, ClassifierAnswer, ClassifierTurn, Step};

/// How long a stalled answer does not come.
const STALL: Duration = Duration::from_secs(600);

impl Script {
    /// True when the script speaks for the classifier.
    pub(crate) fn has_classifier(&self) -> bool {
        !self.replay.classifier.is_empty()
    }

    /// The classifier's answer.
    pub(crate) async fn classify(&self, question: &Question) -> Answer {
        let Some(turn) = self.take(question) else {
            return failure(&ApiError {
                status: 500,
                kind: "api_error".to_owned(),
                message: "the script has no answer about this call".to_owned(),
                retry_after: None,
            });
        };
        let said = |content: Value, stop: &str| {
            let usage = render::usage(question.body.len(), content.to_string().len() as u64 / 4 + 1);
            let message = json!({
                "id": "msg_replay_gate", "type": "message", "role": "assistant", "model": question.model,
                "content": content, "stop_reason": stop, "stop_sequence": null, "usage": usage,
            });
            whole(StatusCode::OK, message.to_string())
        };
        let text = |text: &str, stop: &str| said(json!([{"type": "text", "text": text}]), stop);
        match (&turn.answer, question.step) {
            (ClassifierAnswer::Allow, Step::Fast | Step::Full) => text("allow", "end_turn"),
            (ClassifierAnswer::Facts(_), Step::Fast) => text("flag", "end_turn"),
            (ClassifierAnswer::Facts(facts), Step::Full) => match tool(&question.body) {
                Some(name) => {
                    said(json!([{"type": "tool_use", "id": "toolu_gate", "name": name, "input": facts}]), "tool_use")
                }
                None => text(&facts.to_string(), "end_turn"),
            },
            (ClassifierAnswer::Text(words), Step::Fast | Step::Full) => text(words, "end_turn"),
            (ClassifierAnswer::Garbage, Step::Fast | Step::Full) => {
                let bytes = Bytes::from_static(b"\x00\xff<html>allow</html>{\"risk\":\"none\"");
                let body = stream::iter([Ok::<_, io::Error>(bytes)]);
                Answer { status: StatusCode::OK, headers: typed("application/json"), body: Box::pin(body) }
            }
            (ClassifierAnswer::Stall, Step::Fast | Step::Full) => {
                tokio::time::sleep(STALL).await;
                text("flag", "end_turn")
            }
            (ClassifierAnswer::Refuse, Step::Fast | Step::Full) => text("I cannot help with this.", "refusal"),
            (ClassifierAnswer::Error(error), Step::Fast | Step::Full) => {
                let mut answer = failure(error);
                if let Some(seconds) = error.retry_after {
                    answer.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
                }
                answer
            }
        }
    }

    /// The first entry that fits and has an answer left.
    fn take(&self, question: &Question) -> Option<&ClassifierTurn> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let (index, turn) = self.replay.classifier.iter().enumerate().find(|(index, turn)| {
            question.about.contains(&turn.contains)
                && turn.step.is_none_or(|step| step == question.step)
                && turn.model.as_ref().is_none_or(|model| *model == question.model)
                && turn.times.is_none_or(|times| given.get(index).copied().unwrap_or(0) < times)
        })?;
        *given.entry(index).or_default() += 1;
        Some(turn)
    }
}

/// The tool that the request demands.
fn tool(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.pointer("/tool_choice/name")?.as_str().map(str::to_owned)
}
