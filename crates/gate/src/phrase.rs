//! Prose as words, and the phrases that steer an agent: told to ignore its orders, to hide something, to give secrets away,
//! to get around its guard.
//!
//! What must stay true: linear in the text, which is capped; disguises by case, markup, look-alike letters and invisible
//! characters make no difference.

/// Most bytes that are looked at: the beginning and the end of a longer text.
const MAX_HEAD: usize = 192 * 1024;
const MAX_TAIL: usize = 64 * 1024;

/// A text as lower-case words.
pub(crate) struct Prose {
    text: String,
}

impl Prose {
    pub(crate) fn new(text: &str) -> Self {
        let (head, tail) = capped(text);
        let mut folded = String::with_capacity(head.len() + tail.len() + 1);
        for part in [head, tail] {
            let mut was_space = true;
            for c in part.chars() {
                let Some(c) = folded_char(c) else { continue };
                if c == ' ' {
                    if !was_space {
                        folded.push(' ');
                    }
                    was_space = true;
                } else {
                    folded.push(c);
                    was_space = false;
                }
            }
            folded.push(' ');
        }
        Self { text: folded }
    }

    pub(crate) fn words(&self) -> Vec<&str> {
        self.text.split(' ').filter(|word| !word.is_empty()).map(|word| word.trim_end_matches(['.', ','])).collect()
    }
}

/// Beginning and end of a text, cut between characters.
pub(crate) fn capped(text: &str) -> (&str, &str) {
    if text.len() <= MAX_HEAD + MAX_TAIL {
        return (text, "");
    }
    let (mut head, mut tail) = (MAX_HEAD, text.len() - MAX_TAIL);
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    (&text[..head], &text[tail..])
}

/// One character of a word, a space for what stands between words, none for what nobody sees.
fn folded_char(c: char) -> Option<char> {
    Some(match c {
        'a'..='z' | '0'..='9' | '.' | '/' | ':' | '@' | '-' | '$' | '_' => c,
        'A'..='Z' => c.to_ascii_lowercase(),
        '\'' | '’' => return None,
        _ if is_invisible(c) => return None,
        // Letters of other scripts that look like ours.
        'а' | 'А' | 'α' | 'Α' => 'a',
        'е' | 'Е' | 'ε' | 'Ε' => 'e',
        'о' | 'О' | 'ο' | 'Ο' => 'o',
        'р' | 'Р' | 'ρ' | 'Ρ' => 'p',
        'с' | 'С' => 'c',
        'і' | 'І' | 'ι' | 'Ι' => 'i',
        'у' | 'У' => 'y',
        'х' | 'Х' => 'x',
        '\u{ff21}'..='\u{ff3a}' => char::from(b'a' + (u32::from(c) - 0xff21) as u8),
        '\u{ff41}'..='\u{ff5a}' => char::from(b'a' + (u32::from(c) - 0xff41) as u8),
        _ if c.is_alphanumeric() => c,
        _ => ' ',
    })
}

/// Characters without a width.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{00ad}' | '\u{034f}' | '\u{180e}'
        | '\u{e0000}'..='\u{e0fff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// True when one of the next `reach` words is in `set`; tells how many words further it is.
pub(crate) fn near(words: &[&str], reach: usize, set: &[&str]) -> Option<usize> {
    words.iter().take(reach).position(|word| set.contains(word))
}

const ORDERS: [&str; 16] = [
    "instructions",
    "instruction",
    "prompts",
    "prompt",
    "rules",
    "directions",
    "guidelines",
    "directives",
    "commands",
    "orders",
    "constraints",
    "messages",
    "training",
    "programming",
    "context",
    "task",
];

/// "Ignore all previous instructions" and its like.
pub(crate) fn overrides(words: &[&str]) -> bool {
    match words[0] {
        "ignore" | "disregard" | "forget" | "override" | "discard" | "ignoring" | "disregarding" => {
            let Some(at) = near(
                &words[1..],
                5,
                &[
                    "previous",
                    "prior",
                    "above",
                    "earlier",
                    "preceding",
                    "system",
                    "original",
                    "your",
                    "everything",
                    "initial",
                ],
            ) else {
                return false;
            };
            let is_everything = words[1..][at] == "everything"
                && words[0] != "override"
                && near(&words[at + 2..], 3, &["above", "before", "previous", "earlier"]).is_some();
            is_everything || near(&words[at + 2..], 3, &ORDERS).is_some()
        }
        "your" => matches!(
            words.get(1..4),
            Some([
                "new" | "real" | "actual" | "true",
                "task" | "goal" | "objective" | "instructions" | "instruction" | "mission",
                "is" | "are"
            ])
        ),
        "you" => matches!(
            words.get(1..4),
            Some([
                "are",
                "now",
                "in" | "dan" | "unrestricted" | "jailbroken" | "root" | "admin" | "free" | "developer"
            ])
        ),
        _ => false,
    }
}

