//! The recipes of a makefile or justfile.

use super::Part;
use std::collections::{BTreeMap, BTreeSet};

/// Most rounds of replacing variables by their values.
const MAX_ROUNDS: usize = 4;
/// Longest recipe after expansion, in bytes.
const MAX_LINE: usize = 8 * 1024;
/// Most rules that are read; what comes after is read as if it were always made, as one more rule.
const MAX_RULES: usize = 1000;
/// Most targets that are followed to what they need; with more, every rule may run.
const MAX_TARGETS: usize = 500;

/// What make would fill in and is not known here: a variable that the shell's reader does not know either.
const NOT_KNOWN: &str = "\u{1}{NOT_KNOWN}";

#[derive(Default)]
struct Rule<'a> {
    targets: Vec<&'a str>,
    needs: Vec<&'a str>,
    recipe: Vec<&'a str>,
}

/// The commands of the chosen targets and of all they need, or of every target.
pub(super) fn commands(content: &str, part: Part<'_>) -> Vec<String> {
    let joined = content.replace("\\\n", " ");
    let (variables, rules) = read(&joined);
    let mut commands: Vec<String> = shell_calls(&joined, &variables);
    let chosen = chosen(&rules, part);
    for (at, rule) in rules.iter().enumerate() {
        if chosen.as_ref().is_some_and(|chosen| !chosen.contains(&at)) {
            continue;
        }
        let mut script = String::new();
        for line in &rule.recipe {
            let line = line.trim_start().trim_start_matches(['@', '-', '+', ' ']);
            script.push_str(&expand(line, &variables, rule));
            script.push('\n');
        }
        if !script.trim().is_empty() {
            commands.push(script);
        }
    }
    commands
}

fn read(text: &str) -> (BTreeMap<&str, &str>, Vec<Rule<'_>>) {
    let mut variables = BTreeMap::new();
    let mut rules: Vec<Rule<'_>> = Vec::new();
    for line in text.lines() {
        if line.starts_with(['\t', ' ']) && !line.trim().is_empty() {
            match rules.last_mut() {
                Some(rule) => rule.recipe.push(line),
                // A part of a file, as an edit shows it.
                None => rules.push(Rule { recipe: vec![line], ..Rule::default() }),
            }
            continue;
        }
        let line = line.split(" #").next().unwrap_or_default();
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if let Some((name, value)) = assignment(line) {
            variables.insert(name, value);
        } else if rules.len() >= MAX_RULES {
            if let Some(rule) = rules.last_mut() {
                rule.targets.clear();
            }
        } else if let Some((targets, needs)) = line.split_once(':') {
            let (needs, first) = needs.split_once(';').map_or((needs, None), |(needs, recipe)| (needs, Some(recipe)));
            let needs = needs.trim_start_matches(':');
            rules.push(Rule {
                targets: targets.split_whitespace().collect(),
                needs: needs.split_whitespace().collect(),
                recipe: first.into_iter().collect(),
            });
        }
    }
    (variables, rules)
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim_end_matches([':', '?', '+', '!']).trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    let is_name =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    is_name.then_some((name, value.trim()))
}

/// `$(shell …)` runs whatever target is made.
fn shell_calls(text: &str, variables: &BTreeMap<&str, &str>) -> Vec<String> {
    text.split("$(shell ")
        .skip(1)
        .take(64)
        .map(|rest| {
            let mut depth = 1;
            let end = rest.char_indices().take(MAX_LINE).find(|(_, c)| {
                depth += i32::from(*c == '(') - i32::from(*c == ')');
                depth == 0
            });
            expand(
                &rest[..end.map_or(rest.len().min(rest.find('\n').unwrap_or(rest.len())), |(at, _)| at)],
                variables,
                &Rule::default(),
            )
        })
        .collect()
}

fn expand(line: &str, variables: &BTreeMap<&str, &str>, rule: &Rule<'_>) -> String {
    let mut text = line.to_owned();
    for _ in 0..MAX_ROUNDS {
        let next = replaced(&text, variables, rule);
        if next == text || next.len() > MAX_LINE {
            break;
        }
        text = next;
    }
    text.replace("$(", NOT_KNOWN).replace('\u{1}', "$")
}

