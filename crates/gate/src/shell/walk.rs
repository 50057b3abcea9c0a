//! Walks the syntax tree in the order of execution and collects every command.

use super::{
    command::{Line, RedirectKind, SimpleCommand, Stdin, Word},
    guarded::guarded,
    output, prescan,
    prescan::Refusal,
    room::Room,
    scope::Scope,
};
use crate::world::World;
use brush_parser::{ParserOptions, ast};
use std::{collections::BTreeSet, ops::Range, rc::Rc};

/// Most commands that are collected from one call.
pub(super) const MAX_COMMANDS: usize = 1024;
/// Most nodes that are walked for one call; loops and calls are walked more than once.
pub(super) const MAX_STEPS: usize = 4 * MAX_COMMANDS;
/// Longest value of a variable, in bytes.
pub(super) const MAX_VALUE: usize = 16 * 1024;
/// Most times that a command is looked at with one of several values of a variable.
const MAX_CHOICES: usize = 64;
/// Deepest nesting of texts inside texts: `bash -c`, `eval`, substitutions, function calls.
pub(super) const MAX_TEXTS: usize = 24;
/// Most rounds of one loop that are walked with their value.
pub(super) const MAX_ROUNDS: usize = 8;

/// Reads a line as bash would run it in `cwd`.
///
/// # Errors
/// [`Refusal`] when the line is over the caps and was not parsed at all.
pub(crate) fn read(line: &str, cwd: &str, world: &World) -> Result<Line, Refusal> {
    walked(line, cwd, world, 0, Room::default())
}

/// Reads shell code that stands inside of a command's other code.
///
/// # Errors
/// [`Refusal`] as for a line.
pub(crate) fn read_inside(text: &str, command: &SimpleCommand, world: &World) -> Result<Line, Refusal> {
    let cwd = command.cwd.as_deref().unwrap_or("/");
    walked(text, cwd, world, command.depth + 1, command.room.clone())
}

fn walked(line: &str, cwd: &str, world: &World, depth: u8, room: Room) -> Result<Line, Refusal> {
    prescan::check(line)?;
    let mut walker = Walker {
        world,
        scope: Scope::new(cwd, world),
        line: Line::default(),
        word_effort: 0,
        room,
        steps: 0,
        texts: 0,
        loops: 0,
        calling: Vec::new(),
        called: Vec::new(),
        defined: Vec::new(),
        deferred: Vec::new(),
        reassigned: BTreeSet::new(),
        is_choice: false,
        choices_left: MAX_CHOICES,
        branches: 0,
        stdin: Stdin::Inherited,
        inputs: Vec::new(),
        printed: Vec::new(),
        is_piped: false,
        is_background: false,
        via: None,
        depth,
    };
    walker.text(line);
    walker.deferred_code();
    walker.uncalled_functions();
    Ok(walker.line)
}

pub(super) struct Walker<'w> {
    pub world: &'w World,
    pub scope: Scope,
    pub line: Line,
    pub word_effort: usize,
    pub room: Room,
    pub steps: usize,
    pub texts: usize,
    /// `for` loops that are being walked.
    pub loops: usize,
    /// Functions that are being walked.
    pub calling: Vec<String>,
    /// Bodies that a command of the line called, with its arguments.
    pub called: Vec<Rc<ast::FunctionBody>>,
    /// Every function that the line defines.
    pub defined: Vec<(String, Rc<ast::FunctionBody>)>,
    /// Code that runs later.
    pub deferred: Vec<(Word, &'static str)>,
    /// Variables that had more than one value.
    pub reassigned: BTreeSet<String>,
    /// True while one of several values of a variable is looked at.
    pub is_choice: bool,
    /// How many more such values are looked at.
    pub choices_left: usize,
    /// What may or may not run, inside of each other, since the function began.
    pub branches: usize,
    /// Where the commands being walked read from.
    pub stdin: Stdin,
    pub inputs: Vec<Range<usize>>,
    /// What process substitutions print, by the path that stands for them.
    pub printed: Vec<(String, Word)>,
    pub is_piped: bool,
    pub is_background: bool,
    pub via: Option<&'static str>,
    pub depth: u8,
}

/// What a stage of a pipeline leaves for the next one.
struct Stage {
    commands: Range<usize>,
    output: Option<Word>,
}

