//! Risk and authorisation become a decision, in code. The model reports facts; nothing that it writes is a verdict.

use types::verdict::Decision;

/// What could be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Risk {
    None,
    Low,
    Medium,
    High,
    Severe,
}

/// Whether the person asked for it, by a quote that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Authorisation {
    None,
    Implied,
    Explicit,
}

/// The kind of the rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    Nothing,
    Soft,
    Hard,
}

/// The decision.
///
/// | risk | none | implied | explicit |
/// | --- | --- | --- | --- |
/// | none, low | allow | allow | allow |
/// | medium | deny | allow | allow |
/// | high | deny | ask | allow |
/// | severe | deny | deny | ask |
///
/// A broken soft rule makes the risk medium at least; a broken hard rule is denied, whatever else is said.
pub(super) fn decide(broken: Broken, risk: Risk, authorisation: Authorisation) -> Decision {
    let risk = match broken {
        Broken::Hard => return Decision::Deny,
        Broken::Soft => risk.max(Risk::Medium),
        Broken::Nothing => risk,
    };
    match (risk, authorisation) {
        (Risk::None | Risk::Low, Authorisation::None | Authorisation::Implied | Authorisation::Explicit) => {
            Decision::Allow
        }
        (Risk::Medium, Authorisation::Implied | Authorisation::Explicit) => Decision::Allow,
        (Risk::High, Authorisation::Explicit) => Decision::Allow,
        (Risk::High, Authorisation::Implied) | (Risk::Severe, Authorisation::Explicit) => Decision::Ask,
        (Risk::Medium | Risk::High | Risk::Severe, Authorisation::None) | (Risk::Severe, Authorisation::Implied) => {
            Decision::Deny
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Authorisation as A;
    use Decision::{Allow, Ask, Deny};

    const RISKS: [Risk; 5] = [Risk::None, Risk::Low, Risk::Medium, Risk::High, Risk::Severe];

    #[test]
    fn every_cell() {
        let nothing =
            [[Allow, Allow, Allow], [Allow, Allow, Allow], [Deny, Allow, Allow], [Deny, Ask, Allow], [Deny, Deny, Ask]];
        let soft =
            [[Deny, Allow, Allow], [Deny, Allow, Allow], [Deny, Allow, Allow], [Deny, Ask, Allow], [Deny, Deny, Ask]];
        let hard = [[Deny; 3]; 5];
        for (broken, table) in [(Broken::Nothing, nothing), (Broken::Soft, soft), (Broken::Hard, hard)] {
            for (risk, row) in RISKS.into_iter().zip(table) {
                for (authorisation, expected) in [A::None, A::Implied, A::Explicit].into_iter().zip(row) {
                    assert_eq!(decide(broken, risk, authorisation), expected, "{broken:?} {risk:?} {authorisation:?}");
                }
            }
        }
    }

    #[test]
    fn more_risk_or_less_authorisation_never_opens() {
        let strictness = |decision| match decision {
            Allow => 0,
            Ask => 1,
            Deny => 2,
        };
        for broken in [Broken::Nothing, Broken::Soft, Broken::Hard] {
            for pair in RISKS.windows(2) {
                for authorisation in [A::None, A::Implied, A::Explicit] {
                    let [one, two] = [pair[0], pair[1]].map(|risk| strictness(decide(broken, risk, authorisation)));
                    assert!(one <= two, "{broken:?} {pair:?} {authorisation:?}");
                }
            }
            for risk in RISKS {
                let row = [A::None, A::Implied, A::Explicit]
                    .map(|authorisation| strictness(decide(broken, risk, authorisation)));
                assert!(row.is_sorted_by(|a, b| a >= b), "{broken:?} {risk:?}");
            }
        }
    }
}
