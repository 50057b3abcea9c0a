//! What may leave a run: routes made from the operator's settings and the repository's remotes. Deny is the absence of a route.

use crate::{
    host::Endpoint,
    id::SecretName,
    path::{NormalPath, PathPattern, stars_match},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, net::SocketAddr};

/// How a route is carried and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RouteKind {
    /// A TLS tunnel whose SNI must equal the asked name. Not decrypted.
    Tls,
    /// HTTP, each request decided on its own; `https` is decrypted on the host.
    Http,
    /// The model gateway: credentials are added outside.
    Model,
    /// Git's smart HTTP protocol for the listed repositories and nothing else; decrypted on the host.
    Git,
}

impl RouteKind {
    /// The kind in a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Model => "model",
            Self::Git => "git",
        }
    }
}

/// What is spoken at the endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// TLS.
    #[default]
    Https,
    /// Plain HTTP.
    Http,
}

impl Scheme {
    /// The port when none is named.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }
}

/// One trusted endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Route {
    /// Name and port that the agent asks for.
    pub endpoint: Endpoint,
    /// How it is carried.
    pub kind: RouteKind,
    /// What is spoken there.
    #[serde(default)]
    pub scheme: Scheme,
    /// The address the operator pinned; it may be an internal one, because the operator named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// What each request must be like.
    #[serde(default)]
    pub rules: Rules,
}

impl Route {
    /// A route to an endpoint, without rules and pinned address.
    #[must_use]
    pub fn new(endpoint: Endpoint, kind: RouteKind, scheme: Scheme) -> Self {
        Self { endpoint, kind, scheme, address: None, rules: Rules::default() }
    }

    /// True when its TLS ends on the host, so that programs inside must trust the run's own certificate authority.
    #[must_use]
    pub fn is_intercepted(&self) -> bool {
        match self.kind {
            RouteKind::Http | RouteKind::Git => self.scheme == Scheme::Https,
            RouteKind::Tls | RouteKind::Model => false,
        }
    }
}

/// What a request on a route must be like. The default lets every request pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rules {
    /// Methods that are carried; without the list all are, but CONNECT and TRACE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<Vec<Method>>,
    /// Paths that are carried; without the list all are, and an empty list carries none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<PathPattern>>,
    /// Refuses requests with a query.
    #[serde(default)]
    pub no_query: bool,
    /// Carries WebSockets.
    #[serde(default)]
    pub websocket: bool,
    /// Bytes that may go up over the route in the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_max: Option<u64>,
    /// The secret that is added to each request outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<SecretName>,
    /// Repositories that git may fetch from, and perhaps push to, beside what `paths` covers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<Repository>,
}

/// A method as rules name it: upper-case letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Method(String);

/// Why a text is no method of a rule.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{text}` is not a method that can be carried: use GET, HEAD, POST, PUT, PATCH, DELETE or another word of upper-case letters"
)]
pub struct InvalidMethod {
    text: String,
}

impl Method {
    /// Reads a method. CONNECT and TRACE are never carried.
    ///
    /// # Errors
    /// [`InvalidMethod`]
    pub fn parse(text: &str) -> Result<Self, InvalidMethod> {
        let plain =
            (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        if plain && text != "CONNECT" && text != "TRACE" {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidMethod { text: crate::text::printable(text, 40) })
        }
    }

    /// The method.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Method {
    type Error = InvalidMethod;
    fn try_from(text: String) -> Result<Self, InvalidMethod> {
        Self::parse(&text)
    }
}

impl From<Method> for String {
    fn from(method: Method) -> Self {
        method.0
    }
}

/// A repository behind an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Repository {
    /// Its path without a trailing `.git`, in normal form: `/acme/app`.
    pub path: String,
    /// Branches that may be created there; none means that nothing is pushed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub push: Vec<BranchPattern>,
}

