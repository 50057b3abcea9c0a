//! The DNS messages that the guest needs, and no more: one question in, a fixed answer out.
//!
//! What must stay true: nothing here forwards or resolves; a name that is not listed does not exist. Every byte is
//! hostile, so that each read is checked and no name can loop (questions carry no compression).

mod answer;
mod query;

pub(crate) use answer::answer;
pub(crate) use query::{Lookup, ask, read};

/// Longest message that is taken or sent, in bytes: the classic UDP limit; ours all fit.
pub(crate) const MAX_MESSAGE: usize = 512;

const HEADER: usize = 12;
const CLASS_IN: u16 = 1;
const TYPE_A: u16 = 1;
const TYPE_SVCB: u16 = 64;
const TYPE_HTTPS: u16 = 65;
/// Set in replies.
const FLAG_RESPONSE: u16 = 0x8000;
const FLAG_RECURSION_DESIRED: u16 = 0x0100;

/// Codes that replies carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// The name exists; the answer may still be empty.
    NoError,
    /// The message is malformed.
    FormatError,
    /// The name does not exist.
    NoName,
    /// The kind of message is not known.
    NotImplemented,
    /// The question is understood and not answered.
    Refused,
}

impl Code {
    fn number(self) -> u16 {
        match self {
            Self::NoError => 0,
            Self::FormatError => 1,
            Self::NoName => 3,
            Self::NotImplemented => 4,
            Self::Refused => 5,
        }
    }
}

fn u16_at(message: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?))
}

/// The end of an uncompressed name that begins at `at`, and its text if it is plain ASCII without dots in labels.
fn name_at(message: &[u8], mut at: usize) -> Option<(usize, Option<String>)> {
    let start = at;
    let mut text = Some(String::new());
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            return Some((at, text));
        }
        if length > 63 || at + length - start > 255 {
            return None;
        }
        let label = message.get(at..at + length)?;
        at += length;
        text = text.filter(|_| label.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')).map(|mut text| {
            if !text.is_empty() {
                text.push('.');
            }
            text.extend(label.iter().map(|&b| char::from(b)));
            text
        });
    }
}
