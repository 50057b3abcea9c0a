//! The guest's DNS: any message gets a short answer or none, and only a listed name ever gets an address.

#![no_main]

// The guest is a program; its reader of DNS stands alone.
#[path = "../../crates/guest/src/dns/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the target uses a part of it")]
mod dns;

use libfuzzer_sys::fuzz_target;
use std::{collections::HashMap, net::Ipv4Addr, sync::LazyLock};
use types::host::HostName;

static ZONE: LazyLock<HashMap<HostName, Ipv4Addr>> = LazyLock::new(|| {
    HashMap::from([(HostName::parse("a.example").expect("a name"), Ipv4Addr::new(127, 77, 1, 0))])
});

fuzz_target!(|data: &[u8]| {
    let Some(reply) = dns::answer(data, &ZONE) else { return };
    assert!(reply.len() <= dns::MAX_MESSAGE);
    assert_eq!(reply[..2], data[..2], "the id");
    assert!(reply[2] & 0x80 != 0, "a reply");
    if u16::from_be_bytes([reply[6], reply[7]]) > 0 {
        let question: Vec<u8> = data[12..].iter().map(u8::to_ascii_lowercase).collect();
        assert!(question.starts_with(b"\x01a\x07example\x00"));
        assert!(reply.ends_with(&[127, 77, 1, 0]));
    }
    let _ = dns::read(data, u16::from_be_bytes([data[0], data[1]]));
});
