//! A container engine of the test's own, so that it can be stopped without harm to anything else: its data, its sockets and its
//! containers are apart from those of the engine that the other tests share.

use crate::internet::{self, map};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Images that a run needs.
pub const IMAGES: [&str; 2] = ["sandbox/base", "sandbox/claude:2.1.329"];
/// What the engine knows beside its own runtime, whatever the machine's engine is set up for. One that is not installed is found
/// missing when it is asked for.
const SETTINGS: &str =
    r#"{"runtimes": {"runsc": {"path": "/usr/bin/runsc", "runtimeArgs": ["--platform=systrap", "--network=none"]}}}"#;
/// Time for the engine to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the daemon's network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    /// One of its own, without a bridge.
    Own,
    /// That of this process, with the default bridge; only for a process that has a network of its own.
    Ours,
}

/// A Docker daemon with its own containerd. Dropping it ends both.
#[derive(Debug)]
pub struct PrivateEngine {
    dir: PathBuf,
    daemon: Option<Child>,
    network: Network,
    options: Vec<String>,
    /// Removed with the engine.
    _own: Option<TempDir>,
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
        let own = TempDir::new().expect("directory");
        let (dir, options) = (own.path().to_owned(), options(own.path()));
        let mut engine = Self { dir, daemon: None, network: Network::Own, options, _own: Some(own) };
        engine.start();
        engine.load(&[], &IMAGES);
        engine
    }

    /// The same with a default bridge, in the network of this process, which must be the test's own. Its files are in `dir`. It has
    /// no images yet.
    ///
    /// # Panics
    /// As [`PrivateEngine::new`], and when this process has the machine's own network.
    #[must_use]
    pub fn on_bridge(dir: &Path) -> Self {
        assert!(internet::is_inside(), "the bridge would be the machine's own");
        let settings = dir.join("settings.json");
        std::fs::write(&settings, SETTINGS).expect("settings");
        let options = vec![format!("--config-file={}", settings.display())];
        let mut engine = Self { dir: dir.to_owned(), daemon: None, network: Network::Ours, options, _own: None };
        engine.start();
        engine
    }

    /// Takes images over from another engine; `from` says how to reach it.
    ///
    /// # Panics
    /// When it does not have them.
    pub fn load(&self, from: &[&str], images: &[&str]) {
        let mut save = Command::new("docker");
        let mut saved = save.args(from).arg("save").args(images).stdout(Stdio::piped()).spawn().expect("docker save");
        let stream = saved.stdout.take().expect("stdout");
        let load = ["--host", &self.host(), "load"];
        let loaded = Command::new("docker").args(load).stdin(stream).stdout(Stdio::null()).status().expect("load");
        assert!(saved.wait().expect("docker save").success() && loaded.success());
    }

    /// What `DOCKER_HOST` must say.
    #[must_use]
    pub fn host(&self) -> String {
        format!("unix://{}", self.path("engine.sock").display())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Starts the daemon, after it was stopped.
    ///
    /// # Panics
    /// When it does not answer in time.
    pub fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.path("log")).expect("log");
        let option = |name: &str, path: &str| format!("--{name}={}", self.path(path).display());
        let bridge = map::BRIDGE_NET_V6;
        let (own, bridge) = match self.network {
            // A daemon without a bridge takes the host's away.
            Network::Own => (vec!["unshare", "--net"], vec!["--bridge=none".to_owned()]),
            Network::Ours => {
                let address = format!("--bip={}/16", map::BRIDGE);
                (Vec::new(), vec![address, "--ipv6".to_owned(), format!("--fixed-cidr-v6={bridge}")])
            }
        };
        // It ends with the test's process, whatever becomes of that.
        let line = [&own[..], &["setpriv", "--pdeathsig=TERM", "dockerd"]].concat();
        let daemon = Command::new(line[0])
            .args(&line[1..])
            .args([option("data-root", "data"), option("exec-root", "exec"), option("pidfile", "pid")])
            .args(["--host", &self.host(), "--iptables=false", "--ip6tables=false"])
            .args(bridge)
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
