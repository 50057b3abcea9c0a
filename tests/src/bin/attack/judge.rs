//! From what was found, heard and written down to rows. Pure: the same evidence gives the same rows.

use crate::{
    case::{Case, Record, Role, Step, Trace, fits},
    main_run,
    report::Report,
    row::{Control, Outcome, Row},
};
use serde::Deserialize;
use std::collections::BTreeMap;
use system_tests::internet::Heard;

/// What the probe says of a step.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Finding {
    pub(crate) name: String,
    pub(crate) outcome: String,
    pub(crate) seconds: f64,
}

/// The findings of one place, by step.
pub(crate) type Findings = BTreeMap<String, Finding>;

/// Everything there is to judge one setup by.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// By place of the run; without walls there is one.
    pub(crate) findings: BTreeMap<Role, Findings>,
    /// What the places of the fake internet have heard meanwhile.
    pub(crate) heard: Vec<Heard>,
    /// How often the host has recorded what was asked with its rule; none where nothing records.
    pub(crate) records: Option<BTreeMap<Record, usize>>,
    /// How often it must have.
    pub(crate) wanted: BTreeMap<Record, usize>,
    /// What is wrong with the run's own account as a whole, if anything is.
    pub(crate) account: Option<String>,
    /// What scenes found, by name.
    pub(crate) reports: BTreeMap<&'static str, Report>,
    /// Places of the fake internet that did not hear when they were reached directly.
    pub(crate) deaf: Vec<&'static str>,
}

/// What came of a step over all places.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Came {
    /// As it must.
    Good,
    /// The attack worked.
    Bad(String),
    /// Neither, which is not as it must.
    Odd(String),
}

/// Rows with walls: everything must be as it must.
pub(crate) fn strong(cases: &[Case], controls: &[Step], mut evidence: Evidence, runtime: &'static str) -> Vec<Row> {
    evidence.wanted = wanted(cases.iter().flat_map(|case| &case.steps).chain(controls));
    cases.iter().map(|case| evidence.row(case, controls, runtime)).collect()
}

/// How many records there must be of what the steps ask for: one for each of them in each place.
fn wanted<'s>(steps: impl Iterator<Item = &'s Step>) -> BTreeMap<Record, usize> {
    let mut all = BTreeMap::new();
    for step in steps {
        let places = step.roles().iter().filter(|role| !role.is_proof() || step.good_in_proof.is_none()).count();
        if let Some(record) = &step.record {
            *all.entry(record.clone()).or_default() += places;
        }
    }
    all
}

impl Evidence {
    fn row(&self, case: &Case, controls: &[Step], runtime: &'static str) -> Row {
        let steps = case.steps.iter().map(|step| (step, self.came(step)));
        let mut wrong: Vec<String> = steps.filter_map(|(step, came)| complaint(&step.name, came)).collect();
        let mut missing = self.failed_controls(case, controls);
        let mut skipped = None;
        for name in &case.scenes {
            let Some(report) = self.reports.get(name) else {
                wrong.push(format!("the scene `{name}` was not played"));
                continue;
            };
            if let Some(failure) = &report.failure {
                wrong.push(format!("{name}: {failure}"));
                missing.push(format!("{name} did not come to its end"));
            }
            skipped = skipped.or_else(|| report.skipped.clone());
            let own = || report.checks.iter().filter(|check| check.id == case.id);
            if report.failure.is_none() && report.skipped.is_none() && !own().any(|check| !check.is_control) {
                wrong.push(format!("{name}: nothing was looked at"));
            }
            // The controls of the plan are tried in the run that the scene `main` looks at; every other scene brings its own.
            let is_controlled =
                *name == main_run::NAME && !case.controls.is_empty() || own().any(|check| check.is_control);
            if report.failure.is_none() && report.skipped.is_none() && !is_controlled {
                missing.push(format!("{name}: no control"));
            }
            wrong.extend(own().filter(|check| !check.is_control && !check.ok).map(|check| check.what.clone()));
            missing.extend(own().filter(|check| check.is_control && !check.ok).map(|check| check.what.clone()));
        }
        if case.steps.iter().any(|step| step.record.is_some())
            && let Some(account) = &self.account
        {
            wrong.push(account.clone());
        }
        let control = if missing.is_empty() { Control::Worked } else { Control::Failed };
        let outcome = match (&skipped, wrong.is_empty()) {
            (_, false) => Outcome::Broken,
            (Some(_), true) => Outcome::Skipped,
            (None, true) => Outcome::Held,
        };
        let told = wrong.into_iter().chain(missing).chain(skipped);
        let reason = told.map(|text| text.replace('\n', " ")).collect::<Vec<_>>().join("; ");
        Row { id: case.id, runtime, outcome, control, reason, millis: self.millis(case), unbroken: Vec::new() }
    }

