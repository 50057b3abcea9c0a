//! The way out: everything that leaves a container passes through here and nothing leaves without a route.
//!
//! The engine hands over streams that the guest opened ([`types::wire::Open`]); [`Egress::serve`] handles one of them to
//! its end. What must stay true:
//!
//! - an empty list of routes lets nothing out; a name matches label for label and the port is part of the route;
//! - [`permit::dial`] takes only a [`permit::Permit`], and a permit exists only for addresses that were checked;
//! - on a TLS route the ClientHello is checked before the first byte goes up, and on one whose requests are looked at each request
//!   is decided on its own;
//! - a route's credential is added here, goes to that route's endpoint and never comes back;
//! - the model gateway's credential goes to the model endpoint and to nothing else;
//! - every error path denies, and every connection or request leaves one [`types::event::EgressRecord`].

mod audit;
mod authority;
pub mod config;
pub mod decide;
pub mod explain;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod git;
mod hello;
mod http;
mod idle;
mod intercept;
pub mod limits;
mod model;
mod named;
pub mod observer;
pub mod permit;
mod post;
mod proxy;
pub mod refusal;
pub mod scan;
mod serve;
mod tunnel;

pub use authority::{AuthorityError, KeptAuthority};
pub use config::{
    Backend, Budget, Config, ConfigError, Credential, Keys, ModelConfig, RefreshConfig, RouteCredential, UpstreamConfig,
};
pub use limits::Limits;
pub use model::{AskError, Question, Reply, Spent, TokenStore, Tokens};
pub use observer::{Admission, Deaf, LimitReached, Observer};
pub use post::{PostError, post_json};
pub use serve::Egress;
