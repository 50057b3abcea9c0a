//! What a run was refused, and for each endpoint a narrow entry that would let it out. An entry is proposed only after the code that
//! decides has said that it would.

use super::{
    allowing::{NoEntry, Settings, model, passes},
    proposal::{Proposal, Want},
    refused::{Class, NO_NAME, Place, Refused, class, group},
};
use crate::{Engine, error::EngineError, journal, routes::routes};
use repo::Remote;
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap},
    fs,
};
use types::{
    event::EgressRecord,
    id::RunId,
    profile::Profile,
    route::{Route, Scheme},
    task::Task,
};

/// What a run was refused, as it stands on record.
#[derive(Clone, Debug)]
pub struct Refusals {
    /// The run.
    pub run: RunId,
    /// The task, where it can still be read.
    pub task: Option<Task>,
    records: Vec<EgressRecord>,
    profile: Profile,
    remotes: Vec<Remote>,
}

/// What can be done about the refusals at one place.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Suggestion {
    /// Name and port, or what was asked for where it is none, escaped.
    pub endpoint: String,
    /// How many refusals.
    pub refused: u64,
    /// How many by rule.
    pub rules: BTreeMap<String, u64>,
    /// How many of them the settings let out by now.
    pub settled: u64,
    /// The entry that would let out those that an entry can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    /// Those that none can or should.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<Never>,
}

/// Refusals that no entry changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Never {
    /// The rule.
    pub rule: String,
    /// How many.
    pub refused: u64,
    /// Why, and what to do instead.
    pub why: String,
}

impl Engine {
    /// What a run was refused so far.
    ///
    /// # Errors
    /// [`EngineError::NoRun`] and its like.
    pub fn refusals(&self, name: &str) -> Result<Refusals, EngineError> {
        let attempt = self.find(name)?;
        let plan = self.plan(&attempt)?;
        let files = self.paths.attempt(&plan.run, &plan.task, plan.attempt);
        let text = fs::read_to_string(files.task.join("task.md")).unwrap_or_default();
        Ok(Refusals {
            run: plan.run,
            task: Task::parse(&text).ok(),
            records: journal::look(&files.file("egress.jsonl"))?,
            profile: plan.profile,
            remotes: plan.remotes,
        })
    }
}

/// What can be done about a run's refusals under the settings of now, by endpoint.
///
/// # Errors
/// [`EngineError`] when the settings are wrong.
pub fn suggest(refusals: &Refusals, now: &Profile) -> Result<Vec<Suggestion>, EngineError> {
    let then = routes(&refusals.profile, &refusals.remotes)?;
    let settings = Settings { now, remotes: &refusals.remotes };
    let routes = settings.routes(now)?;
    let all = group(&refusals.records, &then).into_iter();
    all.map(|(place, kinds)| suggestion(settings, &place, &kinds, &routes, refusals.task.as_ref())).collect()
}

fn suggestion(
    settings: Settings<'_>,
    place: &Place,
    kinds: &[Refused],
    routes: &[Route],
    task: Option<&Task>,
) -> Result<Suggestion, EngineError> {
    let endpoint = match place {
        Place::Endpoint(endpoint) => endpoint,
        Place::Gateway => return Ok(unchangeable("the model gateway", kinds, GATEWAY)),
        Place::Other(text) => return Ok(unchangeable(text, kinds, NO_NAME)),
    };
    let mut suggestion = counted(endpoint.to_string(), kinds);
    let mut never = Nevers::default();
    let mut open: BTreeMap<Scheme, Vec<(Want, &Refused)>> = BTreeMap::new();
    for kind in kinds {
        match class(endpoint, kind, model(routes)) {
            Class::Never(why) => never.count(kind, why),
            Class::Entry(want) if passes(endpoint, kind.scheme, &want, routes) => suggestion.settled += kind.count,
            Class::Entry(want) => open.entry(kind.scheme).or_default().push((want, kind)),
        }
    }
    for (scheme, wanted) in open {
        let wants: Vec<_> = wanted.iter().map(|(want, _)| want.clone()).collect();
        let found = match &suggestion.proposal {
            Some(_) => Err(NoEntry::OtherScheme),
            None => settings.allowing(endpoint, scheme, &wants)?,
        };
        match found {
            Ok(proposal) => suggestion.proposal = Some(proposal),
            Err(why) => wanted.iter().for_each(|(_, kind)| never.count(kind, without_entry(why, kind))),
        }
    }
    suggestion.never = never.nevers;
    let network = task.and_then(|task| task.front.network.as_ref());
    if let Some(proposal) = &mut suggestion.proposal
        && network.is_some_and(|network| !network.allowed.contains(endpoint))
    {
        proposal.cautions.push("the task's network.allowed leaves it out; name it there too".to_owned());
    }
    Ok(suggestion)
}

