//! The order in which everything is played: without walls first, then all runs, as many side by side as there are processors.

use crate::{
    args::Args,
    case::Case,
    judge::{self, Evidence},
    main_run,
    report::{self, Report, play},
    row::{Outcome, Row},
    scenes::{SCENES, Scene, engine_away},
    stage::{self, Stage},
    table::{cases, controls},
    weak,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};
use system_tests::internet::map::PLACES;

/// Runs at the same time: most of a run is waiting.
const SIDE_BY_SIDE: usize = 4;

/// Everything that came of it.
pub(crate) struct Played {
    /// Without walls.
    pub(crate) weak: Vec<Row>,
    /// What was not expected there.
    pub(crate) surprises: Vec<String>,
    /// With walls.
    pub(crate) strong: Vec<Row>,
    pub(crate) seconds: u64,
}

/// Something to be played with walls.
#[derive(Clone, Copy)]
enum Job {
    Main(&'static str),
    Scene(&'static str, &'static str, Scene),
}

/// What came of it.
enum Done {
    Main(&'static str, Evidence, Vec<Case>, Vec<crate::case::Step>),
    Scene(&'static str, &'static str, Report),
}

/// Plays what the arguments ask for.
pub(crate) fn all(args: &Args) -> Played {
    let clock = Clock(Instant::now());
    report::keep_quiet();
    let mut cases: Vec<_> = cases().into_iter().filter(|case| args.wants(case.id)).collect();
    if args.only_inside {
        only_inside(&mut cases);
        let mut stage = Stage::with_the_machine_s_engine();
        clock.tell("the fake internet stands");
        let deaf = deaf(&stage);
        clock.tell("every place was reached directly");
        let strong = strong(args, &mut stage, &cases, &deaf, clock);
        return Played { weak: Vec::new(), surprises: Vec::new(), strong, seconds: clock.seconds() };
    }
    let mut stage = Stage::with_own_engine();
    let _neighbour = weak::Neighbour::start();
    clock.tell("the fake internet and an engine of our own stand");
    let deaf = deaf(&stage);
    clock.tell("every place was reached directly");
    let weak = thread::scope(|scope| {
        let primed = scope.spawn(|| {
            if !args.only_weak {
                stage.prime()
            }
        });
        let rows = if args.wants_weak() { weak::phase(&stage, &cases, &controls(), &deaf) } else { Vec::new() };
        clock.tell("without walls");
        primed.join().expect("the agent's image");
        rows
    });
    let mut surprises = weak::surprises(&cases, &weak);
    let broken = weak.iter().filter(|row| row.outcome == Outcome::Broken).count();
    if args.wants_weak() && args.ids.is_empty() && broken < weak::MUST_BREAK {
        surprises.push(format!("only {broken} are broken"));
    }
    let strong = if args.only_weak { Vec::new() } else { strong(args, &mut stage, &cases, &deaf, clock) };
    Played { weak, surprises, strong, seconds: clock.seconds() }
}

/// Scenes that go with the run of the plan.
const INSIDE: [&str; 2] = [main_run::NAME, "nothing trusted"];

/// Leaves of the cases what is tried in the run of the plan, and its like without endpoints.
fn only_inside(cases: &mut Vec<Case>) {
    for case in cases.iter_mut() {
        case.scenes.retain(|name| INSIDE.contains(name));
    }
    cases.retain(|case| !case.steps.is_empty() || !case.scenes.is_empty());
}

/// Says what is done as it is done.
#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn tell(self, what: &str) {
        println!("{:6.1} s  {what}", self.0.elapsed().as_secs_f64());
    }

    fn seconds(self) -> u64 {
        self.0.elapsed().as_secs()
    }
}

/// Reaches every place as a program on the host does; the names of those that do not hear it.
fn deaf(stage: &Stage) -> Vec<&'static str> {
    let reached = |place: &&system_tests::internet::map::Place| !stage.internet.reaches(place, "reached-directly");
    PLACES.iter().filter(reached).map(|place| place.name).collect()
}

fn strong(args: &Args, stage: &mut Stage, cases: &[Case], deaf: &[&'static str], clock: Clock) -> Vec<Row> {
    let (runtimes, missing): (Vec<_>, Vec<_>) = args.runtimes().into_iter().partition(|name| stage::is_installed(name));
    let wanted: BTreeSet<_> = cases.iter().flat_map(|case| &case.scenes).copied().collect();
    let mut jobs: VecDeque<_> = runtimes.iter().copied().map(Job::Main).collect();
    for (name, scene) in SCENES.iter().filter(|(name, _)| wanted.contains(name)) {
        if let Some(scene) = scene {
            jobs.extend(runtimes.iter().map(|runtime| Job::Scene(name, runtime, *scene)));
        }
    }
    let done = side_by_side(stage, cases, jobs, clock);
    let mut reports: BTreeMap<&str, BTreeMap<&'static str, Report>> = BTreeMap::new();
    let mut mains = Vec::new();
    // Nothing else runs while the engine is stopped.
    if wanted.contains(engine_away::NAME) {
        let report = play(|report| engine_away::play(stage, &runtimes, report));
        clock.tell(&format!("{}, {} ms", engine_away::NAME, report.millis));
        for runtime in &runtimes {
            reports.entry(runtime).or_default().insert(engine_away::NAME, report.clone());
        }
    }
    for done in done {
        match done {
            Done::Main(runtime, evidence, cases, controls) => mains.push((runtime, evidence, cases, controls)),
            Done::Scene(name, runtime, report) => {
                reports.entry(runtime).or_default().insert(name, report);
            }
        }
    }
    mains.sort_by_key(|(runtime, ..)| *runtime);
    let mut rows = Vec::new();
    for (runtime, mut evidence, cases, controls) in mains {
        evidence.reports.extend(reports.remove(runtime).unwrap_or_default());
        evidence.deaf = deaf.to_vec();
        rows.extend(judge::strong(&cases, &controls, evidence, runtime));
    }
    rows.extend(missing.iter().flat_map(|runtime| cases.iter().map(|case| Row::skipped(case.id, runtime))));
    rows
}

fn side_by_side(stage: &Stage, cases: &[Case], jobs: VecDeque<Job>, clock: Clock) -> Vec<Done> {
    let (jobs, done) = (Mutex::new(jobs), Mutex::new(Vec::new()));
    let work = || {
        while let Some(job) = next(&jobs) {
            let came = match job {
                Job::Main(runtime) => {
                    let (evidence, cases, controls) = main_run::make(stage, runtime, cases, &controls());
                    clock.tell(&format!("{runtime}: the plan"));
                    Done::Main(runtime, evidence, cases, controls)
                }
                Job::Scene(name, runtime, scene) => {
                    let report = play(|report| scene(stage, runtime, report));
                    clock.tell(&format!("{runtime}: {name}, {} ms", report.millis));
                    Done::Scene(name, runtime, report)
                }
            };
            done.lock().unwrap_or_else(PoisonError::into_inner).push(came);
        }
    };
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            let player = thread::Builder::new().name(report::PLAYER.to_owned());
            let _joined_at_the_end = player.spawn_scoped(scope, work).expect("a thread");
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn next(jobs: &Mutex<VecDeque<Job>>) -> Option<Job> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}
