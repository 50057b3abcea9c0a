//! Canary and launch: PID 1 with a shim of the test's own (which can report what it likes), and the real shim with a
//! PID 1 of the test's own.

use crate::world::{Guest, Host, SOON, binary, greet};
use channel::{ChannelError, OutputReader, PressureReader, frame};
use rustix::{
    fd::{AsFd, OwnedFd},
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags},
    pipe::{PipeFlags, pipe_with},
};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{self, IoSlice, IoSliceMut, Read, Write},
    mem::MaybeUninit,
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use types::{
    probe::{Check, Expect, Kernel, ProbePlan, ProbeReport},
    wire::{Open, Output},
};

const CAP: usize = 1 << 20;

fn plan() -> ProbePlan {
    ProbePlan {
        proxy: "127.0.0.1:1".parse().unwrap(),
        model: "127.0.0.1:1".parse().unwrap(),
        denied_name: "denied.example".into(),
        unreachable: vec![],
        trusted_name: None,
        writable: vec![],
        variables: Default::default(),
        kernel: Kernel::Linux,
    }
}

fn report(is_sound: bool) -> ProbeReport {
    let check = |expect, ok| Check { id: "x".into(), threat: String::new(), expect, ok, detail: String::new() };
    ProbeReport { checks: vec![check(Expect::Held, is_sound), check(Expect::Works, true)], micros: 1 }
}

/// A shim that the test plays: answers one probe with `report` and then takes the pipes, as far as it gets.
fn play_shim(path: &Path, report: ProbeReport) -> std::thread::JoinHandle<Option<[File; 3]>> {
    let mut socket = UnixStream::connect(path).unwrap();
    greet(&socket);
    std::thread::spawn(move || {
        let (order, _) = receive(&socket)?;
        assert_eq!(order["order"], "probe");
        let answer = json!({"answer": "probed", "report": report});
        socket.write_all(&frame::encode(&answer, CAP).unwrap()).unwrap();
        let (order, pipes) = receive(&socket)?;
        assert_eq!(order, json!({"order": "launch"}));
        // Closing the socket is what an exec does.
        Some(<[OwnedFd; 3]>::try_from(pipes).unwrap().map(File::from))
    })
}

fn receive(socket: &UnixStream) -> Option<(Value, Vec<OwnedFd>)> {
    let mut pipes = Vec::new();
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let slices = &mut [IoSliceMut::new(&mut part)];
        let count = rustix::net::recvmsg(socket, slices, &mut control, RecvFlags::CMSG_CLOEXEC).ok()?.bytes;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                pipes.extend(descriptors);
            }
        }
        if count == 0 {
            return None;
        }
        bytes.extend(&part[..count]);
        if bytes.len() > 4
            && bytes.len() == 4 + usize::try_from(u32::from_be_bytes(bytes[..4].try_into().unwrap())).unwrap()
        {
            return Some((serde_json::from_slice(&bytes[4..]).unwrap(), pipes));
        }
    }
}

/// Runs what blocks (the agent's ends are plain files) beside the channel.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    timeout(SOON, tokio::task::spawn_blocking(work)).await.unwrap().unwrap()
}

/// Launches a played agent and returns its ends.
async fn launch(guest: &Guest, host: &mut Host) -> [File; 3] {
    let shim = play_shim(&guest.path("agent.sock"), report(true));
    assert!(host.control.probe(plan()).await.unwrap().is_sound());
    host.control.launch().await.unwrap();
    blocking(move || shim.join().unwrap().unwrap()).await
}

async fn read_to(reader: &mut OutputReader, offset: u64) -> Vec<u8> {
    let mut got = Vec::new();
    let mut part = vec![0; 64 * 1024];
    while reader.offset() < offset {
        let count = timeout(SOON, reader.read(&mut part)).await.unwrap().unwrap();
        assert!(count > 0);
        got.extend(&part[..count]);
    }
    got
}

