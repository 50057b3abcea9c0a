//! `sandbox schema`.

use crate::{args::SchemaName, failure::Failure, report};
use schemars::{Schema, schema_for};
use types::{event, exit::Exit, probe, profile, replay, result, task};

pub(super) fn run(name: SchemaName) -> Result<Exit, Failure> {
    let text =
        serde_json::to_string_pretty(&schema(name)).map_err(|error| Failure::of(&error, None, Exit::Internal))?;
    report::data(&format!("{text}\n"));
    Ok(Exit::Passed)
}

fn schema(name: SchemaName) -> Schema {
    match name {
        SchemaName::Task => schema_for!(task::FrontMatter),
        SchemaName::Replay => schema_for!(replay::Replay),
        SchemaName::Result => schema_for!(result::AttemptResult),
        SchemaName::Event => schema_for!(event::EventRecord),
        SchemaName::Gate => schema_for!(event::GateRecord),
        SchemaName::Egress => schema_for!(event::EgressRecord),
        SchemaName::Usage => schema_for!(event::Usage),
        SchemaName::Profile => schema_for!(profile::Profile),
        SchemaName::Probe => schema_for!(probe::ProbeReport),
    }
}
