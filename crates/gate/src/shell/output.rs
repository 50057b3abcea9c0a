//! The output of commands that only print what they are given: it can become code, a path or an argument of another command.

use super::{
    command::{SimpleCommand, Stdin, Word},
    decode,
    escape::{echoed, formatted},
    filter,
};
use crate::place::HOLE;

/// Longest output that is followed, in bytes.
const MAX_OUTPUT: usize = 16 * 1024;

/// What a command prints, when it can be told.
pub(super) fn of(command: &SimpleCommand) -> Option<Word> {
    let args: Vec<&str> = command.args().iter().map(|word| word.text.as_str()).collect();
    let mut output = match command.name().as_str() {
        "echo" => echo(&args),
        "printf" => printf(&args)?,
        "which" | "type" | "command" | "whence" if asks_for_program(command) => {
            args.iter().find(|arg| !arg.starts_with('-'))?.to_string()
        }
        "base64" | "base32" | "basenc" if args.iter().any(|arg| is_decoding(arg)) => {
            let is_32 = command.name() == "base32" || args.iter().any(|arg| arg.starts_with("--base32"));
            let text = stdin_text(command)?;
            if is_32 { decode::base32(&text)? } else { decode::base64(&text)? }
        }
        // A cipher needs its key; without one it is the encoding alone.
        "openssl"
            if args.contains(&"-d")
                && (args.first() == Some(&"base64") || args.iter().any(|arg| matches!(*arg, "-base64" | "-a")))
                && args.iter().skip(1).all(|arg| matches!(*arg, "-d" | "-base64" | "-a" | "-A")) =>
        {
            decode::base64(&stdin_text(command)?)?
        }
        "xxd" if args.iter().any(|arg| arg.contains('r')) && args.iter().any(|arg| arg.contains('p')) => {
            decode::hex(&stdin_text(command)?)?
        }
        "rev" if args.is_empty() => stdin_text(command)?
            .lines()
            .map(|line| line.chars().rev().collect::<String>())
            .collect::<Vec<_>>()
            .join("\n"),
        "tr" => translate(&stdin_text(command)?, &args)?,
        "cat" if args == ["/dev/null"] => String::new(),
        "pwd" => command.cwd.clone()?,
        // Settings of an installed tool chain, for `eval`: names of its directories and nothing else.
        name if prints_settings(name, &args) => String::new(),
        "whoami" | "id" | "date" | "nproc" | "uname" | "hostname" => HOLE.to_string(),
        _ => match stdin_text(command).and_then(|text| filter::filtered(command, &text)) {
            Some(text) => text,
            None => listing(command)?,
        },
    };
    if output.len() > MAX_OUTPUT {
        return None;
    }
    while output.ends_with('\n') {
        output.pop();
    }
    let glob = command.args().iter().any(|word| word.glob) || output.contains("**");
    let secret = command.args().iter().any(|word| word.secret);
    Some(Word { text: output, glob, sources: Vec::new(), secret })
}

/// `which x`, `command -v x`, `type -P x`: they print where the program of that name is.
fn asks_for_program(command: &SimpleCommand) -> bool {
    let operands = command.args().iter().filter(|word| !word.text.starts_with('-')).count();
    let asks = |option: &str| command.args().iter().any(|word| word.text == option);
    operands == 1
        && match command.name().as_str() {
            "which" => true,
            "command" => asks("-v"),
            _ => asks("-P") || asks("-p"),
        }
}

fn is_decoding(arg: &str) -> bool {
    matches!(arg, "-D" | "--decode") || (arg.starts_with('-') && !arg.starts_with("--") && arg.contains('d'))
}