    /// What the controls of a case are missing: the named steps, and the ears of every place that must have stayed silent.
    pub(crate) fn failed_controls(&self, case: &Case, controls: &[Step]) -> Vec<String> {
        let named = case.controls.iter().map(|name| {
            let Some(step) = controls.iter().find(|step| step.name == *name) else {
                return Some(format!("no `{name}`"));
            };
            complaint(name, self.worked(step))
        });
        let places = case.steps.iter().flat_map(|step| &step.traces).map(|trace| trace.place);
        let mut deaf: Vec<_> = places.filter(|place| self.deaf.contains(place)).collect();
        deaf.dedup();
        named.flatten().chain(deaf.into_iter().map(|place| format!("`{place}` hears nothing"))).collect()
    }

    /// What came of every step of a case, for people.
    pub(crate) fn outcomes_of(&self, case: &Case) -> String {
        let found = |step: &Step| {
            let all = self.findings.values().filter_map(|found| found.get(&step.name));
            all.map(|finding| format!("{}: `{}`", step.name, finding.outcome)).next()
        };
        case.steps.iter().filter_map(found).collect::<Vec<_>>().join(", ")
    }

    /// Milliseconds that the attempts of a case took.
    pub(crate) fn millis(&self, case: &Case) -> u64 {
        let found =
            self.findings.values().flat_map(|findings| case.steps.iter().filter_map(|step| findings.get(&step.name)));
        let seconds: f64 = found.map(|finding| finding.seconds).sum();
        let scenes: u64 =
            case.scenes.iter().filter_map(|name| self.reports.get(name)).map(|report| report.millis).sum();
        (seconds * 1000.0).round() as u64 + scenes
    }

    /// What came of an attack, with walls.
    fn came(&self, step: &Step) -> Came {
        if let Some(heard) = self.traces(step).next() {
            return Came::Bad(heard);
        }
        match self.outcomes(step) {
            Came::Good => self.recorded(step),
            not @ (Came::Bad(_) | Came::Odd(_)) => not,
        }
    }

    /// What came of a control. What it traces must have been heard.
    fn worked(&self, step: &Step) -> Came {
        let wanted = step.traces.iter().find(|trace| !self.has_heard(trace));
        match (self.outcomes(step), wanted) {
            (Came::Good, None) => self.recorded(step),
            (Came::Good, Some(trace)) => Came::Odd(format!("`{}` did not hear it", trace.place)),
            (not @ (Came::Bad(_) | Came::Odd(_)), _) => not,
        }
    }

    /// True when the attack demonstrably worked, for the setup without walls: what must stay silent has heard, or, where nothing
    /// would hear, the outcome is one of success.
    pub(crate) fn is_broken(&self, step: &Step) -> bool {
        let found = || self.findings.values().filter_map(|found| found.get(&step.name));
        let is_bad = || found().any(|found| fits(&found.outcome, &step.bad) && !fits(&found.outcome, &step.good));
        if step.traces.is_empty() { is_bad() } else { self.traces(step).next().is_some() }
    }

    fn has_heard(&self, trace: &Trace) -> bool {
        let is_it = |heard: &&Heard| heard.place == trace.place && trace.texts.iter().all(|text| heard.has(text));
        self.heard.iter().any(|heard| is_it(&heard))
    }

    fn traces(&self, step: &Step) -> impl Iterator<Item = String> {
        let found = step.traces.iter().filter(|trace| self.has_heard(trace));
        found.map(|trace| format!("`{}` has heard `{}`", trace.place, trace.texts.join("` and `")))
    }

