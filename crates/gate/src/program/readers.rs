//! Programs that read files and print, or do nothing to files at all.

use super::{reads, writes};
use crate::{
    args::Args,
    effect::{Effect, Finding},
    secret::{ENVIRONMENT, pseudo},
    shell::SimpleCommand,
    world::World,
};
use types::catalogue::RuleId;

/// Programs that neither read the content of files nor change anything.
const INERT: [&str; 94] = [
    "echo",
    "printf",
    "true",
    "false",
    ":",
    "test",
    "[",
    "sleep",
    "pwd",
    "whoami",
    "id",
    "uname",
    "nproc",
    "which",
    "type",
    "whereis",
    "hash",
    "seq",
    "basename",
    "dirname",
    "realpath",
    "readlink",
    "exit",
    "return",
    "break",
    "continue",
    "shift",
    "wait",
    "jobs",
    "ls",
    "stat",
    "du",
    "df",
    "tree",
    "cd",
    "pushd",
    "popd",
    "dirs",
    "date",
    "cal",
    "uptime",
    "free",
    "groups",
    "arch",
    "getconf",
    "locale",
    "tty",
    "ps",
    "pgrep",
    "lsof",
    "top",
    "htop",
    "vmstat",
    "iostat",
    "lscpu",
    "lsblk",
    "lsmod",
    "lspci",
    "lsusb",
    "who",
    "w",
    "last",
    "expr",
    "bc",
    "factor",
    "let",
    "read",
    "local",
    "unset",
    "shopt",
    "set",
    "times",
    "ulimit",
    "umask",
    "exa",
    "eza",
    "lsd",
    "pstree",
    "getent",
    "tput",
    "clear",
    "fg",
    "bg",
    "disown",
    "unalias",
    "help",
    "man",
    "tldr",
    "info",
    "mapfile",
    "readarray",
    "getopts",
    "reset",
    "printenv",
];

/// Programs that read their operands, with the options that take a value and the number of operands that are no files.
const READERS: [(&str, &[&str], usize); 66] = [
    ("cat", &[], 0),
    ("bat", &["-l", "-r", "--line-range", "--language", "--style", "--theme"], 0),
    ("head", &["-n", "-c", "--lines", "--bytes"], 0),
    ("tail", &["-n", "-c", "--lines", "--bytes", "--pid", "-s"], 0),
    ("less", &["-p"], 0),
    ("more", &[], 0),
    ("wc", &[], 0),
    ("nl", &["-b", "-w", "-s", "-v"], 0),
    ("tac", &["-s"], 0),
    ("rev", &[], 0),
    ("cut", &["-d", "-f", "-c", "-b", "--delimiter", "--fields"], 0),
    ("paste", &["-d"], 0),
    ("column", &["-s", "-t", "-N", "-o", "-c"], 0),
    ("uniq", &["-f", "-s", "-w"], 0),
    ("comm", &[], 0),
    ("join", &["-t", "-1", "-2", "-o"], 0),
    ("diff", &["-U", "-C", "-x", "--exclude", "-I"], 0),
    ("cmp", &["-n"], 0),
    ("sdiff", &[], 0),
    ("colordiff", &["-U"], 0),
    ("diff3", &[], 0),
    ("fold", &["-w"], 0),
    ("fmt", &["-w"], 0),
    ("expand", &["-t"], 0),
    ("unexpand", &["-t"], 0),
    ("od", &["-A", "-t", "-N", "-j", "-w"], 0),
    ("hexdump", &["-n", "-s", "-e"], 0),
    ("hd", &[], 0),
    ("xxd", &["-l", "-s", "-c", "-g"], 0),
    ("strings", &["-n", "-t"], 0),
    ("file", &["-m"], 0),
    ("md5sum", &[], 0),
    ("sha1sum", &[], 0),
    ("sha256sum", &[], 0),
    ("sha512sum", &[], 0),
    ("shasum", &["-a"], 0),
    ("b2sum", &[], 0),
    ("md5", &[], 0),
    ("cksum", &[], 0),
    ("sum", &[], 0),
    ("base64", &["-w"], 0),
    ("base32", &["-w"], 0),
    ("zcat", &[], 0),
    ("bzcat", &[], 0),
    ("xzcat", &[], 0),
    ("zless", &[], 0),
    ("tokei", &[], 0),
    ("cloc", &["--exclude-dir", "--include-lang"], 0),
    ("scc", &[], 0),
    ("nm", &[], 0),
    ("objdump", &["-j", "-M"], 0),
    ("readelf", &["-x"], 0),
    ("size", &[], 0),
    ("ldd", &[], 0),
    ("identify", &["-format"], 0),
    ("ffprobe", &["-v", "-show_entries", "-of", "-select_streams", "-i"], 0),
    ("mediainfo", &[], 0),
    ("pdftotext", &[], 1),
    ("jq", &["--arg", "--argjson", "--indent", "-f"], 1),
    ("yq", &["-o", "-p", "-I"], 1),
    ("grep", GREP, 1),
    ("egrep", GREP, 1),
    ("fgrep", GREP, 1),
    ("zgrep", GREP, 1),
    ("rg", RG, 1),
    ("ag", GREP, 1),
];

