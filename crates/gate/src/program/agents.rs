//! Other agents. One that may act by itself would run tools past this gate.

use crate::{
    effect::{Effect, Finding},
    shell::SimpleCommand,
};
use types::catalogue::RuleId;

/// Agents on the command line.
#[rustfmt::skip]
const AGENTS: [&str; 22] = [
    "claude", "claude-code", "codex", "gemini", "qwen", "opencode", "aider", "goose", "cursor-agent", "amp", "crush",
    "auggie", "droid", "cline", "kilo", "roo", "copilot", "kimi", "vibe", "openhands", "plandex", "sweagent",
];
/// Packages that start one.
#[rustfmt::skip]
const PACKAGES: [&str; 12] = [
    "@anthropic-ai/claude-code", "@openai/codex", "@google/gemini-cli", "@qwen-code/", "@sourcegraph/amp",
    "@github/copilot", "opencode-ai", "@augmentcode/auggie", "cline", "aider-chat", "claude-code", "@charmland/crush",
];
/// First words that show or keep house and run no model.
#[rustfmt::skip]
const HOUSEKEEPING: [&str; 14] = [
    "--version", "-v", "-V", "--help", "-h", "help", "version", "doctor", "mcp", "config", "completion", "status",
    "models", "list",
];
/// Words that let an agent act without anyone looking.
#[rustfmt::skip]
const LOOSE: [&str; 12] = [
    "--yolo", "-y", "--full-auto", "--auto-approve", "--dangerously", "--allow", "--bypass", "--permission-mode",
    "--approval-mode", "--sandbox", "--trust", "--force",
];
/// Agents whose headless form acts, or whose approvals this gate gives.
const OURS: [&str; 3] = ["claude", "claude-code", "codex"];

pub(super) fn effects(name: &str, command: &SimpleCommand) -> Option<Vec<Effect>> {
    let words: Vec<&str> = command.args().iter().map(|word| word.text.as_str()).collect();
    let packaged = matches!(name, "npx" | "bunx" | "pnpx" | "uvx")
        && words
            .iter()
            .find(|word| !word.starts_with('-'))
            .is_some_and(|word| PACKAGES.iter().any(|package| word.starts_with(package)));
    if !AGENTS.contains(&name) && !packaged {
        return None;
    }
    let words = if packaged { words.get(1..).unwrap_or_default() } else { &words[..] };
    let first = words.first().copied().unwrap_or_default();
    let looks = |words: &[&str]| {
        HOUSEKEEPING.contains(&first)
            && !matches!(
                words.get(1),
                Some(&("add" | "add-json" | "set" | "remove" | "serve" | "server" | "enable" | "install"))
            )
    };
    if looks(words) && !packaged {
        return Some(Vec::new());
    }
    let is_loose = words.iter().any(|word| LOOSE.iter().any(|loose| word.starts_with(loose)))
        || words.windows(2).any(|pair| pair[0] == "-a" && pair[1] == "never");
    if packaged || OURS.contains(&name) || is_loose {
        let reason = "starts another agent, whose calls this gate would not see";
        let instead = "do the work yourself or use the agent tool of your own session";
        return Some(vec![Finding::forbidden(RuleId::GateTampering, reason, instead).into()]);
    }
    Some(vec![Finding::questioned(RuleId::GateTampering, "starts another agent, which asks before it acts").into()])
}
