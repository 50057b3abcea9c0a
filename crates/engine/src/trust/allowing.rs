//! The entry for an endpoint by which everything that is wanted there is let out: proposed, and then put to the code that decides.

use super::{
    effective::Effective,
    proposal::{Obstacle, Proposal, Want, propose},
};
use crate::error::EngineError;
use egress::explain::{Fate, Hypothesis, HypotheticalRequest, explain};
use repo::Remote;
use types::{
    host::Endpoint,
    profile::Profile,
    route::{Route, RouteKind, Scheme},
    trust::TrustEntry,
};

/// The settings that an entry is proposed for.
#[derive(Clone, Copy)]
pub(super) struct Settings<'a> {
    /// Those of now: what the operator took back since a run stays taken back.
    pub(super) now: &'a Profile,
    /// The repository's remotes.
    pub(super) remotes: &'a [Remote],
}

/// Why there is no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoEntry {
    /// The endpoint is trusted for TLS, and plain HTTP was asked for, or the other way round.
    OtherScheme,
    /// The entry that was found does not let it out.
    NotFound,
}

impl Settings<'_> {
    /// The routes under these settings, the model's endpoint too.
    pub(super) fn routes(&self, profile: &Profile) -> Result<Vec<Route>, EngineError> {
        Ok(Effective::of(profile, self.remotes.to_vec(), Vec::new())?.routes())
    }

    /// The entry that there is for an endpoint.
    pub(super) fn entry(&self, endpoint: &Endpoint) -> Option<TrustEntry> {
        let is_for = |entry: &&TrustEntry| entry.route().is_ok_and(|route| route.endpoint == *endpoint);
        self.now.trust.endpoints.iter().find(is_for).cloned()
    }

    /// An entry that lets out all of `wants`, which are all of one scheme.
    pub(super) fn allowing(
        &self,
        endpoint: &Endpoint,
        scheme: Scheme,
        wants: &[Want],
    ) -> Result<Result<Proposal, NoEntry>, EngineError> {
        let base = self.entry(endpoint);
        let spoken = base.as_ref().and_then(|base| base.route().ok()).map(|route| route.scheme);
        if spoken.is_some_and(|spoken| spoken != scheme) {
            return Ok(Err(NoEntry::OtherScheme));
        }
        let proposal = propose(endpoint, scheme, base.as_ref(), wants);
        let mut with = self.now.clone();
        with.trust.endpoints.retain(|entry| entry.route().is_ok_and(|route| route.endpoint != *endpoint));
        with.trust.endpoints.push(proposal.parsed.clone());
        let routes = self.routes(&with)?;
        let lets_out = wants.iter().all(|want| passes(endpoint, scheme, want, &routes));
        Ok(if lets_out { Ok(proposal) } else { Err(NoEntry::NotFound) })
    }
}

/// The model's endpoint among the routes.
pub(super) fn model(routes: &[Route]) -> Option<&Endpoint> {
    routes.iter().find(|route| route.kind == RouteKind::Model).map(|route| &route.endpoint)
}

/// True when the routes let the wanted request out, or take its connection where no request was seen.
pub(super) fn passes(endpoint: &Endpoint, scheme: Scheme, want: &Want, routes: &[Route]) -> bool {
    let target = want.request.as_ref().map(|(_, path)| match want.obstacle {
        // What was refused for its query had one.
        Obstacle::Query => format!("{path}?q"),
        Obstacle::Route | Obstacle::Path | Obstacle::Method | Obstacle::Upgrade => path.to_string(),
    });
    let request = want.request.as_ref().zip(target.as_ref()).map(|((method, _), target)| HypotheticalRequest {
        method: method.as_str(),
        target,
        is_websocket: want.obstacle == Obstacle::Upgrade,
    });
    match explain(&Hypothesis { scheme, authority: &endpoint.to_string(), request }, routes) {
        Fate::Tunnel(_) | Fate::Decided(_) | Fate::Sent { .. } => true,
        Fate::Refused(_) => false,
    }
}
