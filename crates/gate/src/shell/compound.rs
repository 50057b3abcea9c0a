//! Walks compound commands: branches, loops, groups, and what their redirections mean for the commands inside.

use super::{
    command::{RedirectKind, SimpleCommand, Stdin, Word},
    walk::{MAX_COMMANDS, MAX_ROUNDS, MAX_STEPS, Walker},
};
use brush_parser::ast;
use std::{collections::BTreeSet, rc::Rc};

/// Loops inside of each other up to which the directory is followed.
const MAX_LOOPS: usize = 2;
/// Loops inside of each other up to which their texts are looked at: writing them out costs the square of the depth.
const MAX_TEXTS_OF_LOOPS: usize = 8;

impl Walker<'_> {
    pub(super) fn command(&mut self, command: &ast::Command) {
        self.steps += 1;
        if self.line.commands.len() >= MAX_COMMANDS || self.room.is_empty() || self.steps > MAX_STEPS {
            return self.gap("more commands than are looked at".to_owned());
        }
        match command {
            ast::Command::Simple(simple) => self.simple(simple),
            ast::Command::Compound(compound, redirects) => {
                self.redirected(redirects.as_ref(), |walker| walker.compound(compound));
            }
            ast::Command::Function(function) => {
                let (name, body) = (function.fname.value.clone(), Rc::new(function.body.clone()));
                self.defined.push((name.clone(), Rc::clone(&body)));
                self.scope.define(&name, body);
            }
            ast::Command::ExtendedTest(test, redirects) => {
                self.redirected(redirects.as_ref(), |walker| walker.test(&test.expr));
            }
        }
    }

    pub(super) fn test(&mut self, test: &ast::ExtendedTestExpr) {
        match test {
            ast::ExtendedTestExpr::And(a, b) | ast::ExtendedTestExpr::Or(a, b) => {
                self.test(a);
                self.test(b);
            }
            ast::ExtendedTestExpr::Not(inner) | ast::ExtendedTestExpr::Parenthesized(inner) => self.test(inner),
            ast::ExtendedTestExpr::UnaryTest(_, word) => {
                let value = self.value(&word.value);
                self.indexed(&value);
            }
            ast::ExtendedTestExpr::BinaryTest(_, a, b) => {
                for word in [a, b] {
                    // A regular expression need not be a valid word; only what it runs matters.
                    if word.value.contains("$(") || word.value.contains('`') {
                        let value = self.value(&word.value);
                        self.indexed(&value);
                    }
                }
            }
        }
    }

    /// Redirections of a compound apply to everything inside it.
    pub(super) fn redirected(&mut self, redirects: Option<&ast::RedirectList>, body: impl FnOnce(&mut Self)) {
        let Some(redirects) = redirects else { return body(self) };
        let (stdin, inputs) = (self.stdin.clone(), self.inputs.len());
        let mut outer = self.blank();
        let at = self.line.commands.len();
        for redirect in &redirects.0 {
            self.redirect(redirect, &mut outer);
        }
        let reader = SimpleCommand {
            redirects: outer.redirects.iter().filter(|redirect| redirect.kind == RedirectKind::Read).cloned().collect(),
            inputs: outer.inputs.clone(),
            ..outer.clone()
        };
        self.stdin = outer.stdin.clone();
        self.push(reader);
        self.inputs.push(at..self.line.commands.len());
        let start = self.line.commands.len();
        body(self);
        let mut writer = outer;
        writer.redirects.retain(|redirect| redirect.kind != RedirectKind::Read);
        writer.inputs.push(start..self.line.commands.len());
        if !writer.redirects.is_empty() {
            self.push(writer);
        }
        self.stdin = stdin;
        self.inputs.truncate(inputs);
    }

    pub(super) fn compound(&mut self, compound: &ast::CompoundCommand) {
        match compound {
            ast::CompoundCommand::Arithmetic(arithmetic) => {
                self.arithmetic(&arithmetic.expr.value);
                // The parser also takes `( ( command ) )`, which runs the command, for arithmetic.
                self.gap("an arithmetic command, or a subshell inside a subshell".to_owned());
            }
            ast::CompoundCommand::ArithmeticForClause(clause) => {
                for expression in [&clause.initializer, &clause.condition, &clause.updater].into_iter().flatten() {
                    self.arithmetic(&expression.value);
                    let name: String =
                        expression.value.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    self.scope.set(&name, Word::hole());
                }
                let is_endless = clause.condition.as_ref().is_none_or(|condition| condition.value.trim().is_empty());
                self.looped(None, &clause.body.list, is_endless);
            }
            ast::CompoundCommand::BraceGroup(group) => self.list(&group.list),
            ast::CompoundCommand::Subshell(subshell) => _ = self.subshell(|walker| walker.list(&subshell.list)),
            ast::CompoundCommand::ForClause(clause) => self.for_each(clause),
            ast::CompoundCommand::CaseClause(clause) => {
                self.value(&clause.value.value);
                for case in &clause.cases {
                    for pattern in case
                        .patterns
                        .iter()
                        .filter(|pattern| pattern.value.contains("$(") || pattern.value.contains('`'))
                    {
                        self.value(&pattern.value);
                    }
                    if let Some(list) = &case.cmd {
                        self.branch(|walker| walker.list(list));
                    }
                }
            }
            ast::CompoundCommand::IfClause(clause) => {
                self.list(&clause.condition);
                self.branch(|walker| walker.list(&clause.then));
                for otherwise in clause.elses.iter().flatten() {
                    self.branch(|walker| {
                        if let Some(condition) = &otherwise.condition {
                            walker.list(condition);
                        }
                        walker.list(&otherwise.body);
                    });
                }
            }
            ast::CompoundCommand::WhileClause(clause) => {
                let condition = clause.0.to_string();
                self.looped(
                    Some(&clause.0),
                    &clause.1.list,
                    matches!(bare(&condition), "true" | ":" | "/bin/true" | "[ 1 ]"),
                );
            }
            ast::CompoundCommand::UntilClause(clause) => {
                let condition = clause.0.to_string();
                self.looped(Some(&clause.0), &clause.1.list, matches!(bare(&condition), "false" | "/bin/false"));
            }
            ast::CompoundCommand::Coprocess(coprocess) => {
                let before = std::mem::replace(&mut self.is_background, true);
                self.subshell(|walker| walker.command(&coprocess.body));
                self.is_background = before;
            }
        }
    }

    /// A loop's body; one that never ends must not fill a disk or start what stays.
    fn looped(&mut self, condition: Option<&ast::CompoundList>, body: &ast::CompoundList, is_endless: bool) {
        let start = self.line.commands.len();
        self.repeated(condition, body);
        let inside = &self.line.commands[start.min(self.line.commands.len())..];
        // Someone waits for something, or leaves by a condition.
        let ends = inside
            .iter()
            .any(|command| matches!(command.name().as_str(), "break" | "exit" | "return" | "exec" | "wait" | "read"));
        let paces = inside.iter().any(|command| matches!(command.name().as_str(), "sleep" | "inotifywait" | "entr"));
        let stays = inside.iter().any(|command| command.is_background);
        let fills = inside.iter().any(|command| {
            let appends = command
                .redirects
                .iter()
                .any(|redirect| redirect.kind == RedirectKind::Append && !redirect.target.text.starts_with("/dev/"));
            appends || matches!(command.name().as_str(), "cp" | "mkdir" | "dd" | "tar" | "fallocate" | "mktemp")
        });
        self.line.is_endless |= is_endless && !ends && (stays || fills && !paces);
    }

    /// A body that runs any number of times, each after its condition: what a round sets, the next one finds.
    pub(super) fn repeated(&mut self, condition: Option<&ast::CompoundList>, body: &ast::CompoundList) {
        self.forget_assigned(body);
        let given = self.left_to_read();
        if let Some(condition) = condition {
            self.list(condition);
        }
        let reads = self.left_to_read() < given;
        self.loops += 1;
        self.branches += 1;
        let outset = self.scope.clone();
        for round in 0.. {
            let before = self.scope.clone();
            let fed = self.left_to_read();
            self.list(body);
            if reads && fed == Some(0) {
                // The last line was read for this round.
                break;
            }
            if let Some(condition) = condition {
                self.list(condition);
            }
            let reads_on = reads && self.left_to_read() < fed;
            if !reads_on {
                self.scope.join(before.clone());
            }
            let may_be_more =
                round < MAX_ROUNDS && self.loops <= MAX_LOOPS && self.scope.has_more_choices_than(&before);
            if !reads_on && self.scope.is_kept_by(&before) && !may_be_more {
                break;
            }
            // Walking twice doubles the work with each loop inside of another.
            if round >= MAX_ROUNDS || self.loops > MAX_LOOPS || self.steps > MAX_STEPS / 4 {
                self.gap("a loop whose rounds differ".to_owned());
                break;
            }
        }
        self.scope.join(outset);
        self.branches -= 1;
        self.loops -= 1;
    }

    /// How much of a known text is left to read.
    fn left_to_read(&self) -> Option<usize> {
        match &self.stdin {
            Stdin::Text(text) => Some(text.text.len()),
            Stdin::Pipe | Stdin::Inherited => None,
        }
    }

    /// Makes unknown what a loop's body sets, before it is walked. Gives the body's text, none where loops nest deeper than
    /// their texts are looked at: there nothing stays known.
    pub(super) fn forget_assigned(&mut self, body: &ast::CompoundList) -> Option<String> {
        if self.loops >= MAX_TEXTS_OF_LOOPS {
            self.scope.forget_all();
            self.scope.cwd = None;
            return None;
        }
        let text = body.to_string();
        for name in set_names(&text) {
            if self.scope.vars.contains_key(name) {
                self.scope.forget(name);
            }
        }
        if text.contains("cd ") || text.contains("pushd ") {
            self.scope.cwd = None;
        }
        Some(text)
    }

    /// One round of a `for` with a value that may stand for several: what the round leaves behind, the next one finds.
    fn round(&mut self, body: &ast::CompoundList, is_several: bool) {
        // Walking twice doubles the work with each loop inside of another.
        let is_deep = self.loops >= MAX_LOOPS;
        if is_several && is_deep {
            self.scope.cwd = None;
        }
        let before = is_several.then(|| self.scope.clone());
        self.loops += 1;
        self.list(body);
        if let Some(before) = before
            && (!is_deep && self.scope.cwd != before.cwd || !self.scope.is_kept_by(&before))
        {
            if is_deep {
                self.gap("a loop whose rounds differ".to_owned());
            } else {
                self.scope.join(before);
                self.scope.cwd = None;
                self.list(body);
            }
        }
        self.loops -= 1;
    }

    pub(super) fn for_each(&mut self, clause: &ast::ForClauseCommand) {
        let mut values = Vec::new();
        match &clause.values {
            Some(words) => {
                for word in words {
                    values.extend(self.fields(&word.value));
                }
            }
            None => values = self.scope.positional.clone().unwrap_or_else(|| vec![Word::hole()]),
        }
        let name = &clause.variable_name;
        if values.len() > MAX_ROUNDS || self.steps > MAX_STEPS / 4 {
            let sources = values.iter().flat_map(|word| word.sources.clone()).collect();
            let secret = values.iter().any(|word| word.secret);
            // All values below one directory keep what they have in common.
            values = vec![Word { sources, secret, ..Word::hole() }];
        }
        // The rounds are walked one by one, so that a directory that each of them enters and leaves stays known; a round that
        // is cut short leaves it anywhere.
        let cwd = self.scope.cwd.clone();
        let text = self.forget_assigned(&clause.body.list);
        let is_cut = |text: &String| ["continue", "break", "return"].iter().any(|word| text.contains(word));
        if text.is_some_and(|text| !is_cut(&text)) {
            self.scope.cwd = cwd;
        }
        let before = self.scope.clone();
        for value in values {
            let is_several = value.glob || value.text.contains('*') || !value.is_known();
            self.assigned(name, value);
            self.round(&clause.body.list, is_several);
        }
        self.scope.join(before);
    }
}

/// A loop's condition as one text.
fn bare(condition: &str) -> &str {
    condition.trim().trim_end_matches(';').trim()
}

/// Names that a text holds in places where they may be set: not those behind `$`.
fn set_names(text: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut at = 0;
    while let Some(start) = text[at..].find(is_part).map(|n| at + n) {
        let end = text[start..].find(|c| !is_part(c)).map_or(text.len(), |n| start + n);
        let (before, after) = (&text[..start], &text[end..]);
        let name = &text[start..end];
        at = end;
        let is_used = before.ends_with(['$', '/', '.', '-']) || before.ends_with("${") || before.ends_with("${#");
        if !is_used || after.starts_with(":=") || after.starts_with('=') {
            names.insert(name);
        } else if before.ends_with('-') {
            // `printf -vNAME`, `read -aNAME`.
            names.extend(name.strip_prefix('v').or(name.trim_start_matches('r').strip_prefix('a')));
        }
    }
    names
}
