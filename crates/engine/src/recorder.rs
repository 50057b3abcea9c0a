//! Events out of the engine: to whoever shows them and to `events.jsonl`. The engine prints nothing.

use crate::{
    journal::{Journal, JournalError},
    redact,
};
use jiff::Timestamp;
use std::{
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};
use tokio::sync::mpsc::UnboundedSender;
use types::{
    event::{Event, EventRecord, Phase},
    id::RunId,
    result::Timing,
};

/// Where events go.
#[derive(Debug)]
pub(crate) struct Recorder {
    run: RunId,
    started: Instant,
    journal: Journal,
    sender: UnboundedSender<EventRecord>,
    timings: Mutex<Vec<Timing>>,
    /// An event was not written, and that was told.
    is_torn: AtomicBool,
}

impl Recorder {
    /// Appends to the journal at `path` and sends to `sender`; times are counted from `started`.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub(crate) fn open(
        run: &RunId,
        path: &Path,
        started: Instant,
        sender: UnboundedSender<EventRecord>,
    ) -> Result<Self, JournalError> {
        let journal = Journal::plain(path)?;
        Ok(Self {
            run: run.clone(),
            started,
            journal,
            sender,
            timings: Mutex::default(),
            is_torn: AtomicBool::new(false),
        })
    }

    /// Something happened. A journal or reporter that is gone changes nothing: events are a view, not the record that
    /// decisions rest on.
    pub(crate) fn emit(&self, event: Event) {
        let record = EventRecord { at: Timestamp::now(), run: self.run.clone(), event };
        // Whoever listens gets what is written.
        let record = match redact::record(record) {
            Ok(record) => record,
            Err(error) => return tracing::warn!(%error, "an event was left out"),
        };
        if let Err(error) = self.journal.append(&record)
            && !self.is_torn.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "an event was not written, and perhaps not those after it");
        }
        let _ = self.sender.send(record);
    }

    /// The attempt entered a phase.
    pub(crate) fn phase(&self, phase: Phase, detail: impl Into<String>) {
        self.emit(Event::Phase { phase, detail: detail.into() });
    }

    /// A step of provisioning ended; it began at `since`.
    pub(crate) fn step(&self, name: &str, since: Instant) {
        let micros = |span: std::time::Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let (at_micros, micros) = (micros(self.started.elapsed()), micros(since.elapsed()));
        self.timings.lock().unwrap_or_else(PoisonError::into_inner).push(Timing {
            step: name.to_owned(),
            at_micros,
            micros,
        });
        self.emit(Event::Step { name: name.to_owned(), at_micros, micros });
    }

    /// The steps so far.
    pub(crate) fn timings(&self) -> Vec<Timing> {
        self.timings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
