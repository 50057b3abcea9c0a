//! Admission: from a task and a directory to a stored plan. Everything that can be refused is refused here, before
//! anything is made.

use crate::{
    Engine,
    attempt::{Start, Supervised},
    clock::now_ms,
    error::EngineError,
    keys, outlet,
    paths::write_atomic,
    plan::{AttemptPlan, task_digest},
    recorder::Recorder,
    redact,
    routes::routes,
};
use repo::{Base, Mirror, Remote, UserRepo};
use runtime::{Docker, Runtime};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};
use store::NewAttempt;
use tokio::sync::mpsc::UnboundedSender;
use types::{
    event::{Event, EventRecord},
    id::{RunId, TaskName},
    profile::Profile,
    task::{FrontMatter, Task},
};

/// A task that someone wants to be run.
#[derive(Clone, Debug)]
pub struct Request {
    /// The task's name.
    pub name: TaskName,
    /// The task.
    pub task: Task,
    /// Its file's text, kept with the run.
    pub text: String,
    /// The operator's profile, narrowed by the task.
    pub profile: Profile,
    /// A directory of the repository.
    pub directory: PathBuf,
    /// A scripted conversation instead of a model.
    pub replay: Option<PathBuf>,
    /// Where to keep the conversation with the model, so that it can be played.
    pub record: Option<PathBuf>,
}

impl Engine {
    /// Admits a task. If the same task on the same repository was left behind by a process that is gone, that run is taken
    /// up instead of starting another one.
    ///
    /// # Errors
    /// [`EngineError`]; nothing was made then.
    pub async fn admit(
        &self,
        request: Request,
        events: UnboundedSender<EventRecord>,
        started: Instant,
    ) -> Result<Supervised, EngineError> {
        let profile = &request.profile;
        if !profile.model.models.contains(&profile.agent.model) {
            return Err(EngineError::Model { model: profile.agent.model.clone() });
        }
        let replay = request.replay.as_deref().map(absolute).transpose()?;
        let record = request.record.as_deref().map(absolute).transpose()?;
        let backend = outlet::backend(profile, replay.as_deref())?;
        outlet::check(profile, &backend)?;
        // From here on the credential is known.
        without_secrets(&request.text)?;
        let since = Instant::now();
        let digest = task_digest(&request.text);
        let reading = async {
            let user = UserRepo::discover(&request.directory).await?;
            let repository = user.root().display().to_string();
            if let Some(orphan) = self.orphan(&digest, &repository)? {
                match self.take_up(&orphan, events.clone(), started) {
                    // It ended meanwhile, so that this is a task of its own.
                    Err(EngineError::Over { .. }) => {}
                    taken_up => return taken_up.map(|supervised| Read::Orphan(Box::new(supervised))),
                }
            }
            Source::read(&user, &self.paths.cache, &request.task.front).await.map(Read::Source)
        };
        // Looking for the container engine makes nothing; one that is not there is an error where it is needed.
        let connecting = async {
            let Ok(docker) = Docker::connect().await else { return Ok(None) };
            let info = docker.info().await.ok();
            Ok(info.map(|info| Box::new((docker, info))))
        };
        let (source, runtime) = match tokio::try_join!(reading, connecting)? {
            (Read::Orphan(supervised), _) => return Ok(*supervised),
            (Read::Source(source), runtime) => (source, runtime),
        };
        if let Some(path) = record.as_ref().filter(|path| path.exists()) {
            return Err(EngineError::RecordExists { path: path.clone() });
        }
        let Source { repository, remotes, notes, base, snapshot } = source;
        // And from here on those of its remotes, before anything is written down.
        keys::git(&request.profile, &routes(&request.profile, &remotes)?)?;
        without_secrets(&request.text)?;
        let run = RunId::mint(u64::try_from(now_ms()).unwrap_or(0), fastrand::u32(..));
        let plan = AttemptPlan {
            run: run.clone(),
            task: request.name,
            attempt: 1,
            prompt: request.task.prompt,
            setup: request.task.front.setup,
            verify: request.task.front.verify,
            changes: request.task.front.expect.map(|expect| expect.changes).unwrap_or_default(),
            repository,
            base,
            remotes,
            replay,
            record,
            session: uuid::Uuid::new_v4().to_string(),
            placeholder: format!("sandbox-placeholder-{}", uuid::Uuid::new_v4().simple()),
            placeholders: keys::placeholders(&routes(&request.profile, &[])?),
            profile: request.profile,
        };
        gate_of(&plan)?;
        let files = self.paths.attempt(&run, &plan.task, plan.attempt);
        files.prepare()?;
        let lock = crate::claim::lock(&self.paths, &run)?;
        let json =
            serde_json::to_string_pretty(&plan).map_err(|source| EngineError::Plan { run: run.clone(), source })?;
        // Settings can hold a secret too, such as a command that prints one.
        let json = redact::text(&json).into_owned();
        write_atomic(&files.task.join("task.md"), request.text.as_bytes())?;
        write_atomic(&files.task.join("task.lock.json"), json.as_bytes())?;
        self.store.admit(&NewAttempt {
            run: &run,
            attempt: plan.attempt,
            task: plan.task.as_str(),
            task_digest: &digest,
            repository: &plan.repository.display().to_string(),
            plan: &json,
            now_ms: now_ms(),
        })?;
        let recorder = Arc::new(Recorder::open(&run, &files.file("events.jsonl"), started, events)?);
        recorder.emit(launch(&plan, &files.root));
        recorder.step("repository", since);
        for text in notes {
            recorder.emit(Event::Notice { text });
        }
        Ok(Supervised {
            plan,
            start: Start::Fresh { snapshot, runtime },
            backend: Some(backend),
            recorder,
            files,
            _lock: lock,
        })
    }
}

