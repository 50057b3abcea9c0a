//! `sandbox config import-claude`.

use crate::{
    args::ImportClaudeArgs,
    config,
    failure::Failure,
    report::{
        self,
        human::to_stderr,
        line::{Tone, line},
    },
};
use std::{
    env, fs,
    io::{self, Read},
    path::{Path, PathBuf},
};
use types::{
    exit::Exit,
    profile::{Layer, Resolved},
    source::Source,
};

/// Largest settings file, in bytes.
const MAX: u64 = 4 * 1024 * 1024;

pub(super) fn run(args: &ImportClaudeArgs) -> Result<Exit, Failure> {
    let path = match &args.file {
        Some(path) => path.clone(),
        None => home()?.join(".claude/settings.json"),
    };
    let text = read(&path).map_err(|error| {
        let hint = "name the file: sandbox config import-claude FILE".to_owned();
        Failure::usage(format!("cannot read {}: {error}", path.display()), Some(hint))
    })?;
    let imported = engine::import_claude(&text)
        .map_err(|error| Failure::of(&error, Some(format!("it is read from {}", path.display())), Exit::Usage))?;
    let profile = format!("# From {}\n\n{}", path.display().to_string().escape_debug(), imported.toml);
    // What is printed must be a profile that is taken.
    Resolved::new(&[config::default_layer()?, Layer::parse(Source::File(path), &profile)?])?;
    if args.write {
        let target = config::config_dir()?.join("profiles/claude.toml");
        write(&target, &profile)
            .map_err(|error| Failure::usage(format!("cannot write {}: {error}", target.display()), None))?;
        to_stderr(&line(Tone::Good, "Written", &format!("{}   use it with --profile claude", target.display())));
    } else {
        report::data(&profile);
    }
    for left in &imported.left {
        to_stderr(&line(Tone::Warn, "Left out", left));
    }
    to_stderr(&line(Tone::Plain, "Taken over", &format!("{} rules and sentences", imported.taken)));
    Ok(Exit::Passed)
}

fn home() -> Result<PathBuf, Failure> {
    let home = env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    home.ok_or_else(|| Failure::usage("$HOME is not an absolute path", Some("name the file".into())))
}

fn read(path: &Path) -> io::Result<String> {
    let source: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin().lock()) } else { Box::new(fs::File::open(path)?) };
    let mut text = String::new();
    let length = source.take(MAX + 1).read_to_string(&mut text)? as u64;
    if length > MAX { Err(io::Error::other("it is larger than 4 MiB")) } else { Ok(text) }
}

fn write(target: &Path, profile: &str) -> io::Result<()> {
    fs::create_dir_all(target.parent().unwrap_or(target))?;
    fs::write(target, profile)
}
