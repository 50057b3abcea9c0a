//! Expands words: quotes, escapes, tildes, variables, braces, and substitutions whose output is known.

use super::{command::Word, effort, escape::ansi_c, guarded::guarded, parameter::is_all, walk::Walker};
use crate::place::{HOLE, has_glob};
use brush_parser::{
    ParserOptions,
    word::{TildeExpr, WordPiece, WordPieceWithSource},
};

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
        self.word_effort = self.word_effort.saturating_add(effort::word(raw));
        self.word_effort <= effort::MAX_EFFORT
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
}

fn source<'a>(raw: &'a str, piece: &WordPieceWithSource) -> &'a str {
    raw.get(piece.start_index..piece.end_index).unwrap_or(raw)
}
