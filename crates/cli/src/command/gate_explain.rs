//! `sandbox gate explain`.

use crate::{
    args::{Format, SettingsArgs},
    config,
    failure::Failure,
    gate_args::ExplainArgs,
    report::{self, explanation},
};
use engine::Question;
use serde_json::{Value, json};
use std::path::Path;
use types::exit::Exit;

pub(super) async fn run(settings: &SettingsArgs, args: ExplainArgs) -> Result<Exit, Failure> {
    let profile = config::load(settings, None)?.profile;
    let input = match &args.input {
        Some(text) => serde_json::from_str(text).map_err(|error| {
            Failure::usage(
                format!("--input is not JSON: {error}"),
                Some(r#"write it like '{"file_path": "a"}'"#.into()),
            )
        })?,
        None => json!({ "command": line(&args.command) }),
    };
    let question = Question { tool: args.tool, input: object(input)?, cwd: args.cwd };
    let explanation = engine::explain_call(&profile, Path::new("."), question).await?;
    match args.format.get() {
        Format::Human => report::data(&explanation::render(&explanation)),
        Format::Jsonl => report::json(&explanation),
    }
    Ok(Exit::Passed)
}

fn object(input: Value) -> Result<Value, Failure> {
    if input.is_object() {
        return Ok(input);
    }
    Err(Failure::usage("--input is not a JSON object", Some(r#"write it like '{"file_path": "a"}'"#.into())))
}

/// One word is a whole line. Of several, the calling shell has taken the quotes; they are put back where they matter.
fn line(words: &[String]) -> String {
    let quoted = |word: &String| {
        let is_plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=@%+,~".contains(c));
        if is_plain { word.clone() } else { format!("'{}'", word.replace('\'', r"'\''")) }
    };
    match words {
        [whole] => whole.clone(),
        [..] => words.iter().map(quoted).collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn words_stay_words() {
        let words = |list: &[&str]| line(&list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(words(&["a | b"]), "a | b");
        assert_eq!(words(&["rm", "-rf", "my dir", "it's", "$x"]), r"rm -rf 'my dir' 'it'\''s' '$x'");
    }
}
