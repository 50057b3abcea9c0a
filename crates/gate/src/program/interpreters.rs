//! Programs that run code: from the line, from a file, or from their input.

use super::{place, python_module::python_module, reads, writes};
use crate::{
    args::Args,
    code::{self, Language},
    effect::{Effect, Finding, Program},
    shell::{self, SimpleCommand, Stdin, Word},
    world::World,
};
use types::catalogue::RuleId;

/// Deepest nesting of code inside code inside code.
const MAX_DEPTH: u8 = 4;

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if shell::SHELLS.contains(&name) {
        return Some(shell_script(command, world));
    }
    let (language, inline, valued): (Language, &[&str], &[&str]) = match plain {
        "python" | "pypy" | "ipython" => (Language::Python, &["-c"], &["-c", "-m", "-W", "-X"]),
        "node" | "nodejs" => (
            Language::JavaScript,
            &["-e", "--eval", "-p", "--print", "-pe"],
            &["-e", "--eval", "-p", "--print", "-r", "--require", "--import", "--loader", "-C"],
        ),
        "tsx" | "ts-node" => {
            (Language::JavaScript, &["-e", "--eval", "-p"], &["-e", "--eval", "-p", "-P", "--project", "-r"])
        }
        "bun" if command.args().iter().any(|word| matches!(word.text.as_str(), "-e" | "--eval" | "-p" | "--print")) => {
            (Language::JavaScript, &["-e", "--eval", "-p", "--print"], &["-e", "--eval", "-p", "--print", "-r"])
        }
        "deno" => (Language::JavaScript, &["eval"], &[]),
        "ruby" => (Language::Ruby, &["-e"], &["-e", "-r", "-I", "-C"]),
        "perl" => (Language::Perl, &["-e", "-E"], &["-e", "-E", "-I", "-M"]),
        "php" => (Language::Php, &["-r"], &["-r", "-d", "-S", "-t", "-f"]),
        "lua" | "luajit" | "Rscript" | "R" | "osascript" | "pwsh" | "julia" | "elixir" | "tclsh" | "expect"
        | "gnuplot" | "powershell" | "scala" | "groovy" | "swipl" | "sbcl" | "guile" | "java" | "vim" | "vi"
        | "nvim" | "ed" | "ex" | "emacs" | "nano" | "jrunscript" | "jshell" | "jjs" | "octave" | "raku" | "clisp"
        | "gst" | "csi" | "fsi" | "irb" | "pry" | "bpython" | "iex" | "ghci" => {
            return Some(other(plain, command, world));
        }
        _ => return None,
    };
    let mut words = command.args().to_vec();
    if plain == "perl" || plain == "ruby" {
        // `-pi -e`, `-0pi.bak`, `-lane`: the code follows a cluster that ends in e.
        split_cluster(&mut words);
    }
    let args = Args::parse(&words, valued);
    let mut effects = Vec::new();
    let codes: Vec<&Word> = args.values(inline).collect();
    if args.has(&["-r", "--require", "--import", "--loader", "-M", "-I", "--inspect", "-d", "-S"])
        && !codes.is_empty()
        && plain == "node"
    {
        effects.push(Effect::Unverifiable("loads code that the line names".to_owned()));
    }
    if language == Language::JavaScript {
        effects.extend(loaded(&args, command, world));
    }
    if !codes.is_empty() {
        let modules: String =
            words.iter().filter_map(|word| word.text.strip_prefix("-M")).map(|name| format!("use {name};")).collect();
        for word in codes {
            let code = Word { text: format!("{modules}{}", word.text), ..word.clone() };
            let whole = if language == Language::Perl && !modules.is_empty() { &code } else { word };
            effects.extend(scanned(language, whole, command, world));
        }
        let in_place = (plain == "perl" || plain == "ruby") && args.has(&["-i"]);
        let files = &args.operands;
        let prints_nothing = args.has(&["-n"]) && args.values(inline).all(|word| word.text.trim().is_empty());
        effects.extend(if in_place && prints_nothing {
            files.iter().map(|word| Effect::Writes { place: place(word, command, world), empties: true }).collect()
        } else if in_place {
            writes(files, command, world)
        } else if plain == "perl" || plain == "ruby" {
            reads(files, command, world)
        } else {
            Vec::new()
        });
        return Some(effects);
    }
    if let Some(module) = args.values(&["-m"]).next().filter(|_| language == Language::Python) {
        return Some(python_module(module, command, world));
    }
    if plain == "deno" {
        return Some(deno(&args, command, world));
    }
    // `php -l`, `ruby -c`, `node --check` look at the syntax and run nothing.
    let checks = match plain {
        "php" => args.has(&["-l", "--syntax-check"]),
        "ruby" => args.has(&["-c"]) && !args.has(&["-r"]),
        "node" => args.has(&["--check"]) && !args.has(&["-r", "--require", "--import", "--loader"]),
        _ => false,
    };
    if checks {
        return Some(reads(&args.operands, command, world));
    }
    let serves = args.has(&["-S"]) || args.operands.first().is_some_and(|word| word.text == "artisan");
    if plain == "php" && serves {
        let roots = args.values(&["-t"]).map(|word| place(word, command, world));
        if let Some(root) = roots.filter(|root| !root.is_in(&world.worktree)).find(|root| !root.is_in(&world.tmp)) {
            let reason = format!("serves {root} to whoever connects");
            return Some(vec![Finding::questioned(RuleId::ReverseChannel, reason).into()]);
        }
        return Some(vec![super::packages::manifest("composer.json", command, world)]);
    }
    match args.operands.first().filter(|word| word.text != "-" && word.text != "/dev/stdin") {
        Some(file) if !file.sources.is_empty() && file.text.starts_with("/dev/fd/") => {
            effects.push(Effect::Executes(Program::Stdin))
        }
        Some(file) => {
            effects.extend(super::hostile::script(&file.text).map(Effect::from));
            effects.push(Effect::Executes(Program::File(place(file, command, world))));
        }
        None if args.has(&["-v", "-V", "--version", "-h", "--help", "--test"])
            || (plain == "php" && args.has(&["-i", "-m", "--ini"])) => {}
        None => match &command.stdin {
            Stdin::Text(word) => effects.extend(scanned(language, word, command, world)),
            Stdin::Pipe => effects.push(Effect::Executes(Program::Stdin)),
            Stdin::Inherited => effects.push(live_shell()),
        },
    }
    Some(effects)
}

