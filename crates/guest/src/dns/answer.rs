//! The server's side: a pure function from a message to a message.

use super::{
    CLASS_IN, Code, FLAG_RECURSION_DESIRED, FLAG_RESPONSE, HEADER, MAX_MESSAGE, TYPE_A, TYPE_HTTPS, TYPE_SVCB, name_at,
    u16_at,
};
use std::{collections::HashMap, net::Ipv4Addr};
use types::host::HostName;

/// Authoritative, recursion available: what a stub resolver wants to see.
const FLAGS: u16 = FLAG_RESPONSE | 0x0400 | 0x0080;
/// Seconds that an answer may be kept; the addresses do not change during a run.
const TTL: u32 = 60;

struct Question {
    /// One past the question's last byte.
    end: usize,
    name: Option<HostName>,
    kind: u16,
    class: u16,
}

/// The reply to `query`, or `None` for what is no query at all and gets silence.
pub(crate) fn answer(query: &[u8], names: &HashMap<HostName, Ipv4Addr>) -> Option<Vec<u8>> {
    let flags = u16_at(query, 2)?;
    if query.len() < HEADER || query.len() > MAX_MESSAGE || flags & FLAG_RESPONSE != 0 {
        return None;
    }
    if flags & 0x7800 != 0 {
        return reply(query, flags, Code::NotImplemented, None, None);
    }
    let Some(question) = question(query) else { return reply(query, flags, Code::FormatError, None, None) };
    if question.class != CLASS_IN {
        return reply(query, flags, Code::Refused, Some(&question), None);
    }
    let known = question.name.as_ref().and_then(|name| names.get(name));
    let (code, address) = match (known, question.kind) {
        (None, _) => (Code::NoName, None),
        // These records can hand out keys that hide the server's name from the host's checks.
        (Some(_), TYPE_HTTPS | TYPE_SVCB) => (Code::Refused, None),
        (Some(address), TYPE_A) => (Code::NoError, Some(*address)),
        (Some(_), _) => (Code::NoError, None),
    };
    reply(query, flags, code, Some(&question), address)
}

fn question(query: &[u8]) -> Option<Question> {
    // One question, no answers, no authorities; additional records (EDNS) are ignored.
    if u16_at(query, 4)? != 1 || u16_at(query, 6)? != 0 || u16_at(query, 8)? != 0 {
        return None;
    }
    let (at, text) = name_at(query, HEADER)?;
    let name = text.and_then(|text| HostName::parse(&text).ok());
    Some(Question { end: at + 4, name, kind: u16_at(query, at)?, class: u16_at(query, at + 2)? })
}

fn reply(
    query: &[u8],
    flags: u16,
    code: Code,
    question: Option<&Question>,
    address: Option<Ipv4Addr>,
) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(MAX_MESSAGE);
    let opcode = flags & 0x7800;
    out.extend(query.get(..2)?);
    out.extend((FLAGS | opcode | (flags & FLAG_RECURSION_DESIRED) | code.number()).to_be_bytes());
    for count in [u16::from(question.is_some()), u16::from(address.is_some()), 0, 0] {
        out.extend(count.to_be_bytes());
    }
    if let Some(question) = question {
        out.extend(query.get(HEADER..question.end)?);
    }
    if let Some(address) = address {
        out.extend([0xc0, 0x0c]); // the question's name
        out.extend(TYPE_A.to_be_bytes());
        out.extend(CLASS_IN.to_be_bytes());
        out.extend(TTL.to_be_bytes());
        out.extend(4u16.to_be_bytes());
        out.extend(address.octets());
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Lookup, ask, read};
    use proptest::prelude::*;

    const TRUSTED: Ipv4Addr = Ipv4Addr::new(127, 9, 0, 1);

    fn names() -> HashMap<HostName, Ipv4Addr> {
        HashMap::from([(HostName::parse("api.example.com").unwrap(), TRUSTED)])
    }

    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut query = ask(0x1234, name).unwrap();
        let at = query.len() - 4;
        query[at..at + 2].copy_from_slice(&kind.to_be_bytes());
        query
    }

    fn code(reply: &[u8]) -> u16 {
        u16_at(reply, 2).unwrap() & 0xf
    }

    #[test]
    fn a_trusted_name_has_its_loopback_address_in_any_case() {
        for name in ["api.example.com", "API.Example.com", "api.example.com."] {
            let reply = answer(&query(name, TYPE_A), &names()).unwrap();
            assert_eq!(read(&reply, 0x1234), Some(Lookup::Found(TRUSTED)), "{name}");
        }
    }

    #[test]
    fn other_types_of_a_trusted_name_are_empty_and_https_is_refused() {
        for (kind, expected) in [(28, 0), (16, 0), (255, 0), (15, 0), (65, 5), (64, 5)] {
            let reply = answer(&query("api.example.com", kind), &names()).unwrap();
            assert_eq!((code(&reply), u16_at(&reply, 6)), (expected, Some(0)), "{kind}");
        }
    }

    #[test]
    fn every_other_name_does_not_exist() {
        for name in
            ["example.com", "x.api.example.com", "secret.evil.example", "localhost", "api.example.com.evil.example"]
        {
            for kind in [TYPE_A, 28, 16, 65] {
                assert_eq!(code(&answer(&query(name, kind), &names()).unwrap()), 3, "{name} {kind}");
            }
        }
    }

    #[test]
    fn a_label_with_a_dot_or_a_nul_is_not_the_name_it_looks_like() {
        let mut odd = query("api.example.com", TYPE_A);
        // 3 a p i 7 e... becomes one label "api.example".
        odd[HEADER] = 11;
        odd[HEADER + 4] = b'.';
        assert_eq!(code(&answer(&odd, &names()).unwrap()), 3);
        let mut nul = query("api.example.com", TYPE_A);
        nul[HEADER + 2] = 0;
        assert_eq!(code(&answer(&nul, &names()).unwrap()), 3);
    }

    #[test]
    fn malformed_and_foreign_messages_get_an_error_or_silence() {
        let good = query("api.example.com", TYPE_A);
        let with = |at: usize, byte: u8| {
            let mut message = good.clone();
            message[at] = byte;
            answer(&message, &names())
        };
        assert_eq!(with(2, 0x80), None, "a reply is not answered");
        assert_eq!(code(&with(2, 0x10).unwrap()), 4, "opcode");
        assert_eq!(code(&with(5, 2).unwrap()), 1, "two questions");
        assert_eq!(code(&with(7, 1).unwrap()), 1, "an answer in a query");
        assert_eq!(code(&with(HEADER, 0xc0).unwrap()), 1, "compression");
        assert_eq!(code(&with(good.len() - 1, 3).unwrap()), 5, "another class");
        assert_eq!(code(&answer(&good[..good.len() - 1], &names()).unwrap()), 1, "cut");
        assert_eq!(answer(&good[..HEADER - 1], &names()), None);
        assert_eq!(answer(&[0; MAX_MESSAGE + 1], &names()), None);
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic_and_never_get_an_address(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Some(reply) = answer(&bytes, &names()) {
                prop_assert!(reply.len() <= MAX_MESSAGE);
                prop_assert_eq!(&reply[..2], &bytes[..2]);
                prop_assert_eq!(u16_at(&reply, 6), Some(0));
            }
        }

        #[test]
        fn damaged_queries_never_panic(at in 0usize..33, byte: u8, cut in 0usize..34) {
            let mut message = query("api.example.com", TYPE_A);
            message[at] = byte;
            let _ = answer(&message[..cut.min(message.len())], &names());
            let _ = answer(&message, &names());
        }
    }
}
