//! Expands words: quotes, escapes, tildes, variables, braces, and substitutions whose output is known.

use super::{command::Word, escape::ansi_c, guarded::guarded, trim, walk::Walker};
use crate::place::{HOLE, has_glob};
use brush_parser::{
    ParserOptions,
    word::{
        BraceExpressionMember, BraceExpressionOrText, Parameter, ParameterExpr, SpecialParameter, TildeExpr, WordPiece,
        WordPieceWithSource,
    },
};

/// Deepest nesting of braces in one word; measured: 10 open ones take 30 ms, 14 take 4 s.
const MAX_BRACE_DEPTH: usize = 6;
/// Most effort for all words of one call, in microseconds.
const MAX_WORD_EFFORT: usize = 16 * 1024;
/// Most words that braces in one word may expand to.
const MAX_BRACES: usize = 64;

/// Longest text of a word, in bytes.
pub(super) const MAX_WORD: usize = 16 * 1024;
/// Most fields that one word splits into.
const MAX_FIELDS: usize = 1024;

/// Collects the fields that one word of the source expands to.
#[derive(Default)]
struct Fields {
    done: Vec<Word>,
    current: Word,
    is_started: bool,
}

impl Fields {
    fn push(&mut self, text: &str, is_quoted: bool) {
        self.current.text.push_str(text);
        self.current.glob |= !is_quoted && has_glob(text);
        self.is_started = true;
    }

    /// A value that is not quoted is split at blanks, as the shell does.
    fn push_value(&mut self, value: &Word, is_quoted: bool) {
        self.current.absorb(value);
        if self.current.text.len() + value.text.len() > MAX_WORD || self.done.len() > MAX_FIELDS {
            // `x=$x$x` doubles; what grows beyond bounds is not known.
            if self.current.is_known() {
                self.push(HOLE.encode_utf8(&mut [0; 4]), true);
            }
            return;
        }
        if is_quoted {
            self.current.text.push_str(&value.text);
            self.is_started = true;
            return;
        }
        let parts = value.text.split([' ', '\t', '\n']);
        let mut first = true;
        for part in parts {
            if !first {
                self.end();
                self.current.absorb(value);
            }
            first = false;
            if !part.is_empty() {
                self.push(part, false);
                self.current.glob |= value.glob;
            }
        }
    }

    fn end(&mut self) {
        let word = std::mem::take(&mut self.current);
        if self.is_started {
            self.done.push(word);
        }
        self.is_started = false;
    }
}

