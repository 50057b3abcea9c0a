//! What the gate says of one call made by a person, before a run makes it.

use super::GateToolError;
use crate::request::policy_of;
use gate::{Explanation, Gate, World};
use repo::{RepoError, UserRepo};
use serde_json::Value;
use std::path::Path;
use types::{call::ToolCall, id::CallId, profile::Profile};

/// A call to be explained.
#[derive(Clone, Debug)]
pub struct Question {
    /// The tool.
    pub tool: String,
    /// Its input.
    pub input: Value,
    /// The directory that it runs in, inside the container; relative to the work tree.
    pub cwd: String,
}

/// Judges a call as a run of the repository at `directory` would. Outside of a repository there are no remotes.
///
/// # Errors
/// [`GateToolError`] when the settings are wrong or the repository cannot be read.
pub async fn explain_call(
    profile: &Profile,
    directory: &Path,
    question: Question,
) -> Result<Explanation, GateToolError> {
    let (remotes, session_branch) = match UserRepo::discover(directory).await {
        Ok(user) => {
            let (remotes, _) = user.remotes().await.map_err(crate::EngineError::from)?;
            // A repository without a commit has no branch that a run could start from.
            (remotes, user.branch().await.ok().flatten())
        }
        Err(RepoError::NotFound { .. }) => (Vec::new(), None),
        Err(error) => return Err(crate::EngineError::from(error).into()),
    };
    let world = World {
        remotes: remotes.into_iter().map(|remote| (remote.name, remote.url)).collect(),
        trusted: crate::routes::routes(profile, &[])?.into_iter().map(|route| route.endpoint).collect(),
        session_branch,
        control: vec![crate::listeners::listeners(&[]).model.to_string()],
        ..World::default()
    };
    let cwd = Path::new(&world.worktree).join(&question.cwd);
    let cwd = cwd.to_string_lossy().trim_end_matches('/').to_owned();
    let cwd = if cwd.is_empty() { "/".to_owned() } else { cwd };
    let id = CallId("explain".to_owned());
    let call = ToolCall { id, tool: question.tool, input: question.input, cwd, subagent: None };
    let gate = Gate::new(&policy_of(&profile.gate), world).map_err(crate::EngineError::from)?;
    Ok(gate.explain(&call))
}
