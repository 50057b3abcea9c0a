//! The client's side, for the probe: one question for an address and the reply to it.

use super::{CLASS_IN, FLAG_RECURSION_DESIRED, FLAG_RESPONSE, HEADER, TYPE_A, name_at, u16_at};
use std::net::Ipv4Addr;

/// What a reply says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The name has this address.
    Found(Ipv4Addr),
    /// The name exists and has none.
    Empty,
    /// The name does not exist.
    NoName,
    /// Any other code.
    Failed(u16),
}

/// A query for the IPv4 address of `name`, or `None` for a name that fits in no query.
pub(crate) fn ask(id: u16, name: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for word in [id, FLAG_RECURSION_DESIRED, 1, 0, 0, 0] {
        out.extend(word.to_be_bytes());
    }
    for label in name.strip_suffix('.').unwrap_or(name).split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        out.push(length);
        out.extend(label.as_bytes());
    }
    out.push(0);
    if out.len() - HEADER > 255 {
        return None;
    }
    out.extend(TYPE_A.to_be_bytes());
    out.extend(CLASS_IN.to_be_bytes());
    Some(out)
}

/// Reads a reply to the query `id`; `None` for anything else.
pub(crate) fn read(reply: &[u8], id: u16) -> Option<Lookup> {
    let flags = u16_at(reply, 2)?;
    if u16_at(reply, 0)? != id || flags & FLAG_RESPONSE == 0 {
        return None;
    }
    match flags & 0xf {
        0 => {}
        3 => return Some(Lookup::NoName),
        code => return Some(Lookup::Failed(code)),
    }
    if u16_at(reply, 6)? == 0 {
        return Some(Lookup::Empty);
    }
    let (at, _) = name_at(reply, HEADER)?;
    // Of the answers only the first is read, in the form that our own server gives.
    let record = reply.get(at + 4..)?;
    let head = [0xc0, HEADER as u8, 0, TYPE_A as u8, 0, CLASS_IN as u8];
    let is_address = record.get(..6)? == head && u16_at(record, 10)? == 4;
    let octets: [u8; 4] = record.get(12..16)?.try_into().ok()?;
    is_address.then(|| Lookup::Found(Ipv4Addr::from(octets)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_fit_in_no_query_are_not_asked() {
        assert!(ask(1, "a.example").is_some());
        for name in ["", "a..b", &"a".repeat(64), &["abcdefgh"; 40].join(".")] {
            assert_eq!(ask(1, name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn hostile_replies_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = read(&bytes, 1);
            let mut likely = vec![0, 1, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0];
            likely.extend(bytes);
            let _ = read(&likely, 1);
        }
    }
}