const GREP: &[&str] = &[
    "-e",
    "-f",
    "-m",
    "-A",
    "-B",
    "-C",
    "-d",
    "-D",
    "--include",
    "--exclude",
    "--exclude-dir",
    "--regexp",
    "--file",
    "--max-count",
    "--color",
    "--context",
    "--after-context",
    "--before-context",
];
const RG: &[&str] = &[
    "-e",
    "-f",
    "-g",
    "-t",
    "-T",
    "-m",
    "-A",
    "-B",
    "-C",
    "-M",
    "-r",
    "-E",
    "-j",
    "--glob",
    "--iglob",
    "--type",
    "--type-not",
    "--max-count",
    "--max-depth",
    "--context",
    "--after-context",
    "--before-context",
    "--regexp",
    "--file",
    "--replace",
    "--max-columns",
    "--color",
    "--sort",
    "--colors",
    "--type-add",
    "-d",
];

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    let words = command.args();
    match name {
        "printenv" if words.is_empty() => return Some(vec![Effect::Reads(pseudo(ENVIRONMENT))]),
        "printenv" if words.iter().any(|word| crate::secret::is_secret_variable(&word.text)) => {
            return Some(vec![Effect::Reads(pseudo(ENVIRONMENT))]);
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
        "set" | "export" | "declare" | "readonly" | "typeset" | "local" => return Some(declare(name, command)),
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
        "history" => return Some(history(command)),
        "ulimit" | "exec" => return Some(Vec::new()),
        "sort" => return Some(sort(command, world)),
        "sed" | "gsed" => return Some(sed(command, world)),
        "awk" | "gawk" | "mawk" | "nawk" => return Some(awk(command, world)),
        "tr" => return Some(Vec::new()),
        "date" if words.iter().any(|word| word.text == "-s" || word.text.starts_with("--set")) => {
            return Some(vec![
                Finding::refused(RuleId::Privilege, "sets the system's clock", "leave the clock alone").into(),
            ]);
        }
        _ => {}
    }
    if INERT.contains(&name) {
        return Some(Vec::new());
    }
    let (_, valued, skip) = READERS.iter().find(|(reader, _, _)| *reader == name)?;
    let args = Args::parse(words, valued);
    let mut effects = Vec::new();
    let skip = if args.has(&["-e", "--regexp", "-f", "--file", "--files", "--from-file"]) { 0 } else { *skip };
    let mut files: Vec<_> = args.operands.iter().skip(skip).copied().collect();
    files.extend(args.values(&["-f", "--file", "--from-file"]));
    // A path given to any option is read as well: magic files, pattern files, reference files.
    let by_option: Vec<_> = args
        .options
        .iter()
        .filter_map(|(_, value)| value.as_ref())
        .filter(|word| word.text.starts_with(['/', '~']))
        .collect();
    effects.extend(reads(&by_option, command, world));
    if *valued == RG && args.has(&["--pre"]) {
        effects.push(Effect::Unverifiable("rg --pre runs a program on every file".to_owned()));
    }
    if name == "xxd" && args.has(&["-r"]) && files.len() > 1 {
        effects.extend(writes(&files.split_off(1), command, world));
    }
    if name == "uniq" && files.len() > 1 {
        effects.extend(writes(&files.split_off(1), command, world));
    }
    if name == "less" || name == "more" || name == "bat" {
        let pager = args.has(&["--pager", "-o", "-O"]);
        effects.extend(pager.then(|| Effect::Unverifiable("a pager that can run programs".to_owned())));
    }
    let recursive = args.has(&["-r", "-R", "--recursive"]) || *valued == RG || name == "ag";
    if recursive && hunts_secrets(&args) {
        effects.push(Finding::questioned(RuleId::CredentialAccess, "searches the disk for credentials").into());
    }
    effects.extend(reads(&files, command, world));
    Some(effects)
}

