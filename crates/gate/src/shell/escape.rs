//! The escapes of `$'…'`, `echo -e` and `printf`.

use crate::place::HOLE;

/// Decodes `$'…'`. The shell ends it at the first NUL.
pub(super) fn ansi_c(text: &str) -> String {
    let text = decoded(text, false);
    text.split('\0').next().unwrap_or_default().to_owned()
}

/// Decodes a format of `printf`, of which the shell drops each NUL.
pub(super) fn formatted(text: &str) -> String {
    decoded(text, false).replace('\0', "")
}

/// Decodes the escapes of `echo -e` and of `%b`: an octal number may begin with one more zero.
pub(super) fn echoed(text: &str) -> String {
    decoded(text, true).replace('\0', "")
}

fn decoded(text: &str, is_echoed: bool) -> String {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            push_char(&mut out, c);
            continue;
        }
        let most = if is_echoed && chars.peek() == Some(&'0') { 4 } else { 3 };
        let mut digits = |radix: u32, most: usize| {
            let mut value = None;
            for _ in 0..most {
                let Some(digit) = chars.peek().and_then(|c| c.to_digit(radix)) else { break };
                chars.next();
                value = Some(value.unwrap_or(0) * radix + digit);
            }
            value
        };
        // An octal escape has no letter, so it is tried first.
        if let Some(value) = digits(8, most) {
            out.push(value as u8);
            continue;
        }
        match chars.next() {
            Some('n') => out.push(b'\n'),
            Some('t') => out.push(b'\t'),
            Some('r') => out.push(b'\r'),
            Some('a') => out.push(7),
            Some('b') => out.push(8),
            Some('e' | 'E') => out.push(27),
            Some('f') => out.push(12),
            Some('v') => out.push(11),
            Some('x') => {
                let value = hex_digits(&mut chars, 2);
                out.push(value as u8);
            }
            Some('u') => {
                let value = hex_digits(&mut chars, 4);
                push_char(&mut out, char::from_u32(value).unwrap_or(HOLE));
            }
            Some('U') => {
                let value = hex_digits(&mut chars, 8);
                push_char(&mut out, char::from_u32(value).unwrap_or(HOLE));
            }
            Some('c') => {
                chars.next();
                push_char(&mut out, HOLE);
            }
            Some(other) => push_char(&mut out, other),
            None => out.push(b'\\'),
        }
    }
    String::from_utf8_lossy(&out).replace('\u{fffd}', "")
}

fn hex_digits(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, most: usize) -> u32 {
    let mut value: u32 = 0;
    for _ in 0..most {
        let Some(digit) = chars.peek().and_then(|c| c.to_digit(16)) else { break };
        chars.next();
        value = value.wrapping_mul(16).wrapping_add(digit);
    }
    value
}

fn push_char(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_decode_as_in_bash() {
        assert_eq!(ansi_c(r"\x72\155\u0020-rf"), "rm -rf");
        assert_eq!(ansi_c(r"a\tb\\"), "a\tb\\");
        assert_eq!(ansi_c(r"/etc/shadow\0.example"), "/etc/shadow");
        assert_eq!(formatted(r"r\0m"), "rm");
        assert_eq!(echoed(r"\0162\0155"), "rm");
    }
}