impl Walker<'_> {
    /// Adds to what feeds the commands that follow. What feeds them already stands once: code in code would double it each time.
    pub(super) fn fed_by(&mut self, inputs: Vec<Range<usize>>) {
        for range in inputs {
            if !self.inputs.contains(&range) {
                self.inputs.push(range);
            }
        }
    }

    /// Records something that could not be read.
    pub(super) fn gap(&mut self, why: String) {
        if self.line.gaps.len() < 32 {
            self.line.gaps.push(why);
        }
    }

    /// Walks a text as shell code.
    pub(super) fn text(&mut self, text: &str) {
        if !self.spend(text) {
            return;
        }
        self.texts += 1;
        // The parser does not know a loop whose three parts are all empty.
        let parsed =
            parse(text).or_else(|| parse(&text.contains("((;;))").then(|| text.replace("for ((;;))", "while :"))?));
        match parsed {
            Some(program) => self.program(&program),
            None => self.salvage(text),
        }
        self.texts -= 1;
    }

    /// True when there is room to parse the text; takes the room.
    pub(super) fn spend(&mut self, text: &str) -> bool {
        let effort = prescan::check(text).unwrap_or(usize::MAX);
        let has_room = self.texts < MAX_TEXTS && self.room.spend(effort);
        if !has_room {
            self.gap("nested code that is too long or too deep".to_owned());
        }
        has_room
    }

    /// Code whose text may hold unknown parts: those could be any code.
    pub(super) fn code(&mut self, code: &Word, via: &'static str) {
        if !code.is_known() || code.text.contains("/**") {
            self.gap(format!("the code given to {via} is not fully known"));
        }
        let before = self.via.replace(via);
        self.text(&code.text.replace('\0', ""));
        self.via = before;
    }

    /// A text that is no valid shell: its parts are still looked at, and the whole stays unreadable.
    pub(super) fn salvage(&mut self, text: &str) {
        self.gap("the shell syntax cannot be parsed".to_owned());
        for part in text.split(['\n', ';', '|', '&']).take(256) {
            let part = part.trim();
            if !part.is_empty()
                && part.len() < text.len()
                && self.spend(part)
                && let Some(program) = parse(part)
            {
                self.program(&program);
            }
        }
    }

    pub(super) fn program(&mut self, program: &ast::Program) {
        for list in &program.complete_commands {
            self.list(list);
        }
    }

    pub(super) fn list(&mut self, list: &ast::CompoundList) {
        for ast::CompoundListItem(and_or, separator) in &list.0 {
            if matches!(separator, ast::SeparatorOperator::Async) {
                let before = std::mem::replace(&mut self.is_background, true);
                self.subshell(|walker| walker.chain(and_or));
                self.is_background = before;
            } else {
                self.chain(and_or);
            }
        }
    }

    /// `a && b || c`: what stands behind a command that may fail is not known after the chain.
    fn chain(&mut self, chain: &ast::AndOrList) {
        self.pipeline(&chain.first);
        if chain.additional.is_empty() {
            return;
        }
        let before = self.scope.clone();
        let mut fails = may_fail(&chain.first);
        self.branches += 1;
        for next in &chain.additional {
            match next {
                ast::AndOr::And(pipeline) => {
                    self.pipeline(pipeline);
                    fails |= may_fail(pipeline);
                }
                ast::AndOr::Or(pipeline) => self.branch(|walker| walker.pipeline(pipeline)),
            }
        }
        self.branches -= 1;
        let cwd = self.scope.cwd.clone();
        self.scope.join(before);
        if !fails {
            // `cd x && make; ls`: a directory that is named is taken to be there.
            self.scope.cwd = cwd;
        }
    }

    /// Something that may or may not run: what it sets is known only if both ways agree.
    pub(super) fn branch(&mut self, body: impl FnOnce(&mut Self)) {
        let before = self.scope.clone();
        self.branches += 1;
        body(self);
        self.branches -= 1;
        self.scope.join(before);
    }

    /// Something that runs in a shell of its own: what it sets is gone afterwards.
    pub(super) fn subshell(&mut self, body: impl FnOnce(&mut Self)) -> Range<usize> {
        let before = self.scope.clone();
        let start = self.line.commands.len();
        body(self);
        self.scope = before;
        start..self.line.commands.len()
    }

    pub(super) fn pipeline(&mut self, pipeline: &ast::Pipeline) {
        if let [only] = pipeline.seq.as_slice() {
            return self.command(only);
        }
        self.subshell(|walker| {
            walker.stages(&pipeline.seq);
        });
    }

    /// Walks the stages of a pipeline and tells what the last one prints, if that is known.
    pub(super) fn stages(&mut self, stages: &[ast::Command]) -> Option<Word> {
        let (stdin, inputs, piped) = (self.stdin.clone(), self.inputs.clone(), self.is_piped);
        let mut last: Option<Stage> = None;
        for stage in stages {
            if let Some(previous) = &last {
                self.stdin = previous.output.clone().map_or(Stdin::Pipe, Stdin::Text);
                // The stage before carries what the earlier ones gave it.
                self.inputs.truncate(inputs.len());
                self.inputs.push(previous.commands.clone());
                self.is_piped = true;
            }
            let start = self.line.commands.len();
            if stages.len() > 1 {
                self.subshell(|walker| walker.command(stage));
            } else {
                self.command(stage);
            }
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
        self.known_place(command).or_else(|| output::of(command))
    }

    /// Commands that print a place which the host or the line knows.
    fn known_place(&self, command: &SimpleCommand) -> Option<Word> {
        let args: Vec<&str> = command.args().iter().map(|word| word.text.as_str()).collect();
        let is_inside = command.cwd.as_deref().is_some_and(|cwd| crate::place::is_under(cwd, &self.world.worktree));
        match (command.name().as_str(), args.as_slice()) {
            ("git", ["rev-parse", "--show-toplevel"]) if is_inside => Some(Word::literal(&self.world.worktree)),
            ("mktemp", rest) if rest.iter().all(|arg| matches!(*arg, "-d" | "-q" | "--directory" | "-t")) => {
                Some(Word::literal(format!("{}/tmp.XXXXXXXXXX", self.world.tmp)))
            }
            ("go", ["list", "-m", "-f", "{{.Dir}}", ..]) => {
                Some(Word { glob: true, ..Word::literal(format!("{}/go/pkg/mod/**", self.world.home)) })
            }
            ("dirname", [path]) if !path.contains("**") && command.args()[0].is_known() => {
                let path = path.trim_end_matches('/');
                Some(Word {
                    text: path
                        .rsplit_once('/')
                        .map_or(".", |(dir, _)| if dir.is_empty() { "/" } else { dir })
                        .to_owned(),
                    ..command.args()[0].clone()
                })
            }
            ("basename", [path]) if !path.contains("**") => {
                let path = path.trim_end_matches('/');
                Some(Word { text: path.rsplit('/').next().unwrap_or_default().to_owned(), ..command.args()[0].clone() })
            }
            ("realpath" | "readlink", [.., path]) if !path.starts_with('-') && path.starts_with('/') => {
                command.args().last().cloned()
            }
            _ => None,
        }
    }

    /// A command substitution: its commands run, and its output may be known.
    pub(super) fn substitution(&mut self, text: &str) -> Word {
        let mut output = None;
        let (stdin, piped) = (std::mem::take(&mut self.stdin), std::mem::replace(&mut self.is_piped, false));
        let range = self.subshell(|walker| {
            if !walker.spend(text) {
                return;
            }
            walker.texts += 1;
            match parse(text) {
                Some(program) => output = walker.only_pipeline(&program),
                None => walker.salvage(text),
            }
            walker.texts -= 1;
        });
        (self.stdin, self.is_piped) = (stdin, piped);
        let mut word = output.unwrap_or_else(Word::hole);
        // The shell keeps no NUL.
        word.text.retain(|c| c != '\0');
        word.sources.push(range);
        word
    }

    /// Walks a list; if it is one pipeline, tells what it prints.
    pub(super) fn printed_by(&mut self, list: &ast::CompoundList) -> Option<Word> {
        if let [ast::CompoundListItem(and_or, _)] = list.0.as_slice()
            && and_or.additional.is_empty()
        {
            return self.stages(&and_or.first.seq);
        }
        self.list(list);
        None
    }

    /// Walks a program; if it is one pipeline, tells what it prints.
    pub(super) fn only_pipeline(&mut self, program: &ast::Program) -> Option<Word> {
        if let [list] = program.complete_commands.as_slice() {
            return self.printed_by(list);
        }
        self.program(program);
        None
    }
}