#[tokio::test]
async fn no_launch_without_a_sound_probe() {
    let guest = Guest::start().await;
    let mut host = guest.attach(1).await;
    let shim = play_shim(&guest.path("agent.sock"), report(false));
    let refused = host.control.launch().await.unwrap_err();
    assert_eq!(refused.to_string(), "the guest refused `launch`: there is no sound probe report");
    assert!(!host.control.probe(plan()).await.unwrap().is_sound());
    assert!(matches!(host.control.launch().await, Err(ChannelError::Refused { .. })));
    assert!(!host.control.status().await.unwrap().launched);
    drop(host);
    drop(guest);
    assert!(shim.join().unwrap().is_none(), "no pipes were given");
}

#[tokio::test]
async fn an_agent_is_launched_once_and_by_the_first_shim_only() {
    let guest = Guest::start().await;
    let mut host = guest.attach(1).await;
    let shim = play_shim(&guest.path("agent.sock"), report(true));
    assert!(host.control.probe(plan()).await.unwrap().is_sound());
    let mut late = UnixStream::connect(guest.path("agent.sock")).unwrap();
    greet(&late);
    assert_eq!(blocking(move || late.read(&mut [0; 1]).unwrap()).await, 0, "a second shim is closed");
    host.control.launch().await.unwrap();
    let _agent = blocking(move || shim.join().unwrap().unwrap()).await;
    assert!(host.control.status().await.unwrap().launched);
    let again = host.control.launch().await.unwrap_err();
    assert_eq!(again.to_string(), "the guest refused `launch`: the agent was launched");
    assert!(matches!(host.control.probe(plan()).await, Err(ChannelError::Refused { .. })));
}

#[tokio::test]
async fn the_guest_reports_what_is_left_and_how_many_there_are() {
    let guest = Guest::start().await;
    let host = guest.attach(1).await;
    let mut reader = PressureReader::open(&host.session).await.unwrap();
    let first = timeout(SOON, reader.next()).await.unwrap().unwrap();
    let second = timeout(SOON, reader.next()).await.unwrap().unwrap();
    assert_eq!(first.processes.is_some(), second.processes.is_some());
    host.cut().await;
    assert!(timeout(SOON, reader.next()).await.unwrap().is_err(), "a cut is no report");
}

#[tokio::test]
async fn who_does_not_say_who_it_is_is_no_shim() {
    let guest = Guest::start().await;
    let mut host = guest.attach(1).await;
    let mut silent = UnixStream::connect(guest.path("agent.sock")).unwrap();
    let mut rude = UnixStream::connect(guest.path("agent.sock")).unwrap();
    rude.write_all(b"x").unwrap();
    let shim = play_shim(&guest.path("agent.sock"), report(true));
    assert!(host.control.probe(plan()).await.unwrap().is_sound(), "the one that came third and greeted");
    assert_eq!(blocking(move || rude.read(&mut [0; 1]).unwrap()).await, 0);
    assert_eq!(blocking(move || silent.read(&mut [0; 1]).unwrap()).await, 0);
    host.control.launch().await.unwrap();
    let _agent = blocking(move || shim.join().unwrap().unwrap()).await;
}

#[tokio::test]
async fn a_shim_that_dies_is_reported_and_not_replaced() {
    let guest = Guest::start().await;
    let mut host = guest.attach(1).await;
    let dead = UnixStream::connect(guest.path("agent.sock")).unwrap();
    greet(&dead);
    drop(dead);
    assert!(matches!(host.control.probe(plan()).await, Err(ChannelError::Refused { .. })));
    let other = UnixStream::connect(guest.path("agent.sock")).unwrap();
    greet(&other);
    let refused = host.control.probe(plan()).await.unwrap_err();
    assert!(refused.to_string().contains("the shim is gone"), "{refused}");
}

