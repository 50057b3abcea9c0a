//! The gate's built-in rules by id. The ids are part of the interface: they stand in verdicts, ledgers and SARIF.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A built-in rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleId {
    /// Data or secrets to a place that is not trusted.
    DataExfiltration,
    /// Reaching out of the container.
    SandboxEscape,
    /// Touching the gate, its settings or the agent's configuration.
    GateTampering,
    /// Planting instructions for later agents.
    InstructionPoisoning,
    /// A shell or tunnel that others can drive.
    ReverseChannel,
    /// Deleting more than the task's own files.
    MassDeletion,
    /// Running code that nobody reviewed.
    UntrustedCode,
    /// Installing what is not pinned.
    SupplyChain,
    /// Changing shared history or remotes.
    GitRemote,
    /// Reading credentials.
    CredentialAccess,
    /// Surviving the run.
    Persistence,
    /// Gaining rights.
    Privilege,
    /// Changing shared infrastructure.
    SharedInfra,
    /// Writing to services outside.
    ExternalWrite,
    /// Using up the machine.
    ResourceAbuse,
    /// Weakening a safety measure of the project.
    SafetyRegression,
    /// Going beyond what the person asked.
    UserBoundary,
}

impl RuleId {
    /// All of them, hard ones first.
    pub const ALL: [Self; 17] = [
        Self::DataExfiltration,
        Self::SandboxEscape,
        Self::GateTampering,
        Self::InstructionPoisoning,
        Self::ReverseChannel,
        Self::MassDeletion,
        Self::UntrustedCode,
        Self::SupplyChain,
        Self::GitRemote,
        Self::CredentialAccess,
        Self::Persistence,
        Self::Privilege,
        Self::SharedInfra,
        Self::ExternalWrite,
        Self::ResourceAbuse,
        Self::SafetyRegression,
        Self::UserBoundary,
    ];

    /// The id as it stands in verdicts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DataExfiltration => "data_exfiltration",
            Self::SandboxEscape => "sandbox_escape",
            Self::GateTampering => "gate_tampering",
            Self::InstructionPoisoning => "instruction_poisoning",
            Self::ReverseChannel => "reverse_channel",
            Self::MassDeletion => "mass_deletion",
            Self::UntrustedCode => "untrusted_code",
            Self::SupplyChain => "supply_chain",
            Self::GitRemote => "git_remote",
            Self::CredentialAccess => "credential_access",
            Self::Persistence => "persistence",
            Self::Privilege => "privilege",
            Self::SharedInfra => "shared_infra",
            Self::ExternalWrite => "external_write",
            Self::ResourceAbuse => "resource_abuse",
            Self::SafetyRegression => "safety_regression",
            Self::UserBoundary => "user_boundary",
        }
    }

    /// The rule with this id.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == id)
    }

    /// Hard rules are never overridable, by operator rules or by consent.
    #[must_use]
    pub fn is_hard(self) -> bool {
        match self {
            Self::DataExfiltration
            | Self::SandboxEscape
            | Self::GateTampering
            | Self::InstructionPoisoning
            | Self::ReverseChannel => true,
            Self::MassDeletion
            | Self::UntrustedCode
            | Self::SupplyChain
            | Self::GitRemote
            | Self::CredentialAccess
            | Self::Persistence
            | Self::Privilege
            | Self::SharedInfra
            | Self::ExternalWrite
            | Self::ResourceAbuse
            | Self::SafetyRegression
            | Self::UserBoundary => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_all_and_the_hard_ones_come_first() {
        // The discriminant of the last one counts them.
        assert_eq!(RuleId::ALL.len(), RuleId::UserBoundary as usize + 1);
        for (n, id) in RuleId::ALL.into_iter().enumerate() {
            assert_eq!((id as usize, RuleId::named(id.as_str())), (n, Some(id)));
            assert_eq!(id.is_hard(), n < 5);
        }
    }
}
