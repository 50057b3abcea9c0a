//! Layers of settings: the embedded profile, the operator's file, the named profile, `--set`, and what the machine's manager says.

use crate::{args::SettingsArgs, failure::Failure};
use std::{
    env, fs, io,
    path::{Path, PathBuf},
};
use types::{
    exit::Exit,
    profile::{Layer, ProfileError, Resolved},
    source::Source,
};

/// The embedded profile.
const DEFAULT: &str = include_str!("../../../profiles/default.toml");

/// Settings of whoever manages the machine; they win over everything.
const MANAGED: &str = "/etc/sandbox/managed.toml";

/// Why a profile file is refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the profile {path}")]
struct Unreadable {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl From<ProfileError> for Failure {
    fn from(error: ProfileError) -> Self {
        Self::of(&error, error.hint(), Exit::Usage)
    }
}

/// Loads all layers. `task_profile` is the profile that the task names; the command line's wins over it.
pub(crate) fn load(args: &SettingsArgs, task_profile: Option<&str>) -> Result<Resolved, Failure> {
    load_with(args, task_profile, None)
}

/// [`load`] as if the file at a path held this text.
pub(crate) fn load_with(
    args: &SettingsArgs,
    task_profile: Option<&str>,
    held: Option<(&Path, &str)>,
) -> Result<Resolved, Failure> {
    let file_layer = |path: &Path| match held.filter(|(held, _)| *held == path) {
        Some((path, text)) => Ok(Layer::parse(Source::File(path.to_owned()), text)?),
        None => file_layer(path),
    };
    let mut layers = vec![default_layer()?];
    let own = own_path()?;
    if own.exists() || held.is_some_and(|(held, _)| held == own) {
        layers.push(file_layer(&own)?);
    }
    if let Some(name) = args.profile.as_deref().or(task_profile).filter(|name| *name != "default") {
        layers.push(file_layer(&named_path(name, args.profile.is_some())?)?);
    }
    for text in &args.set {
        layers.push(Layer::assignment(Source::Flag("set".to_owned()), text)?);
    }
    let managed = Path::new(MANAGED);
    if managed.exists() {
        layers.push(Layer::managed(Source::File(managed.to_owned()), &read(managed)?)?);
    }
    Ok(Resolved::new(&layers)?)
}

/// The operator's own profile.
fn own_path() -> Result<PathBuf, Failure> {
    Ok(config_dir()?.join("profile.toml"))
}

/// The file of a named profile. Only the operator may name a path; a task names a profile that the operator has.
fn named_path(name: &str, is_by_operator: bool) -> Result<PathBuf, Failure> {
    if is_by_operator && (name.contains('/') || name.ends_with(".toml")) {
        return Ok(PathBuf::from(name));
    }
    types::id::TaskName::new(name).map_err(|error| Failure::of(&error, None, Exit::Usage))?;
    Ok(config_dir()?.join("profiles").join(format!("{name}.toml")))
}

/// The file that a change of settings goes to: the named profile's, or the operator's own.
pub(crate) fn changed_path(args: &SettingsArgs) -> Result<PathBuf, Failure> {
    match args.profile.as_deref().filter(|name| *name != "default") {
        Some(name) => named_path(name, true),
        None => own_path(),
    }
}

/// The embedded profile, which names every key.
pub(crate) fn default_layer() -> Result<Layer, Failure> {
    Ok(Layer::parse(Source::Default, DEFAULT)?)
}

fn file_layer(path: &Path) -> Result<Layer, Failure> {
    Ok(Layer::parse(Source::File(path.to_owned()), &read(path)?)?)
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|source| {
        let hint = format!("profiles are TOML files; put it at {}", path.display());
        Failure::of(&Unreadable { path: path.to_owned(), source }, Some(hint), Exit::Usage)
    })
}

/// `$XDG_CONFIG_HOME/sandbox`.
pub(crate) fn config_dir() -> Result<PathBuf, Failure> {
    xdg("XDG_CONFIG_HOME", ".config")
}

/// `$XDG_STATE_HOME/sandbox`.
pub(crate) fn state_dir() -> Result<PathBuf, Failure> {
    xdg("XDG_STATE_HOME", ".local/state")
}

/// `$XDG_CACHE_HOME/sandbox`.
pub(crate) fn cache_dir() -> Result<PathBuf, Failure> {
    xdg("XDG_CACHE_HOME", ".cache")
}

fn xdg(variable: &str, below_home: &str) -> Result<PathBuf, Failure> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(variable)
        .or_else(|| absolute("HOME").map(|home| home.join(below_home)))
        .map(|path| path.join("sandbox"))
        .ok_or_else(|| {
            Failure::usage(format!("neither ${variable} nor $HOME is an absolute path"), Some("set HOME".into()))
        })
}