const GATEWAY: &str =
    "the model gateway carries message requests for the models of model.models within the budget, and nothing else";

fn without_entry(why: NoEntry, kind: &Refused) -> String {
    match why {
        NoEntry::OtherScheme => "an endpoint is trusted for TLS or for plain HTTP, not for both".to_owned(),
        NoEntry::NotFound => format!("no entry was found that lets it out: {}", kind.reason),
    }
}

fn counted(endpoint: String, kinds: &[Refused]) -> Suggestion {
    let mut rules = BTreeMap::new();
    for kind in kinds {
        *rules.entry(kind.rule.clone()).or_default() += kind.count;
    }
    let refused = kinds.iter().map(|kind| kind.count).sum();
    Suggestion { endpoint, refused, rules, settled: 0, proposal: None, never: Vec::new() }
}

fn unchangeable(place: &str, kinds: &[Refused], why: &str) -> Suggestion {
    let mut never = Nevers::default();
    kinds.iter().for_each(|kind| never.count(kind, why.to_owned()));
    Suggestion { never: never.nevers, ..counted(types::text::printable(place, 120), kinds) }
}

/// Refusals that no entry changes, in the order in which they came, and where those of a rule and a reason are.
#[derive(Default)]
struct Nevers {
    nevers: Vec<Never>,
    known: HashMap<(String, String), usize>,
}