/// Refuses a task that holds a secret which is known by now.
fn without_secrets(text: &str) -> Result<(), EngineError> {
    if redact::is_in(text) { Err(EngineError::SecretInTask) } else { Ok(()) }
}

fn absolute(path: &Path) -> Result<PathBuf, EngineError> {
    std::path::absolute(path).map_err(|source| EngineError::Read { path: path.to_owned(), source })
}

/// What the user's repository says.
enum Read {
    /// A run of the same task was left behind and is taken up.
    Orphan(Box<Supervised>),
    Source(Source),
}

/// Where a run's work starts from.
struct Source {
    repository: PathBuf,
    remotes: Vec<Remote>,
    /// What a person should know of the remotes.
    notes: Vec<String>,
    base: Base,
    snapshot: PathBuf,
}

impl Source {
    async fn read(user: &UserRepo, cache: &Path, task: &FrontMatter) -> Result<Self, EngineError> {
        let mirror = Mirror::open(cache, user)?;
        let ((remotes, notes), base) = tokio::try_join!(user.remotes(), mirror.resolve(task.base.as_deref()))?;
        let remotes = chosen(remotes, task.remotes.as_deref())?;
        let snapshot = mirror.snapshot(&base, &remotes).await?;
        Ok(Self { repository: user.root().to_owned(), remotes, notes, base, snapshot })
    }
}

fn launch(plan: &AttemptPlan, dir: &std::path::Path) -> Event {
    let name = plan.repository.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Event::Launch {
        task: plan.task.to_string(),
        repository: name,
        base: format!("{}@{}", plan.base.branch, &plan.base.commit[..plan.base.commit.len().min(8)]),
        image: plan.profile.container.image.clone(),
        dir: dir.to_owned(),
    }
}

/// The operator's say, for the gate.
pub(crate) fn policy_of(profile: &types::profile::GateProfile) -> gate::Policy {
    gate::Policy {
        mode: match profile.mode {
            types::profile::GateMode::Enforce => gate::Mode::Enforce,
            types::profile::GateMode::AllowAll => gate::Mode::AllowAll,
        },
        allow: profile.allow.clone(),
        ask: profile.ask.clone(),
        deny: profile.deny.clone(),
        only_by_rule: profile.auto_mode == types::profile::AutoMode::Disabled,
    }
}

/// The gate of a plan.
///
/// # Errors
/// [`EngineError::Rule`] for a rule that cannot be read.
pub(crate) fn gate_of(plan: &AttemptPlan) -> Result<gate::Gate, EngineError> {
    let policy = policy_of(&plan.profile.gate);
    let listeners = crate::listeners::listeners(&[]);
    let world = gate::World {
        remotes: plan.remotes.iter().map(|remote| (remote.name.clone(), remote.url.clone())).collect(),
        trusted: routes(&plan.profile, &[])?.into_iter().map(|route| route.endpoint).collect(),
        // Nothing is pushed from a run: what it made is published from the host.
        session_branch: None,
        control: vec![listeners.model.to_string()],
        ..gate::World::default()
    };
    Ok(gate::Gate::new(&policy, world.with_task(&plan.prompt))?)
}

/// The remotes that the task asks for.
pub(crate) fn chosen(remotes: Vec<Remote>, wanted: Option<&[String]>) -> Result<Vec<Remote>, EngineError> {
    let Some(wanted) = wanted else { return Ok(remotes) };
    for name in wanted {
        if !remotes.iter().any(|remote| &remote.name == name) {
            let known = remotes.into_iter().map(|remote| remote.name).collect();
            return Err(EngineError::NoRemote { name: types::text::printable(name, 60), known });
        }
    }
    Ok(remotes.into_iter().filter(|remote| wanted.contains(&remote.name)).collect())
}
