//! `awk`: programs that mostly print columns, and can also run commands, write files and open connections.

use super::{place, reads};
use crate::{
    args::Args,
    effect::{Effect, Finding},
    place::HOLE,
    shell::{SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

pub(super) fn effects(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    const VALUED: [&str; 9] = ["-F", "-v", "-f", "-i", "-l", "--field-separator", "--assign", "--file", "--include"];
    let args = Args::parse(command.args(), &VALUED);
    let mut effects = Vec::new();
    let from_file = args.has(&["-f", "--file"]);
    for file in args.values(&["-f", "--file"]) {
        effects.push(Effect::Executes(crate::effect::Program::File(place(file, command, world))));
    }
    if args.has(&["-l", "--load", "-E", "--exec"])
        || args.values(&["-i", "--include"]).any(|word| word.text != "inplace")
    {
        effects.push(Effect::Unverifiable("awk loads code that the line names".to_owned()));
    }
    if let Some(program) = args.operands.first().filter(|_| !from_file) {
        effects.extend(source(program, command, world));
    }
    let skip = usize::from(!from_file);
    let files: Vec<_> = args.operands.iter().skip(skip).copied().filter(|word| !word.text.contains('=')).collect();
    if args.values(&["-i", "--include"]).any(|word| word.text == "inplace") {
        effects.extend(super::writes(&files, command, world));
    }
    effects.extend(reads(&files, command, world));
    effects
}

/// A piece of a program: code, or the text of a string.
enum Piece {
    Code(String),
    Text(String),
}

fn source(program: &Word, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let text = program.text.as_str();
    let mut effects = Vec::new();
    if text.contains("/inet") {
        let finding =
            Finding::forbidden(RuleId::ReverseChannel, "opens a network connection from awk", "use a trusted client");
        effects.push(finding.into());
    }
    let unknown = || Effect::Unverifiable("an awk program that runs commands or writes files".to_owned());
    if !program.is_known() || text.contains("@load") || text.contains("@include") {
        effects.push(unknown());
    }
    let pieces = pieces(text);
    for (at, piece) in pieces.iter().enumerate() {
        let Piece::Code(code) = piece else { continue };
        let next = match pieces.get(at + 1) {
            Some(Piece::Text(text)) => Some(text),
            Some(Piece::Code(_)) | None => None,
        };
        let end = code.trim_end();
        let is_pipe = |code: &str| code.ends_with('|') && !code.ends_with("||");
        if let Some(literal) = next {
            let joined = matches!(pieces.get(at + 2), Some(Piece::Code(after)) if is_joined(after));
            let word = Word::literal(literal);
            if end.ends_with("system(")
                || is_pipe(end)
                || matches!(pieces.get(at + 2), Some(Piece::Code(after)) if is_read_from(after))
            {
                effects.extend(super::interpreters::nested(&word, command, world));
                effects.extend(joined.then(unknown));
            } else if end.ends_with('>') {
                effects.push(Effect::Writes { place: place(&word, command, world), empties: false });
                effects.extend(joined.then(unknown));
            } else if end.ends_with('<') {
                effects.push(Effect::Reads(place(&word, command, world)));
            }
        }
        if has_unread(code, next.is_some()) {
            effects.push(unknown());
        }
    }
    effects
}

/// `"cmd" | getline`.
fn is_read_from(after: &str) -> bool {
    after.trim_start().strip_prefix('|').is_some_and(|rest| rest.trim_start().starts_with("getline"))
}

/// True when a string goes on: `"a" b` is one text in awk.
fn is_joined(after: &str) -> bool {
    after.trim_start().starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '('))
}

/// Commands, pipes and redirections whose other end is no literal.
fn has_unread(code: &str, is_before_text: bool) -> bool {
    let open = |token: &str| {
        code.match_indices(token).any(|(at, _)| {
            let rest = code[at + token.len()..].trim_start();
            !(rest.is_empty() && is_before_text)
        })
    };
    let code_without = code.replace("||", "  ").replace("|&", "  ");
    let pipes = code_without.match_indices('|').any(|(at, _)| {
        let rest = code_without[at + 1..].trim_start();
        let is_read = rest.starts_with("getline") && code_without[..at].trim().is_empty();
        !(is_read || rest.is_empty() && is_before_text)
    });
    let printed = code.split("print").skip(1).any(|rest| {
        let statement = rest.split(['}', ';', '\n']).next().unwrap_or_default().replace(">=", "  ");
        statement.match_indices('>').any(|(at, _)| {
            let after = statement[at + 1..].trim_start_matches('>').trim_start();
            !(after.is_empty() && is_before_text)
        })
    });
    open("system(") || code.contains("system (") || code.contains("|&") || pipes || printed
}

/// Splits a program into code and strings; regular expressions stay part of the code, without what looks like an operator.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut code = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let before = code.trim_end().chars().next_back();
        match c {
            '"' => {
                let mut string = String::new();
                while let Some(c) = chars.next() {
                    match c {
                        '"' => break,
                        '\\' => string.extend(chars.next().map(|c| match c {
                            'n' => '\n',
                            't' => '\t',
                            // Characters by their number are not followed.
                            'x' | 'u' | '0'..='9' => HOLE,
                            other => other,
                        })),
                        other => string.push(other),
                    }
                }
                pieces.push(Piece::Code(std::mem::take(&mut code)));
                pieces.push(Piece::Text(string));
            }
            '/' if before.is_none_or(|c| matches!(c, '(' | ',' | '{' | '}' | ';' | '!' | '~' | '&' | '|' | '\n')) => {
                // A regular expression.
                let mut escaped = false;
                for c in chars.by_ref() {
                    match c {
                        _ if escaped => escaped = false,
                        '\\' => escaped = true,
                        '/' | '\n' => break,
                        _ => {}
                    }
                }
                code.push_str("//");
            }
            '#' => {
                for c in chars.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
                code.push('\n');
            }
            other => code.push(other),
        }
    }
    pieces.push(Piece::Code(code));
    pieces
}
