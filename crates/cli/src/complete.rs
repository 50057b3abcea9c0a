//! Completion of run names and held calls from the store, of endpoints and secrets from the settings, and of rule ids.

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

fn profile() -> Option<types::profile::Profile> {
    let args = crate::args::SettingsArgs { profile: None, set: Vec::new() };
    crate::config::load(&args, None).ok().map(|resolved| resolved.profile)
}

/// Endpoints that the operator trusts.
pub(crate) fn endpoints() -> Vec<CompletionCandidate> {
    let entries = profile().map(|profile| profile.trust.endpoints).unwrap_or_default();
    let candidate = |entry: &types::trust::TrustEntry| {
        CompletionCandidate::new(entry.endpoint()).help(Some(engine::entry_line(entry).into()))
    };
    entries.iter().map(candidate).collect()
}

/// Names of the operator's secrets.
pub(crate) fn secrets() -> Vec<CompletionCandidate> {
    let secrets = profile().map(|profile| profile.secrets).unwrap_or_default();
    secrets.keys().map(|name| CompletionCandidate::new(name.as_str())).collect()
}

/// Ids of built-in rules.
pub(crate) fn rules() -> Vec<CompletionCandidate> {
    RuleId::ALL
        .into_iter()
        .map(|id| CompletionCandidate::new(id.as_str()).help(Some(if id.is_hard() { "hard" } else { "soft" }.into())))
        .collect()
}
