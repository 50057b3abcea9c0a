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
        let stated = command.args().iter().any(|word| matches!(word.text.as_str(), "-c" | "-cmd"));
        // Statements may name files.
        let named: Vec<Effect> = if risky { Vec::new() } else { super::mentioned(command, world) };
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
    if server::looks_on_loopback(name, command) {
        return vec![Effect::Network { to: Destination::Loopback { port: 0 }, direction: Direction::Down }];
    }
    question(RuleId::ExternalWrite, "works on a database server")
}

fn stdin(command: &SimpleCommand) -> &str {
    match &command.stdin {
        crate::shell::Stdin::Text(word) => &word.text,
        crate::shell::Stdin::Inherited | crate::shell::Stdin::Pipe => "",
    }
}
