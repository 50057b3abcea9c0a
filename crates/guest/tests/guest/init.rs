//! PID 1 against a host end, without a container: sessions, listeners, names.

use crate::world::{Guest, Host, SOON, binary};
use channel::ChannelError;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    process::Child,
    time::timeout,
};
use types::{
    host::HostName,
    wire::{Listeners, NamedListener, Open},
};

/// Free ports, on loopback addresses of this test run's own.
async fn listeners() -> Listeners {
    let free = async || TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    Listeners {
        proxy: free().await,
        model: free().await,
        dns: free().await,
        names: vec![NamedListener {
            host: HostName::parse("api.example.com").unwrap(),
            address: "127.83.0.2".parse().unwrap(),
            ports: vec![free().await.port()],
        }],
    }
}

async fn converse(address: SocketAddr, text: &str) -> std::io::Result<String> {
    let mut client = TcpStream::connect(address).await?;
    client.write_all(text.as_bytes()).await?;
    client.shutdown().await?;
    let mut answer = String::new();
    timeout(SOON, client.read_to_string(&mut answer)).await.unwrap()?;
    Ok(answer)
}

/// Answers the next connection that comes over the channel with its own bytes in upper case.
async fn shout(host: &mut Host) -> Open {
    let (open, mut stream) = timeout(SOON, host.incoming.accept()).await.unwrap().unwrap();
    let mut asked = String::new();
    stream.read_to_string(&mut asked).await.unwrap();
    stream.write_all(asked.to_uppercase().as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    open
}

#[tokio::test]
async fn only_a_higher_generation_takes_over() {
    let guest = Guest::start().await;
    let first = guest.attach(5).await;
    for generation in [5, 4, 0] {
        let refused = guest.connect().await.control.hello(generation).await.unwrap_err();
        assert!(matches!(refused, ChannelError::Refused { .. }), "{refused:?}");
    }
    assert!(!first.session.is_closed());
    let mut second = guest.attach(6).await;
    timeout(SOON, first.session.closed()).await.unwrap();
    assert!(!second.control.status().await.unwrap().configured);
    assert!(matches!(second.control.hello(7).await, Err(ChannelError::Refused { .. })));
    assert!(second.control.status().await.is_ok());
}

#[tokio::test]
async fn requests_before_hello_are_refused() {
    let guest = Guest::start().await;
    let mut host = guest.connect().await;
    assert!(matches!(host.control.status().await, Err(ChannelError::Refused { .. })));
}

#[tokio::test]
async fn each_listener_opens_its_own_kind_of_stream() {
    let guest = Guest::start().await;
    let mut host = guest.attach(1).await;
    let listeners = listeners().await;
    host.control.configure(listeners.clone(), "s-1", None).await.unwrap();
    let name = &listeners.names[0];
    let named = SocketAddr::new(name.address.into(), name.ports[0]);
    for (address, open) in [
        (listeners.proxy, Open::Proxy),
        (listeners.model, Open::Model),
        (named, Open::Named { host: name.host.clone(), port: name.ports[0] }),
    ] {
        let (answer, opened) = tokio::join!(converse(address, "hello"), shout(&mut host));
        assert_eq!(answer.unwrap(), "HELLO");
        assert_eq!(opened, open);
    }
}

#[tokio::test]
async fn one_configuration_is_for_the_run() {
    let guest = Guest::start().await;
    let mut host = guest.attach(1).await;
    let listeners = listeners().await;
    assert!(matches!(host.control.arm().await, Err(ChannelError::Refused { .. })));
    let mut public = listeners.clone();
    public.model = "0.0.0.0:1".parse().unwrap();
    assert!(matches!(host.control.configure(public, "s-1", None).await, Err(ChannelError::Refused { .. })));
    let taken = TcpListener::bind(listeners.model).await.unwrap();
    assert!(matches!(host.control.configure(listeners.clone(), "s-1", None).await, Err(ChannelError::Refused { .. })));
    drop(taken);
    // What was refused changed nothing: the other addresses are free again.
    assert!(!host.control.status().await.unwrap().configured);
    host.control.configure(listeners.clone(), "s-1", None).await.unwrap();
    host.control.configure(listeners.clone(), "s-1", None).await.unwrap();
    assert!(matches!(host.control.configure(listeners, "s-2", None).await, Err(ChannelError::Refused { .. })));
    let session = guest.path("session");
    assert!(!session.exists(), "the hook has to wait for the agent's word");
    host.control.arm().await.unwrap();
    host.control.arm().await.unwrap();
    assert_eq!(std::fs::read_to_string(&session).unwrap(), "s-1");
    assert_eq!(std::fs::metadata(&session).unwrap().permissions().mode() & 0o777, 0o444);
}

#[tokio::test]
async fn connections_made_without_a_host_are_served_by_the_next() {
    let guest = Guest::start().await;
    let mut host = guest.attach(1).await;
    let listeners = listeners().await;
    host.control.configure(listeners.clone(), "s-1", None).await.unwrap();
    host.cut().await;
    let waiting = converse(listeners.proxy, "early");
    let next = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut host = guest.attach(2).await;
        assert!(host.control.status().await.unwrap().configured);
        shout(&mut host).await;
        host
    };
    let (answer, _host) = tokio::join!(waiting, next);
    assert_eq!(answer.unwrap(), "EARLY");
}

