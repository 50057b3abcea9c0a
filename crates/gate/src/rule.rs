//! The operator's rules, in the permission syntax that users know from their agents.

use crate::{effect::Effect, place::Place, shell::SimpleCommand, tool::Reading, world::World};
use types::{
    call::ToolCall,
    text::{nearest, printable},
};

/// Why a rule text is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("bad rule `{rule}`: {reason}")]
pub struct RuleError {
    /// The rule as given.
    pub rule: String,
    /// What is wrong with it.
    pub reason: String,
    /// How to write it.
    pub hint: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Spec {
    /// Every call of the tool.
    Any,
    /// A shell command: words with `*`; `prefix` when it ended in `:*`.
    Command { pattern: String, prefix: bool },
    /// A path pattern, absolute.
    Path(String),
    /// A host.
    Domain(String),
}

/// A parsed rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    text: String,
    tool: String,
    spec: Spec,
}

const READERS: [&str; 5] = ["Read", "Grep", "Glob", "LS", "NotebookRead"];
const EDITORS: [&str; 4] = ["Edit", "Write", "MultiEdit", "NotebookEdit"];
const TOOLS: [&str; 16] = [
    "Bash",
    "Read",
    "Edit",
    "Write",
    "MultiEdit",
    "NotebookEdit",
    "NotebookRead",
    "Grep",
    "Glob",
    "LS",
    "WebFetch",
    "WebSearch",
    "Agent",
    "Task",
    "TodoWrite",
    "Skill",
];

impl Rule {
    pub(crate) fn parse(text: &str, world: &World) -> Result<Self, RuleError> {
        let bad =
            |reason: &str, hint: String| RuleError { rule: printable(text, 120), reason: reason.to_owned(), hint };
        let example = || "write `Tool` or `Tool(specifier)`, for example `Bash(npm test)`".to_owned();
        let trimmed = text.trim();
        let (tool, spec) = match trimmed.split_once('(') {
            Some((tool, rest)) => match rest.strip_suffix(')') {
                Some(spec) => (tool, Some(spec.trim())),
                None => return Err(bad("the parenthesis is not closed", example())),
            },
            None => (trimmed, None),
        };
        let is_name = !tool.is_empty()
            && tool.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'*' | b'.'));
        if !is_name || (tool.contains('*') && !tool.starts_with("mcp__")) {
            return Err(bad("the tool's name is missing or malformed", example()));
        }
        if !tool.starts_with("mcp__")
            && !TOOLS.contains(&tool)
            && let Some(known) = nearest(tool, TOOLS)
        {
            return Err(bad("the tool is not known", format!("did you mean `{known}`?")));
        }
        let spec = match spec {
            None | Some("*") => Spec::Any,
            Some("") => return Err(bad("the specifier is empty", format!("write `{tool}` to mean every call"))),
            Some(spec) if tool == "Bash" => {
                let (pattern, prefix) = spec.strip_suffix(":*").map_or((spec, false), |head| (head, true));
                if pattern.is_empty() || pattern.contains(":*") {
                    return Err(bad(
                        "`:*` stands only at the end, after a command",
                        "write `Bash(npm run test:*)`".to_owned(),
                    ));
                }
                Spec::Command { pattern: pattern.to_owned(), prefix }
            }
            Some(spec) if tool == "WebFetch" => match spec.strip_prefix("domain:") {
                Some(host) => match types::host::HostName::parse(host.strip_prefix("*.").unwrap_or(host)) {
                    Ok(name) => {
                        Spec::Domain(if host.starts_with("*.") { format!("*.{name}") } else { name.to_string() })
                    }
                    Err(error) => {
                        return Err(bad(&error.to_string(), "write `WebFetch(domain:docs.example.com)`".to_owned()));
                    }
                },
                None => {
                    return Err(bad(
                        "only `domain:` is known here",
                        "write `WebFetch(domain:docs.example.com)`".to_owned(),
                    ));
                }
            },
            Some(spec) if READERS.contains(&tool) || EDITORS.contains(&tool) => Spec::Path(absolute(spec, world)),
            Some(_) => return Err(bad("this tool takes no specifier", format!("write `{tool}`"))),
        };
        Ok(Self { text: trimmed.to_owned(), tool: tool.to_owned(), spec })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// True when the rule speaks of this tool.
    fn names(&self, tool: &str) -> bool {
        if let Some(server) = self.tool.strip_prefix("mcp__") {
            let server = server.strip_suffix("__*").unwrap_or(server);
            return tool.strip_prefix("mcp__").is_some_and(|name| {
                name == server
                    || (!server.contains("__") && name.strip_prefix(server).is_some_and(|rest| rest.starts_with("__")))
            });
        }
        self.tool == tool
            || (self.tool == "Read" && READERS.contains(&tool))
            || (self.tool == "Edit" && EDITORS.contains(&tool))
            || (self.tool == "Task" && tool == "Agent")
    }

    /// True when the rule covers one command of a line.
    fn covers(&self, command: &SimpleCommand) -> bool {
        match &self.spec {
            Spec::Any => true,
            Spec::Command { pattern, prefix } => {
                let text = command.text();
                let mut short = command.clone();
                if let Some(first) = short.argv.first_mut() {
                    first.text = command.name();
                }
                [text, short.text()].iter().any(|text| {
                    let is_prefix = *prefix
                        && text
                            .strip_prefix(pattern.as_str())
                            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
                    is_prefix || wildcard(pattern, text)
                })
            }
            Spec::Path(_) | Spec::Domain(_) => false,
        }
    }
}

