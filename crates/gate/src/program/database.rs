//! Databases: reading a file of the work tree is work; a server's data may be someone's.

use super::{infra::question, server};
use crate::{
    destination::{Destination, Direction},
    effect::{Effect, Finding},
    shell::SimpleCommand,
    world::World,
};
use types::catalogue::RuleId;

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let text = format!("{} {}", command.text(), stdin(command)).to_ascii_lowercase();
    let drops = ["drop database", "drop schema", "dropdatabase", "flushall", "flushdb"];
    if matches!(name, "dropdb" | "dropuser") || drops.iter().any(|verb| text.contains(verb)) {
        let scratch = text.contains("localhost") || text.contains("127.0.0.1") || text.contains("test");
        let remote = !scratch || text.contains("prod");
        if remote {
            return vec![
                Finding::refused(
                    RuleId::MassDeletion,
                    "deletes a whole database",
                    "leave the data; use a scratch database on loopback",
                )
                .into(),
            ];
        }
    }
    if let Some((_, code)) = text.split_once(".shell ").or_else(|| text.split_once(".system ")) {
        let line = code.lines().next().unwrap_or_default();
        let mut effects = super::nested(&crate::shell::Word::literal(line), command, world);
        effects.push(Effect::Unverifiable("the database shell runs a program".to_owned()));
        return effects;
    }
    if name == "sqlite3" || name == "duckdb" {
        #[rustfmt::skip]
        const WRITES: [&str; 14] = [
            "insert", "update", "delete", "drop", "alter", "create", "replace", "attach", "writable_schema", ".shell",
            ".system", "load_extension", ".output", ".import",
        ];
        let risky = WRITES.iter().any(|verb| text.contains(verb))
            || text.contains(".once")
            // `pragma table_info(t)` looks, `pragma key = value` sets.
            || (text.contains("pragma") && text.contains('='))
            || text.contains("writefile")
            || text.contains(".backup")
            || text.contains(".restore")
            || text.contains("readfile")
            || text.contains(".read")
            || text.contains(".log")
            || text.contains(crate::place::HOLE);
        if crate::argument::is_destructive_sql(&text) || text.contains(".read") {
            let instead = "work on a copy of the file";
            return vec![Finding::refused(RuleId::MassDeletion, "deletes data of a database", instead).into()];
        }
        let stated = command.args().iter().any(|word| matches!(word.text.as_str(), "-c" | "-cmd"));
        // Statements may name files.
        let named: Vec<Effect> = if risky { Vec::new() } else { super::unknown::mentioned(command, world) };
        let known = stated
            || command.args().iter().filter(|word| !word.text.starts_with('-')).count() >= 2
            || !stdin(command).is_empty();
        let file = command.args().iter().find(|word| !word.text.starts_with('-') && word.is_known());
        let file: Vec<_> = file.into_iter().collect();
        return if !risky && known {
            let mut effects = if stated { Vec::new() } else { super::reads(&file, command, world) };
            effects.extend(named);
            effects
        } else {
            question(RuleId::MassDeletion, "changes a database")
        };
    }
    // A scratch database is there to be changed; which one it is a person can tell.
    let is_scratch = text.contains("localhost") || text.contains("127.0.0.1") || text.contains("test");
    if changes(&text) && !is_scratch {
        let instead = "leave the data; use a scratch database of your own on loopback";
        return vec![
            Finding::refused(RuleId::MassDeletion, "deletes or overwrites data of a database", instead).into(),
        ];
    }
    if server::looks_on_loopback(name, command) {
        return vec![Effect::Network { to: Destination::Loopback { port: 0 }, direction: Direction::Down }];
    }
    question(RuleId::ExternalWrite, "works on a database server")
}

/// True for statements that delete a table or rows without a choice, and for settings that make a server write elsewhere.
fn changes(text: &str) -> bool {
    const MARKS: [&str; 17] = [
        "alter user",
        "alter role",
        "grant all",
        "create user",
        "drop user",
        "deletemany({})",
        "deletemany()",
        "remove({})",
        ".drop()",
        "dropdatabase",
        "drop collection",
        "bucket delete",
        "config set dir",
        "config set dbfilename",
        "slaveof",
        "mysqladmin drop",
        "--clean",
    ];
    crate::argument::is_destructive_sql(text)
        || MARKS.iter().any(|mark| text.contains(mark))
        || (text.starts_with("mysqladmin") && text.contains(" drop "))
        || (text.starts_with("redis-cli") && (text.contains(" del ") || text.ends_with(" del")))
        || (text.contains("update ") && text.contains(" set ") && !text.contains("where"))
}

fn stdin(command: &SimpleCommand) -> &str {
    match &command.stdin {
        crate::shell::Stdin::Text(word) => &word.text,
        crate::shell::Stdin::Inherited | crate::shell::Stdin::Pipe => "",
    }
}