/// Modules that node loads before the program: files run, names come from what the project has installed.
fn loaded(args: &Args<'_>, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    args.values(&["-r", "--require", "--import", "--loader", "--experimental-loader"])
        .filter_map(|word| match word.text.as_str() {
            text if text.starts_with(['.', '/', '~']) => {
                Some(Effect::Executes(Program::File(place(word, command, world))))
            }
            text if text.contains(':') && !text.starts_with("node:") || !word.is_known() => {
                Some(Effect::Unverifiable("loads code that the line names".to_owned()))
            }
            _ => None,
        })
        .collect()
}

fn split_cluster(words: &mut Vec<Word>) {
    let Some(at) = words.iter().position(|word| {
        word.text.starts_with('-')
            && !word.text.starts_with("--")
            && word.text.len() > 2
            && word.text.ends_with(['e', 'E'])
            && word.text[1..].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
    }) else {
        return;
    };
    let word = words[at].text.clone();
    let head = &word[..word.len() - 1];
    let (has_i, has_n) = (head.contains('i'), head.contains('n'));
    words[at] = Word::literal(format!("-{}", &word[word.len() - 1..]));
    if has_n {
        words.insert(at, Word::literal("-n"));
    }
    if has_i {
        words.insert(at, Word::literal("-i"));
    }
}

pub(super) fn live_shell() -> Effect {
    Finding::refused(
        RuleId::UntrustedCode,
        "opens a live interpreter, whose input is not judged",
        "run single commands or a script file",
    )
    .into()
}

fn shell_script(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(command.args(), &["-o", "-O", "--rcfile", "--init-file"]);
    if args.has(&["--rcfile", "--init-file"]) {
        return vec![Effect::Unverifiable("the shell reads a start file that the line names".to_owned())];
    }
    if args.has(&["--version", "--help"]) {
        return Vec::new();
    }
    if args.has(&["-c"])
        && let Some(code) = args.operands.first()
    {
        // The reader opens it; this holds for shells that are found inside of other commands.
        return nested(code, command, world);
    }
    match args.operands.first() {
        Some(file) if file.text.starts_with("/dev/fd/") || file.text == "/dev/stdin" || file.text == "-" => {
            vec![Effect::Executes(Program::Stdin)]
        }
        Some(_) if args.has(&["-s"]) => vec![Effect::Executes(Program::Stdin)],
        Some(file) if args.has(&["-n"]) => vec![Effect::Reads(place(file, command, world))],
        Some(file) => vec![Effect::Executes(Program::File(place(file, command, world)))],
        None if command.is_piped => vec![Effect::Executes(Program::Stdin)],
        None => match &command.stdin {
            Stdin::Text(_) => Vec::new(),
            Stdin::Pipe => vec![Effect::Executes(Program::Stdin)],
            Stdin::Inherited => {
                let remote = command.redirects.iter().any(|redirect| {
                    redirect.target.text.starts_with("/dev/tcp") || redirect.target.text.starts_with("/dev/udp")
                });
                if remote {
                    vec![
                        Finding::forbidden(
                            RuleId::ReverseChannel,
                            "gives a shell to another host",
                            "run the commands here",
                        )
                        .into(),
                    ]
                } else {
                    vec![live_shell()]
                }
            }
        },
    }
}

