//! Reading a task file: capped, and never through a symbolic link.

use crate::failure::Failure;
use std::{
    ffi::OsStr,
    fs::OpenOptions,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use types::{
    exit::Exit,
    id::TaskName,
    task::{MAX_BYTES, Task},
};

/// O_NOFOLLOW | O_NONBLOCK on Linux: a link is refused and a FIFO does not hang.
const NO_FOLLOW: i32 = 0o400_000 | 0o4_000;

/// ENOENT and ELOOP on Linux.
const NO_ENTRY: i32 = 2;
const LINK: i32 = 40;

#[derive(Debug, thiserror::Error)]
#[error("cannot read the task file {path}")]
struct Unreadable {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// A task, its text and its name.
pub(crate) struct Loaded {
    pub(crate) task: Task,
    pub(crate) text: String,
    pub(crate) name: TaskName,
}

/// Reads the task at `path`, or from standard input for `-`.
pub(crate) fn load(path: &Path) -> Result<Loaded, Failure> {
    let text = read(path).map_err(|source| {
        let hint = match source.raw_os_error() {
            Some(NO_ENTRY) => "write what the agent should do into a Markdown file and name it here",
            Some(LINK) => "symbolic links are refused; name the file itself",
            Some(_) | None => "a task is a readable text file",
        };
        Failure::of(&Unreadable { path: path.to_owned(), source }, Some(hint.to_owned()), Exit::Usage)
    })?;
    let task = Task::parse(&text).map_err(|error| {
        let named = Failure::of(&error, error.hint(), Exit::Usage);
        named.about(path)
    })?;
    let name = match &task.front.name {
        Some(name) => name.clone(),
        None => name_of(path),
    };
    Ok(Loaded { task, text, name })
}

fn read(path: &Path) -> io::Result<String> {
    let limit = MAX_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    } else {
        let file = OpenOptions::new().read(true).custom_flags(NO_FOLLOW).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        file.take(limit).read_to_end(&mut bytes)?;
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("not UTF-8 text"))
}

/// The file's stem as a task name: other characters become dashes.
fn name_of(path: &Path) -> TaskName {
    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    let words: Vec<_> = stem.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut name = words.join("-");
    name.truncate(64);
    TaskName::new(name.trim_end_matches('-')).unwrap_or_else(|_| fallback())
}

fn fallback() -> TaskName {
    match TaskName::new("task") {
        Ok(name) => name,
        Err(error) => unreachable!("a literal that is valid: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_file() {
        for (path, name) in [("a/Fix Login.v2.md", "fix-login-v2"), ("-", "task"), ("…md", "md"), ("x.md", "x")] {
            assert_eq!(name_of(Path::new(path)).as_str(), name, "{path}");
        }
    }

    #[test]
    fn links_and_pipes_are_refused() {
        let dir = std::env::temp_dir().join(format!("sandbox-task-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("dir");
        let (file, link) = (dir.join("t.md"), dir.join("l.md"));
        std::fs::write(&file, "do it").expect("write");
        std::os::unix::fs::symlink(&file, &link).expect("link");
        assert!(read(&file).is_ok() && read(&link).is_err() && read(&dir).is_err());
        std::fs::remove_dir_all(&dir).expect("clean");
    }
}
