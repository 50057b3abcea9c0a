//! Commands of frameworks and migration tools that delete all data of a database. Whatever the tool, it is the database
//! behind the project's settings that goes; only one that names itself a test is meant to.

use crate::{
    effect::{Effect, Finding},
    shell::SimpleCommand,
};
use types::catalogue::RuleId;

/// Tools, by the word that names them, and what deletes: all of the words of one entry stand in the line.
#[rustfmt::skip]
const TOOLS: &[(&str, &[&[&str]])] = &[
    ("manage.py", &[&["flush"], &["reset_db"], &["sqlflush"], &["migrate", "zero"], &["sqlclear"]]),
    ("django-admin", &[&["flush"], &["reset_db"], &["migrate", "zero"]]),
    ("artisan", &[&["migrate:fresh"], &["migrate:reset"], &["migrate:refresh"], &["db:wipe"]]),
    ("console", &[&["doctrine:database:drop"], &["doctrine:schema:drop"], &["doctrine:mongodb:schema:drop"]]),
    ("rails", &[&["db:drop"], &["db:reset"], &["db:schema:load"], &["db:truncate_all"], &["db:purge"], &["db:migrate:reset"], &["db:setup"]]),
    ("rake", &[&["db:drop"], &["db:reset"], &["db:schema:load"], &["db:truncate_all"], &["db:purge"], &["db:migrate:reset"], &["db:setup"]]),
    ("mix", &[&["ecto.drop"], &["ecto.reset"], &["ecto.rollback", "--all"], &["ash.reset"]]),
    ("flask", &[&["db", "downgrade", "base"], &["drop-db"], &["init-db"]]),
    ("alembic", &[&["downgrade", "base"]]),
    ("aerich", &[&["downgrade"]]),
    ("flyway", &[&["clean"]]),
    ("liquibase", &[&["drop-all"], &["dropAll"]]),
    ("dotnet", &[&["ef", "database", "drop"], &["ef", "database", "update", "0"]]),
    ("sqlx", &[&["database", "drop"], &["database", "reset"]]),
    ("diesel", &[&["database", "reset"], &["migration", "revert", "--all"]]),
    ("sea-orm-cli", &[&["migrate", "fresh"], &["migrate", "reset"], &["migrate", "refresh"]]),
    ("dbmate", &[&["drop"]]),
    ("goose", &[&["reset"], &["down-to", "0"]]),
    ("migrate", &[&["drop"], &["down", "-all"]]),
    ("atlas", &[&["schema", "clean"]]),
    ("prisma", &[&["migrate", "reset"], &["db", "push", "--force-reset"], &["db", "push", "--accept-data-loss"], &["db", "execute"]]),
    ("sequelize", &[&["db:drop"], &["db:migrate:undo:all"], &["db:seed:undo:all"]]),
    ("sequelize-cli", &[&["db:drop"], &["db:migrate:undo:all"], &["db:seed:undo:all"]]),
    ("typeorm", &[&["schema:drop"], &["cache:clear"]]),
    ("typeorm-ts-node-commonjs", &[&["schema:drop"]]),
    ("knex", &[&["migrate:rollback", "--all"], &["migrate:down"]]),
    ("drizzle-kit", &[&["drop"]]),
    ("mikro-orm", &[&["schema:drop"], &["schema:fresh"], &["database:create"]]),
    ("convex", &[&["import", "--replace-all"], &["import", "--replace"]]),
    ("hasura", &[&["metadata", "clear"]]),
    ("supabase", &[&["db", "reset"]]),
    ("wp", &[&["db", "reset"], &["db", "drop"], &["db", "clean"], &["site", "empty"]]),
    ("drush", &[&["sql-drop"], &["sql:drop"], &["site:install"]]),
    ("pg_restore", &[&["--clean"], &["-c"]]),
    ("bench", &[&["reinstall"], &["drop-site"]]),
    ("odoo-bin", &[&["db", "drop"]]),
];
/// Calls of models that delete every row, in code that a framework's shell is given.
const ORM: [&str; 7] = [
    "objects.all().delete",
    "::truncate(",
    "->truncate(",
    ".delete_all",
    ".destroy_all",
    "migrate:fresh",
    "DB::statement",
];
/// Settings that choose the environment.
const CHOOSES: [&str; 9] =
    ["RAILS_ENV", "RACK_ENV", "NODE_ENV", "APP_ENV", "MIX_ENV", "FLASK_ENV", "DJANGO_SETTINGS_MODULE", "ENV", "--env"];

/// The reason against a command that deletes a database's data.
pub(super) fn effects(command: &SimpleCommand) -> Option<Effect> {
    let words: Vec<&str> = command.argv.iter().map(|word| word.text.as_str()).collect();
    // `python manage.py flush`, `php artisan db:wipe`, `bin/rails db:drop`, `yarn prisma migrate reset`.
    let (at, (_, wipes)) = words.iter().take(4).enumerate().find_map(|(at, word)| {
        let name = word.rsplit('/').next().unwrap_or_default();
        TOOLS.iter().find(|(tool, _)| *tool == name).map(|tool| (at, tool))
    })?;
    let rest = &words[at + 1..];
    let is_wipe = wipes.iter().any(|wipe| wipe.iter().all(|part| rest.contains(part)));
    let is_orm = matches!(words[at].rsplit('/').next(), Some("manage.py" | "artisan" | "rails" | "django-admin"))
        && rest.iter().any(|word| ORM.iter().any(|call| word.contains(call)));
    let is_wipe = is_wipe || is_orm;
    let only_shows = rest.iter().any(|word| matches!(*word, "--help" | "-h" | "--dry-run" | "--pretend" | "--sql"));
    (is_wipe && !only_shows && !names_test(command, rest)).then(|| {
        let instead = "leave the data; use a scratch database of your own on loopback";
        Finding::refused(RuleId::MassDeletion, "deletes all data of the project's database", instead).into()
    })
}

/// True when the environment that the line chooses is the one for tests.
fn names_test(command: &SimpleCommand, words: &[&str]) -> bool {
    let is_test = |value: &str| value.to_ascii_lowercase().contains("test");
    command.assignments.iter().any(|(name, value)| CHOOSES.contains(&name.as_str()) && is_test(&value.text))
        || words
            .iter()
            .any(|word| word.split_once('=').is_some_and(|(name, value)| CHOOSES.contains(&name) && is_test(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{shell, world::World};

    fn wipes(line: &str) -> bool {
        let line = shell::read(line, "/workspace", &World::default()).expect("readable");
        line.commands.iter().any(|command| effects(command).is_some())
    }

    #[test]
    fn what_deletes_a_database_and_its_twins() {
        for line in [
            "python manage.py flush --no-input",
            "./manage.py migrate app zero",
            "php artisan migrate:fresh --force",
            "bin/rails db:reset RAILS_ENV=production",
            "bundle exec rake db:drop",
            "npx prisma migrate reset -f",
            "alembic downgrade base",
            "dotnet ef database drop -f",
        ] {
            assert!(wipes(line), "{line}");
        }
        for line in [
            "python manage.py migrate app 0042",
            "php artisan migrate",
            "RAILS_ENV=test bin/rails db:reset",
            "rake db:migrate",
            "npx prisma migrate dev",
            "alembic downgrade -1",
            "npx prisma migrate reset --help",
        ] {
            assert!(!wipes(line), "{line}");
        }
    }
}
