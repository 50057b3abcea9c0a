//! Which files a shell line changes, with their new content where it can be told: printed, appended, copied, moved.

use crate::{
    args::Args,
    effect::Effect,
    flow::{self, Taint},
    ledger::{Ledger, Provenance},
    place::Place,
    program,
    shell::{self, RedirectKind, SimpleCommand, Word},
    tool::{Reading, Written},
    world::World,
    zone::Zone,
};

/// Most files of one copied or moved directory that are followed.
const MAX_FOLLOWED: usize = 1000;

/// Files that the line changes, in its order.
pub(crate) fn files(reading: &Reading, taints: &[Taint], world: &World, ledger: &Ledger) -> Vec<Written> {
    let mut files: Vec<Written> = Vec::new();
    for (n, (command, effects)) in reading.commands.iter().zip(&reading.per_command).enumerate() {
        let taint = taints.get(n).copied().unwrap_or_default();
        let provenance = if flow::is_download(effects, taint) { Provenance::Download } else { Provenance::Agent };
        let name = command.name();
        if provenance == Provenance::Download {
            files.extend(
                unpacked(&name, command, effects, world)
                    .map(|path| Written { is_directory: true, ..Written::of(&path, None) }),
            );
        }
        // A mode or a date leaves the content as it is.
        if matches!(name.as_str(), "chmod" | "chown" | "touch" | "mkdir" | "gofmt" | "prettier" | "black") {
            continue;
        }
        if name == "sed" && replaces_words(command) {
            continue;
        }
        if matches!(name.as_str(), "cp" | "mv" | "ln" | "install" | "link") {
            transferred(command, world, ledger, &mut files);
        }
        // A list of files is known in part only; a here-document is known whole, whatever stands in it.
        let printed = shell::printed(command)
            .filter(Word::is_known)
            .filter(|word| !word.text.contains("/**") || shell::is_verbatim(command));
        for effect in effects {
            let Effect::Writes { place, .. } = effect else { continue };
            if !place.known
                || place.glob
                || !is_followed(place, world)
                || files.iter().any(|file| file.path == place.path && file.is_directory)
            {
                continue;
            }
            let mut file = Written { provenance, is_secret: taint.secret, ..Written::of(&place.path, None) };
            file.content = printed.as_ref().map(|word| word.text.clone());
            if appends(command, place, world) {
                let before = latest(&place.path, &files, ledger);
                file.is_secret |= before.as_ref().is_some_and(|before| before.is_secret);
                file.content = match before {
                    Some(before) => {
                        if before.provenance == Provenance::Download {
                            file.provenance = Provenance::Download;
                        }
                        before.content.zip(file.content).map(|(old, new)| format!("{old}\n{new}"))
                    }
                    // What the repository had before is not of this run.
                    None => file.content,
                };
            } else if files.iter().any(|other| other.path == place.path)
                && file.content.is_none()
                && matches!(name.as_str(), "cp" | "mv" | "ln" | "install")
            {
                // Told apart above, with its content.
                continue;
            }
            files.push(file);
        }
    }
    files
}

fn is_followed(place: &Place, world: &World) -> bool {
    match place.zone(world) {
        Zone::Worktree | Zone::Tmp | Zone::Home | Zone::Cache | Zone::Disk | Zone::HandOff => true,
        Zone::Unknown
        | Zone::Discard
        | Zone::Gate
        | Zone::AgentSettings
        | Zone::GitInternals
        | Zone::Startup
        | Zone::Escape
        | Zone::Device
        | Zone::SystemCore
        | Zone::Logs
        | Zone::System => false,
    }
}

fn appends(command: &SimpleCommand, place: &Place, world: &World) -> bool {
    let tee =
        command.name() == "tee" && command.args().iter().any(|word| matches!(word.text.as_str(), "-a" | "--append"));
    tee || command.redirects.iter().any(|redirect| {
        redirect.kind == RedirectKind::Append && program::place(&redirect.target, command, world).path == place.path
    })
}

/// What is known of a file at this point of the line.
fn latest(path: &str, files: &[Written], ledger: &Ledger) -> Option<Written> {
    if let Some(file) = files.iter().rev().find(|file| file.path == path && !file.is_directory) {
        return Some(file.clone());
    }
    let file = ledger.file(path)?;
    Some(Written {
        path: path.to_owned(),
        provenance: file.provenance,
        content: file.content.clone(),
        is_secret: file.is_secret,
        concern: file.concern.clone(),
        is_directory: false,
    })
}

