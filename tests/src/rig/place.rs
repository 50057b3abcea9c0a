//! The container of a rig, made as `engine/src/place.rs` makes it.

use super::{HOME, Setup, WORKSPACE};
use crate::binary;
use agents::AnyAgent;
use runtime::{
    AnyRuntime, ArchiveBuilder, ContainerId, ContainerSpec, Docker, ExecSpec, Fill, Labels, Limits, Mount,
    OutputLimits, Owner, Runtime, Tmpfs, TmpfsOwner,
};
use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::time::Instant;
use types::{
    probe::{Kernel, ProbePlan},
    wire::{AGENT_UID, GUEST_DIR, GUEST_PATH, GUEST_UID, Listeners, RUN_DIR},
};

const IMAGE: &str = "sandbox/base";
const AGENT_IMAGE: &str = "sandbox/claude:2.1.329";
const AGENT_DIR: &str = "/opt/claude";

/// A container and its volumes, removed when dropped.
pub(super) struct Place {
    pub(super) runtime: AnyRuntime,
    pub(super) container: ContainerId,
    volumes: Vec<String>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let quiet = |args: &[&str]| Command::new("docker").args(args).output();
        let _gone = quiet(&["rm", "--force", "--volumes", &self.container.0]);
        let volumes: Vec<_> = self.volumes.iter().map(String::as_str).collect();
        let _gone = quiet(&[&["volume", "rm", "--force"], volumes.as_slice()].concat());
    }
}

impl Place {
    /// A started container with the work tree in it.
    pub(super) async fn make(setup: &Setup) -> Self {
        let runtime = AnyRuntime::Docker(Docker::connect().await.expect("a container engine"));
        let name = format!("sandbox-rig-{}", unique());
        let (workspace, home) = (format!("{name}-workspace"), format!("{name}-home"));
        let place = Self {
            runtime: runtime.clone(),
            container: ContainerId(name.clone()),
            volumes: vec![workspace.clone(), home.clone()],
        };
        for volume in &place.volumes {
            runtime.create_volume(volume, &Labels::new(), AGENT_UID).await.expect("volume");
        }
        let own = vec![Mount::writable(&workspace, WORKSPACE), Mount::writable(&home, HOME)];
        fill(&runtime, &name, own.clone(), setup).await;
        let mut mounts = own;
        mounts.push(Mount::read_only(guest(&runtime).await, GUEST_DIR));
        let path = AGENT_DIR.to_owned();
        let agent = Fill::Image { image: AGENT_IMAGE.to_owned(), path, witness: "claude".to_owned() };
        let agent = runtime.filled_volume("sandbox-claude", &Labels::new(), &agent).await.expect("agent");
        mounts.push(Mount::read_only(agent, AGENT_DIR));
        if let Some(settings) = &setup.settings {
            let [file] = AnyAgent::Claude.files(Duration::ZERO);
            let volume =
                one_file(&runtime, "sandbox-settings", file.name, settings.to_string().as_bytes(), 0o444).await;
            mounts.push(Mount::read_only(volume, file.dir));
        }
        runtime.create(&spec(name, mounts)).await.expect("container");
        runtime.start(&place.container).await.expect("start");
        place
    }

    /// Names in a directory, sorted.
    pub(super) async fn list(&self, dir: &str) -> Vec<String> {
        let argv = ["/bin/ls", "-A", dir].map(str::to_owned).to_vec();
        let spec = ExecSpec { argv, uid: AGENT_UID, gid: AGENT_UID, ..ExecSpec::default() };
        let limits = OutputLimits { max_bytes: 1 << 20, deadline: Instant::now() + Duration::from_secs(30) };
        let mut out = Vec::new();
        let ran = self.runtime.exec_output(&self.container, &spec, &mut out, limits).await.expect("ls");
        let text = String::from_utf8(out).expect("text");
        assert!(ran.success(), "{text}");
        text.lines().map(str::to_owned).collect()
    }
}

