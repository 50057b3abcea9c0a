//! The judge: a tool call in, a [`types::verdict::Verdict`] out.
//!
//! Why it exists: an unattended agent must not run a call that a careful engineer would stop. The gate reads what a call
//! *does* (its effects), not how it is spelled, and decides on that.
//!
//! What must stay true: nothing here does I/O or knows a clock other than to measure itself; the same call, history and
//! policy give the same verdict; what cannot be read is never silently safe; every failure denies (`fail_closed`).

mod args;
mod argument;
mod asked;
pub mod classifier;
mod code;
mod content;
pub mod corpus;
mod defaults;
mod destination;
mod effect;
mod escalation;
mod executed;
mod explain;
mod fail_closed;
mod floor;
mod flow;
mod integrity;
mod isolated;
mod judge;
mod ledger;
mod made;
mod named;
mod notebook;
mod phrase;
mod place;
mod policy;
mod probe;
mod probe_worker;
mod program;
mod replaced;
mod rule;
mod rule_page;
mod scrutiny;
mod secret;
mod secret_table;
mod shell;
mod similar;
mod token;
mod tool;
mod weaken;
mod worker;
mod world;
mod written;
mod zone;

pub use asked::Asked;
pub use defaults::{Defaults, NameList, StagePage, defaults};
pub use destination::{Destination, Direction};
pub use effect::{Effect, Finding, Program, Severity};
pub use escalation::{Escalation, Trigger, can_lift};
pub use explain::{CommandView, Explanation};
pub use judge::Gate;
pub use ledger::{Ledger, Provenance, SimilarDenial, WrittenFile};
pub use place::Place;
pub use policy::{Mode, Policy};
pub use probe::{Suspicion, Trick, probe};
pub use probe_worker::{ProbeWorker, Unprobed, warning};
pub use rule::RuleError;
pub use rule_page::{Example, RulePage, render_page, rule_page};
pub use similar::Likeness;
pub use worker::{GateWorker, WorkerError};
pub use world::World;
