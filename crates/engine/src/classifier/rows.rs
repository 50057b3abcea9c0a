//! The classifier outside of a run: for `sandbox gate test --classifier`, which judges rows of a corpus with it.

use super::{Asker, mark, prose};
use crate::{error::EngineError, outlet, redact};
use egress::{Config, Deaf, Egress, Keys, Limits};
use gate::{World, classifier::Classifier};
use std::{path::Path, sync::Arc};
use types::{
    call::ToolCall,
    profile::{ClassifierProfile, Profile},
    verdict::Verdict,
};

/// The operator's classifier for single calls. Its requests are paid for with the profile's credential, up to
/// `limits.max-budget-usd`; each verdict says what it took.
pub struct RowClassifier {
    asker: Asker,
    profile: ClassifierProfile,
}

impl RowClassifier {
    /// Finds endpoint and credential as a run would; `replay` is a scripted conversation whose `classifier` answers instead.
    ///
    /// # Errors
    /// [`EngineError`]: no credential, or settings that the egress refuses.
    pub fn new(profile: &Profile, replay: Option<&Path>) -> Result<Self, EngineError> {
        let backend = outlet::backend(profile, replay)?;
        let model = outlet::model(profile, backend)?;
        let egress = Egress::new(Config {
            routes: Vec::new(),
            keys: Keys::default(),
            model: Some(model),
            limits: Limits::default(),
            sink: Arc::new(Deaf),
            secrets: redact::known(),
        })?;
        Ok(Self { asker: Asker::new(&profile.gate.classifier, egress), profile: profile.gate.classifier.clone() })
    }

    /// Judges a call that the deterministic stages left with `undecided`, as the first call of a run with this task. A verdict that
    /// is not open is given back as it is. Takes `gate.classifier.patience` at most, and never fails but closed.
    pub async fn judge(&self, task: &str, world: World, call: &ToolCall, undecided: Verdict) -> Verdict {
        if !Classifier::is_asked(&undecided) {
            return undecided;
        }
        let classifier = Classifier::new(&prose(&self.profile), task, world);
        self.asker.judge(classifier.case(call, undecided, &mark())).await
    }
}
