//! Shell builtins that change what later words mean: directories, variables, functions, arguments.

use super::{
    command::{SimpleCommand, Stdin, Word},
    output, unwrap,
    walk::Walker,
};
use crate::args::Args;

/// Builtins that take names of variables, or numbers.
const TAKES_NAMES: [&str; 15] = [
    "test",
    "[",
    "printf",
    "read",
    "unset",
    "declare",
    "export",
    "local",
    "typeset",
    "readonly",
    "let",
    "mapfile",
    "readarray",
    "wait",
    "getopts",
];

impl Walker<'_> {
    /// Follows a builtin.
    pub(super) fn builtin(&mut self, name: &str, command: &SimpleCommand) {
        let args = command.args();
        if TAKES_NAMES.contains(&name) {
            for word in args {
                self.indexed(word);
            }
        }
        match name {
            "cd" | "pushd" => {
                let target = args.iter().find(|word| !word.text.starts_with('-') || word.text == "-");
                self.scope.change_directory(target, self.world);
            }
            "popd" => self.scope.cwd = None,
            "export" | "declare" | "local" | "readonly" | "typeset" => self.declare(name, args),
            "unset" => self.unset(args),
            "read" | "mapfile" | "readarray" | "getopts" => self.read(name, command),
            "printf" if args.first().is_some_and(|word| word.text.starts_with("-v")) => {
                let joined = args[0].text.strip_prefix("-v").filter(|name| !name.is_empty());
                let rest = args.get(if joined.is_some() { 1 } else { 2 }..).unwrap_or_default();
                if let Some(name) = joined.or(args.get(1).map(|word| word.text.as_str())) {
                    let argv = std::iter::once(&command.argv[0]).chain(rest).cloned().collect();
                    let printed = output::of(&SimpleCommand { argv, ..command.clone() });
                    let printed = printed.filter(|word| !word.text.contains('\0'));
                    self.assigned(name, printed.unwrap_or_else(Word::hole));
                }
            }
            "let" => {
                for word in args {
                    let name: String = word.text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    self.assigned(&name, Word::hole());
                }
            }
            "set" => self.set_arguments(args),
            "shift" => {
                let by = args.first().map_or(Some(1), |word| word.text.parse::<usize>().ok());
                self.scope.positional = match (self.scope.positional.take(), by) {
                    // More than there are shifts nothing.
                    (Some(words), Some(by)) if by <= words.len() => Some(words[by..].to_vec()),
                    (Some(words), Some(_)) => Some(words),
                    (Some(_) | None, _) => None,
                };
            }
            // What it sets stands in a file.
            "source" | "." if !is_fed(args) => self.scope.forget_all(),
            "hash" if args.iter().any(|word| word.text.starts_with("-p")) => {
                self.gap("gives a program the name of another".to_owned());
            }
            "enable" if args.iter().any(|word| word.text.starts_with("-f")) => {
                self.gap("loads a builtin from a file".to_owned());
            }
            _ => {}
        }
    }

    /// `a[$(command)]` as the name of a variable, or as a number: the shell runs the command to find the element.
    pub(super) fn indexed(&mut self, word: &Word) {
        let Some((name, index)) = word.text.split_once('[') else { return };
        let runs = index.contains("$(") || index.contains('`') || index.contains("<(");
        // An assignment may stand before it: `x=a[…]`.
        if runs && name.chars().all(|c| c.is_alphanumeric() || "_=+-*/ ".contains(c)) {
            self.value(index.trim_end_matches(']'));
        }
    }

    /// Sets a variable and notes that it has had another value.
    pub(super) fn assigned(&mut self, name: &str, value: Word) {
        self.indexed(&value);
        if name.contains(crate::place::HOLE) {
            return self.scope.forget_all();
        }
        if self.scope.vars.get(name).is_some_and(|old| old.text != value.text) {
            self.reassigned.insert(name.to_owned());
        }
        self.scope.set(name, value);
    }

    fn declare(&mut self, builtin: &str, args: &[Word]) {
        let flags: String = args
            .iter()
            .filter(|word| word.text.starts_with(['-', '+']))
            .map(|word| word.text.trim_start_matches('-'))
            .collect();
        let has = |flag: char| flags.contains(flag) && !flags.contains('+');
        let is_export = builtin == "export";
        let is_local = match builtin {
            "local" => true,
            "declare" | "typeset" => !flags.contains('g'),
            _ => false,
        };
        for word in args.iter().filter(|word| !word.text.starts_with(['-', '+'])) {
            let (target, value) = match word.text.split_once('=') {
                Some((target, value)) => (target, Some(value)),
                None => (word.text.as_str(), None),
            };
            let (target, is_appended) = target.strip_suffix('+').map_or((target, false), |target| (target, true));
            if target.contains(crate::place::HOLE) {
                self.scope.forget_all();
                continue;
            }
            if has('f') {
                if let Some(function) = self.scope.functions.get_mut(target) {
                    function.is_exported |= is_export || has('x');
                }
                continue;
            }
            let old = self.scope.get(target);
            if builtin == "declare" && flags.contains('g') {
                self.scope.set_outside(target);
            }
            if is_local {
                self.scope.own(target, self.branches == 0);
            }
            // `declare -n y=x` makes y another name of x.
            if has('n') && !is_export && builtin != "readonly" {
                match value {
                    Some(value) if is_name(value) => self.scope.refer(target, value),
                    Some(_) | None => self.scope.forget_all(),
                }
                continue;
            }
            if flags.contains('n') && !is_export {
                self.scope.loosen(target);
            }
            // Attributes change what is assigned, now and later.
            let is_changed = ['i', 'l', 'u', 'c'].into_iter().any(|flag| flags.contains(flag));
            if is_changed {
                self.scope.fix(target);
            }
            if let Some(value) = value {
                let text = if is_appended { format!("{}{value}", old.text) } else { value.to_owned() };
                let mut value = Word { text, glob: false, ..word.clone() };
                if is_appended {
                    value.absorb(&old);
                }
                self.assigned(target, value);
            }
            if builtin == "readonly" || has('r') {
                self.scope.fix(target);
            }
            if is_export || flags.contains('x') {
                self.scope.export(target, if is_export { !flags.contains('n') } else { has('x') });
            }
        }
    }

    fn unset(&mut self, args: &[Word]) {
        let is_function = args.iter().any(|word| word.text == "-f");
        let is_variable = args.iter().any(|word| word.text == "-v");
        for word in args.iter().filter(|word| !word.text.starts_with('-')) {
            if word.text.contains(crate::place::HOLE) {
                self.scope.forget_all();
            }
            if args.iter().any(|word| word.text == "-n") {
                self.scope.loosen(&word.text);
            }
            if !is_function {
                self.assigned(&word.text, Word::hole());
            }
            if is_function {
                self.scope.functions.remove(&word.text);
            } else if !is_variable && let Some(function) = self.scope.functions.get_mut(&word.text) {
                function.is_certain = false;
            }
        }
    }

    /// `set -- a b`, `set a b`.
    fn set_arguments(&mut self, args: &[Word]) {
        let mut rest = args;
        while let Some((word, after)) = rest.split_first() {
            match word.text.as_str() {
                "--" => return self.scope.positional = Some(after.to_vec()),
                "-" => {
                    rest = after;
                    break;
                }
                text if text.starts_with(['-', '+']) => {
                    let takes = text.ends_with('o') && after.first().is_some_and(|word| !word.text.starts_with('-'));
                    rest = if takes { &after[1..] } else { after };
                }
                _ => break,
            }
        }
        if !rest.is_empty() {
            self.scope.positional = rest.iter().all(Word::is_known).then(|| rest.to_vec());
        }
    }

    /// Builtins that set variables to what they read.
    fn read(&mut self, name: &str, command: &SimpleCommand) {
        // A line of a list of files is a path below where the list was made.
        if self.read_known(name, command) {
            return;
        }
        let args = command.args();
        let callback = args.iter().position(|word| word.text == "-C").and_then(|at| args.get(at + 1));
        if let Some(code) = callback.filter(|_| name != "read") {
            self.code(code, "mapfile -C");
        } else if name != "read" && args.iter().any(|word| word.text.starts_with("-C")) {
            self.gap("code that runs for each line".to_owned());
        }
        let listed = match &command.stdin {
            Stdin::Text(word) if name == "read" && word.text.contains("/**") => {
                word.text.split_whitespace().next().map(|first| Word { glob: true, ..Word::literal(first) })
            }
            Stdin::Text(_) | Stdin::Inherited | Stdin::Pipe => None,
        };
        if listed.is_none() && self.is_inherited(command) {
            self.stdin = Stdin::Pipe;
        }
        for word in args.iter().filter(|word| !word.text.starts_with('-')) {
            let value = listed.clone().unwrap_or_else(Word::hole);
            self.assigned(&word.text, Word { sources: command.inputs.clone(), ..value });
        }
        // Joined to its option: `-aNAME`.
        for word in args.iter().filter(|word| word.text.starts_with("-a") || word.text.starts_with("-ra")) {
            let name = word.text.trim_start_matches("-r").trim_start_matches("-a").to_owned();
            self.assigned(&name, Word::hole());
        }
        self.scope.forget("REPLY");
        self.scope.forget("MAPFILE");
    }

    /// True when a command reads what the commands around it read too.
    fn is_inherited(&self, command: &SimpleCommand) -> bool {
        match (&command.stdin, &self.stdin) {
            (Stdin::Text(own), Stdin::Text(outer)) => own.text == outer.text,
            (Stdin::Text(_) | Stdin::Pipe | Stdin::Inherited, _) => false,
        }
    }

    /// `read x <<< text` and `mapfile a <<< text`; false when the text or the form is not known.
    fn read_known(&mut self, name: &str, command: &SimpleCommand) -> bool {
        let Stdin::Text(text) = &command.stdin else { return false };
        if !text.is_known()
            || text.glob
            || text.text.contains("/**")
            || !matches!(name, "read" | "mapfile" | "readarray")
        {
            return false;
        }
        let valued: &[&str] = match name {
            "read" => &["-d", "-n", "-N", "-p", "-t", "-u", "-i", "-a"],
            _ => &["-d", "-n", "-u", "-O", "-s", "-C", "-c"],
        };
        let args = Args::parse(command.args(), valued);
        let is_plain = args.options.iter().all(|(option, value)| match option.as_str() {
            "-r" => true,
            "-t" => name != "read" || value.is_some(),
            // `-d ''` reads everything.
            "-d" => value.as_ref().is_some_and(|word| word.text.is_empty()),
            _ => false,
        });
        let names: Vec<String> = args.operands.iter().map(|word| word.text.clone()).collect();
        let whole = args.has(&["-d"]);
        // Without `-r` a backslash is taken away.
        let is_raw = name != "read" || args.has(&["-r"]) || !text.text.contains('\\');
        let separators = match command.assignments.iter().rev().find(|(name, _)| name == "IFS") {
            Some((_, value)) => value.clone(),
            None => self.scope.get("IFS"),
        };
        if !is_plain || !is_raw || names.is_empty() || !separators.is_known() {
            return false;
        }
        let of = |part: &str| Word {
            text: part.to_owned(),
            sources: text.sources.clone(),
            secret: text.secret,
            glob: false,
        };
        let is_inherited = self.is_inherited(command);
        if name != "read" {
            let lines: Vec<Word> = text.text.lines().map(of).collect();
            let all = unwrap::join(&lines);
            self.scope.set_array(&names[0], all, lines);
            if is_inherited {
                self.stdin = Stdin::Text(Word { text: String::new(), ..text.clone() });
            }
            return true;
        }
        let (line, after) = if whole {
            (text.text.as_str(), "")
        } else {
            text.text.split_once('\n').unwrap_or((text.text.as_str(), ""))
        };
        let splits = |c: char| separators.text.contains(c);
        let is_blank = |c: char| c.is_whitespace() && splits(c);
        let mut rest = line.trim_matches(is_blank);
        for (n, name) in names.iter().enumerate() {
            let (part, after) = if n + 1 == names.len() {
                (rest, "")
            } else {
                rest.split_once(splits).map_or((rest, ""), |(part, after)| (part, after.trim_start_matches(is_blank)))
            };
            self.assigned(name, of(part));
            rest = after;
        }
        if is_inherited {
            // The next one reads on.
            self.stdin = Stdin::Text(Word { text: after.to_owned(), ..text.clone() });
        }
        true
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `source /dev/stdin`, whose text is walked.
fn is_fed(args: &[Word]) -> bool {
    args.first().is_some_and(|word| matches!(word.text.as_str(), "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0"))
}
