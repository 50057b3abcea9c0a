//! Reads a shell line into the flat list of every command it can start.
//!
//! What must stay true: the pre-scan runs before the parser, which aborts the process on deep nesting; whatever is not
//! understood is recorded as a gap and never dropped; work is bounded.

use crate::effect::{Effect, Finding};
use types::catalogue::RuleId;

mod abbreviated;
mod braces;
mod builtin;
mod command;
mod compound;
pub(crate) mod decode;
mod effort;
mod elsewhere;
mod escape;
mod expand;
mod fed;
mod filter;
mod guarded;
mod output;
mod parallel;
mod parameter;
mod prescan;
mod room;
mod run;
mod runner;
mod scope;
mod shapes;
mod simple;
mod started;
mod trim;
mod unwrap;
mod walk;
mod word;

pub(crate) use command::{Line, RedirectKind, SimpleCommand, Stdin, Word};
pub(crate) use prescan::{MAX_COMMAND, Refusal};
pub(crate) use runner::is_environment;
pub(crate) use unwrap::{SHELLS, beneath};
pub(crate) use walk::{read, read_inside};

/// What a line does beyond its single commands.
pub(crate) fn whole(line: &Line) -> Vec<Effect> {
    let mut whole: Vec<Effect> = line.gaps.iter().cloned().map(Effect::Unverifiable).collect();
    if line.is_fork_bomb {
        whole.push(
            Finding::forbidden(RuleId::ResourceAbuse, "starts copies of itself without end", "run the command once")
                .into(),
        );
    }
    if line.is_endless {
        let instead = "give the loop an end";
        whole
            .push(Finding::refused(RuleId::ResourceAbuse, "uses up the machine in a loop without end", instead).into());
    }
    if stops_guard(line) {
        let instead = "stop only what you started";
        whole.push(Finding::forbidden(RuleId::GateTampering, "stops the agent or its supervisor", instead).into());
    }
    match line.decoded {
        Some(true) => {
            let instead = "write the code in plain text";
            whole
                .push(Finding::refused(RuleId::UntrustedCode, "runs decoded code that cannot be read", instead).into());
        }
        Some(false) => whole.push(Finding::questioned(RuleId::UntrustedCode, "runs code that was encoded").into()),
        None => {}
    }
    whole
}

/// `kill $(pgrep sandbox)`: what is stopped is named where it is looked up.
fn stops_guard(line: &Line) -> bool {
    const GUARDS: [&str; 4] = ["sandbox", "guest", "claude", "codex"];
    line.commands.iter().filter(|command| command.name() == "kill").any(|command| {
        command.inputs.iter().flat_map(Clone::clone).filter_map(|n| line.commands.get(n)).any(|source| {
            let text = source.text();
            GUARDS.iter().any(|guard| text.contains(guard))
        })
    })
}

/// True when what a command prints stands in the line as it is: no list of files, nothing computed.
pub(crate) fn is_verbatim(command: &SimpleCommand) -> bool {
    let is_plain = |word: &Word| !word.glob && word.sources.is_empty();
    match &command.stdin {
        Stdin::Text(word) if matches!(command.name().as_str(), "cat" | "tee") => is_plain(word),
        Stdin::Text(_) | Stdin::Inherited | Stdin::Pipe => command.args().iter().all(is_plain),
    }
}

/// What a command prints, when it can be told.
pub(crate) fn printed(command: &SimpleCommand) -> Option<Word> {
    output::of(command)
}
