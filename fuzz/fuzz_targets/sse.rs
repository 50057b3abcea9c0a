//! The reader of event streams: any cutting gives the same events, what goes on reads as the same again, and a reader that follows the
//! standard sees nothing else in the same bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;

/// Events as the standard's own algorithm reads them: lines end in CR LF, LF or CR, unknown fields are passed over.
fn standard(bytes: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    let (mut events, mut name, mut data) = (Vec::new(), String::new(), None::<String>);
    // The last line is not ended, so that it says nothing yet.
    let whole = text.rfind('\n').map_or("", |at| &text[..=at]);
    for line in whole.split_terminator('\n') {
        if line.is_empty() {
            let ended = std::mem::take(&mut name);
            if let Some(data) = data.take() {
                events.push((ended, data));
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut name),
            "data" => data = Some(data.map_or(value.to_owned(), |before| format!("{before}\n{value}"))),
            _ => {}
        }
    }
    events
}

fuzz_target!(|data: &[u8]| {
    let (events, is_whole) = egress::fuzzing::events(data, usize::MAX);
    let (by_byte, is_whole_by_byte) = egress::fuzzing::events(data, 1);
    // What is wrong in a piece is told with the piece: of the events before it at least as many come byte by byte.
    assert_eq!(by_byte[..events.len()], events);
    assert_eq!((by_byte == events, is_whole_by_byte), (true, is_whole));
    let others = standard(data);
    assert_eq!(others[..events.len()], events);
    assert!(!is_whole || others.len() == events.len());
    let again: Vec<u8> = events.iter().flat_map(|(name, data)| egress::fuzzing::rendered(name, data)).collect();
    assert_eq!(egress::fuzzing::events(&again, 7), (events.clone(), true));
    assert_eq!(standard(&again), events);
});
