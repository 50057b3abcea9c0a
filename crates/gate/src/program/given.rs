//! Programs that do nothing worth a decision by themselves: one that is given a store of credentials by name reads it all the
//! same, as a list of hosts, a batch of commands, a library of functions, and shows it in its output or its errors.

use super::place;
use crate::{
    effect::Effect,
    secret::{Secrecy, secrecy},
    shell::{SimpleCommand, Word},
    world::World,
};

/// Families whose quiet members take files to read.
#[rustfmt::skip]
const TAKES_FILES: &[&str] = &[
    "bc", "units", "factor", "arp", "dmesg", "ip", "ss", "netstat", "ifconfig", "route", "iwconfig", "sysctl",
    "journalctl", "man", "info", "tput", "infocmp", "dircolors", "cowsay", "figlet", "lolcat", "last", "lastlog", "who",
    "uptime", "blkid", "lsblk", "dmidecode", "sensors", "modinfo", "lspci", "top", "free", "tabs", "toe", "locale",
    "pkg-config", "pkgconf", "sar", "cal", "fortune", "tldr", "w", "users", "mtr", "resolvectl",
];

/// Programs to which a word is text or a pattern, whatever it looks like, or that only tell about the file of that name.
#[rustfmt::skip]
const TEXT: &[&str] = &[
    "grep", "egrep", "fgrep", "zgrep", "rg", "rgrep", "ugrep", "ag", "ack", "find", "gfind", "fd", "fdfind", "jq",
    "awk", "gawk", "mawk", "nawk", "sed", "gsed", "chmod", "chown", "chgrp", "kill", "source", ".",
];
/// Options whose value is a file that is written.
#[rustfmt::skip]
const OUTPUTS: [&str; 10] = [
    "-o", "-O", "-w", "--output", "--out", "--outfile", "--output-file", "--output-document", "--log-file", "--logfile",
];

/// Stores and files that take effect by being there, given to a program in whatever form.
pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    if name == "git" || super::inert::is_inert(name) && !TAKES_FILES.contains(&name) {
        return Vec::new();
    }
    let is_text = TEXT.contains(&name);
    let mut effects = stores(name, command, world);
    let mut before = "";
    for word in command.args() {
        let own = (!is_text && word.text.starts_with('/')).then(|| word.clone());
        let is_output = own.is_none() || OUTPUTS.contains(&before);
        before = &word.text;
        let Some(path) = own.or_else(|| glued(word)) else { continue };
        let place = place(&path, command, world);
        if is_output && super::unknown::is_trigger(&place) {
            effects.push(Effect::Writes { place, empties: false });
        } else if place.path.starts_with("/etc/") && secrecy(&place) == Some(Secrecy::Certain) {
            effects.push(Effect::Reads(place));
        }
    }
    effects
}

/// The path at the end of an option's own word: `-f/etc/x`, `--file=/etc/x`, `@/etc/x`.
fn glued(word: &Word) -> Option<Word> {
    let text = word.text.as_str();
    let path = match (text.strip_prefix("--"), text.strip_prefix('-'), text.strip_prefix('@')) {
        (Some(long), _, _) => long.split_once('=').map(|(_, path)| path)?,
        (None, Some(short), _) => short.trim_start_matches(|c: char| c.is_ascii_alphabetic()).trim_start_matches('='),
        (None, None, Some(path)) => path,
        (None, None, None) => return None,
    };
    path.starts_with('/').then(|| Word { text: path.to_owned(), ..word.clone() })
}

/// The stores that a quiet program is given.
fn stores(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    if !TAKES_FILES.contains(&name) {
        return Vec::new();
    }
    let named = |word: &Word| {
        let path = word.text.split_once('=').map_or(word.text.as_str(), |(_, value)| value);
        let is_path = path.starts_with(['/', '~']) || path.starts_with("../");
        is_path.then(|| place(&Word { text: path.to_owned(), ..word.clone() }, command, world))
    };
    command
        .args()
        .iter()
        .filter_map(named)
        .filter(|place| secrecy(place) == Some(Secrecy::Certain))
        .map(Effect::Reads)
        .collect()
}
