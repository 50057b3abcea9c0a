//! Long options that are cut short: `rm --recurs`, `git reset --h`. Programs take the start of a name for the name, so each is
//! written out before anything looks at it.
//!
//! The table holds the options that some rule looks at, the worse ones first, and the names that begin like one of them.

use super::command::{SimpleCommand, Word};
use std::borrow::Cow;

/// A program, the command of it that has the options, and those.
type Entry = (&'static [&'static str], &'static [&'static str], &'static [&'static str]);

#[rustfmt::skip]
const LONG: &[Entry] = &[
    (&["git"], &["reset"], &["hard", "merge", "keep"]),
    (&["git"], &["gc", "fetch", "pull", "remote", "prune"], &["prune", "upload-pack", "prune-tags", "mirror", "force"]),
    (&["git"], &["clean"], &["force", "dry-run", "exclude"]),
    (&["git"], &["push"], &[
        "force", "force-with-lease", "force-if-includes", "delete", "mirror", "prune", "receive-pack", "exec", "repo", "all",
        "branches", "tags", "follow-tags", "no-verify", "push-option",
    ]),
    (&["git"], &["commit", "merge", "am", "rebase", "cherry-pick", "revert"], &["no-verify", "exec"]),
    (&["git"], &["checkout", "switch", "restore"], &["force", "discard-changes", "staged", "source"]),
    (&["git"], &["branch", "tag", "worktree"], &["delete", "force", "move", "file"]),
    (&["git"], &["clone", "ls-remote"], &["upload-pack", "config", "template"]),
    (&["git"], &["archive"], &["remote", "exec", "output", "add-file", "add-virtual-file"]),
    (&["git"], &["log", "show", "diff", "whatchanged", "format-patch", "diff-tree", "stash"], &[
        "output", "no-index", "ext-diff", "patch", "output-directory",
    ]),
    (&["git"], &["grep"], &["open-files-in-pager", "no-index", "or"]),
    (&["git"], &["apply"], &["unsafe-paths", "directory"]),
    (&["git"], &["config"], &["global", "system", "file", "unset", "unset-all", "add", "replace-all", "get"]),
    (&["rm"], &[], &["recursive", "force", "no-preserve-root"]),
    (&["cp", "mv", "install", "ln"], &[], &[
        "target-directory", "recursive", "archive", "symbolic-link", "symbolic", "force", "no-target-directory",
    ]),
    (&["chmod", "chown", "chgrp"], &[], &["recursive", "reference"]),
    (&["truncate"], &[], &["size", "reference"]),
    (&["shred"], &[], &["remove", "iterations", "size"]),
    (&["tee"], &[], &["append"]),
    (&["touch", "date"], &[], &["set", "file", "reference", "date"]),
    (&["hostname"], &[], &["file"]),
    (&["split"], &[], &["filter", "additional-suffix"]),
    (&["sort", "shuf"], &[], &["output", "compress-program", "files0-from", "key"]),
    (&["wc", "du"], &[], &["files0-from"]),
    (&["diff", "cmp"], &[], &["from-file", "to-file", "recursive"]),
    (&["tar", "gtar"], &[], &[
        "to-command", "checkpoint-action", "checkpoint", "use-compress-program", "directory", "remove-files", "rsh-command",
        "rmt-command", "info-script", "new-volume-script", "files-from", "file", "absolute-names", "get", "extract", "create",
        "list", "append", "delete", "exclude", "exclude-from", "transform",
    ]),
    (&["cpio", "patch"], &[], &["input", "output", "directory", "file"]),
    (&["sed", "gsed"], &[], &["in-place", "expression", "file"]),
    (&["grep", "egrep", "fgrep"], &[], &["recursive", "file", "regexp", "include", "exclude"]),
    (&["awk", "gawk"], &[], &["file", "exec", "include", "load", "source"]),
    (&["curl"], &[], &[
        "data", "data-binary", "data-raw", "data-urlencode", "data-ascii", "upload-file", "form", "form-string", "output",
        "output-dir", "config", "cookie", "cookie-jar", "request", "header", "head", "unix-socket", "abstract-unix-socket",
        "json", "url-query", "url", "netrc-file", "netrc", "proxy", "remote-name", "remote-name-all", "dump-header", "trace",
        "trace-ascii", "resolve", "connect-to", "connect-timeout", "request-target", "remote-header-name", "remote-time", "user",
        "user-agent", "insecure", "include", "fail", "retry", "compressed", "cert", "key", "location", "max-time", "silent",
        "show-error",
    ]),
    (&["wget"], &[], &[
        "post-file", "post-data", "body-file", "body-data", "output-document", "output-file", "directory-prefix", "execute",
        "config", "input-file", "use-askpass", "method", "header", "save-cookies", "load-cookies",
    ]),
    (&["journalctl"], &[], &["vacuum-size", "vacuum-time", "vacuum-files", "rotate", "flush"]),
    (&["make", "gmake"], &[], &["eval", "file", "makefile", "directory", "include-dir"]),
    (&["su", "runuser", "script"], &[], &["command", "session-command", "shell"]),
    (&["mount", "unshare", "nsenter"], &[], &["bind", "move", "rbind", "target", "mount", "user", "pid", "root", "options"]),
    (&["pip", "pip3"], &[], &[
        "index-url", "extra-index-url", "trusted-host", "find-links", "requirement", "editable", "target", "prefix", "root",
        "pre",
    ]),
    (&["sysctl"], &[], &["write", "load", "system"]),
    (&["useradd", "usermod"], &[], &["groups", "append", "shell", "password"]),
    (&["gpg", "gpg2"], &[], &["export-secret-keys", "export-secret-subkeys", "delete-secret-keys", "delete-keys", "export"]),
    (&["psql", "pg_dump", "mysql", "mysqldump"], &[], &["command", "execute", "file", "output", "host", "dbname"]),
    (&["ncat"], &[], &["exec", "sh-exec", "lua-exec", "listen", "proxy"]),
    (&["logger"], &[], &["server", "file"]),
    (&["at"], &[], &["file"]),
];
/// Wrappers: behind the first operand the options are those of another program.
#[rustfmt::skip]
const WRAPPERS: &[Entry] = &[
    (&["env"], &[], &["split-string", "ignore-environment", "unset", "chdir"]),
    (&["xargs"], &[], &["replace", "arg-file", "null", "delimiter", "max-args", "max-procs", "max-lines"]),
    (&["timeout"], &[], &["signal", "kill-after"]),
    (&["nice"], &[], &["adjustment"]),
    (&["flock"], &[], &["command", "timeout"]),
    (&["sudo"], &[], &["user", "group", "chdir", "host", "prompt"]),
];