/// The rules of one kind that match at least one part of the call.
pub(crate) fn any<'r>(rules: &'r [Rule], call: &ToolCall, reading: &Reading, world: &World) -> Option<&'r Rule> {
    rules.iter().find(|rule| {
        let direct = rule.names(&call.tool)
            && match &rule.spec {
                Spec::Any => true,
                Spec::Command { .. } => reading
                    .commands
                    .iter()
                    .filter(|command| !command.argv.is_empty())
                    .any(|command| rule.covers(command)),
                Spec::Path(pattern) => path_of(call, world).is_some_and(|path| matches(pattern, &path)),
                Spec::Domain(domain) => host_of(call).is_some_and(|host| is_domain(domain, &host)),
            };
        // A rule about paths holds for what a shell line does to them as well.
        let indirect = |effect: &Effect| match (&rule.spec, effect) {
            (Spec::Path(pattern), Effect::Reads(place)) => {
                READERS.contains(&rule.tool.as_str()) && matches(pattern, &place.path)
            }
            (Spec::Path(pattern), Effect::Writes { place, .. } | Effect::Deletes { place, .. }) => {
                EDITORS.contains(&rule.tool.as_str()) && matches(pattern, &place.path)
            }
            _ => false,
        };
        direct || reading.effects().any(indirect)
    })
}

/// The rule that allows the call; of a shell line, every command must be covered.
pub(crate) fn all<'r>(rules: &'r [Rule], call: &ToolCall, reading: &Reading, world: &World) -> Option<&'r Rule> {
    let mut named = rules.iter().filter(|rule| rule.names(&call.tool));
    if call.tool != "Bash" {
        return named.find(|rule| match &rule.spec {
            Spec::Any => true,
            Spec::Command { .. } => false,
            Spec::Path(pattern) => path_of(call, world).is_some_and(|path| matches(pattern, &path)),
            Spec::Domain(domain) => host_of(call).is_some_and(|host| is_domain(domain, &host)),
        });
    }
    let named: Vec<&Rule> = named.collect();
    if let Some(rule) = named.iter().find(|rule| rule.spec == Spec::Any) {
        return Some(rule);
    }
    let mut last = None;
    for command in reading.commands.iter().filter(|command| !command.argv.is_empty()) {
        // What is not known in a command could be anything, `&& rm` is not among it but an option is.
        let rule =
            named.iter().find(|rule| command.argv.iter().all(crate::shell::Word::is_known) && rule.covers(command))?;
        last = Some(*rule);
    }
    last
}

