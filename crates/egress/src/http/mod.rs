//! HTTP from inside. Version 1 is read by our own strict reader: what two parsers could read differently is refused. Version 2 comes only
//! out of decrypted connections.
//!
//! What must stay true: each request is decided on its own; the form of the path that was decided on is the one that is sent; redirects
//! are answers like any other.

pub(crate) mod body;
pub(crate) mod carry;
pub(crate) mod client;
mod fields;
pub(crate) mod h1;
pub(crate) mod h2;
pub(crate) mod head;
pub(crate) mod keyed;
pub(crate) mod request;
pub(crate) mod rules;
mod upload;
mod upstream;
