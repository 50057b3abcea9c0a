//! `python -m MODULE`: servers, tools and what they run.

use super::{
    interpreters::{live_shell, scanned},
    place, writes,
};
use crate::{
    args::Args,
    code::Language,
    effect::{Effect, Finding, Program},
    shell::{SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

/// Modules that serve, send or run what they are given.
const NETWORK_MODULES: &[&str] = &[
    "smtpd",
    "aiosmtpd",
    "ftplib",
    "telnetlib",
    "webbrowser",
    "xmlrpc",
    "socketserver",
    "code",
    "codeop",
    "pty",
    "asyncio",
    "zipapp",
    "runpy",
    "pickle",
    "marshal",
    "shelve",
    "cgi",
    "idlelib",
    "impacket",
    "scapy",
    "pyftpdlib",
    "twisted",
    "pproxy",
    "shadowsocks",
    "rpyc",
    "pwn",
];

pub(super) fn python_module(module: &Word, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let at = command.args().iter().position(|word| word.text == "-m").unwrap_or_default() + 1;
    let rest = command.args().get(at..).unwrap_or_default().to_vec();
    let inner = SimpleCommand { argv: rest, ..command.clone() };
    let name = module.text.split('.').next().unwrap_or_default();
    match module.text.as_str() {
        "unittest" | "doctest" | "py_compile" | "compileall" | "json.tool" | "timeit" | "cProfile" | "pdb"
        | "trace" | "site" | "sysconfig" | "this" | "ast" | "tokenize" | "calendar" | "platform" | "venv" | "build"
        | "virtualenv" | "ensurepip" | "zipfile" | "tarfile" | "gzip" | "base64" | "dis" | "inspect" | "pydoc"
        | "symtable" | "tabnanny" | "pyclbr" | "modulefinder" | "mimetypes" | "uuid" | "locale" | "turtle" => {
            let script =
                module.text == "cProfile" || module.text == "pdb" || module.text == "trace" || module.text == "timeit";
            if matches!(module.text.as_str(), "zipfile" | "tarfile") {
                // The last word is the directory that the archive is unpacked into, or the archive.
                let mut effects = super::unknown::mentioned(command, world);
                if inner.args().iter().any(|word| word.text.starts_with("-e") || word.text.starts_with("--extract")) {
                    let target: Vec<_> = inner.args().last().into_iter().collect();
                    effects.extend(writes(&target, command, world));
                }
                effects
            } else if script {
                under_tool(&inner, command, world)
            } else {
                vec![super::packages::manifest("pyproject.toml", command, world)]
            }
        }
        "http.server" if serves_loopback(&inner) => vec![super::packages::manifest("pyproject.toml", command, world)],
        "http.server" => vec![Finding::questioned(RuleId::ReverseChannel, "serves files to whoever connects").into()],
        _ => match super::table(name, &inner, world) {
            Some(effects) => effects,
            // A module of the project, or one that its environment has installed.
            None => {
                let mut effects = vec![super::packages::manifest("pyproject.toml", command, world)];
                effects.extend(super::hostile::script(name).map(Effect::from));
                effects.extend(super::unknown::mentioned(command, world));
                if NETWORK_MODULES.contains(&name) {
                    effects.push(Effect::Unverifiable(format!(
                        "the module `{name}` serves, sends or runs what it is given"
                    )));
                }
                effects
            }
        },
    }
}

/// `cProfile`, `pdb`, `trace` and `timeit` run a script, a module, or code of the line.
pub(super) fn under_tool(inner: &SimpleCommand, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    const VALUED: [&str; 12] =
        ["-o", "-s", "-c", "-m", "-n", "-r", "-u", "--unit", "--number", "--setup", "-C", "--outfile"];
    let args = Args::parse(inner.args(), &VALUED);
    let outputs: Vec<&Word> = args.values(&["-o", "--outfile"]).collect();
    let mut effects = writes(&outputs, command, world);
    let module = args.values(&["-m"]).next();
    if inner.argv.first().is_some_and(|word| word.text == "timeit") {
        for word in args.operands.iter().copied().chain(args.values(&["-s", "--setup"])) {
            effects.extend(scanned(Language::Python, word, command, world));
        }
    } else if inner.argv.first().is_some_and(|word| word.text == "pdb") || args.has(&["-c", "-C"]) {
        effects.push(Effect::Unverifiable("runs a script under a tool".to_owned()));
    } else if let Some(module) = module {
        let words =
            [Word::literal("-m"), module.clone()].into_iter().chain(args.operands.iter().map(|word| (*word).clone()));
        let argv = std::iter::once(Word::literal("python")).chain(words).collect();
        let nested = SimpleCommand { argv, ..command.clone() };
        effects.extend(python_module(module, &nested, world));
    } else if let Some(script) = args.operands.first() {
        effects.push(Effect::Executes(Program::File(place(script, command, world))));
    } else {
        effects.push(live_shell());
    }
    effects
}

/// A web server for files that only this container reaches.
pub(super) fn serves_loopback(inner: &SimpleCommand) -> bool {
    let args = Args::parse(inner.args(), &["-b", "--bind", "-d", "--directory", "-p", "--protocol"]);
    let mut hosts = args.values(&["-b", "--bind"]).peekable();
    hosts.peek().is_some() && hosts.all(|word| matches!(word.text.as_str(), "127.0.0.1" | "localhost" | "::1"))
}
