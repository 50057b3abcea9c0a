//! The denials of a run as SARIF 2.1.0, for tools that show findings beside a change.
//!
//! A result names rule and reason and the line of `gate.jsonl` with the call. The call itself is not repeated: SARIF files are
//! uploaded, and a command can hold a secret.

use crate::{
    error::EngineError,
    journal,
    paths::{AttemptPaths, write_atomic},
};
use serde::Serialize;
use std::{collections::BTreeMap, path::Path};
use types::{
    catalogue::RuleId,
    event::GateRecord,
    text::printable,
    verdict::{Decision, Stage},
};

/// Name of the file in the run's directory.
pub(crate) const FILE: &str = "results.sarif";
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    column_kind: &'static str,
    results: Vec<Finding>,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Descriptor>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: String,
    short_description: Message,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<Message>,
    default_configuration: Configuration,
}

#[derive(Debug, Serialize)]
struct Message {
    text: String,
}

#[derive(Debug, Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    rule_id: String,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    partial_fingerprints: BTreeMap<&'static str, String>,
    properties: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: PhysicalLocation,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Debug, Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
}

/// Writes the denials of an attempt into the directory of its run.
///
/// # Errors
/// When the record cannot be read or the file not be written.
pub(crate) fn write(run: &Path, files: &AttemptPaths) -> Result<(), EngineError> {
    let record = files.file("gate.jsonl");
    let records: Vec<GateRecord> = journal::read(&record)?;
    let uri = record.strip_prefix(run).unwrap_or(&record).display().to_string();
    let path = run.join(FILE);
    let json = serde_json::to_vec_pretty(&log(&records, &uri))
        .map_err(|source| EngineError::Damaged { path: path.clone(), source })?;
    Ok(write_atomic(&path, &json)?)
}

fn log(records: &[GateRecord], uri: &str) -> Log {
    let mut rules: Vec<Descriptor> = RuleId::ALL.into_iter().map(built_in).collect();
    let mut results = Vec::new();
    for (n, record) in records.iter().enumerate().filter(|(_, record)| record.verdict.decision == Decision::Deny) {
        let verdict = &record.verdict;
        let (own, level) = if verdict.stage == Stage::Person {
            ("person", "note")
        } else if verdict.stage == Stage::FailClosed {
            ("gate_unavailable", "note")
        } else {
            ("policy", "warning")
        };
        let id = printable(verdict.rule.as_deref().unwrap_or(own), 200);
        let level = if RuleId::named(&id).is_some_and(RuleId::is_hard) { "error" } else { level };
        let rule_index = rules.iter().position(|rule| rule.id == id).unwrap_or_else(|| {
            let text = format!("{id}: not a built-in rule");
            rules.push(Descriptor {
                id: id.clone(),
                short_description: Message { text },
                help: None,
                default_configuration: Configuration { level },
            });
            rules.len() - 1
        });
        let tool = printable(&record.call.tool, 60);
        results.push(Finding {
            rule_id: id,
            rule_index,
            level,
            message: Message { text: format!("denied a {tool} call: {}", printable(&verdict.reason, 400)) },
            locations: [Location {
                physical_location: PhysicalLocation {
                    artifact_location: Artifact { uri: uri.to_owned() },
                    region: Region { start_line: n + 1 },
                },
            }],
            partial_fingerprints: BTreeMap::from([("call/v1", record.digest.clone())]),
            properties: BTreeMap::from([("tool", tool), ("at", record.at.to_string())]),
        });
    }
    let driver = Driver { name: "sandbox gate", semantic_version: env!("CARGO_PKG_VERSION"), rules };
    let run = Run { tool: Tool { driver }, column_kind: "unicodeCodePoints", results };
    Log { schema: SCHEMA, version: "2.1.0", runs: [run] }
}

fn built_in(id: RuleId) -> Descriptor {
    let page = gate::rule_page(id);
    let first = page.covers.split_once(['.', ':', ';']).map_or(page.covers, |(first, _)| first);
    Descriptor {
        id: id.as_str().to_owned(),
        short_description: Message { text: first.to_owned() },
        help: Some(Message { text: format!("{} Clears it: {}.", page.covers, page.clears) }),
        default_configuration: Configuration { level: if page.is_hard { "error" } else { "warning" } },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{call::ToolCall, id::CallId, verdict::Verdict};

    fn record(decision: Decision, stage: Stage, rule: Option<&str>) -> GateRecord {
        let call = ToolCall {
            id: CallId("x".into()),
            tool: "Bash".into(),
            input: serde_json::json!({"command": "curl -H 'Authorization: hunter2'"}),
            cwd: "/workspace".into(),
            subagent: None,
        };
        let verdict = Verdict { decision, stage, rule: rule.map(str::to_owned), ..Verdict::unavailable("x") };
        GateRecord { at: jiff::Timestamp::UNIX_EPOCH, digest: call.digest(), call, verdict }
    }

    #[test]
    fn denials_become_results_that_name_rule_and_line_and_no_secret() {
        let records = [
            record(Decision::Allow, Stage::SafeFloor, None),
            record(Decision::Deny, Stage::HardFloor, Some("sandbox_escape")),
            record(Decision::Deny, Stage::Rules, Some("Bash(curl:*)")),
            record(Decision::Ask, Stage::Undecided, Some("unverifiable")),
            record(Decision::Deny, Stage::Person, None),
        ];
        let log = serde_json::to_value(log(&records, "tasks/t/gate.jsonl")).expect("JSON");
        let run = &log["runs"][0];
        let found: Vec<_> = run["results"]
            .as_array()
            .expect("results")
            .iter()
            .map(|result| {
                let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().expect("index") as usize];
                assert_eq!(rule["id"], result["ruleId"]);
                let place = &result["locations"][0]["physicalLocation"];
                assert_eq!(place["artifactLocation"]["uri"], "tasks/t/gate.jsonl");
                (result["ruleId"].as_str(), result["level"].as_str(), place["region"]["startLine"].as_u64())
            })
            .collect();
        assert_eq!(
            found,
            [
                (Some("sandbox_escape"), Some("error"), Some(2)),
                (Some("Bash(curl:*)"), Some("warning"), Some(3)),
                (Some("person"), Some("note"), Some(5)),
            ]
        );
        assert!(!log.to_string().contains("hunter2"));
    }
}
