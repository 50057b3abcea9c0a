//! Programs that create, move, change and delete files.

use super::{archives, place, reads, writes};
use crate::{
    args::Args,
    effect::{Effect, Finding},
    shell::{SimpleCommand, Stdin, Word},
    world::World,
};
use types::catalogue::RuleId;

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    let words = command.args();
    Some(match name {
        "rm" | "unlink" | "trash" | "del" | "srm" => remove(command, world),
        // It removes empty directories only.
        "rmdir" => writes(&operands(words, &[]), command, world),
        "shred" | "wipe" => shred(command, world),
        "mkdir" => writes(&operands(words, &["-m", "--mode"]), command, world),
        "touch" => touch(command, world),
        "mktemp" => Vec::new(),
        "cp" | "install" | "ditto" => copy(command, world),
        "mv" => moved(command, world),
        "ln" | "link" => link(command, world),
        "tee" => {
            let empties = matches!(&command.stdin, Stdin::Text(text) if text.text.is_empty());
            let targets = operands(words, &[]).into_iter();
            targets.map(|word| Effect::Writes { place: place(word, command, world), empties }).collect()
        }
        "truncate" => {
            let args = Args::parse(words, &["-s", "--size", "-r"]);
            let empties = args.values(&["-s", "--size"]).any(|word| word.text == "0");
            args.operands.iter().map(|word| Effect::Writes { place: place(word, command, world), empties }).collect()
        }
        "chmod" => chmod(command, world),
        "chown" | "chgrp" => chown(command, world),
        "dd" => dd(command, world),
        "split" | "csplit" => {
            let args = Args::parse(words, &["-b", "-l", "-n", "-a", "-C", "--additional-suffix"]);
            let mut effects = reads(&args.operands.iter().take(1).copied().collect::<Vec<_>>(), command, world);
            effects.extend(writes(&args.operands.iter().skip(1).take(1).copied().collect::<Vec<_>>(), command, world));
            effects.extend(args.has(&["--filter"]).then(|| Effect::Unverifiable("split runs a program".to_owned())));
            effects
        }
        "tar" | "bsdtar" | "gtar" => archives::tar(command, world),
        "zip" | "gzip" | "gunzip" | "bzip2" | "xz" | "unxz" | "zstd" | "bunzip2" | "unzip" => {
            return archives::packed(name, command, world);
        }
        "shuf" | "iconv" | "sponge" | "cpio" | "pax" | "7z" | "7za" | "7zz" | "unrar" | "dos2unix" | "unix2dos"
        | "fromdos" | "todos" | "rename" | "prename" | "mmv" | "pdftk" | "qpdf" | "ps2pdf" | "pdfunite"
        | "pdfseparate" | "mogrify" | "optipng" | "pngquant" | "jpegoptim" | "cwebp" | "dwebp" | "gifsicle"
        | "oxipng" | "rsvg-convert" | "sox" | "lame" | "exiftool" | "patchelf" | "install_name_tool" | "rimraf" => {
            return archives::converts(name, command, world);
        }
        "patch" => {
            let args = Args::parse(words, &["-i", "-d", "-o", "--input", "--directory"]);
            let mut effects = reads(&args.values(&["-i", "--input"]).collect::<Vec<_>>(), command, world);
            let here = Word::literal(".");
            effects.extend(writes(&[args.operands.first().copied().unwrap_or(&here)], command, world));
            effects.push(Effect::Unverifiable("which files the patch changes is not known".to_owned()));
            effects
        }
        "rsync" => rsync(command, world),
        _ => return None,
    })
}

fn operands<'a>(words: &'a [Word], valued: &[&str]) -> Vec<&'a Word> {
    Args::parse(words, valued).operands
}

fn remove(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(command.args(), &[]);
    let recursive = args.has(&["-r", "-R", "--recursive"]) || command.name() == "trash";
    let mut effects: Vec<Effect> =
        args.operands.iter().map(|word| Effect::Deletes { place: place(word, command, world), recursive }).collect();
    if args.has(&["--no-preserve-root"]) {
        effects.push(
            Finding::forbidden(
                RuleId::MassDeletion,
                "switches off the protection of the root directory",
                "delete named paths in the work tree",
            )
            .into(),
        );
    }
    effects
}

fn shred(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(command.args(), &["-n", "-s"]);
    args.operands.iter().map(|word| Effect::Deletes { place: place(word, command, world), recursive: true }).collect()
}

/// Times taken from a program of the system make a file look as if it had always been there.
fn touch(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(command.args(), &["-d", "-t", "-r", "--date", "--reference"]);
    let mut effects = writes(&args.operands, command, world);
    let as_old = args.values(&["-r", "--reference"]).any(|word| {
        let path = place(word, command, world).path;
        ["/bin/", "/sbin/", "/usr/", "/etc/", "/lib"].iter().any(|dir| path.starts_with(dir))
    });
    let reason = "gives a file the times of a file of the system";
    effects.extend(as_old.then(|| Finding::questioned(RuleId::SafetyRegression, reason).into()));
    effects
}