/// Code in the line, by what it calls.
pub(super) fn scanned(language: Language, word: &Word, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let mut effects = Vec::new();
    if !word.is_known() || !word.sources.is_empty() {
        effects.push(Effect::Unverifiable("part of the code is computed".to_owned()));
        effects.extend((!word.sources.is_empty()).then_some(Effect::Executes(Program::Stdin)));
    }
    effects.extend(code::scan(language, &word.text, command, world));
    effects
}

/// Shell code found inside other code.
pub(crate) fn nested(word: &Word, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    if !word.is_known() || command.depth >= MAX_DEPTH {
        return vec![Effect::Unverifiable("starts a command that is not known".to_owned())];
    }
    let Ok(line) = shell::read_inside(&word.text, command, world) else {
        return vec![Effect::Unverifiable("starts a command that cannot be read".to_owned())];
    };
    let mut effects: Vec<Effect> = shell::whole(&line);
    let per_command: Vec<Vec<Effect>> = line.commands.iter().map(|inner| super::effects(inner, world)).collect();
    effects.extend(crate::flow::findings(&line.commands, &per_command, world));
    // A script that writes another one and runs it, whatever the files outside are.
    let writes = per_command.iter().flatten().any(|effect| matches!(effect, Effect::Writes { .. }));
    let runs = per_command.iter().flatten().any(|effect| matches!(effect, Effect::Executes(_)));
    let per_command = if writes && runs {
        let (reading, more) = crate::executed::inside(line.commands, per_command, world);
        effects.extend(more);
        reading
    } else {
        per_command
    };
    effects.extend(per_command.into_iter().flatten());
    effects
}

fn deno(args: &Args<'_>, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    match args.operands.first().map(|word| word.text.as_str()).unwrap_or_default() {
        "fmt" | "lint" | "test" | "check" | "task" | "bench" | "doc" | "info" | "" => {
            vec![super::packages::manifest("deno.json", command, world)]
        }
        "run" => args.operands.get(1).map_or(Vec::new(), |file| {
            if file.text.contains(':') {
                super::packages::new_code("runs code from a URL")
            } else {
                vec![Effect::Executes(Program::File(place(file, command, world)))]
            }
        }),
        _ => vec![Effect::Unverifiable("deno runs code".to_owned())],
    }
}

fn other(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(command.args(), &["-e", "-cp", "-classpath", "--class-path", "-jar", "-c"]);
    match name {
        "java" => {
            if args.has(&["-version", "--version"]) || command.args().iter().any(|word| word.text == "-version") {
                return Vec::new();
            }
            if command.args().iter().any(|word| {
                word.text.starts_with("-javaagent") || word.text.starts_with("-agent") || word.text.starts_with("http")
            }) {
                return vec![Effect::Unverifiable("java loads an agent".to_owned())];
            }
            let jar =
                command.args().iter().position(|word| word.text == "-jar").and_then(|at| command.args().get(at + 1));
            match jar {
                Some(jar) => vec![Effect::Executes(Program::File(place(jar, command, world)))],
                None => vec![super::packages::manifest("build files", command, world)],
            }
        }
        "R" | "Rscript" | "julia" | "lua" | "luajit" if !args.has(&["-e", "-E"]) && !args.operands.is_empty() => {
            vec![Effect::Executes(Program::File(place(args.operands[0], command, world)))]
        }
        _ => {
            // Editors and small languages can start programs; what is named in them is still looked at.
            let mut effects = vec![Effect::Unverifiable(format!("`{name}` can run code"))];
            let fed = match &command.stdin {
                Stdin::Text(word) => word.text.as_str(),
                Stdin::Pipe | Stdin::Inherited => "",
            };
            if code::gives_shell(&format!("{} {fed}", command.text())) {
                let reason = "gives a shell to another host";
                effects.push(Finding::forbidden(RuleId::ReverseChannel, reason, "run the commands here").into());
            }
            if command.args().iter().any(|word| !word.sources.is_empty()) {
                effects.push(Effect::Executes(Program::Stdin));
            }
            if matches!(name, "pwsh" | "powershell") && fetches_and_runs(&command.text()) {
                let instead = "download to a file in the work tree, show it, and ask for it to be reviewed";
                let reason = "runs code straight from the network";
                effects.push(Finding::forbidden(RuleId::UntrustedCode, reason, instead).into());
            }
            effects.extend(reads(&args.operands, command, world));
            for word in command.args() {
                let text = word.text.to_ascii_lowercase();
                if text.contains("os.execute") || text.contains("/bin/sh") || text.contains(":!") {
                    effects.push(live_shell());
                }
            }
            effects
        }
    }
}

/// PowerShell's way of running what a host sends.
fn fetches_and_runs(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let runs = ["iex", "invoke-expression", ".invoke("].iter().any(|mark| lower.contains(mark));
    let fetches = ["downloadstring", "downloaddata", "invoke-webrequest", "iwr ", "irm ", "invoke-restmethod"];
    runs && fetches.iter().any(|mark| lower.contains(mark))
}
