//! Which remotes may be named inside, and under which URL (THREATS K-16, C-05).
//!
//! Only https leaves this module, without user information. ssh is rewritten to it. The raw values of the configuration are
//! read, so that `insteadOf` has no say.

use serde::{Deserialize, Serialize};
use types::{host::HostName, text::printable};
use url::Url;

/// Most remotes that are taken.
const MAX_REMOTES: usize = 32;
/// Longest URL, in bytes.
const MAX_URL: usize = 2000;

/// A remote as the run knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Remote {
    /// Letters, digits, `.`, `_` and `-`, beginning with a letter or digit.
    pub name: String,
    /// An https URL without user information, query or fragment.
    pub url: String,
}

/// Reads the output of `git config -z --get-regexp`: the first URL of each remote, and a note for each that is left out.
pub(crate) fn parse(listing: &[u8]) -> (Vec<Remote>, Vec<String>) {
    let (mut remotes, mut notes) = (Vec::<Remote>::new(), Vec::new());
    for record in listing.split(|&b| b == 0).filter(|record| !record.is_empty()) {
        let record = String::from_utf8_lossy(record);
        let (key, value) = record.split_once('\n').unwrap_or((&record, ""));
        let name = key.strip_prefix("remote.").and_then(|rest| rest.strip_suffix(".url")).unwrap_or(key);
        if remotes.iter().any(|known| known.name == name) {
            continue;
        }
        let verdict = if remotes.len() == MAX_REMOTES { Err("there are too many remotes") } else { clean(value) };
        match verdict {
            Ok(_) if !is_plain(name) => notes.push(left_out(name, "its name holds unusual characters")),
            Ok(url) => remotes.push(Remote { name: name.to_owned(), url }),
            Err(why) => notes.push(left_out(name, why)),
        }
    }
    (remotes, notes)
}

/// A note never shows the URL: it may hold a credential.
fn left_out(name: &str, why: &str) -> String {
    format!("remote `{}` is left out: {why}", printable(name, 60))
}

fn is_plain(name: &str) -> bool {
    name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        && !name.contains("..")
        && !name.ends_with('.')
}

/// The https URL without user information that `raw` stands for, or why there is none.
fn clean(raw: &str) -> Result<String, &'static str> {
    if raw.len() > MAX_URL || raw.contains(|c: char| c.is_control() || c == '\\' || c == ' ') {
        return Err("its URL is too long or holds characters that no URL has");
    }
    let https = match raw.split_once("://") {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => raw.to_owned(),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ssh") => {
            let (authority, path) = rest.split_once('/').ok_or("its URL has no path")?;
            let host = without_user(authority);
            let host = host.split_once(':').map_or(host, |(host, _port)| host);
            format!("https://{host}/{path}")
        }
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("git") => {
            return Err("its URL is not encrypted; only https and ssh are taken");
        }
        Some(_) => return Err("only https and ssh URLs are taken"),
        None => {
            let (authority, path) = raw.split_once(':').ok_or("it is a local path")?;
            if authority.contains('/') || path.starts_with(':') {
                return Err("only https and ssh URLs are taken");
            }
            format!("https://{}/{}", without_user(authority), path.trim_start_matches('/'))
        }
    };
    let mut url = Url::parse(&https).map_err(|_| "its URL cannot be read")?;
    let host = url.host_str().ok_or("its URL names no host")?;
    if !host.contains('.') || HostName::parse(host).is_err() {
        return Err("its URL names no public host");
    }
    if url.path().trim_matches('/').is_empty()
        || url.path_segments().is_some_and(|mut all| all.any(|s| s.starts_with('-')))
    {
        return Err("its URL has no usable path");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("its URL has a query or a fragment, which may be a credential");
    }
    let stripped = url.set_username("").and_then(|()| url.set_password(None));
    stripped.map_err(|()| "its URL cannot be read")?;
    Ok(url.into())
}

fn without_user(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn https_and_ssh_become_plain_https() {
        for (raw, want) in [
            ("https://forge.example/o/r.git", "https://forge.example/o/r.git"),
            ("HTTPS://user:tok3n@Forge.example:8443/o/r", "https://forge.example:8443/o/r"),
            ("git@forge.example:o/r.git", "https://forge.example/o/r.git"),
            ("forge.example:o/r.git", "https://forge.example/o/r.git"),
            ("ssh://git@forge.example:2222/o/r.git", "https://forge.example/o/r.git"),
        ] {
            assert_eq!(clean(raw).as_deref(), Ok(want), "{raw}");
        }
    }

    #[test]
    fn everything_else_is_left_out() {
        for raw in [
            "",
            "/srv/r.git",
            "../r.git",
            "file:///srv/r.git",
            "ext::sh -c id",
            "ext::sh",
            "fd::3",
            "http://forge.example/r",
            "git://forge.example/r",
            "-oProxyCommand=id:x/r",
            "ssh://-oProxyCommand=id/r",
            "git@-oProxyCommand=id:r",
            "C:/r",
            "https://",
            "https://forge.example/",
            "https://forge.example/-x/r",
            "https://forge.example/r?token=1",
            "https://127.0.0.1/r",
            "https://localhost/r",
            "https://forge.example/\u{1b}r",
        ] {
            assert!(clean(raw).is_err(), "{raw:?} became {:?}", clean(raw));
        }
    }

    #[test]
    fn the_listing_becomes_remotes_and_notes_without_credentials() {
        let listing =
            b"remote.origin.url\nhttps://me:s3cret@forge.example/o/r\0remote.origin.url\nhttps://other.example/x\0\
            remote.-x.url\nhttps://forge.example/o/r\0remote.up.url\nhttp://me:s3cret@forge.example/r\0";
        let (remotes, notes) = parse(listing);
        assert_eq!(remotes, [Remote { name: "origin".into(), url: "https://forge.example/o/r".into() }]);
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(!format!("{remotes:?}{notes:?}").contains("s3cret"));
    }

    proptest! {
        #[test]
        fn what_comes_out_is_https_without_user_information(raw in "\\PC{0,60}|[a-z]{1,5}://[ -~]{0,40}|[a-z@:/.-]{0,40}") {
            if let Ok(text) = clean(&raw) {
                let url = Url::parse(&text).expect("a URL");
                prop_assert_eq!(url.scheme(), "https");
                prop_assert!(url.username().is_empty() && url.password().is_none() && url.query().is_none());
                prop_assert!(!text.contains([' ', '\n', '"', '\\']));
            }
        }
    }
}
