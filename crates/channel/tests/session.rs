//! Two ends of a session over an in-memory pipe: what CHANNEL.md calls pitfalls, each held by a test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use channel::{
    ChannelError, Control, Driver, Incoming, MAX_INBOUND, OutputReader, Session, Side, Stream, frame, session,
};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::JoinSet,
    time::timeout,
};
use types::wire::{GuestStatus, MAX_FRAME, Open, Output, Reply, Request, VERSION};

type End = (Session, Incoming);

fn pair(tasks: &mut JoinSet<()>) -> (End, End) {
    let (host, guest) = duplex(256 * 1024);
    (end(host, Side::Host, tasks), end(guest, Side::Guest, tasks))
}

fn end(io: DuplexStream, side: Side, tasks: &mut JoinSet<()>) -> End {
    let (session, incoming, driver) = session(io, side);
    drive(driver, tasks);
    (session, incoming)
}

fn drive(driver: Driver, tasks: &mut JoinSet<()>) {
    tasks.spawn(async move {
        let _end = driver.await;
    });
}

async fn both(from: &End, to: &mut End, open: Open) -> (Stream, Stream) {
    let near = from.0.open(&open).await.unwrap();
    let (header, far) = to.1.accept().await.unwrap();
    assert_eq!(header, open);
    (near, far)
}

#[tokio::test]
async fn the_other_side_can_speak_first() {
    let mut tasks = JoinSet::new();
    let (mut host, guest) = pair(&mut tasks);
    let (mut near, mut far) = both(&guest, &mut host, Open::Model).await;
    far.write_all(b"hello").await.unwrap();
    let mut buffer = [0; 5];
    timeout(Duration::from_secs(5), near.read_exact(&mut buffer)).await.unwrap().unwrap();
    assert_eq!(&buffer, b"hello");
}

#[tokio::test]
async fn half_close_leaves_the_other_direction_open() {
    let mut tasks = JoinSet::new();
    let (mut host, guest) = pair(&mut tasks);
    let (mut near, mut far) = both(&guest, &mut host, Open::Proxy).await;
    near.write_all(b"ask").await.unwrap();
    near.shutdown().await.unwrap();
    let mut asked = Vec::new();
    far.read_to_end(&mut asked).await.unwrap();
    assert_eq!(asked, b"ask");
    let answer: Vec<u8> = (0..3 << 20).map(|n: u32| (n >> 3) as u8).collect();
    let send = async {
        far.write_all(&answer).await.unwrap();
        far.shutdown().await.unwrap();
    };
    let mut got = Vec::new();
    let (_, read) = tokio::join!(send, near.read_to_end(&mut got));
    read.unwrap();
    assert!(got == answer, "{} of {} bytes", got.len(), answer.len());
}

#[tokio::test]
async fn a_dropped_stream_reads_as_an_error_after_its_bytes() {
    let mut tasks = JoinSet::new();
    let (mut host, guest) = pair(&mut tasks);
    let (mut near, mut far) = both(&guest, &mut host, Open::Proxy).await;
    far.write_all(b"half a bo").await.unwrap();
    far.flush().await.unwrap();
    drop(far);
    let mut got = Vec::new();
    let error = near.read_to_end(&mut got).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(got, b"half a bo");
}

#[tokio::test]
async fn a_lost_session_is_an_error_even_for_a_stream_that_ended_its_side() {
    let mut host_tasks = JoinSet::new();
    let mut guest_tasks = JoinSet::new();
    let (host_io, guest_io) = duplex(1024);
    let mut host = end(host_io, Side::Host, &mut host_tasks);
    let guest = end(guest_io, Side::Guest, &mut guest_tasks);
    let (mut near, mut far) = both(&guest, &mut host, Open::Proxy).await;
    near.shutdown().await.unwrap();
    let mut rest = Vec::new();
    far.read_to_end(&mut rest).await.unwrap();
    host_tasks.shutdown().await;
    let error = timeout(Duration::from_secs(5), near.read_to_end(&mut rest)).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    timeout(Duration::from_secs(5), guest.0.closed()).await.unwrap();
    assert!(guest.0.is_closed());
    assert!(matches!(guest.0.open(&Open::Proxy).await, Err(ChannelError::Closed)));
    assert!(host.1.accept().await.is_none());
}

#[tokio::test]
async fn a_bad_header_drops_that_stream_only() {
    let mut tasks = JoinSet::new();
    let (host_io, guest_io) = duplex(64 * 1024);
    let mut host = end(host_io, Side::Host, &mut tasks);
    // The hostile end speaks the multiplexer's protocol by itself: SYN with a header length of 4 GiB, then one with
    // JSON that is no header, then a good one.
    let (mut read, mut write) = tokio::io::split(guest_io);
    tasks.spawn(async move {
        let _sink = tokio::io::copy(&mut read, &mut tokio::io::sink()).await;
    });
    for (id, body) in [
        (2u32, u32::MAX.to_be_bytes().to_vec()),
        (4, frame::encode(&serde_json::json!({"stream": "shell"}), 99).unwrap()),
        (6, frame::encode(&Open::Model, 99).unwrap()),
    ] {
        let mut packet = vec![0, 0, 0, 1];
        packet.extend(id.to_be_bytes());
        packet.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        packet.extend(body);
        write.write_all(&packet).await.unwrap();
    }
    let (open, _stream) = timeout(Duration::from_secs(5), host.1.accept()).await.unwrap().unwrap();
    assert_eq!(open, Open::Model);
}

