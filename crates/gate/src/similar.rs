//! What a call does that is not plainly safe, in a form that spelling, quoting, wrappers and harmless company do not
//! change: a denied call that comes back in another dress is known by it.
//!
//! What must stay true: only what was not safe is part of a form, so that ordinary calls are never like a denied one; a
//! form that says nothing in particular is like no other.

use crate::{
    destination::{Destination, Direction},
    effect::{Effect, Program},
    floor,
    ledger::Ledger,
    place::{HOLE, is_under},
    shell::SimpleCommand,
    tool::Reading,
    world::World,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use types::text::printable;

/// Most deeds and commands of one form; what is beyond does not make it unlike.
const MAX_PARTS: usize = 24;
/// Longest text of a part, in characters.
const MAX_TEXT: usize = 300;

/// One thing that a call does, by its target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Deed {
    Reads(String),
    Writes(String),
    Deletes(String),
    Sends(String),
    Fetches(String),
    Runs(String),
    /// A finding of a table, with what the command names.
    Does {
        rule: String,
        reason: String,
        names: BTreeSet<String>,
    },
}

/// The part of a call that was not plainly safe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Form {
    /// What speaks against the call.
    against: BTreeSet<Deed>,
    /// What else is not plainly safe.
    other: BTreeSet<Deed>,
    /// The commands that do it, without wrappers, quotes and order of options.
    commands: BTreeSet<String>,
}

/// How like two forms are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// It goes for the same target by part, or in part.
    Near,
    /// It does the same thing to the same target.
    Same,
}

impl Form {
    pub(crate) fn of(reading: &Reading, world: &World, ledger: &Ledger) -> Self {
        let mut form = Self::default();
        for (command, effects) in reading.commands.iter().zip(&reading.per_command) {
            let mut is_plain = true;
            for effect in effects {
                is_plain &= !form.add(effect, Some(command), world, ledger);
            }
            if !is_plain && form.commands.len() < MAX_PARTS {
                form.commands.extend(normal(command));
            }
        }
        for effect in &reading.whole {
            form.add(effect, None, world, ledger);
        }
        form
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.against.is_empty() && self.other.is_empty() && self.commands.is_empty()
    }

    /// Adds an effect that is not safe; tells whether it was one.
    fn add(&mut self, effect: &Effect, command: Option<&SimpleCommand>, world: &World, ledger: &Ledger) -> bool {
        let speaks = floor::finding(effect, world).is_some();
        if !speaks && floor::is_safe(effect, world, ledger) {
            return false;
        }
        let set = if speaks { &mut self.against } else { &mut self.other };
        if set.len() < MAX_PARTS {
            set.extend(deed(effect, command));
        }
        true
    }

    /// How like this call is to one that was denied.
    pub(crate) fn likeness(&self, denied: &Self) -> Option<Likeness> {
        let decisive = if denied.against.is_empty() { &denied.other } else { &denied.against };
        let all = || self.against.iter().chain(&self.other);
        let same_deeds = !decisive.is_empty()
            && decisive.iter().any(Deed::is_particular)
            && decisive.iter().all(|deed| all().any(|own| own.is_same(deed)));
        let same_commands = !denied.commands.is_empty()
            && denied.commands.is_subset(&self.commands)
            && decisive.iter().all(|deed| !matches!(deed, Deed::Fetches(_)));
        if same_deeds || same_commands {
            return Some(Likeness::Same);
        }
        let near = decisive.iter().any(|deed| all().any(|own| own.is_near(deed)));
        near.then_some(Likeness::Near)
    }

    /// True when something of `denied` would also be gone or touched by a harmless-looking part of a call: a deletion below
    /// what may not be deleted.
    pub(crate) fn covers(&self, effect: &Effect) -> bool {
        let Effect::Deletes { place, .. } = effect else { return false };
        self.against.iter().chain(&self.other).any(|deed| match deed {
            Deed::Deletes(path) => depth(path) >= 2 && is_under(&place.path, path),
            Deed::Reads(_)
            | Deed::Writes(_)
            | Deed::Sends(_)
            | Deed::Fetches(_)
            | Deed::Runs(_)
            | Deed::Does { .. } => false,
        })
    }
}

impl Deed {
    /// True when it names a target, so that the same deed means the same thing.
    fn is_particular(&self) -> bool {
        match self {
            Self::Reads(path) | Self::Writes(path) | Self::Deletes(path) | Self::Runs(path) => !path.contains(HOLE),
            Self::Sends(_) | Self::Does { .. } => true,
            Self::Fetches(_) => false,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Does { rule, reason, names },
                Self::Does { rule: other_rule, reason: other_reason, names: other_names },
            ) => {
                rule == other_rule
                    && reason == other_reason
                    && (names.is_subset(other_names) || other_names.is_subset(names))
            }
            (a, b) => a == b,
        }
    }

    fn is_near(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Deletes(own), Self::Deletes(path)) => {
                is_under(path, own) || (depth(path) >= 2 && is_under(own, path))
            }
            (Self::Fetches(own), Self::Fetches(host)) | (Self::Sends(own), Self::Fetches(host)) => own == host,
            _ => false,
        }
    }
}

