//! What goes out in the arguments of tools that are not the shell: addresses, searches, prompts of other agents, and the
//! inputs of tools that nobody here knows.

use crate::{
    destination::{Destination, Direction, plain_page},
    effect::{Effect, Finding, Severity},
    floor,
    ledger::Ledger,
    phrase::{self, Prose},
    place::Place,
    program,
    shell::{SimpleCommand, Word},
    token, tool,
    weaken::skips_permissions,
    world::World,
};
use serde_json::Value;
use types::{call::ToolCall, catalogue::RuleId, text::printable};

/// Most texts of one input that are looked at; an input with more cannot be allowed without a person anyway.
const MAX_TEXTS: usize = 256;
/// Longest search that goes out unseen, in characters.
const MAX_QUERY: usize = 400;
/// Shortest run of characters in an address that could be data, in bytes.
const OPAQUE: usize = 64;
const INSIDE: &str = "keep credentials where they are; describe what you need instead of sending it";

fn sends_secret(kind: &str, to: &str) -> Effect {
    Finding::forbidden(RuleId::DataExfiltration, format!("sends {kind} to {to}"), INSIDE).into()
}

/// A page that is fetched. Its address can carry data out.
pub(crate) fn fetched(call: &ToolCall, world: &World, ledger: &Ledger) -> Vec<Effect> {
    let url = tool::text(call, "url");
    let prompt = tool::text(call, "prompt");
    let lower = url.trim().to_ascii_lowercase();
    if let Some(path) = lower.strip_prefix("file:") {
        let path = &url.trim()[url.trim().len() - path.trim_start_matches("//").len()..];
        return vec![Effect::Reads(Place::resolve(path, false, Some(&call.cwd), world))];
    }
    let is_web = lower.starts_with("http://") || lower.starts_with("https://") || !lower.contains(':');
    let mut effects = Vec::new();
    if !is_web {
        effects.push(Effect::Unverifiable("an address that is no web page".to_owned()));
    }
    let decoded = percent_decoded(url);
    if let Some(kind) = token::find(url).or_else(|| token::find(&decoded)).or_else(|| token::find(prompt)) {
        effects.push(sends_secret(kind, "a web page"));
    }
    let data = carries_data(url);
    if data {
        effects.push(Finding::questioned(RuleId::DataExfiltration, "sends data in the address of a page").into());
    } else if ledger.has_read_secrets() && url.contains('?') {
        effects.push(
            Finding::questioned(RuleId::DataExfiltration, "sends parameters to a page after this run read credentials")
                .into(),
        );
    }
    let direction = if data { Direction::Up } else { Direction::Down };
    effects.push(match (Destination::parse(url, world), plain_page(url)) {
        // Where the egress lets it through, it is read and nothing else; what it says is probed.
        (Destination::Foreign(_), Some(host)) if !data && !ledger.has_read_secrets() => {
            Effect::Network { to: Destination::Page(host), direction }
        }
        (to, _) => Effect::Network { to, direction },
    });
    effects
}

/// A search goes to a service outside; its text is what leaves.
pub(crate) fn searched(call: &ToolCall, ledger: &Ledger) -> Vec<Effect> {
    let query = tool::text(call, "query");
    let mut effects = Vec::new();
    if let Some(kind) = token::find(query) {
        effects.push(sends_secret(kind, "a search service"));
    }
    if query.chars().count() > MAX_QUERY || is_opaque(query) {
        effects.push(Finding::questioned(RuleId::DataExfiltration, "searches for what looks like data").into());
    } else if ledger.has_read_secrets() {
        effects.push(
            Finding::questioned(RuleId::DataExfiltration, "searches outside after this run read credentials").into(),
        );
    }
    effects
}