impl Walker<'_> {
    /// All fields that a raw word expands to; none for an unquoted empty variable.
    pub(super) fn fields(&mut self, raw: &str) -> Vec<Word> {
        if let Some(word) = self.step_file(raw) {
            return vec![word];
        }
        if !raw.contains(['\\', '\'', '"', '$', '`', '~', '{', HOLE]) {
            return vec![Word { glob: has_glob(raw), ..Word::literal(raw) }];
        }
        let mut fields = Vec::new();
        for alternative in self.braces(raw) {
            fields.extend(self.fields_of(&alternative));
        }
        fields
    }

    /// The one value of a raw word: for assignments, redirections and here-documents.
    pub(super) fn value(&mut self, raw: &str) -> Word {
        if let Some(word) = self.step_file(raw) {
            return word;
        }
        if !raw.contains(['\\', '\'', '"', '$', '`', '~', HOLE]) {
            return Word { glob: has_glob(raw), ..Word::literal(raw) };
        }
        let parsed =
            self.affords(raw).then(|| guarded(|| brush_parser::word::parse(raw, &ParserOptions::default()))).flatten();
        self.pieces_value(parsed.and_then(Result::ok), raw)
    }

    /// A file by which a step of a CI job tells later steps something. Outside of such a job the name stands for nothing, and
    /// writing there fails; as part of a longer word it would be a path from the root, so only the bare name counts.
    fn step_file(&self, raw: &str) -> Option<Word> {
        const FILES: [&str; 5] = ["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_STATE"];
        let bare = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw);
        let name = bare.strip_prefix('$')?;
        let name = name.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(name);
        (FILES.contains(&name) && !self.scope.vars.contains_key(name))
            .then(|| Word::literal(format!("{}/{}", self.world.tmp, name.to_ascii_lowercase())))
    }

    /// The text of a here-document whose delimiter is not quoted.
    pub(super) fn here_document(&mut self, raw: &str) -> Word {
        if !raw.contains(['\\', '$', '`', HOLE]) {
            return Word::literal(raw);
        }
        let parsed = self
            .affords(raw)
            .then(|| guarded(|| brush_parser::word::parse_heredoc(raw, &ParserOptions::default())))
            .flatten();
        self.pieces_value(parsed.and_then(Result::ok), raw)
    }

    /// True when there is room to parse the word; takes the room.
    fn affords(&mut self, raw: &str) -> bool {
        self.word_effort = self.word_effort.saturating_add(word_effort(raw));
        self.word_effort <= MAX_WORD_EFFORT
    }

    fn pieces_value(&mut self, pieces: Option<Vec<WordPieceWithSource>>, raw: &str) -> Word {
        let Some(pieces) = pieces else {
            self.gap(format!("the word `{raw}` cannot be parsed"));
            return Word::hole();
        };
        let mut fields = Fields::default();
        for piece in &pieces {
            self.piece(&piece.piece, source(raw, piece), true, &mut fields);
        }
        // Quoting does not switch off globs in a redirection's target.
        fields.current.glob =
            pieces.iter().any(|piece| matches!(&piece.piece, WordPiece::Text(text) if has_glob(text)));
        fields.current
    }

    fn fields_of(&mut self, raw: &str) -> Vec<Word> {
        let parsed =
            self.affords(raw).then(|| guarded(|| brush_parser::word::parse(raw, &ParserOptions::default()))).flatten();
        let Some(Ok(pieces)) = parsed else {
            self.gap(format!("the word `{raw}` cannot be parsed"));
            return vec![Word::hole()];
        };
        let mut fields = Fields::default();
        for piece in &pieces {
            self.piece(&piece.piece, source(raw, piece), false, &mut fields);
        }
        fields.end();
        fields.done
    }

    /// Brace expansion, on the raw text.
    fn braces(&mut self, raw: &str) -> Vec<String> {
        if !raw.contains('{') || !(raw.contains(',') || raw.contains("..")) {
            return vec![raw.to_owned()];
        }
        // The parser tries every way to close what is open: its time is exponential in the depth.
        let parsed = (brace_depth(raw) <= MAX_BRACE_DEPTH)
            .then(|| guarded(|| brush_parser::word::parse_brace_expansions(raw, &ParserOptions::default())))
            .flatten();
        if parsed.is_none() {
            self.gap("a brace expansion that cannot be parsed".to_owned());
        }
        let Some(Ok(Some(parts))) = parsed else {
            return vec![raw.to_owned()];
        };
        expand_braces(&parts, 0).unwrap_or_else(|| {
            self.gap("brace expansion with too many results".to_owned());
            vec![raw.to_owned()]
        })
    }

    fn piece(&mut self, piece: &WordPiece, raw: &str, is_quoted: bool, fields: &mut Fields) {
        match piece {
            WordPiece::Text(text) => fields.push(text, is_quoted),
            WordPiece::SingleQuotedText(text) => fields.push(text, true),
            WordPiece::AnsiCQuotedText(text) => fields.push(&ansi_c(text), true),
            WordPiece::DoubleQuotedSequence(inner) | WordPiece::GettextDoubleQuotedSequence(inner) => {
                fields.is_started = true;
                for piece in inner {
                    self.piece(&piece.piece, raw, true, fields);
                }
            }
            WordPiece::TildeExpansion(tilde) => {
                let home = match tilde {
                    TildeExpr::Home => self.scope.get("HOME").text,
                    TildeExpr::UserHome(user) if user == "root" => "/root".to_owned(),
                    TildeExpr::UserHome(user) => format!("/home/{user}"),
                    TildeExpr::WorkingDir => self.scope.cwd.clone().unwrap_or_else(|| HOLE.to_string()),
                    TildeExpr::OldWorkingDir
                    | TildeExpr::NthDirFromTopOfDirStack { .. }
                    | TildeExpr::NthDirFromBottomOfDirStack { .. } => HOLE.to_string(),
                };
                fields.push(&home, true);
            }
            WordPiece::ParameterExpansion(expression) => {
                let values = self.parameter(expression, raw);
                let joined = values.len() > 1 && !matches!(is_all(expression), Some(false));
                for (n, value) in values.iter().enumerate() {
                    if n > 0 && joined && is_quoted {
                        fields.push(" ", true);
                    } else if n > 0 {
                        fields.end();
                    }
                    fields.push_value(value, is_quoted);
                }
            }
            WordPiece::CommandSubstitution(text) => {
                let value = self.substitution(text);
                fields.push_value(&value, is_quoted);
            }
            WordPiece::BackquotedCommandSubstitution(text) => {
                let text = text.replace("\\`", "`").replace("\\$", "$").replace("\\\\", "\\");
                let value = self.substitution(&text);
                fields.push_value(&value, is_quoted);
            }
            WordPiece::EscapeSequence(text) => {
                let text = text.strip_prefix('\\').unwrap_or(text);
                fields.push(if text == "\n" { "" } else { text }, true);
            }
            WordPiece::ArithmeticExpression(expression) => {
                if !raw.contains("$((") && !raw.contains("$[") {
                    self.gap("a subshell that looks like arithmetic".to_owned());
                }
                let value = self.arithmetic(&expression.value);
                fields.push(&value, true);
            }
        }
    }

    /// An arithmetic expression: substitutions in it run; its value is known when it is a plain number.
    pub(super) fn arithmetic(&mut self, expression: &str) -> String {
        let trimmed = expression.trim();
        if expression.contains(['`', '$']) {
            // `a[$(cmd)]` runs the command.
            self.value(expression);
        }
        // What is no arithmetic may be read as a command by some shell.
        let is_word = |text: &str| text.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let words: Vec<&str> = trimmed.split_whitespace().collect();
        let two_words = words.windows(2).any(|pair| {
            let option = pair[1].strip_prefix(['-', '/']).is_some_and(|rest| rest.starts_with(char::is_alphabetic));
            pair[0].ends_with(|c: char| c.is_alphanumeric() || c == '_') && (option || is_word(pair[1]))
        });
        if two_words || trimmed.ends_with(['/', '*', '=', '<', '>', '|', '&', '.', '~', '!', '%', '^', ':', '?']) {
            self.gap("arithmetic that could be a command".to_owned());
        }
        if expression.contains('[') {
            self.gap("an array index in arithmetic".to_owned());
        }
        if !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit()) {
            return trimmed.to_owned();
        }
        HOLE.to_string()
    }

    /// The values of a parameter expansion.
    fn parameter(&mut self, expression: &ParameterExpr, raw: &str) -> Vec<Word> {
        if let ParameterExpr::Parameter { parameter, indirect: false } = expression {
            return self.parameter_value(parameter);
        }
        if let ParameterExpr::UseDefaultValues { parameter, indirect: false, default_value, .. }
        | ParameterExpr::AssignDefaultValues { parameter, indirect: false, default_value, .. } = expression
        {
            let value = self.parameter_value(parameter);
            let default = self.value(default_value.as_deref().unwrap_or_default());
            let is_set = value.iter().all(|word| word.is_known() && !word.text.is_empty());
            if is_set && !value.is_empty() {
                return value;
            }
            if let (ParameterExpr::AssignDefaultValues { .. }, Parameter::Named(name)) = (expression, parameter) {
                // What it was is not known, or it is the new value from now on.
                let is_empty = value.iter().all(|word| word.text.is_empty());
                self.assigned(name, if is_empty { default.clone() } else { Word::hole() });
            }
            if value.iter().all(|word| word.text.is_empty()) {
                return vec![default];
            }
            // Either may be used, so the value is not known; what the line gives stays to be looked at.
            let sources = value.iter().flat_map(|word| word.sources.clone()).chain(default.sources).collect();
            let secret = default.secret || value.iter().any(|word| word.secret);
            return vec![Word { sources, secret, ..Word::literal(format!("{HOLE}{}", default.text)) }];
        }
        if let ParameterExpr::UseAlternativeValue { alternative_value, .. } = expression {
            let value = self.value(alternative_value.as_deref().unwrap_or_default());
            let text = format!("{HOLE}{}", value.text);
            return vec![Word { text, glob: false, ..value }];
        }
        if let Some(words) = self.arguments_from(expression) {
            return words;
        }
        if let Some(word) = self.changed(expression) {
            return vec![word];
        }
        // The other forms: their value is a hole, and substitutions inside them must not go unseen.
        let inner = raw.get(2..).unwrap_or_default();
        if inner.contains("$(") || inner.contains('`') || inner.contains("@P") {
            self.gap(format!("the expansion `{raw}` runs commands"));
        }
        let name: String =
            inner.trim_start_matches(['!', '#']).chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let value = self.scope.get(&name);
        if let Some(parameter) = trim::parameter(expression)
            && let [value] = self.parameter_value(parameter).as_slice()
            && let Some(word) = trim::apply(expression, value)
        {
            return vec![word];
        }
        let is_length = matches!(expression, ParameterExpr::ParameterLength { .. });
        vec![Word { sources: value.sources, secret: value.secret && !is_length, ..Word::hole() }]
    }

    fn parameter_value(&mut self, parameter: &Parameter) -> Vec<Word> {
        match parameter {
            Parameter::Named(name) => vec![self.scope.get(name)],
            Parameter::Positional(0) => vec![self.scope.zero.clone()],
            Parameter::Positional(n) => match &self.scope.positional {
                Some(words) => vec![words.get(*n as usize - 1).cloned().unwrap_or_default()],
                None => vec![Word::hole()],
            },
            Parameter::Special(SpecialParameter::AllPositionalParameters { .. }) => {
                self.scope.positional.clone().unwrap_or_else(|| vec![Word::hole()])
            }
            Parameter::Special(
                SpecialParameter::PositionalParameterCount
                | SpecialParameter::LastExitStatus
                | SpecialParameter::CurrentOptionFlags
                | SpecialParameter::ProcessId
                | SpecialParameter::LastBackgroundProcessId
                | SpecialParameter::ShellName,
            ) => vec![Word::hole()],
            Parameter::NamedWithIndex { name, index } => {
                if index.contains(['$', '`']) {
                    self.value(index);
                }
                if let Ok(at) = index.trim().parse::<usize>()
                    && let Some(items) = self.scope.arrays.get(name)
                {
                    return vec![items.get(at).cloned().unwrap_or_default()];
                }
                let value = self.scope.get(name);
                vec![Word { sources: value.sources, secret: value.secret, ..Word::hole() }]
            }
            Parameter::NamedWithAllIndices { name, .. } => {
                self.scope.arrays.get(name).cloned().unwrap_or_else(|| vec![self.scope.get(name)])
            }
        }
    }
}

