//! Commands in image recipes, in JSON of editors, and in code whose language has no table of its own.

use serde_json::Value;

/// Calls by which compiled languages start programs.
const STARTERS: [&str; 10] = [
    "Command::new(",
    "exec.Command(",
    "exec.CommandContext(",
    "syscall.Exec(",
    "ProcessBuilder(",
    ".exec(",
    "system(",
    "popen(",
    "Process.Start(",
    "execl(",
];
/// Most starts that are read.
const MAX_STARTS: usize = 64;
/// How far after a start its arguments are looked for, in bytes.
const REACH: usize = 600;

/// `RUN`, `CMD`, `ENTRYPOINT` and `HEALTHCHECK` of an image recipe.
pub(super) fn image(content: &str) -> Vec<String> {
    let joined = content.replace("\\\n", " ");
    let mut found = Vec::new();
    for line in joined.lines() {
        let line = line.trim();
        let line = line.strip_prefix("ONBUILD ").unwrap_or(line);
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        if !matches!(word.to_ascii_uppercase().as_str(), "RUN" | "CMD" | "ENTRYPOINT" | "HEALTHCHECK") {
            continue;
        }
        let rest = rest.strip_prefix("CMD ").unwrap_or(rest);
        match serde_json::from_str::<Vec<String>>(rest) {
            Ok(words) => found.push(words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")),
            Err(_) => {
                let mut rest = rest;
                while rest.starts_with("--") {
                    rest = rest.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start());
                }
                found.push(rest.to_owned());
            }
        }
    }
    found
}

/// Every `command` with its `args`, and every command of a container for development.
pub(super) fn tasks(content: &str) -> Vec<String> {
    let plain: String =
        content.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let Ok(value) = serde_json::from_str::<Value>(&plain) else {
        // A part of a file, or JSON with more freedom than JSON has.
        return super::package::scripts(&plain).into_iter().map(|(_, command)| command).collect();
    };
    let mut found = Vec::new();
    let mut stack = vec![&value];
    while let Some(value) = stack.pop() {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let lower = key.to_ascii_lowercase();
                    if matches!(lower.as_str(), "command" | "program" | "action") || lower.ends_with("command") {
                        let args = map.get("args").and_then(Value::as_array).into_iter().flatten();
                        let args = args.filter_map(Value::as_str).map(quoted);
                        match value {
                            Value::String(text) => {
                                found.push(std::iter::once(text.clone()).chain(args).collect::<Vec<_>>().join(" "))
                            }
                            Value::Array(list) => {
                                found.push(
                                    list.iter().filter_map(Value::as_str).map(quoted).collect::<Vec<_>>().join(" "),
                                );
                            }
                            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
                        }
                    }
                    stack.push(value);
                }
            }
            Value::Array(list) => stack.extend(list),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    found
}

/// The programs that compiled code starts, with the literals that follow as their arguments.
pub(super) fn compiled(content: &str) -> Vec<String> {
    let mut found = Vec::new();
    for starter in STARTERS {
        for (at, _) in content.match_indices(starter).take(MAX_STARTS) {
            let mut end = (at + REACH).min(content.len());
            while !content.is_char_boundary(end) {
                end -= 1;
            }
            let reach = &content[at + starter.len()..end.max(at + starter.len())];
            let words = literals(reach.split_inclusive([';', '}']).next().unwrap_or(reach));
            match words.as_slice() {
                [] => {}
                [one] => found.push(one.clone()),
                several => found.push(several.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")),
            }
        }
    }
    found
}

fn literals(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('"') {
        let mut value = String::new();
        let mut chars = rest[start + 1..].char_indices();
        let end = loop {
            match chars.next() {
                Some((_, '\\')) => value.extend(chars.next().map(|(_, c)| if c == 'n' { '\n' } else { c })),
                Some((at, '"')) => break Some(start + 1 + at + 1),
                Some((_, c)) => value.push(c),
                None => break None,
            }
        };
        let Some(end) = end else { break };
        found.push(value);
        rest = &rest[end..];
    }
    found
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_tasks_and_started_programs() {
        assert_eq!(
            image("FROM a\nRUN --mount=type=cache,x a && \\\n b\nCMD [\"c\", \"d e\"]\n"),
            ["a &&   b", "'c' 'd e'"]
        );
        assert_eq!(tasks("{\"tasks\":[{\"command\":\"sh\",\"args\":[\"-c\",\"x y\"]}]}"), ["sh '-c' 'x y'"]);
        assert_eq!(compiled("Command::new(\"sh\").arg(\"-c\").arg(\"x\"); y"), ["'sh' '-c' 'x'"]);
        assert!(compiled("let a = \"rm -rf /\";").is_empty());
    }
}
