//! Projects, settings and plugins outside of the work tree that a build is pointed at.

use super::{build_tools, place};
use crate::{
    effect::{Effect, Program},
    shell::{SimpleCommand, Word},
    world::World,
    zone::Zone,
};

/// Projects, settings and plugins that a build is pointed at outside of the work tree: their code runs too.
pub(super) fn projects_elsewhere(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    #[rustfmt::skip]
    const OUTPUTS: [&str; 19] = [
        "-v", "--volume", "--mount",
        "-o", "--out", "--output", "--outdir", "--outfile", "--out-dir", "--target-dir", "--log", "--junit", "--report",
        "--cache", "--coverage", "--destination", "-d", "--artifacts", "--basetemp",
    ];
    let mut effects = Vec::new();
    let mut before = "";
    for word in command.args() {
        let (option, path) = word.text.split_once('=').unwrap_or((before, word.text.as_str()));
        // `//apps/cli:all` is a label of a target.
        let is_label = path.starts_with("//") && matches!(name, "bazel" | "bazelisk" | "buck" | "buck2");
        let is_path = !is_label && (path.starts_with(['/', '~']) || path.starts_with("../"));
        let is_output = OUTPUTS.iter().any(|output| option.to_ascii_lowercase().starts_with(output));
        let is_data = build_tools::is_checker(name) && !names_code(option) || is_profile(option);
        if is_path && !is_output && !is_data {
            let place = place(&Word { text: path.to_owned(), ..word.clone() }, command, world);
            if matches!(place.zone(world), Zone::Tmp | Zone::Disk | Zone::Home | Zone::Unknown) {
                effects.push(Effect::Executes(Program::File(place)));
            }
        }
        before = if word.text.starts_with('-') { &word.text } else { "" };
    }
    effects
}

/// Options whose value is code or decides which code is loaded.
fn names_code(option: &str) -> bool {
    let option = option.trim_start_matches('-').to_ascii_lowercase();
    let words = ["config", "plugin", "require", "import", "load", "rule", "preset", "parser", "path", "dir", "project"];
    let is_named = matches!(option.as_str(), "c" | "p" | "r" | "i" | "m" | "f");
    option != "xpath" && (is_named || words.iter().any(|word| option.contains(word)))
}

/// Options whose value is what an earlier run measured.
fn is_profile(option: &str) -> bool {
    let option = option.trim_start_matches('-').to_ascii_lowercase();
    [
        "func",
        "html",
        "coverprofile",
        "cpuprofile",
        "memprofile",
        "blockprofile",
        "trace",
        "junitfile",
        "junitxml",
        "jsonfile",
    ]
    .contains(&option.as_str())
}
