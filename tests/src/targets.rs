//! Real targets for what must not be reached: listeners of the test that count, and a container beside the run. A refusal
//! counts only together with silence here, and each target is reached once by someone who may, so that silence means something.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

/// A listener that counts what reaches it. It lives as long as the test's process.
#[derive(Debug)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    hits: Arc<AtomicUsize>,
}

impl Target {
    /// Accepts connections on a free port of `ip` and ends each at once.
    ///
    /// # Panics
    /// When the address cannot be bound.
    #[must_use]
    pub fn tcp(ip: IpAddr) -> Self {
        Self::accepting(ip, |_| {})
    }

    /// Answers every HTTP request on a free port of `ip` with `body`.
    ///
    /// # Panics
    /// When the address cannot be bound.
    #[must_use]
    pub fn http(ip: IpAddr, body: &'static str) -> Self {
        Self::accepting(ip, move |mut client| {
            let mut head = Vec::new();
            let mut piece = [0; 4096];
            while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                match client.read(&mut piece) {
                    Ok(count) if count > 0 => head.extend_from_slice(&piece[..count]),
                    Ok(_) | Err(_) => return,
                }
            }
            let length = body.len();
            let _ = write!(client, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        })
    }

    /// Hears datagrams on a free port of `ip`.
    ///
    /// # Panics
    /// When the address cannot be bound.
    #[must_use]
    pub fn udp(ip: IpAddr) -> Self {
        let socket = UdpSocket::bind((ip, 0)).expect("bind");
        let target = Self { address: socket.local_addr().expect("address"), hits: Arc::default() };
        let hits = Arc::clone(&target.hits);
        thread::spawn(move || {
            while socket.recv_from(&mut [0; 512]).is_ok() {
                hits.fetch_add(1, Ordering::SeqCst);
            }
        });
        target
    }

    fn accepting(ip: IpAddr, serve: impl Fn(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind((ip, 0)).expect("bind");
        let target = Self { address: listener.local_addr().expect("address"), hits: Arc::default() };
        let hits = Arc::clone(&target.hits);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                hits.fetch_add(1, Ordering::SeqCst);
                serve(client);
            }
        });
        target
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How much has reached it so far.
    #[must_use]
    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    /// Waits until something has reached it, at most ten seconds: a datagram is counted a moment after it was sent.
    ///
    /// # Panics
    /// When nothing does.
    pub fn expect_hit(&self) {
        let end = Instant::now() + Duration::from_secs(10);
        while self.hits() == 0 {
            assert!(Instant::now() < end, "nothing reached {}", self.address);
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A container on a bridge of the engine that is made for the test. Dropping it removes both.
#[derive(Debug)]
pub struct Neighbour {
    /// Name of the container and of its network.
    pub name: String,
    /// Its address on the bridge.
    pub address: IpAddr,
    /// The bridge's own address, which is the host's.
    pub bridge: IpAddr,
}

impl Neighbour {
    /// Starts a Python script and waits until it has printed `ready`.
    ///
    /// # Panics
    /// When the engine does not answer or the script ends.
    #[must_use]
    pub fn start(script: &str) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("clock");
        let name = format!("system-test-neighbour-{}-{}", std::process::id(), since.as_nanos());
        // From here on dropping it cleans up, whichever step fails.
        let mut neighbour = Self { name, address: [0, 0, 0, 0].into(), bridge: [0, 0, 0, 0].into() };
        let name = &neighbour.name;
        let _ = docker(&["network", "create", name]);
        let _ =
            docker(&["run", "--detach", "--name", name, "--network", name, "sandbox/base", "python3", "-c", script]);
        let end = Instant::now() + Duration::from_secs(30);
        while !neighbour.log().contains("ready") {
            assert!(Instant::now() < end, "the neighbour is not ready:\n{}", neighbour.log());
            thread::sleep(Duration::from_millis(50));
        }
        let setting = |key: &str| {
            let format = format!("{{{{range .NetworkSettings.Networks}}}}{{{{.{key}}}}}{{{{end}}}}");
            let text = docker(&["inspect", "--format", &format, name]);
            text.trim().parse().expect("an address on the bridge")
        };
        let (address, bridge) = (setting("IPAddress"), setting("Gateway"));
        (neighbour.address, neighbour.bridge) = (address, bridge);
        neighbour
    }

    /// What it printed.
    #[must_use]
    pub fn log(&self) -> String {
        docker(&["logs", &self.name])
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", &self.name]).output();
        let _ = Command::new("docker").args(["network", "rm", &self.name]).output();
    }
}

/// Runs `docker` and returns its stdout.
///
/// # Panics
/// When it fails.
#[must_use]
pub fn docker(args: &[&str]) -> String {
    let Output { status, stdout, stderr } = Command::new("docker").args(args).output().expect("docker");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(status.success(), "docker {args:?}: {status}\n{}\n{}", text(&stdout), text(&stderr));
    text(&stdout)
}

/// An address of this host that other machines would use; the bridge's where it has none. Nothing is sent.
#[must_use]
pub fn own_address(bridge: IpAddr) -> IpAddr {
    let local = || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect("203.0.113.1:9")?;
        socket.local_addr()
    };
    local().map_or(bridge, |address: SocketAddr| address.ip())
}
