//! `just bench`: what a decision, a start, a verdict, a tool call, a harvest and the way out cost, beside the plain `docker run` and the other
//! proxies that they are compared with. Needs the engine and the images; prints a table and writes `target/bench.json`. `bench N` makes N rounds instead of 20,
//! `bench N start` only that part.
//!
//! What is compared is measured in turns, so that a change of the machine's load meets both.

#![expect(clippy::print_stdout, reason = "a measurement is printed")]

mod calls;
mod decide;
mod docker;
mod observed;
mod series;
mod start;
mod ungated;
mod way_out;

use series::Report;
use std::{fs, process::ExitCode};
use system_tests::workspace;

/// Rounds unless the command line says otherwise.
const ROUNDS: usize = 20;

/// A part of the bench: what it is called and what it does.
type Part = (&'static str, fn(&mut Report, usize));

const PARTS: [Part; 6] = [
    ("decide", decide::measure),
    ("start", start::measure),
    ("growth", start::measure_growth),
    ("runtimes", start::measure_runtimes),
    ("calls", calls::measure),
    ("egress", way_out::measure),
];

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|word| word == way_out::own::COMMAND) {
        way_out::own::serve();
        return ExitCode::SUCCESS;
    }
    let rounds = args.first().map_or(Ok(ROUNDS), |text| text.parse());
    let wanted = args.get(1..).unwrap_or_default();
    let unknown = wanted.iter().find(|name| PARTS.iter().all(|(known, _)| known != name));
    let (Ok(rounds @ 1..), None) = (rounds, unknown) else {
        println!("usage: bench [ROUNDS [decide] [start] [growth] [runtimes] [calls] [egress]]");
        return ExitCode::from(2);
    };
    let mut report = Report::default();
    for (name, measure) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|asked| asked == name) {
            measure(&mut report, rounds);
        }
    }
    println!("{}", report.table());
    for line in report.conclusions() {
        println!("{line}");
    }
    let path = workspace().join("target/bench.json");
    fs::write(&path, report.json()).expect("target/bench.json");
    println!("\nwritten: target/bench.json");
    ExitCode::SUCCESS
}
