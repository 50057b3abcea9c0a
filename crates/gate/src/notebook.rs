//! Cells of notebooks: Python, with lines for the shell and for the notebook itself. A cell is there to be run, so it is judged
//! as if it ran.

use crate::{
    code::{self, Language},
    effect::{Effect, Finding, Severity},
    floor, flow,
    place::Place,
    program,
    shell::{SimpleCommand, Stdin, Word},
    tool::{self, Written},
    world::World,
};
use types::{call::ToolCall, catalogue::RuleId};

/// Magics that hand the rest of the line, or of the cell, to a shell.
const SHELL: [&str; 8] = ["sx", "system", "bash", "sh", "script", "!", "cmd", "zsh"];
/// Magics that are programs of the same name.
#[rustfmt::skip]
const PROGRAMS: [&str; 14] =
    ["pip", "conda", "mamba", "uv", "rm", "cp", "mv", "mkdir", "rmdir", "cat", "ls", "ln", "man", "env"];
/// Magics that read or run a file.
const FILES: [&str; 4] = ["run", "load", "loadpy", "store"];

/// What the new source of a cell does, and the change of the notebook.
pub(crate) fn edited(call: &ToolCall, place: Place, world: &World, written: &mut Vec<Written>) -> Vec<Effect> {
    let source = tool::text(call, "new_source");
    let (python, shell) = split(source);
    let command = SimpleCommand {
        cwd: Some(world.worktree.clone()),
        stdin: Stdin::Text(Word::default()),
        ..SimpleCommand::default()
    };
    let mut runs = code::scan(Language::Python, &python, &command, world);
    runs.extend(flow::findings(std::slice::from_ref(&command), std::slice::from_ref(&runs), world));
    if !shell.trim().is_empty() {
        runs.extend(program::nested(&Word::literal(shell.as_str()), &command, world));
    }
    let mut effects: Vec<Effect> = runs
        .iter()
        .filter_map(|effect| floor::finding(effect, world))
        .map(|finding| {
            let reason = format!("when the cell runs, it {}", finding.reason);
            match finding.severity {
                Severity::Forbidden => Finding::forbidden(finding.rule, reason, finding.instead).into(),
                Severity::Refused => Finding::refused(finding.rule, reason, finding.instead).into(),
                Severity::Questioned => Finding::questioned(finding.rule, reason).into(),
            }
        })
        .take(8)
        .collect();
    if !shell.trim().is_empty() && runs.iter().any(|effect| matches!(effect, Effect::Unverifiable(_))) {
        let reason = "writes a cell whose shell part cannot be read";
        effects.push(Finding::questioned(RuleId::UntrustedCode, reason).into());
    }
    // Other cells are not known, so neither is the file.
    written.push(Written::of(&place.path, None));
    effects.push(Effect::Writes { place, empties: false });
    effects
}

/// The Python of a cell and what it hands to the shell.
fn split(source: &str) -> (String, String) {
    let first = source.trim_start();
    if let Some(rest) = first.strip_prefix("%%") {
        let (head, body) = rest.split_once('\n').unwrap_or((rest, ""));
        let magic = head.split_whitespace().next().unwrap_or_default();
        return if SHELL.contains(&magic) {
            (String::new(), body.to_owned())
        } else if magic == "writefile" || magic == "file" {
            let path = head.split_whitespace().last().unwrap_or_default();
            (String::new(), format!("cat > {path} <<'END_OF_CELL'\n{body}\nEND_OF_CELL\n"))
        } else {
            split(body)
        };
    }
    let (mut python, mut shell) = (String::new(), String::new());
    for line in source.lines() {
        let trimmed = line.trim_start();
        // `files = !ls` takes the output of a command.
        let taken = trimmed.split_once("= !").or_else(|| trimmed.split_once("=!")).map(|(_, command)| command);
        let (into, text) = match (trimmed.strip_prefix('!'), trimmed.strip_prefix('%'), taken) {
            (Some(command), _, _) => (&mut shell, command.trim_start_matches('!').to_owned()),
            (None, Some(magic), _) => match of_magic(magic) {
                Some(command) => (&mut shell, command),
                None => continue,
            },
            (None, None, Some(command)) => (&mut shell, command.to_owned()),
            (None, None, None) => (&mut python, line.to_owned()),
        };
        into.push_str(&text);
        into.push('\n');
    }
    (python, shell)
}

/// A line magic as a command.
fn of_magic(line: &str) -> Option<String> {
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    if SHELL.contains(&name) {
        return Some(rest.to_owned());
    }
    if PROGRAMS.contains(&name) {
        return Some(line.to_owned());
    }
    FILES.contains(&name).then(|| format!("python3 {rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_apart() {
        let (python, shell) = split("import os\n!ls -la\nx = !pwd\n%pip install a\n%timeit f()\nprint(1)\n");
        assert_eq!(python, "import os\nprint(1)\n");
        assert_eq!(shell, "ls -la\npwd\npip install a\n");
        assert_eq!(split("%%bash\nrm x\n").1, "rm x\n");
        assert!(split("%%writefile a.sh\nls\n").1.starts_with("cat > a.sh <<"));
        assert_eq!(split("%%time\n!ls\n").1, "ls\n");
    }
}
