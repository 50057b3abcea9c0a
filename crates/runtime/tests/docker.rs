//! The walls and the calls, on a real engine. These fail when no engine answers; they are never skipped.

use runtime::{
    Archive, ArchiveBuilder, ContainerId, ContainerSpec, Docker, Ended, Error, ExecSpec, Fill, Labels, Limits, Mount,
    Names, OutputLimits, Owner, Runtime, Tmpfs, TmpfsOwner, images::Recipe, labels,
};
use std::{collections::BTreeMap, future::Future, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::OnceCell,
    task::JoinSet,
    time::Instant,
};

const AGENT: u32 = 1000;
const GUEST: u32 = 65_530;

/// One test's corner of the engine: everything in it carries its label and is removed after it, whatever happened.
#[derive(Clone)]
struct Corner {
    docker: Docker,
    name: String,
}

impl Corner {
    fn labels(&self) -> Labels {
        BTreeMap::from([(labels::RUN.to_owned(), self.name.clone())])
    }

    async fn volume(&self, what: &str) -> String {
        let name = format!("{}-{what}", self.name);
        self.docker.create_volume(&name, &self.labels(), 0).await.expect("volume");
        name
    }

    async fn spec(&self) -> ContainerSpec {
        ContainerSpec {
            name: format!("{}-box", self.name),
            labels: self.labels(),
            image: "sandbox/base".to_owned(),
            command: vec!["/bin/sleep".to_owned(), "120".to_owned()],
            uid: GUEST,
            gid: GUEST,
            env: BTreeMap::from([("IN_BOX".to_owned(), "yes".to_owned())]),
            workdir: "/".to_owned(),
            mounts: vec![Mount::writable(self.volume("work").await, "/workspace")],
            tmpfs: vec![
                Tmpfs { target: "/tmp".to_owned(), size_mb: 64, owner: TmpfsOwner::Root, mode: 0o1777, exec: true },
                Tmpfs {
                    target: "/run/sandbox".to_owned(),
                    size_mb: 1,
                    owner: TmpfsOwner::Init,
                    mode: 0o711,
                    exec: false,
                },
            ],
            limits: Limits { memory_mb: 512, cpus: 1.5, pids: 128, open_files: 4096 },
            oci_runtime: None,
        }
    }

    async fn running(&self) -> ContainerId {
        let id = self.docker.create(&self.spec().await).await.expect("create");
        self.docker.start(&id).await.expect("start");
        id
    }

    /// Runs a shell script as the agent; its status and output.
    async fn shell(&self, id: &ContainerId, script: &str) -> (Ended, String) {
        let mut out = Vec::new();
        let limits = OutputLimits { max_bytes: 1 << 20, deadline: Instant::now() + Duration::from_secs(60) };
        let done =
            self.docker.exec_output(id, &command(&["/bin/sh", "-c", script]), &mut out, limits).await.expect("exec");
        (done.ended, String::from_utf8_lossy(&out).into_owned())
    }

    /// The output of a script that must succeed.
    async fn ok(&self, id: &ContainerId, script: &str) -> String {
        let (ended, out) = self.shell(id, script).await;
        assert_eq!(ended, Ended::Exited(0), "{script}: {out}");
        out
    }
}

fn command(argv: &[&str]) -> ExecSpec {
    let argv = argv.iter().map(ToString::to_string).collect();
    ExecSpec { argv, uid: AGENT, gid: AGENT, ..ExecSpec::default() }
}

