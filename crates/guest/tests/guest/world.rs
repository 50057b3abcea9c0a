//! A guest of the test's own: PID 1 with its own directory, and the host's end of its channel.

use channel::{Control, Incoming, Session, Side, session};
use rustix::{
    fd::AsFd,
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, UCred},
    process::{getegid, geteuid, getpid},
};
use std::{
    io::IoSlice,
    mem::MaybeUninit,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    net::UnixStream,
    process::{Child, Command},
    task::JoinSet,
    time::{sleep, timeout},
};

/// Longest wait for anything in these tests.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// A running `guest init`; killed when dropped.
pub(crate) struct Guest {
    pub(crate) init: Child,
    dir: tempfile::TempDir,
}

impl Guest {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let uid = rustix::process::geteuid().as_raw().to_string();
        let init = binary().args(["init", "--agent-uid", &uid, "--run-dir"]).arg(dir.path()).spawn().unwrap();
        let guest = Self { init, dir };
        let listens = async {
            while UnixStream::connect(guest.path("bridge.sock")).await.is_err() {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(SOON, listens).await.unwrap();
        guest
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Attaches without a hello.
    pub(crate) async fn connect(&self) -> Host {
        let io = UnixStream::connect(self.path("bridge.sock")).await.unwrap();
        greet(&io);
        let (session, incoming, driver) = session(io, Side::Host);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _end = driver.await;
        });
        let control = Control::open(&session).await.unwrap();
        Host { session, incoming, control, tasks }
    }

    /// Attaches and takes over.
    pub(crate) async fn attach(&self, generation: u64) -> Host {
        let mut host = self.connect().await;
        host.control.hello(generation).await.unwrap();
        host
    }
}

/// Says who we are, as the bridge and the shim do first.
pub(crate) fn greet(socket: impl AsFd) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let own = UCred { pid: getpid(), uid: geteuid(), gid: getegid() };
    assert!(control.push(SendAncillaryMessage::ScmCredentials(own)));
    rustix::net::sendmsg(socket, &[IoSlice::new(b".")], &mut control, SendFlags::NOSIGNAL).unwrap();
}

/// The host's end of one session; dropping it breaks the session.
pub(crate) struct Host {
    pub(crate) session: Session,
    pub(crate) incoming: Incoming,
    pub(crate) control: Control,
    tasks: JoinSet<()>,
}

impl Host {
    /// Cuts the pipe, as a killed host does.
    pub(crate) async fn cut(mut self) {
        self.tasks.shutdown().await;
    }
}

pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guest"));
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}