/// Copies, moves and links take with them what is known of their sources.
fn transferred(command: &SimpleCommand, world: &World, ledger: &Ledger, files: &mut Vec<Written>) {
    let args = Args::parse(command.args(), &["-t", "--target-directory", "-m", "-o", "-g", "-S"]);
    let mut operands: Vec<&Word> = args.operands.clone();
    let Some(target) = args.values(&["-t", "--target-directory"]).next().or_else(|| operands.pop()) else { return };
    let target = program::place(target, command, world);
    if !target.known || !is_followed(&target, world) {
        return;
    }
    for source in operands {
        let source = program::place(source, command, world);
        let name = source.path.rsplit('/').next().unwrap_or_default();
        // Whether the target is a directory is not known here: both names are taken.
        let names = [target.path.clone(), format!("{}/{name}", target.path.trim_end_matches('/'))];
        let is_secret = crate::secret::secrecy(&source).is_some();
        let whole = latest(&source.path, files, ledger);
        let below: Vec<(String, Written)> = ledger
            .files_below(&source.path)
            .filter(|(path, _)| path.len() > source.path.len())
            .take(MAX_FOLLOWED)
            .filter_map(|(path, _)| Some((path[source.path.len()..].to_owned(), latest(path, files, ledger)?)))
            .collect();
        let is_unpacked = whole.is_none() && ledger.was_downloaded(&source.path);
        for to in &names {
            let mut file = whole.clone().unwrap_or_else(|| Written::of(to, None));
            file.path.clone_from(to);
            file.is_secret |= is_secret;
            if is_unpacked {
                file.provenance = Provenance::Download;
            }
            files.push(file);
            files.extend(below.iter().map(|(rest, file)| Written { path: format!("{to}{rest}"), ..file.clone() }));
        }
    }
}

/// The directory that a download or an archive from outside fills.
fn unpacked(name: &str, command: &SimpleCommand, effects: &[Effect], world: &World) -> Option<String> {
    if let Some(place) = flow::cloned(command, effects, world) {
        return Some(place.path).filter(|path| !is_root(path, world));
    }
    if !matches!(name, "tar" | "bsdtar" | "gtar" | "unzip" | "7z" | "7za") {
        return None;
    }
    let into = effects.iter().filter_map(Effect::written).find(|place| place.known)?.path.clone();
    if !is_root(&into, world) {
        return Some(into);
    }
    // An archive usually fills a directory of its own name.
    let archive = effects.iter().find_map(Effect::read)?.path.rsplit('/').next()?;
    let stem = archive.split(".tar").next().unwrap_or(archive).trim_end_matches(".tgz").trim_end_matches(".zip");
    (!stem.is_empty()).then(|| format!("{}/{stem}", into.trim_end_matches('/')))
}

fn is_root(path: &str, world: &World) -> bool {
    [world.worktree.as_str(), world.tmp.as_str(), world.home.as_str(), "/"].contains(&path)
}

/// True for `sed -i 's/a/b/'` where each replacement is one word, such as a version: what a file runs stays as it was.
fn replaces_words(command: &SimpleCommand) -> bool {
    let mut scripts = 0;
    for word in command.args() {
        let Some(rest) = word.text.strip_prefix('s').filter(|_| word.is_known()) else { continue };
        let Some(mark) = rest.chars().next().filter(|mark| matches!(mark, '/' | '#' | '|' | ',' | '@')) else {
            continue;
        };
        scripts += 1;
        let parts: Vec<&str> = rest[1..].split(mark).collect();
        let [_, new, flags] = parts.as_slice() else { return false };
        let new = new.replace("\\.", ".").replace(": ", ":").replace(" = ", "=");
        let is_word = new
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '"' | '\'' | ':' | '=' | '^' | ','));
        if !is_word || !flags.chars().all(|c| matches!(c, 'g' | 'i' | 'I') || c.is_ascii_digit()) {
            return false;
        }
    }
    // Scripts of another kind, from files or by `-e`, are not read.
    let others = command
        .args()
        .iter()
        .any(|word| word.text.contains(';') || matches!(word.text.as_str(), "-f" | "-n" | "--file"));
    scripts == 1 && !others && command.args().iter().filter(|word| word.text == "-e").count() <= 1
}

/// The remote that a command adds or points elsewhere.
pub(crate) fn changed_remote(command: &SimpleCommand) -> Option<String> {
    if command.name() != "git" {
        return None;
    }
    let words: Vec<&str> = command.args().iter().map(|word| word.text.as_str()).collect();
    let at = words.iter().position(|word| matches!(*word, "remote" | "config"))?;
    let rest: Vec<&str> = words[at + 1..].iter().copied().filter(|word| !word.starts_with('-')).collect();
    match (words[at], rest.as_slice()) {
        ("remote", ["add" | "set-url" | "rename" | "rm" | "remove", name, ..]) => Some((*name).to_owned()),
        ("config", rest) => rest.iter().find_map(|word| {
            let name = word.strip_prefix("remote.")?;
            let name = name.split_once('=').map_or(name, |(name, _)| name);
            name.strip_suffix(".url").or_else(|| name.strip_suffix(".pushurl")).map(str::to_owned)
        }),
        _ => None,
    }
}
