//! The work in and out, through the git command line.
//!
//! In: a trusted bare mirror fetches from the user's repository, and a snapshot of one commit is made from the mirror. Out:
//! a job inside a fresh container commits the work tree with a git directory of its own, and the host takes in a pack.
//!
//! What must stay true: the host never runs git with a git directory, configuration, attributes or hooks that an agent
//! wrote, and never follows a path or a ref name that it chose (DESIGN, invariant 5). Every git process of the host comes
//! from the module `git`.

pub mod apply;
mod bare;
mod cache_dir;
mod diff;
mod error;
mod git;
pub mod harvest;
mod intake;
mod mirror;
mod remote;
mod result;
pub mod review;
mod snapshot;
mod tree_tar;
mod user;

pub use apply::ApplyError;
pub use error::RepoError;
pub use git::GitError;
pub use harvest::HarvestError;
pub use intake::IntakeError;
pub use mirror::{Base, Mirror};
pub use remote::Remote;
pub use result::ResultRepo;
pub use user::UserRepo;