#[tokio::test]
async fn a_header_that_never_comes_holds_up_nobody() {
    let mut tasks = JoinSet::new();
    let (host_io, guest_io) = duplex(64 * 1024);
    let mut host = end(host_io, Side::Host, &mut tasks);
    let (mut read, mut write) = tokio::io::split(guest_io);
    tasks.spawn(async move {
        let _sink = tokio::io::copy(&mut read, &mut tokio::io::sink()).await;
    });
    write.write_all(&[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0]).await.unwrap();
    let body = frame::encode(&Open::Proxy, 99).unwrap();
    let mut packet = vec![0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, u8::try_from(body.len()).unwrap()];
    packet.extend(body);
    write.write_all(&packet).await.unwrap();
    let (open, _stream) = timeout(Duration::from_secs(2), host.1.accept()).await.unwrap().unwrap();
    assert_eq!(open, Open::Proxy);
}

#[tokio::test]
async fn streams_over_the_cap_are_dropped_and_the_session_lives() {
    let mut tasks = JoinSet::new();
    let (host_io, guest_io) = duplex(1 << 20);
    let mut host = end(host_io, Side::Host, &mut tasks);
    let (mut read, mut write) = tokio::io::split(guest_io);
    tasks.spawn(async move {
        let _sink = tokio::io::copy(&mut read, &mut tokio::io::sink()).await;
    });
    let body = frame::encode(&Open::Proxy, 99).unwrap();
    let total = MAX_INBOUND + 300;
    for n in 1..=total {
        let mut packet = vec![0, 0, 0, 1];
        packet.extend(u32::try_from(2 * n).unwrap().to_be_bytes());
        packet.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        packet.extend(&body);
        write.write_all(&packet).await.unwrap();
    }
    let mut held = Vec::new();
    while let Ok(Some((_, stream))) = timeout(Duration::from_millis(300), host.1.accept()).await {
        held.push(stream);
    }
    assert_eq!(held.len(), MAX_INBOUND);
    assert!(!host.0.is_closed());
    // Room made is room used.
    held.clear();
    let mut packet = vec![0, 0, 0, 1];
    packet.extend(u32::try_from(2 * total + 2).unwrap().to_be_bytes());
    packet.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    packet.extend(&body);
    write.write_all(&packet).await.unwrap();
    assert!(timeout(Duration::from_secs(5), host.1.accept()).await.unwrap().is_some());
}

#[tokio::test]
async fn many_streams_at_once_carry_their_own_bytes() {
    let mut tasks = JoinSet::new();
    let (mut host, guest) = pair(&mut tasks);
    tasks.spawn(async move {
        let mut echoes = JoinSet::new();
        while let Some((_, stream)) = host.1.accept().await {
            echoes.spawn(async move {
                let (mut read, mut write) = tokio::io::split(stream);
                tokio::io::copy(&mut read, &mut write).await.unwrap();
                write.shutdown().await.unwrap();
            });
        }
    });
    let mut clients = JoinSet::new();
    for n in 0..200u32 {
        let session = guest.0.clone();
        clients.spawn(async move {
            let mut stream = session.open(&Open::Proxy).await.unwrap();
            let message = n.to_be_bytes().repeat(500);
            stream.write_all(&message).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut back = Vec::new();
            stream.read_to_end(&mut back).await.unwrap();
            assert_eq!(back, message);
        });
    }
    timeout(Duration::from_secs(20), clients.join_all()).await.unwrap();
}

#[tokio::test]
async fn control_talks_in_turns_and_failures_are_typed() {
    let mut tasks = JoinSet::new();
    let (host, mut guest) = pair(&mut tasks);
    tasks.spawn(async move {
        let (open, mut stream) = guest.1.accept().await.unwrap();
        assert_eq!(open, Open::Control);
        while let Some(request) = frame::read_frame::<Request>(&mut stream, MAX_FRAME).await.unwrap() {
            let reply = match request {
                Request::Hello { version: VERSION, generation: 1 } => {
                    Reply::Status { version: VERSION, status: GuestStatus::default() }
                }
                Request::Hello { .. } => Reply::Status { version: VERSION + 1, status: GuestStatus::default() },
                Request::Launch => Reply::Failed { reason: "no \u{1b}[31mprobe".into() },
                Request::Configure { .. } | Request::Arm | Request::Probe { .. } | Request::Status => Reply::Launched,
            };
            frame::write_frame(&mut stream, &reply, MAX_FRAME).await.unwrap();
        }
    });
    let mut control = Control::open(&host.0).await.unwrap();
    assert_eq!(control.hello(1).await.unwrap(), GuestStatus::default());
    let refused = control.launch().await.unwrap_err();
    assert_eq!(refused.to_string(), "the guest refused `launch`: no \\u{1b}[31mprobe");
    assert!(
        matches!(control.hello(2).await, Err(ChannelError::Version { guest, host }) if guest == VERSION + 1 && host == VERSION)
    );
    assert!(matches!(control.status().await, Err(ChannelError::Closed)));
}

#[tokio::test]
async fn output_is_acknowledged_by_offset_and_not_ahead_of_reading() {
    let mut tasks = JoinSet::new();
    let (host, mut guest) = pair(&mut tasks);
    let mut reader = OutputReader::open(&host.0, Output::Stderr, 100).await.unwrap();
    let (open, mut far) = guest.1.accept().await.unwrap();
    assert_eq!(open, Open::Stderr { offset: 100 });
    far.write_all(b"abc").await.unwrap();
    let mut buffer = [0; 9];
    assert_eq!(reader.read(&mut buffer).await.unwrap(), 3);
    assert_eq!(reader.offset(), 103);
    assert_eq!(reader.ack(104).await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    reader.ack(103).await.unwrap();
    assert_eq!(far.read_u64().await.unwrap(), 103);
    far.shutdown().await.unwrap();
    assert_eq!(reader.read(&mut buffer).await.unwrap(), 0);
}
