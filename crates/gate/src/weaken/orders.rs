//! Files from which later agents take orders.

use super::Change;
use crate::{
    effect::Finding,
    phrase::{self, Prose},
    probe,
    shell::{SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

/// True for files that later agents read as orders.
pub(crate) fn is_instruction_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    matches!(
        name,
        "claude.md"
            | "claude.local.md"
            | "agents.md"
            | "gemini.md"
            | "qwen.md"
            | ".cursorrules"
            | ".windsurfrules"
            | ".clinerules"
            | ".roorules"
            | ".rules"
            | ".goosehints"
            | "conventions.md"
            | "copilot-instructions.md"
            | "skill.md"
            | ".aider.conf.yml"
            | "codex.md"
    ) || [
        "/.claude/",
        "/.cursor/rules",
        "/.codex/",
        "/.github/instructions/",
        "/.github/copilot",
        "/.clinerules/",
        "/.continue/",
        "/.kiro/steering/",
        "/.junie/",
        "/.roo/rules",
        "/.windsurf/rules/",
    ]
    .iter()
    .any(|dir| path.contains(dir))
}

/// Orders for later agents that do harm.
pub(super) fn findings(path: &str, change: Change<'_>, world: &World) -> Vec<Finding> {
    if !is_instruction_file(path) {
        return steering(path, change, world).into_iter().collect();
    }
    const KEEP: &str = "write down conventions of the project, and leave decisions about permissions to people";
    let poison = |reason: String| Finding::forbidden(RuleId::InstructionPoisoning, reason, KEEP);
    let mut found = Vec::new();
    if let Some(suspicion) = probe::probe(change.added) {
        match suspicion.trick {
            probe::Trick::Addressed => {}
            trick @ (probe::Trick::HiddenText
            | probe::Trick::Override
            | probe::Trick::ForgedTurn
            | probe::Trick::ForgedConsent
            | probe::Trick::Secrecy
            | probe::Trick::Exfiltration
            | probe::Trick::Command
            | probe::Trick::Beacon) => {
                found.push(poison(format!("puts into a file of orders for agents what {}", trick.as_str())))
            }
        }
    }
    let prose = Prose::new(change.added);
    let words = prose.words();
    let orders = (0..words.len()).any(|at| {
        let negated = at > 0
            && words[at.saturating_sub(3)..at]
                .iter()
                .any(|word| matches!(*word, "not" | "never" | "dont" | "no" | "cannot"));
        phrase::circumvents(&words[at..]) && !negated
    });
    if orders || skips_permissions(change.added) {
        found.push(poison("tells later agents to get around their guard".to_owned()));
    }
    // What the text tells to run is read as if it ran.
    let command = SimpleCommand { cwd: Some(world.worktree.clone()), ..SimpleCommand::default() };
    for code in
        change.added.split('`').skip(1).step_by(2).filter(|code| code.contains(' ') && code.len() < 4096).take(32)
    {
        let code = code.trim_start_matches("bash").trim_start_matches("sh\n");
        for effect in crate::program::nested(&Word::literal(code), &command, world) {
            if let Some(finding) = crate::floor::finding(&effect, world)
                && finding.severity == crate::effect::Severity::Forbidden
            {
                let told = words
                    .iter()
                    .any(|word| matches!(*word, "never" | "not" | "dont" | "avoid" | "forbidden" | "prohibited"));
                let reason = format!("names a command for later agents that {}", finding.reason);
                found.push(if told {
                    Finding::questioned(RuleId::InstructionPoisoning, reason)
                } else {
                    poison(reason)
                });
            }
        }
    }
    found.truncate(4);
    found
}

/// A page for people that speaks to agents behind their back.
fn steering(path: &str, change: Change<'_>, world: &World) -> Option<Finding> {
    let is_page = [".md", ".mdx", ".rst", ".adoc", ".html"].iter().any(|end| path.ends_with(end));
    if !is_page {
        return None;
    }
    // What readers see they can judge; what is in comments only agents read.
    if let Some(finding) = named_commands(&comments(change.added), world) {
        return Some(finding);
    }
    let suspicion = probe::probe(&comments(change.added))?;
    let is_new = probe::probe(&comments(change.removed)).is_none_or(|before| before.trick != suspicion.trick);
    match suspicion.trick {
        probe::Trick::Addressed | probe::Trick::Beacon => None,
        trick @ (probe::Trick::HiddenText
        | probe::Trick::Override
        | probe::Trick::ForgedTurn
        | probe::Trick::ForgedConsent
        | probe::Trick::Secrecy
        | probe::Trick::Exfiltration
        | probe::Trick::Command) => is_new.then(|| {
            let reason = format!("writes a page that holds what {}", trick.as_str());
            Finding::questioned(RuleId::InstructionPoisoning, reason)
        }),
    }
}

/// A command in the comments of a page that nobody may run.
fn named_commands(text: &str, world: &World) -> Option<Finding> {
    let command = SimpleCommand { cwd: Some(world.worktree.clone()), ..SimpleCommand::default() };
    let codes = text.split('`').skip(1).step_by(2).filter(|code| code.contains(' ') && code.len() < 2048).take(16);
    codes.flat_map(|code| crate::program::nested(&Word::literal(code), &command, world)).find_map(|effect| {
        let finding = crate::floor::finding(&effect, world)
            .filter(|finding| finding.severity == crate::effect::Severity::Forbidden)?;
        let reason = format!("names in a comment a command that {}", finding.reason);
        Some(Finding::questioned(RuleId::InstructionPoisoning, reason))
    })
}

/// The comments of a page, as one text.
fn comments(text: &str) -> String {
    const MAX_COMMENTS: usize = 64;
    let parts = text.split("<!--").skip(1).take(MAX_COMMENTS);
    parts.map(|part| part.split("-->").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// True when a text asks for a run without any guard.
pub(crate) fn skips_permissions(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    [
        "dangerously-skip-permissions",
        "bypasspermissions",
        "--yolo",
        "skip-permissions",
        "disableallhooks",
        "dangerously-bypass",
    ]
    .iter()
    .any(|mark| lower.contains(mark))
}
