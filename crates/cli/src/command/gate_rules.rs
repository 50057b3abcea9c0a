//! `sandbox gate rules`.

use crate::{args::Format, failure::Failure, gate_args::RulesArgs, report};
use engine::{render_page, rule_page};
use types::{
    catalogue::RuleId,
    exit::Exit,
    text::{nearest, printable},
};

pub(super) fn run(args: &RulesArgs) -> Result<Exit, Failure> {
    let ids = match &args.id {
        None => RuleId::ALL.to_vec(),
        Some(name) => vec![RuleId::named(name).ok_or_else(|| unknown(name))?],
    };
    for id in ids {
        let page = rule_page(id);
        match (args.format.get(), &args.id) {
            (Format::Jsonl, _) => report::json(&page),
            (Format::Human, Some(_)) => report::data(render_page(&page).trim_start_matches("### ")),
            (Format::Human, None) => {
                let kind = if page.is_hard { "hard" } else { "soft" };
                let first = page.covers.split_once(['.', ':', ';']).map_or(page.covers, |(first, _)| first);
                report::data(&format!("{:<22} {kind}  {first}\n", id.as_str()));
            }
        }
    }
    Ok(Exit::Passed)
}

fn unknown(name: &str) -> Failure {
    let hint = match nearest(name, RuleId::ALL.map(RuleId::as_str)) {
        Some(known) => format!("did you mean `{known}`?"),
        None => "`sandbox gate rules` lists them".to_owned(),
    };
    Failure::usage(format!("no rule has the id `{}`", printable(name, 60)), Some(hint))
}