/// True for the commands by which tool chains tell a shell where they are.
fn prints_settings(name: &str, args: &[&str]) -> bool {
    match (name, args) {
        ("opam" | "fnm", ["env", rest @ ..]) => rest.iter().all(|arg| arg.starts_with('-')),
        ("rbenv" | "pyenv" | "nodenv" | "goenv" | "jenv" | "phpenv", ["init" | "virtualenv-init", rest @ ..]) => {
            rest.iter().all(|arg| arg.starts_with('-') || matches!(*arg, "bash" | "zsh" | "sh"))
        }
        ("brew", ["shellenv"]) | ("luarocks", ["path"]) => true,
        ("mise" | "rtx", ["activate" | "env", shell]) => matches!(*shell, "bash" | "zsh" | "-s" | "--shims"),
        ("conda" | "micromamba", ["shell.bash", "hook"] | ["shell", "hook", ..]) => true,
        _ => false,
    }
}

fn stdin_text(command: &SimpleCommand) -> Option<String> {
    match &command.stdin {
        Stdin::Text(word) => Some(word.text.clone()),
        Stdin::Inherited | Stdin::Pipe => None,
    }
}

fn echo(args: &[&str]) -> String {
    let mut rest = args;
    let mut escapes = false;
    while let Some((first, tail)) = rest.split_first() {
        let is_option =
            first.len() > 1 && first.starts_with('-') && first[1..].bytes().all(|b| matches!(b, b'n' | b'e' | b'E'));
        if !is_option {
            break;
        }
        escapes |= first.contains('e');
        rest = tail;
    }
    let text = rest.join(" ");
    if escapes { echoed(&text) } else { text }
}

/// `printf` with `%s`, `%b` and `%%`; every other conversion ends in not known.
fn printf(args: &[&str]) -> Option<String> {
    let args = if args.first() == Some(&"--") { &args[1..] } else { args };
    let (format, values) = args.split_first()?;
    // `'%s\0'` makes a list; between its values the end must not be lost.
    let is_list = format.ends_with("\\0");
    let mut values = values.iter();
    let mut out = String::new();
    loop {
        let before = values.len();
        // A `%` that an escape makes is no conversion.
        let mut rest = *format;
        while let Some((text, after)) = rest.split_once('%') {
            if text.ends_with('\\') {
                return None;
            }
            out.push_str(&formatted(text));
            let mut chars = after.chars();
            match chars.next()? {
                's' => out.push_str(values.next().unwrap_or(&"")),
                'b' => out.push_str(&echoed(values.next().unwrap_or(&""))),
                '%' => out.push('%'),
                _ => return None,
            }
            rest = chars.as_str();
            if out.len() > MAX_OUTPUT {
                return None;
            }
        }
        out.push_str(&formatted(rest));
        if out.len() > MAX_OUTPUT {
            return None;
        }
        if values.len() == 0 || values.len() == before {
            return Some(out);
        }
        if is_list {
            out.push('\0');
        }
    }
}

/// `tr` over plain ranges of letters: rotations and case.
fn translate(text: &str, args: &[&str]) -> Option<String> {
    let [from, to] = args else { return None };
    let (from, to) = (ranges(from)?, ranges(to)?);
    if from.len() != to.len() {
        return None;
    }
    Some(text.chars().map(|c| from.iter().position(|f| *f == c).map_or(c, |at| to[at])).collect())
}

fn ranges(set: &str) -> Option<Vec<char>> {
    let chars: Vec<char> = set.chars().collect();
    let mut out = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        if chars.get(i + 1) == Some(&'-') && i + 2 < chars.len() {
            out.extend(chars[i]..=chars[i + 2]);
            i += 3;
        } else {
            out.push(chars[i]);
            i += 1;
        }
        if out.len() > 256 || matches!(out.last(), Some('[' | '\\')) {
            return None;
        }
    }
    Some(out)
}