fn replaced(text: &str, variables: &BTreeMap<&str, &str>, rule: &Rule<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        if out.len() > MAX_LINE {
            // A value that doubles itself is not followed.
            return format!("{out}{NOT_KNOWN}");
        }
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let close = match rest.chars().next() {
            Some('(') => ')',
            Some('{') => '}',
            Some('$') => {
                // The shell's own dollar; kept apart until the end.
                out.push('\u{1}');
                rest = &rest[1..];
                continue;
            }
            Some('@') => {
                out.push_str(rule.targets.first().unwrap_or(&"made"));
                rest = &rest[1..];
                continue;
            }
            Some('<' | '^' | '*' | '?') => {
                out.push_str(&rule.needs.join(" "));
                rest = &rest[1..];
                continue;
            }
            Some(_) | None => {
                out.push_str(NOT_KNOWN);
                rest = rest.get(rest.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default();
                continue;
            }
        };
        match rest.find(close) {
            Some(end) => {
                let name = rest[1..end].trim();
                match variables.get(name) {
                    Some(value) => out.push_str(value),
                    None if name == "MAKE" => out.push_str("make"),
                    None if name == "CURDIR" => out.push('.'),
                    // Make hands the environment on.
                    None if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => {
                        out.push_str(&format!("\u{1}{{{name}}}"));
                    }
                    None => out.push_str(NOT_KNOWN),
                }
                rest = &rest[end + 1..];
            }
            None => out.push_str(NOT_KNOWN),
        }
    }
    out.push_str(rest);
    out
}

/// The rules that the named targets reach; none when every rule may run.
fn chosen(rules: &[Rule<'_>], part: Part<'_>) -> Option<BTreeSet<usize>> {
    let Part::Named(words) = part else { return None };
    let named: Vec<&str> = words
        .iter()
        .map(|word| word.text.as_str())
        .filter(|text| !text.starts_with('-') && !text.contains('='))
        .filter(|text| rules.iter().any(|rule| rule.targets.contains(text)))
        .collect();
    let mut open: Vec<&str> = named;
    if open.is_empty() {
        let first = rules.iter().find(|rule| rule.targets.first().is_some_and(|target| !target.starts_with('.')));
        open.extend(first.and_then(|rule| rule.targets.first()).copied());
    }
    // A pattern rule may make anything that is needed.
    let mut chosen: BTreeSet<usize> = rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| rule.targets.is_empty() || rule.targets.iter().any(|target| target.contains(['%', '$'])))
        .map(|(at, _)| at)
        .collect();
    let mut seen = BTreeSet::new();
    while let Some(target) = open.pop() {
        if !seen.insert(target) {
            continue;
        }
        if seen.len() > MAX_TARGETS {
            return None;
        }
        for (at, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.targets.contains(&target)) {
            chosen.insert(at);
            open.extend(&rule.needs);
            // `$(MAKE) other` in a recipe.
            open.extend(
                rule.recipe
                    .iter()
                    .filter(|line| line.contains("MAKE") || line.contains("make"))
                    .flat_map(|line| line.split_whitespace()),
            );
        }
    }
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::Word;

    const TEXT: &str =
        "DIR := /etc\nall: test\ntest: lint\n\t@cargo test\nlint:\n\t-cargo clippy\nwipe:\n\trm -rf $(DIR) $$HOME $@\n";

    #[test]
    fn targets_choose_and_variables_expand() {
        let of = |name: &str| commands(TEXT, Part::Named(&[Word::literal(name)]));
        assert_eq!(of("test"), ["cargo test\n", "cargo clippy\n"]);
        assert_eq!(of("wipe"), ["rm -rf /etc $HOME wipe\n"]);
        assert_eq!(of("-j4"), ["cargo test\n", "cargo clippy\n"]);
        assert_eq!(commands(TEXT, Part::All).len(), 3);
        assert_eq!(commands("V != x\nA := $(shell curl $(B))\n", Part::All), ["curl ${B}"]);
    }
}
