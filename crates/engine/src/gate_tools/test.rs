//! Reads corpora and judges them, row by row, so that a file of any length costs the memory of a few rows.

use super::{GateToolError, asked::Answers};
use crate::{RowClassifier, error::EngineError, request::policy_of};
use gate::corpus::{Case, CaseJudge, CaseRecord, Table};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};
use types::profile::Profile;

/// Longest line of a corpus, in bytes.
const MAX_LINE: u64 = 64 * 1024 * 1024;

/// The outcome of a test.
#[derive(Clone, Debug, Default)]
pub struct Tested {
    /// The counts.
    pub table: Table,
    /// Rows that a model was asked about.
    pub asked: u64,
    /// What that cost in US dollars, by list price.
    pub usd: f64,
}

/// Judges every case of the files, in order, under the operator's profile: by the deterministic stages, and by `classifier` what
/// those leave open. `each` gets every answer and the bytes read so far. `-` is standard input.
///
/// # Errors
/// [`GateToolError`] names the file and the line; the answers to all rows before it were given to `each`.
pub async fn test_gate(
    profile: &Profile,
    files: &[PathBuf],
    classifier: Option<RowClassifier>,
    each: &mut (dyn FnMut(&CaseRecord, u64) + Send),
) -> Result<Tested, GateToolError> {
    let routes = crate::routes::routes(profile, &[])?;
    let trusted = routes.into_iter().map(|route| route.endpoint).collect();
    let mut judge = CaseJudge::new(policy_of(&profile.gate), trusted);
    let mut answers = Answers::new(classifier, each);
    let mut bytes = 0;
    let mut read = Ok(());
    for path in files {
        read = read_file(path, &mut bytes, &mut judge, &mut answers).await;
        if read.is_err() {
            break;
        }
    }
    // What was asked for is paid for.
    let tested = answers.finish().await;
    read.map(|()| tested)
}

async fn read_file(
    path: &Path,
    bytes: &mut u64,
    judge: &mut CaseJudge,
    answers: &mut Answers<'_>,
) -> Result<(), GateToolError> {
    let read = |source| EngineError::Read { path: path.to_owned(), source };
    let mut reader: Box<dyn BufRead + Send> = if path == Path::new("-") {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::with_capacity(1 << 20, File::open(path).map_err(read)?))
    };
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        let length = Read::take(&mut reader, MAX_LINE).read_until(b'\n', &mut text).map_err(read)? as u64;
        if length == 0 {
            break;
        }
        if length == MAX_LINE && !text.ends_with(b"\n") {
            return Err(GateToolError::LongLine { path: path.to_owned(), line, max: MAX_LINE });
        }
        *bytes += length;
        let case = Case::read(&text).map_err(|source| GateToolError::Line { path: path.to_owned(), line, source })?;
        let Some(case) = case else { continue };
        let (world, verdict) = judge.judge(&case)?;
        answers.take(case, world, verdict, *bytes).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{
        profile::{Layer, Resolved},
        source::Source,
        verdict::Stage,
    };

    fn profile() -> Profile {
        let default = Layer::parse(Source::Default, include_str!("../../../../profiles/default.toml")).expect("TOML");
        Resolved::new(&[default]).expect("profile").profile
    }

    #[tokio::test]
    async fn every_row_is_answered_in_order_up_to_one_that_is_no_json() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("a.jsonl");
        let row = |id: &str| format!(r#"{{"id":"{id}","tool":"Bash","input":{{"command":"ls"}}}}"#);
        std::fs::write(&path, format!("{}\n\n{{}}\n{}", row("a"), row("b"))).expect("write");
        let mut ids = Vec::new();
        let files = [path.clone(), path.clone()];
        let tested = test_gate(&profile(), &files, None, &mut |record, _| ids.push(record.id.to_string()))
            .await
            .expect("judged");
        assert_eq!((tested.table.rows, tested.asked), (6, 0));
        assert_eq!(ids, ["\"a\"", "null", "\"b\"", "\"a\"", "null", "\"b\""]);
        std::fs::write(&path, format!("{}\nls\n", row("a"))).expect("write");
        let mut rows = 0;
        let error = test_gate(&profile(), &files[..1], None, &mut |_, _| rows += 1).await.expect_err("no JSON");
        assert_eq!(error.to_string(), format!("line 2 of {} is not a case", path.display()));
        assert_eq!((error.exit(), rows), (types::exit::Exit::Usage, 1));
    }

    #[tokio::test]
    async fn open_rows_go_to_the_model_and_come_back_in_order() {
        let dir = tempfile::tempdir().expect("dir");
        let script = dir.path().join("script.json");
        let classifier = serde_json::json!([{"contains": "frobnicate", "answer": "allow"}]);
        let json = serde_json::json!({"version": 1, "turns": [{"text": "x"}], "classifier": classifier});
        std::fs::write(&script, json.to_string()).expect("write");
        let path = dir.path().join("a.jsonl");
        let row = |id: usize, command: &str| {
            serde_json::json!({"id": id, "tool": "Bash", "input": {"command": command}}).to_string()
        };
        let rows: Vec<_> = (0..30).map(|n| row(n, if n % 3 == 0 { "frobnicate x" } else { "ls" })).collect();
        std::fs::write(&path, rows.join("\n")).expect("write");
        let model = RowClassifier::new(&profile(), Some(&script)).expect("a classifier");
        let mut ids = Vec::new();
        let mut each = |record: &CaseRecord, _| ids.push((record.id.as_u64(), record.stage));
        let tested = test_gate(&profile(), &[path], Some(model), &mut each).await.expect("judged");
        assert_eq!(tested.asked, 10);
        let stage = |n| if n % 3 == 0 { Stage::ClassifierFast } else { Stage::SafeFloor };
        assert_eq!(ids, (0..30).map(|n| (Some(n), stage(n))).collect::<Vec<_>>());
    }
}
