//! What would come of a request, and why: the answer of the code that decides, where the route comes from, and the entry that would let
//! it out.

use super::{
    allowing::{NoEntry, Settings, model},
    effective::Effective,
    proposal::{Obstacle, Proposal},
    question::Asked,
    refused::{Class, NO_NAME, Refused, class, is_git},
};
use crate::{error::EngineError, routes::Listed};
use egress::{
    explain::{Fate, Hypothesis, HypotheticalRequest, explain},
    refusal::Refusal,
};
use serde::Serialize;
use types::{
    host::Endpoint,
    profile::Profile,
    route::{Route, RouteKind, Scheme},
    text::printable,
};

/// The answer in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It would be let out.
    Allowed,
    /// The connection would be taken, and each request in it decided.
    Depends,
    /// It would be refused.
    Denied,
}

/// Why something would be refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WhyNot {
    /// The rule's id.
    pub rule: String,
    /// One line.
    pub reason: String,
    /// What the program is told to do instead.
    pub instead: String,
}

/// What git could do with the repository at a path; none is leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ForGit {
    /// Fetch from it.
    pub fetch: Option<WhyNot>,
    /// Push the branches that git.push names to it.
    pub push: Option<WhyNot>,
}

/// An answer with its reasons.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explained {
    /// In a word.
    pub answer: Answer,
    /// Name and port as asked, escaped.
    pub endpoint: String,
    /// What is spoken.
    pub scheme: Scheme,
    /// Method and target as asked, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Path and query in the form that would be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sends: Option<String>,
    /// The route to the endpoint, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Listed>,
    /// Why it would be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<WhyNot>,
    /// What git could do there, where it is asked about a repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<ForGit>,
    /// The entry that would let it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    /// Why no entry can or should let it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub never: Option<String>,
}

/// Answers a question under what is in force.
///
/// # Errors
/// [`EngineError`] when the settings are wrong.
pub fn explain_request(profile: &Profile, effective: &Effective, asked: &Asked) -> Result<Explained, EngineError> {
    let routes = effective.routes();
    let (scheme, authority) = asked.place(&routes);
    let endpoint = Endpoint::parse(&authority).ok();
    let route = endpoint.as_ref().and_then(|endpoint| effective.to(endpoint)).cloned();
    let mut explained = Explained {
        answer: Answer::Denied,
        endpoint: printable(&authority, 120),
        scheme,
        request: asked.request.as_ref().map(|(method, target)| printable(&format!("{method} {target}"), 300)),
        sends: None,
        route,
        refusal: None,
        git: None,
        proposal: None,
        never: None,
    };
    let request = asked.request.as_ref().map(|(method, target)| HypotheticalRequest {
        method,
        target,
        is_websocket: asked.is_websocket,
    });
    let hypothesis = Hypothesis { scheme, authority: &authority, request };
    let refusal = match explain(&hypothesis, &routes) {
        Fate::Tunnel(_) => {
            explained.answer = Answer::Allowed;
            None
        }
        Fate::Decided(_) => {
            explained.answer = Answer::Depends;
            None
        }
        Fate::Sent { target, .. } => {
            explained.answer = Answer::Allowed;
            explained.sends = Some(target);
            None
        }
        Fate::Refused(refusal) => Some(refusal),
    };
    explained.git = for_git(&hypothesis, &routes, explained.route.as_ref().map(|listed| &listed.route));
    if refusal.is_some() && explained.git.as_ref().is_some_and(|git| git.fetch.is_none()) {
        // Only git asks there: the question is about what git would ask for.
        explained.answer = Answer::Allowed;
    } else if let Some(refusal) = refusal {
        explained.refusal = Some(why_not(&refusal));
        match &endpoint {
            None => explained.never = Some(NO_NAME.to_owned()),
            Some(endpoint) => {
                let settings = Settings { now: profile, remotes: &effective.remotes };
                let open = Open { endpoint, scheme, asked, rule: refusal.rule(), reason: refusal.reason() };
                match open.entry(settings, &routes)? {
                    Ok(proposal) => explained.proposal = Some(proposal),
                    Err(why) => explained.never = Some(why),
                }
            }
        }
    }
    Ok(explained)
}

