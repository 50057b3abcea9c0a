//! Commands that fill a disk or take the whole machine: sources without an end that are written somewhere, and sizes that no
//! task needs.

use super::place;
use crate::{
    args::Args,
    effect::{Effect, Finding},
    shell::{RedirectKind, SimpleCommand, Word},
    world::World,
    zone::Zone,
};
use types::catalogue::RuleId;

/// The largest file that one command may make without a question, in bytes.
const LARGEST: u64 = 8 << 30;
/// Files that never end.
const ENDLESS: [&str; 4] = ["/dev/zero", "/dev/urandom", "/dev/random", "/dev/full"];

/// What speaks against the command's size.
pub(super) fn effects(command: &SimpleCommand, world: &World) -> Option<Effect> {
    let name = command.name();
    let args = command.args();
    let is_endless = |word: &Word| ENDLESS.contains(&place(word, command, world).path.as_str());
    let reads_endless = args.iter().any(|word| word.text.contains("/dev/") && is_endless(word));
    let lands = command.redirects.iter().any(|redirect| {
        redirect.kind != RedirectKind::Read && place(&redirect.target, command, world).zone(world) != Zone::Discard
    });
    let size = |names: &[&str]| Args::parse(args, names).values(names).filter_map(|word| bytes(&word.text)).max();
    let is_filling = match name.as_str() {
        "yes" => lands,
        "cat" | "tee" | "base64" | "xxd" | "od" | "gzip" | "tr" => reads_endless && lands,
        "tail" => reads_endless,
        "cp" => args.first().is_some_and(is_endless),
        "head" => lands && size(&["-c", "--bytes"]) > Some(LARGEST),
        "fallocate" | "mkfile" | "xfs_mkfile" => {
            size(&["-l", "--length"]) > Some(LARGEST) || args.iter().any(|word| bytes(&word.text) > Some(LARGEST))
        }
        "truncate" => size(&["-s", "--size"]) > Some(LARGEST),
        "dd" => is_endless_copy(command, world),
        "stress" | "stress-ng" => true,
        _ => return None,
    };
    is_filling.then(|| {
        let reason = "fills the disk or takes the whole machine";
        Finding::refused(RuleId::ResourceAbuse, reason, "make only what the task needs, with a size").into()
    })
}

/// `dd` from a source without an end into a file, without a count or with one that is too large.
fn is_endless_copy(command: &SimpleCommand, world: &World) -> bool {
    let value = |key: &str| command.args().iter().find_map(|word| word.text.strip_prefix(key));
    let lands =
        value("of=").is_none_or(|path| place(&Word::literal(path), command, world).zone(world) != Zone::Discard);
    let is_endless =
        value("if=").is_some_and(|path| ENDLESS.contains(&place(&Word::literal(path), command, world).path.as_str()));
    let block = value("bs=").map_or(Some(512), bytes);
    let total = value("count=").map(|count| bytes(count).zip(block).map(|(count, block)| count.saturating_mul(block)));
    is_endless
        && lands
        && (value("of=").is_some() || !command.redirects.is_empty())
        && !matches!(total, Some(Some(size)) if size <= LARGEST)
}

/// A size as `10G`, `500MB`, `4096`; none when it is no size.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim_start_matches(['+', '-', '<', '>', '%', '/']);
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..end].parse().ok()?;
    let unit = match text[end..].chars().next().map(|c| c.to_ascii_uppercase()) {
        None | Some('B' | 'C') => 1,
        Some('W') => 2,
        Some('K') => 1 << 10,
        Some('M') => 1 << 20,
        Some('G') => 1 << 30,
        Some('T') => 1 << 40,
        Some('P') => 1 << 50,
        Some('E') => 1 << 60,
        Some(_) => return None,
    };
    Some(number.saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell;

    fn fills(line: &str) -> bool {
        let world = World::default();
        let line = shell::read(line, "/workspace", &world).expect("readable");
        line.commands.iter().any(|command| effects(command, &world).is_some())
    }

    #[test]
    fn what_fills_a_disk_and_its_twins() {
        for line in [
            "yes > f",
            "cat /dev/zero > f",
            "dd if=/dev/zero of=f",
            "dd if=/dev/urandom of=f bs=1G count=100",
            "fallocate -l 2T f",
            "fallocate -l2000G f",
            "truncate -s 100T f",
            "head -c 900G /dev/urandom > f",
            "tail -f /dev/zero",
            "cp /dev/zero f",
        ] {
            assert!(fills(line), "{line}");
        }
        for line in [
            "yes | head -n 3 > f",
            "yes > /dev/null",
            "dd if=/dev/zero of=f bs=1M count=10",
            "dd if=/dev/zero bs=1M of=/dev/null",
            "fallocate -l 10M f",
            "truncate -s 0 f",
            "head -c 32 /dev/urandom > key",
            "cat /dev/urandom | head -c 10",
        ] {
            assert!(!fills(line), "{line}");
        }
    }
}
