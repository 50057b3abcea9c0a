//! Opens programs whose job is to start another program.

pub(crate) use super::shapes::SHELLS;
use super::{
    command::{SimpleCommand, Stdin, Word},
    elsewhere, fed, parallel, runner,
    shapes::{SHAPES, Shape},
    started::{git, given_code, multiplexed},
};
use crate::world::World;

/// What is inside a command.
pub(super) enum Wrapped {
    /// Nothing: it is what it is.
    Plain,
    /// Another command; `keep` when the wrapper itself does something too.
    Command { inner: Vec<Word>, keep: bool, via: &'static str },
    /// Several commands that the wrapper starts beside what it does itself.
    InTurn { inner: Vec<Vec<Word>>, via: &'static str },
    /// Shell code.
    Code { code: Word, keep: bool, via: &'static str },
}

/// Looks inside a command.
pub(super) fn open(command: &SimpleCommand, world: &World) -> Wrapped {
    let name = command.name();
    let args = command.args();
    if SHELLS.contains(&name.as_str()) {
        return shell(command);
    }
    match name.as_str() {
        "env" => env(args),
        "source" | "."
            if args
                .first()
                .is_some_and(|word| matches!(word.text.as_str(), "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0")) =>
        {
            match &command.stdin {
                Stdin::Text(code) => Wrapped::Code { code: code.clone(), keep: false, via: "source" },
                Stdin::Inherited | Stdin::Pipe => Wrapped::Plain,
            }
        }
        "eval" => Wrapped::Code { code: join(args), keep: false, via: "eval" },
        "alias" if args.iter().any(|word| word.text.contains('=')) => {
            let values: Vec<Word> = args
                .iter()
                .filter_map(|word| {
                    word.text.split_once('=').map(|(_, value)| Word { text: format!("{value};"), ..word.clone() })
                })
                .collect();
            Wrapped::Code { code: join(&values), keep: true, via: "alias" }
        }
        "trap" if args.len() > 1 => Wrapped::Code { code: args[0].clone(), keep: false, via: "trap" },
        "watch" if position(args, &["-x", "--exec"]).is_some() => after_options(args, &["-n", "--interval"], 0)
            .map_or(Wrapped::Plain, |inner| Wrapped::Command { inner, keep: false, via: "watch" }),
        "watch" => after_options(args, &["-n", "--interval", "-d"], 0).map_or(Wrapped::Plain, |inner| Wrapped::Code {
            code: join(&inner),
            keep: false,
            via: "watch",
        }),
        "su" | "script" | "runuser" if given_code(args).is_some() => {
            given_code(args).map_or(Wrapped::Plain, |code| Wrapped::Code { code, keep: true, via: "su -c" })
        }
        // Elsewhere the words behind the file are the command.
        "script" => after_options(args, &["-c", "-t", "-T", "-I", "-O", "-B", "-E", "-F"], 1)
            .map_or(Wrapped::Plain, |inner| Wrapped::Command { inner, keep: true, via: "script" }),
        "pee" | "sem" => {
            let code: Vec<Word> = args.iter().filter(|word| !word.text.starts_with('-')).cloned().collect();
            if code.is_empty() {
                return Wrapped::Plain;
            }
            Wrapped::Code { code: join(&code), keep: false, via: "pee" }
        }
        "tmux" | "screen" | "zellij" => {
            multiplexed(&name, args).map_or(Wrapped::Plain, |code| Wrapped::Code { code, keep: true, via: "tmux" })
        }
        "perf" => match position(args, &["--"]).and_then(|at| args.get(at + 1..)) {
            Some(inner) if !inner.is_empty() => Wrapped::Command { inner: inner.to_vec(), keep: true, via: "perf" },
            Some(_) | None => after_options(args, &["-e", "-o", "-p", "-F", "-r"], 0)
                .and_then(|words| after_options(words.get(1..)?, &["-e", "-o", "-p", "-F", "-r"], 0))
                .map_or(Wrapped::Plain, |inner| Wrapped::Command { inner, keep: true, via: "perf" }),
        },
        "start-stop-daemon" => {
            let program = position(args, &["--exec", "-x", "--startas", "-a"]).and_then(|at| args.get(at + 1));
            let rest = position(args, &["--"]).and_then(|at| args.get(at + 1..)).unwrap_or_default();
            program.map_or(Wrapped::Plain, |program| Wrapped::Command {
                inner: std::iter::once(program).chain(rest).cloned().collect(),
                keep: true,
                via: "start-stop-daemon",
            })
        }
        // The loader runs the program that it is given.
        _ if name.starts_with("ld-linux") || name.starts_with("ld-musl") || name == "ld.so" => {
            after_options(args, &["--library-path", "--preload", "--argv0", "--inhibit-rpath", "--audit"], 0)
                .map_or(Wrapped::Plain, |inner| Wrapped::Command { inner, keep: true, via: "ld.so" })
        }
        "git" => git(args),
        "concurrently" => texts(args, &["-n", "--names", "-c", "--prefix-colors", "-p", "--prefix", "-m", "-l", "-s"])
            .map_or(Wrapped::Plain, |code| Wrapped::Code { code, keep: false, via: "concurrently" }),
        "cross-env-shell" => after_options(args, &[], 0)
            .map(|words| words.into_iter().skip_while(|word| is_assignment(&word.text)).collect::<Vec<_>>())
            .filter(|words| !words.is_empty())
            .map_or(Wrapped::Plain, |words| Wrapped::Code { code: join(&words), keep: false, via: "cross-env" }),
        // One program of that name puts the time before lines, the other runs its operands.
        "ts" | "tsp" => after_options(args, &["-L", "-N", "-D"], 0)
            .filter(|inner| !inner[0].text.contains('%'))
            .map_or(Wrapped::Plain, |inner| Wrapped::Command { inner, keep: false, via: "ts" }),
        // The architecture may be left out.
        "setarch" => after_options(args, &[], 0)
            .map(|words| {
                let is_architecture =
                    words.len() > 1 && ARCHITECTURES.iter().any(|name| words[0].text.starts_with(name));
                words[usize::from(is_architecture)..].to_vec()
            })
            .map_or(Wrapped::Plain, |inner| Wrapped::Command { inner, keep: false, via: "setarch" }),
        "sg" => args.last().filter(|_| args.len() > 1).map_or(Wrapped::Plain, |code| Wrapped::Code {
            code: code.clone(),
            keep: true,
            via: "sg",
        }),
        "xargs" => fed::xargs(command),
        "parallel" => parallel::open(command),
        "find" | "fd" | "fdfind" => fed::find(args, world),
        "ssh" | "autossh" | "mosh" | "slogin" | "docker" | "podman" | "nerdctl" | "docker-compose"
        | "podman-compose" | "kubectl" | "oc" => elsewhere::open(command).unwrap_or(Wrapped::Plain),
        _ => match SHAPES.iter().find(|shape| shape.name == name) {
            Some(shape) if shape.operands != usize::MAX => wrapper(shape, args),
            Some(_) => after_options(args, &["-w", "-r"], 0)
                .and_then(|inner| inner.first().cloned())
                .map_or(Wrapped::Plain, |code| Wrapped::Code { code, keep: true, via: "hyperfine" }),
            None => runner::open(command).unwrap_or(Wrapped::Plain),
        },
    }
}

/// The words of the command that a wrapper of the table runs; none when it runs none or is no wrapper.
pub(crate) fn beneath(command: &SimpleCommand) -> Option<Vec<Word>> {
    let name = command.name();
    let shape = SHAPES.iter().find(|shape| shape.name == name)?;
    match wrapper(shape, command.args()) {
        Wrapped::Command { inner, .. } => Some(inner),
        Wrapped::Plain | Wrapped::InTurn { .. } | Wrapped::Code { .. } => None,
    }
}

/// How the names of architectures begin.
const ARCHITECTURES: [&str; 12] =
    ["x86_64", "i386", "i486", "i586", "i686", "linux", "aarch64", "arm", "ppc", "s390", "riscv", "uname26"];

fn is_assignment(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

fn wrapper(shape: &Shape, args: &[Word]) -> Wrapped {
    // `command -v x` asks, it does not run.
    if shape.name == "command" && args.first().is_some_and(|word| matches!(word.text.as_str(), "-v" | "-V")) {
        return Wrapped::Plain;
    }
    if shape.name == "exec" && args.is_empty() {
        return Wrapped::Plain;
    }
    let Some(mut inner) = after_options(args, shape.valued, shape.operands) else { return Wrapped::Plain };
    // sudo, env and cross-env take assignments before the command.
    while inner.first().is_some_and(|word| word.text.contains('=') && !word.text.starts_with('/')) {
        inner.remove(0);
    }
    if shape.name == "flock" && position(&inner, &["-c"]) == Some(0) {
        return inner.get(1).map_or(Wrapped::Plain, |code| Wrapped::Code {
            code: code.clone(),
            keep: true,
            via: "flock",
        });
    }
    if inner.is_empty() {
        return Wrapped::Plain;
    }
    Wrapped::Command { inner, keep: shape.keep, via: shape.name }
}

/// The words after options and `operands` more; none when an option cannot be read or nothing is left.
pub(super) fn after_options(args: &[Word], valued: &[&str], operands: usize) -> Option<Vec<Word>> {
    let mut i = 0;
    while i < args.len() {
        let text = args[i].text.as_str();
        if text == "--" {
            i += 1;
            break;
        }
        if !text.starts_with('-') || text == "-" {
            break;
        }
        i += if valued.contains(&text) { 2 } else { 1 };
    }
    let rest = args.get(i + operands..)?;
    (!rest.is_empty()).then(|| rest.to_vec())
}

fn env(args: &[Word]) -> Wrapped {
    // `-vS text`: in a cluster behind options without a value.
    let clustered = |text: &str| {
        let at = text.strip_prefix('-')?.find('S')? + 1;
        (!text.starts_with("--") && !text[..at].contains(['u', 'C'])).then_some(at + 1)
    };
    let start =
        |text: &str| clustered(text).or_else(|| text.strip_prefix("--split-string").map(|_| "--split-string".len()));
    let own = args.iter().take_while(|word| word.text.starts_with('-')).count();
    let found = args.iter().enumerate().find_map(|(at, word)| Some((at, start(&word.text)?)));
    if let Some((at, skip)) = found.filter(|(at, _)| *at <= own + 1) {
        let joined = join(&args[at..]);
        let text = joined.text[skip..].trim_start_matches(['=', ' ']).to_owned();
        return Wrapped::Code { code: Word { text, ..joined }, keep: false, via: "env -S" };
    }
    let Some(mut inner) = after_options(args, &["-u", "--unset", "-C", "--chdir"], 0) else { return Wrapped::Plain };
    let mut dangerous = false;
    while let Some(word) = inner.first()
        && let Some((name, _)) = word.text.split_once('=')
    {
        dangerous |= crate::program::is_loader_variable(name);
        inner.remove(0);
    }
    let moved =
        position(args, &["-C", "--chdir"]).is_some() || args.iter().any(|word| word.text.starts_with("--chdir="));
    if inner.is_empty() {
        return Wrapped::Plain;
    }
    Wrapped::Command { inner, keep: dangerous || moved, via: "env" }
}

/// The words that code given to a shell finds as `$0`, `$1`…; none where they are not known.
pub(super) fn code_arguments(command: &SimpleCommand) -> Option<Vec<Word>> {
    let args = command.args();
    let is_plain = SHELLS.contains(&command.name().as_str()) && !matches!(command.via, Some("xargs" | "find -exec"));
    let flag = args
        .iter()
        .position(|word| word.text.starts_with('-') && !word.text.starts_with("--") && word.text.contains('c'))?;
    let code =
        args[flag + 1..].iter().position(|word| !word.text.starts_with(['-', '+']) || word.text.contains(' '))?;
    is_plain.then(|| args[flag + 1 + code + 1..].to_vec())
}

fn shell(command: &SimpleCommand) -> Wrapped {
    let args = command.args();
    let mut i = 0;
    while let Some(word) = args.get(i) {
        let text = word.text.as_str();
        let is_cluster = text.starts_with(['-', '+']) && !text.starts_with("--") && text.len() > 1;
        if is_cluster && text.starts_with('-') && text.contains('c') {
            // The code is the first operand after all options.
            let code = args[i + 1..].iter().find(|word| !word.text.starts_with(['-', '+']) || word.text.contains(' '));
            return code.map_or(Wrapped::Plain, |code| Wrapped::Code { code: code.clone(), keep: false, via: "sh -c" });
        }
        if matches!(text, "-o" | "+o" | "-O" | "--rcfile" | "--init-file") {
            i += 2;
            continue;
        }
        if is_cluster || text.starts_with("--") {
            if text.contains('s') && is_cluster {
                break;
            }
            i += 1;
            continue;
        }
        // A script file, judged by the interpreter table.
        if text != "-" && text != "/dev/stdin" {
            return Wrapped::Plain;
        }
        break;
    }
    match &command.stdin {
        Stdin::Text(code) => Wrapped::Code { code: code.clone(), keep: false, via: "sh" },
        Stdin::Inherited | Stdin::Pipe => Wrapped::Plain,
    }
}

/// Operands that are a command each; `npm:NAME` stands for a script.
fn texts(args: &[Word], valued: &[&str]) -> Option<Word> {
    let mut code = Word::default();
    let mut skip = false;
    for word in args {
        if skip || word.text.starts_with('-') {
            skip = !skip && valued.contains(&word.text.as_str());
            continue;
        }
        let text = word.text.strip_prefix("npm:").map_or_else(|| word.text.clone(), |name| format!("npm run {name}"));
        code.text.push_str(&text);
        code.text.push('\n');
        code.absorb(word);
    }
    (!code.text.is_empty()).then_some(code)
}

pub(super) fn position(args: &[Word], names: &[&str]) -> Option<usize> {
    args.iter().position(|word| names.contains(&word.text.as_str()))
}

pub(super) fn join(words: &[Word]) -> Word {
    let mut all = Word::default();
    for word in words {
        if !all.text.is_empty() {
            all.text.push(' ');
        }
        all.text.push_str(&word.text);
        all.absorb(word);
    }
    all
}