/// Sources and target of `cp` and `mv`.
fn transfer<'a>(args: &'a Args<'a>) -> (Vec<&'a Word>, Option<&'a Word>) {
    if let Some(target) = args.values(&["-t", "--target-directory"]).next() {
        return (args.operands.clone(), Some(target));
    }
    match args.operands.split_last() {
        Some((target, sources)) => (sources.to_vec(), Some(target)),
        None => (Vec::new(), None),
    }
}

/// The target of a transfer, as the file that appears: into a directory it keeps its name.
fn into(target: &Word, source: &Word, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let mut all = vec![Effect::Writes { place: place(target, command, world), empties: false }];
    let name = source.text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if target.is_known() && !name.is_empty() && name != "." && name != ".." {
        let inside = Word { text: format!("{}/{name}", target.text), ..source.clone() };
        let place = place(&inside, command, world);
        // Only when a file of that name would matter more than the directory it lands in.
        let zone = place.zone(world);
        if zone != crate::zone::Zone::Worktree && zone != crate::zone::Zone::Tmp && zone != crate::zone::Zone::Unknown {
            all.push(Effect::Writes { place, empties: false });
        }
    }
    all
}

fn copy(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(
        command.args(),
        &["-t", "--target-directory", "-m", "-o", "-g", "--mode", "--owner", "--group", "-S"],
    );
    let (sources, target) = transfer(&args);
    let mut effects = reads(&sources, command, world);
    if let Some(target) = target {
        effects.extend(sources.iter().flat_map(|source| into(target, source, command, world)));
        let place = place(target, command, world);
        if sources.iter().any(|source| source.text == "/dev/null") {
            effects.push(Effect::Writes { place, empties: true });
        }
    }
    effects.extend(args.values(&["-m", "--mode"]).filter(|mode| sets_id(&mode.text)).map(|_| setuid()));
    effects
}

fn moved(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(command.args(), &["-t", "--target-directory", "-S"]);
    let (sources, target) = transfer(&args);
    let mut effects = reads(&sources, command, world);
    for source in &sources {
        let from = place(source, command, world);
        // What stays below the work tree or the scratch directory is not lost.
        let recursive = from.path == world.worktree;
        if (from.is_critical(world) && !from.glob)
            || !matches!(from.zone(world), crate::zone::Zone::Worktree | crate::zone::Zone::Tmp)
        {
            effects.push(Effect::Deletes { place: from, recursive });
        }
        if let Some(target) = target {
            effects.extend(into(target, source, command, world));
        }
    }
    if target.is_some_and(|target| target.text == "/dev/null") {
        effects.extend(
            sources.iter().map(|source| Effect::Deletes { place: place(source, command, world), recursive: true }),
        );
    }
    effects
}

fn link(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(command.args(), &["-t", "--target-directory", "-S"]);
    let (sources, target) = transfer(&args);
    let mut effects = Vec::new();
    for source in &sources {
        // A link gives another name to what it points at; a later write would go through it.
        let points_at = place(source, command, world);
        let inside = points_at.is_in(&world.worktree) || (points_at.known && points_at.is_in(&world.tmp));
        let relative = !source.text.starts_with(['/', '~']) && !source.text.contains("..") && source.is_known();
        if !inside && !relative {
            effects.push(Effect::Unverifiable("a link that leads out of the work tree".to_owned()));
            effects.push(Effect::Reads(points_at));
        }
        effects.extend(target.iter().flat_map(|target| into(target, source, command, world)));
    }
    effects
}

/// True for a mode that makes a file run with its owner's or its group's rights: `4755`, `u+s`, `=xs`.
fn sets_id(mode: &str) -> bool {
    let digits = mode.strip_prefix('0').filter(|rest| rest.len() >= 4).unwrap_or(mode);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return digits.len() >= 4 && digits.starts_with(['2', '3', '4', '5', '6', '7']);
    }
    mode.split(',').any(|clause| {
        clause
            .split_once(['+', '='])
            .is_some_and(|(_, given)| given.split('-').next().is_some_and(|to| to.contains('s')))
    })
}

fn setuid() -> Effect {
    Finding::refused(RuleId::Privilege, "makes a file run with its owner's rights", "leave the file's mode as it is")
        .into()
}