/// Commands that list files: their output is some paths below where they look.
fn listing(command: &SimpleCommand) -> Option<String> {
    let args = command.args();
    let is_option = |word: &&Word| !word.text.starts_with('-');
    let text = |word: &Word| word.text.clone();
    let (roots, name): (Vec<String>, Option<String>) = match command.name().as_str() {
        "find" => {
            let roots = args.iter().take_while(|word| !word.text.starts_with(['-', '(', '!'])).map(text).collect();
            let at = args.iter().position(|word| matches!(word.text.as_str(), "-name" | "-iname"));
            (roots, at.and_then(|at| args.get(at + 1)).map(text))
        }
        "git"
            if matches!(args.first().map(|word| word.text.as_str()), Some("ls-files" | "diff" | "status" | "grep")) =>
        {
            (Vec::new(), None)
        }
        "grep" | "rg" | "egrep" | "fgrep" if args.iter().any(|word| lists_files(&word.text)) => {
            let paths = args.iter().filter(is_option).skip(1).map(text).collect();
            (paths, None)
        }
        "ls" | "fd" | "fdfind" => {
            let mut paths: Vec<String> = args.iter().filter(is_option).map(text).collect();
            if command.name() != "ls" {
                paths.clear();
            }
            (paths, None)
        }
        _ => return None,
    };
    let roots = if roots.is_empty() { vec![command.cwd.clone()?] } else { roots };
    let name = name.map(|name| format!("/{name}")).unwrap_or_default();
    Some(
        roots
            .iter()
            .map(|root| format!("{}/**{name}", root.trim_end_matches("/*").trim_end_matches('/')))
            .collect::<Vec<_>>()
            .join(" "),
    )
}

/// True for an option by which a search prints the names of files: `-l` and `-L`, alone or in a cluster.
fn lists_files(option: &str) -> bool {
    let is_cluster = option.strip_prefix('-').is_some_and(|letters| {
        !letters.is_empty() && letters.bytes().all(|b| b.is_ascii_alphabetic()) && letters.contains(['l', 'L'])
    });
    is_cluster || matches!(option, "--files" | "--files-with-matches" | "--files-without-match")
}

/// True for programs that turn one text into quite another.
pub(super) fn is_decoder(name: &str) -> bool {
    matches!(
        name,
        "base64"
            | "base32"
            | "xxd"
            | "openssl"
            | "gunzip"
            | "zcat"
            | "gzip"
            | "bzip2"
            | "xz"
            | "uudecode"
            | "rev"
            | "tr"
    )
}

/// True for a command that decodes what nobody can read as it stands.
pub(super) fn is_cipher(command: &SimpleCommand) -> bool {
    let has = |names: &[&str]| command.args().iter().any(|word| names.contains(&word.text.as_str()));
    match command.name().as_str() {
        "base64" | "base32" | "basenc" => command.args().iter().any(|word| is_decoding(&word.text)),
        "xxd" => command.args().iter().any(|word| word.text.starts_with('-') && word.text.contains('r')),
        "openssl" => has(&["-d", "-base64"]),
        "uudecode" | "rev" => true,
        // What comes packed through a pipe was hidden before.
        "gunzip" | "zcat" | "bunzip2" | "bzcat" | "unxz" | "xzcat" | "unzstd" | "zstdcat" | "lz4cat" => {
            command.is_piped
        }
        "gzip" | "bzip2" | "xz" | "zstd" | "lz4" => {
            command.is_piped && command.args().iter().any(|word| is_decoding(&word.text))
        }
        _ => false,
    }
}

/// True for programs that pass some of their input lines on unchanged.
pub(super) fn is_filter(name: &str) -> bool {
    matches!(name, "grep" | "head" | "tail" | "sort" | "uniq" | "egrep" | "fgrep" | "rg" | "tac" | "shuf")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoders_give_the_text_that_would_run() {
        assert_eq!(printf(&["%s %s", "rm", "-rf"]).as_deref(), Some("rm -rf"));
        assert_eq!(printf(&["\\x72m"]).as_deref(), Some("rm"));
        assert_eq!(printf(&["\\x25s", "x"]).as_deref(), Some("%s"));
        assert_eq!(printf(&["%d", "1"]), None);
        assert_eq!(translate("ez -es /", &["a-z", "n-za-m"]).as_deref(), Some("rm -rf /"));
    }
}
