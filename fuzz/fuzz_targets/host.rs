//! Names and paths that are decided on: what is taken is its own canonical form, and another reader takes it for the same thing, never
//! for an address.

#![no_main]

use libfuzzer_sys::fuzz_target;
use types::{
    host::{Endpoint, HostName},
    path::{NormalPath, PathPattern},
    trust::TrustEntry,
};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    if let Ok(name) = HostName::parse(&text) {
        assert_eq!(HostName::parse(name.as_str()).as_ref(), Ok(&name));
        // Names of other scripts have rules of their own there; what is plain is read alike.
        if let Ok(url) = url::Url::parse(&format!("http://{name}/")) {
            assert_eq!(url.domain(), Some(name.as_str()));
        }
    }
    if let Ok(endpoint) = Endpoint::parse(&text) {
        assert_eq!(Endpoint::parse(&endpoint.to_string()).ok(), Some(endpoint));
    }
    if let Ok(route) = TrustEntry::Text(text.to_string()).route() {
        assert!(route.endpoint.port != 0);
    }
    if let Ok(path) = NormalPath::parse(&text) {
        assert_eq!(NormalPath::parse(path.as_str()).as_ref(), Ok(&path));
        let url = url::Url::parse(&format!("http://h.example{path}")).expect("a path");
        assert_eq!(url.path(), path.as_str());
        assert!(PathPattern::parse("/**").expect("a pattern").covers(&path));
    }
    if let Some((pattern, path)) = text.split_once('\n')
        && let (Ok(pattern), Ok(path)) = (PathPattern::parse(pattern), NormalPath::parse(path))
    {
        let _ = pattern.covers(&path);
    }
});