async fn in_corner<F: Future<Output = ()> + Send + 'static>(what: &str, body: impl FnOnce(Corner) -> F) {
    static IMAGE: OnceCell<()> = OnceCell::const_new();
    let docker = Docker::connect().await.expect("these tests need a container engine");
    IMAGE
        .get_or_init(|| async {
            docker.ensure_image(&Recipe::base(), &mut |_| ()).await.expect("the base image");
        })
        .await;
    let corner = Corner { docker, name: format!("rt-test-{what}-{}", std::process::id()) };
    let mut tasks = JoinSet::new();
    tasks.spawn(body(corner.clone()));
    let outcome = tasks.join_next().await.expect("one task");
    for found in corner.docker.list(&corner.labels()).await.expect("list") {
        corner.docker.remove(&found.id).await.expect("remove");
    }
    for volume in corner.docker.list_volumes(&corner.labels()).await.expect("list") {
        corner.docker.remove_volume(&volume.name).await.expect("remove volume");
    }
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed.into_panic());
    }
}

#[tokio::test]
async fn the_walls_are_seen_from_inside() {
    in_corner("walls", |corner| walls(corner, Names::Engine)).await;
}

#[tokio::test]
async fn the_walls_are_the_same_without_the_engines_files() {
    in_corner("bare", |corner| walls(corner, Names::Guest)).await;
}

async fn walls(corner: Corner, names: Names) {
    let id = corner.docker.create_with(&corner.spec().await, names).await.expect("create");
    corner.docker.start(&id).await.expect("start");
    let status = corner.ok(&id, "cat /proc/self/status").await;
    let field = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_whitespace().nth(1).unwrap_or_default().to_owned()
    };
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
    assert_eq!((field("NoNewPrivs:"), field("Seccomp:"), field("Uid:")), ("1".into(), "2".into(), "1000".into()));
    let facts = corner
            .ok(
                &id,
                "echo net=$(ls /sys/class/net | tr '\\n' ' '); echo routes=$(tail -n +2 /proc/net/route | wc -l); \
                 echo core=$(ulimit -c) files=$(ulimit -n); echo host=$(hostname); echo env=$IN_BOX; \
                 echo resolv=$(grep -v '^#' /etc/resolv.conf | tr '\\n' ';'); echo port=$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start); \
                 echo pid1=$(stat -c %u /proc/1); echo hidden=$(cat /proc/cmdline /proc/modules /sys/devices/virtual/dmi/id/* 2>/dev/null | wc -c); \
                 echo localhost=$(getent ahosts localhost | grep -c 127.0.0.1); echo cgroup=$(cut -d: -f3 /proc/self/cgroup | sort -u | tr '\\n' ' ')",
            )
            .await;
    for fact in [
        "net=lo\n",
        "routes=0",
        "core=0 files=4096",
        "host=sandbox",
        "env=yes",
        "port=0",
        "pid1=65530",
        "hidden=0\n",
        "cgroup=/\n",
    ] {
        assert!(facts.contains(fact), "{fact}: {facts}");
    }
    let (resolv, localhost) = match names {
        Names::Engine => ("resolv=nameserver 127.0.0.1;options timeout:2;\n", "localhost=3\n"),
        Names::Guest => ("resolv=\n", "localhost=0\n"),
    };
    assert!(facts.contains(resolv) && facts.contains(localhost), "{facts}");
    // Each refusal with what must still work.
    for (refused, works) in [
        ("touch /etc/x", "touch /tmp/x"),
        ("touch /usr/x", "touch /dev/shm/x"),
        ("mount -t tmpfs none /tmp", "mkdir /tmp/m"),
        ("unshare -U true", "true"),
        ("unshare -n true", "sh -c true"),
        ("echo 1 > /proc/sysrq-trigger", "echo 1 > /dev/null"),
        ("echo x > /proc/sys/kernel/core_pattern", "cat /proc/sys/kernel/core_pattern"),
        ("kill -9 1", "sleep 9 & kill -9 $!"),
        ("cat /proc/1/environ", "cat /proc/self/environ"),
        ("ls /proc/1/fd/", "ls /proc/self/fd/"),
        ("mknod /tmp/d c 1 3", "mkfifo /tmp/f"),
        ("test -e /var/run/docker.sock", "test -e /proc/self"),
        ("touch /run/sandbox/x", "ls -d /run/sandbox"),
    ] {
        assert_ne!(corner.shell(&id, refused).await.0, Ended::Exited(0), "{refused}");
        corner.ok(&id, works).await;
    }
    // /tmp executes, and nothing anywhere gains rights.
    corner.ok(&id, "cp /bin/true /tmp/t && /tmp/t && grep ' /tmp ' /proc/mounts | grep nosuid | grep -v noexec").await;
}

