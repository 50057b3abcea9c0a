//! The reader of request heads and chunks: what it takes, another reader takes with the same meaning.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let whole = egress::fuzzing::chunked(data, usize::MAX);
    assert_eq!(egress::fuzzing::chunked(data, 1), whole);
    let Some(head) = egress::fuzzing::request_head(data) else { return };
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut other = httparse::Request::new(&mut fields);
    let status = other.parse(data).expect("the other reader takes it too");
    assert_eq!(status, httparse::Status::Complete(data.len() - head.rest));
    let (method, target, version) = head.line;
    assert_eq!((other.method, other.path), (Some(method.as_str()), Some(target.as_str())));
    assert_eq!(version, format!("HTTP/1.{}", other.version.expect("a version")));
    let mut theirs: Vec<_> = other
        .headers
        .iter()
        .map(|field| (field.name.to_ascii_lowercase(), field.value.trim_ascii().to_vec()))
        .collect();
    let mut ours = head.fields;
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
});
