//! Programs that read files and print, or do nothing to files at all.

use super::{
    awk,
    inert::is_inert,
    reader_table::{RG, shape},
    reads, sed, writes,
};
use crate::{
    args::Args,
    effect::{Effect, Finding},
    place::Place,
    secret::{ENVIRONMENT, hunts, keeps_secrets, pseudo},
    shell::{SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    let words = command.args();
    match name {
        "printenv" if words.is_empty() => return Some(vec![Effect::Reads(pseudo(ENVIRONMENT))]),
        "printenv" if words.iter().any(|word| crate::secret::is_secret_variable(&word.text)) => {
            let instead = "work without the credential; the host adds what routes need";
            let reason = "prints a variable that holds a credential";
            return Some(vec![Finding::refused(RuleId::CredentialAccess, reason, instead).into()]);
        }
        // Without a dash the letter `e` shows the environment of every process.
        "ps" if words.first().is_some_and(|word| !word.text.starts_with('-') && word.text.contains('e')) => {
            return Some(vec![Effect::Reads(Place { path: "/proc/*/environ".to_owned(), known: true, glob: true })]);
        }
        "getent" if words.iter().any(|word| matches!(word.text.as_str(), "shadow" | "gshadow")) => {
            return Some(vec![Effect::Reads(Place { path: "/etc/shadow".to_owned(), known: true, glob: false })]);
        }
        "env" if words.iter().all(|word| matches!(word.text.as_str(), "-0" | "--null")) => {
            return Some(vec![Effect::Reads(pseudo(ENVIRONMENT))]);
        }
        "env" => {
            return Some(
                words
                    .iter()
                    .filter_map(|word| word.text.split_once('='))
                    .map(|(name, _)| {
                        Finding::questioned(
                            RuleId::UntrustedCode,
                            format!("sets `{name}`, which changes what programs run"),
                        )
                        .into()
                    })
                    .collect(),
            );
        }
        "set" if words.iter().any(|word| word.text == "history") => return Some(vec![hides_history()]),
        "set" | "shopt" | "unset" if names_unknown(name, words) => {
            return Some(vec![Effect::Unverifiable("which of the shell's settings changes is not known".to_owned())]);
        }
        "set" | "export" | "declare" | "readonly" | "typeset" | "local" => return Some(declare(name, command, world)),
        "command" if words.first().is_some_and(|word| word.text.starts_with("-v") || word.text.starts_with("-V")) => {
            return Some(Vec::new());
        }
        "alias" => return Some(Vec::new()),
        "unset" if words.iter().any(|word| word.text.starts_with("HIST")) => return Some(vec![hides_history()]),
        "shopt" if words.iter().any(|word| word.text == "expand_aliases") => {
            return Some(vec![Effect::Unverifiable("names of programs may stand for others".to_owned())]);
        }
        "cd" if words.iter().filter(|word| !word.text.starts_with('-')).count() > 1 => {
            return Some(vec![Effect::Unverifiable("`cd` with more than one directory".to_owned())]);
        }
        "man" | "info" | "help"
            if words
                .iter()
                .any(|word| word.text.starts_with(['-', '@']) && word.text.contains(['P', 'H', 'p', 'o'])) =>
        {
            return Some(vec![Effect::Unverifiable(
                "the manual is shown by a program that the line may name".to_owned(),
            )]);
        }
        "man" if words.iter().any(|word| word.text.starts_with(['/', '~', '.'])) => {
            let files: Vec<_> = words.iter().filter(|word| !word.text.starts_with('-')).collect();
            return Some(reads(&files, command, world));
        }
        "fzf" | "sk" => {
            let runs = ["--preview", "--bind", "--filepath-word", "--listen", "--cmd", "-c"];
            let runs = words.iter().any(|word| runs.iter().any(|option| word.text.starts_with(option)));
            return Some(runs.then(|| Effect::Unverifiable(format!("`{name}` runs a program"))).into_iter().collect());
        }
        "history" => return Some(history(command)),
        "ulimit" | "exec" => return Some(Vec::new()),
        "sort" => return Some(sort(command, world)),
        "sed" | "gsed" => return Some(sed::effects(command, world)),
        "awk" | "gawk" | "mawk" | "nawk" => return Some(awk::effects(command, world)),
        "tr" => return Some(Vec::new()),
        "date" if words.iter().any(|word| word.text.starts_with("-f") || word.text.starts_with("--file")) => {
            let args = Args::parse(words, &["-f", "--file", "-d", "--date"]);
            return Some(reads(&args.values(&["-f", "--file"]).collect::<Vec<_>>(), command, world));
        }
        "hash" if words.iter().any(|word| word.text.starts_with("-p")) => {
            return Some(vec![Effect::Unverifiable("a name may stand for another program".to_owned())]);
        }
        "date" if words.iter().any(|word| word.text == "-s" || word.text.starts_with("--set")) => {
            return Some(vec![
                Finding::refused(RuleId::Privilege, "sets the system's clock", "leave the clock alone").into(),
            ]);
        }
        _ => {}
    }
    if is_inert(name) {
        return Some(Vec::new());
    }
    let (valued, skip) = shape(name)?;
    let args = Args::parse(words, valued);
    let mut effects = Vec::new();
    let skip = if args.has(&["-e", "--regexp", "-f", "--file", "--files", "--from-file"]) { 0 } else { skip };
    let mut files: Vec<_> = args.operands.iter().skip(skip).copied().collect();
    files.extend(args.values(&["-f", "--file", "--from-file"]));
    // A path given to any option is read as well: magic files, pattern files, reference files.
    let by_option: Vec<_> = args
        .options
        .iter()
        .filter_map(|(_, value)| value.as_ref())
        .filter(|word| word.text.starts_with(['/', '~']) || word.text.starts_with("../"))
        .collect();
    effects.extend(reads(&by_option, command, world));
    if valued == RG && args.has(&["--pre"]) {
        effects.push(Effect::Unverifiable("rg --pre runs a program on every file".to_owned()));
    }
    if matches!(name, "ag" | "ack" | "delta") && args.has(&["--pager"]) {
        effects.push(Effect::Unverifiable("what is found goes through a program that the line names".to_owned()));
    }
    if name == "xxd" && args.has(&["-r"]) && files.len() > 1 {
        effects.extend(writes(&files.split_off(1), command, world));
    }
    if name == "uniq" && files.len() > 1 {
        effects.extend(writes(&files.split_off(1), command, world));
    }
    if name == "less" || name == "more" || name == "bat" {
        // `+cmd` is typed into the pager: `+!cmd` starts a program, `+G` and `+/text` only move.
        let typed = words.iter().filter_map(|word| word.text.strip_prefix('+'));
        let typed =
            typed.filter(|keys| !keys.starts_with('/')).any(|keys| keys.contains(['!', '|', 'v', 's', 'E', ':']));
        let pager = typed || args.has(&["--pager", "-o", "-O"]);
        effects.extend(pager.then(|| Effect::Unverifiable("a pager that can run programs".to_owned())));
    }
    let recursive = args.has(&["-r", "-R", "--recursive", "--dereference-recursive"])
        || valued == RG
        || matches!(name, "ag" | "ack" | "ugrep" | "rgrep");
    if recursive {
        let places = files.iter().map(|file| super::place(file, command, world));
        let patterns = args.operands.iter().take(skip).copied().chain(args.values(&["-e", "--regexp"]));
        let texts: Vec<&str> = patterns.map(|word| word.text.as_str()).collect();
        effects.extend(searched(places, &texts, world));
    }
    effects.extend(reads(&files, command, world));
    Some(effects)
}

/// A search of whole directories: looking for keys where keys are kept, or reading all that is kept there.
pub(crate) fn searched(places: impl Iterator<Item = Place>, patterns: &[&str], world: &World) -> Option<Effect> {
    let place = places.into_iter().find(|place| keeps_secrets(&place.path, world))?;
    Some(if patterns.iter().any(|pattern| hunts(pattern)) {
        let instead = "search the work tree only";
        Finding::refused(RuleId::CredentialAccess, "searches the disk for credentials", instead).into()
    } else {
        let reason = format!("searches all of {place}, where credentials are kept");
        Finding::questioned(RuleId::CredentialAccess, reason).into()
    })
}

fn declare(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    // `export -p` prints all of the environment, as `env` does.
    let prints = |word: &Word| name != "set" && matches!(word.text.as_str(), "-p" | "-x" | "-px" | "-xp");
    if command.args().iter().all(prints) {
        return vec![Effect::Reads(pseudo(ENVIRONMENT))];
    }
    let mut effects = Vec::new();
    for word in command.args() {
        if let Some((variable, value)) = word.text.split_once('=') {
            let value = Word { text: value.to_owned(), ..word.clone() };
            effects.extend(super::variable::assignment(variable, &value, command, world));
            if name == "export" && variable.starts_with("HIST") && matches!(value.text.as_str(), "0" | "/dev/null" | "")
            {
                effects.push(hides_history());
            }
        }
    }
    effects
}

/// True when what is switched or taken away is not known; what `set` gives to the script is none of that.
fn names_unknown(name: &str, words: &[Word]) -> bool {
    let mut is_named = true;
    words.iter().take_while(|word| name != "set" || word.text != "--").any(|word| {
        let counts = name != "set" || is_named || word.text.starts_with(['-', '+']);
        is_named = word.text.starts_with(['-', '+']) && word.text.ends_with('o');
        counts && !word.is_known()
    })
}

fn hides_history() -> Effect {
    Finding::refused(RuleId::SafetyRegression, "hides what was run from the shell's history", "leave the history alone")
        .into()
}

fn history(command: &SimpleCommand) -> Vec<Effect> {
    let changes = command.args().iter().any(|word| word.text.starts_with('-') && word.text.contains(['c', 'd', 'w']));
    if changes { vec![hides_history()] } else { Vec::new() }
}

fn sort(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(
        command.args(),
        &["-k", "-t", "-o", "-T", "-S", "--key", "--output", "--parallel", "--field-separator"],
    );
    let mut effects = reads(&args.operands, command, world);
    effects.extend(writes(&args.values(&["-o", "--output"]).collect::<Vec<_>>(), command, world));
    effects.extend(args.has(&["--compress-program"]).then(|| Effect::Unverifiable("sort runs a program".to_owned())));
    effects
}
