//! Where everything is played: the fake internet, an engine of our own in it, and users for the product.

use crate::args::Args;
use std::{env, path::PathBuf, process::Command};
use system_tests::{
    User,
    docker::docker,
    internet::{Internet, NAMESPACES},
    private_engine::{IMAGES, PrivateEngine},
};
use tempfile::TempDir;

/// The engine that has the images.
const IMAGES_FROM: &str = "SYSTEM_TEST_IMAGES_FROM";
/// The directory of the engine of our own.
const ENGINE_DIR: &str = "SYSTEM_TEST_ENGINE_DIR";

/// The runtimes under which everything is tried.
pub(crate) const RUNTIMES: [&str; 2] = ["runc", "runsc"];

/// Starts this program again in namespaces of its own, and gives its exit code.
pub(crate) fn enter(args: &Args) -> std::io::Result<i32> {
    let dir = TempDir::new()?;
    let images = env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    let own = format!("unix://{}/engine.sock", dir.path().display());
    let status = Command::new(NAMESPACES[0])
        .args(&NAMESPACES[1..])
        .arg(env::current_exe()?)
        .args(args.again())
        .env("DOCKER_HOST", if args.only_inside { &images } else { &own })
        .env(IMAGES_FROM, &images)
        .env(ENGINE_DIR, dir.path())
        .status()?;
    Ok(status.code().unwrap_or(1))
}

/// All of it, for the time of the process.
pub(crate) struct Stage {
    pub(crate) internet: Internet,
    /// None where the machine's engine is used.
    pub(crate) engine: Option<PrivateEngine>,
}

impl Stage {
    /// Builds it up with an engine of our own on its bridge, which has the image of the environment.
    ///
    /// # Panics
    /// When something that is needed is not there.
    pub(crate) fn with_own_engine() -> Self {
        let internet = Internet::start();
        let engine = PrivateEngine::on_bridge(&PathBuf::from(variable(ENGINE_DIR)));
        engine.load(&["--host", &variable(IMAGES_FROM)], &IMAGES[..1]);
        internet.open_bridge();
        Self { internet, engine: Some(engine) }
    }

    /// The same with the machine's engine, whose bridge is elsewhere: its address is the host's all the same.
    ///
    /// # Panics
    /// When something that is needed is not there.
    pub(crate) fn with_the_machine_s_engine() -> Self {
        let internet = Internet::start();
        internet.stand_in_for_bridge();
        internet.open_bridge();
        Self { internet, engine: None }
    }

    /// Takes over the agent's image, and fills the volumes that all runs share, so that the first of many does not do it for all.
    pub(crate) fn prime(&self) {
        let Some(engine) = &self.engine else { return };
        engine.load(&["--host", &variable(IMAGES_FROM)], &IMAGES[1..]);
        let user = self.user(RUNTIMES[0]);
        let (task, conversation) = (user.task("Do nothing.\n"), user.conversation(&[]));
        let _ = user.run_task(&task, &conversation, &[]).expect_code(0);
    }

    /// A user whose runs are in our engine with this runtime, and who takes the fake internet for the real one.
    pub(crate) fn user(&self, runtime: &str) -> User {
        let user = User::new().with_env("SSL_CERT_FILE", &self.internet.ca().display().to_string());
        let host = self.engine.as_ref().map(PrivateEngine::host);
        let user = host.iter().fold(user, |user, host| user.with_env("DOCKER_HOST", host));
        let dir = user.home().join("config/sandbox");
        std::fs::create_dir_all(&dir).expect("directory");
        std::fs::write(dir.join("profile.toml"), profile(runtime)).expect("profile");
        user
    }

    /// Names of all containers and volumes that runs have left in the engine.
    pub(crate) fn left(&self) -> Vec<String> {
        let lists = [
            docker(&["ps", "--all", "--filter", "label=sandbox.run", "--format", "{{.Names}}"]),
            docker(&["volume", "ls", "--filter", "label=sandbox.run", "--format", "{{.Name}}"]),
        ];
        lists.iter().flat_map(|list| list.lines()).map(str::to_owned).collect()
    }
}

/// True when the runtime's program is there.
pub(crate) fn is_installed(runtime: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(runtime).is_file())
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

/// The operator's settings.
pub(crate) fn profile(runtime: &str) -> String {
    format!("[container]\nruntime = \"{runtime}\"\n")
}