/// "Do not tell the user" and its like.
pub(crate) fn hides(words: &[&str]) -> bool {
    const PEOPLE: [&str; 10] =
        ["user", "users", "human", "humans", "operator", "developer", "developers", "anyone", "owner", "maintainer"];
    // Only what can stand between the verb and the person.
    const BETWEEN: [&str; 18] = [
        "the", "your", "this", "that", "it", "to", "any", "step", "about", "anything", "these", "of", "with", "action",
        "change", "changes", "part", "a",
    ];
    let told = |from: usize, verbs: &[&str]| {
        near(&words[from.min(words.len())..], 2, verbs).is_some_and(|at| {
            let rest = &words[from + at + 1..];
            near(rest, 6, &PEOPLE).is_some_and(|person| rest[..person].iter().all(|word| BETWEEN.contains(word)))
        })
    };
    match words[0] {
        "do" if words.get(1) == Some(&"not") => {
            told(2, &["tell", "inform", "notify", "alert", "mention", "reveal", "disclose", "report"])
        }
        "dont" | "never" => {
            told(1, &["tell", "inform", "notify", "alert", "mention", "reveal", "disclose", "report", "warn"])
        }
        "without" => told(1, &["telling", "informing", "notifying", "alerting", "mentioning", "warning"]),
        "hide" | "conceal" => {
            near(&words[1..], 4, &["from"]).is_some_and(|at| near(&words[at + 2..], 2, &PEOPLE).is_some())
        }
        _ => false,
    }
}

/// "Send the contents of .env to https://…" and its like.
pub(crate) fn gives_away(words: &[&str]) -> bool {
    const VERBS: [&str; 16] = [
        "send",
        "post",
        "upload",
        "forward",
        "email",
        "exfiltrate",
        "transmit",
        "submit",
        "leak",
        "append",
        "include",
        "share",
        "encode",
        "embed",
        "curl",
        "report",
    ];
    const SECRETS: [&str; 30] = [
        "secret",
        "secrets",
        "token",
        "tokens",
        "credential",
        "credentials",
        "password",
        "passwords",
        "apikey",
        "api_key",
        ".env",
        "id_rsa",
        "env",
        "environment",
        "printenv",
        "cookies",
        "keys",
        "key",
        "~/.ssh",
        "/etc/passwd",
        "conversation",
        "prompt",
        "history",
        "~/.aws/credentials",
        "contents",
        "source",
        "private",
        "ssh",
        "files",
        "repository",
    ];
    if !VERBS.contains(&words[0]) {
        return false;
    }
    let window = &words[..words.len().min(40)];
    let Some(at) = near(&window[1..], 12, &SECRETS) else { return false };
    // Somewhere named by a URL or an address; a host of one's own machine or a bare mention is none.
    let place = |word: &&&str| {
        let url = word.starts_with("http://") || word.starts_with("https://");
        let local = ["localhost", "127.0.0.1", "example.com", "0.0.0.0"].iter().any(|host| word.contains(host));
        let mail = word.contains('@') && word.contains('.') && !word.starts_with('@') && !word.contains('/');
        (url || mail) && !local
    };
    let direct =
        matches!(window[at + 1], ".env" | "id_rsa" | "printenv" | "~/.ssh" | "/etc/passwd" | "~/.aws/credentials");
    let reach = if direct { 24 } else { 12 };
    window[at + 1..].iter().take(reach).find(place).is_some()
        && (direct
            || window[..at + 2].iter().any(|word| matches!(*word, "your" | "all" | "any" | "the" | "their" | "its")))
}