impl Nevers {
    fn count(&mut self, kind: &Refused, why: String) {
        let next = self.nevers.len();
        let at = *self.known.entry((kind.rule.clone(), why.clone())).or_insert(next);
        if at == next {
            self.nevers.push(Never { rule: kind.rule.clone(), refused: 0, why });
        }
        self.nevers[at].refused += kind.count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::testing::{profile, remote};
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn record(via: &str, asked: &str, rule: &str, request: Option<&str>) -> EgressRecord {
        EgressRecord {
            at: Timestamp::UNIX_EPOCH,
            asked: asked.to_owned(),
            request: request.map(str::to_owned),
            via: via.to_owned(),
            allowed: false,
            rule: rule.to_owned(),
            reason: format!("the reason of {rule}"),
            address: None,
            status: Some(403),
            bytes_up: 0,
            bytes_down: 0,
            micros: 1,
        }
    }

    fn refusals(settings: &str, task: &str, records: Vec<EgressRecord>) -> Refusals {
        Refusals {
            run: RunId::mint(0, 0),
            task: Task::parse(task).ok(),
            records,
            profile: profile(settings),
            remotes: vec![remote("origin", "https://forge.example/acme/app.git")],
        }
    }

    /// The entry, or why there is none, of the only place.
    fn only(settings: &str, records: Vec<EgressRecord>) -> (Option<String>, Vec<String>) {
        let all = suggest(&refusals(settings, "x", records), &profile(settings)).expect("suggestions");
        assert_eq!(all.len(), 1, "{all:#?}");
        let never = all[0].never.iter().map(|never| format!("{}: {}", never.rule, never.why)).collect();
        (all[0].proposal.as_ref().map(|proposal| proposal.entry.clone()), never)
    }

    const API: &str =
        "[trust]\nendpoints = [{endpoint='api.example', methods=['GET'], paths=['/v1/**'], query=false}]\n";

    #[test]
    fn what_an_entry_can_let_out_gets_one() {
        for (settings, via, asked, rule, request, entry) in [
            (
                "",
                "proxy-connect",
                "new.example:443",
                "no_route",
                None,
                r#"{ endpoint = "new.example", methods = ["GET", "HEAD"], query = false }"#,
            ),
            (
                "",
                "proxy-http",
                "new.example:80",
                "no_route",
                Some("GET /a"),
                r#"{ endpoint = "http://new.example", methods = ["GET"], paths = ["/a"], query = false }"#,
            ),
            (
                "",
                "proxy-connect",
                "new.example:8443",
                "no_route",
                None,
                r#"{ endpoint = "new.example:8443", methods = ["GET", "HEAD"], query = false }"#,
            ),
            (
                API,
                "proxy-connect",
                "api.example:443",
                "path_not_allowed",
                Some("GET /v2"),
                r#"{ endpoint = "api.example", methods = ["GET"], paths = ["/v1/**", "/v2"], query = false }"#,
            ),
            (
                API,
                "named",
                "api.example:443",
                "method_not_allowed",
                Some("PUT /v1/a"),
                r#"{ endpoint = "api.example", methods = ["GET", "PUT"], paths = ["/v1/**"], query = false }"#,
            ),
            (
                API,
                "named",
                "api.example:443",
                "query_not_allowed",
                Some("GET /v1/a"),
                r#"{ endpoint = "api.example", methods = ["GET"], paths = ["/v1/**"] }"#,
            ),
            (
                "",
                "proxy-connect",
                "forge.example:443",
                "git_not_allowed",
                Some("GET /acme/app/releases/x.tgz"),
                r#"{ endpoint = "forge.example", methods = ["GET"], paths = ["/acme/app/releases/x.tgz"], query = false }"#,
            ),
        ] {
            let (found, never) = only(settings, vec![record(via, asked, rule, request)]);
            assert_eq!((found.as_deref(), never), (Some(entry), Vec::new()), "{asked} {rule}");
        }
    }

    #[test]
    fn what_must_not_be_let_out_gets_none_and_a_reason() {
        let long = format!("GET /{}…", "a".repeat(300));
        for (via, asked, rule, request, why) in [
            ("proxy-connect", "127.0.0.1:443", "bad_name", None, "give it a name"),
            ("proxy-http", "http://10.0.0.1/x", "bad_name", None, "give it a name"),
            ("proxy-connect", "metadata.google.internal:80", "no_route", None, "its cloud"),
            ("proxy-connect", "host.docker.internal:2375", "no_route", None, "this machine"),
            ("proxy-connect", "registry:5000", "no_route", None, "--address IP:5000"),
            ("proxy-connect", "rebound.example:443", "internal_address", None, "--address IP:PORT"),
            ("proxy-connect", "api.anthropic.com:443", "no_route", None, "through its gateway only"),
            ("model", "/v1/files", "method_not_allowed", None, "model gateway carries message requests"),
            (
                "proxy-connect",
                "forge.example:443",
                "repository_not_allowed",
                Some("GET /evil/app/info/refs"),
                "git remote add",
            ),
            (
                "proxy-connect",
                "forge.example:443",
                "push_not_allowed",
                Some("POST /acme/app/git-receive-pack"),
                "git.push",
            ),
            (
                "proxy-connect",
                "forge.example:443",
                "git_not_allowed",
                Some("POST /acme/app/git-upload-archive"),
                "recorded remotes",
            ),
            ("named", "api.example:443", "foreign_credential", Some("GET /v1/a"), "credential of its own"),
            ("named", "api.example:443", "placeholder_misuse", Some("GET /v1/a"), "placeholder"),
            ("named", "api.example:443", "bad_path", Some("GET /v1/../a"), "more than one way"),
            ("named", "api.example:443", "path_not_allowed", Some("GET /a*b"), "a star"),
            ("named", "api.example:443", "path_not_allowed", Some(&long), "too long"),
            ("named", "tls.example:443", "sni_mismatch", None, "not what the route is for"),
            ("proxy-connect", "gone.example:443", "unresolvable", None, "no entry changes this: the reason of"),
            ("proxy-connect", "x.example:443", "some_later_rule", None, "no entry changes this"),
        ] {
            let (entry, never) = only(API, vec![record(via, asked, rule, request)]);
            assert_eq!(entry, None, "{asked} {rule}");
            assert!(matches!(never.as_slice(), [only] if only.contains(why)), "{asked} {rule}: {never:?}");
        }
    }

    #[test]
    fn one_endpoint_has_one_entry_for_all_that_was_refused_there() {
        let records = vec![
            record("named", "api.example:443", "path_not_allowed", Some("GET /v2")),
            record("named", "api.example:443", "path_not_allowed", Some("GET /v2")),
            record("named", "api.example:443", "method_not_allowed", Some("DELETE /v1/a")),
            record("named", "api.example:443", "placeholder_misuse", Some("GET /v1/a")),
            record("proxy-http", "api.example:443", "no_route", Some("GET /")),
            EgressRecord { allowed: true, ..record("named", "api.example:443", "api.example:443", Some("GET /v1/b")) },
            record("proxy-connect", "denied.sandbox-canary.invalid:443", "no_route", None),
        ];
        let all = suggest(&refusals(API, "x", records), &profile(API)).expect("suggestions");
        let [one] = all.as_slice() else { panic!("{all:#?}") };
        assert_eq!((one.refused, one.rules["path_not_allowed"]), (5, 2));
        let never: Vec<_> = one.never.iter().map(|never| never.rule.as_str()).collect();
        assert_eq!(never, ["placeholder_misuse", "no_route"]);
        let proposal = one.proposal.as_ref().expect("proposal");
        assert_eq!(
            proposal.entry,
            r#"{ endpoint = "api.example", methods = ["GET", "DELETE"], paths = ["/v1/**", "/v2"], query = false }"#
        );
        assert!(proposal.cautions.iter().any(|caution| caution.contains("DELETE carries data up")), "{proposal:?}");
    }

    #[test]
    fn tens_of_thousands_of_refusals_are_grouped() {
        let path = |n: u32| format!("GET /v2/a{n}/{}", n % 2);
        let opened = (0..10_000).map(|n| record("named", "api.example:443", "path_not_allowed", Some(&path(n))));
        let never = (0..10_000).map(|n| EgressRecord {
            reason: format!("the host is {n}"),
            ..record("named", "api.example:443", "host_mismatch", Some(&path(n)))
        });
        let records: Vec<_> = opened.chain(never).flat_map(|record| [record.clone(), record]).collect();
        let one = suggest(&refusals(API, "x", records), &profile(API)).expect("suggestions").remove(0);
        assert_eq!((one.refused, one.never.len()), (40_000, 10_000));
        assert!(one.never.iter().all(|never| never.refused == 2));
        let entry = one.proposal.expect("proposal").entry;
        assert!(entry.contains(r#""/v2/*/0", "/v2/*/1""#), "{entry}");
    }

    #[test]
    fn what_the_settings_let_out_by_now_is_settled() {
        let records = vec![record("proxy-connect", "new.example:443", "no_route", None)];
        let refusals = refusals("", "---\nnetwork: {allowed: []}\n---\nx", records);
        let open = &suggest(&refusals, &profile("")).expect("suggestions")[0];
        let proposal = open.proposal.as_ref().expect("proposal");
        assert!(proposal.cautions.iter().any(|caution| caution.contains("network.allowed")), "{proposal:?}");
        let settled = &suggest(&refusals, &profile("[trust]\nendpoints=['new.example']\n")).expect("suggestions")[0];
        assert_eq!((settled.settled, settled.proposal.is_none()), (1, true));
    }

    #[test]
    fn an_entry_that_was_taken_back_since_is_not_revived() {
        let then = "[trust]\nendpoints = [{endpoint='api.example', methods=['GET', 'POST'], paths=['/v1/**'], credential='key'}]\n\
                    [secrets.key]\nsource = 'env:KEY'\nheader = 'x-key'\n";
        let records = vec![record("named", "api.example:443", "path_not_allowed", Some("GET /v2"))];
        let refusals = refusals(then, "x", records);
        let entry = |now: &str| {
            let all = suggest(&refusals, &profile(now)).expect("suggestions");
            all[0].proposal.as_ref().map(|proposal| (proposal.entry.clone(), proposal.replaces.is_some()))
        };
        let new = r#"{ endpoint = "api.example", methods = ["GET"], paths = ["/v2"], query = false }"#;
        assert_eq!(entry(""), Some((new.to_owned(), false)));
        let kept = entry(then).expect("an entry");
        assert!(kept.1 && kept.0.contains("credential") && kept.0.contains("/v1/**"), "{kept:?}");
    }

    proptest! {
        /// Records are what programs inside asked for: whatever that is, what is proposed is an entry for a public name.
        #[test]
        fn hostile_records_give_entries_for_public_names_or_none(
            records in proptest::collection::vec((
                "proxy-connect|proxy-http|named|model|x",
                "(api|new|a\\.b)\\.example:(443|80)|[a-z.*@%\\[\\]:0-9/]{0,20}|\\PC{0,12}|metadata\\.google\\.internal:80",
                "no_route|path_not_allowed|method_not_allowed|query_not_allowed|upgrade_refused|git_not_allowed|bad_name|[a-z_]{1,9}",
                proptest::option::of("(GET|POST|TRACE|\\PC{0,3}) (/[a-z*.%/]{0,20}|\\PC{0,12})"),
            ), 0..12),
        ) {
            let records: Vec<_> = records.iter().map(|(via, asked, rule, request)| record(via, asked, rule, request.as_deref())).collect();
            for suggestion in suggest(&refusals(API, "x", records), &profile(API)).expect("suggestions") {
                let Some(proposal) = suggestion.proposal else { continue };
                let route = crate::trust::read_entry(&proposal.entry).expect("an entry").route().expect("a route");
                prop_assert_eq!(route.endpoint.to_string(), suggestion.endpoint);
                prop_assert!(!route.endpoint.host.is_internal() && route.kind == types::route::RouteKind::Http);
                prop_assert!(!proposal.entry.contains("**") || suggestion.refused > 8 || proposal.replaces.is_some());
            }
        }
    }
}
