//! Forges on the command line: looking is free, changing what others see is not.

use super::infra::question;
use crate::effect::{Effect, Finding};
use types::catalogue::RuleId;

pub(super) fn effects(verbs: &[&str], words: &[&str]) -> Vec<Effect> {
    let outward = || {
        vec![
            Finding::refused(
                RuleId::ExternalWrite,
                "changes something on the forge",
                "leave it to a person; the host takes the work out",
            )
            .into(),
        ]
    };
    match (verbs.first().copied().unwrap_or_default(), verbs.get(1).copied().unwrap_or_default()) {
        ("auth", "status") if words.iter().any(|word| matches!(*word, "-t" | "--show-token")) => vec![
            Finding::refused(
                RuleId::CredentialAccess,
                "shows or changes the forge's credentials",
                "work without the credential",
            )
            .into(),
        ],
        ("auth", "status") | ("", _) | ("version" | "help" | "status" | "search" | "browse" | "completion", _) => {
            Vec::new()
        }
        ("auth", _) => vec![
            Finding::refused(
                RuleId::CredentialAccess,
                "shows or changes the forge's credentials",
                "work without the credential",
            )
            .into(),
        ],
        ("secret" | "ssh-key" | "gpg-key" | "variable", verb) if verb != "list" => outward(),
        (_, "list" | "view" | "diff" | "status" | "checks" | "watch" | "download" | "ls" | "show") => Vec::new(),
        ("repo", "delete" | "edit" | "archive" | "create" | "rename" | "fork" | "sync")
        | ("release", _)
        | ("workflow", "run" | "enable" | "disable")
        | ("gist", _)
        | ("pr" | "mr", "merge" | "close")
        | ("run", "rerun" | "cancel" | "delete")
        | ("pr" | "mr", "review" | "approve")
        | ("ruleset", "delete" | "create" | "edit")
        | ("issue", "delete" | "transfer") => outward(),
        ("api", _) => {
            let writes = words
                .iter()
                .any(|word| matches!(*word, "-X" | "--method" | "-f" | "-F" | "--field" | "--raw-field" | "--input"));
            let deletes = words.iter().any(|word| matches!(word.to_ascii_uppercase().as_str(), "DELETE" | "-XDELETE"));
            let steers = verbs.iter().any(|word| {
                ["collaborators", "protection", "visibility", "hooks", "keys", "secrets", "rulesets", "merge"]
                    .iter()
                    .any(|part| word.contains(part))
            });
            if deletes || (writes && steers) {
                return outward();
            }
            let get = words.windows(2).any(|pair| matches!(pair[0], "-X" | "--method") && pair[1] == "GET");
            if writes && !get { question(RuleId::ExternalWrite, "may write to the forge") } else { Vec::new() }
        }
        _ => question(RuleId::ExternalWrite, "changes something on the forge"),
    }
}