    fn outcomes(&self, step: &Step) -> Came {
        for role in step.roles().iter().filter(|role| self.records.is_some() || **role == Role::Agent) {
            let Some(found) = self.findings.get(role).and_then(|found| found.get(&step.name)) else {
                return Came::Odd(format!("not made by {}", role.name()));
            };
            let Finding { outcome, seconds, .. } = found;
            let good = step.good_in_proof.as_ref().filter(|_| role.is_proof()).unwrap_or(&step.good);
            if !fits(outcome, good) {
                let told = format!("`{outcome}` in {}", role.name());
                return if fits(outcome, &step.bad) { Came::Bad(told) } else { Came::Odd(told) };
            }
            if *seconds > step.seconds {
                return Came::Odd(format!("took {seconds} s in {}", role.name()));
            }
        }
        Came::Good
    }

    /// Compares the host's record with what all steps together ask for.
    fn recorded(&self, step: &Step) -> Came {
        let (Some(records), Some(record)) = (&self.records, &step.record) else { return Came::Good };
        let count = |counts: &BTreeMap<Record, usize>| counts.get(record).copied().unwrap_or(0);
        let (found, wanted) = (count(records), count(&self.wanted));
        if found >= wanted {
            return Came::Good;
        }
        Came::Odd(format!("{found} records of `{}` with `{}`, not {wanted}", record.asked, record.rule))
    }
}

