//! The command line. It is called by the host and by the agent's settings only, so that it is parsed by hand and kept
//! small; the options that only tests use are not in the usage text.

use crate::{bridge, hook, init, probe, shim, usage};
use std::{
    ffi::OsString,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};
use types::wire::{AGENT_UID, RUN_DIR, SESSION_FILE};

const USAGE: &str = "usage: guest init | bridge | shim -- PROGRAM [ARG]... | probe --plan JSON | usage PATH... | hook claude | --version";

/// Exit code for a command line that cannot be understood. For a hook it also means "blocked".
const MISUSE: u8 = 2;
/// Exit code of the shim when it could not execute the agent.
const NOT_EXECUTED: u8 = 127;

/// What to be.
#[derive(Debug, PartialEq, Eq)]
enum Command {
    Init(init::Options),
    Bridge { run_dir: PathBuf },
    Shim { run_dir: PathBuf, argv: Vec<OsString> },
    Probe { plan: String, settings: probe::Settings },
    Usage { paths: Vec<PathBuf> },
    HookClaude { session_file: PathBuf },
    Version,
}

/// Parses `args` (without the program's name) and does what they say.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    match parse(args) {
        Ok(Command::Init(options)) => code(init::run(&options).map_err(|error| chain("init", &error)), 1),
        Ok(Command::Bridge { run_dir }) => code(bridge::run(&run_dir).map_err(|error| chain("bridge", &error)), 1),
        Ok(Command::Shim { run_dir, argv }) => {
            let error = shim::run(&run_dir, &argv);
            code(Err(chain("shim", &error)), NOT_EXECUTED)
        }
        Ok(Command::Probe { plan, settings }) => probe::main(&plan, &settings),
        Ok(Command::Usage { paths }) => code(usage::print(&paths).map_err(|error| chain("usage", &error)), 1),
        Ok(Command::HookClaude { session_file }) => hook::main(session_file),
        Ok(Command::Version) => code(
            writeln!(io::stdout(), "guest {}", env!("CARGO_PKG_VERSION")).map_err(|error| chain("stdout", &error)),
            1,
        ),
        Err(reason) => code(Err(format!("{reason}\n{USAGE}")), MISUSE),
    }
}

/// An error and its causes, on one line.
pub(crate) fn chain(what: &str, error: &dyn std::error::Error) -> String {
    let mut text = format!("{what}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn code(result: Result<(), String>, failure: u8) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // Where stderr is gone too, the exit code is all that is left to say.
            let _unheard = writeln!(io::stderr(), "guest: {reason}");
            ExitCode::from(failure)
        }
    }
}

fn parse(mut args: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let verb = args.next().and_then(|arg| arg.into_string().ok()).ok_or("a command is missing")?;
    let mut options = Options::default();
    match verb.as_str() {
        "--version" => options.read(args, &[]).map(|_| Command::Version),
        "init" => {
            options.read(args, &["--run-dir", "--agent-uid"])?;
            Ok(Command::Init(init::Options { run_dir: options.run_dir, agent_uid: options.agent_uid }))
        }
        "bridge" => {
            options.read(args, &["--run-dir"])?;
            Ok(Command::Bridge { run_dir: options.run_dir })
        }
        "shim" => {
            let argv = options.read(args, &["--run-dir", "--"])?;
            if argv.is_empty() {
                return Err("the program to execute is missing".to_owned());
            }
            Ok(Command::Shim { run_dir: options.run_dir, argv })
        }
        "probe" => {
            options.read(args, &["--plan", "--agent-uid", "--resolver"])?;
            let plan = options.plan.ok_or("--plan is missing")?;
            let settings = probe::Settings { agent_uid: options.agent_uid, resolver: options.resolver };
            Ok(Command::Probe { plan, settings })
        }
        "usage" => {
            let paths: Vec<_> = args.map(PathBuf::from).collect();
            if paths.is_empty() || paths.iter().any(|path| !path.is_absolute()) {
                return Err("absolute paths are needed".to_owned());
            }
            Ok(Command::Usage { paths })
        }
        "hook" => {
            let agent = args.next();
            if agent.as_deref() != Some("claude".as_ref()) {
                return Err("the only hook is `claude`".to_owned());
            }
            options.read(args, &["--session-file"])?;
            Ok(Command::HookClaude { session_file: options.session_file })
        }
        _ => Err(format!("`{}` is not a command", types::text::printable(&verb, 40))),
    }
}

struct Options {
    run_dir: PathBuf,
    agent_uid: u32,
    plan: Option<String>,
    resolver: Option<std::net::SocketAddr>,
    session_file: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            run_dir: RUN_DIR.into(),
            agent_uid: AGENT_UID,
            plan: None,
            resolver: None,
            session_file: SESSION_FILE.into(),
        }
    }
}

impl Options {
    /// Reads the options in `known`; what follows `--` is returned.
    fn read(&mut self, mut args: impl Iterator<Item = OsString>, known: &[&str]) -> Result<Vec<OsString>, String> {
        while let Some(arg) = args.next() {
            let name = known.iter().find(|name| arg.as_os_str() == **name);
            let Some(name) = name else {
                return Err(format!("`{}` is not expected here", types::text::printable(&arg.to_string_lossy(), 40)));
            };
            if *name == "--" {
                return Ok(args.collect());
            }
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            self.set(name, value)?;
        }
        Ok(Vec::new())
    }

    fn set(&mut self, name: &str, value: OsString) -> Result<(), String> {
        let text = value.to_str().ok_or_else(|| format!("{name} is not UTF-8"))?;
        let bad = |_| format!("{name} has a bad value");
        match name {
            "--run-dir" => self.run_dir = value.into(),
            "--session-file" => self.session_file = value.into(),
            "--plan" => self.plan = Some(text.to_owned()),
            "--agent-uid" => self.agent_uid = text.parse().map_err(|_| bad(()))?,
            "--resolver" => self.resolver = Some(text.parse().map_err(|_| bad(()))?),
            _ => return Err(format!("{name} is not known")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_documented_forms_have_the_documented_defaults() {
        assert_eq!(
            parsed("init").unwrap(),
            Command::Init(init::Options { run_dir: "/run/sandbox".into(), agent_uid: 1000 })
        );
        assert_eq!(
            parsed("shim -- claude -p --run-dir x").unwrap(),
            Command::Shim {
                run_dir: "/run/sandbox".into(),
                argv: ["claude", "-p", "--run-dir", "x"].map(OsString::from).into()
            }
        );
        assert_eq!(parsed("hook claude").unwrap(), Command::HookClaude { session_file: "/run/sandbox/session".into() });
        assert_eq!(parsed("usage /a /b").unwrap(), Command::Usage { paths: vec!["/a".into(), "/b".into()] });
        assert_eq!(parsed("--version").unwrap(), Command::Version);
    }

    #[test]
    fn anything_else_is_refused() {
        for line in [
            "",
            "sh",
            "init x",
            "init --run-dir",
            "shim",
            "shim --",
            "shim claude",
            "probe",
            "hook",
            "hook codex",
            "hook claude --run-dir x",
            "init --agent-uid root",
            "--version x",
            "bridge --plan {}",
            "usage",
            "usage x",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
