//! What to do with attempts whose supervisor is gone. A pure plan: what the store and the engine know goes in, what to do
//! comes out. Carrying it out twice is the same as once.

use store::Attempt;
use types::event::Phase;

/// What the engine knows about an attempt's container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It runs.
    Running,
    /// It exists and does not run.
    Stopped,
    /// It does not exist, but the workspace volume does.
    VolumeOnly,
    /// Nothing of it is left.
    Nothing,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The agent was never executed: what was made for it is removed, and it begins in a fresh place.
    Begin,
    /// Attach to the running agent and supervise it.
    Adopt,
    /// Start the container again, in which the agent goes on with its saved session.
    Unpark,
    /// Stop what runs and read the work tree.
    Harvest,
    /// Nothing can be read any more.
    Lost,
    /// It is over and was harvested.
    Nothing,
}

/// The step for an attempt that no process supervises.
#[must_use]
pub(crate) fn step(attempt: &Attempt, found: Found) -> Step {
    match (attempt.phase, found) {
        (Phase::Done, _) => Step::Nothing,
        // The phase `running` is recorded before the agent is executed.
        (Phase::Admitted | Phase::Provisioning | Phase::Setup, _) if attempt.status.is_none() => Step::Begin,
        // A status was recorded: the agent is not to run on, whatever the container does.
        (Phase::Running | Phase::Waiting | Phase::RateLimited, Found::Running)
            if attempt.status.is_none() && attempt.agent_exec.is_some() =>
        {
            Step::Adopt
        }
        (Phase::Parked, Found::Running | Found::Stopped | Found::VolumeOnly) if attempt.status.is_none() => {
            Step::Unpark
        }
        (
            Phase::Admitted
            | Phase::Provisioning
            | Phase::Setup
            | Phase::Running
            | Phase::Waiting
            | Phase::RateLimited
            | Phase::Parked
            | Phase::Harvesting
            | Phase::Verifying,
            Found::Running | Found::Stopped | Found::VolumeOnly,
        ) => Step::Harvest,
        (
            Phase::Admitted
            | Phase::Provisioning
            | Phase::Setup
            | Phase::Running
            | Phase::Waiting
            | Phase::RateLimited
            | Phase::Parked
            | Phase::Harvesting
            | Phase::Verifying,
            Found::Nothing,
        ) => Step::Lost,
    }
}

/// True when an agent may work on after a take-up, so that someone has to answer it.
#[must_use]
pub(crate) fn may_work(attempt: &Attempt) -> bool {
    let is_before_harvest = match attempt.phase {
        Phase::Admitted
        | Phase::Provisioning
        | Phase::Setup
        | Phase::Running
        | Phase::Waiting
        | Phase::RateLimited
        | Phase::Parked => true,
        Phase::Harvesting | Phase::Verifying | Phase::Done => false,
    };
    is_before_harvest && attempt.status.is_none() && !attempt.cancel
}

/// True when the work tree was whole once this phase was recorded. Before it, a volume may hold half of a snapshot, and
/// reading it would show the other half as deleted.
#[must_use]
pub(crate) fn has_tree(phase: Phase) -> bool {
    match phase {
        Phase::Admitted | Phase::Provisioning => false,
        Phase::Setup
        | Phase::Running
        | Phase::Waiting
        | Phase::RateLimited
        | Phase::Parked
        | Phase::Harvesting
        | Phase::Verifying
        | Phase::Done => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{id::RunId, result::Status};

    fn attempt(phase: Phase, status: Option<Status>, exec: Option<&str>) -> Attempt {
        Attempt {
            run: RunId::mint(1, 2),
            attempt: 1,
            task: "t".into(),
            task_digest: String::new(),
            repository: String::new(),
            plan: String::new(),
            phase,
            status,
            reason: String::new(),
            agent_exec: exec.map(str::to_owned),
            generation: 1,
            harvested: false,
            cancel: false,
            created_ms: 0,
            ended_ms: None,
        }
    }

    #[test]
    fn a_running_agent_is_adopted_and_nothing_is_ever_dropped() {
        assert_eq!(step(&attempt(Phase::Running, None, Some("e")), Found::Running), Step::Adopt);
        assert_eq!(step(&attempt(Phase::Waiting, None, Some("e")), Found::Running), Step::Adopt);
        assert_eq!(step(&attempt(Phase::RateLimited, None, Some("e")), Found::Running), Step::Adopt);
        assert_eq!(step(&attempt(Phase::Running, Some(Status::Limit), Some("e")), Found::Running), Step::Harvest);
        for found in [Found::Running, Found::Stopped, Found::VolumeOnly, Found::Nothing] {
            for phase in [Phase::Admitted, Phase::Provisioning, Phase::Setup] {
                assert_eq!(step(&attempt(phase, None, None), found), Step::Begin, "{phase:?}");
            }
        }
        assert_eq!(step(&attempt(Phase::Setup, Some(Status::Setup), None), Found::Running), Step::Harvest);
        for found in [Found::Stopped, Found::VolumeOnly] {
            for phase in [Phase::Running, Phase::Waiting, Phase::RateLimited, Phase::Harvesting, Phase::Verifying] {
                assert_eq!(step(&attempt(phase, None, Some("e")), found), Step::Harvest, "{phase:?}");
            }
        }
        for found in [Found::Running, Found::Stopped, Found::VolumeOnly] {
            assert_eq!(step(&attempt(Phase::Parked, None, Some("e")), found), Step::Unpark);
            assert_eq!(step(&attempt(Phase::Parked, Some(Status::Interrupted), Some("e")), found), Step::Harvest);
        }
        assert_eq!(step(&attempt(Phase::Parked, None, Some("e")), Found::Nothing), Step::Lost);
        assert_eq!(step(&attempt(Phase::Running, None, Some("e")), Found::Nothing), Step::Lost);
        assert_eq!(step(&attempt(Phase::Done, Some(Status::Passed), None), Found::Running), Step::Nothing);
    }
}