/// Gives the volumes their owner and the work tree its files.
async fn fill(runtime: &AnyRuntime, name: &str, mut mounts: Vec<Mount>, setup: &Setup) {
    for mount in &mut mounts {
        mount.copy_up = true;
    }
    let id = runtime.create(&spec(format!("{name}-fill"), mounts)).await.expect("filler");
    let owner = |mode| Owner { uid: AGENT_UID, gid: AGENT_UID, mode };
    let add = |archive: ArchiveBuilder, (path, content): &(String, String)| {
        let dirs = path.match_indices('/').map(|(at, _)| &path[..at]);
        let archive = dirs.fold(archive, |archive, dir| archive.directory(dir, owner(0o755)).expect("directory"));
        archive.file(path, content.as_bytes(), owner(0o755)).expect("file")
    };
    let tar = setup.files.iter().fold(ArchiveBuilder::default(), add).finish().expect("archive");
    runtime.upload(&id, WORKSPACE, tar.into()).await.expect("work tree");
    runtime.remove(&id).await.expect("filler");
}

/// The guest of the built product.
async fn guest(runtime: &AnyRuntime) -> String {
    let builds = binary().parent().expect("target").join("build");
    let built = |entry: fs::DirEntry| -> Option<(std::time::SystemTime, PathBuf)> {
        let path = entry.path().join("out/guest");
        let is_cli = entry.file_name().to_string_lossy().starts_with("cli-");
        Some((fs::metadata(&path).ok().filter(|_| is_cli)?.modified().ok()?, path))
    };
    let newest = fs::read_dir(builds).expect("builds").filter_map(Result::ok).filter_map(built).max();
    let (_, path) = newest.expect("the guest is built with the binary");
    one_file(runtime, "sandbox-guest", "guest", &fs::read(path).expect("guest"), 0o755).await
}

/// A read-only volume with one file, shared with every test and run that needs the same.
async fn one_file(runtime: &AnyRuntime, prefix: &str, name: &str, content: &[u8], mode: u32) -> String {
    let root = ArchiveBuilder::default().directory(".", Owner::root(0o755)).expect("archive");
    let tar = root.file(name, content, Owner::root(mode)).and_then(ArchiveBuilder::finish);
    let fill = Fill::Tar { image: IMAGE.to_owned(), tar: tar.expect("archive").into(), witness: name.to_owned() };
    runtime.filled_volume(prefix, &Labels::new(), &fill).await.expect("volume")
}

fn spec(name: String, mounts: Vec<Mount>) -> ContainerSpec {
    let tmpfs =
        |target: &str, size_mb, owner, mode, exec| Tmpfs { target: target.to_owned(), size_mb, owner, mode, exec };
    ContainerSpec {
        name,
        labels: Labels::new(),
        image: IMAGE.to_owned(),
        command: vec![GUEST_PATH.to_owned(), "init".to_owned()],
        uid: GUEST_UID,
        gid: GUEST_UID,
        env: Default::default(),
        workdir: "/".to_owned(),
        mounts,
        tmpfs: vec![
            tmpfs("/tmp", 64, TmpfsOwner::Root, 0o1777, true),
            tmpfs(RUN_DIR, 1, TmpfsOwner::Init, 0o755, false),
        ],
        limits: Limits::default(),
        oci_runtime: None,
    }
}

pub(super) fn listeners() -> Listeners {
    let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
    Listeners { proxy: loopback(3128), model: loopback(3129), dns: loopback(53), names: Vec::new() }
}

pub(super) fn probe_plan(listeners: &Listeners) -> ProbePlan {
    ProbePlan {
        proxy: listeners.proxy,
        model: listeners.model,
        denied_name: "denied.sandbox-canary.invalid".to_owned(),
        unreachable: vec![([169, 254, 169, 254], 80).into()],
        trusted_name: None,
        kernel: Kernel::Linux,
        writable: [WORKSPACE, HOME, "/tmp"].map(str::to_owned).to_vec(),
        variables: Default::default(),
    }
}

/// Different for every rig of every process.
fn unique() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed))
}
