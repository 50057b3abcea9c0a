//! Corpora of labelled calls: what `gate test` judges and counts.
//!
//! Why it exists: a change to the gate is judged by what it does to thousands of calls, not by the one it was made for. What
//! must stay true: the label of a row never reaches the judgement; every row that is JSON is judged and counted once, however
//! odd it is; nothing here does I/O.

mod fields;
mod figure;
mod judge;
mod project;
mod row;
mod setting;
mod table;

pub use figure::{Bound, Figure, Interval, Measure, wilson};
pub use judge::{CaseError, CaseJudge, CaseRecord, Settled};
pub use row::{Case, Label, NotJson};
pub use table::{Counts, Table, TimeSpread};
