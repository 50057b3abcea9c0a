//! How often, with which model and after which pause a question is asked again. Pure: chance is the caller's.

use std::time::Duration;

/// Tries for one call, both steps together.
const MAX: u32 = 8;
/// Failures of the first model before the other one is asked.
const FIRST: u32 = 3;
/// The first pause; each further one is twice as long, up to the longest.
const BASE: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);
/// An endpoint that asks for a longer pause than this is not waited for while there is another model.
const LONG: Duration = Duration::from_secs(10);

/// What a failure asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask again, after the pause that the endpoint named.
    Later(Option<Duration>),
    /// This model is not to be had.
    OtherModel,
}

/// The tries for one call.
#[derive(Debug)]
pub(super) struct Tries {
    models: usize,
    model: usize,
    failures: u32,
    of_this_model: u32,
    /// One of the models is not to be had.
    is_one_out: bool,
}

impl Tries {
    /// Before the first one; `models` is at least 1.
    pub(super) fn new(models: usize) -> Self {
        Self { models, model: 0, failures: 0, of_this_model: 0, is_one_out: false }
    }

    /// The model to ask now.
    pub(super) fn model(&self) -> usize {
        self.model
    }

    /// The next question goes to the other model, if there is one.
    pub(super) fn take_the_other_model(&mut self) {
        if self.is_one_out {
            return;
        }
        self.model = (self.model + 1) % self.models;
        self.of_this_model = 0;
    }

    /// The pause before the next try, or none when there is to be no other. `chance` is in 0..1.
    pub(super) fn failed(&mut self, next: Next, chance: f64) -> Option<Duration> {
        self.failures += 1;
        self.of_this_model += 1;
        if self.failures >= MAX {
            return None;
        }
        let has_other = self.models > 1 && !self.is_one_out;
        let doubled = BASE.saturating_mul(1 << (self.of_this_model - 1).min(5)).min(LONGEST);
        // Between half and one and a half, so that many who failed together do not come back together.
        let jittered = doubled.mul_f64(0.5 + chance);
        match next {
            Next::OtherModel if has_other => {
                self.take_the_other_model();
                self.is_one_out = true;
                Some(Duration::ZERO)
            }
            Next::OtherModel => None,
            Next::Later(Some(asked)) if has_other && asked > LONG => {
                self.take_the_other_model();
                Some(jittered)
            }
            Next::Later(asked) => {
                if has_other && self.of_this_model >= FIRST {
                    self.take_the_other_model();
                }
                Some(asked.unwrap_or_default().max(jittered))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(span: Option<Duration>) -> Option<f64> {
        span.map(|span| span.as_secs_f64())
    }

    #[test]
    fn first_the_model_then_the_fallback_then_no_more() {
        let mut tries = Tries::new(2);
        let mut models = Vec::new();
        let mut pauses = Vec::new();
        loop {
            models.push(tries.model());
            match tries.failed(Next::Later(None), 0.5) {
                Some(pause) => pauses.push(pause.as_secs_f64()),
                None => break,
            }
        }
        assert_eq!(models, [0, 0, 0, 1, 1, 1, 0, 0]);
        assert_eq!(pauses, [0.5, 1.0, 2.0, 0.5, 1.0, 2.0, 0.5]);
    }

    #[test]
    fn the_endpoint_s_word_counts_unless_it_is_long() {
        let mut tries = Tries::new(2);
        assert_eq!(seconds(tries.failed(Next::Later(Some(Duration::from_secs(4))), 0.0)), Some(4.0));
        assert_eq!(tries.model(), 0);
        assert_eq!(seconds(tries.failed(Next::Later(Some(Duration::from_secs(300))), 0.0)), Some(0.5));
        assert_eq!(tries.model(), 1);
        let mut alone = Tries::new(1);
        assert_eq!(seconds(alone.failed(Next::Later(Some(Duration::from_secs(300))), 0.0)), Some(300.0));
    }

    #[test]
    fn a_model_that_is_not_to_be_had_is_asked_once() {
        let mut tries = Tries::new(2);
        assert_eq!(tries.failed(Next::OtherModel, 0.5), Some(Duration::ZERO));
        assert_eq!((tries.model(), tries.failed(Next::OtherModel, 0.5)), (1, None));
        let mut later = Tries::new(2);
        let _pause = later.failed(Next::Later(None), 0.5);
        assert_eq!(later.failed(Next::OtherModel, 0.5), Some(Duration::ZERO), "also after another failure");
        for _ in 0..4 {
            assert!(later.failed(Next::Later(None), 0.5).is_some());
            later.take_the_other_model();
            assert_eq!(later.model(), 1, "and it is not asked again");
        }
        assert_eq!(Tries::new(1).failed(Next::OtherModel, 0.5), None);
    }
}
