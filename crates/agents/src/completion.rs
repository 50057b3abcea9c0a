//! Whether an agent really came to its end. Success is a complete terminal record, never just an exit code: a run can exit with
//! 0 while its last model answer still asked for a tool.

use crate::event::ResultLine;

/// What the end of an agent amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    /// Every turn ended by the model's own decision.
    Finished {
        /// The agent's last words, not escaped.
        text: String,
    },
    /// It stopped half way, crashed, or left no complete record.
    Truncated {
        /// One line.
        reason: String,
    },
    /// It saved its session over a call that the host has deferred; resumed, it asks about that call again.
    Deferred,
    /// It used up its turns.
    TurnLimit,
    /// It used up its own budget.
    BudgetLimit,
    /// The model endpoint refused the credential or the account behind it.
    Authentication {
        /// The agent's words.
        reason: String,
    },
    /// The model could not be reached, was overloaded or does not exist.
    ModelUnavailable {
        /// HTTP status; none when there was no answer.
        status: Option<u16>,
        /// The agent's words.
        reason: String,
    },
}

/// Judges every result of a run and how the process ended. The first result that is not clean decides, because later turns that
/// background work started do not mend it. `exit` is none when the host ended the process itself after the agent had finished.
#[must_use]
pub fn completion(results: &[ResultLine], exit: Option<i64>) -> Completion {
    let Some(last) = results.last() else {
        let how = exit.map_or_else(|| "was stopped".to_owned(), |code| format!("ended with exit code {code}"));
        return Completion::Truncated { reason: format!("the agent {how} without a result") };
    };
    if let Some(defect) = results.iter().find_map(defect) {
        return defect;
    }
    if last.is_deferred() {
        return Completion::Deferred;
    }
    match exit {
        None | Some(0) => Completion::Finished { text: last.text.clone() },
        Some(code) => {
            Completion::Truncated { reason: format!("the agent reported success but ended with exit code {code}") }
        }
    }
}

/// What keeps a result from being a complete one.
fn defect(result: &ResultLine) -> Option<Completion> {
    let said = types::text::printable(&result.text, 300);
    let terminal = result.terminal_reason.as_deref().unwrap_or("none");
    let stop = result.stop_reason.as_deref().unwrap_or("none");
    match result.subtype.as_str() {
        "error_max_turns" => return Some(Completion::TurnLimit),
        "error_max_budget_usd" => return Some(Completion::BudgetLimit),
        "success" if !result.is_error && terminal == "completed" && stop == "end_turn" => return None,
        _ if result.is_deferred() => return None,
        _ => {}
    }
    if !result.is_error {
        return Some(Completion::Truncated {
            reason: format!(
                "the agent's last turn is not complete (terminal reason {}, stop reason {})",
                types::text::printable(terminal, 40),
                types::text::printable(stop, 40)
            ),
        });
    }
    Some(match result.api_error_status {
        Some(401 | 403) => Completion::Authentication { reason: said },
        // The account is refused with a plain 400; the agent shortens it to these words.
        Some(400) if said.starts_with("Credit balance is too low") => Completion::Authentication { reason: said },
        status @ Some(404 | 408 | 429 | 500..) => Completion::ModelUnavailable { status, reason: said },
        None if result.api_error.as_deref() == Some("connection_failed") => {
            Completion::ModelUnavailable { status: None, reason: said }
        }
        None | Some(_) => Completion::Truncated { reason: if said.is_empty() { terminal.to_owned() } else { said } },
    })
}
