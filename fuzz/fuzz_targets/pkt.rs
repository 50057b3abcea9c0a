//! The readers of git's requests: a verdict does not hang on how the bytes are cut, and what goes up is what came.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use types::route::BranchPattern;

static BRANCHES: LazyLock<Vec<BranchPattern>> = LazyLock::new(|| vec![BranchPattern::parse("sandbox/*").expect("a pattern")]);

fuzz_target!(|data: &[u8]| {
    let whole = egress::fuzzing::push(data, usize::MAX, &BRANCHES);
    assert_eq!(egress::fuzzing::push(data, 3, &BRANCHES), whole);
    if let Some(out) = whole {
        assert_eq!(out, data);
    }
    if let Some(out) = egress::fuzzing::fetch(data, false) {
        assert_eq!(out, data);
    }
    if let Some(out) = egress::fuzzing::fetch(data, true) {
        assert_eq!(egress::fuzzing::fetch(&out, false), Some(out));
    }
});
