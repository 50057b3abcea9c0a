//! What the tests of these modules share.

use repo::Remote;
use types::{
    profile::{Layer, Profile, Resolved},
    source::Source,
};

/// The default profile under a file of the operator.
pub(crate) fn profile(text: &str) -> Profile {
    let default = include_str!("../../../../profiles/default.toml");
    let layers = [
        Layer::parse(Source::Default, default).expect("default"),
        Layer::parse(Source::File("/profile.toml".into()), text).expect(text),
    ];
    Resolved::new(&layers).expect("profile").profile
}

/// A remote.
pub(crate) fn remote(name: &str, url: &str) -> Remote {
    Remote { name: name.to_owned(), url: url.to_owned() }
}
