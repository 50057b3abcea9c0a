//! The scanner for secrets: in any cutting a stream is masked as it would be in one piece, and nothing of a secret is left.

#![no_main]

use egress::scan::{MASK, Masker, Scanner, Sniffer};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use types::secret::Secret;

fuzz_target!(|data: &[u8]| {
    // The first lines are secrets, the next byte says how the rest is cut.
    let mut parts = data.splitn(3, |&byte| byte == b'\n');
    let mut secret = || Secret::new(String::from_utf8_lossy(parts.next().unwrap_or_default()));
    let secrets = [secret(), secret()];
    let Some((&step, bytes)) = parts.next().and_then(<[u8]>::split_first) else { return };
    let scanner = Arc::new(Scanner::new(&secrets));
    let mut whole = bytes.to_vec();
    let has_one = scanner.mask(&mut whole);
    let (mut masker, mut sniffer) = (Masker::new(Arc::clone(&scanner)), Sniffer::new(Arc::clone(&scanner)));
    let (mut out, mut is_found) = (Vec::new(), false);
    for piece in bytes.chunks(usize::from(step).max(1)) {
        out.extend_from_slice(&masker.push(piece));
        is_found |= sniffer.feed(piece).is_some();
    }
    out.extend_from_slice(&masker.finish());
    assert_eq!(out, whole);
    assert_eq!((is_found, scanner.find(bytes).is_some()), (has_one, has_one));
    // A secret that holds the mask itself can arise anew.
    let is_made_of_masks = secrets.iter().any(|secret| secret.expose().as_bytes().contains(&MASK));
    assert!(is_made_of_masks || !scanner.finds_in(&out));
});