/// Writes out the long options of a command that are cut short.
pub(super) fn written_out(mut command: SimpleCommand) -> SimpleCommand {
    if !command.args().iter().any(|word| word.text.len() > 2 && word.text.starts_with("--")) {
        return command;
    }
    let name = command.name();
    let fits = |(programs, verbs, _): &&Entry| {
        programs.contains(&name.as_str())
            && (verbs.is_empty() || command.args().iter().any(|word| verbs.contains(&word.text.as_str())))
    };
    let wrapper = WRAPPERS.iter().find(fits);
    // What a word could stand for in one of several commands: the verb may be a value of an option.
    let entries: Vec<&Entry> = LONG.iter().filter(fits).chain(wrapper).collect();
    for word in command.argv.iter_mut().skip(1) {
        if word.text == "--" || wrapper.is_some() && !word.text.starts_with('-') {
            break;
        }
        for (_, _, options) in &entries {
            if let Cow::Owned(text) = whole(&word.text, options) {
                *word = Word { text, ..word.clone() };
                break;
            }
        }
    }
    command
}

fn whole<'a>(text: &'a str, options: &[&str]) -> Cow<'a, str> {
    let Some(given) = text.strip_prefix("--") else { return Cow::Borrowed(text) };
    let (given, value) = given.split_at(given.find('=').unwrap_or(given.len()));
    if given.is_empty() || options.contains(&given) {
        return Cow::Borrowed(text);
    }
    match options.iter().find(|option| option.starts_with(given)) {
        Some(option) => Cow::Owned(format!("--{option}{value}")),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(line: &str) -> String {
        let argv = line.split(' ').map(Word::literal).collect();
        written_out(SimpleCommand { argv, ..SimpleCommand::default() }).text()
    }

    #[test]
    fn the_start_of_a_name_is_the_name() {
        for (line, want) in [
            ("git reset --h", "git reset --hard"),
            ("git gc --p=now", "git gc --prune=now"),
            ("rm --recurs x", "rm --recursive x"),
            ("sort --outp=y x", "sort --output=y x"),
            ("env --spl x", "env --split-string x"),
        ] {
            assert_eq!(written(line), want);
        }
    }

    #[test]
    fn whole_names_operands_and_other_programs_stay() {
        for line in [
            "curl --head x",
            "curl --data x",
            "git log --oneline",
            "rm -- --r",
            "env rm --split",
            "true --r",
            "git push --force x",
            "tar --file x",
        ] {
            assert_eq!(written(line), line);
        }
    }
}
