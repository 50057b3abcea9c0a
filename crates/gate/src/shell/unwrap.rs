//! Opens programs whose job is to start another program.

use super::{
    command::{SimpleCommand, Stdin, Word},
    elsewhere, fed, runner,
};
use crate::world::World;

/// Options of `su` and `script` before the command that they run.
const CODE: &[&str] = &["-c", "--command", "-qc", "-qec", "-ec", "-efc", "-qefc", "-qfc"];

/// What is inside a command.
pub(super) enum Wrapped {
    /// Nothing: it is what it is.
    Plain,
    /// Another command; `keep` when the wrapper itself does something too.
    Command { inner: Vec<Word>, keep: bool, via: &'static str },
    /// Shell code.
    Code { code: Word, keep: bool, via: &'static str },
}

/// Options of a wrapper that take a value, and operands before the inner command.
struct Shape {
    name: &'static str,
    valued: &'static [&'static str],
    operands: usize,
    keep: bool,
}

const fn shape(name: &'static str, valued: &'static [&'static str], operands: usize, keep: bool) -> Shape {
    Shape { name, valued, operands, keep }
}

/// Wrappers that run their last operands as a command. `keep` where the wrapper is itself worth a rule.
const SHAPES: [Shape; 59] = [
    shape("timeout", &["-k", "--kill-after", "-s", "--signal"], 1, false),
    shape("gtimeout", &["-k", "--kill-after", "-s", "--signal"], 1, false),
    shape("nice", &["-n", "--adjustment"], 0, false),
    shape("nohup", &[], 0, false),
    shape("time", &["-f", "-o", "--format", "--output"], 0, false),
    shape("stdbuf", &["-i", "-o", "-e"], 0, false),
    shape("unbuffer", &[], 0, false),
    shape("setsid", &[], 0, false),
    shape("ionice", &["-c", "-n", "-p"], 0, false),
    shape("chrt", &[], 1, false),
    shape("taskset", &[], 1, false),
    shape("command", &[], 0, false),
    shape("builtin", &[], 0, false),
    shape("exec", &["-a"], 0, false),
    shape("busybox", &[], 0, false),
    shape("toybox", &[], 0, false),
    shape("caffeinate", &["-t", "-w"], 0, false),
    shape("sudo", &["-u", "-g", "-h", "-p", "-C", "-r", "-t", "-U", "-D", "--user", "--group"], 0, true),
    shape("doas", &["-u", "-C"], 0, true),
    shape("pkexec", &["--user"], 0, true),
    shape("runuser", &["-u", "-g"], 0, true),
    shape("gosu", &[], 1, true),
    shape("xvfb-run", &["-s", "-n", "-e", "-f", "-p", "-w", "--server-args"], 0, false),
    shape("strace", &["-o", "-e", "-p", "-s", "-E"], 0, true),
    shape("ltrace", &["-o", "-e", "-p"], 0, true),
    shape("dotenv", &["-e", "-c"], 0, false),
    shape("cross-env", &[], 0, false),
    shape("cross-env-shell", &[], 0, false),
    shape("flock", &["-w", "--timeout", "-E"], 1, true),
    shape("faketime", &[], 1, false),
    shape("hyperfine", &["-w", "-r", "-m", "-M", "-p", "-c"], usize::MAX, true),
    shape("chronic", &[], 0, false),
    shape("valgrind", &["--log-file"], 0, false),
    shape("bear", &["--output", "-o"], 0, false),
    shape("ccache", &[], 0, false),
    shape("sccache", &[], 0, false),
    shape("scan-build", &["-o"], 0, false),
    shape("dbus-run-session", &[], 0, false),
    shape("fakeroot", &["-l", "-s", "-i"], 0, false),
    shape("numactl", &["-N", "-m", "-C"], 0, false),
    shape("rlwrap", &[], 0, false),
    shape("setarch", &[], 1, false),
    shape("prlimit", &[], 0, false),
    shape("cpulimit", &["-l", "--limit"], 0, false),
    shape("entr", &[], 0, true),
    shape("watchexec", &["-e", "--exts", "-w", "--watch", "-i", "--ignore"], 0, true),
    shape("catchsegv", &[], 0, false),
    shape("winpty", &[], 0, false),
    shape("faketty", &[], 0, false),
    shape("shx", &[], 0, false),
    shape("env-cmd", &["-f", "-e", "-r"], 0, false),
    shape("dumb-init", &[], 0, false),
    shape("tini", &["-e"], 0, false),
    shape("eatmydata", &[], 0, false),
    shape("emcmake", &[], 0, false),
    shape("emmake", &[], 0, false),
    shape("qemu-aarch64", &["-L", "-cpu", "-E", "-s"], 0, false),
    shape("qemu-arm", &["-L", "-cpu", "-E", "-s"], 0, false),
    shape("qemu-riscv64", &["-L", "-cpu", "-E", "-s"], 0, false),
];

/// Shells that run code.
pub(crate) const SHELLS: [&str; 12] =
    ["csh", "tcsh", "sh", "bash", "dash", "zsh", "ksh", "ash", "mksh", "rbash", "fish", "yash"];

/// Looks inside a command.
pub(super) fn open(command: &SimpleCommand, world: &World) -> Wrapped {
    let name = command.name();
    let args = command.args();
    if SHELLS.contains(&name.as_str()) {
        return shell(command);
    }
    match name.as_str() {
        "env" => env(args),
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
        "watch" => after_options(args, &["-n", "--interval", "-d"], 0).map_or(Wrapped::Plain, |inner| Wrapped::Code {
            code: join(&inner),
            keep: false,
            via: "watch",
        }),
        "su" | "script" | "runuser" if position(args, CODE).is_some() => {
            let at = position(args, CODE).unwrap_or_default();
            args.get(at + 1).map_or(Wrapped::Plain, |code| Wrapped::Code {
                code: code.clone(),
                keep: true,
                via: "su -c",
            })
        }
        "concurrently" => texts(args, &["-n", "--names", "-c", "--prefix-colors", "-p", "--prefix", "-m", "-l", "-s"])
            .map_or(Wrapped::Plain, |code| Wrapped::Code { code, keep: false, via: "concurrently" }),
        "sg" => args.last().filter(|_| args.len() > 1).map_or(Wrapped::Plain, |code| Wrapped::Code {
            code: code.clone(),
            keep: true,
            via: "sg",
        }),
        "xargs" => fed::xargs(command),
        "parallel" => fed::parallel(command),
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
