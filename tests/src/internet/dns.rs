//! The name servers of the fake internet: they know every name of the map, hear every question, and hand out what an attacker
//! would want to be handed out.

use super::map::{EVIL, NAMES};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

const A: u16 = 1;
const TXT: u16 = 16;
const AAAA: u16 = 28;
const HTTPS: u16 = 65;
const SVCB: u16 = 64;

/// Addresses given so far, by name: they take turns.
static TURNS: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// The name that a question asks for, and the answer to it; none for bytes that are no question.
pub(super) fn answer(question: &[u8]) -> Option<(String, Vec<u8>)> {
    let (name, end) = read_name(question)?;
    let kind = u16::from_be_bytes([*question.get(end)?, *question.get(end + 1)?]);
    let asked = question.get(12..end + 4)?;
    let data = records(&name, kind);
    let is_known = data.is_some();
    let data = data.unwrap_or_default();
    let mut out = question.get(..2)?.to_vec();
    out.extend([0x85, if is_known { 0x80 } else { 0x83 }, 0, 1, 0, u8::try_from(data.len()).ok()?, 0, 0, 0, 0]);
    out.extend(asked);
    for record in data {
        out.extend([0xc0, 12]);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 0]);
        out.extend(u16::try_from(record.len()).ok()?.to_be_bytes());
        out.extend(record);
    }
    Some((name, out))
}

/// The name in plain text, and where it ends.
fn read_name(question: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join(".").to_ascii_lowercase(), at));
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).into_owned());
        at += length;
    }
}

/// The records of a kind; none for a name that does not exist.
fn records(name: &str, kind: u16) -> Option<Vec<Vec<u8>>> {
    let known = NAMES.iter().find(|known| known.host == name).map(|known| known.addresses);
    let evil = [IpAddr::V4(EVIL)];
    let is_below = ["evil.test", "ok.test"].iter().any(|parent| name.ends_with(&format!(".{parent}")));
    let addresses = known.or_else(|| is_below.then_some(&evil[..]))?;
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    let turn = turns.entry(name.to_owned()).or_default();
    let address = addresses[*turn % addresses.len()];
    *turn += usize::from(kind == A);
    let data = match (kind, address) {
        (A, IpAddr::V4(address)) => vec![address.octets().to_vec()],
        (AAAA, IpAddr::V6(address)) => vec![address.octets().to_vec()],
        (TXT, _) => vec![b"\x05hello".to_vec()],
        // Priority 1, the same name, and a key for an encrypted hello.
        (HTTPS | SVCB, _) => vec![[&[0, 1, 0, 0, 5, 0, 8][..], b"ech-keys"].concat()],
        (_, _) => Vec::new(),
    };
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str, kind: u16) -> Vec<u8> {
        let mut out = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            out.push(label.len() as u8);
            out.extend(label.as_bytes());
        }
        out.push(0);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1]);
        out
    }

    fn counts(name: &str, kind: u16) -> (u8, u8) {
        let (asked, answer) = answer(&question(name, kind)).expect("an answer");
        assert_eq!(asked, name);
        (answer[3] & 15, answer[7])
    }

    #[test]
    fn names_have_the_records_of_the_map() {
        assert_eq!(counts("ok.test", A), (0, 1));
        assert_eq!(counts("ok.test", AAAA), (0, 0));
        assert_eq!(counts("ok.test", HTTPS), (0, 1));
        assert_eq!(counts("ok.test", SVCB), (0, 1));
        assert_eq!(counts("six.test", AAAA), (0, 1));
        assert_eq!(counts("secret.evil.test", A), (0, 1));
        assert_eq!(counts("nowhere.test", A), (3, 0));
        assert_eq!(answer(b"short"), None);
    }

    #[test]
    fn a_rebinding_name_changes_its_address() {
        let tail = || answer(&question("rebind.test", A)).expect("an answer").1.split_off(12 + 17 + 12);
        let seen: std::collections::BTreeSet<_> = (0..8).map(|_| tail()).collect();
        assert_eq!(seen.len(), 2, "{seen:?}");
    }
}