fn chmod(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(command.args(), &["--reference"]);
    let mut effects = Vec::new();
    // `-x` and its like parse as options; they only take rights away.
    let modes = args.operands.first().map(|word| word.text.as_str()).unwrap_or_default();
    let skip = usize::from(!args.has(&["--reference", "-x", "-w", "-r"]));
    if sets_id(modes) {
        effects.push(setuid());
    }
    let open = matches!(modes, "777" | "0777" | "666" | "0666" | "a+w" | "a+rwx" | "o+w" | "ugo+rwx" | "o+rwx");
    if open {
        effects.push(Finding::questioned(RuleId::Privilege, "lets everyone write a file").into());
    }
    let recursive = args.has(&["-R", "--recursive"]);
    let takes_all = recursive
        && (matches!(modes, "0" | "00" | "000" | "0000") || modes.starts_with("a-") || modes.starts_with("ugo-"));
    for word in args.operands.iter().skip(skip) {
        let target = place(word, command, world);
        if takes_all && target.is_critical(world) {
            let reason = "takes away all rights to a whole tree";
            let instead = "change single files of the work tree";
            effects.push(Finding::refused(RuleId::MassDeletion, reason, instead).into());
        }
        if recursive && is_system_tree(&target) {
            effects.push(
                Finding::refused(
                    RuleId::Privilege,
                    "changes the rights of a whole system tree",
                    "change single files of the work tree",
                )
                .into(),
            );
        }
        effects.push(Effect::Writes { place: target, empties: false });
    }
    effects
}

/// The root and the trees that the system itself is made of.
fn is_system_tree(target: &crate::place::Place) -> bool {
    let path = target.path.trim_end_matches(['*', '/']);
    path.is_empty()
        || matches!(
            path,
            "/etc"
                | "/usr"
                | "/bin"
                | "/sbin"
                | "/lib"
                | "/lib64"
                | "/boot"
                | "/var"
                | "/root"
                | "/home"
                | "/dev"
                | "/proc"
                | "/sys"
                | "/opt"
                | "/usr/bin"
                | "/usr/lib"
                | "/usr/local"
                | "/var/log"
        )
}

fn chown(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(command.args(), &["--reference", "--from"]);
    let skip = usize::from(!args.has(&["--reference"]));
    let mut effects = writes(&args.operands.iter().skip(skip).copied().collect::<Vec<_>>(), command, world);
    let critical = |word: &&&Word| is_system_tree(&place(word, command, world));
    if args.has(&["-R", "--recursive"]) && args.operands.iter().skip(skip).find(critical).is_some() {
        effects.push(
            Finding::refused(
                RuleId::Privilege,
                "changes the owner of a whole system tree",
                "change single files of the work tree",
            )
            .into(),
        );
    }
    effects
}

fn dd(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let mut effects = Vec::new();
    for word in command.args() {
        if let Some(path) = word.text.strip_prefix("if=") {
            effects.push(Effect::Reads(place(&Word { text: path.to_owned(), ..word.clone() }, command, world)));
        } else if let Some(path) = word.text.strip_prefix("of=") {
            let empties = command.args().iter().any(|word| word.text == "if=/dev/null");
            effects.push(Effect::Writes {
                place: place(&Word { text: path.to_owned(), ..word.clone() }, command, world),
                empties,
            });
        }
    }
    effects
}

fn rsync(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(
        command.args(),
        &["-e", "--rsh", "--exclude", "--include", "--filter", "-f", "--rsync-path", "--exclude-from"],
    );
    let (sources, target) = transfer(&args);
    if args.has(&["-e", "--rsh", "--rsync-path"]) || args.operands.iter().any(|word| word.text.contains(':')) {
        let mut effects = reads(&sources, command, world);
        // The connection is made by a program that the line may name.
        let is_plain = |word: &&Word| matches!(word.text.split(' ').next(), Some("ssh" | "rsh" | "/usr/bin/ssh"));
        let made_by = args.values(&["-e", "--rsh"]).filter(|word| !is_plain(word));
        effects.extend(made_by.flat_map(|word| super::nested(word, command, world)));
        let up = target.is_some_and(|target| target.text.contains(':'));
        let host = args.operands.iter().find_map(|word| word.text.split_once(':')).map_or("", |(host, _)| host);
        let direction = if up { crate::destination::Direction::Up } else { crate::destination::Direction::Down };
        effects.push(Effect::Network {
            to: crate::destination::Destination::parse(host.rsplit('@').next().unwrap_or_default(), world),
            direction,
        });
        return effects;
    }
    let mut effects = reads(&sources, command, world);
    effects.extend(
        target.iter().flat_map(|target| sources.iter().flat_map(|source| into(target, source, command, world))),
    );
    if args.has(&["--remove-source-files"]) {
        let gone = sources.iter().map(|word| Effect::Deletes { place: place(word, command, world), recursive: true });
        effects.extend(gone);
    }
    if args.options.iter().any(|(name, _)| name.starts_with("--del")) && !args.has(&["-n", "--dry-run"]) {
        effects.push(Finding::questioned(RuleId::MassDeletion, "deletes what the source does not have").into());
        if let Some(target) = target {
            let place = place(target, command, world);
            if place.is_critical(world) {
                effects.push(Effect::Deletes { place, recursive: true });
            }
        }
    }
    effects
}
