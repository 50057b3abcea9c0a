//! Completion of run names and held calls from the store.

use clap_complete::engine::CompletionCandidate;

fn open() -> Option<engine::Engine> {
    engine::Engine::open(crate::command::paths().ok()?, crate::guest::GUEST).ok()
}

/// Names of runs, newest first.
pub(crate) fn runs() -> Vec<CompletionCandidate> {
    let runs = open().and_then(|engine| engine.runs().ok()).unwrap_or_default();
    runs.into_iter()
        .map(|row| CompletionCandidate::new(row.attempt.run.words()).help(Some(row.attempt.task.into())))
        .collect()
}

/// Ids of calls that wait.
pub(crate) fn asks() -> Vec<CompletionCandidate> {
    let asks = open().and_then(|engine| engine.pending().ok()).unwrap_or_default();
    asks.into_iter().map(|ask| CompletionCandidate::new(&ask.id).help(Some(ask.call.summary(60).into()))).collect()
}
