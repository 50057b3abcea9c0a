//! Reads corpora and judges them, row by row, so that a file of any length costs the memory of one row.

use super::GateToolError;
use crate::{error::EngineError, outlet, request::policy_of};
use gate::corpus::{Case, CaseJudge, CaseRecord, Table};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};
use types::profile::Profile;

/// Longest line of a corpus, in bytes.
const MAX_LINE: u64 = 64 * 1024 * 1024;

/// Judges every case of the files, in order, by the deterministic stages under the operator's profile. `each` gets every case with
/// its answer and the bytes read so far. `-` is standard input.
///
/// # Errors
/// [`GateToolError`] names the file and the line; what came before it was given to `each`.
pub fn test_gate(
    profile: &Profile,
    files: &[PathBuf],
    each: &mut dyn FnMut(&Case, &CaseRecord, u64),
) -> Result<Table, GateToolError> {
    let routes = outlet::routes(profile)?;
    let trusted = routes.into_iter().map(|route| route.endpoint).collect();
    let mut judge = CaseJudge::new(policy_of(&profile.gate), trusted);
    let mut table = Table::default();
    let mut bytes = 0;
    for path in files {
        let read = |source| EngineError::Read { path: path.clone(), source };
        let mut reader: Box<dyn BufRead> = if path == Path::new("-") {
            Box::new(io::stdin().lock())
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
                return Err(GateToolError::LongLine { path: path.clone(), line, max: MAX_LINE });
            }
            bytes += length;
            let case = Case::read(&text).map_err(|source| GateToolError::Line { path: path.clone(), line, source })?;
            let Some(case) = case else { continue };
            let (record, _) = judge.judge(&case)?;
            table.add(&case, &record);
            each(&case, &record, bytes);
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{
        profile::{Layer, Resolved},
        source::Source,
    };

    #[test]
    fn every_row_is_answered_in_order_up_to_one_that_is_no_json() {
        let default = Layer::parse(Source::Default, include_str!("../../../../profiles/default.toml")).expect("TOML");
        let profile = Resolved::new(&[default]).expect("profile").profile;
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("a.jsonl");
        let row = |id: &str| format!(r#"{{"id":"{id}","tool":"Bash","input":{{"command":"ls"}}}}"#);
        std::fs::write(&path, format!("{}\n\n{{}}\n{}", row("a"), row("b"))).expect("write");
        let mut ids = Vec::new();
        let table = test_gate(&profile, &[path.clone(), path.clone()], &mut |case, _, _| ids.push(case.id.to_string()));
        assert_eq!(table.expect("judged").rows, 6);
        assert_eq!(ids, ["\"a\"", "null", "\"b\"", "\"a\"", "null", "\"b\""]);
        std::fs::write(&path, format!("{}\nls\n", row("a"))).expect("write");
        let error = test_gate(&profile, std::slice::from_ref(&path), &mut |_, _, _| {}).expect_err("no JSON");
        assert_eq!(error.to_string(), format!("line 2 of {} is not a case", path.display()));
        assert_eq!(error.exit(), types::exit::Exit::Usage);
    }
}