impl Repository {
    /// The repository at a remote's path, with or without `.git` at its end.
    ///
    /// # Errors
    /// [`crate::path::InvalidPath`] when the path has no form that can be decided on.
    pub fn at(path: &str, push: &[BranchPattern]) -> Result<Self, crate::path::InvalidPath> {
        let normal = NormalPath::parse(path.trim_end_matches('/'))?;
        let bare = normal.as_str().strip_suffix(".git").unwrap_or(normal.as_str());
        Ok(Self { path: bare.to_owned(), push: push.to_vec() })
    }

    /// What stands behind the repository in a path: `/info/refs`, `/git-upload-pack`; none when it is another one's path.
    #[must_use]
    pub fn below<'p>(&self, path: &'p NormalPath) -> Option<&'p str> {
        let rest = path.as_str().strip_prefix(&self.path)?;
        let rest = rest.strip_prefix(".git").unwrap_or(rest);
        rest.starts_with('/').then_some(rest)
    }
}

/// Branches by name: `*` stands for any characters but `/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct BranchPattern(String);

/// Why a text is no pattern of branches.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a branch pattern: write a branch such as sandbox/* without refs/heads/")]
pub struct InvalidBranch {
    text: String,
}

impl BranchPattern {
    /// Reads `sandbox/*`.
    ///
    /// # Errors
    /// [`InvalidBranch`]
    pub fn parse(text: &str) -> Result<Self, InvalidBranch> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '+' | '*');
        let parts =
            text.split('/').all(|part| !part.is_empty() && !part.starts_with(['.', '-']) && !part.ends_with(".lock"));
        let plain =
            text.len() <= 200 && text.chars().all(good) && parts && !text.contains("..") && !text.starts_with("refs/");
        if plain && text.matches('*').count() <= 4 {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidBranch { text: crate::text::printable(text, 60) })
        }
    }

    /// True when the pattern covers the branch of a full ref name; tags and everything else outside of `refs/heads/` never.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        let Some(branch) = name.strip_prefix("refs/heads/") else { return false };
        let (pattern, branch) = (self.0.split('/'), branch.split('/'));
        pattern.clone().count() == branch.clone().count()
            && pattern.zip(branch).all(|(p, b)| !b.is_empty() && stars_match(p, b))
    }
}

impl fmt::Display for BranchPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for BranchPattern {
    type Error = InvalidBranch;
    fn try_from(text: String) -> Result<Self, InvalidBranch> {
        Self::parse(&text)
    }
}

impl From<BranchPattern> for String {
    fn from(pattern: BranchPattern) -> Self {
        pattern.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_covered_by_name() {
        let pattern = BranchPattern::parse("sandbox/*").expect("pattern");
        assert!(pattern.covers("refs/heads/sandbox/quiet-otter"));
        for bad in [
            "refs/heads/main",
            "refs/heads/sandbox/",
            "refs/heads/sandbox/a/b",
            "refs/tags/sandbox/x",
            "refs/pull/sandbox/x",
            "sandbox/x",
            "refs/heads/xsandbox/a",
        ] {
            assert!(!pattern.covers(bad), "{bad}");
        }
        for bad in ["", "refs/heads/x", "-x", "a..b", "a b", "a//b", "a/", "x.lock", "a\u{1b}"] {
            assert!(BranchPattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_repository_is_that_one() {
        let repository = Repository::at("/acme/app.git", &[]).expect("path");
        let below = |path: &str| repository.below(&NormalPath::parse(path).expect(path)).map(str::to_owned);
        assert_eq!(below("/acme/app/info/refs").as_deref(), Some("/info/refs"));
        assert_eq!(below("/acme/app.git/git-upload-pack").as_deref(), Some("/git-upload-pack"));
        for other in [
            "/acme/app",
            "/acme/app2/info/refs",
            "/acme/app.gitx/info/refs",
            "/Acme/app/info/refs",
            "/x/acme/app/info/refs",
        ] {
            assert_eq!(below(other), None, "{other}");
        }
        assert!(Repository::at("/acme/../x", &[]).is_err());
    }

    #[test]
    fn methods_are_plain_words() {
        assert!(Method::parse("PROPFIND").is_ok());
        for bad in ["", "get", "CONNECT", "TRACE", "GET ", "G\u{130}T"] {
            assert!(Method::parse(bad).is_err(), "{bad}");
        }
    }
}
