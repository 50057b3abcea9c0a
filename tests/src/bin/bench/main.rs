//! `just bench`: what a start, a verdict, a tool call and a harvest cost, beside the plain `docker run` that a start is compared
//! with. Needs the engine and the images; prints a table and writes `target/bench.json`. `bench N` makes N rounds instead of 20.
//!
//! What is compared is measured in turns, so that a change of the machine's load meets both.

#![expect(clippy::print_stdout, reason = "a measurement is printed")]

mod calls;
mod docker;
mod observed;
#[expect(dead_code, unreachable_pub, reason = "shared with the conformance test, which uses the rest")]
#[path = "../../../tests/rig/mod.rs"]
mod rig;
mod series;
mod start;
mod ungated;

use series::Report;
use std::{fs, process::ExitCode};
use system_tests::workspace;

/// Rounds unless the command line says otherwise.
const ROUNDS: usize = 20;

fn main() -> ExitCode {
    let rounds = match std::env::args().nth(1).map(|text| text.parse()) {
        None => ROUNDS,
        Some(Ok(rounds)) if rounds > 0 => rounds,
        Some(_) => {
            println!("usage: bench [ROUNDS]");
            return ExitCode::from(2);
        }
    };
    let mut report = Report::default();
    start::measure(&mut report, rounds);
    start::measure_growth(&mut report, rounds.div_ceil(4));
    calls::measure(&mut report, rounds.div_ceil(7));
    print!("{}", report.table());
    for line in report.conclusions() {
        println!("{line}");
    }
    let path = workspace().join("target/bench.json");
    fs::write(&path, report.json()).expect("target/bench.json");
    println!("\nwritten: target/bench.json");
    ExitCode::SUCCESS
}
