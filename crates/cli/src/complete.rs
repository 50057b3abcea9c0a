//! Completion of run names and held calls from the store, and of rule ids.

use clap_complete::engine::CompletionCandidate;
use types::catalogue::RuleId;

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

/// Ids of built-in rules.
pub(crate) fn rules() -> Vec<CompletionCandidate> {
    RuleId::ALL
        .into_iter()
        .map(|id| CompletionCandidate::new(id.as_str()).help(Some(if id.is_hard() { "hard" } else { "soft" }.into())))
        .collect()
}
