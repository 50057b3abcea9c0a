//! `sed`: edits text, and can run programs and write files.

use super::{reads, writes};
use crate::{
    args::Args,
    effect::Effect,
    shell::{SimpleCommand, Word},
    world::World,
};

pub(super) fn effects(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(command.args(), &["-e", "-f", "-l", "--expression", "--file"]);
    let scripts: Vec<_> = args.values(&["-e", "--expression"]).collect();
    let skip = usize::from(scripts.is_empty() && !args.has(&["-f", "--file"]));
    let script: Vec<_> = scripts.into_iter().chain(args.operands.iter().take(skip).copied()).collect();
    // BSD's `-i ''` leaves an empty operand behind.
    let in_place = args.options.iter().any(|(name, _)| name == "-i" || name.starts_with("--in-place"));
    let files: Vec<_> = args.operands.iter().skip(skip).copied().filter(|word| !word.text.is_empty()).collect();
    // `d` alone leaves nothing of a file.
    let empties = in_place && script.iter().any(|word| matches!(word.text.trim(), "d" | "1,$d" | "1,$ d"));
    let mut effects = match (in_place, empties) {
        (true, true) => files
            .iter()
            .map(|word| Effect::Writes { place: super::place(word, command, world), empties: true })
            .collect(),
        (true, false) => writes(&files, command, world),
        (false, _) => reads(&files, command, world),
    };
    for word in script {
        for part in word.text.split([';', '\n', '{', '}']).filter_map(named) {
            effects.extend(named_effects(&part, command, world));
        }
        effects.extend(sed_script(&word.text).map(|why| Effect::Unverifiable(why.to_owned())));
        if !word.is_known() {
            effects.push(Effect::Unverifiable("part of the sed script is not known".to_owned()));
        }
    }
    if args.has(&["-f", "--file"]) {
        effects.push(Effect::Unverifiable("a sed script from a file".to_owned()));
    }
    effects
}

/// What a part of a script names: a command to run, or a file.
enum Named {
    Runs(String),
    Writes(String),
    Reads(String),
}

/// `1e cmd`, `w file`, `r file`, also after an address or as flags of a substitution.
fn named(part: &str) -> Option<Named> {
    let part =
        part.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ',' | '$' | '!' | ' ' | '~' | '+' | '\t'));
    let tail = if part.starts_with(['s', '/', '\\']) {
        part.rsplit(['/', '|', '#', ',']).next().unwrap_or_default()
    } else {
        part
    };
    // `s/x/y/w /path` holds the path's own slashes.
    let tail = part.find("/w ").filter(|_| part.starts_with(['s', '/'])).map_or(tail, |at| &part[at + 1..]);
    let (verb, rest) = tail.trim_start().split_once(' ')?;
    let rest = rest.trim().to_owned();
    match verb {
        _ if rest.is_empty() => None,
        "e" => Some(Named::Runs(rest)),
        "w" | "W" | "gw" | "pw" => Some(Named::Writes(rest)),
        "r" | "R" => Some(Named::Reads(rest)),
        _ => None,
    }
}

fn named_effects(named: &Named, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    match named {
        Named::Runs(code) => super::interpreters::nested(&Word::literal(code), command, world),
        Named::Writes(file) => writes(&[&Word::literal(file)], command, world),
        Named::Reads(file) => reads(&[&Word::literal(file)], command, world),
    }
}

/// `e` runs commands, `w` and `r` name files.
fn sed_script(script: &str) -> Option<&'static str> {
    for part in script.split([';', '\n', '{', '}']) {
        let part = part
            .trim()
            .trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ',' | '$' | '!' | ' ' | '~' | '+'));
        if matches!(part.chars().next(), Some('e' | 'w' | 'W' | 'r' | 'R')) {
            return Some("a sed script that runs a program or names a file");
        }
        // The flags after a substitution.
        let flags = part.rsplit(['/', '|', '#', ',', '@', ':', '!', '%', '~']).next().unwrap_or_default();
        let is_substitution =
            part.contains("s/") || part.contains("s|") || part.contains("s#") || part.starts_with('s');
        let is_flags = flags.len() <= 4
            && flags.bytes().all(|b| matches!(b, b'g' | b'p' | b'i' | b'I' | b'e' | b'w' | b'm' | b'M' | b'0'..=b'9'));
        if is_substitution && ((is_flags && flags.contains(['e', 'w'])) || flags.starts_with("w ")) {
            return Some("a sed substitution that runs a program or writes a file");
        }
        // `/re/e` and `/re/w file` after an address.
        let tail = part.rsplit('/').next().unwrap_or_default();
        if part.starts_with('/')
            && (tail.trim_start().starts_with("w ") || tail.trim() == "e" || tail.trim_start().starts_with("e "))
        {
            return Some("a sed address that runs a program or writes a file");
        }
    }
    None
}
