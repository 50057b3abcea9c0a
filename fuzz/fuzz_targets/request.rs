//! The reader of requests to the model: what it takes, a lenient reader understands in the same way, and what is taken out of a request
//! is out of it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Some(read) = egress::fuzzing::model_request(data) else { return };
    // This reader lets the last of several equal keys win.
    let value: Value = serde_json::from_slice(data).expect("the other reader takes it too");
    assert_eq!(value["model"], read.model.as_str());
    assert_eq!(value["stream"].as_bool().unwrap_or(false), read.stream);
    assert_eq!(value["max_tokens"].as_u64(), read.max_tokens);
    assert_eq!(read.acting.is_empty(), read.stripped.is_null());
    if read.acting.is_empty() {
        // Nothing acts: none of what is known to is there in any letters.
        for field in value.as_object().expect("an object").keys() {
            let field = field.to_ascii_lowercase();
            let is_nothing = value[&field].is_null() || value[&field].as_array().is_some_and(Vec::is_empty);
            assert!(is_nothing || !["mcp_servers", "container", "fallbacks"].contains(&field.as_str()), "{field}");
        }
    } else {
        let text = read.stripped.to_string();
        // Without a model or messages there is nothing to be asked; both stay.
        let again = egress::fuzzing::model_request(text.as_bytes()).expect("still a request");
        assert!(again.acting.is_empty(), "{text}");
        assert_eq!((again.model, again.stream, again.max_tokens), (read.model, read.stream, read.max_tokens));
    }
});
