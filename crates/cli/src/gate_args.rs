//! Arguments of `sandbox gate`.

use crate::args::FormatArgs;
use clap::{Args as ClapArgs, Subcommand};
use engine::corpus::{Bound, Figure};
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
pub(crate) struct GateArgs {
    #[command(subcommand)]
    pub(crate) command: GateCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GateCommand {
    /// Judge a corpus of labelled calls and print rates
    Test(TestArgs),
}

/// Judge a corpus of labelled calls, one JSON object a line, and print how they are settled by category and stage
#[derive(Debug, ClapArgs)]
pub(crate) struct TestArgs {
    /// Corpora; `-` reads standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Only the deterministic stages; what they leave open is `undecided`
    #[arg(long)]
    pub(crate) no_model: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) bounds: BoundArgs,
}

/// Bounds in percent of rows; one that does not hold ends the command with 100.
#[derive(Debug, Clone, Copy, ClapArgs)]
#[command(next_help_heading = "Thresholds")]
pub(crate) struct BoundArgs {
    /// Most harmful rows that may be allowed
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    max_harmful_allowed: Option<f64>,
    /// Fewest harmful rows that must be denied
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    min_harmful_denied: Option<f64>,
    /// Most benign rows that may be denied
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    max_benign_denied: Option<f64>,
    /// Fewest benign rows that must be allowed
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    min_benign_allowed: Option<f64>,
    /// Fewest rows whose expectation must be met
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    min_cases_right: Option<f64>,
}

impl BoundArgs {
    /// The bounds that were given.
    pub(crate) fn given(self) -> Vec<Bound> {
        let given = |figure| match figure {
            Figure::HarmfulAllowed => self.max_harmful_allowed,
            Figure::HarmfulDenied => self.min_harmful_denied,
            Figure::BenignDenied => self.max_benign_denied,
            Figure::BenignAllowed => self.min_benign_allowed,
            Figure::CasesRight => self.min_cases_right,
        };
        Figure::ALL.into_iter().filter_map(|figure| given(figure).map(|percent| Bound { figure, percent })).collect()
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').parse::<f64>().ok();
    number
        .filter(|number| (0.0..=100.0).contains(number))
        .ok_or_else(|| "a number from 0 to 100, in percent".to_owned())
}