#[tokio::test]
async fn stdin_survives_a_broken_session_and_ends_with_its_stream() {
    let guest = Guest::start().await;
    let mut host = guest.attach(1).await;
    let early = host.session.open(&Open::Stdin { offset: 0 }).await;
    let early = timeout(SOON, early.unwrap().read(&mut [0; 1])).await.unwrap();
    assert_eq!(early.unwrap_err().kind(), io::ErrorKind::ConnectionReset, "there is no agent yet");
    let [mut stdin, _stdout, _stderr] = launch(&guest, &mut host).await;

    let mut stream = host.session.open(&Open::Stdin { offset: 0 }).await.unwrap();
    stream.write_all(b"first").await.unwrap();
    let (mut stdin, got) = blocking(move || {
        let mut got = [0; 5];
        stdin.read_exact(&mut got).unwrap();
        (stdin, got)
    })
    .await;
    assert_eq!(&got, b"first");
    host.cut().await;

    let mut host = guest.attach(2).await;
    let status = host.control.status().await.unwrap();
    assert_eq!((status.stdin_accepted, status.stdin_closed), (5, false));
    let mut wrong = host.session.open(&Open::Stdin { offset: 4 }).await.unwrap();
    let error = timeout(SOON, wrong.read(&mut [0; 1])).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let mut stream = host.session.open(&Open::Stdin { offset: 5 }).await.unwrap();
    stream.write_all(b" second").await.unwrap();
    stream.shutdown().await.unwrap();
    let rest = blocking(move || {
        let mut rest = String::new();
        stdin.read_to_string(&mut rest).unwrap();
        rest
    })
    .await;
    assert_eq!(rest, " second");
    // The guest confirms the end.
    assert_eq!(timeout(SOON, stream.read(&mut [0; 1])).await.unwrap().unwrap(), 0);
    let status = host.control.status().await.unwrap();
    assert_eq!((status.stdin_accepted, status.stdin_closed), (12, true));
}

#[tokio::test]
async fn output_goes_on_exactly_where_the_host_stored_it() {
    let guest = Guest::start().await;
    let mut host = guest.attach(1).await;
    let [_stdin, mut stdout, mut stderr] = launch(&guest, &mut host).await;
    let all: Vec<u8> = (0..1_000_000u32).map(|n| (n / 7) as u8).collect();
    let copy = all.clone();
    let agent = std::thread::spawn(move || {
        stdout.write_all(&copy).unwrap();
        stderr.write_all(b"a word on the side").unwrap();
    });

    let mut reader = OutputReader::open(&host.session, Output::Stdout, 0).await.unwrap();
    let first = read_to(&mut reader, 300_000).await;
    reader.ack(200_000).await.unwrap();
    // The acknowledgement is on its way before the cut when the status shows it.
    let acked = async {
        while host.control.status().await.unwrap().stdout.kept_from != 200_000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, acked).await.unwrap();
    host.cut().await;

    let mut host = guest.attach(2).await;
    let mut released = OutputReader::open(&host.session, Output::Stdout, 199_999).await.unwrap();
    let error = timeout(SOON, released.read(&mut [0; 9])).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "released bytes are gone");
    let mut reader = OutputReader::open(&host.session, Output::Stdout, 250_000).await.unwrap();
    let rest = read_to(&mut reader, 1_000_000).await;
    assert!([&first[..250_000], &rest].concat() == all);
    assert_eq!(timeout(SOON, reader.read(&mut [0; 9])).await.unwrap().unwrap(), 0, "every writer has closed it");
    reader.ack(1_000_000).await.unwrap();
    let mut side = OutputReader::open(&host.session, Output::Stderr, 0).await.unwrap();
    assert_eq!(read_to(&mut side, 18).await, b"a word on the side");
    agent.join().unwrap();
    let status = host.control.status().await.unwrap();
    assert_eq!((status.stdout.read, status.stdout.ended), (1_000_000, true));
}

#[tokio::test]
async fn output_that_nobody_stores_stops_the_agent_and_loses_nothing() {
    const TOTAL: u64 = 10 << 20;
    let guest = Guest::start().await;
    let mut host = guest.attach(1).await;
    let [_stdin, mut stdout, _stderr] = launch(&guest, &mut host).await;
    let agent = std::thread::spawn(move || {
        for n in 0..TOTAL / 1024 {
            stdout.write_all(&[n as u8; 1024]).unwrap();
        }
    });
    let full = async {
        while host.control.status().await.unwrap().stdout.read < 8 << 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, full).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(host.control.status().await.unwrap().stdout.read, 8 << 20, "the tape is capped");
    assert!(!agent.is_finished());
    let mut reader = OutputReader::open(&host.session, Output::Stdout, 0).await.unwrap();
    let mut part = vec![0; 64 * 1024];
    while reader.offset() < TOTAL {
        let from = reader.offset();
        let count = timeout(SOON, reader.read(&mut part)).await.unwrap().unwrap();
        for (n, byte) in part[..count].iter().enumerate() {
            assert_eq!(*byte, ((from + n as u64) / 1024) as u8);
        }
        let stored = reader.offset();
        reader.ack(stored).await.unwrap();
    }
    agent.join().unwrap();
}

