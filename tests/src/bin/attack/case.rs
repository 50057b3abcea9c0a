//! A case as data: what is done, what must come of it, what must stay silent, and what shows that this says anything.

use serde_json::{Value, json};

/// Something that came of an attempt: the whole line, or its beginning where the text ends in `*`.
pub(crate) type Pattern = String;

/// True when one of `patterns` fits.
pub(crate) fn fits(outcome: &str, patterns: &[Pattern]) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => outcome.starts_with(beginning),
        None => outcome == pattern,
    })
}

/// Where a step is made. One plan is gone through in four places of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// The task's setup.
    Setup,
    /// The agent, with a gate that allows all.
    Agent,
    /// The setup of the sandbox that proves the result.
    ProofSetup,
    /// The verification in it.
    Verify,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Setup, Self::Agent, Self::ProofSetup, Self::Verify];

    /// In words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Agent => "agent",
            Self::ProofSetup => "setup of the proof",
            Self::Verify => "verify",
        }
    }

    /// True in the sandbox that proves the result, where there is no model.
    pub(crate) fn is_proof(self) -> bool {
        matches!(self, Self::ProofSetup | Self::Verify)
    }
}

/// What the host must have written down about a step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    /// What was asked for.
    pub(crate) asked: String,
    /// The rule that refused it, or the route that it took.
    pub(crate) rule: String,
}

/// What a place must not have heard, or must have heard for a control, all of it on one connection. Empty text stands for anything
/// at all. Other runs are heard in the same places meanwhile: what a control traces holds the mark of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    /// Name of the place.
    pub(crate) place: &'static str,
    /// Texts in what it heard.
    pub(crate) texts: Vec<String>,
}

/// One attempt from inside.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Unique; begins with the id of the case.
    pub(crate) name: String,
    /// What the probe does.
    pub(crate) act: Value,
    /// Outcomes that show that it failed as it must. For a control: that it worked.
    pub(crate) good: Vec<Pattern>,
    /// Outcomes that show that the attack worked.
    pub(crate) bad: Vec<Pattern>,
    /// Good outcomes in the sandbox that proves the result, where they differ.
    pub(crate) good_in_proof: Option<Vec<Pattern>>,
    /// Made in every place, or by the agent alone.
    pub(crate) is_everywhere: bool,
    /// What the host must have on record, once for each place.
    pub(crate) record: Option<Record>,
    /// What must have stayed silent; for a control: what must have heard.
    pub(crate) traces: Vec<Trace>,
    /// Seconds that it may take; what is refused is refused at once.
    pub(crate) seconds: f64,
    /// Why it fails without walls too, where it does.
    pub(crate) holds_anyway: Option<&'static str>,
}

/// Nothing that is refused may take longer, in seconds, on a loaded machine: at once, not a timeout (N-01).
const AT_ONCE: f64 = 5.0;

impl Step {
    pub(crate) fn new(name: impl Into<String>, act: Value, good: &[&str], bad: &[&str]) -> Self {
        let patterns = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            name: name.into(),
            act,
            good: patterns(good),
            bad: patterns(bad),
            good_in_proof: None,
            is_everywhere: false,
            record: None,
            traces: Vec::new(),
            seconds: AT_ONCE,
            holds_anyway: None,
        }
    }

    /// Another name.
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// Made in setup and in the proof as well.
    pub(crate) fn everywhere(mut self) -> Self {
        self.is_everywhere = true;
        self
    }

    /// The host must have written it down.
    pub(crate) fn recorded(mut self, asked: impl Into<String>, rule: &str) -> Self {
        self.record = Some(Record { asked: asked.into(), rule: rule.to_owned() });
        self
    }

    /// A place must not have heard this; for a control: must have.
    pub(crate) fn traced(mut self, place: &'static str, text: impl Into<String>) -> Self {
        self.traces.push(Trace { place, texts: vec![text.into()] });
        self
    }

    /// The same with several texts, which are heard together.
    pub(crate) fn traced_with(mut self, place: &'static str, texts: &[&str]) -> Self {
        self.traces.push(Trace { place, texts: texts.iter().map(|text| (*text).to_owned()).collect() });
        self
    }

    /// Another outcome where there is no model.
    pub(crate) fn in_proof(mut self, good: &[&str]) -> Self {
        self.good_in_proof = Some(good.iter().map(|text| (*text).to_owned()).collect());
        self
    }

    /// It fails without walls too; why.
    pub(crate) fn holds_anyway(mut self, why: &'static str) -> Self {
        self.holds_anyway = Some(why);
        self
    }

    /// May take this long.
    pub(crate) fn within(mut self, seconds: f64) -> Self {
        self.seconds = seconds;
        self
    }

    /// Where it is made.
    pub(crate) fn roles(&self) -> &'static [Role] {
        if self.is_everywhere { &Role::ALL } else { &[Role::Agent] }
    }

    /// What the probe is told.
    pub(crate) fn instruction(&self) -> Value {
        let mut act = self.act.clone();
        act["name"] = json!(self.name);
        act
    }
}

/// What comes of a case in the setup that has no walls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weak {
    /// The attack works.
    Broken,
    /// It fails there too, and why.
    Holds(&'static str),
    /// It is not made there, and why.
    NotMade(&'static str),
}

/// Everything that is done about one id of the threat list.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The id.
    pub(crate) id: &'static str,
    /// Attempts from inside.
    pub(crate) steps: Vec<Step>,
    /// Names of the steps that must have worked for this to say anything.
    pub(crate) controls: Vec<&'static str>,
    /// Names of the runs and commands of its own.
    pub(crate) scenes: Vec<&'static str>,
    /// The same without walls.
    pub(crate) weak: Weak,
}

impl Case {
    pub(crate) fn new(id: &'static str, weak: Weak) -> Self {
        Self { id, steps: Vec::new(), controls: Vec::new(), scenes: Vec::new(), weak }
    }

    /// Adds an attempt; its name is put behind the id.
    pub(crate) fn step(mut self, mut step: Step) -> Self {
        step.name = format!("{} {}", self.id, step.name);
        self.steps.push(step);
        self
    }

    pub(crate) fn steps(self, steps: impl IntoIterator<Item = Step>) -> Self {
        steps.into_iter().fold(self, Self::step)
    }

    /// Names controls.
    pub(crate) fn controls(mut self, names: &[&'static str]) -> Self {
        self.controls.extend(names);
        self
    }

    /// Names a scene.
    pub(crate) fn scene(mut self, scene: &'static str) -> Self {
        self.scenes.push(scene);
        self
    }
}
