//! Entries that an operator could make: as TOML on stdout, and what is to be said of each on stderr.

use super::line::{Tone, line};
use engine::{Discovered, Proposal, Suggestion};
use std::fmt::Write;
use types::{route::Scheme, text::printable};

/// A list of entries that can be pasted into a profile; empty without entries. Each has a comment, which may be empty.
pub(crate) fn toml(entries: &[(&Proposal, String)]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let mut out = String::from("[trust]\nendpoints = [\n");
    for (proposal, comment) in entries {
        let mut comments = vec![comment.clone()];
        comments.extend(proposal.replaces.as_ref().map(|replaces| format!("in place of {replaces}")));
        comments.retain(|text| !text.is_empty());
        let comments = if comments.is_empty() { String::new() } else { format!(" # {}", comments.join("; ")) };
        let _ = writeln!(out, "    {},{comments}", proposal.entry);
    }
    out.push_str("]\n");
    out
}

/// What is to be said of the refusals at one place.
pub(crate) fn explanation(suggestion: &Suggestion) -> Vec<String> {
    let rules: Vec<_> =
        suggestion.rules.iter().map(|(rule, count)| format!("{count} × {}", printable(rule, 60))).collect();
    let mut out =
        vec![line(Tone::Warn, "Refused", &format!("{}   {}", printable(&suggestion.endpoint, 120), rules.join(" · ")))];
    if let Some(proposal) = &suggestion.proposal {
        out.push(line(Tone::Good, "allow", &proposal.command));
        out.extend(proposal.cautions.iter().map(|caution| line(Tone::Dim, "caution", caution)));
    }
    if suggestion.settled > 0 {
        out.push(line(
            Tone::Dim,
            "settled",
            &format!("{} of them are let out under the settings of now", suggestion.settled),
        ));
    }
    for never in &suggestion.never {
        let why = printable(&never.why, 400);
        out.push(line(Tone::Dim, "no entry", &format!("{} × {}: {why}", never.refused, printable(&never.rule, 60))));
    }
    out
}

/// What is to be said of a package manager.
pub(crate) fn discovery(found: &Discovered) -> Vec<String> {
    let mut out = Vec::new();
    for host in &found.hosts {
        let scheme = if host.scheme == Scheme::Http { "http://" } else { "" };
        let how = if host.is_asked { "asked" } else { "configured" };
        let known = if host.is_trusted { ", trusted already" } else { "" };
        let first = host.requests.first().map(|request| format!(" {}", printable(request, 80))).unwrap_or_default();
        out.push(line(Tone::Good, &found.manager, &format!("{scheme}{} ({how}{first}{known})", host.endpoint)));
        if let Some(proposal) = &host.proposal {
            out.push(line(Tone::Dim, "allow", &proposal.command));
            out.extend(proposal.cautions.iter().map(|caution| line(Tone::Dim, "caution", &printable(caution, 400))));
        }
        if let Some(why) = &host.never {
            out.push(line(Tone::Dim, "no entry", &printable(why, 400)));
        }
    }
    if found.hosts.is_empty() {
        out.push(line(Tone::Warn, &found.manager, "no host"));
    }
    out.extend(found.note.as_ref().map(|note| line(Tone::Warn, "note", note)));
    out
}

/// One entry a host, with the managers that use it.
pub(crate) fn of_managers(found: &[Discovered]) -> Vec<(&Proposal, String)> {
    let mut out: Vec<(&Proposal, String)> = Vec::new();
    for manager in found {
        for proposal in manager.hosts.iter().filter_map(|host| host.proposal.as_ref()) {
            match out.iter_mut().find(|(known, _)| known.entry == proposal.entry) {
                Some((_, managers)) => {
                    let _ = write!(managers, ", {}", manager.manager);
                }
                None => out.push((proposal, manager.manager.clone())),
            }
        }
    }
    out
}