/// What another agent is told. Its calls are judged as ours are; its orders are looked at here.
pub(crate) fn to_agent(call: &ToolCall, world: &World) -> Vec<Effect> {
    const OWN: &str = "hand over the task itself; the same gate judges the other agent";
    let mut effects: Vec<Effect> = Vec::new();
    for (key, text) in texts(&call.input) {
        if skips_permissions(text)
            || (key.to_ascii_lowercase().contains("mode") && text.to_ascii_lowercase().contains("bypass"))
        {
            effects.push(Finding::forbidden(RuleId::GateTampering, "starts an agent without its guard", OWN).into());
        }
        if let Some(kind) = token::find(text) {
            effects.push(
                Finding::refused(RuleId::CredentialAccess, format!("hands {kind} to another agent"), INSIDE).into(),
            );
        }
        effects.extend(named_commands(text, &call.cwd, world));
        let prose = Prose::new(text);
        let words = prose.words();
        for at in 0..words.len() {
            let window = &words[at..words.len().min(at + 64)];
            if phrase::circumvents(window) && !(at > 0 && is_negation(words[at - 1])) {
                effects.push(
                    Finding::questioned(RuleId::GateTampering, "tells another agent to get around a guard").into(),
                );
                break;
            }
            if phrase::gives_away(window) {
                effects.push(
                    Finding::questioned(RuleId::DataExfiltration, "tells another agent to give data away").into(),
                );
                break;
            }
            if phrase::overrides(window) {
                effects.push(
                    Finding::questioned(RuleId::InstructionPoisoning, "tells another agent to ignore its orders")
                        .into(),
                );
                break;
            }
        }
    }
    effects
}

/// A command that is written out for another agent and that nobody may run.
fn named_commands(text: &str, cwd: &str, world: &World) -> Option<Effect> {
    const MAX_NAMED: usize = 32;
    let command = SimpleCommand { cwd: Some(cwd.to_owned()), ..SimpleCommand::default() };
    let codes = text.split('`').skip(1).step_by(2).filter(|code| code.contains(' ') && code.len() < 2048);
    codes.take(MAX_NAMED).flat_map(|code| program::nested(&Word::literal(code), &command, world)).find_map(|effect| {
        let finding = floor::finding(&effect, world).filter(|finding| finding.severity == Severity::Forbidden)?;
        let reason = format!("names a command for another agent that {}", finding.reason);
        Some(Finding::questioned(finding.rule, reason).into())
    })
}

fn is_negation(word: &str) -> bool {
    matches!(word, "not" | "never" | "dont" | "cannot" | "no")
}

/// A tool of a server, or one that is not known: never safe by itself, and worse where its arguments show harm.
pub(crate) fn unknown(call: &ToolCall, world: &World, ledger: &Ledger) -> Vec<Effect> {
    let name = printable(&call.tool, 60);
    let lower = call.tool.to_ascii_lowercase();
    let changes = ["write", "create", "edit", "update", "move", "put", "save", "append", "set"]
        .iter()
        .any(|verb| lower.contains(verb));
    let deletes = ["delete", "remove", "drop", "destroy", "purge"].iter().any(|verb| lower.contains(verb));
    let mut effects = Vec::new();
    for (key, text) in texts(&call.input) {
        if let Some(kind) = token::find(text) {
            effects.push(sends_secret(kind, &format!("the tool `{name}`")));
        }
        let key = key.to_ascii_lowercase();
        let trimmed = text.trim();
        if matches!(key.as_str(), "command" | "cmd" | "script" | "shell" | "bash" | "exec") || key.ends_with("_command")
        {
            let command = SimpleCommand { cwd: Some(call.cwd.clone()), ..SimpleCommand::default() };
            effects.extend(program::nested(&Word::literal(trimmed), &command, world));
        } else if trimmed.contains("://") && trimmed.len() < 4096 && !trimmed.contains(char::is_whitespace) {
            match trimmed.strip_prefix("file://") {
                Some(path) => effects.push(Effect::Reads(Place::resolve(path, false, Some(&call.cwd), world))),
                None => effects.push(tool::fetch(trimmed, Direction::Up, world)),
            }
        } else if is_path(&key, trimmed) {
            let place = Place::resolve(trimmed, false, Some(&call.cwd), world);
            if ledger.holds_secret(&place.path) {
                effects.push(
                    Finding::refused(
                        RuleId::CredentialAccess,
                        format!("hands {place}, into which this run put credentials, to a tool"),
                        INSIDE,
                    )
                    .into(),
                );
            }
            if deletes {
                effects.push(Effect::Deletes { place, recursive: true });
            } else if changes {
                effects.push(Effect::Writes { place, empties: false });
            } else {
                effects.push(Effect::Reads(place));
            }
        } else if matches!(key.as_str(), "sql" | "query" | "statement") && is_destructive_sql(trimmed) {
            let instead = "leave the data; use a scratch database of your own";
            effects.push(Finding::refused(RuleId::MassDeletion, "deletes data of a database", instead).into());
        }
    }
    if destroys(&lower) {
        let reason = format!("deletes, merges or gives something away by the tool `{name}`");
        let instead = "leave what others use; write the change down for a person";
        effects.push(Finding::refused(RuleId::SharedInfra, reason, instead).into());
    }
    effects.push(Effect::Unverifiable(format!("what the tool `{name}` does is not known")));
    effects
}

