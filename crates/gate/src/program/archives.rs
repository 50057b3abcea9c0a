//! Archives and converters: they read files and make others beside them.

use super::{place, reads, writes};
use crate::{
    args::Args,
    effect::Effect,
    shell::{SimpleCommand, Word},
    world::World,
};

/// Packers of single files and of zip archives.
pub(super) fn packed(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    let words = command.args();
    Some(match name {
        "zip" | "gzip" | "gunzip" | "bzip2" | "xz" | "unxz" | "zstd" | "bunzip2" => {
            let args = Args::parse(words, &["-x", "-i", "-T"]);
            let keeps = args.has(&["-c", "--stdout", "-t", "-l", "--test", "--list"]);
            let mut effects = reads(&args.operands, command, world);
            if !keeps {
                effects.extend(writes(&args.operands, command, world));
            }
            if name == "zip" && args.has(&["-m", "--move"]) {
                effects.extend(args.operands.iter().skip(1).map(|word| Effect::Deletes {
                    place: place(word, command, world),
                    recursive: args.has(&["-r", "--recurse-paths"]),
                }));
            }
            let runs = args.has(&["-TT", "--unzip-command"]) || (name == "zip" && args.has(&["-T"]));
            effects.extend(runs.then(|| Effect::Unverifiable("zip runs a program".to_owned())));
            effects
        }
        "unzip" => {
            let args = Args::parse(words, &["-d", "-x"]);
            let mut effects = reads(&args.operands.iter().take(1).copied().collect::<Vec<_>>(), command, world);
            if !args.has(&["-l", "-t", "-p", "-Z", "-v"]) {
                let here = Word::literal(".");
                let target = args.values(&["-d"]).next().unwrap_or(&here);
                effects.extend(writes(&[target], command, world));
            }
            effects
        }
        _ => return None,
    })
}

pub(super) fn tar(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    #[rustfmt::skip]
    const VALUED: [&str; 12] = [
        "-f", "-C", "-T", "-X", "--file", "--directory", "--exclude", "-I", "--use-compress-program", "--to-command",
        "--checkpoint-action", "-g",
    ];
    // The first word may be a bundle of options without a dash.
    let mut words = command.args().to_vec();
    if let Some(first) = words.first_mut()
        && !first.text.starts_with('-')
    {
        first.text.insert(0, '-');
    }
    let args = Args::parse(&words, &VALUED);
    let mut effects = Vec::new();
    if args.has(&[
        "-I",
        "--use-compress-program",
        "--to-command",
        "--checkpoint-action",
        "--rsh-command",
        "-F",
        "--info-script",
    ]) {
        for word in args.values(&["-I", "--use-compress-program", "--to-command", "--checkpoint-action"]) {
            let code = Word { text: word.text.trim_start_matches("exec=").to_owned(), ..word.clone() };
            effects.extend(super::interpreters::nested(&code, command, world));
        }
        effects.push(Effect::Unverifiable("tar runs a program".to_owned()));
    }
    let archive: Vec<_> = args.values(&["-f", "--file"]).filter(|word| word.text != "-").collect();
    if archive.iter().any(|word| word.text.contains(':')) {
        effects.push(Effect::Unverifiable("tar to another host".to_owned()));
    }
    let here = Word::literal(".");
    if args.has(&["-c", "--create", "-r", "-u"]) {
        effects.extend(reads(&args.operands, command, world));
        effects.extend(writes(&archive, command, world));
        if args.has(&["--remove-files"]) {
            effects.extend(
                args.operands
                    .iter()
                    .map(|word| Effect::Deletes { place: place(word, command, world), recursive: true }),
            );
        }
    } else if args.has(&["-x", "--extract", "--get"]) {
        effects.extend(reads(&archive, command, world));
        if !args.has(&["-O", "--to-stdout"]) {
            let target = args.values(&["-C", "--directory"]).next().unwrap_or(&here);
            effects.extend(writes(&[target], command, world));
        }
        if args.has(&["-P", "--absolute-names"]) {
            effects.push(Effect::Unverifiable("the archive may write anywhere".to_owned()));
        }
    } else {
        effects.extend(reads(&archive, command, world));
    }
    effects
}

/// Programs that change the files they name, or make new ones beside them.
pub(super) fn converts(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    let args = Args::parse(
        command.args(),
        &["-o", "-O", "--output", "-f", "-t", "--to-code", "--from-code", "-n", "-quality", "-resize", "-d"],
    );
    if name == "rimraf" {
        return Some(
            args.operands
                .iter()
                .map(|word| Effect::Deletes { place: place(word, command, world), recursive: true })
                .collect(),
        );
    }
    let mut effects = reads(&args.operands, command, world);
    if name.starts_with("7z") && command.args().iter().any(|word| word.text == "-sdel") {
        effects.extend(
            args.operands
                .iter()
                .skip(2)
                .map(|word| Effect::Deletes { place: place(word, command, world), recursive: true }),
        );
    }
    let targets: Vec<&Word> = args.values(&["-o", "-O", "--output"]).collect();
    // These print, or pack and unpack below where they are.
    let prints = matches!(name, "shuf" | "iconv") || (matches!(name, "exiftool") && !command.text().contains('='));
    if name == "rename" || name == "prename" || name == "mmv" {
        // Perl's `rename` takes code, of which only a substitution is understood.
        let code = args.operands.first().map(|word| word.text.as_str()).unwrap_or_default();
        let plain = ["s/", "y/", "tr/", "s|", "s#"].iter().any(|start| code.starts_with(start)) && !code.ends_with('e');
        let simple = plain || !code.contains([';', '`', '(']);
        effects.extend((!simple).then(|| Effect::Unverifiable("rename runs code".to_owned())));
        effects.extend(writes(&args.operands.iter().skip(1).copied().collect::<Vec<_>>(), command, world));
    } else if !prints {
        effects.extend(writes(&args.operands, command, world));
        effects.extend(writes(&[&Word::literal(".")], command, world));
    }
    effects.extend(writes(&targets, command, world));
    effects.extend(super::unknown::mentioned(command, world));
    if name == "cpio" && args.has(&["-i", "--extract", "-p"]) {
        effects.push(Effect::Unverifiable("the archive may write anywhere".to_owned()));
    }
    Some(effects)
}