/// "If you are an AI assistant …", "Note to AI agents: …" with something to do in it.
pub(crate) fn addresses_agent(words: &[&str]) -> bool {
    const AGENTS: [&str; 22] = [
        "ai",
        "llm",
        "llms",
        "claude",
        "claude:",
        "copilot",
        "chatgpt",
        "gpt",
        "codex",
        "gemini",
        "assistant",
        "assistants",
        "assistant:",
        "agent",
        "agents",
        "agents:",
        "agent:",
        "ai:",
        "bot",
        "bots",
        "model",
        "models",
    ];
    const ACTS: [&str; 32] = [
        "run", "execute", "send", "upload", "post", "curl", "fetch", "download", "install", "delete", "remove",
        "reveal", "print", "include", "commit", "push", "disable", "approve", "email", "ignore", "open", "visit",
        "call", "invoke", "use", "write", "add", "rm", "wget", "bash", "read", "output",
    ];
    let rest = match words {
        ["if" | "when" | "since" | "because" | "as", "you", "are", rest @ ..]
        | ["if" | "when" | "since", "youre", rest @ ..] => rest,
        [
            "note" | "notice" | "message" | "attention" | "instruction" | "instructions" | "warning" | "important",
            "to" | "for",
            rest @ ..,
        ] => rest,
        ["attention" | "dear" | "hey" | "attention:" | "important:", rest @ ..] => rest,
        _ => return false,
    };
    let Some(at) = near(rest, 6, &AGENTS) else { return false };
    let orders = ["must", "should", "need", "required", "please", "have", "immediately", "first", "now", "always"];
    let window = &rest[at..rest.len().min(at + 50)];
    near(window, 40, &orders).is_some_and(|order| near(&window[order..], 10, &ACTS).is_some())
}

/// "The user has already approved this" and its like.
pub(crate) fn forges_consent(words: &[&str]) -> bool {
    matches!(words[0], "user" | "operator" | "human" | "administrator" | "admin" | "owner")
        && near(
            &words[1..],
            4,
            &["approved", "pre-approved", "preapproved", "authorized", "authorised", "consented", "granted"],
        )
        .is_some_and(|at| {
            near(&words[1..][..at], 4, &["has", "have", "already", "hereby"]).is_some()
                && near(
                    &words[at + 2..],
                    6,
                    &[
                        "this",
                        "all",
                        "these",
                        "command",
                        "commands",
                        "action",
                        "actions",
                        "permission",
                        "running",
                        "execution",
                    ],
                )
                .is_some()
        })
}

/// "Before continuing you must run …" and its like.
pub(crate) fn demands_command(words: &[&str]) -> bool {
    let reason = match words {
        ["before", "you" | "continuing" | "proceeding" | "doing" | "answering" | "responding" | "any", ..]
        | ["to", "continue" | "proceed", ..]
        | ["in", "order", "to", "continue" | "proceed", ..] => true,
        _ => return false,
    };
    let window = &words[..words.len().min(40)];
    reason
        && near(window, 16, &["must", "required", "immediately", "mandatory"])
            .is_some_and(|at| near(&window[at..], 8, &["run", "execute", "curl", "wget", "paste"]).is_some())
        && window.iter().any(|word| {
            matches!(*word, "curl" | "wget" | "bash" | "sh" | "base64" | "eval" | "sudo" | "chmod" | "rm")
                || word.starts_with("http")
        })
}

/// "Bypass the gate", "skip the approval" and their like, as an order.
pub(crate) fn circumvents(words: &[&str]) -> bool {
    const GUARDS: [&str; 22] = [
        "gate",
        "sandbox",
        "guard",
        "guards",
        "guardrail",
        "guardrails",
        "permission",
        "permissions",
        "approval",
        "approvals",
        "classifier",
        "restrictions",
        "restriction",
        "hook",
        "hooks",
        "safeguards",
        "safeguard",
        "policy",
        "policies",
        "confirmation",
        "denial",
        "block",
    ];
    let rest = match words {
        [
            "bypass" | "circumvent" | "evade" | "sidestep" | "disable" | "defeat" | "skip" | "avoid" | "trick",
            rest @ ..,
        ]
        | ["get" | "work" | "working" | "getting", "around", rest @ ..]
        | ["turn" | "switch", "off", rest @ ..] => rest,
        [
            "blocked" | "denied" | "refused",
            "by",
            "the",
            "gate" | "sandbox" | "guard" | "permission" | "policy",
            rest @ ..,
        ]
        | ["gate" | "sandbox" | "guard", "blocked" | "denied" | "refused" | "blocks", rest @ ..] => {
            return near(
                rest,
                30,
                &[
                    "instead",
                    "another",
                    "different",
                    "differently",
                    "encode",
                    "base64",
                    "rephrase",
                    "split",
                    "alternative",
                ],
            )
            .is_some();
        }
        _ => return false,
    };
    near(rest, 4, &GUARDS).is_some()
}