fn why_not(refusal: &Refusal) -> WhyNot {
    WhyNot { rule: refusal.rule().to_owned(), reason: refusal.reason(), instead: refusal.instead().to_owned() }
}

/// What git could do, where a path is asked about that could be a repository's.
fn for_git(hypothesis: &Hypothesis<'_>, routes: &[Route], route: Option<&Route>) -> Option<ForGit> {
    let route = route.filter(|route| !route.rules.repositories.is_empty())?;
    let path = hypothesis.request?.target.split('?').next().unwrap_or_default().trim_end_matches('/');
    if path.is_empty() || is_git(path) {
        return None;
    }
    let ask = |service: &str| {
        let target = format!("{path}/info/refs?service={service}");
        let request = Some(HypotheticalRequest { method: "GET", target: &target, is_websocket: false });
        match explain(&Hypothesis { request, ..*hypothesis }, routes) {
            Fate::Sent { is_git: true, .. } => Some(None),
            Fate::Refused(refusal) => Some(Some(why_not(&refusal))),
            // Beside the repositories the operator's own rules count, which know nothing of git.
            Fate::Tunnel(_) | Fate::Decided(_) | Fate::Sent { .. } => None,
        }
    };
    let git = ForGit { fetch: ask("git-upload-pack")?, push: ask("git-receive-pack")? };
    // What lies below a recorded repository is a page, not another one.
    let is_repository = git.fetch.as_ref().is_none_or(|why| why.rule == "repository_not_allowed");
    (is_repository && (git.fetch.is_none() || route.kind == RouteKind::Git)).then_some(git)
}

/// A request that is refused.
struct Open<'a> {
    endpoint: &'a Endpoint,
    scheme: Scheme,
    asked: &'a Asked,
    rule: &'a str,
    reason: String,
}

