//! The command line. `-h` fits a screen; `--help` explains.

use crate::{complete, gate_args::GateArgs};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCandidates;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  sandbox run task.md                run a task, walk away, get a verified diff
  sandbox diff quiet-otter           read what it changed
  sandbox apply quiet-otter          make a branch of it, your work tree stays untouched
  sandbox pending                    calls that wait for you, here or from another terminal";

const EXIT_CODES: &str = "\
Exit codes:
  0 passed · 1 internal · 2 usage or invalid file · 4 nothing to run · 75 parked, retry later
  100 failed · 101 truncated or agent crash · 102 limit · 103 stopped by policy · 104 waiting for a person
  105 infrastructure · 106 setup failed · 107 authentication · 108 apply conflict · 130/143 signal, after harvest

Files:
  $XDG_CONFIG_HOME/sandbox/profile.toml   your settings      $XDG_STATE_HOME/sandbox/runs   what runs leave
Environment:
  DOCKER_HOST, ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN, NO_COLOR, XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_CACHE_HOME
Completion:
  source <(COMPLETE=bash sandbox)         also zsh, fish; completes run names too";

/// Runs coding agents unattended in throwaway containers and hands back verified diffs.
#[derive(Debug, Parser)]
#[command(name = "sandbox", version, before_help = EXAMPLES, after_long_help = EXIT_CODES, max_term_width = 110)]
#[command(disable_help_subcommand = true, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where settings come from.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct SettingsArgs {
    /// Profile to lay over yours: a name below profiles/, or a path
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Set one value, such as limits.timeout=45m (repeatable)
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// One JSON object a line.
    Jsonl,
}

/// How a command prints its data.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub(crate) struct FormatArgs {
    /// Output format of stdout
    #[arg(long, value_enum, default_value = "human", value_name = "FORMAT")]
    format: Format,
    /// Short for --format jsonl
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

impl FormatArgs {
    pub(crate) fn get(self) -> Format {
        if self.json { Format::Jsonl } else { self.format }
    }
}

/// A run, by any unique prefix of its name.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct RunName {
    /// Run name, or any unique beginning of it
    #[arg(value_name = "RUN", add = ArgValueCandidates::new(complete::runs))]
    pub(crate) run: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a task to a verified diff
    Run(RunArgs),
    /// Go on with runs whose process is gone: adopt what still works, harvest what stopped
    Resume(ResumeArgs),
    /// List runs
    Ps(PsArgs),
    /// Print what an agent did, call by call
    Logs(LogsArgs),
    /// Show how a run ended and what to look at first
    Show(ShowArgs),
    /// Print the diff of a run
    Diff(DiffArgs),
    /// Make a branch sandbox/RUN of the result, or stage it
    Apply(ApplyArgs),
    /// List calls that wait for a person
    Pending(PendingArgs),
    /// Let a held call run, once
    Approve(ApproveArgs),
    /// Refuse a held call and tell the agent why
    Deny(DenyArgs),
    /// Stop a run and harvest it
    Cancel(RunName),
    /// Remove containers and volumes of runs that are harvested
    Gc(GcArgs),
    /// Try the gate: on a command, on a corpus, on a past run
    Gate(GateArgs),
    /// Check engine, images, credential and what each guarantee rests on
    Doctor(DoctorArgs),
    /// Build the images that runs need
    Image(ImageArgs),
    /// Show the settings in force
    Config(ConfigArgs),
    /// Check that the records of a run were not changed
    Audit(AuditArgs),
    /// Print the JSON schema of a format
    Schema(SchemaArgs),
    /// Print a shell completion script
    Completions(CompletionsArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RunArgs {
    /// Task file: Markdown, YAML front matter optional; `-` reads standard input
    #[arg(value_name = "TASK")]
    pub(crate) task: PathBuf,
    /// Repository to work on [default: the one you stand in]
    #[arg(long, value_name = "DIR")]
    pub(crate) repo: Option<PathBuf>,
    /// Play the model's side from a file instead of asking a model (`sandbox schema replay`)
    #[arg(long, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    /// Never prompt; held calls wait for `sandbox approve`
    #[arg(long)]
    pub(crate) no_prompt: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ResumeArgs {
    /// Runs to go on with [default: all whose process is gone]
    #[arg(value_name = "RUN", add = ArgValueCandidates::new(complete::runs))]
    pub(crate) runs: Vec<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PsArgs {
    /// Finished runs too
    #[arg(short, long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) name: RunName,
    /// Go on printing until the run is over
    #[arg(short, long)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) name: RunName,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) name: RunName,
    /// Only the changed paths and their counts
    #[arg(long)]
    pub(crate) stat: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) name: RunName,
    /// Put the changes into your index and work tree instead of a branch
    #[arg(long)]
    pub(crate) stage: bool,
    /// Repository to apply to [default: the one the run was made from]
    #[arg(long, value_name = "DIR")]
    pub(crate) repo: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PendingArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ApproveArgs {
    /// Id of the held call, or any unique beginning of it
    #[arg(value_name = "CALL", add = ArgValueCandidates::new(complete::asks))]
    pub(crate) ask: String,
    /// A note for the record
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) then: ThenArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ThenArgs {
    /// Go on with the run here, if no process works on it
    #[arg(long)]
    pub(crate) resume: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DenyArgs {
    /// Id of the held call, or any unique beginning of it
    #[arg(value_name = "CALL", add = ArgValueCandidates::new(complete::asks))]
    pub(crate) ask: String,
    /// What the agent is told
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) then: ThenArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GcArgs {
    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DoctorArgs {
    /// Say of each guarantee what it rests on with this engine and runtime, and how far it holds
    #[arg(long)]
    pub(crate) guarantees: bool,
    /// List what the canary tries at the start of every run
    #[arg(long, conflicts_with = "guarantees")]
    pub(crate) canary: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ImageArgs {
    #[command(subcommand)]
    pub(crate) command: ImageCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Build the base and the agent image; what is up to date is left alone
    Build,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every value with its source
    Show {
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Print the profile that matches the permissions in your Claude Code settings
    ImportClaude(ImportClaudeArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ImportClaudeArgs {
    /// Settings to read; `-` reads standard input [default: ~/.claude/settings.json]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Write it to profiles/claude.toml, for use with --profile claude, in place of what is there
    #[arg(long)]
    pub(crate) write: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    pub(crate) command: AuditCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Follow the hash chains of gate.jsonl and egress.jsonl
    Verify(RunName),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SchemaArgs {
    /// The format
    #[arg(value_enum)]
    pub(crate) name: SchemaName,
}

/// Formats that have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaName {
    /// Front matter of a task file
    Task,
    /// A scripted conversation
    Replay,
    /// result.json
    Result,
    /// A line of events.jsonl and of --format jsonl
    Event,
    /// A line of gate.jsonl
    Gate,
    /// A line of egress.jsonl
    Egress,
    /// A line of usage.jsonl
    Usage,
    /// A profile, all keys
    Profile,
    /// probe.json
    Probe,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }

    #[test]
    fn short_help_fits_a_screen() {
        let mut command = super::Args::command();
        let help = command.render_help().to_string();
        assert!(help.lines().count() <= 48, "{} lines", help.lines().count());
        assert!(help.starts_with("Examples:"), "help begins with examples");
    }

    #[test]
    fn every_exit_code_is_documented() {
        for exit in types::exit::Exit::ALL {
            assert!(super::EXIT_CODES.contains(&exit.code().to_string()), "{exit:?}");
        }
    }
}
