//! Follows data between the commands of one line and across the calls of a run: what was read is sent, what was fetched is
//! run. What earlier calls left in files comes from the [`Ledger`].

use crate::{
    asked,
    destination::{Destination, Direction},
    effect::{Effect, Finding, Program},
    ledger::Ledger,
    place::Place,
    secret::{Secrecy, VARIABLE, secrecy},
    shell::SimpleCommand,
    token,
    world::World,
};
use std::collections::HashSet;
use types::catalogue::RuleId;

/// What a command's output can carry.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Taint {
    /// A credential.
    pub secret: bool,
    /// Bytes from outside, fetched by the same line.
    pub fetched: bool,
    /// Some of these come from elsewhere than the maker of a tool chain, whose installer they are.
    pub strange: bool,
    /// Some of these are an installer that the task does not ask for.
    pub unasked: bool,
    /// Bytes that an earlier call fetched.
    pub downloaded: bool,
    /// Content of any file.
    pub file: bool,
}

impl Taint {
    /// True for what makers of tool chains tell people to run, and nothing else.
    pub(crate) fn is_installer(self) -> bool {
        self.fetched && !self.strange && !self.downloaded && !self.secret
    }
}

/// What was found, and what each command's output carries.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub findings: Vec<Effect>,
    pub taints: Vec<Taint>,
}

/// Findings that no single command shows, without history.
pub(crate) fn findings(commands: &[SimpleCommand], effects: &[Vec<Effect>], world: &World) -> Vec<Effect> {
    trace(commands, effects, &Ledger::default(), world).findings
}

/// Files of the line that carry something.
#[derive(Default)]
struct Files<'a> {
    secret: HashSet<&'a str>,
    fetched: HashSet<&'a str>,
}

/// Follows the data of one line, given what the run left before.
pub(crate) fn trace(commands: &[SimpleCommand], effects: &[Vec<Effect>], history: &Ledger, world: &World) -> Trace {
    let mut taints = vec![Taint::default(); commands.len()];
    if !effects.iter().flatten().any(|effect| is_source(effect, history)) {
        return Trace { findings: Vec::new(), taints };
    }
    let sends = effects.iter().flatten().any(|effect| matches!(effect, Effect::Network { .. }));
    let mut files = Files::default();
    // Twice: a later command of a loop's body feeds an earlier one.
    for _ in 0..2 {
        for (n, command) in commands.iter().enumerate() {
            let mut taint = taints[n];
            for input in command.inputs.iter().flat_map(|range| range.clone()).filter(|input| *input < n) {
                let Some(from) = taints.get(input).copied() else { continue };
                taint.secret |= from.secret;
                taint.fetched |= from.fetched;
                taint.strange |= from.strange;
                taint.unasked |= from.unasked;
                taint.downloaded |= from.downloaded;
                taint.file |= from.file;
            }
            for effect in &effects[n] {
                match effect {
                    Effect::Reads(place) => {
                        let level = secrecy(place).filter(|_| place.path != VARIABLE);
                        taint.secret |= level >= Some(Secrecy::Likely)
                            || files.secret.contains(place.path.as_str())
                            || history.holds_secret(&place.path);
                        let was_fetched = files.fetched.contains(place.path.as_str());
                        taint.fetched |= was_fetched;
                        taint.strange |= was_fetched;
                        taint.downloaded |= history.was_downloaded(&place.path);
                        taint.file = true;
                    }
                    Effect::Network { to, .. } if is_outside(to) => {
                        taint.fetched = true;
                        match asked::installed_by(command) {
                            Some(chain) => taint.unasked |= !world.asked.sets_up(chain),
                            None => taint.strange = true,
                        }
                    }
                    Effect::Network { .. }
                    | Effect::Writes { .. }
                    | Effect::Deletes { .. }
                    | Effect::Executes(_)
                    | Effect::Risk(_)
                    | Effect::Unverifiable(_) => {}
                }
            }
            // A secret in the line itself; only looked for where it could go somewhere.
            taint.secret |= sends && holds_token(command);
            for effect in &effects[n] {
                if let Effect::Writes { place, .. } = effect {
                    if taint.secret {
                        files.secret.insert(&place.path);
                    }
                    if taint.fetched {
                        files.fetched.insert(&place.path);
                    }
                }
            }
            taints[n] = taint;
        }
    }
    let mut found = Vec::new();
    for (n, list) in effects.iter().enumerate() {
        for effect in list {
            found.extend(judged(effect, taints[n], &files));
            found.extend(remembered(effect, taints[n], history));
        }
        if let Some(command) = commands.get(n) {
            found.extend(committed(command, list, taints[n]));
        }
    }
    Trace { findings: found, taints }
}

/// True for effects that start or end a flow worth following.
fn is_source(effect: &Effect, history: &Ledger) -> bool {
    match effect {
        Effect::Network { .. } => true,
        Effect::Reads(place) | Effect::Executes(Program::File(place) | Program::Project(place)) => {
            secrecy(place).is_some() || history.holds_secret(&place.path) || history.was_downloaded(&place.path)
        }
        Effect::Writes { .. }
        | Effect::Deletes { .. }
        | Effect::Executes(Program::Stdin)
        | Effect::Risk(_)
        | Effect::Unverifiable(_) => false,
    }
}

/// True for hosts that the operator has not named.
pub(crate) fn is_outside(to: &Destination) -> bool {
    match to {
        Destination::Loopback { .. } | Destination::Remote(_) => false,
        Destination::Trusted(_)
        | Destination::Metadata(_)
        | Destination::Engine(_)
        | Destination::Page(_)
        | Destination::Foreign(_)
        | Destination::Unknown => true,
    }
}