/// True for a test: a command whose failure is an answer.
fn may_fail(pipeline: &ast::Pipeline) -> bool {
    if pipeline.bang {
        return true;
    }
    let Some(last) = pipeline.seq.last() else { return false };
    match last {
        ast::Command::Simple(simple) => simple.word_or_name.as_ref().is_some_and(|word| {
            matches!(
                word.value.trim_matches(['\'', '"', '\\']),
                "false"
                    | "/bin/false"
                    | "test"
                    | "["
                    | "grep"
                    | "egrep"
                    | "cmp"
                    | "diff"
                    | "command"
                    | "which"
                    | "type"
            )
        }),
        ast::Command::ExtendedTest(..) => true,
        ast::Command::Compound(compound, _) => matches!(compound, ast::CompoundCommand::Arithmetic(_)),
        ast::Command::Function(_) => false,
    }
}

/// The program that a text is; none when it cannot be read. It always ends: see [`prescan::with_end`] and [`prescan::check`].
fn parse(text: &str) -> Option<ast::Program> {
    if prescan::has_odd_here_document(text) {
        return None;
    }
    let options = ParserOptions::default();
    guarded(|| {
        let text = prescan::with_end(text);
        let tokens = brush_parser::uncached_tokenize_str(&text, &options.tokenizer_options()).ok()?;
        brush_parser::parse_tokens(&tokens, &options).ok()
    })?
}