impl Walker<'_> {
    /// `${@:2}`, `${a[@]:1:2}`: some of the arguments, or of an array.
    fn arguments_from(&self, expression: &ParameterExpr) -> Option<Vec<Word>> {
        let ParameterExpr::Substring { parameter, indirect: false, offset, length } = expression else { return None };
        let words: Vec<Word> = match parameter {
            Parameter::Special(SpecialParameter::AllPositionalParameters { .. }) => {
                std::iter::once(&self.scope.zero).chain(self.scope.positional.as_ref()?).cloned().collect()
            }
            Parameter::NamedWithAllIndices { name, .. } => self.scope.arrays.get(name)?.clone(),
            Parameter::Named(_)
            | Parameter::Positional(_)
            | Parameter::Special(_)
            | Parameter::NamedWithIndex { .. } => {
                return None;
            }
        };
        let from: i64 = offset.value.trim().parse().ok()?;
        let from = match usize::try_from(from) {
            Ok(from) => from,
            Err(_) => words.len().checked_sub(usize::try_from(-from).ok()?)?,
        };
        let rest = words.get(from..).unwrap_or_default();
        let length = match length {
            None => rest.len(),
            Some(length) => length.value.trim().parse::<usize>().ok()?.min(rest.len()),
        };
        Some(rest[..length].to_vec())
    }
}

