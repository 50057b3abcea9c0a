//! Commands in YAML and TOML: CI steps, hooks, compose files. Read by lines, since any tool's schema may be meant.

/// Keys whose values run.
const KEYS: [&str; 16] = [
    "run",
    "script",
    "before_script",
    "after_script",
    "command",
    "commands",
    "entry",
    "entrypoint",
    "cmd",
    "cmds",
    "args",
    "exec",
    "postcreatecommand",
    "setup",
    "test",
    "build",
];
/// Most lines that are read.
const MAX_LINES: usize = 10_000;

/// Every text under a key that runs something.
pub(super) fn commands(content: &str) -> Vec<String> {
    let lines: Vec<&str> = content.lines().take(MAX_LINES).collect();
    let mut found: Vec<String> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        at += 1;
        let text = line.trim_start().trim_start_matches("- ").trim_start();
        let depth = line.len() - text.len();
        let separator =
            text.find([':', '=']).filter(|end| KEYS.contains(&text[..*end].trim().to_ascii_lowercase().as_str()));
        let Some(end) = separator else { continue };
        let value = text[end + 1..].trim();
        if let Some(list) = value.strip_prefix('[') {
            found.push(inline(list));
        } else if value.is_empty() || value.starts_with(['|', '>']) || value == "\"\"\"" {
            let is_list = value.is_empty();
            let mut block = String::new();
            while at < lines.len() {
                let next = lines[at].trim_start();
                let deeper = lines[at].len() - next.len();
                let is_item = is_list && deeper >= depth.min(indent(line)) && next.starts_with("- ");
                if !next.is_empty() && deeper <= indent(line) && !is_item || next == "\"\"\"" {
                    break;
                }
                let entry = if is_list { next.trim_start_matches("- ") } else { next };
                // A mapping below the key is read in its own turn.
                if is_list && !is_item && !next.is_empty() {
                    break;
                }
                block.push_str(&unquoted(entry));
                block.push('\n');
                at += 1;
            }
            if !block.trim().is_empty() {
                found.push(block);
            }
        } else {
            found.push(unquoted(value));
        }
    }
    // Expressions of the CI are no shell.
    found.iter().map(|text| without_expressions(text)).collect()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn inline(list: &str) -> String {
    list.trim_end_matches([']', ' ']).split(',').map(|item| unquoted(item.trim())).collect::<Vec<_>>().join(" ")
}

fn unquoted(text: &str) -> String {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner.replace("\\\"", "\"").replace("''", "'");
        }
    }
    text.to_owned()
}

/// `${{ … }}` stands for text that is not known; secrets in it are variables of the job.
fn without_expressions(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${{") {
        out.push_str(&rest[..start]);
        let end = rest[start..].find("}}").map_or(rest.len(), |end| start + end + 2);
        out.push_str(if rest[start..end].contains("secrets.") { "$CI_SECRET" } else { "$CI_VALUE" });
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_in_every_form() {
        let text = "jobs:\n  a:\n    steps:\n      - uses: x/y@v1\n      - run: npm ci\n      - name: b\n        run: |\n          one ${{ secrets.A }}\n          two\n      - run: \"three\"\nb:\n  script:\n    - four\n    - 'five'\nc:\n  command: [\"six\", \"-x\"]\n";
        assert_eq!(commands(text), ["npm ci", "one $CI_SECRET\ntwo\n", "three", "four\nfive\n", "six -x"]);
    }
}
