//! The reader of TLS hellos: a name is found in one way or not at all, and more bytes never change it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use types::host::HostName;

fuzz_target!(|data: &[u8]| {
    let Some(name) = egress::fuzzing::hello_name(data) else { return };
    assert_eq!(HostName::parse(name.as_str()).as_ref(), Ok(&name));
    let longer = [data, b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"].concat();
    assert_eq!(egress::fuzzing::hello_name(&longer), Some(name));
});