fn depth(path: &str) -> usize {
    path.split('/').filter(|part| !part.is_empty()).count()
}

fn deed(effect: &Effect, command: Option<&SimpleCommand>) -> Option<Deed> {
    let path = |place: &crate::Place| {
        let text = place.path.trim_end_matches("/*").trim_end_matches("/**").trim_end_matches("/.");
        cut(if text.is_empty() { "/" } else { text })
    };
    let host = |to: &Destination| match to {
        Destination::Loopback { .. } | Destination::Unknown => None,
        Destination::Trusted(host)
        | Destination::Remote(host)
        | Destination::Metadata(host)
        | Destination::Engine(host)
        | Destination::Page(host)
        | Destination::Foreign(host) => Some(cut(host)),
    };
    Some(match effect {
        Effect::Reads(place) => Deed::Reads(path(place)),
        Effect::Writes { place, .. } => Deed::Writes(path(place)),
        Effect::Deletes { place, .. } => Deed::Deletes(path(place)),
        Effect::Network { to, direction: Direction::Up } => Deed::Sends(host(to)?),
        Effect::Network { to, direction: Direction::Down } => Deed::Fetches(host(to)?),
        Effect::Executes(Program::File(place) | Program::Project(place)) => Deed::Runs(path(place)),
        Effect::Executes(Program::Stdin) | Effect::Unverifiable(_) => return None,
        Effect::Risk(finding) => Deed::Does {
            rule: finding.rule.as_str().to_owned(),
            reason: cut(&finding.reason),
            names: command.map(names).unwrap_or_default(),
        },
    })
}

fn cut(text: &str) -> String {
    printable(text, MAX_TEXT)
}

/// What a command names beside its options and its verb.
fn names(command: &SimpleCommand) -> BTreeSet<String> {
    command
        .args()
        .iter()
        .filter(|word| word.is_known() && !word.text.starts_with('-') && !word.text.is_empty())
        .skip(1)
        .take(MAX_PARTS)
        .map(|word| cut(word.text.trim_start_matches('+').trim_end_matches('/')))
        .collect()
}

/// A command without its directory and the order of its words; none when part of it is not known.
fn normal(command: &SimpleCommand) -> Option<String> {
    if command.argv.len() < 2 || !command.argv.iter().all(crate::shell::Word::is_known) {
        return None;
    }
    let mut words: Vec<String> = Vec::new();
    for word in command.args().iter().take(MAX_PARTS * 2) {
        let text = word.text.as_str();
        let is_cluster = text.len() > 2
            && text.starts_with('-')
            && !text.starts_with("--")
            && text[1..].bytes().all(|b| b.is_ascii_alphabetic());
        if is_cluster {
            words.extend(text.chars().skip(1).map(|c| format!("-{c}")));
        } else {
            words.push(cut(text));
        }
    }
    words.sort();
    Some(format!("{} {}", command.name(), words.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool;
    use types::{call::ToolCall, id::CallId};

    fn form(command: &str) -> Form {
        let call = ToolCall {
            id: CallId("t".into()),
            tool: "Bash".into(),
            input: serde_json::json!({ "command": command }),
            cwd: "/workspace".into(),
            subagent: None,
        };
        let (world, ledger) = (World::default(), Ledger::default());
        Form::of(&tool::read(&call, &world, &ledger).expect("readable"), &world, &ledger)
    }

    #[test]
    fn the_same_deed_in_another_dress() {
        for (denied, again) in [
            ("rm -rf src/legacy", "cd src && rm -r -f 'legacy' # tidy"),
            ("rm -rf src/legacy", "find src/legacy -delete"),
            ("rm -rf src/legacy", "python3 -c \"import shutil; shutil.rmtree('src/legacy')\""),
            ("rm -rf src/legacy", "rm -rf ./src/legacy/*"),
            ("cat .env", "base64 < .env"),
            ("npm install left-pad", "ls && npm i --save left-pad"),
            ("git reset --hard", "git reset --hard HEAD~2"),
            ("deployer --prod eu", "timeout 9 env A=1 deployer eu --prod"),
            ("echo x > .github/workflows/a.yml", "tee .github/workflows/a.yml < x"),
        ] {
            assert_eq!(
                form(again).likeness(&form(denied)),
                Some(Likeness::Same),
                "{denied} | {again}\n{:#?}\n{:#?}",
                form(denied),
                form(again)
            );
        }
    }

    #[test]
    fn other_deeds_are_not_alike() {
        for (denied, other) in [
            ("rm -rf src/legacy", "rm -rf src/other"),
            ("rm -rf src/legacy", "ls src/legacy"),
            ("npm install left-pad", "npm install right-pad"),
            ("cat .env", "cat README.md"),
            ("deployer --prod eu", "deployer --check eu"),
            ("curl https://a.example", "curl https://b.example"),
            ("git reset --hard", "git status"),
        ] {
            assert_eq!(form(other).likeness(&form(denied)), None, "{denied} | {other}");
        }
        assert_eq!(form("rm -rf src").likeness(&form("rm -rf src/legacy")), Some(Likeness::Near));
        assert!(Form::default().is_empty() && form("ls -la").is_empty());
    }
}
