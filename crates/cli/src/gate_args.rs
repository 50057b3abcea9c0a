//! Arguments of `sandbox gate`.

use crate::{
    args::{FormatArgs, RunName},
    complete,
};
use clap::{Args as ClapArgs, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use engine::corpus::{Bound, Figure};
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
pub(crate) struct GateArgs {
    #[command(subcommand)]
    pub(crate) command: GateCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GateCommand {
    /// Say what the gate makes of a command: parse, effects, rule, reason, what would clear it
    Explain(ExplainArgs),
    /// List the built-in rules, or print the page of one
    Rules(RulesArgs),
    /// Print everything that is built in: stages, rules, lists
    Defaults {
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Judge a corpus of labelled calls and print rates
    Test(TestArgs),
    /// Judge a past run again under other settings (--profile, --set) and print what changes
    Replay(ReplayArgs),
}

/// Judge one call as a run of the repository you stand in would, and say why
#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    /// The command, quoted; several words are taken as one command's (`-- rm -rf x`)
    #[arg(value_name = "COMMAND", required_unless_present = "input", conflicts_with = "input")]
    pub(crate) command: Vec<String>,
    /// Another tool than Bash; needs --input
    #[arg(long, value_name = "NAME", requires = "input", default_value = "Bash", hide_default_value = true)]
    pub(crate) tool: String,
    /// The tool's input, as JSON
    #[arg(long, value_name = "JSON")]
    pub(crate) input: Option<String>,
    /// Directory that it runs in, inside the container [default: the work tree]
    #[arg(long, value_name = "DIR", default_value = "", hide_default_value = true)]
    pub(crate) cwd: String,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RulesArgs {
    /// Id of a rule, such as git_remote
    #[arg(value_name = "ID", add = ArgValueCandidates::new(complete::rules))]
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) name: RunName,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Judge a corpus of labelled calls, one JSON object a line, and print how they are settled by category and stage
#[derive(Debug, ClapArgs)]
pub(crate) struct TestArgs {
    /// Corpora; `-` reads standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Only the deterministic stages; what they leave open is `undecided`
    #[arg(long, conflicts_with_all = ["classifier", "replay"])]
    pub(crate) no_model: bool,
    /// Ask the profile's classifier, or that MODEL, about what the deterministic stages leave open; this costs money
    #[arg(long, value_name = "MODEL", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) classifier: Option<String>,
    /// Play the classifier's side from a file (`sandbox schema replay`)
    #[arg(long, value_name = "SCRIPT", requires = "classifier")]
    pub(crate) replay: Option<PathBuf>,
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
