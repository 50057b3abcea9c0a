//! Our egress as a process of its own, so that its memory is its own too: `bench own-proxy` listens for proxy clients and for the
//! model's, and ends when its standard input does.

use egress::{
    Backend, Config, Credential, Deaf, Egress, KeptAuthority, Keys, Limits, ModelConfig, UpstreamConfig, scan::Secrets,
};
use serde::{Deserialize, Serialize};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::Arc,
};
use system_tests::origin::NAMES;
use tokio::{net::TcpListener, task::JoinSet};
use types::{
    host::{Endpoint, HostName},
    route::{Method, Route, RouteKind, Rules, Scheme},
    wire::Open,
};

/// The command line's word for it.
pub(crate) const COMMAND: &str = "own-proxy";
/// The model that is asked for.
pub(crate) const MODEL: &str = "claude-sonnet-4-6";

/// What the process is told, a line on its standard input.
#[derive(Serialize, Deserialize)]
struct Task {
    origin: SocketAddr,
    root: String,
    model: SocketAddr,
}

/// What it says, a line on its standard output.
#[derive(Serialize, Deserialize)]
struct Ready {
    proxy: SocketAddr,
    model: SocketAddr,
    authority: String,
}

/// The process.
pub(crate) struct Own {
    child: Child,
    pub(crate) proxy: SocketAddr,
    pub(crate) model: SocketAddr,
    /// Whom its clients trust where requests are looked at, PEM.
    pub(crate) authority: String,
}

impl Own {
    /// Starts it.
    pub(crate) fn start(origin: SocketAddr, root: &str, model: SocketAddr) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("our own path"))
            .arg(COMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("our own proxy");
        let task = Task { origin, root: root.to_owned(), model };
        let line = format!("{}\n", serde_json::to_string(&task).expect("JSON"));
        child.stdin.as_mut().expect("stdin").write_all(line.as_bytes()).expect("task");
        let mut said = String::new();
        BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut said).expect("ready");
        let Ready { proxy, model, authority } = serde_json::from_str(&said).expect("ready");
        Self { child, proxy, model, authority }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ended = self.child.wait();
    }
}

/// The process's own part.
pub(crate) fn serve() {
    let mut line = String::new();
    BufReader::new(std::io::stdin()).read_line(&mut line).expect("a task");
    let task: Task = serde_json::from_str(&line).expect("a task");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (egress, authority) = egress(&task);
        let bind = async || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bind");
        let (proxy, model) = (bind().await, bind().await);
        let address = |listener: &TcpListener| listener.local_addr().expect("address");
        let ready = Ready { proxy: address(&proxy), model: address(&model), authority };
        let line = format!("{}\n", serde_json::to_string(&ready).expect("JSON"));
        std::io::stdout().write_all(line.as_bytes()).expect("stdout");
        let mut listening = JoinSet::new();
        listening.spawn(accept(proxy, egress.clone(), || Open::Proxy));
        listening.spawn(accept(model, egress, || Open::Model));
        let over = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        let _ended = over.await;
    });
}

async fn accept(listener: TcpListener, egress: Egress, open: fn() -> Open) {
    let mut streams = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let egress = egress.clone();
        streams.spawn(async move { egress.serve(open(), stream).await });
        while streams.try_join_next().is_some() {}
    }
}

fn egress(task: &Task) -> (Egress, String) {
    let [tunnel, requests] = NAMES.map(|name| Endpoint::parse(name).expect(name));
    let route = |endpoint, kind| Route { address: Some(task.origin), ..Route::new(endpoint, kind, Scheme::Https) };
    let rules = Rules { methods: Some(vec![Method::parse("GET").expect("a method")]), ..Rules::default() };
    let looked_at = Route { rules, ..route(requests, RouteKind::Http) };
    let authority = KeptAuthority::make([&HostName::parse(NAMES[1]).expect("a name")]).expect("an authority");
    let certificate = authority.certificate.clone();
    let upstream =
        UpstreamConfig { url: format!("http://{}", task.model).parse().expect("a URL"), credential: Credential::None };
    let config = Config {
        routes: vec![route(tunnel, RouteKind::Tls), looked_at],
        keys: Keys { authority: Some(authority), roots: vec![task.root.clone()], ..Keys::default() },
        model: Some(ModelConfig::new(Backend::Upstream(upstream), vec![MODEL.to_owned()])),
        limits: Limits { bytes_down: u64::MAX, ..Limits::default() },
        sink: Arc::new(Deaf),
        secrets: Secrets::default(),
    };
    (Egress::new(config).expect("an egress"), certificate)
}