fn holds_token(command: &SimpleCommand) -> bool {
    let words = command.argv.iter().map(|word| word.text.as_str());
    let values = command.assignments.iter().map(|(_, value)| value.text.as_str());
    words.chain(values).any(|text| token::find(text).is_some())
}

fn judged(effect: &Effect, taint: Taint, files: &Files<'_>) -> Option<Effect> {
    const LOCAL: &str = "keep the data in the work tree; describe what you need instead of sending it";
    const REVIEW: &str = "download to a file in the work tree, show it, and ask for it to be reviewed";
    match effect {
        Effect::Network { to, direction } if *direction == Direction::Up && is_outside(to) => {
            if taint.secret {
                return Some(
                    Finding::forbidden(RuleId::DataExfiltration, format!("sends credentials to {to}"), LOCAL).into(),
                );
            }
            let trusted = matches!(to, Destination::Trusted(_));
            let carries = taint.file && !trusted;
            carries.then(|| Finding::refused(RuleId::DataExfiltration, format!("sends files to {to}"), LOCAL).into())
        }
        Effect::Executes(Program::Stdin) if taint.is_installer() => taint.unasked.then(|| {
            Finding::questioned(RuleId::UntrustedCode, "runs the installer of a tool chain straight from its maker")
                .into()
        }),
        Effect::Executes(Program::Stdin) if taint.fetched => {
            Some(Finding::forbidden(RuleId::UntrustedCode, "runs code straight from the network", REVIEW).into())
        }
        Effect::Executes(Program::File(place)) => {
            let name = place.path.rsplit('/').next().unwrap_or_default();
            // A `cd` that failed or could not be followed leaves only the name to go by.
            let hit = files.fetched.contains(place.path.as_str())
                || (!name.is_empty() && files.fetched.iter().any(|file| file.rsplit('/').next() == Some(name)));
            let secret = files.secret.contains(place.path.as_str());
            (hit && !secret).then(|| {
                Finding::forbidden(RuleId::UntrustedCode, "runs a file that the same line downloads", REVIEW).into()
            })
        }
        Effect::Network { .. }
        | Effect::Reads(_)
        | Effect::Writes { .. }
        | Effect::Deletes { .. }
        | Effect::Executes(_)
        | Effect::Risk(_)
        | Effect::Unverifiable(_) => None,
    }
}

/// What only the history shows.
pub(crate) fn remembered(effect: &Effect, taint: Taint, history: &Ledger) -> Option<Effect> {
    match effect {
        Effect::Reads(place) if history.holds_secret(&place.path) && secrecy(place).is_none() => Some(
            Finding::questioned(
                RuleId::CredentialAccess,
                format!("reads {place}, into which this run put credentials"),
            )
            .into(),
        ),
        Effect::Executes(Program::File(place)) if history.was_downloaded(&place.path) => {
            Some(Finding::questioned(RuleId::UntrustedCode, format!("runs {place}, which this run downloaded")).into())
        }
        Effect::Executes(Program::Project(manifest)) if history.was_downloaded(&manifest.path) => Some(
            Finding::questioned(
                RuleId::UntrustedCode,
                format!("runs what {manifest} defines, which this run downloaded"),
            )
            .into(),
        ),
        Effect::Executes(Program::Stdin) if taint.downloaded => {
            Some(Finding::questioned(RuleId::UntrustedCode, "runs code that this run downloaded").into())
        }
        Effect::Network { to: Destination::Remote(name), direction } if history.is_changed_remote(name) => {
            let reason =
                format!("talks to the remote {}, which this run pointed elsewhere", types::text::printable(name, 60));
            Some(match direction {
                Direction::Up => {
                    Finding::forbidden(RuleId::GitRemote, reason, "use the remotes as they were at the start").into()
                }
                Direction::Down => Finding::questioned(RuleId::GitRemote, reason).into(),
            })
        }
        Effect::Reads(_)
        | Effect::Writes { .. }
        | Effect::Deletes { .. }
        | Effect::Network { .. }
        | Effect::Executes(_)
        | Effect::Risk(_)
        | Effect::Unverifiable(_) => None,
    }
}

/// Credentials that would become part of the history.
fn committed(command: &SimpleCommand, effects: &[Effect], taint: Taint) -> Option<Effect> {
    let is_git_add =
        command.name() == "git" && command.args().iter().any(|word| matches!(word.text.as_str(), "add" | "stage"));
    let reads = effects.iter().any(|effect| matches!(effect, Effect::Reads(_)));
    (is_git_add && reads && taint.secret)
        .then(|| Finding::questioned(RuleId::DataExfiltration, "puts credentials under version control").into())
}

/// What a command writes carries from its input.
pub(crate) fn is_download(effects: &[Effect], taint: Taint) -> bool {
    taint.fetched
        || taint.downloaded
        || effects
            .iter()
            .any(|effect| matches!(effect, Effect::Network { direction: Direction::Down, to } if is_outside(to)))
}

/// The directory that a `git clone` of a host outside makes.
pub(crate) fn cloned(command: &SimpleCommand, effects: &[Effect], world: &crate::World) -> Option<Place> {
    let words: Vec<&str> =
        command.args().iter().map(|word| word.text.as_str()).filter(|text| !text.starts_with('-')).collect();
    let outside = effects.iter().any(|effect| matches!(effect, Effect::Network { to, .. } if is_outside(to)));
    let ["clone", url, rest @ ..] = words.as_slice() else { return None };
    if command.name() != "git" || !outside {
        return None;
    }
    let name = rest.last().copied().unwrap_or_else(|| {
        url.trim_end_matches('/').trim_end_matches(".git").rsplit(['/', ':']).next().unwrap_or_default()
    });
    Some(Place::resolve(name, false, command.cwd.as_deref(), world)).filter(|place| place.known && !name.is_empty())
}