fn path_of(call: &ToolCall, world: &World) -> Option<String> {
    let text = ["file_path", "notebook_path", "path"]
        .iter()
        .find_map(|key| call.input.get(key))
        .and_then(serde_json::Value::as_str)?;
    Some(Place::resolve(text, false, Some(&call.cwd), world).path)
}

fn host_of(call: &ToolCall) -> Option<String> {
    let url = call.input.get("url")?.as_str()?;
    let rest = url.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?.1;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    // User information in a URL is a disguise; such a URL matches no rule.
    let host = authority.split(':').next()?;
    types::host::HostName::parse(host).ok().map(|name| name.to_string())
}

fn is_domain(domain: &str, host: &str) -> bool {
    match domain.strip_prefix("*.") {
        Some(parent) => host.strip_suffix(parent).is_some_and(|head| head.ends_with('.')),
        None => domain == host,
    }
}

/// `//x` is absolute, `~/x` is in the home, `/x`, `./x` and `x` are in the work tree.
fn absolute(pattern: &str, world: &World) -> String {
    let path = if let Some(rest) = pattern.strip_prefix("//") {
        format!("/{rest}")
    } else if let Some(rest) = pattern.strip_prefix("~/") {
        format!("{}/{rest}", world.home)
    } else {
        format!("{}/{}", world.worktree, pattern.trim_start_matches("./").trim_start_matches('/'))
    };
    path.strip_suffix('/').map(|dir| format!("{dir}/**")).unwrap_or(path)
}

/// Path patterns: `**` crosses directories, `*` and `?` do not.
fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    // reach[j]: the pattern so far can end after j parts of the path.
    let mut reach = vec![false; path.len() + 1];
    reach[0] = true;
    for part in pattern {
        let mut next = vec![false; path.len() + 1];
        if part == "**" {
            let mut open = false;
            for (at, slot) in next.iter_mut().enumerate() {
                open |= reach[at];
                *slot = open;
            }
        } else {
            for at in 0..path.len() {
                next[at + 1] = reach[at] && crate::secret::glob_matches(part, path[at]);
            }
        }
        reach = next;
    }
    reach[path.len()]
}

/// Command patterns: `*` stands for any run of characters, nothing else is special.
fn wildcard(pattern: &str, text: &str) -> bool {
    if !pattern.contains('*') {
        return pattern == text;
    }
    let escaped = pattern.replace('?', "\u{1}").replace('[', "\u{2}");
    crate::secret::glob_matches(&escaped, &text.replace('?', "\u{1}").replace('[', "\u{2}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_rules_are_named_with_a_hint() {
        let world = World::default();
        for (text, hint) in [
            ("Bash(npm test", "Tool(specifier)"),
            ("Bahs(ls)", "did you mean `Bash`?"),
            ("WebFetch(docs.example)", "domain:"),
            ("WebFetch(domain:127.0.0.1)", "domain:"),
            ("Bash()", "`Bash`"),
            ("(x)", "Tool(specifier)"),
            ("TodoWrite(x)", "`TodoWrite`"),
        ] {
            let error = Rule::parse(text, &world).expect_err(text);
            assert!(error.hint.contains(hint), "{text}: {}", error.hint);
            assert!(error.to_string().contains(text), "{error}");
        }
        for text in [
            "Bash",
            "Bash(npm run test:*)",
            "Read(./docs/**)",
            "mcp__a__b",
            "mcp__a",
            "WebFetch(domain:*.example.com)",
            "SomeNewTool",
        ] {
            assert!(Rule::parse(text, &world).is_ok(), "{text}");
        }
    }

    #[test]
    fn path_patterns_do_not_cross_directories_with_one_star() {
        assert!(matches("/workspace/docs/**", "/workspace/docs/a/b"));
        assert!(matches("/workspace/**/*.rs", "/workspace/a.rs"));
        assert!(!matches("/workspace/*.rs", "/workspace/a/b.rs"));
        assert!(!matches("/workspace/docs/**", "/workspace/docs2/a"));
    }
}
