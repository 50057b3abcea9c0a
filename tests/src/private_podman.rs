//! Podman's API socket, with storage of the test's own.

use crate::private_engine::IMAGES;
use std::{
    fs::{self, File},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Time for the service to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// What works without systemd, and with the limits that a container engine inside a virtual machine may grant.
const SETTINGS: &str = r#"[containers]
base_hosts_file = "none"
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
"#;

/// A Podman service. Dropping it ends it with everything that it started, whose processes and mounts are in namespaces of its own.
#[derive(Debug)]
pub struct PrivatePodman {
    dir: TempDir,
    service: Child,
}

impl Default for PrivatePodman {
    fn default() -> Self {
        Self::new()
    }
}

impl PrivatePodman {
    /// Starts a service that has the images of a run.
    ///
    /// # Panics
    /// When there is no `podman` or `runc`, the test does not run as root, or the shared engine does not have the images.
    #[must_use]
    pub fn new() -> Self {
        let dir = TempDir::new().expect("directory");
        let path = |name: &str| dir.path().join(name);
        fs::write(path("containers.conf"), SETTINGS).expect("settings");
        let log = File::create(path("log")).expect("log");
        let service = Command::new("setpriv")
            .args([
                "--pdeathsig=KILL",
                "unshare",
                "--mount",
                "--pid",
                "--mount-proc",
                "--fork",
                "--kill-child",
                "podman",
            ])
            .arg("--root")
            .arg(path("root"))
            .arg("--runroot")
            .arg(path("run"))
            .args(["system", "service", "--time=0"])
            .arg(format!("unix://{}", path("podman.sock").display()))
            .env("CONTAINERS_CONF", path("containers.conf"))
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("setpriv, unshare and podman");
        let podman = Self { dir, service };
        podman.wait_until_it_answers();
        podman.load_images();
        podman
    }

    /// What `DOCKER_HOST` must say.
    #[must_use]
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("podman.sock")
    }

    fn wait_until_it_answers(&self) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if UnixStream::connect(self.socket()).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("Podman does not answer:\n{}", fs::read_to_string(self.dir.path().join("log")).unwrap_or_default());
    }

    fn load_images(&self) {
        let mut save = Command::new("docker");
        let mut saved = save.arg("save").args(IMAGES).stdout(Stdio::piped()).spawn().expect("docker save");
        let images = saved.stdout.take().expect("stdout");
        let load = ["--host", &self.host(), "load"];
        let loaded = Command::new("docker").args(load).stdin(images).output().expect("load");
        assert!(saved.wait().expect("docker save").success() && loaded.status.success(), "{loaded:?}");
    }
}

impl Drop for PrivatePodman {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}
