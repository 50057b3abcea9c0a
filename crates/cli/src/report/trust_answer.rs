//! What would become of a request, as people read it.

use super::{explanation::row, trust_table};
use engine::{Explained, TrustAnswer, WhyNot};
use types::{
    profile::Resolved,
    route::{RouteKind, Scheme},
    text::printable,
};

/// The whole text.
pub(crate) fn render(explained: &Explained, resolved: &Resolved) -> String {
    let mut out = String::new();
    let word = match explained.answer {
        TrustAnswer::Allowed => "allowed",
        TrustAnswer::Depends => "depends",
        TrustAnswer::Denied => "denied",
    };
    let plain = if explained.scheme == Scheme::Http { " (plain HTTP)" } else { "" };
    let rule = explained.refusal.as_ref().map(|refusal| format!(" · {}", refusal.rule)).unwrap_or_default();
    row(&mut out, word, &format!("{}{plain}{rule}", explained.endpoint));
    if let Some(request) = &explained.request {
        row(&mut out, "asks", request);
    }
    if let Some(sends) = &explained.sends {
        row(&mut out, "sends", &printable(sends, 300));
    }
    if let Some(listed) = &explained.route {
        let from: Vec<_> = listed.origins.iter().map(|origin| trust_table::origin(origin, resolved)).collect();
        let carries = trust_table::carries(&listed.route, resolved);
        row(&mut out, "route", &format!("{} · {carries}   ({})", listed.route.kind.as_str(), from.join(", ")));
        let is_out = explained.answer != TrustAnswer::Denied;
        match (listed.route.kind, listed.route.address) {
            (RouteKind::Tls, _) if is_out && explained.request.is_some() => {
                row(&mut out, "because", "a tunnel carries any request; method and path are not seen");
            }
            (RouteKind::Http | RouteKind::Git, _) if explained.answer == TrustAnswer::Depends => {
                row(&mut out, "because", "each request is decided; add a path, and --method, to ask about one");
            }
            (RouteKind::Tls | RouteKind::Http | RouteKind::Git | RouteKind::Model, _) => {}
        }
        if is_out && listed.route.address.is_none() {
            row(&mut out, "to", "a public address that the name has then; an internal one is refused");
        }
    }
    if let Some(git) = &explained.git {
        row(&mut out, "fetch", &leave(git.fetch.as_ref()));
        row(&mut out, "push", &leave(git.push.as_ref()));
    }
    if let Some(WhyNot { reason, instead, .. }) = &explained.refusal {
        row(&mut out, "because", reason);
        row(&mut out, "told", instead);
    }
    if let Some(never) = &explained.never {
        row(&mut out, "no entry", never);
    }
    if let Some(proposal) = &explained.proposal {
        row(&mut out, "allows", &proposal.entry);
        if let Some(replaces) = &proposal.replaces {
            row(&mut out, "instead", &format!("of {replaces}"));
        }
        row(&mut out, "by", &proposal.command);
        proposal.cautions.iter().for_each(|caution| row(&mut out, "caution", caution));
    }
    out
}

fn leave(refused: Option<&WhyNot>) -> String {
    refused.map_or_else(|| "allowed".to_owned(), |why| format!("denied · {} · {}", why.rule, why.reason))
}
