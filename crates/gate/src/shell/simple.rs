//! Builds one command from its words, assignments and redirections.

use super::{
    command::{Redirect, RedirectKind, SimpleCommand, Stdin, Word},
    unwrap,
    walk::{MAX_COMMANDS, MAX_VALUE, Walker},
};
use crate::place::HOLE;
use brush_parser::ast;

/// Most elements of one array that are kept apart.
const MAX_ELEMENTS: usize = 1024;
/// Most process substitutions whose output is kept.
const MAX_PRINTED: usize = 32;

impl Walker<'_> {
    /// A command that stands where the walk is.
    pub(super) fn blank(&self) -> SimpleCommand {
        SimpleCommand {
            stdin: self.stdin.clone(),
            inputs: self.inputs.clone(),
            cwd: self.scope.cwd.clone(),
            is_piped: self.is_piped,
            is_background: self.is_background,
            via: self.via,
            depth: self.depth,
            room: self.room.clone(),
            ..SimpleCommand::default()
        }
    }

    /// Takes a command into the line; what there is no room for is cut off and told.
    pub(super) fn push(&mut self, mut command: SimpleCommand) {
        if self.line.commands.len() >= MAX_COMMANDS {
            return self.gap("more commands than are looked at".to_owned());
        }
        if !self.room.take(&mut command) {
            self.gap("more words than are looked at".to_owned());
        }
        self.line.commands.push(command);
    }

    /// A command; where it names variables that have one of several values, each is looked at beside what is not known.
    pub(super) fn simple(&mut self, simple: &ast::SimpleCommand) {
        if !self.scope.choices.is_empty() && !self.is_choice && self.choices_left > 0 {
            let text = simple.to_string();
            let named: Vec<(String, Vec<Word>)> = self
                .scope
                .choices
                .iter()
                .filter(|(name, _)| text.contains(&format!("${name}")) || text.contains(&format!("${{{name}")))
                .map(|(name, values)| (name.clone(), values.clone()))
                .collect();
            let most = named.iter().map(|(_, values)| values.len()).max().unwrap_or_default();
            for n in 0..most.min(self.choices_left) {
                self.choices_left -= 1;
                self.is_choice = true;
                self.subshell(|walker| {
                    for (name, values) in &named {
                        walker.scope.set(name, values[n % values.len()].clone());
                    }
                    walker.one(simple);
                });
                self.is_choice = false;
            }
        }
        self.one(simple);
    }

    fn one(&mut self, simple: &ast::SimpleCommand) {
        let mut command = self.blank();
        let mut outputs: Vec<(usize, &ast::SubshellCommand)> = Vec::new();
        let prefix = simple.prefix.iter().flat_map(|prefix| &prefix.0);
        let suffix = simple.suffix.iter().flat_map(|suffix| &suffix.0);
        // Assignments before a program are for that program only.
        let before = (simple.word_or_name.is_some() && simple.prefix.is_some())
            .then(|| (self.scope.vars.clone(), self.scope.arrays.clone()));
        for item in prefix {
            self.item(item, true, &mut command, &mut outputs);
        }
        if let Some(before) = before {
            (self.scope.vars, self.scope.arrays) = before;
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
        self.run(command);
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

    pub(super) fn item<'a>(
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

    pub(super) fn process_substitution<'a>(
        &mut self,
        kind: &ast::ProcessSubstitutionKind,
        body: &'a ast::SubshellCommand,
        at: usize,
        outputs: &mut Vec<(usize, &'a ast::SubshellCommand)>,
    ) -> Word {
        // Each has a name of its own, by which what it prints is found again.
        let mut word = Word::literal(format!("/dev/fd/{}", 63usize.saturating_sub(self.printed.len())));
        match kind {
            ast::ProcessSubstitutionKind::Read => {
                let mut output = None;
                let range = self.subshell(|walker| output = walker.printed_by(&body.list));
                word.sources.push(range);
                if let Some(output) = output.filter(|_| self.printed.len() < MAX_PRINTED) {
                    self.printed.push((word.text.clone(), output));
                }
            }
            ast::ProcessSubstitutionKind::Write => outputs.push((at, body)),
        }
        word
    }

    pub(super) fn assign(&mut self, assignment: &ast::Assignment, command: &mut SimpleCommand) {
        let mut elements = None;
        let mut value = match &assignment.value {
            ast::AssignmentValue::Scalar(word) => Word { glob: false, ..self.value(&word.value) },
            ast::AssignmentValue::Array(items) => {
                let fields: Vec<Word> = items.iter().flat_map(|(_, item)| self.fields(&item.value)).collect();
                let all = unwrap::join(&fields);
                // `([3]=x)` leaves gaps.
                elements = items.iter().all(|(index, _)| index.is_none()).then_some(fields);
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
            let is_array = elements.is_some();
            elements = elements.and_then(|new| {
                let old = self.scope.arrays.get(&name)?;
                (old.len() + new.len() <= MAX_ELEMENTS).then(|| old.iter().cloned().chain(new).collect())
            });
            value.absorb(&old);
            value.text = if old.text.len() + value.text.len() > MAX_VALUE {
                HOLE.to_string()
            } else {
                format!("{}{}{}", old.text, if is_array { " " } else { "" }, value.text)
            };
        }
        command.assignments.push((name, value));
        // A later assignment of the same line sees the earlier ones.
        if command.argv.is_empty()
            && let Some((name, value)) = command.assignments.last()
        {
            match elements {
                Some(items) => self.scope.set_array(name, value.clone(), items),
                None => self.assigned(&name.clone(), value.clone()),
            }
        }
    }

    pub(super) fn redirect(&mut self, redirect: &ast::IoRedirect, command: &mut SimpleCommand) {
        match redirect {
            ast::IoRedirect::File(fd, kind, target) => {
                let word = match target {
                    ast::IoFileRedirectTarget::Filename(word) => self.value(&word.value),
                    ast::IoFileRedirectTarget::Fd(_) => return,
                    ast::IoFileRedirectTarget::Duplicate(word) => {
                        let word = self.value(&word.value);
                        if word.is_known()
                            && (word.text == "-" || word.text.trim_end_matches('-').bytes().all(|b| b.is_ascii_digit()))
                        {
                            // What another descriptor gives is not known; the first one stays what it is.
                            if matches!(kind, ast::IoFileRedirectKind::DuplicateInput)
                                && fd.is_none_or(|fd| fd == 0)
                                && !matches!(word.text.as_str(), "-" | "0")
                                && matches!(command.stdin, Stdin::Text(_))
                            {
                                command.stdin = Stdin::Pipe;
                            }
                            return;
                        }
                        word
                    }
                    ast::IoFileRedirectTarget::ProcessSubstitution(kind, body) => {
                        let (stdin, piped) = (self.stdin.clone(), self.is_piped);
                        if matches!(kind, ast::ProcessSubstitutionKind::Write) {
                            (self.stdin, self.is_piped) = (Stdin::Pipe, true);
                        }
                        let mut output = None;
                        let range = self.subshell(|walker| output = walker.printed_by(&body.list));
                        (self.stdin, self.is_piped) = (stdin, piped);
                        match kind {
                            ast::ProcessSubstitutionKind::Read => {
                                command.stdin = output.map_or(Stdin::Pipe, Stdin::Text);
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
}
