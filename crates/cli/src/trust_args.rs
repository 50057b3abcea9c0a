//! Arguments of `sandbox trust`.

use crate::{
    args::{FormatArgs, RunName},
    complete,
};
use clap::{Args as ClapArgs, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use std::{net::SocketAddr, path::PathBuf};
use types::{id::SecretName, path::PathPattern, route::Method, size::ByteSize};

const SHOW: &str = "\
Examples:
  sandbox trust show                                        what you wrote
  sandbox trust show --effective                            what a run of this repository may reach, and why
  sandbox trust show --explain api.example.com/v1/users     what would become of a request";

const SUGGEST: &str = "\
Examples:
  sandbox trust suggest quiet-otter               entries that would let out what the run was refused, as TOML
  sandbox trust suggest quiet-otter 2>/dev/null   without the explanations";

const ADD: &str = "\
Examples:
  sandbox trust add files.example.com --methods GET,HEAD --no-query
  sandbox trust add api.example.com --path '/v1/**' --credential api --replace
  sandbox trust add git.corp.example --address 10.0.0.5:443
  sandbox trust add http://mirror.example --dry-run";

const DISCOVER: &str = "\
Examples:
  sandbox trust discover                     of the image that runs use
  sandbox trust discover --image my/project";

#[derive(Debug, ClapArgs)]
pub(crate) struct TrustArgs {
    #[command(subcommand)]
    pub(crate) command: TrustCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Show what is trusted and its weak spots, or say what would become of a request
    Show(ShowTrustArgs),
    /// Print narrow entries that would let out what a run was refused
    Suggest(SuggestArgs),
    /// Put entries into your profile
    Add(AddArgs),
    /// Take entries out of your profile
    Remove(RemoveArgs),
    /// Ask the package managers of an image which hosts they use
    Discover(DiscoverArgs),
}

/// Show what you trust; with --effective what a run of the repository you stand in may reach: your endpoints, its remotes, the model
#[derive(Debug, ClapArgs)]
#[command(before_help = SHOW)]
pub(crate) struct ShowTrustArgs {
    /// Everything that is in force, with its source
    #[arg(long)]
    pub(crate) effective: bool,
    /// Say what would become of a request, by the code that decides: HOST[:PORT][/PATH] or a URL
    #[arg(long, value_name = "HOST", add = ArgValueCandidates::new(complete::endpoints))]
    pub(crate) explain: Option<String>,
    /// The request's method [default: GET]
    #[arg(long, value_name = "METHOD", requires = "explain")]
    pub(crate) method: Option<String>,
    /// The request asks for a WebSocket
    #[arg(long, requires = "explain")]
    pub(crate) websocket: bool,
    /// Repository whose remotes count [default: the one you stand in]
    #[arg(long, value_name = "DIR")]
    pub(crate) repo: Option<PathBuf>,
    /// Task that narrows what is in force
    #[arg(long, value_name = "TASK")]
    pub(crate) task: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Print narrow entries that would let out what a run was refused. TOML goes to stdout, explanations to stderr
#[derive(Debug, ClapArgs)]
#[command(before_help = SUGGEST)]
pub(crate) struct SuggestArgs {
    #[command(flatten)]
    pub(crate) name: RunName,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Put entries into trust.endpoints of your profile.toml, or of the one that --profile names. Order and comments stay
#[derive(Debug, ClapArgs)]
#[command(before_help = ADD)]
pub(crate) struct AddArgs {
    /// api.example.com, api.example.com:8443, http://mirror.example, or a table as `sandbox trust suggest` prints it
    #[arg(value_name = "ENTRY", required = true)]
    pub(crate) entries: Vec<String>,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    /// Put them in the place of other entries for the same endpoints
    #[arg(long)]
    pub(crate) replace: bool,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// What requests must be like.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct RuleArgs {
    /// Methods that are carried [default: all]
    #[arg(long, value_name = "METHOD,…", value_delimiter = ',', value_parser = Method::parse)]
    pub(crate) methods: Vec<Method>,
    /// Paths that are carried, such as /v1/** (repeatable) [default: all]
    #[arg(long = "path", value_name = "PATTERN", value_parser = PathPattern::parse)]
    pub(crate) paths: Vec<PathPattern>,
    /// Refuse requests with a query
    #[arg(long)]
    pub(crate) no_query: bool,
    /// Let requests have a query, and look at them all the same
    #[arg(long, conflicts_with = "no_query")]
    pub(crate) query: bool,
    /// Carry WebSockets
    #[arg(long)]
    pub(crate) websocket: bool,
    /// What may go up in a whole run, such as 1MiB
    #[arg(long, value_name = "SIZE", value_parser = ByteSize::parse)]
    pub(crate) upload_max: Option<ByteSize>,
    /// Connect to this address instead of looking the name up; it may be an internal one
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) address: Option<SocketAddr>,
    /// Secret of [secrets] that is added to each request outside
    #[arg(long, value_name = "NAME", value_parser = SecretName::new, add = ArgValueCandidates::new(complete::secrets))]
    pub(crate) credential: Option<SecretName>,
}

/// How a profile is changed.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub(crate) struct ChangeArgs {
    /// Print the change as a diff and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Take entries out of trust.endpoints of your profile.toml, or of the one that --profile names
#[derive(Debug, ClapArgs)]
pub(crate) struct RemoveArgs {
    /// Endpoints, as in `sandbox trust add`
    #[arg(value_name = "ENTRY", required = true, add = ArgValueCandidates::new(complete::endpoints))]
    pub(crate) entries: Vec<String>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// Ask the package managers of an image which hosts they use, in a container without any way out. Hosts that a registry redirects to
/// are asked for only by a run; `sandbox trust suggest` names them then
#[derive(Debug, ClapArgs)]
#[command(before_help = DISCOVER)]
pub(crate) struct DiscoverArgs {
    /// The image [default: container.image]
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}
