//! Secrets by their shape: tokens with well-known beginnings, private keys, signed tokens, and random values under
//! secret-looking names.
//!
//! What must stay true: one pass over the text, whatever it holds; a placeholder is no secret; the secret itself is never
//! part of an answer.

use crate::secret::is_secret_variable;

/// Longest text that is looked through, in bytes; what comes after is not looked at, and the integrity stage caps inputs
/// at the same size.
const MAX_TEXT: usize = 256 * 1024;
/// Shortest random value under a secret-looking name, in bytes.
const MIN_VALUE: usize = 20;
/// Least entropy of such a value, in bits for each character: hex digits reach 3.5 and more, words do not.
const MIN_ENTROPY: f64 = 3.3;

/// A family of tokens: how it begins, how long the rest is at least, what it is called.
struct Shape {
    prefix: &'static str,
    rest: usize,
    name: &'static str,
}

const fn shape(prefix: &'static str, rest: usize, name: &'static str) -> Shape {
    Shape { prefix, rest, name }
}

const SHAPES: [Shape; 33] = [
    shape("AKIA", 16, "an AWS access key"),
    shape("ASIA", 16, "an AWS access key"),
    shape("AIza", 35, "a Google API key"),
    shape("dop_v1_", 32, "a DigitalOcean token"),
    shape("dp.pt.", 32, "a Doppler token"),
    shape("eyJ", 40, "a signed token"),
    shape("ghp_", 30, "a GitHub token"),
    shape("gho_", 30, "a GitHub token"),
    shape("ghu_", 30, "a GitHub token"),
    shape("ghs_", 30, "a GitHub token"),
    shape("ghr_", 30, "a GitHub token"),
    shape("github_pat_", 22, "a GitHub token"),
    shape("glpat-", 20, "a GitLab token"),
    shape("gldt-", 20, "a GitLab token"),
    shape("hf_", 30, "a Hugging Face token"),
    shape("hvs.", 24, "a Vault token"),
    shape("lin_api_", 30, "a Linear token"),
    shape("npm_", 36, "an npm token"),
    shape("ntn_", 30, "a Notion token"),
    shape("pypi-AgE", 40, "a PyPI token"),
    shape("rk_live_", 16, "a payment key"),
    shape("sk_live_", 16, "a payment key"),
    shape("sk-ant-", 24, "an Anthropic API key"),
    shape("sk-proj-", 24, "an OpenAI API key"),
    shape("sk-or-v1-", 32, "a model API key"),
    shape("sk-", 40, "a model API key"),
    shape("shpat_", 30, "a Shopify token"),
    shape("SG.", 40, "a SendGrid key"),
    shape("xoxb-", 20, "a Slack token"),
    shape("xoxp-", 20, "a Slack token"),
    shape("xoxs-", 20, "a Slack token"),
    shape("xapp-", 20, "a Slack token"),
    shape("ya29.", 20, "a Google access token"),
];

/// What kind of secret the text holds, if it holds one.
pub(crate) fn find(text: &str) -> Option<&'static str> {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    let bytes = text.as_bytes();
    let mut was_word = false;
    for (at, byte) in bytes.iter().enumerate() {
        if !was_word {
            let rest = &bytes[at..];
            let known = match byte {
                b'A' | b'S' | b'd' | b'e' | b'g' | b'h' | b'l' | b'n' | b'p' | b'r' | b's' | b'x' | b'y' => known(rest),
                b'-' => private_key(rest),
                _ => None,
            };
            if known.is_some() {
                return known;
            }
        }
        if matches!(byte, b'=' | b':') && assigned(bytes, at) {
            return Some("a random value under a secret-looking name");
        }
        was_word = byte.is_ascii_alphanumeric() || *byte == b'_';
    }
    None
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn known(rest: &[u8]) -> Option<&'static str> {
    let shape = SHAPES.iter().find(|shape| rest.starts_with(shape.prefix.as_bytes()))?;
    let body = &rest[shape.prefix.len()..];
    let length = body.iter().take(512).take_while(|byte| is_token(**byte)).count();
    let body = &body[..length];
    let is_signed = shape.prefix != "eyJ"
        || (body.split(|byte| *byte == b'.').count() == 3 && body.windows(4).any(|window| window == b".eyJ"));
    let is_plain = shape.prefix != "sk-" || !body[..body.len().min(24)].contains(&b'-');
    (length >= shape.rest && is_signed && is_plain && !is_placeholder(body)).then_some(shape.name)
}

