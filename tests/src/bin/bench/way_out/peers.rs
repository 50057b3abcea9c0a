//! Other proxies, each started with a configuration of its own: the one that comes with Claude Code's sandbox runtime, squid and
//! tinyproxy. What is not installed is installed from npm and Debian; what cannot be is left out and said.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The package, with its version.
const RUNTIME: &str = "@anthropic-ai/sandbox-runtime@0.0.78";
/// How long a proxy may take to listen.
const SOON: Duration = Duration::from_secs(20);

/// A proxy that runs.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    child: Child,
    _dir: TempDir,
}

impl Peer {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Every peer that could be started, and a line for each that could not.
pub(crate) fn start(origin: u16) -> (Vec<Peer>, Vec<String>) {
    let (mut peers, mut missing) = (Vec::new(), Vec::new());
    for start in [sandbox_runtime, squid, tinyproxy] {
        match start(origin) {
            Ok(peer) => peers.push(peer),
            Err(why) => missing.push(why),
        }
    }
    (peers, missing)
}

fn sandbox_runtime(_origin: u16) -> Result<Peer, String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    run(Command::new("npm").args(["install", "--silent", "--prefix"]).arg(dir.path()).arg(RUNTIME), "sandbox-runtime")?;
    let port = free_port();
    let script = dir.path().join("proxy.mjs");
    let module = "./node_modules/@anthropic-ai/sandbox-runtime/dist/sandbox/http-proxy.js";
    let text = format!(
        "import {{ createHttpProxyServer }} from '{module}';\n\
         createHttpProxyServer({{ filter: () => true }}).listen({port}, '127.0.0.1');\n"
    );
    write(&script, &text)?;
    launch("sandbox-runtime", dir, Command::new("node").arg(script), port)
}

fn squid(origin: u16) -> Result<Peer, String> {
    installed("squid")?;
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (port, path) = (free_port(), dir.path().display());
    let text = format!(
        "http_port 127.0.0.1:{port}\nacl origin port {origin}\nhttp_access allow CONNECT origin\nhttp_access deny all\n\
         cache deny all\naccess_log none\ncache_log {path}/cache.log\npid_filename {path}/squid.pid\ncoredump_dir {path}\n\
         shutdown_lifetime 0 seconds\nworkers 1\n"
    );
    let config = dir.path().join("squid.conf");
    write(&config, &text)?;
    // It gives up root for a user that has to reach its files.
    run(Command::new("chmod").args(["-R", "a+rwX"]).arg(dir.path()), "squid")?;
    launch("squid", dir, Command::new("squid").args(["-N", "-f"]).arg(config), port)
}

fn tinyproxy(origin: u16) -> Result<Peer, String> {
    installed("tinyproxy")?;
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let port = free_port();
    let text =
        format!("Port {port}\nListen 127.0.0.1\nTimeout 600\nMaxClients 500\nAllow 127.0.0.1\nConnectPort {origin}\n");
    let config = dir.path().join("tinyproxy.conf");
    write(&config, &text)?;
    launch("tinyproxy", dir, Command::new("tinyproxy").args(["-d", "-c"]).arg(config), port)
}

/// Installs a Debian package without starting its service.
fn installed(program: &'static str) -> Result<(), String> {
    let is_there = || ["/usr/sbin", "/usr/bin"].iter().any(|dir| PathBuf::from(dir).join(program).exists());
    if is_there() {
        return Ok(());
    }
    let mut command = Command::new("apt-get");
    command.args(["install", "-y", "-qq", "--no-install-recommends", program]).env("DEBIAN_FRONTEND", "noninteractive");
    run(command.env("RUNLEVEL", "1"), program)
}

fn run(command: &mut Command, what: &str) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{what}: {}", said.lines().last().unwrap_or("it could not be installed")))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind").local_addr().expect("address").port()
}

fn launch(name: &'static str, dir: TempDir, command: &mut Command, port: u16) -> Result<Peer, String> {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = quiet.spawn().map_err(|error| format!("{name}: {error}"))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut peer = Peer { name, address, child, _dir: dir };
    let end = Instant::now() + SOON;
    while Instant::now() < end {
        if TcpStream::connect(address).is_ok() {
            return Ok(peer);
        }
        if let Ok(Some(status)) = peer.child.try_wait() {
            return Err(format!("{name}: it ended with {status}"));
        }
        sleep(Duration::from_millis(20));
    }
    Err(format!("{name}: it does not listen"))
}