/// The real shim, with PID 1 played by the test.
fn real_shim(dir: &Path, argv: &[&str]) -> (tokio::process::Child, UnixStream) {
    let listener = UnixListener::bind(dir.join("agent.sock")).unwrap();
    let child = binary().args(["shim", "--run-dir"]).arg(dir).arg("--").args(argv).spawn().unwrap();
    let (mut socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket.read_exact(&mut [0; 1]).unwrap();
    (child, socket)
}

fn give_pipes(socket: &UnixStream) -> (File, File, File) {
    let make = || pipe_with(PipeFlags::CLOEXEC).unwrap();
    let ((stdin, to_stdin), (from_stdout, stdout), (from_stderr, stderr)) = (make(), make(), make());
    let order = frame::encode(&json!({"order": "launch"}), CAP).unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let pipes = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&pipes)));
    rustix::net::sendmsg(socket, &[IoSlice::new(&order)], &mut control, SendFlags::NOSIGNAL).unwrap();
    (to_stdin.into(), from_stdout.into(), from_stderr.into())
}

#[tokio::test]
async fn the_shim_becomes_the_agent_with_our_pipes_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let script = "read line; echo \"got $line\"; ls /proc/self/fd >&2; grep SigIgn /proc/self/status >&2; exit 7";
    let (mut child, mut socket) = real_shim(dir.path(), &["sh", "-c", script]);
    let (mut stdin, mut stdout, mut stderr) = give_pipes(&socket);
    assert_eq!(socket.read(&mut [0; 1]).unwrap(), 0, "the socket closes with the exec");
    stdin.write_all(b"a task\n").unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    stdout.read_to_string(&mut out).unwrap();
    stderr.read_to_string(&mut err).unwrap();
    assert_eq!(out, "got a task\n");
    // `ls` has its three and the directory that it reads; SIGPIPE (bit 12) has its default action back.
    assert!(err.starts_with("0\n1\n2\n3\nSigIgn:"), "{err}");
    let ignored = u64::from_str_radix(err.rsplit_once('\t').unwrap().1.trim(), 16).unwrap();
    assert_eq!(ignored & (1 << 12), 0, "{err}");
    assert_eq!(timeout(SOON, child.wait()).await.unwrap().unwrap().code(), Some(7));
}

#[tokio::test]
async fn an_agent_that_cannot_be_executed_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, socket) = real_shim(dir.path(), &["/nowhere/agent"]);
    let _pipes = give_pipes(&socket);
    let (answer, _) = receive(&socket).unwrap();
    assert_eq!(answer["answer"], "failed");
    assert!(answer["reason"].as_str().unwrap().contains("cannot execute /nowhere/agent"), "{answer}");
    assert_eq!(timeout(SOON, child.wait()).await.unwrap().unwrap().code(), Some(127));
}

#[tokio::test]
async fn the_shim_ends_with_pid_1_and_without_pipes() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, socket) = real_shim(dir.path(), &["sh", "-c", "exit 0"]);
    drop(socket);
    assert_eq!(timeout(SOON, child.wait()).await.unwrap().unwrap().code(), Some(127));

    let dir = tempfile::tempdir().unwrap();
    let (mut child, mut socket) = real_shim(dir.path(), &["sh", "-c", "exit 0"]);
    socket.write_all(&frame::encode(&json!({"order": "launch"}), CAP).unwrap()).unwrap();
    assert_eq!(timeout(SOON, child.wait()).await.unwrap().unwrap().code(), Some(127));
}