/// For `$@` and `$*`: whether they are joined into one word when quoted.
fn is_all(expression: &ParameterExpr) -> Option<bool> {
    if let ParameterExpr::Parameter {
        parameter: Parameter::Special(SpecialParameter::AllPositionalParameters { concatenate }),
        ..
    } = expression
    {
        return Some(*concatenate);
    }
    if let ParameterExpr::Parameter { parameter: Parameter::NamedWithAllIndices { concatenate, .. }, .. } = expression {
        return Some(*concatenate);
    }
    if let ParameterExpr::Substring {
        parameter:
            Parameter::Special(SpecialParameter::AllPositionalParameters { concatenate })
            | Parameter::NamedWithAllIndices { concatenate, .. },
        ..
    } = expression
    {
        return Some(*concatenate);
    }
    None
}

fn source<'a>(raw: &'a str, piece: &WordPieceWithSource) -> &'a str {
    raw.get(piece.start_index..piece.end_index).unwrap_or(raw)
}

/// What parsing a word can cost at worst, in microseconds. The parser tries every way to read what it cannot close, level by level;
/// measured with brush-parser 0.4: 18 times as long for each `${a[`, 6.5 for `$((`, 3 for `$(`, 2 for `${` and for a plain opener inside.
fn word_effort(raw: &str) -> usize {
    let bytes = raw.as_bytes();
    let (mut open, mut cost, mut total): (Vec<(u8, usize)>, usize, usize) = (Vec::new(), 1, 0);
    for (at, byte) in bytes.iter().enumerate() {
        let follows_dollar = at > 0 && bytes[at - 1] == b'$';
        let factor = match (byte, follows_dollar) {
            (b'(', true) => 3,
            (b'{', true) => 2,
            (b'[', _) if open.last().is_some_and(|(closer, _)| *closer == b'}') => 9,
            (b'(' | b'{', false) if !open.is_empty() => 2,
            _ => 1,
        };
        if factor > 1 {
            let closer = match byte {
                b'(' => b')',
                b'{' => b'}',
                _ => b']',
            };
            open.push((closer, cost));
            cost = cost.saturating_mul(factor);
            total = total.saturating_add(cost);
        } else if let Some((_, before)) = open.pop_if(|(closer, _)| closer == byte) {
            cost = before;
        }
    }
    total
}

