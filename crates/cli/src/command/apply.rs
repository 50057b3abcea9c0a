//! `sandbox apply`.

use crate::{
    args::ApplyArgs,
    failure::Failure,
    report::{
        human::to_stderr,
        line::{Tone, line},
    },
};
use types::exit::Exit;

pub(super) async fn run(args: ApplyArgs) -> Result<Exit, Failure> {
    let engine = super::engine()?;
    let applied = engine.apply(&args.name.run, args.repo.as_deref(), args.stage).await?;
    match applied {
        engine::Applied::Branch(branch) => {
            to_stderr(&line(Tone::Good, "Applied", &format!("branch {branch}; your work tree is untouched")));
            to_stderr(&line(Tone::Dim, "next", &format!("git log -p {branch}      git merge {branch}")));
        }
        engine::Applied::Staged => {
            to_stderr(&line(Tone::Good, "Staged", "the changes are in your index and work tree"));
            to_stderr(&line(Tone::Dim, "next", "git diff --cached      git commit"));
        }
        engine::Applied::Nothing => to_stderr("the run changed nothing, so there is nothing to apply"),
    }
    Ok(Exit::Passed)
}
