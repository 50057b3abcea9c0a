//! Answers to the rows of a corpus in their order, while a model is asked about several rows at a time.

use super::test::Tested;
use crate::RowClassifier;
use gate::{
    World,
    classifier::Classifier,
    corpus::{Case, CaseRecord},
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::task::JoinSet;
use types::verdict::Verdict;

/// Rows that a model is asked about at the same time.
const MAX_ASKED: usize = 8;
/// Rows that wait for the answer to an earlier one.
const MAX_WAITING: usize = 1024;

/// A row that was judged.
struct Row {
    case: Case,
    /// None while a model is asked.
    verdict: Option<Verdict>,
    /// Bytes read when it was.
    bytes: u64,
}

/// The answers of a test.
pub(super) struct Answers<'a> {
    classifier: Option<Arc<RowClassifier>>,
    each: &'a mut (dyn FnMut(&CaseRecord, u64) + Send),
    asked: JoinSet<(u64, Verdict)>,
    waiting: BTreeMap<u64, Row>,
    rows: u64,
    tested: Tested,
}

impl<'a> Answers<'a> {
    /// `each` gets every answer in order.
    pub(super) fn new(classifier: Option<RowClassifier>, each: &'a mut (dyn FnMut(&CaseRecord, u64) + Send)) -> Self {
        let classifier = classifier.map(Arc::new);
        Self { classifier, each, asked: JoinSet::new(), waiting: BTreeMap::new(), rows: 0, tested: Tested::default() }
    }

    /// Takes the verdict of the deterministic stages on the next row; what they left open goes to the model.
    pub(super) async fn take(&mut self, case: Case, world: World, verdict: Verdict, bytes: u64) {
        let row = self.rows;
        self.rows += 1;
        let model = self.classifier.as_ref().filter(|_| Classifier::is_asked(&verdict)).map(Arc::clone);
        let verdict = match model {
            None => Some(verdict),
            Some(model) => {
                let (task, call) = (case.task.clone().unwrap_or_default(), case.call.clone());
                self.asked.spawn(async move { (row, model.judge(&task, world, &call, verdict).await) });
                None
            }
        };
        self.waiting.insert(row, Row { case, verdict, bytes });
        self.give();
        let room = if self.waiting.len() < MAX_WAITING { MAX_ASKED } else { 0 };
        self.settle(room).await;
    }

    /// Waits for every answer that is open.
    pub(super) async fn finish(mut self) -> Tested {
        self.settle(0).await;
        self.tested
    }

    /// Waits until no more than `room` rows are asked about.
    async fn settle(&mut self, room: usize) {
        while self.asked.len() > room {
            // A task that panicked leaves its row without a judgement, which is a denial.
            if let Some(Ok((row, verdict))) = self.asked.join_next().await
                && let Some(row) = self.waiting.get_mut(&row)
            {
                row.verdict = Some(verdict);
            }
            self.give();
        }
        if self.asked.is_empty() {
            for row in self.waiting.values_mut().filter(|row| row.verdict.is_none()) {
                row.verdict = Some(Verdict::unavailable("asking the model failed"));
            }
            self.give();
        }
    }

    /// Gives the answers that no earlier row holds up.
    fn give(&mut self) {
        while let Some(entry) = self.waiting.first_entry().filter(|entry| entry.get().verdict.is_some()) {
            let Row { case, verdict, bytes } = entry.remove();
            let Some(verdict) = verdict else { continue };
            if let Some(model) = &verdict.model {
                self.tested.asked += 1;
                self.tested.usd += model.usd;
            }
            let record = CaseRecord::new(&case, &verdict);
            self.tested.table.add(&case, &record);
            (self.each)(&record, bytes);
        }
    }
}