/// One table of what the kernel must refuse, tried with the C library's own numbers.
const SURFACE: &str = r#"
import ctypes, os, platform, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
x86 = platform.machine() == "x86_64"
calls = {"unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "bpf": (321, 280),
  "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
  "kexec_load": (246, 104), "init_module": (175, 105), "finit_module": (313, 273), "io_uring_setup": (425, 425), "clone3": (435, 435),
  "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "mount_setattr": (442, 442), "chroot": (161, 51),
  "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "syslog": (103, 116), "swapon": (167, 224)}
for name, numbers in calls.items():
    result = libc.syscall(numbers[0 if x86 else 1], 0, 0, 0, 0, 0)
    if result != -1 or ctypes.get_errno() not in (1, 38): print("allowed:", name, result, ctypes.get_errno())
for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
    if libc.syscall(56 if x86 else 220, flag | 17, 0, 0, 0, 0) != -1: os._exit(0) if os.getppid() != 1 else print("allowed: clone", hex(flag))
refused = [(38, 5, 0), (17, 3, 0), (40, 1, 0), (33, 2, 0), (29, 3, 1), (16, 3, 6), (16, 3, 9), (2, 3, 1), (2, 3, 255), (2, 5, 132), (2, 1, 262),
  (2, 2, 136), (10, 3, 58), (30, 1, 0), (31, 1, 0)]
for family, kind, protocol in refused:
    try: socket.socket(family, kind, protocol); print("allowed: socket", family, kind, protocol)
    except OSError as error:
        if error.errno != 1: print("odd:", family, kind, protocol, error)
# The kernel reads 32 bits of the family, the filter must not be fooled by the upper ones.
for family in (38, 17):
    if libc.syscall(41 if x86 else 198, ctypes.c_long((1 << 32) | family), ctypes.c_long(5), ctypes.c_long(0)) != -1: print("allowed: wide", family)
if x86:
    child = os.fork()
    if child == 0: os._exit(7 if libc.syscall(0x40000000 + 39) > 0 else 0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7: print("allowed: x32")
# What must work.
for family, kind, protocol in [(1, 1, 0), (2, 1, 0), (2, 2, 17), (10, 1, 6), (16, 3, 0)]:
    socket.socket(family, kind, protocol)
a, b = socket.socketpair()
import threading
threads = [threading.Thread(target=lambda: None) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
listener = socket.create_server(("127.0.0.53", 53)); socket.create_connection(("127.0.0.53", 53))
import subprocess
assert subprocess.run(["/bin/echo", "x"], capture_output=True).stdout == b"x\n"
print("tried", len(calls) + len(refused))
"#;

#[tokio::test]
async fn the_kernel_surface_is_small() {
    in_corner("surface", |corner| async move {
        let id = corner.running().await;
        let mut out = Vec::new();
        let limits = OutputLimits { max_bytes: 1 << 20, deadline: Instant::now() + Duration::from_secs(60) };
        let probe = command(&["/usr/bin/python3", "-I", "-c", SURFACE]);
        let done = corner.docker.exec_output(&id, &probe, &mut out, limits).await.expect("exec");
        assert!(done.success(), "{}", String::from_utf8_lossy(&out));
        assert_eq!(String::from_utf8_lossy(&out), "tried 40\n");
    })
    .await;
}

#[tokio::test]
async fn commands_carry_bytes_both_ways() {
    in_corner("exec", |corner| async move {
        let id = corner.running().await;
        let mut cat = command(&["/bin/sh", "-c", "cat; echo gone >&2; exit 3"]);
        cat.stdin = true;
        let exec = corner.docker.exec(&id, &cat).await.expect("exec");
        let exec_id = exec.id().clone();
        let (mut stdin, mut stdout, stderr) = exec.into_parts();
        let sent: Vec<u8> = (0..8u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let (written, read) = tokio::join!(
            async {
                stdin.write_all(&sent).await?;
                stdin.shutdown().await
            },
            async {
                let mut got = Vec::new();
                stdout.read_to_end(&mut got).await.map(|_| got)
            }
        );
        written.expect("write");
        assert!(read.expect("read") == sent, "eight MiB come back as they went");
        assert_eq!(stderr.text(), "gone\n");
        let mut state = corner.docker.exec_state(&exec_id).await.expect("state");
        for _ in 0..50 {
            if !state.running {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            state = corner.docker.exec_state(&exec_id).await.expect("state");
        }
        assert_eq!(state.exit_code, Some(3));

        // The output's cap, the deadline, a program that does not exist.
        let limits =
            |millis| OutputLimits { max_bytes: 1000, deadline: Instant::now() + Duration::from_millis(millis) };
        let mut log = Vec::new();
        let flood = command(&["/bin/sh", "-c", "head -c 5000000 /dev/zero; exit 4"]);
        let done = corner.docker.exec_output(&id, &flood, &mut log, limits(30_000)).await.expect("flood");
        assert_eq!((done.ended, done.written, done.dropped, log.len()), (Ended::Exited(4), 1000, 4_999_000, 1000));
        let slow =
            corner.docker.exec_output(&id, &command(&["/bin/sleep", "60"]), &mut log, limits(300)).await.expect("slow");
        assert_eq!(slow.ended, Ended::TimedOut);
        let missing = corner.docker.exec_output(&id, &command(&["/no/such"]), &mut log, limits(30_000)).await;
        assert!(missing.is_err() || missing.is_ok_and(|done| matches!(done.ended, Ended::Exited(126 | 127))));

        // A kill ends the stream; what is asked then is told apart from "absent".
        let (mut io, _) = corner.docker.exec(&id, &command(&["/bin/sleep", "60"])).await.expect("exec").into_io();
        corner.docker.kill(&id).await.expect("kill");
        corner.docker.kill(&id).await.expect("killing twice is fine");
        let mut rest = Vec::new();
        tokio::time::timeout(Duration::from_secs(10), io.read_to_end(&mut rest))
            .await
            .expect("the stream ends")
            .expect("cleanly");
        let state = corner.docker.wait(&id, Duration::from_secs(10)).await.expect("wait");
        assert_eq!((state.running, state.exit_code, state.oom_killed), (false, Some(137), false));
        let refused = corner.docker.exec(&id, &command(&["/bin/true"])).await.err().expect("not running");
        assert!(!refused.is_not_found() && !refused.is_unreachable(), "{refused:?}");
        corner.docker.remove(&id).await.expect("remove");
        corner.docker.remove(&id).await.expect("absent is fine");
        assert!(corner.docker.inspect(&id).await.expect_err("gone").is_not_found());
        assert!(corner.docker.exec(&id, &command(&["/bin/true"])).await.err().expect("gone").is_not_found());
    })
    .await;
}

#[tokio::test]
async fn archives_reach_the_volume_before_the_start_and_only_the_volume() {
    in_corner("upload", |corner| async move {
        let mut spec = corner.spec().await;
        // The volume's root takes its owner from the image.
        spec.mounts[0].copy_up = true;
        spec.mounts.push(Mount::read_only(corner.volume("fixed").await, "/opt/fixed"));
        let id = corner.docker.create(&spec).await.expect("create");
        let owner = |mode| Owner { uid: AGENT, gid: AGENT, mode };
        let tar = ArchiveBuilder::default()
            .directory(".", owner(0o750))
            .and_then(|tar| tar.file("run.sh", b"#!/bin/sh\necho ran\n", owner(0o700)))
            .and_then(|tar| tar.file("note", b"root's", Owner::root(0o444)))
            .and_then(ArchiveBuilder::finish)
            .expect("tar");
        corner.docker.upload(&id, "/workspace", Archive::from(tar.clone())).await.expect("bytes");
        corner
            .docker
            .upload(&id, "/workspace", Archive::stream(std::io::Cursor::new(tar.clone())))
            .await
            .expect("stream");
        for path in ["/opt/fixed", "/etc", "/"] {
            assert!(corner.docker.upload(&id, path, Archive::from(tar.clone())).await.is_err(), "{path}");
        }
        assert!(corner.docker.has_path(&id, "/workspace/run.sh").await.expect("look"));
        assert!(!corner.docker.has_path(&id, "/workspace/none").await.expect("look"));
        assert!(
            corner.docker.has_path(&ContainerId("rt-test-none".into()), "/").await.expect_err("absent").is_not_found()
        );
        assert!(corner.docker.inspect(&id).await.expect("state").never_started);
        corner.docker.start(&id).await.expect("start");
        let seen = corner.ok(&id, "cd /workspace && ./run.sh && stat -c '%n %u %a' . run.sh note && touch new").await;
        assert_eq!(seen, "ran\n. 1000 755\nrun.sh 1000 700\nnote 0 444\n");
        assert_ne!(corner.shell(&id, "touch /opt/fixed/x").await.0, Ended::Exited(0));
    })
    .await;
}

#[tokio::test]
async fn a_volume_is_filled_once_however_many_ask() {
    in_corner("fill", |corner| async move {
        let tar = ArchiveBuilder::default()
            .file("guest", corner.name.as_bytes(), Owner::root(0o755))
            .and_then(ArchiveBuilder::finish)
            .expect("tar");
        let fill = Fill::Tar { image: "sandbox/base".into(), tar: tar.clone().into(), witness: "guest".into() };
        let mut tasks = JoinSet::new();
        for _ in 0..4 {
            let (corner, fill) = (corner.clone(), fill.clone());
            tasks.spawn(
                async move { corner.docker.filled_volume("rt-test", &corner.labels(), &fill).await.expect("fill") },
            );
        }
        let names = tasks.join_all().await;
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        let of = |key: &str| {
            BTreeMap::from([(labels::RUN.to_owned(), corner.name.clone()), (key.to_owned(), String::new())])
        };
        assert_eq!(corner.docker.list_volumes(&of(labels::FILL)).await.expect("list").len(), 1, "losers clean up");
        assert_eq!(corner.docker.list_volumes(&of(labels::FILLED)).await.expect("list").len(), 1);
        assert!(corner.docker.list(&corner.labels()).await.expect("list").is_empty(), "helpers are gone");

        let image =
            Fill::Image { image: "sandbox/base".into(), path: "/etc/apt".into(), witness: "sources.list".into() };
        let copied = corner.docker.filled_volume("rt-test", &corner.labels(), &image).await.expect("copy");
        let wrong = Fill::Image { image: "sandbox/base".into(), path: "/etc/apt".into(), witness: "no-such".into() };
        // The digest leaves the witness out, so a second question finds the first answer; another path does not.
        assert_eq!(corner.docker.filled_volume("rt-test", &corner.labels(), &wrong).await.expect("found"), copied);
        let absent = Fill::Image { image: "sandbox/base".into(), path: "/etc/none".into(), witness: "x".into() };
        let refused = corner.docker.filled_volume("rt-test", &corner.labels(), &absent).await.expect_err("empty");
        assert!(matches!(refused, Error::FillIncomplete { .. }), "{refused:?}");

        let mut spec = corner.spec().await;
        spec.mounts = vec![Mount::read_only(&names[0], "/opt/sandbox"), Mount::read_only(&copied, "/opt/apt")];
        let id = corner.docker.create(&spec).await.expect("create");
        corner.docker.start(&id).await.expect("start");
        let seen = corner
            .ok(&id, "cat /opt/sandbox/guest; stat -c ' %u %a' /opt/sandbox/guest; test -s /opt/apt/sources.list")
            .await;
        assert_eq!(seen, format!("{} 0 755\n", corner.name));
        assert!(corner.docker.remove_volume(&names[0]).await.expect_err("in use").is_conflict());
    })
    .await;
}

#[tokio::test]
async fn limits_end_what_is_inside_and_say_so() {
    in_corner("limits", |corner| async move {
        let mut spec = corner.spec().await;
        spec.limits.memory_mb = 64;
        spec.command = ["/usr/bin/python3", "-c", "x = bytearray(300 << 20)"].map(str::to_owned).to_vec();
        let id = corner.docker.create(&spec).await.expect("create");
        corner.docker.start(&id).await.expect("start");
        let state = corner.docker.wait(&id, Duration::from_secs(60)).await.expect("wait");
        assert_eq!((state.exit_code, state.oom_killed), (Some(137), true));
        corner.docker.remove(&id).await.expect("remove");

        let id = corner.running().await;
        let (_, out) = corner.shell(&id, "for n in $(seq 300); do sleep 5 & done 2>&1; wait").await;
        assert!(out.contains("fork"), "{out}");
        let late = corner.docker.wait(&id, Duration::from_millis(200)).await.expect_err("it runs on");
        assert!(matches!(late, Error::Deadline { .. }));
        // PID 1 has no handler for SIGTERM here, so the stop has to kill.
        corner.docker.stop(&id, Duration::from_secs(1)).await.expect("stop");
        corner.docker.stop(&id, Duration::from_secs(1)).await.expect("stopping twice is fine");
        assert!(!corner.docker.inspect(&id).await.expect("state").running);
    })
    .await;
}

#[tokio::test]
async fn listings_find_what_carries_the_label() {
    in_corner("list", |corner| async move {
        let id = corner.running().await;
        let mut other = corner.spec().await;
        other.labels.insert(labels::RUN.to_owned(), "somebody-else".to_owned());
        other.labels.insert("rt-test".to_owned(), corner.name.clone());
        other.name = format!("{}-other", corner.name);
        let other_id = corner.docker.create(&other).await.expect("create");
        let found = corner.docker.list(&corner.labels()).await.expect("list");
        assert_eq!(found.iter().map(|one| (&one.id, one.running)).collect::<Vec<_>>(), [(&id, true)]);
        assert_eq!(found[0].name, format!("{}-box", corner.name));
        let mine = BTreeMap::from([("rt-test".to_owned(), corner.name.clone())]);
        assert_eq!(corner.docker.list(&mine).await.expect("list").len(), 1);
        assert!(corner.docker.create(&other).await.expect_err("the name is taken").is_conflict());
        corner.docker.remove(&other_id).await.expect("remove");
        other.image = "rt-test/none".to_owned();
        let missing = corner.docker.create(&other).await.expect_err("no such image");
        assert!(missing.is_not_found() && missing.hint().is_some(), "{missing:?}");
        let info = corner.docker.info().await.expect("info");
        assert!(!info.version.is_empty() && info.memory > 0 && info.runtime("").is_some(), "{info:?}");
    })
    .await;
}

#[tokio::test]
async fn an_absent_engine_is_named() {
    let endpoint = runtime::Endpoint::parse("unix:///nonexistent/engine.sock").expect("valid");
    let error = Docker::connect_to(endpoint).await.expect_err("nobody there");
    assert_eq!(error.to_string(), "no container engine answers at unix:///nonexistent/engine.sock");
    assert!(error.is_unreachable() && error.hint().is_some_and(|hint| hint.contains("DOCKER_HOST")));
}