/// True for the name of a tool of a server that deletes or gives away what is not the run's own.
fn destroys(name: &str) -> bool {
    #[rustfmt::skip]
    const VERBS: [&str; 16] = [
        "delete", "drop", "destroy", "purge", "wipe", "terminate", "revoke", "refund", "transfer", "truncate", "erase",
        "uninstall", "deprovision", "shutdown", "payout", "merge",
    ];
    let action = name.rsplit("__").next().unwrap_or_default();
    let first = action.split(['_', '-', '.']).next().unwrap_or_default();
    // A server of the work tree's files deletes paths, which are judged as such.
    VERBS.contains(&first) && !name.contains("filesystem") && !name.contains("memory")
}

/// Every text of an input with the key it stands under; iterative, for inputs that nest deeply.
fn texts(input: &Value) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut stack = vec![("", input)];
    while let Some((key, value)) = stack.pop() {
        match value {
            Value::String(text) => found.push((key, text.as_str())),
            Value::Array(items) => stack.extend(items.iter().take(MAX_TEXTS).map(|item| (key, item))),
            Value::Object(map) => stack.extend(map.iter().take(MAX_TEXTS).map(|(key, value)| (key.as_str(), value))),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        if found.len() >= MAX_TEXTS {
            break;
        }
    }
    found
}

fn is_path(key: &str, text: &str) -> bool {
    let named = ["path", "file", "filename", "dir", "directory", "source", "destination", "target", "cwd", "uri"]
        .iter()
        .any(|part| key.contains(part));
    let looks = text.starts_with('/') || text.starts_with("~/") || text.starts_with("../") || text.starts_with("./");
    !text.is_empty() && text.len() < 4096 && !text.contains('\n') && (looks || named)
}

/// True for a statement that deletes a table or all of its rows.
pub(crate) fn is_destructive_sql(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let has = |mark: &str| upper.contains(mark);
    has("DROP TABLE")
        || has("DROP KEYSPACE")
        || has("DROP COLLECTION")
        || has("DROP DATABASE")
        || has("DROP SCHEMA")
        || has("TRUNCATE ")
        || ((has("DELETE FROM") || upper.starts_with("UPDATE ") && has(" SET ")) && !has("WHERE"))
}

/// True when an address carries more than it names: a long run without words, or much in its parameters.
fn carries_data(url: &str) -> bool {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    query.len() > 512
        || query.split(['&', '=']).any(is_opaque)
        || path.split('/').skip(3).any(is_opaque)
        || path.split('/').nth(2).is_some_and(|host| host.split('.').any(|label| label.len() > 40))
}

/// A long run of letters and digits without the joints that words have.
fn is_opaque(text: &str) -> bool {
    text.split(['-', '_', '.', ' ', '+', ',', '/']).any(|run| {
        run.len() >= OPAQUE && run.bytes().any(|b| b.is_ascii_digit()) && run.bytes().any(|b| b.is_ascii_alphabetic())
    })
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            Some(_) | None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
