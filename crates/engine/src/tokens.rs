//! Where OAuth tokens are kept on the host: a file, a command, or a variable. The format is that of Claude Code's credentials,
//! `{"claudeAiOauth": {"accessToken", "refreshToken", "expiresAt"}}`, with the time in milliseconds; a text that is not of this format is
//! a token as it is.
//!
//! What must stay true: a file is replaced whole or not at all, is its owner's alone, and keeps everything else that is in it; who
//! refreshes holds a lock that all processes of the operator's take.

use crate::{credential::Source, replace};
use egress::{TokenStore, Tokens};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::{
    error::Error,
    fs, io,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use types::secret::Secret;

/// The key under which Claude Code keeps its tokens.
const SECTION: &str = "claudeAiOauth";
/// How long another process may take to refresh.
const LOCK: Duration = Duration::from_secs(60);

/// Tokens from a source.
#[derive(Debug)]
pub(crate) struct Origin {
    source: Source,
    /// For a source that nothing can be written to: the pair that is ours, and the token that the source held when it was made.
    own: Mutex<Option<(Secret, Tokens)>>,
}

impl Origin {
    /// Reads from this source.
    pub(crate) fn new(source: Source) -> Self {
        Self { source, own: Mutex::default() }
    }

    fn read(&self) -> Result<Tokens, String> {
        let text = self.source.read().map_err(|error| chain(&error))?;
        let tokens = parse(&text);
        if tokens.access.expose().is_empty() { Err("there is no token any more".to_owned()) } else { Ok(tokens) }
    }
}

impl TokenStore for Origin {
    fn lock(&self) -> Result<Box<dyn Send>, String> {
        match &self.source {
            Source::File(path) => replace::lock(path, LOCK)
                .map(|lock| Box::new(lock) as Box<dyn Send>)
                .map_err(|error| format!("the directory of {} cannot be locked: {error}", path.display())),
            Source::Given(_) | Source::Command(_) => Ok(Box::new(())),
        }
    }

    fn load(&self) -> Result<Tokens, String> {
        let there = self.read()?;
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match &*own {
            // Nothing new came since ours was made.
            Some((seen, tokens)) if *seen == there.access => tokens.clone(),
            Some(_) | None => there,
        })
    }

    fn save(&self, tokens: &Tokens) -> Result<(), String> {
        match &self.source {
            Source::File(path) => keep(path, tokens).map_err(|error| format!("{}: {error}", path.display())),
            Source::Given(_) | Source::Command(_) => {
                let seen = self.read()?.access;
                *self.own.lock().unwrap_or_else(PoisonError::into_inner) = Some((seen, tokens.clone()));
                Ok(())
            }
        }
    }
}

/// The tokens in a text.
pub(crate) fn parse(text: &str) -> Tokens {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let section = value.get(SECTION).unwrap_or(&value);
    let field = |key: &str| section.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let Some(access) = field("accessToken") else {
        // A JSON text without a token is none, and not a token that looks like JSON.
        let plain = if value.is_object() { "" } else { text };
        return Tokens { access: Secret::new(plain.trim()), refresh: None, expires: None };
    };
    let expires = section.get("expiresAt").and_then(Value::as_i64);
    Tokens {
        access: Secret::new(access),
        refresh: field("refreshToken").map(Secret::new),
        expires: expires.and_then(|millis| Timestamp::from_millisecond(millis).ok()),
    }
}

/// Puts a new pair into the file in place of the old one.
fn keep(path: &Path, tokens: &Tokens) -> io::Result<()> {
    // A link stays one.
    let path = fs::canonicalize(path)?;
    let mut value: Value = serde_json::from_slice(&fs::read(&path)?)?;
    let target = if value.get(SECTION).is_some() { value.get_mut(SECTION) } else { Some(&mut value) };
    let fields = target.and_then(Value::as_object_mut).ok_or(io::ErrorKind::InvalidData)?;
    put(fields, tokens);
    replace::replace(&path, &serde_json::to_vec_pretty(&value)?, replace::PRIVATE)
}

