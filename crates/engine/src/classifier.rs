//! Asks a model about the calls that no rule and no floor settles. What is asked and what an answer means is decided in
//! [`gate::classifier`]; here are the tries, the waits and the bill.
//!
//! What must stay true: every path ends in a verdict, and every path but a judgement ends in
//! [`Verdict::unavailable`]; a call waits for `gate.classifier.patience` at most.

mod bill;
mod breaker;
mod rows;
mod tries;

pub use rows::RowClassifier;

use bill::Bill;
use breaker::{Breaker, Leave};
use egress::{AskError, Egress, Question};
use gate::classifier::{Case, Prose};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};
use tries::{Next, Tries};
use types::{
    profile::{AutoMode, ClassifierProfile, Dialect, GateMode, Profile},
    replay::Step,
    verdict::Verdict,
};

/// Answers about one call that may hold no facts before there is no judgement of it.
const MAX_ANSWERS: u32 = 2;

/// Who is asked, and how patiently. Clones share the breaker.
#[derive(Clone)]
pub(crate) struct Asker {
    egress: Egress,
    dialect: Dialect,
    /// The model, and the fallback where there is one.
    models: Arc<[String]>,
    timeout: Duration,
    patience: Duration,
    breaker: Arc<Mutex<Breaker>>,
}

/// Why there is no judgement, one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unavailable(String);

impl Asker {
    /// Asks over `egress`, as the profile says.
    pub(crate) fn new(profile: &ClassifierProfile, egress: Egress) -> Self {
        let fallback = Some(&profile.fallback_model).filter(|name| !name.is_empty());
        Self {
            egress,
            // The agent's own endpoint and scripts speak the Messages API.
            dialect: if profile.url.is_empty() { Dialect::Messages } else { profile.kind },
            models: std::iter::once(&profile.model).chain(fallback).cloned().collect(),
            timeout: profile.timeout.duration(),
            patience: profile.patience.duration(),
            breaker: Arc::default(),
        }
    }

    /// Judges a call. The verdict is final but for a person's answer; it says what asking took.
    pub(crate) async fn judge(&self, case: Case) -> Verdict {
        let began = Instant::now();
        let mut bill = Bill::new(&self.models[0]);
        let settled = timeout(self.patience, self.settle(&case, &mut bill)).await;
        let mut verdict = match settled {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(Unavailable(why))) => unavailable(&case, &why),
            Err(_) => unavailable(&case, &format!("no answer within {} s", self.patience.as_secs())),
        };
        verdict.model = Some(bill.total(began.elapsed()));
        verdict
    }

    async fn settle(&self, case: &Case, bill: &mut Bill) -> Result<Verdict, Unavailable> {
        let mut tries = Tries::new(self.models.len());
        if case.first_step() == Step::Fast {
            let body = self.answer(case, Step::Fast, &mut tries, bill).await?;
            if let Some(verdict) = case.fast(self.dialect, &body) {
                return Ok(verdict);
            }
        }
        let mut why = None;
        for _ in 0..MAX_ANSWERS {
            let body = self.answer(case, Step::Full, &mut tries, bill).await?;
            match case.full(self.dialect, &body) {
                Ok(verdict) => return Ok(verdict),
                Err(no_answer) => {
                    tries.take_the_other_model();
                    why = Some(no_answer);
                }
            }
        }
        Err(Unavailable(why.map_or_else(String::new, |no_answer| no_answer.to_string())))
    }

    /// The body of an answer, after as many tries as there are.
    async fn answer(
        &self,
        case: &Case,
        step: Step,
        tries: &mut Tries,
        bill: &mut Bill,
    ) -> Result<Vec<u8>, Unavailable> {
        loop {
            self.leave().await;
            let model = &self.models[tries.model()];
            let (why, next) = match self.ask(case, model, step, bill).await {
                Ok(body) => {
                    self.breaker().succeeded();
                    return Ok(body);
                }
                Err(Failed::Final(why)) => {
                    self.breaker().abandoned();
                    return Err(Unavailable(why));
                }
                Err(Failed::Passing { why, retry_after }) => (why, Next::Later(retry_after)),
                Err(Failed::OfTheModel(why)) => (why, Next::OtherModel),
            };
            self.breaker().failed(Instant::now());
            match tries.failed(next, fastrand::f64()) {
                Some(pause) => sleep(pause).await,
                None => return Err(Unavailable(why)),
            }
        }
    }

    /// Waits until the breaker lets a request through.
    async fn leave(&self) {
        loop {
            let leave = self.breaker().leave(Instant::now());
            match leave {
                Leave::Go => return,
                Leave::Wait(span) => sleep(span).await,
            }
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, case: &Case, model: &str, step: Step, bill: &mut Bill) -> Result<Vec<u8>, Failed> {
        bill.asked(model);
        let question = Question {
            dialect: self.dialect,
            model: model.to_owned(),
            body: case.request(self.dialect, model, step).to_string().into_bytes(),
            step,
            about: case.call().input.to_string(),
        };
        let passing = |why: String| Failed::Passing { why, retry_after: None };
        match timeout(self.timeout, self.egress.ask(question)).await {
            Err(_) => Err(passing(format!("no answer within {} s", self.timeout.as_secs()))),
            Ok(Err(AskError::NoAnswer(why))) => Err(passing(why)),
            Ok(Err(error @ (AskError::NoModel | AskError::Limit(_)))) => Err(Failed::Final(error.to_string())),
            Ok(Ok(reply)) if reply.status == 200 => {
                bill.answered(&reply.usage);
                Ok(reply.body.to_vec())
            }
            Ok(Ok(reply)) => {
                let why = format!("the endpoint answers {}{}", reply.status, said(&reply.body));
                match reply.status {
                    408 | 425 | 429 | 500..=599 => Err(Failed::Passing { why, retry_after: reply.retry_after }),
                    _ => Err(Failed::OfTheModel(why)),
                }
            }
        }
    }
}

/// The endpoint's own words about an error, cut.
fn said(body: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let message = value.pointer("/error/message").and_then(serde_json::Value::as_str).filter(|text| !text.is_empty());
    message.map(|text| format!(": {}", types::text::printable(text, 120))).unwrap_or_default()
}

/// Why a request brought no answer.
enum Failed {
    /// Another try may bring one.
    Passing { why: String, retry_after: Option<Duration> },
    /// Another model may bring one.
    OfTheModel(String),
    /// Nothing will.
    Final(String),
}

fn unavailable(case: &Case, why: &str) -> Verdict {
    let facts = case.undecided().facts.clone();
    Verdict { facts, micros: case.undecided().micros, ..Verdict::unavailable(types::text::printable(why, 200)) }
}

/// True when the profile wants a model to be asked.
pub(crate) fn is_wanted(profile: &Profile) -> bool {
    let gate = &profile.gate;
    gate.classifier.enabled && gate.mode == GateMode::Enforce && gate.auto_mode == AutoMode::Enabled
}

/// The operator's lists.
pub(crate) fn prose(profile: &ClassifierProfile) -> Prose {
    Prose {
        environment: profile.environment.clone(),
        allow: profile.allow.clone(),
        soft_deny: profile.soft_deny.clone(),
        hard_deny: profile.hard_deny.clone(),
    }
}

/// A random mark for the fences of one question.
pub(crate) fn mark() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests;