#[tokio::test]
async fn a_cut_answer_is_a_reset_for_the_program_inside() {
    let guest = Guest::start().await;
    let mut host = guest.attach(1).await;
    let listeners = listeners().await;
    host.control.configure(listeners.clone(), "s-1", None).await.unwrap();
    let mut client = TcpStream::connect(listeners.model).await.unwrap();
    client.write_all(b"ask").await.unwrap();
    let (_, mut stream) = host.incoming.accept().await.unwrap();
    stream.write_all(b"half").await.unwrap();
    let mut half = [0; 4];
    client.read_exact(&mut half).await.unwrap();
    host.cut().await;
    let error = timeout(SOON, client.read(&mut half)).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn names_are_answered_over_both_transports() {
    let guest = Guest::start().await;
    let mut host = guest.attach(1).await;
    let listeners = listeners().await;
    host.control.configure(listeners.clone(), "s-1", None).await.unwrap();
    let query = |name: &str| {
        let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            message.push(u8::try_from(label.len()).unwrap());
            message.extend(label.as_bytes());
        }
        message.extend([0, 0, 1, 0, 1]);
        message
    };
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    udp.connect(listeners.dns).await.unwrap();
    let mut reply = [0; 512];
    udp.send(&query("api.example.com")).await.unwrap();
    let length = timeout(SOON, udp.recv(&mut reply)).await.unwrap().unwrap();
    assert_eq!(reply[length - 4..length], [127, 83, 0, 2]);
    udp.send(&query("secret.evil.example")).await.unwrap();
    timeout(SOON, udp.recv(&mut reply)).await.unwrap().unwrap();
    assert_eq!(reply[3] & 0xf, 3);

    let mut tcp = TcpStream::connect(listeners.dns).await.unwrap();
    let message = query("api.example.com");
    tcp.write_u16(u16::try_from(message.len()).unwrap()).await.unwrap();
    tcp.write_all(&message).await.unwrap();
    let length = usize::from(timeout(SOON, tcp.read_u16()).await.unwrap().unwrap());
    tcp.read_exact(&mut reply[..length]).await.unwrap();
    assert_eq!(reply[length - 4..length], [127, 83, 0, 2]);
}

#[tokio::test]
async fn termination_is_prompt_with_a_host_attached() {
    let mut guest = Guest::start().await;
    let _host = guest.attach(1).await;
    let pid = guest.init.id().and_then(|id| Pid::from_raw(i32::try_from(id).unwrap())).unwrap();
    let start = Instant::now();
    kill_process(pid, Signal::TERM).unwrap();
    let status = timeout(SOON, guest.init.wait()).await.unwrap().unwrap();
    assert!(status.success());
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
}

fn bridge(guest: &Guest) -> Child {
    let mut bridge = binary();
    bridge.args(["bridge", "--run-dir"]).arg(guest.dir()).stdin(Stdio::piped()).stdout(Stdio::piped());
    bridge.spawn().unwrap()
}

#[tokio::test]
async fn the_bridge_ends_with_its_host() {
    let guest = Guest::start().await;
    let mut bridge = bridge(&guest);
    drop(bridge.stdin.take());
    assert!(timeout(SOON, bridge.wait()).await.unwrap().unwrap().success());
}

#[tokio::test]
async fn the_bridge_carries_a_session_and_ends_with_pid_1() {
    let mut guest = Guest::start().await;
    let mut bridge = bridge(&guest);
    let io = tokio::io::join(bridge.stdout.take().unwrap(), bridge.stdin.take().unwrap());
    let (session, _incoming, driver) = channel::session(io, channel::Side::Host);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(driver);
    let mut control = channel::Control::open(&session).await.unwrap();
    assert!(!control.hello(1).await.unwrap().launched);
    guest.init.kill().await.unwrap();
    timeout(SOON, bridge.wait()).await.unwrap().unwrap();
    timeout(SOON, session.closed()).await.unwrap();
}
