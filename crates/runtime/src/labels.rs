//! Label keys. Everything made in an engine carries them, so that a restarted host and `sandbox gc` find it again.

/// The run's id, on containers and volumes.
pub const RUN: &str = "sandbox.run";
/// The attempt's number within the run.
pub const ATTEMPT: &str = "sandbox.attempt";
/// What a container or volume is for: one of the `ROLE_…` values.
pub const ROLE: &str = "sandbox.role";
/// The agent runs in it.
pub const ROLE_AGENT: &str = "agent";
/// The work is harvested in it.
pub const ROLE_HARVEST: &str = "harvest";
/// `verify` runs in it.
pub const ROLE_VERIFY: &str = "verify";
/// It fills a shared volume, or is one.
pub const ROLE_FILL: &str = "fill";
/// Package managers are asked in it which hosts they use; it belongs to no run.
pub const ROLE_DISCOVER: &str = "discover";
/// On the helper and the volume of a fill: the published name that it is meant for.
pub const FILL: &str = "sandbox.fill";
/// On the marker volume of a finished fill: the volume that holds the content.
pub const FILLED: &str = "sandbox.content";
/// On the helper and the volumes of a fill, and on what belongs to no run: when it began, in seconds since the epoch.
pub const SINCE: &str = "sandbox.since";
/// On images that were built here: the digest of their recipe.
pub const RECIPE: &str = "sandbox.recipe";
