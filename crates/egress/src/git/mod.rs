//! Git's smart HTTP protocol for the recorded remotes: which requests there are, and what their bodies may ask for.
//!
//! What must stay true: only `upload-pack` and, where the operator allows a branch, `receive-pack` exist; what a body asks for is
//! known before its first byte goes up; nothing that others made on the remote is changed or deleted.

mod fetch;
mod pkt;
mod push;

pub(crate) use fetch::{FetchBody, MAX_FETCH};
pub(crate) use push::{MAX_COMMANDS, PushBody, Pushed};

use hyper::{
    HeaderMap, Method,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use pkt::PktError;
use types::{
    route::{BranchPattern, Repository},
    text::printable,
};

/// Why git's request is refused.
#[derive(Debug, thiserror::Error)]
pub enum GitRefusal {
    /// Another path, method, query or type than git sends.
    #[error("git's request is not one for upload-pack or receive-pack")]
    Request,
    /// A push where none is allowed.
    #[error("the run may not push to this repository")]
    PushOff,
    /// A command of the protocol that is not carried.
    #[error("git's command `{command}` is not carried")]
    Command {
        /// The command, escaped and cut.
        command: String,
    },
    /// A ref that no pattern covers.
    #[error("the run may not push to `{name}`; it may create {allowed}")]
    Ref {
        /// The ref, escaped and cut.
        name: String,
        /// The patterns.
        allowed: String,
    },
    /// A change of what the run did not create, or a deletion.
    #[error("`{name}` was not created by this run, and what others made is neither changed nor deleted")]
    Existing {
        /// The ref, escaped and cut.
        name: String,
    },
    /// A body that is not what the protocol says.
    #[error("git's request body is malformed")]
    Body(#[from] PktError),
    /// A body that cannot be looked at.
    #[error("git's request body is compressed in a way that is not read")]
    Encoding,
}

/// What a request of git is.
#[derive(Debug)]
pub(crate) enum Exchange {
    /// What there is to fetch, or to push to.
    Advertisement,
    /// A fetch; the body may be compressed.
    Fetch {
        /// True for gzip.
        is_gzip: bool,
    },
    /// A push to these branches.
    Push {
        /// The patterns, at least one.
        branches: Vec<BranchPattern>,
    },
}

impl Exchange {
    /// True when the body is taken whole, and sent as it was read.
    pub(crate) fn is_read_whole(&self) -> bool {
        match self {
            Self::Fetch { .. } => true,
            Self::Advertisement | Self::Push { .. } => false,
        }
    }
}

/// True for what git's protocol asks for behind a repository's path, in whatever service.
pub(crate) fn is_service(below: &str) -> bool {
    below == "/info/refs" || below.starts_with("/git-")
}

/// The closed list of requests to a repository; `below` is the path behind it.
///
/// # Errors
/// [`GitRefusal`]
pub(crate) fn admit(
    repository: &Repository,
    below: &str,
    method: &Method,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Exchange, GitRefusal> {
    let may_push = !repository.push.is_empty();
    match (method, below, query) {
        (&Method::GET, "/info/refs", Some("service=git-upload-pack")) => Ok(Exchange::Advertisement),
        (&Method::GET, "/info/refs", Some("service=git-receive-pack")) if may_push => Ok(Exchange::Advertisement),
        (&Method::POST, "/git-upload-pack", None) if has_type(headers, "application/x-git-upload-pack-request") => {
            match headers.get(CONTENT_ENCODING).map(|value| value.as_bytes()) {
                None => Ok(Exchange::Fetch { is_gzip: false }),
                Some(b"gzip") => Ok(Exchange::Fetch { is_gzip: true }),
                Some(_) => Err(GitRefusal::Encoding),
            }
        }
        (&Method::POST, "/git-receive-pack", None)
            if may_push && has_type(headers, "application/x-git-receive-pack-request") =>
        {
            // Git does not compress a push, which is compressed already.
            if headers.contains_key(CONTENT_ENCODING) {
                return Err(GitRefusal::Encoding);
            }
            Ok(Exchange::Push { branches: repository.push.clone() })
        }
        (_, "/info/refs", Some("service=git-receive-pack")) | (_, "/git-receive-pack", _) if !may_push => {
            Err(GitRefusal::PushOff)
        }
        _ => Err(GitRefusal::Request),
    }
}

fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()))
}

/// True for an object's id in hexadecimal digits, of either hash.
fn is_id(bytes: &[u8]) -> bool {
    matches!(bytes.len(), 40 | 64) && bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn shown(bytes: &[u8]) -> String {
    printable(&String::from_utf8_lossy(bytes), 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(push: &[&str], line: &str, kind: &str) -> Result<Exchange, GitRefusal> {
        let push: Vec<_> = push.iter().map(|text| BranchPattern::parse(text).expect(text)).collect();
        let repository = Repository::at("/acme/app", &push).expect("path");
        let (method, target) = line.split_once(' ').expect("method");
        let (below, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let mut headers = HeaderMap::new();
        if !kind.is_empty() {
            headers.insert(CONTENT_TYPE, format!("application/x-git-{kind}-request").parse().expect("value"));
        }
        admit(&repository, below, &method.parse().expect("method"), query, &headers)
    }

    #[test]
    fn only_the_two_services_exist() {
        assert!(matches!(ask(&[], "GET /info/refs?service=git-upload-pack", ""), Ok(Exchange::Advertisement)));
        assert!(matches!(ask(&[], "POST /git-upload-pack", "upload-pack"), Ok(Exchange::Fetch { is_gzip: false })));
        for line in [
            "GET /info/refs",
            "GET /info/refs?service=git-upload-archive",
            "GET /info/refs?service=git-upload-pack&x=1",
            "POST /info/refs?service=git-upload-pack",
            "POST /git-upload-archive",
            "POST /git-upload-pack?x=1",
            "GET /HEAD",
            "GET /objects/info/packs",
            "POST /info/lfs/objects/batch",
            "PUT /git-upload-pack",
        ] {
            assert!(matches!(ask(&["x"], line, "upload-pack"), Err(GitRefusal::Request)), "{line}");
        }
        assert!(ask(&[], "POST /git-upload-pack", "receive-pack").is_err());
    }

    #[test]
    fn a_push_needs_the_operator() {
        for line in ["GET /info/refs?service=git-receive-pack", "POST /git-receive-pack"] {
            assert!(matches!(ask(&[], line, "receive-pack"), Err(GitRefusal::PushOff)), "{line}");
            assert!(ask(&["sandbox/*"], line, "receive-pack").is_ok(), "{line}");
        }
    }
}