fn complaint(name: &str, came: Came) -> Option<String> {
    match came {
        Came::Good => None,
        Came::Bad(told) | Came::Odd(told) => Some(format!("{name}: {told}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Weak;
    use serde_json::json;
    use std::net::{IpAddr, Ipv4Addr};

    fn case() -> Case {
        let step = Step::new("connect", json!({"act": "x"}), &["403 no_route"], &["opened"]);
        Case::new("N-99", Weak::Broken)
            .controls(&["control"])
            .step(step.traced("evil", "mark").recorded("evil.test:443", "no_route"))
    }

    fn controls() -> Vec<Step> {
        vec![Step::new("control", json!({"act": "x"}), &["200"], &[])]
    }

    fn finding(name: &str, outcome: &str) -> (String, Finding) {
        (name.to_owned(), Finding { name: name.to_owned(), outcome: outcome.to_owned(), seconds: 0.25 })
    }

    fn evidence() -> Evidence {
        let found = Findings::from([finding("N-99 connect", "403 no_route"), finding("control", "200")]);
        let record = Record { asked: "evil.test:443".to_owned(), rule: "no_route".to_owned() };
        Evidence {
            findings: BTreeMap::from([(Role::Agent, found)]),
            records: Some(BTreeMap::from([(record, 1)])),
            ..Evidence::default()
        }
    }

    fn row(evidence: Evidence) -> Row {
        strong(&[case()], &controls(), evidence, "runc").remove(0)
    }

    fn heard(bytes: &str) -> Heard {
        Heard { place: "evil", from: IpAddr::V4(Ipv4Addr::LOCALHOST), bytes: bytes.as_bytes().to_vec() }
    }

    #[test]
    fn all_evidence_must_agree() {
        let row = row(evidence());
        assert!(row.is_proven() && row.reason.is_empty() && row.millis == 250, "{row:?}");
    }

    #[test]
    fn every_lack_is_named() {
        let changed = |change: fn(&mut Evidence)| {
            let mut evidence = evidence();
            change(&mut evidence);
            row(evidence)
        };
        fn found(evidence: &mut Evidence, name: &str, outcome: &str) {
            evidence.findings.get_mut(&Role::Agent).expect("agent").extend([finding(name, outcome)]);
        }
        for (change, told) in [
            ((|e| e.heard.push(heard("the mark"))) as fn(&mut Evidence), "has heard"),
            (|e| found(e, "N-99 connect", "opened"), "`opened`"),
            (|e| found(e, "N-99 connect", "timeout"), "`timeout`"),
            (|e| drop(e.findings.remove(&Role::Agent)), "not made"),
            (|e| e.records = Some(BTreeMap::new()), "0 records"),
            (|e| e.account = Some("the run counted less".to_owned()), "counted less"),
        ] {
            let row = changed(change);
            assert_eq!(row.outcome, Outcome::Broken, "{told}");
            assert!(row.reason.contains(told), "{told}: {}", row.reason);
        }
        for (change, told) in [
            ((|e| found(e, "control", "502")) as fn(&mut Evidence), "`502`"),
            (|e| e.deaf.push("evil"), "hears nothing"),
        ] {
            let row = changed(change);
            assert_eq!((row.outcome, row.control), (Outcome::Held, Control::Failed), "{told}");
            assert!(row.reason.contains(told), "{told}: {}", row.reason);
        }
    }

    #[test]
    fn slow_refusals_are_none() {
        let mut evidence = evidence();
        let found = evidence.findings.get_mut(&Role::Agent).expect("agent").get_mut("N-99 connect").expect("step");
        found.seconds = 6.0;
        assert!(row(evidence).reason.contains("took 6 s"));
    }

    #[test]
    fn scenes_must_be_played_and_look_at_something() {
        let case = Case::new("K-99", Weak::NotMade("x")).scene("play");
        let judged = |evidence: Evidence| strong(std::slice::from_ref(&case), &[], evidence, "runc").remove(0);
        assert!(judged(Evidence::default()).reason.contains("not played"));
        let with = |report: Report| Evidence { reports: BTreeMap::from([("play", report)]), ..Evidence::default() };
        assert!(judged(with(Report::default())).reason.contains("nothing was looked at"));
        let report = |look: fn(&mut Report)| {
            let mut report = Report::default();
            look(&mut report);
            report
        };
        assert!(
            judged(with(report(|r| {
                r.held("K-99", true, "fine");
                r.control("K-99", true, "somebody listened");
            })))
            .is_proven()
        );
        let lost = judged(with(report(|r| r.held("K-99", false, "it got out"))));
        assert_eq!((lost.outcome, lost.reason.as_str()), (Outcome::Broken, "it got out; play: no control"));
        // A control of another case is none.
        let unshown = judged(with(report(|r| {
            r.held("K-99", true, "fine");
            r.control("K-98", true, "somebody listened");
        })));
        assert_eq!((unshown.outcome, unshown.control), (Outcome::Held, Control::Failed));
        assert_eq!(unshown.reason, "play: no control");
        let blind = judged(with(report(|r| {
            r.held("K-99", true, "fine");
            r.control("K-99", false, "nobody listened");
        })));
        assert_eq!((blind.outcome, blind.control), (Outcome::Held, Control::Failed));
        let skipped = Report { skipped: Some("no such engine".to_owned()), ..Report::default() };
        assert_eq!(judged(with(skipped)).outcome, Outcome::Skipped);
    }

    #[test]
    fn what_is_heard_must_be_heard_together() {
        let step = Step::new("keyed", json!({"act": "x"}), &["200"], &[]).traced_with("evil", &["/runc", "Bearer one"]);
        let worked = |pieces: &[&str]| {
            let heard = pieces.iter().map(|bytes| heard(bytes)).collect();
            let findings = BTreeMap::from([(Role::Agent, Findings::from([finding("keyed", "200")]))]);
            Evidence { findings, heard, ..Evidence::default() }.worked(&step)
        };
        assert_eq!(worked(&["GET /runc Bearer one"]), Came::Good);
        assert_eq!(worked(&["GET /runc", "GET /runsc Bearer one"]), Came::Odd("`evil` did not hear it".to_owned()));
    }

    #[test]
    fn without_walls_what_is_good_is_not_bad() {
        let step = Step::new("N-99 count", json!({"act": "x"}), &["0 0"], &["0 *"]);
        let with = |outcome: &str| Evidence {
            findings: BTreeMap::from([(Role::Agent, Findings::from([finding("N-99 count", outcome)]))]),
            ..Evidence::default()
        };
        assert!(with("0 3").is_broken(&step) && !with("0 0").is_broken(&step) && !with("1 3").is_broken(&step));
    }

    #[test]
    fn without_walls_only_success_counts_as_broken() {
        let step = &case().steps[0];
        let mut evidence = evidence();
        assert!(!evidence.is_broken(step));
        evidence.findings.get_mut(&Role::Agent).expect("agent").extend([finding("N-99 connect", "opened")]);
        assert!(!evidence.is_broken(step), "it was not heard");
        evidence.heard.push(heard("mark"));
        assert!(evidence.is_broken(step));
    }
}
