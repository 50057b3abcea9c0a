//! Opens programs whose job is to start another program.

pub(crate) use super::shapes::SHELLS;
use super::{
    command::{SimpleCommand, Stdin, Word},
    elsewhere, runner,
    shapes::{SHAPES, Shape},
    started::{git, given_code, multiplexed},
};
use crate::{place::HOLE, world::World};

/// Most values of `parallel` that are put in one by one.
const MAX_VALUES: usize = 8;

/// What is inside a command.
pub(super) enum Wrapped {
    /// Nothing: it is what it is.
    Plain,
    /// Another command; `keep` when the wrapper itself does something too.
    Command { inner: Vec<Word>, keep: bool, via: &'static str },
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
        "pee" | "sem" => {
            let code: Vec<Word> = args.iter().filter(|word| !word.text.starts_with('-')).cloned().collect();
            if code.is_empty() {
                return Wrapped::Plain;
            }
            Wrapped::Code { code: join(&code), keep: false, via: "pee" }
        }
        "tmux" | "screen" | "zellij" => {
            multiplexed(args).map_or(Wrapped::Plain, |code| Wrapped::Code { code, keep: true, via: "tmux" })
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
        "sg" => args.last().filter(|_| args.len() > 1).map_or(Wrapped::Plain, |code| Wrapped::Code {
            code: code.clone(),
            keep: true,
            via: "sg",
        }),
        "xargs" => xargs(command),
        "parallel" => parallel(command),
        "find" | "fd" | "fdfind" => find(args, world),
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
        Wrapped::Plain | Wrapped::Code { .. } => None,
    }
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
fn after_options(args: &[Word], valued: &[&str], operands: usize) -> Option<Vec<Word>> {
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
    if let Some(at) =
        args.iter().position(|word| word.text.starts_with("-S") || word.text.starts_with("--split-string"))
    {
        let joined = join(&args[at..]);
        let text = joined
            .text
            .trim_start_matches("-S")
            .trim_start_matches("--split-string")
            .trim_start_matches('=')
            .to_owned();
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

fn xargs(command: &SimpleCommand) -> Wrapped {
    const VALUED: [&str; 14] = [
        "-I",
        "-i",
        "-n",
        "-P",
        "-L",
        "-s",
        "-d",
        "-a",
        "-E",
        "--max-args",
        "--max-procs",
        "--delimiter",
        "--arg-file",
        "--replace",
    ];
    let args = command.args();
    let fed = match &command.stdin {
        Stdin::Text(word) if !word.text.trim().is_empty() => word.clone(),
        Stdin::Text(_) | Stdin::Pipe | Stdin::Inherited => Word::hole(),
    };
    let replace = position(args, &["-I", "--replace"]).and_then(|at| args.get(at + 1)).map(|word| word.text.clone());
    let replace = replace.or_else(|| {
        args.iter().find_map(|word| word.text.strip_prefix("-I").filter(|rest| !rest.is_empty()).map(str::to_owned))
    });
    let Some(mut inner) = after_options(args, &VALUED, 0) else {
        return Wrapped::Command { inner: vec![Word::literal("echo"), fed], keep: true, via: "xargs" };
    };
    // With a delimiter of its own the words are not what blanks make of them.
    let is_whole = position(args, &["-0", "--null", "-d", "--delimiter", "-L", "-l"]).is_some()
        || args.iter().any(|word| word.text.starts_with("-d") || word.text.starts_with("--delimiter="));
    let parts: Vec<&str> = if is_whole { vec![&fed.text] } else { fed.text.split_whitespace().collect() };
    let words: Vec<Word> = parts
        .into_iter()
        .map(|text| Word {
            text: text.to_owned(),
            glob: text.contains('*'),
            sources: command.inputs.clone(),
            secret: fed.secret,
        })
        .collect();
    match replace {
        Some(mark) => {
            for word in &mut inner {
                if word.text.contains(&mark) {
                    word.sources.extend(command.inputs.iter().cloned());
                    word.text = word.text.replace(&mark, &fed.text);
                    word.glob |= fed.text.contains("**");
                }
            }
        }
        None => inner.extend(words),
    }
    Wrapped::Command { inner, keep: true, via: "xargs" }
}

/// `parallel cmd {} ::: a b`: each value is put in for `{}`, or at the end.
fn parallel(command: &SimpleCommand) -> Wrapped {
    const VALUED: [&str; 10] = ["-j", "--jobs", "-a", "-n", "-P", "-N", "--delay", "--timeout", "--joblog", "-C"];
    let args = command.args();
    let end = args.iter().position(|word| word.text.starts_with(":::")).unwrap_or(args.len());
    let given = args.get(end + 1..).unwrap_or_default();
    let fed = match &command.stdin {
        _ if !given.is_empty() => join(given),
        Stdin::Text(word) if !word.text.trim().is_empty() => word.clone(),
        Stdin::Text(_) | Stdin::Pipe | Stdin::Inherited => Word::hole(),
    };
    let Some(inner) = after_options(&args[..end], &VALUED, 0) else {
        return Wrapped::Code { code: fed, keep: true, via: "parallel" };
    };
    let template = join(&inner);
    const MARKS: [&str; 5] = ["{}", "{.}", "{/}", "{//}", "{/.}"];
    let is_marked = MARKS.iter().any(|mark| template.text.contains(mark));
    let values: Vec<String> = if given.is_empty() {
        fed.text.lines().take(MAX_VALUES).map(quoted).collect()
    } else {
        given.iter().take(MAX_VALUES).map(|word| quoted(&word.text)).collect()
    };
    let mut code = Word { text: String::new(), ..template.clone() };
    for value in &values {
        let mut line = template.text.clone();
        for mark in MARKS {
            line = line.replace(mark, value);
        }
        if !is_marked {
            line = format!("{line} {value}");
        }
        code.text.push_str(&line);
        code.text.push('\n');
    }
    code.absorb(&fed);
    Wrapped::Code { code, keep: true, via: "parallel" }
}

/// A value as one word of shell code; what stands for paths below a directory stays a pattern.
pub(super) fn quoted(text: &str) -> String {
    if text.contains("/**") || text.contains(HOLE) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// `find … -exec cmd {} \;`: `{}` is some path below the start.
fn find(args: &[Word], _world: &World) -> Wrapped {
    const EXEC: [&str; 8] = ["-exec", "-execdir", "-ok", "-okdir", "-x", "--exec", "-X", "--exec-batch"];
    let Some(at) = position(args, &EXEC) else { return Wrapped::Plain };
    let root = args.iter().find(|word| !word.text.starts_with(['-', '(', '!'])).filter(|_| at > 0);
    let is_fd = matches!(args[at].text.as_str(), "-x" | "--exec" | "-X" | "--exec-batch");
    let name =
        position(args, &["-name", "-iname"]).and_then(|at| args.get(at + 1)).map_or("*", |word| word.text.as_str());
    let mut below = format!("{}/**/{name}", root.map_or(".", |word| word.text.trim_end_matches('/')));
    if is_fd {
        below = found_by_fd(&args[..at]);
    }
    let mut inner = Vec::new();
    let mut rest = args[at + 1..].iter();
    for word in rest.by_ref().take_while(|word| !matches!(word.text.as_str(), ";" | "+")) {
        let glob = word.glob || word.text.contains("{}");
        inner.push(Word { text: word.text.replace("{}", &below), glob, ..word.clone() });
    }
    if is_fd && !args[at + 1..].iter().any(|word| word.text.contains('{')) && !inner.is_empty() {
        inner.push(Word { glob: true, ..Word::literal(below) });
    }
    // A second -exec is not followed.
    if rest.any(|word| EXEC.contains(&word.text.as_str())) {
        inner.push(Word::literal(HOLE));
    }
    if inner.is_empty() {
        return Wrapped::Plain;
    }
    Wrapped::Command { inner, keep: true, via: "find -exec" }
}

/// What `fd PATTERN [DIRECTORY…]` or `fd -e EXTENSION` finds, as a pattern of paths.
fn found_by_fd(args: &[Word]) -> String {
    const VALUED: [&str; 12] =
        ["-e", "--extension", "-t", "--type", "-d", "--max-depth", "-E", "--exclude", "-S", "--size", "-j", "-c"];
    let extension = position(args, &["-e", "--extension"]).and_then(|at| args.get(at + 1));
    let mut operands = Vec::new();
    let mut skip = false;
    for word in args {
        if skip || word.text.starts_with('-') {
            skip = !skip && VALUED.contains(&word.text.as_str());
        } else {
            operands.push(word.text.as_str());
        }
    }
    let pattern = operands.first().filter(|text| text.chars().filter(|c| c.is_alphanumeric()).count() > 1);
    let name = match (extension, pattern) {
        (Some(extension), _) => format!("*.{}", extension.text.trim_start_matches('.')),
        (None, Some(pattern)) => {
            format!("*{}", pattern.trim_start_matches('^').trim_end_matches('$').replace('\\', ""))
        }
        (None, None) => "*".to_owned(),
    };
    format!("{}/**/{name}", operands.get(1).map_or(".", |root| root.trim_end_matches('/')))
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
