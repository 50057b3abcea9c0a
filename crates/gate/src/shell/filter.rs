//! Filters whose output is told from what they are fed: the pieces of a text that can be code again.

use super::{command::SimpleCommand, decode};
use crate::args::Args;

/// What a filter prints of a known text; none for what is not followed.
pub(super) fn filtered(command: &SimpleCommand, text: &str) -> Option<String> {
    let args = command.args();
    let plain = |name: &str| args.iter().all(|word| word.text.starts_with('-') || name == "tee");
    match command.name().as_str() {
        "cat" | "tee" | "stdbuf" | "unbuffer" | "pv" => plain(&command.name()).then(|| text.to_owned()),
        "head" | "tail" => {
            let parsed = Args::parse(args, &["-n", "-c", "--lines", "--bytes"]);
            // `-3` is a count too.
            let short = args.iter().find_map(|word| word.text.strip_prefix('-')?.parse::<usize>().ok());
            let count = parsed.values(&["-n", "--lines"]).next().map(|word| word.text.clone());
            let count = count.or(short.map(|n| n.to_string())).unwrap_or_else(|| "10".to_owned());
            if parsed.has(&["-c", "--bytes"]) || !(parsed.operands.is_empty() || short.is_some()) {
                return None;
            }
            let lines: Vec<&str> = text.lines().collect();
            let from_start = count.strip_prefix('+').and_then(|n| n.parse::<usize>().ok());
            let kept: &[&str] = match (command.name() == "head", from_start) {
                (true, _) => lines.get(..count.parse::<usize>().ok()?.min(lines.len()))?,
                (false, Some(from)) => lines.get(from.saturating_sub(1)..).unwrap_or_default(),
                (false, None) => lines.get(lines.len().saturating_sub(count.parse::<usize>().ok()?)..)?,
            };
            Some(kept.join("\n"))
        }
        "cut" => {
            let parsed = Args::parse(args, &["-c", "-d", "-f", "-b", "--characters"]);
            let range = &parsed.values(&["-c", "-b", "--characters"]).next()?.text;
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            let from = if from.is_empty() { 1 } else { from.parse::<usize>().ok()?.max(1) };
            let to = if to.is_empty() { usize::MAX } else { to.parse::<usize>().ok()? };
            let cut = |line: &str| line.chars().skip(from - 1).take(to.saturating_sub(from - 1)).collect::<String>();
            Some(text.lines().map(cut).collect::<Vec<_>>().join("\n"))
        }
        "sed" => {
            let [script] = args else { return None };
            let (old, new, flags) = crate::replaced::fields(&script.text)?;
            let is_literal =
                !old.contains(['.', '*', '[', '^', '$', '\\']) && !new.contains(['&', '\\']) && !old.is_empty();
            if !is_literal || text.len().saturating_mul(new.len().max(1)) > 1 << 20 {
                return None;
            }
            Some(match flags.as_str() {
                "g" => text.replace(&old, &new),
                "" => text.lines().map(|line| line.replacen(&old, &new, 1)).collect::<Vec<_>>().join("\n"),
                _ => return None,
            })
        }
        "gunzip" | "zcat" | "gzcat" | "pigz" | "zlib-flate" => decode::inflate(text),
        "gzip" if args.iter().any(|word| word.text.starts_with('-') && word.text.contains('d')) => {
            decode::inflate(text)
        }
        _ => None,
    }
}
