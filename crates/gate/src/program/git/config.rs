//! Git's configuration: many settings run programs or move data later.

use crate::{
    args::Args,
    effect::{Effect, Finding},
    shell::Word,
};
use types::catalogue::RuleId;

/// Configuration that runs nothing.
#[rustfmt::skip]
const PLAIN_CONFIG: [&str; 16] = [
    "user.name", "user.email", "core.quotepath", "core.autocrlf", "core.eol", "core.filemode", "core.longpaths",
    "color.ui", "color.diff", "init.defaultbranch", "pull.rebase", "pull.ff", "advice.detachedhead", "commit.gpgsign",
    "merge.conflictstyle", "log.showsignature",
];

pub(super) fn configure(args: &Args<'_>, rest: &[Word]) -> Vec<Effect> {
    #[rustfmt::skip]
    const READ: [&str; 10] = [
        "--get", "--get-all", "--get-regexp", "--list", "-l", "--show-origin", "--show-scope", "--name-only",
        "--get-urlmatch", "--type",
    ];
    if args.has(&READ) || matches!(args.operands.first().map(|word| word.text.as_str()), Some("get" | "list") | None) {
        return Vec::new();
    }
    if args.has(&["-e", "--edit"]) {
        return super::questioned("opens git's settings for editing");
    }
    let operands: Vec<&Word> = args.operands.iter().copied().filter(|word| word.text != "set").collect();
    if operands.len() < 2 && !args.has(&["--unset", "--add", "--unset-all", "--replace-all", "-e", "--edit"]) {
        return Vec::new();
    }
    let key = operands.first().map(|word| word.text.as_str()).unwrap_or_default();
    if rest.iter().any(|word| !word.is_known()) && !PLAIN_CONFIG.contains(&key.to_ascii_lowercase().as_str()) {
        return vec![Effect::Unverifiable("which git setting changes is not known".to_owned())];
    }
    if args.has(&["--unset", "--unset-all"]) {
        return super::questioned("removes one of git's settings");
    }
    config(&format!("{key}={}", operands.get(1).map(|word| word.text.as_str()).unwrap_or_default()))
        .into_iter()
        .collect()
}

/// Values by which a setting that could run a program runs none, or a plain editor.
fn is_harmless(key: &str, value: &str) -> bool {
    const EDITORS: [&str; 10] = ["vim", "vi", "nvim", "nano", "emacs", "ed", "true", ":", "cat", "code --wait"];
    match key {
        "core.editor" | "sequence.editor" => EDITORS.contains(&value),
        "credential.helper" => value.is_empty(),
        _ => false,
    }
}

/// Settings that a project's own instructions often ask for, and that reach nothing outside of it: hooks from a directory of the
/// work tree, other names for plain git commands.
fn is_of_project(key: &str, value: &str) -> bool {
    let is_word =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
    match key {
        "core.hookspath" => is_word(value) && !value.starts_with(['/', '~']) && !value.contains(".."),
        _ if key.starts_with("alias.") => {
            value.split_whitespace().all(|word| is_word(word.trim_start_matches("--")))
                && !value.is_empty()
                && !["push", "config", "remote", "filter-branch"].iter().any(|verb| value.contains(verb))
        }
        _ => false,
    }
}

/// A setting by `-c key=value` or `git config key value`.
pub(super) fn config(setting: &str) -> Option<Effect> {
    let (key, value) = setting.split_once('=').unwrap_or((setting, "true"));
    let key = key.to_ascii_lowercase();
    if PLAIN_CONFIG.contains(&key.as_str()) || key.starts_with("color.") || key.starts_with("advice.") {
        return None;
    }
    if key == "core.pager" && matches!(value, "cat" | "") {
        return None;
    }
    #[rustfmt::skip]
    const RUNS: [&str; 19] = [
        "core.hookspath", "core.fsmonitor", "core.sshcommand", "core.gitproxy", "core.pager", "core.editor",
        "core.askpass", "sequence.editor", "diff.external", "credential.helper", "gpg.program", "gpg.ssh.program",
        "init.templatedir", "core.alternaterefscommand", "uploadpack.packobjectshook", "include.path",
        "core.worktree", "http.proxy", "http.sslverify",
    ];
    let family = [
        "alias.",
        "filter.",
        "merge.",
        "difftool.",
        "mergetool.",
        "includeif.",
        "url.",
        "pager.",
        "credential.",
        "protocol.",
    ];
    let runs = RUNS.contains(&key.as_str())
        || (family.iter().any(|part| key.starts_with(part)))
        || (key.starts_with("diff.") && (key.ends_with("command") || key.ends_with("textconv")))
        || (key.starts_with("remote.") && !key.ends_with(".fetch"));
    let reason = format!("sets git's `{}`", types::text::printable(&key, 60));
    if is_harmless(&key, value) {
        return None;
    }
    if is_of_project(&key, value) {
        return Some(Finding::questioned(RuleId::GitRemote, reason).into());
    }
    Some(if runs {
        Finding::refused(
            RuleId::Persistence,
            format!("{reason}, which runs programs or moves data later"),
            "leave git's configuration as it is",
        )
        .into()
    } else {
        Finding::questioned(RuleId::GitRemote, reason).into()
    })
}
