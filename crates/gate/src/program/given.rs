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

/// The stores that a quiet program is given.
pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
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
