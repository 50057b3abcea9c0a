//! Walks the syntax tree in the order of execution and collects every command.

use super::{
    command::{Line, Redirect, RedirectKind, SimpleCommand, Stdin, Word},
    output, prescan,
    prescan::Refusal,
    scope::Scope,
    unwrap::{self, Wrapped},
};
use crate::{place::HOLE, world::World};
use brush_parser::{ParserOptions, ast};
use std::{ops::Range, rc::Rc};

/// Most commands that are collected from one call.
const MAX_COMMANDS: usize = 1024;
/// Most bytes that are parsed for one call, nested texts included.
const MAX_PARSED: usize = 512 * 1024;
/// Deepest nesting of texts inside texts: `bash -c`, `eval`, substitutions, function calls.
const MAX_TEXTS: usize = 24;
/// Most rounds of one loop that are walked with their value.
const MAX_ROUNDS: usize = 8;

/// Reads a line as bash would run it in `cwd`.
///
/// # Errors
/// [`Refusal`] when the line is over the caps and was not parsed at all.
pub(crate) fn read(line: &str, cwd: &str, world: &World, depth: u8) -> Result<Line, Refusal> {
    prescan::check(line)?;
    let mut walker = Walker {
        world,
        scope: Scope::new(cwd, world),
        line: Line::default(),
        parsed: 0,
        texts: 0,
        calling: Vec::new(),
        stdin: Stdin::Inherited,
        inputs: Vec::new(),
        is_piped: false,
        is_background: false,
        via: None,
        depth,
    };
    walker.text(line);
    walker.uncalled_functions();
    Ok(walker.line)
}

pub(super) struct Walker<'w> {
    pub world: &'w World,
    pub scope: Scope,
    pub line: Line,
    parsed: usize,
    texts: usize,
    /// Functions that are being walked.
    calling: Vec<String>,
    /// Where the commands being walked read from.
    stdin: Stdin,
    inputs: Vec<Range<usize>>,
    is_piped: bool,
    is_background: bool,
    via: Option<&'static str>,
    depth: u8,
}

/// What a stage of a pipeline leaves for the next one.
struct Stage {
    commands: Range<usize>,
    output: Option<Word>,
}

