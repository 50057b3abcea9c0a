//! A container engine of the test's own, so that it can be stopped without harm to anything else: its data, its sockets and its
//! containers are apart from those of the engine that the other tests share.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Images that a run needs.
pub(crate) const IMAGES: [&str; 2] = ["sandbox/base", "sandbox/claude:2.1.329"];
/// Time for the engine to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A Docker daemon with its own containerd. Dropping it ends both.
#[derive(Debug)]
pub struct PrivateEngine {
    dir: TempDir,
    daemon: Option<Child>,
    options: Vec<String>,
}

impl Default for PrivateEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl PrivateEngine {
    /// Starts an engine that has the images of a run.
    ///
    /// # Panics
    /// When there is no `dockerd`, the test does not run as root, or the shared engine does not have the images.
    #[must_use]
    pub fn new() -> Self {
        Self::with(|_| Vec::new())
    }

    /// The same with further options for the daemon, which may name files that are made in its directory.
    ///
    /// # Panics
    /// As [`PrivateEngine::new`].
    #[must_use]
    pub fn with(options: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let dir = TempDir::new().expect("directory");
        let options = options(dir.path());
        let mut engine = Self { dir, daemon: None, options };
        engine.start();
        let mut save = Command::new("docker");
        let mut saved = save.arg("save").args(IMAGES).stdout(Stdio::piped()).spawn().expect("docker save");
        let images = saved.stdout.take().expect("stdout");
        let load = ["--host", &engine.host(), "load"];
        let loaded = Command::new("docker").args(load).stdin(images).stdout(Stdio::null()).status().expect("load");
        assert!(saved.wait().expect("docker save").success() && loaded.success());
        engine
    }

    /// What `DOCKER_HOST` must say.
    #[must_use]
    pub fn host(&self) -> String {
        format!("unix://{}", self.path("engine.sock").display())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts the daemon, after it was stopped.
    ///
    /// # Panics
    /// When it does not answer in time.
    pub fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.path("log")).expect("log");
        let option = |name: &str, path: &str| format!("--{name}={}", self.path(path).display());
        // A network of its own, because a daemon without a bridge takes the host's away; and it ends with the test's process,
        // whatever becomes of that.
        let daemon = Command::new("unshare")
            .args(["--net", "setpriv", "--pdeathsig=TERM", "dockerd"])
            .args([option("data-root", "data"), option("exec-root", "exec"), option("pidfile", "pid")])
            .args(["--host", &self.host(), "--bridge=none", "--iptables=false", "--ip6tables=false"])
            .args(["--containerd-namespace=sandbox-test", "--containerd-plugins-namespace=sandbox-test-plugins"])
            .args(&self.options)
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn();
        self.daemon = Some(daemon.expect("unshare, setpriv and dockerd"));
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let answer = Command::new("docker").args(["--host", &self.host(), "version"]).output().expect("docker");
            if answer.status.success() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("the engine does not answer:\n{}", std::fs::read_to_string(self.path("log")).unwrap_or_default());
    }

    /// Stops the daemon as a host does that shuts down: with its containers.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn stop(&mut self) {
        assert!(self.end(), "the engine does not end");
    }

    /// Asks the daemon to end, and makes it end when it does not; true when it did by itself.
    fn end(&mut self) -> bool {
        let Some(mut daemon) = self.daemon.take() else { return true };
        let _ = Command::new("kill").args(["-s", "TERM", &daemon.id().to_string()]).status();
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if matches!(daemon.try_wait(), Ok(Some(_))) {
                return true;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let _ = daemon.kill();
        let _ = daemon.wait();
        false
    }
}

impl Drop for PrivateEngine {
    fn drop(&mut self) {
        self.end();
    }
}
