//! Plain HTTP/1.1 from inside, read by our own strict reader: what two parsers could read differently is refused.

pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod fields;
pub(crate) mod forward;
pub(crate) mod head;
pub(crate) mod request;