fn put(fields: &mut Map<String, Value>, tokens: &Tokens) {
    fields.insert("accessToken".to_owned(), tokens.access.expose().into());
    if let Some(refresh) = &tokens.refresh {
        fields.insert("refreshToken".to_owned(), refresh.expose().into());
    }
    match tokens.expires {
        Some(expires) => fields.insert("expiresAt".to_owned(), expires.as_millisecond().into()),
        None => fields.remove("expiresAt"),
    };
}

fn chain(error: &dyn Error) -> String {
    crate::outcome::chain(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::{
        fs::{File, Permissions, TryLockError},
        os::unix::fs::{PermissionsExt, symlink},
    };

    fn pair(access: &str, refresh: &str, millis: i64) -> Tokens {
        let expires = Timestamp::from_millisecond(millis).ok();
        Tokens { access: Secret::new(access), refresh: Some(Secret::new(refresh)), expires }
    }

    #[test]
    fn both_formats_are_read() {
        let text = r#"{"claudeAiOauth":{"accessToken":"a-1","refreshToken":"r-1","expiresAt":1700000000000,"scopes":["x"]},"mcp":{}}"#;
        assert_eq!(parse(text), pair("a-1", "r-1", 1_700_000_000_000));
        let plain = parse(" token \n");
        assert_eq!((plain.access.expose(), plain.refresh, plain.expires), ("token", None, None));
        for empty in ["", "{}", r#"{"claudeAiOauth":{}}"#, r#"{"claudeAiOauth":{"accessToken":""}}"#] {
            assert_eq!(parse(empty).access.expose(), "", "{empty}");
        }
    }

    #[test]
    fn a_file_keeps_everything_else_and_is_its_owner_s_alone() {
        let dir = tempfile::tempdir().expect("dir");
        let (real, link) = (dir.path().join("real.json"), dir.path().join("credentials.json"));
        let before = json!({"claudeAiOauth": {"accessToken": "a-1", "refreshToken": "r-1", "expiresAt": 1, "scopes": ["x"]}, "other": 7});
        fs::write(&real, before.to_string()).expect("write");
        fs::set_permissions(&real, Permissions::from_mode(0o644)).expect("mode");
        symlink(&real, &link).expect("link");
        let origin = Origin::new(Source::File(link.clone()));
        let held = origin.lock().expect("lock");
        assert!(lock_is_taken(dir.path()));
        drop(held);
        assert!(!lock_is_taken(dir.path()));
        origin.save(&pair("a-2", "r-2", 5000)).expect("save");
        assert_eq!(origin.load().expect("load"), pair("a-2", "r-2", 5000));
        let after: Value = serde_json::from_slice(&fs::read(&real).expect("read")).expect("json");
        let expected = json!({"claudeAiOauth": {"accessToken": "a-2", "refreshToken": "r-2", "expiresAt": 5000, "scopes": ["x"]}, "other": 7});
        assert_eq!(after, expected);
        assert!(fs::symlink_metadata(&link).expect("link").file_type().is_symlink());
        assert_eq!(fs::metadata(&real).expect("metadata").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).expect("dir").count(), 2, "nothing is left beside it");
        fs::write(&real, "not json").expect("write");
        assert!(origin.save(&pair("a-3", "r-3", 1)).is_err());
        assert_eq!(fs::read_to_string(&real).expect("read"), "not json");
    }

    fn lock_is_taken(dir: &Path) -> bool {
        matches!(File::open(dir).expect("open").try_lock(), Err(TryLockError::WouldBlock))
    }

    #[test]
    fn what_cannot_be_written_to_is_asked_again_and_ours_kept_meanwhile() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("token");
        let write = |text: &str| fs::write(&path, text).expect("write");
        write(r#"{"accessToken":"a-1","refreshToken":"r-1"}"#);
        let origin = Origin::new(Source::Command(format!("cat {}", path.display())));
        assert_eq!(origin.load().expect("load").access.expose(), "a-1");
        origin.save(&pair("a-2", "r-2", 5000)).expect("save");
        assert_eq!(origin.load().expect("load"), pair("a-2", "r-2", 5000));
        write("a-3");
        assert_eq!(origin.load().expect("load").access.expose(), "a-3", "the command has a newer one");
        write("");
        assert!(origin.load().is_err());
    }
}