/// A recursive search outside of any project for what keys look like.
fn hunts_secrets(args: &Args<'_>) -> bool {
    let Some(pattern) = args.operands.first() else { return false };
    let lower = pattern.text.to_ascii_lowercase();
    let wide = args.operands.iter().skip(1).any(|word| {
        let root = word.text.trim_end_matches('/');
        matches!(root, "" | "~" | "/home" | "/root" | "/etc" | "/var" | "/proc" | "/opt" | "/mnt")
            || root.starts_with("/home/") && root.split('/').count() <= 3
    });
    wide && ["password", "passwd", "secret", "token", "private key", "api_key", "apikey", "aws_", "akia", "begin"]
        .iter()
        .any(|word| lower.contains(word))
}

fn declare(name: &str, command: &SimpleCommand) -> Vec<Effect> {
    if command.args().is_empty() {
        return vec![Effect::Reads(pseudo(ENVIRONMENT))];
    }
    let mut effects = Vec::new();
    for word in command.args() {
        if let Some((variable, value)) = word.text.split_once('=') {
            let value = crate::shell::Word { text: value.to_owned(), ..word.clone() };
            effects.extend(super::assignment(variable, &value, command));
            if name == "export" && variable.starts_with("HIST") && matches!(value.text.as_str(), "0" | "/dev/null" | "")
            {
                effects.push(hides_history());
            }
        }
    }
    effects
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

fn sed(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(command.args(), &["-e", "-f", "-l", "--expression", "--file"]);
    let scripts: Vec<_> = args.values(&["-e", "--expression"]).collect();
    let skip = usize::from(scripts.is_empty() && !args.has(&["-f", "--file"]));
    let script: Vec<_> = scripts.into_iter().chain(args.operands.iter().take(skip).copied()).collect();
    // BSD's `-i ''` leaves an empty operand behind.
    let in_place = args.options.iter().any(|(name, _)| name == "-i" || name.starts_with("--in-place"));
    let files: Vec<_> = args.operands.iter().skip(skip).copied().filter(|word| !word.text.is_empty()).collect();
    let mut effects = if in_place { writes(&files, command, world) } else { reads(&files, command, world) };
    for word in script {
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

fn awk(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(command.args(), &["-F", "-v", "-f", "--field-separator", "--assign", "--file"]);
    let mut effects = Vec::new();
    let skip = usize::from(!args.has(&["-f", "--file"]));
    if let Some(program) = args.operands.first().filter(|_| skip == 1) {
        let text = program.text.as_str();
        if text.contains("/inet/") {
            effects.push(
                Finding::forbidden(
                    RuleId::ReverseChannel,
                    "opens a network connection from awk",
                    "use a trusted client",
                )
                .into(),
            );
        }
        let code = crate::code::without_strings(text);
        let runs = code.contains("system")
            || code.contains('|') && code.replace("||", "").contains('|')
            || code.contains("getline")
            || text.contains("@load");
        // A `>` followed by a string or a name that is not a comparison may write a file.
        let writes = code.contains("print")
            && code.replace(">=", "").contains('>')
            && code
                .split("print")
                .skip(1)
                .any(|rest| rest.split(['}', ';', '\n']).next().unwrap_or_default().replace(">=", "").contains('>'));
        if runs || writes || !program.is_known() {
            let inner = crate::code::calls(text, &["system("]);
            for word in inner {
                effects.extend(super::interpreters::nested(&word, command, world));
            }
            effects.push(Effect::Unverifiable("an awk program that runs commands or writes files".to_owned()));
        }
    }
    if skip == 0 {
        effects.push(Effect::Unverifiable("an awk program from a file".to_owned()));
    }
    let files: Vec<_> = args.operands.iter().skip(skip).copied().filter(|word| !word.text.contains('=')).collect();
    effects.extend(reads(&files, command, world));
    effects
}