impl Open<'_> {
    /// The entry that would let it out, or why there is none.
    fn entry(&self, settings: Settings<'_>, routes: &[Route]) -> Result<Result<Proposal, String>, EngineError> {
        let request = self.asked.request.as_ref();
        let path = |target: &str| target.split('?').next().unwrap_or_default().to_owned();
        let refused = Refused {
            rule: self.rule.to_owned(),
            reason: self.reason.clone(),
            request: request.map(|(method, target)| format!("{method} {}", path(target))),
            scheme: self.scheme,
            count: 1,
        };
        let want = match class(self.endpoint, &refused, model(routes)) {
            Class::Entry(want) => want,
            Class::Never(why) => return Ok(Err(why)),
        };
        // One refusal hides what would be refused next.
        let also = [
            (request.is_some_and(|(_, target)| target.contains('?')), Obstacle::Query),
            (self.asked.is_websocket, Obstacle::Upgrade),
        ];
        let mut wants = vec![want.clone()];
        for (is_asked, obstacle) in also {
            if is_asked && want.obstacle != obstacle {
                wants.push(super::proposal::Want { obstacle, ..want.clone() });
            }
        }
        Ok(settings.allowing(self.endpoint, self.scheme, &wants)?.map_err(|why| match why {
            NoEntry::OtherScheme => "an endpoint is trusted for TLS or for plain HTTP, not for both".to_owned(),
            NoEntry::NotFound => "no entry was found that lets it out".to_owned(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::testing::{profile, remote};

    const SETTINGS: &str = "[trust]\nendpoints = ['tunnel.example', 'http://plain.example',\n\
        {endpoint='api.example', methods=['GET'], paths=['/v1/**'], query=false},\n\
        {endpoint='hub.example', methods=['GET'], paths=['/api/**']}]\n";

    fn ask(text: &str, method: Option<&str>) -> Explained {
        let profile = profile(SETTINGS);
        let remotes =
            vec![remote("origin", "https://forge.example/acme/app.git"), remote("hub", "https://hub.example/acme/app")];
        let effective = Effective::of(&profile, remotes, Vec::new()).expect("effective");
        let asked = Asked::parse(text, method, false).expect(text);
        explain_request(&profile, &effective, &asked).expect("explained")
    }

    #[test]
    fn what_is_let_out_says_how() {
        let tunnel = ask("tunnel.example/any", None);
        assert_eq!((tunnel.answer, tunnel.sends), (Answer::Allowed, None));
        let api = ask("api.example/v1/%61", None);
        assert_eq!((api.answer, api.sends.as_deref()), (Answer::Allowed, Some("/v1/a")));
        assert_eq!(ask("api.example", None).answer, Answer::Depends);
        assert_eq!(ask("http://plain.example/x", None).answer, Answer::Allowed);
    }

    #[test]
    fn what_is_refused_says_what_would_allow_it() {
        for (text, method, rule, entry) in [
            (
                "new.example",
                None,
                "no_route",
                r#"{ endpoint = "new.example", methods = ["GET", "HEAD"], query = false }"#,
            ),
            (
                "https://new.example/x?q=1",
                None,
                "no_route",
                r#"{ endpoint = "new.example", methods = ["GET"], paths = ["/x"] }"#,
            ),
            (
                "wss://new.example/s",
                None,
                "no_route",
                r#"{ endpoint = "new.example", methods = ["GET"], paths = ["/s"], query = false, websocket = true }"#,
            ),
            (
                "api.example/v2?q",
                None,
                "path_not_allowed",
                r#"{ endpoint = "api.example", methods = ["GET"], paths = ["/v1/**", "/v2"] }"#,
            ),
            (
                "api.example/v1/x",
                Some("PUT"),
                "method_not_allowed",
                r#"{ endpoint = "api.example", methods = ["GET", "PUT"], paths = ["/v1/**"], query = false }"#,
            ),
        ] {
            let explained = ask(text, method);
            assert_eq!(explained.answer, Answer::Denied, "{text}");
            assert_eq!(explained.refusal.expect("refusal").rule, rule, "{text}");
            assert_eq!(explained.proposal.map(|proposal| proposal.entry).as_deref(), Some(entry), "{text}");
        }
    }

    #[test]
    fn what_must_not_be_let_out_says_why() {
        for (text, rule, why) in [
            ("127.0.0.1:8080", "bad_name", "plain names"),
            ("metadata.google.internal", "no_route", "its cloud"),
            ("api.anthropic.com/v1/files", "no_route", "its gateway only"),
            ("http://tunnel.example:443/", "no_route", "not for both"),
            ("api.example/v1/../x", "bad_path", "more than one way"),
        ] {
            let explained = ask(text, None);
            assert_eq!((explained.answer, explained.proposal.is_none()), (Answer::Denied, true), "{text}");
            assert_eq!(explained.refusal.expect("refusal").rule, rule, "{text}");
            assert!(explained.never.as_ref().is_some_and(|never| never.contains(why)), "{text}: {:?}", explained.never);
        }
    }

    #[test]
    fn a_repository_is_asked_about_as_git_would() {
        let own = ask("https://forge.example/acme/app.git", None);
        assert_eq!(own.answer, Answer::Allowed);
        let git = own.git.expect("git");
        assert_eq!((git.fetch, git.push.map(|why| why.rule)), (None, Some("push_not_allowed".to_owned())));
        let other = ask("https://forge.example/evil/app", None);
        assert_eq!(
            (other.answer, other.refusal.expect("refusal").rule.as_str()),
            (Answer::Denied, "repository_not_allowed")
        );
        assert!(other.git.is_some_and(|git| git.fetch.is_some() && git.push.is_some()));
        let named = ask("https://forge.example/evil/app.git", None);
        assert!(named.proposal.is_none() && named.never.is_some_and(|never| never.contains("git remote add")));
        let page = ask("https://forge.example/acme/app/releases/x", None);
        assert!(page.git.is_none() && page.proposal.is_some());
        let beside = ask("hub.example/api/x", None);
        assert_eq!((beside.answer, beside.git), (Answer::Allowed, None));
        assert_eq!(ask("hub.example/acme/app", None).answer, Answer::Allowed);
        let listed = own.route.expect("route");
        assert_eq!(listed.origins, [crate::routes::Origin::Remote("origin".into())]);
    }
}