impl Walker<'_> {
    /// Records something that could not be read.
    pub(super) fn gap(&mut self, why: String) {
        if self.line.gaps.len() < 32 {
            self.line.gaps.push(why);
        }
    }

    /// Walks a text as shell code.
    pub(super) fn text(&mut self, text: &str) {
        if prescan::check(text).is_err() || self.texts >= MAX_TEXTS || self.parsed + text.len() > MAX_PARSED {
            self.gap("nested code that is too long or too deep".to_owned());
            return;
        }
        self.parsed += text.len();
        self.texts += 1;
        match parse(text) {
            Some(program) => self.program(&program),
            None => self.salvage(text),
        }
        self.texts -= 1;
    }

    /// Code whose text may hold unknown parts: those could be any code.
    fn code(&mut self, code: &Word, via: &'static str) {
        if !code.is_known() || code.text.contains("/**") {
            self.gap(format!("the code given to {via} is not fully known"));
        }
        let before = self.via.replace(via);
        self.text(&code.text);
        self.via = before;
    }

    /// A text that is no valid shell: its parts are still looked at, and the whole stays unreadable.
    fn salvage(&mut self, text: &str) {
        self.gap("the shell syntax cannot be parsed".to_owned());
        for part in text.split(['\n', ';', '|', '&']).take(256) {
            let part = part.trim();
            if !part.is_empty() && part.len() < text.len() && self.parsed + part.len() < MAX_PARSED {
                self.parsed += part.len();
                if let Some(program) = parse(part) {
                    self.program(&program);
                }
            }
        }
    }

    fn program(&mut self, program: &ast::Program) {
        for list in &program.complete_commands {
            self.list(list);
        }
    }

    fn list(&mut self, list: &ast::CompoundList) {
        for ast::CompoundListItem(and_or, separator) in &list.0 {
            let before = self.is_background;
            self.is_background |= matches!(separator, ast::SeparatorOperator::Async);
            self.pipeline(&and_or.first);
            for next in &and_or.additional {
                match next {
                    ast::AndOr::And(pipeline) => self.pipeline(pipeline),
                    ast::AndOr::Or(pipeline) => self.branch(|walker| walker.pipeline(pipeline)),
                }
            }
            self.is_background = before;
        }
    }

    /// Something that may or may not run: what it sets is known only if both ways agree.
    fn branch(&mut self, body: impl FnOnce(&mut Self)) {
        let before = self.scope.clone();
        body(self);
        self.scope.join(before);
    }

    /// Something that runs in a shell of its own: what it sets is gone afterwards.
    fn subshell(&mut self, body: impl FnOnce(&mut Self)) -> Range<usize> {
        let before = self.scope.clone();
        let start = self.line.commands.len();
        body(self);
        self.scope = before;
        start..self.line.commands.len()
    }

    fn pipeline(&mut self, pipeline: &ast::Pipeline) {
        if let [only] = pipeline.seq.as_slice() {
            return self.command(only);
        }
        self.subshell(|walker| {
            walker.stages(&pipeline.seq);
        });
    }

    /// Walks the stages of a pipeline and tells what the last one prints, if that is known.
    fn stages(&mut self, stages: &[ast::Command]) -> Option<Word> {
        let (stdin, inputs, piped) = (self.stdin.clone(), self.inputs.clone(), self.is_piped);
        let mut last: Option<Stage> = None;
        for stage in stages {
            if let Some(previous) = &last {
                self.stdin = previous.output.clone().map_or(Stdin::Pipe, Stdin::Text);
                self.inputs.push(previous.commands.clone());
                self.is_piped = true;
            }
            let start = self.line.commands.len();
            self.command(stage);
            let commands = start..self.line.commands.len();
            let output = self.output_of(stage, &commands, last.as_ref());
            last = Some(Stage { commands, output });
        }
        (self.stdin, self.inputs, self.is_piped) = (stdin, inputs, piped);
        last.and_then(|stage| stage.output)
    }

    fn output_of(&self, stage: &ast::Command, commands: &Range<usize>, before: Option<&Stage>) -> Option<Word> {
        let ast::Command::Simple(_) = stage else { return None };
        let command = self.line.commands.get(commands.clone())?.last()?;
        if command.redirects.iter().any(|redirect| redirect.kind != RedirectKind::Read) {
            return None;
        }
        if output::is_filter(&command.name()) && command.is_piped {
            // A filter of paths below a directory gives such paths.
            return before?.output.clone().filter(|word| word.text.contains("/**"));
        }
        output::of(command)
    }

    /// A command substitution: its commands run, and its output may be known.
    pub(super) fn substitution(&mut self, text: &str) -> Word {
        let mut output = None;
        let (stdin, piped) = (std::mem::take(&mut self.stdin), std::mem::replace(&mut self.is_piped, false));
        let range = self.subshell(|walker| {
            if walker.texts >= MAX_TEXTS || walker.parsed + text.len() > MAX_PARSED || prescan::check(text).is_err() {
                walker.gap("a substitution that is too long or too deep".to_owned());
                return;
            }
            walker.parsed += text.len();
            walker.texts += 1;
            match parse(text) {
                Some(program) => output = walker.only_pipeline(&program),
                None => walker.salvage(text),
            }
            walker.texts -= 1;
        });
        (self.stdin, self.is_piped) = (stdin, piped);
        let mut word = output.unwrap_or_else(Word::hole);
        word.sources.push(range);
        word
    }

    /// Walks a program; if it is one pipeline, tells what it prints.
    fn only_pipeline(&mut self, program: &ast::Program) -> Option<Word> {
        if let [list] = program.complete_commands.as_slice()
            && let [ast::CompoundListItem(and_or, _)] = list.0.as_slice()
            && and_or.additional.is_empty()
        {
            return self.stages(&and_or.first.seq);
        }
        self.program(program);
        None
    }

    fn command(&mut self, command: &ast::Command) {
        match command {
            ast::Command::Simple(simple) => self.simple(simple),
            ast::Command::Compound(compound, redirects) => {
                self.redirected(redirects.as_ref(), |walker| walker.compound(compound));
            }
            ast::Command::Function(function) => {
                self.scope.functions.insert(function.fname.value.clone(), Rc::new(function.body.clone()));
            }
            ast::Command::ExtendedTest(test, redirects) => {
                self.redirected(redirects.as_ref(), |walker| walker.test(&test.expr));
            }
        }
    }

    fn test(&mut self, test: &ast::ExtendedTestExpr) {
        match test {
            ast::ExtendedTestExpr::And(a, b) | ast::ExtendedTestExpr::Or(a, b) => {
                self.test(a);
                self.test(b);
            }
            ast::ExtendedTestExpr::Not(inner) | ast::ExtendedTestExpr::Parenthesized(inner) => self.test(inner),
            ast::ExtendedTestExpr::UnaryTest(_, word) => _ = self.value(&word.value),
            ast::ExtendedTestExpr::BinaryTest(_, a, b) => {
                for word in [a, b] {
                    // A regular expression need not be a valid word; only what it runs matters.
                    if word.value.contains("$(") || word.value.contains('`') {
                        self.value(&word.value);
                    }
                }
            }
        }
    }

    /// Redirections of a compound apply to everything inside it.
    fn redirected(&mut self, redirects: Option<&ast::RedirectList>, body: impl FnOnce(&mut Self)) {
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

    fn compound(&mut self, compound: &ast::CompoundCommand) {
        match compound {
            ast::CompoundCommand::Arithmetic(arithmetic) => _ = self.arithmetic(&arithmetic.expr.value),
            ast::CompoundCommand::ArithmeticForClause(clause) => {
                for expression in [&clause.initializer, &clause.condition, &clause.updater].into_iter().flatten() {
                    self.arithmetic(&expression.value);
                    let name: String =
                        expression.value.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    self.scope.set(&name, Word::hole());
                }
                self.repeated(&clause.body.list);
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
            ast::CompoundCommand::WhileClause(clause) | ast::CompoundCommand::UntilClause(clause) => {
                self.list(&clause.0);
                self.repeated(&clause.1.list);
            }
            ast::CompoundCommand::Coprocess(coprocess) => {
                let before = std::mem::replace(&mut self.is_background, true);
                self.subshell(|walker| walker.command(&coprocess.body));
                self.is_background = before;
            }
        }
    }

    /// A body that runs any number of times: what it sets is not known at its own start either.
    fn repeated(&mut self, body: &ast::CompoundList) {
        self.forget_assigned(body);
        self.branch(|walker| walker.list(body));
    }

    /// Makes unknown what a loop's body sets, before it is walked.
    fn forget_assigned(&mut self, body: &ast::CompoundList) {
        let text = body.to_string();
        let names: Vec<String> = self
            .scope
            .vars
            .keys()
            .filter(|name| text.contains(&format!("{name}=")) || text.contains(&format!("{name}+=")))
            .cloned()
            .collect();
        for name in names {
            let old = self.scope.get(&name);
            self.scope.set(&name, Word { sources: old.sources, secret: old.secret, ..Word::hole() });
        }
        if text.contains("cd ") || text.contains("pushd ") {
            self.scope.cwd = None;
        }
    }

    fn for_each(&mut self, clause: &ast::ForClauseCommand) {
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
        if values.len() > MAX_ROUNDS || self.line.commands.len() > MAX_COMMANDS / 4 {
            let sources = values.iter().flat_map(|word| word.sources.clone()).collect();
            let secret = values.iter().any(|word| word.secret);
            // All values below one directory keep what they have in common.
            values = vec![Word { sources, secret, ..Word::hole() }];
        }
        self.forget_assigned(&clause.body.list);
        let before = self.scope.clone();
        for value in values {
            self.scope.set(name, value);
            self.list(&clause.body.list);
        }
        self.scope.join(before);
    }

    /// A command that stands where the walk is.
    fn blank(&self) -> SimpleCommand {
        SimpleCommand {
            stdin: self.stdin.clone(),
            inputs: self.inputs.clone(),
            cwd: self.scope.cwd.clone(),
            is_piped: self.is_piped,
            is_background: self.is_background,
            via: self.via,
            depth: self.depth,
            ..SimpleCommand::default()
        }
    }

    fn push(&mut self, command: SimpleCommand) -> usize {
        if self.line.commands.len() >= MAX_COMMANDS {
            self.gap("more commands than are looked at".to_owned());
        } else {
            self.line.commands.push(command);
        }
        self.line.commands.len() - 1
    }

    fn simple(&mut self, simple: &ast::SimpleCommand) {
        let mut command = self.blank();
        let mut outputs: Vec<(usize, &ast::SubshellCommand)> = Vec::new();
        let prefix = simple.prefix.iter().flat_map(|prefix| &prefix.0);
        let suffix = simple.suffix.iter().flat_map(|suffix| &suffix.0);
        // Assignments before a program are for that program only.
        let before = simple.word_or_name.as_ref().map(|_| self.scope.vars.clone()).filter(|_| simple.prefix.is_some());
        for item in prefix {
            self.item(item, true, &mut command, &mut outputs);
        }
        if let Some(vars) = before {
            self.scope.vars = vars;
        }
        if let Some(word) = &simple.word_or_name {
            command.argv.extend(self.fields(&word.value));
        }
        for item in suffix {
            self.item(item, false, &mut command, &mut outputs);
        }
        for word in command.argv.iter().chain(command.assignments.iter().map(|(_, value)| value)) {
            command.inputs.extend(word.sources.iter().cloned());
        }
        command.cwd = self.scope.cwd.clone();
        if command.argv.is_empty() {
            for (name, value) in &command.assignments {
                self.scope.set(name, value.clone());
            }
        }
        let at = self.line.commands.len();
        self.run(command, 0);
        let end = self.line.commands.len();
        // A process substitution that is written to reads what this command prints.
        for (_, body) in outputs {
            let (stdin, piped) =
                (std::mem::replace(&mut self.stdin, Stdin::Pipe), std::mem::replace(&mut self.is_piped, true));
            self.inputs.push(at..end);
            self.subshell(|walker| walker.list(&body.list));
            self.inputs.pop();
            (self.stdin, self.is_piped) = (stdin, piped);
        }
    }

    fn item<'a>(
        &mut self,
        item: &'a ast::CommandPrefixOrSuffixItem,
        is_prefix: bool,
        command: &mut SimpleCommand,
        outputs: &mut Vec<(usize, &'a ast::SubshellCommand)>,
    ) {
        match item {
            ast::CommandPrefixOrSuffixItem::IoRedirect(redirect) => self.redirect(redirect, command),
            ast::CommandPrefixOrSuffixItem::Word(word) => command.argv.extend(self.fields(&word.value)),
            ast::CommandPrefixOrSuffixItem::AssignmentWord(assignment, word) => {
                if is_prefix {
                    self.assign(assignment, command);
                } else {
                    // `export X=…` sets it, `dd if=…` is an argument: the program decides.
                    let fields = self.fields(&word.value);
                    command.argv.extend(fields);
                }
            }
            ast::CommandPrefixOrSuffixItem::ProcessSubstitution(kind, body) => {
                command.argv.push(self.process_substitution(kind, body, command.argv.len(), outputs));
            }
        }
    }

    fn process_substitution<'a>(
        &mut self,
        kind: &ast::ProcessSubstitutionKind,
        body: &'a ast::SubshellCommand,
        at: usize,
        outputs: &mut Vec<(usize, &'a ast::SubshellCommand)>,
    ) -> Word {
        let mut word = Word::literal("/dev/fd/63");
        match kind {
            ast::ProcessSubstitutionKind::Read => {
                let range = self.subshell(|walker| walker.list(&body.list));
                word.sources.push(range);
            }
            ast::ProcessSubstitutionKind::Write => outputs.push((at, body)),
        }
        word
    }

    fn assign(&mut self, assignment: &ast::Assignment, command: &mut SimpleCommand) {
        let mut value = match &assignment.value {
            ast::AssignmentValue::Scalar(word) => Word { glob: false, ..self.value(&word.value) },
            ast::AssignmentValue::Array(items) => {
                let mut all = Word::default();
                for (_, item) in items {
                    for field in self.fields(&item.value) {
                        if !all.text.is_empty() {
                            all.text.push(' ');
                        }
                        all.text.push_str(&field.text);
                        all.glob |= field.glob;
                        all.sources.extend(field.sources);
                        all.secret |= field.secret;
                    }
                }
                all
            }
        };
        let name = match &assignment.name {
            ast::AssignmentName::VariableName(name) => name.clone(),
            ast::AssignmentName::ArrayElementName(name, index) => {
                self.arithmetic(index);
                value.text.push(HOLE);
                name.clone()
            }
        };
        if assignment.append {
            let old = self.scope.get(&name);
            value.text = format!("{}{}", old.text, value.text);
            value.sources.extend(old.sources);
            value.secret |= old.secret;
        }
        command.assignments.push((name, value));
        // A later assignment of the same line sees the earlier ones.
        if command.argv.is_empty()
            && let Some((name, value)) = command.assignments.last()
        {
            self.scope.set(name, value.clone());
        }
    }

    fn redirect(&mut self, redirect: &ast::IoRedirect, command: &mut SimpleCommand) {
        match redirect {
            ast::IoRedirect::File(_, kind, target) => {
                let word = match target {
                    ast::IoFileRedirectTarget::Filename(word) => self.value(&word.value),
                    ast::IoFileRedirectTarget::Fd(_) => return,
                    ast::IoFileRedirectTarget::Duplicate(word) => {
                        let word = self.value(&word.value);
                        if word.is_known()
                            && (word.text == "-" || word.text.trim_end_matches('-').bytes().all(|b| b.is_ascii_digit()))
                        {
                            return;
                        }
                        word
                    }
                    ast::IoFileRedirectTarget::ProcessSubstitution(kind, body) => {
                        let (stdin, piped) = (self.stdin.clone(), self.is_piped);
                        if matches!(kind, ast::ProcessSubstitutionKind::Write) {
                            (self.stdin, self.is_piped) = (Stdin::Pipe, true);
                        }
                        let range = self.subshell(|walker| walker.list(&body.list));
                        (self.stdin, self.is_piped) = (stdin, piped);
                        match kind {
                            ast::ProcessSubstitutionKind::Read => {
                                command.stdin = Stdin::Pipe;
                                command.is_piped = true;
                                command.inputs.push(range);
                            }
                            ast::ProcessSubstitutionKind::Write => {
                                self.gap("output into a process substitution".to_owned());
                            }
                        }
                        return;
                    }
                };
                command.inputs.extend(word.sources.iter().cloned());
                let kind = match kind {
                    ast::IoFileRedirectKind::Read | ast::IoFileRedirectKind::DuplicateInput => RedirectKind::Read,
                    ast::IoFileRedirectKind::Append => RedirectKind::Append,
                    ast::IoFileRedirectKind::Write
                    | ast::IoFileRedirectKind::ReadAndWrite
                    | ast::IoFileRedirectKind::Clobber
                    | ast::IoFileRedirectKind::DuplicateOutput => RedirectKind::Write,
                };
                if kind == RedirectKind::Read {
                    command.stdin = Stdin::Pipe;
                }
                command.redirects.push(Redirect { kind, target: word });
            }
            ast::IoRedirect::HereDocument(_, document) => {
                let word = if document.requires_expansion {
                    self.here_document(&document.doc.value)
                } else {
                    Word::literal(document.doc.value.clone())
                };
                command.inputs.extend(word.sources.iter().cloned());
                command.stdin = Stdin::Text(word);
            }
            ast::IoRedirect::HereString(_, word) => {
                let word = self.value(&word.value);
                command.inputs.extend(word.sources.iter().cloned());
                command.stdin = Stdin::Text(word);
            }
            ast::IoRedirect::OutputAndError(word, is_append) => {
                let target = self.value(&word.value);
                let kind = if *is_append { RedirectKind::Append } else { RedirectKind::Write };
                command.redirects.push(Redirect { kind, target });
            }
        }
    }

    /// Runs a command: functions and shell builtins change the scope, wrappers are opened, everything is collected.
    fn run(&mut self, command: SimpleCommand, depth: usize) {
        if depth > MAX_TEXTS {
            return self.gap("too many wrappers around a command".to_owned());
        }
        let name = command.name();
        if let Some(word) = command.argv.first()
            && let Some(body) = self.scope.functions.get(&word.text).cloned()
        {
            return self.call(&word.text.clone(), &body, command);
        }
        if depth == 0 || command.via.is_none() {
            self.builtin(&name, &command);
        }
        match unwrap::open(&command, self.world) {
            Wrapped::Plain => _ = self.push(command),
            Wrapped::Command { inner, keep, via } => {
                let mut inside = SimpleCommand { argv: inner, via: Some(via), ..command.clone() };
                if keep {
                    self.push(command);
                } else {
                    inside.via = command.via;
                }
                self.run(inside, depth + 1);
            }
            Wrapped::Code { code, keep, via } => {
                let inputs = command.inputs.clone();
                let stdin = command.stdin.clone();
                let piped = command.is_piped;
                let own = command.argv.len() > 1;
                if inputs
                    .iter()
                    .flat_map(Clone::clone)
                    .filter_map(|n| self.line.commands.get(n))
                    .any(|input| output::is_decoder(&input.name()))
                {
                    let unread = !code.is_known();
                    self.line.decoded = Some(unread || self.line.decoded == Some(true));
                }
                if keep {
                    self.push(command);
                } else if !command.redirects.is_empty() || !command.assignments.is_empty() {
                    self.push(SimpleCommand { argv: Vec::new(), ..command });
                }
                let before = (self.stdin.clone(), self.inputs.len(), self.is_piped);
                // `… | bash` has spent its input on the code itself.
                self.stdin = if own { stdin } else { Stdin::Inherited };
                self.inputs.extend(inputs);
                self.is_piped = piped && own;
                if via == "eval" || via == "trap" {
                    self.code(&code, via);
                } else {
                    self.subshell(|walker| walker.code(&code, via));
                }
                self.stdin = before.0;
                self.inputs.truncate(before.1);
                self.is_piped = before.2;
            }
        }
    }

    /// Shell builtins that change what later words mean.
    fn builtin(&mut self, name: &str, command: &SimpleCommand) {
        let args = command.args();
        match name {
            "cd" | "pushd" => {
                let target = args.iter().find(|word| !word.text.starts_with('-') || word.text == "-");
                self.scope.change_directory(target, self.world);
            }
            "popd" => self.scope.cwd = None,
            "export" | "declare" | "local" | "readonly" | "typeset" => {
                for word in args {
                    if let Some((name, value)) = word.text.split_once('=') {
                        self.scope.set(name, Word { text: value.to_owned(), glob: false, ..word.clone() });
                    }
                }
            }
            "read" | "mapfile" | "readarray" | "getopts" | "unset" => {
                for word in args.iter().filter(|word| !word.text.starts_with('-')) {
                    let value = Word { sources: command.inputs.clone(), ..Word::hole() };
                    self.scope.set(&word.text, value);
                }
            }
            "printf" if args.first().is_some_and(|word| word.text == "-v") => {
                if let Some(word) = args.get(1) {
                    self.scope.set(&word.text, Word::hole());
                }
            }
            "set" if args.first().is_some_and(|word| word.text == "--") => {
                self.scope.positional = Some(args[1..].to_vec());
            }
            _ => {}
        }
    }

    fn call(&mut self, name: &str, body: &ast::FunctionBody, command: SimpleCommand) {
        if self.calling.iter().any(|active| active == name) {
            // A function that starts itself twice or in the background never ends.
            self.line.is_fork_bomb |= command.is_piped || command.is_background;
            return self.gap(format!("the function `{name}` calls itself"));
        }
        if self.calling.len() >= MAX_TEXTS {
            return self.gap("too many nested function calls".to_owned());
        }
        let positional = self.scope.positional.replace(command.args().to_vec());
        let before = (self.stdin.clone(), self.inputs.len());
        self.stdin = command.stdin.clone();
        self.inputs.extend(command.inputs.clone());
        let has_more = !command.redirects.is_empty() || !command.assignments.is_empty();
        if has_more {
            self.push(SimpleCommand { argv: Vec::new(), ..command });
        }
        self.calling.push(name.to_owned());
        self.redirected(body.1.as_ref(), |walker| walker.compound(&body.0));
        self.calling.pop();
        self.stdin = before.0;
        self.inputs.truncate(before.1);
        self.scope.positional = positional;
    }

    /// Functions that nothing called are walked once too: they may be called by name in a way that was not seen.
    fn uncalled_functions(&mut self) {
        let mut bodies: Vec<(String, Rc<ast::FunctionBody>)> =
            self.scope.functions.iter().map(|(name, body)| (name.clone(), Rc::clone(body))).collect();
        bodies.sort_by(|a, b| a.0.cmp(&b.0));
        self.scope.positional = None;
        for (name, body) in bodies.into_iter().take(32) {
            self.calling.push(name);
            self.redirected(body.1.as_ref(), |walker| walker.compound(&body.0));
            self.calling.pop();
        }
    }
}

fn parse(text: &str) -> Option<ast::Program> {
    let options = ParserOptions::default();
    let tokens = brush_parser::uncached_tokenize_str(text, &options.tokenizer_options()).ok()?;
    brush_parser::parse_tokens(&tokens, &options).ok()
}