/// A key block with a body; a mention of the words alone is none.
fn private_key(rest: &[u8]) -> Option<&'static str> {
    let head = &rest[..rest.len().min(120)];
    if !head.starts_with(b"-----BEGIN ") {
        return None;
    }
    let at = head.windows(16).position(|window| window == b"PRIVATE KEY-----")? + 16;
    let body = rest.get(at..)?.iter().take(400).filter(|byte| byte.is_ascii_alphanumeric() || **byte == b'+');
    let mut distinct = [false; 256];
    let count = body.inspect(|byte| distinct[usize::from(**byte)] = true).count();
    (count >= 60 && distinct.iter().filter(|is| **is).count() >= 20).then_some("a private key")
}

/// `NAME = "value"` where the name says secret and the value is random.
fn assigned(bytes: &[u8], at: usize) -> bool {
    let before = &bytes[at.saturating_sub(48)..at];
    let name_end = before.iter().rposition(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let Some(name_end) = name_end.filter(|end| before.len() - end <= 4) else { return false };
    let name = &before[..=name_end];
    let start = name.iter().rposition(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')));
    let Ok(name) = std::str::from_utf8(&name[start.map_or(0, |start| start + 1)..]) else { return false };
    if name.len() < 3 || !is_secret_variable(name) {
        return false;
    }
    let rest = &bytes[at + 1..];
    let skip = rest.iter().take(4).take_while(|byte| matches!(byte, b' ' | b'"' | b'\'' | b'=')).count();
    let value = &rest[skip..];
    let length = value
        .iter()
        .take(200)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-'))
        .count();
    // A call, a path of fields or a template is code, not a value.
    let is_code = matches!(value.get(length), Some(b'(' | b'.' | b'{' | b'[' | b'$' | b'<' | b':'));
    let value = &value[..length];
    let has = |test: fn(&u8) -> bool| value.iter().any(test);
    length >= MIN_VALUE
        && !is_code
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && entropy(value) >= MIN_ENTROPY
        && !is_placeholder(value)
}

fn is_placeholder(body: &[u8]) -> bool {
    const MARKS: [&str; 14] = [
        "example",
        "xxxx",
        "your",
        "placeholder",
        "changeme",
        "redacted",
        "12345678",
        "abcdef",
        "dummy",
        "sample",
        "00000",
        "fake",
        "secret",
        "test",
    ];
    let lower = String::from_utf8_lossy(body).to_ascii_lowercase();
    let mut distinct = [false; 256];
    lower.bytes().for_each(|byte| distinct[usize::from(byte)] = true);
    distinct.iter().filter(|is| **is).count() < 8 || MARKS.iter().any(|mark| lower.contains(mark))
}

/// Shannon's, in bits for each byte.
fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    value.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let total = value.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / total)
        .map(|part| -part * part.log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made here, so that no scanner takes this file for a leak.
    fn random(length: usize) -> String {
        let mut state = 7u32;
        (0..length)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                char::from(b"ABCDEFGHJKLMNPQRTUVWXYZ2346789abcdefghjkmnpqrtuvwxyz"[(state >> 16) as usize % 52])
            })
            .collect()
    }

    #[test]
    fn tokens_and_their_twins() {
        let upper = random(40).to_ascii_uppercase();
        for text in [
            format!("export X=ghp_{}", random(36)),
            format!("AKIA{}", &upper[..16]),
            format!("key: sk-ant-api03-{}", random(60)),
            format!("?t=eyJ{}.eyJ{}.{}", random(30), random(40), random(40)),
            format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n{}", random(64), random(64)),
            format!("client_secret = \"{}\"", random(32)),
            format!("\"api_key\": \"{}\"", random(40)),
        ] {
            assert!(find(&text).is_some(), "{text}");
        }
        for text in [
            "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".to_owned(),
            "AKIAIOSFODNN7EXAMPLE".to_owned(),
            "sk-learn and sk-ant-".to_owned(),
            "-----BEGIN RSA PRIVATE KEY-----\n...\n".to_owned(),
            "API_KEY = os.environ[\"SERVICE_API_KEY\"]".to_owned(),
            "const token = generateSessionToken(user.id)".to_owned(),
            format!("sha = {}", random(40)),
            "password: correct_horse_battery_staple".to_owned(),
        ] {
            assert_eq!(find(&text), None, "{text}");
        }
    }
}
