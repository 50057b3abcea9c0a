//! Changing a profile's file: whole or not at all, readable by no one else who could not read it before, and only to settings that are valid.

use crate::{args::SettingsArgs, config, failure::Failure};
use engine::{Edited, Effective, replace};
use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};
use types::{exit::Exit, profile::Resolved, source::Source};

/// The key of the list.
pub(crate) const LIST: &str = "trust.endpoints";

/// How long another command may take that changes a file there.
const WAIT: Duration = Duration::from_secs(10);

/// A change that was made, or would be.
pub(crate) struct Changed {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its text before.
    pub(crate) before: String,
    /// What was edited.
    pub(crate) edited: Edited,
    /// The settings that follow.
    pub(crate) resolved: Resolved,
    /// Entries of another layer's list that counted before and do not any more.
    pub(crate) hidden: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot change the profile {path}")]
struct Unwritable {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Edits the profile that the settings name. Nothing is written when the text stays the same, when the settings would not be valid, or on
/// a dry run.
pub(crate) fn change(
    settings: &SettingsArgs,
    is_dry: bool,
    edit: impl FnOnce(&str) -> Result<Edited, Failure>,
) -> Result<Changed, Failure> {
    if !settings.set.is_empty() {
        return Err(Failure::usage(
            "--set is for one command only",
            Some("leave it out: this changes a file".to_owned()),
        ));
    }
    let path = config::changed_path(settings)?;
    let failed = |source| Failure::of(&Unwritable { path: path.clone(), source }, None, Exit::Usage);
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !is_dry {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    }
    let _turn = turn(&path, WAIT).map_err(failed)?;
    let before = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(error)),
    };
    let earlier = config::load_with(settings, None, Some((&path, &before)))?;
    let edited = edit(&before)?;
    let resolved = config::load_with(settings, None, Some((&path, &edited.text)))?;
    Effective::check(&resolved.profile)?;
    if !is_dry && edited.text != before {
        write(&path, &edited.text).map_err(failed)?;
    }
    let is_own = |resolved: &Resolved| resolved.sources.get(LIST) == Some(&Source::File(path.clone()));
    let hidden = if is_own(&resolved) && !is_own(&earlier) { earlier.profile.trust.endpoints.len() } else { 0 };
    Ok(Changed { path, before, edited, resolved, hidden })
}

/// Two commands at the same time take turns. Where there is no directory yet, there is nothing to wait for.
fn turn(path: &Path, wait: Duration) -> io::Result<Option<File>> {
    match replace::lock(path, wait) {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the content. A link to the file stays a link, and the file's mode stays; a new file is the user's alone.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let target = replace::behind_links(path)?;
    let mode = fs::metadata(&target).map_or(0o600, |data| data.permissions().mode());
    replace::replace(&target, text.as_bytes(), mode & 0o777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_holds_the_file_is_not_waited_for_for_ever() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("profile.toml");
        let held = turn(&path, Duration::ZERO).expect("free");
        assert!(held.is_some());
        let error = turn(&path, Duration::from_millis(60)).expect_err("held");
        assert!(error.to_string().contains("another process has held the lock"), "{error}");
        drop(held);
        assert!(turn(&path, Duration::ZERO).expect("free again").is_some());
        assert!(turn(&dir.path().join("none/profile.toml"), Duration::ZERO).expect("no directory").is_none());
    }

    #[test]
    fn mode_and_link_stay() {
        let dir = tempfile::tempdir().expect("directory");
        let (file, link, new) =
            (dir.path().join("real.toml"), dir.path().join("link.toml"), dir.path().join("new.toml"));
        let mode = |path: &Path| fs::metadata(path).expect("file").permissions().mode() & 0o777;
        fs::write(&file, "a").expect("write");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("mode");
        std::os::unix::fs::symlink(&file, &link).expect("link");
        write(&link, "b").expect("written");
        assert_eq!((fs::read_to_string(&file).expect("read").as_str(), mode(&file)), ("b", 0o640));
        assert!(fs::symlink_metadata(&link).expect("link").is_symlink());
        write(&new, "c").expect("written");
        assert_eq!(mode(&new), 0o600);
        assert_eq!(fs::read_dir(dir.path()).expect("directory").count(), 3, "nothing is left beside them");
    }
}