fn brace_depth(raw: &str) -> usize {
    let (mut depth, mut worst) = (0usize, 0);
    for byte in raw.bytes() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        worst = worst.max(depth);
    }
    worst
}

fn expand_braces(parts: &[BraceExpressionOrText], depth: usize) -> Option<Vec<String>> {
    let mut results = vec![String::new()];
    if depth > 8 {
        return None;
    }
    for part in parts {
        let choices = match part {
            BraceExpressionOrText::Text(text) => vec![text.clone()],
            BraceExpressionOrText::Expr(members) => {
                let mut choices = Vec::new();
                for member in members {
                    match member {
                        BraceExpressionMember::Child(inner) => choices.extend(expand_braces(inner, depth + 1)?),
                        BraceExpressionMember::NumberSequence { start, end, increment } => {
                            let step = increment.unsigned_abs().max(1);
                            if start.abs_diff(*end) / step >= MAX_BRACES as u64 {
                                return None;
                            }
                            let (low, high) = (*start.min(end), *start.max(end));
                            choices.extend((low..=high).step_by(usize::try_from(step).ok()?).map(|n| n.to_string()));
                        }
                        BraceExpressionMember::CharSequence { start, end, .. } => {
                            let (low, high) = (*start.min(end), *start.max(end));
                            choices.extend((low..=high).take(MAX_BRACES).map(|c| c.to_string()));
                        }
                    }
                }
                choices
            }
        };
        if results.len() * choices.len() > MAX_BRACES {
            return None;
        }
        results = results.iter().flat_map(|head| choices.iter().map(move |tail| format!("{head}{tail}"))).collect();
    }
    Some(results)
}
