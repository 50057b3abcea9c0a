//! `just attack`: every case of the threat list that is about the boundary, tried on the real product with a gate that allows all,
//! under each runtime, against a small internet of our own. It prints a table and writes `target/attack.json`; the exit code is 0
//! only when every attack failed and every control worked.
//!
//! First the same attempts are made without walls, to show that they can succeed (`target/attack-weak.json`).

#![expect(clippy::print_stdout, reason = "the table is printed")]

mod args;
mod case;
mod judge;
mod main_run;
mod plan;
mod play;
mod report;
mod row;
mod scenes;
mod scope;
mod stage;
mod step;
mod table;
mod weak;

use args::{Args, USAGE};
use row::{Outcome, Row};
use std::{fs, process::ExitCode};
use system_tests::{internet, workspace};

fn main() -> ExitCode {
    let Some(args) = Args::parse(std::env::args().skip(1)) else {
        println!("{USAGE}");
        return ExitCode::from(2);
    };
    if internet::is_inside() {
        return if play(&args) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    match stage::enter(&args) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            println!("cannot start in namespaces of our own: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Plays everything; true when all is as it must be.
fn play(args: &Args) -> bool {
    let played = play::all(args);
    let is_weak_as_expected = played.surprises.is_empty();
    if args.wants_weak() {
        let rows = &played.weak;
        println!("{}", row::table(rows));
        let broken = rows.iter().filter(|row| row.outcome == Outcome::Broken).count();
        println!("without walls: {broken} of {} broken, {} must be\n", rows.len(), weak::MUST_BREAK);
        write("attack-weak.json", rows);
        for surprise in &played.surprises {
            println!("surprise without walls: {surprise}");
        }
    }
    if !args.only_weak {
        println!("{}", row::table(&played.strong));
        let proven = played.strong.iter().filter(|row| row.is_proven()).count();
        println!("{proven} of {} held with their controls, {} s", played.strong.len(), played.seconds);
        write("attack.json", &played.strong);
    }
    is_weak_as_expected && played.strong.iter().all(Row::is_proven)
}

fn write(name: &str, rows: &[Row]) {
    let path = workspace().join("target").join(name);
    fs::write(&path, row::json(rows)).expect("target");
    println!("written: target/{name}");
}
