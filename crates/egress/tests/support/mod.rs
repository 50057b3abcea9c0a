//! What the tests of the way out share: an observer that keeps everything, streams like those of the engine, and targets on
//! loopback that record every byte.
#![expect(dead_code, reason = "each test binary uses its own part of this module")]
#![expect(unreachable_pub, reason = "a module of test binaries")]

pub mod tls;

use egress::{
    Admission, Backend, Config, Credential, Egress, Keys, LimitReached, Limits, ModelConfig, Observer, UpstreamConfig,
    scan::Secrets,
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    net::TcpListener,
    task::JoinSet,
    time::timeout,
};
use types::{
    event::{EgressRecord, Usage, WireToolResult, WireToolUse},
    host::Endpoint,
    route::{Route, RouteKind, Scheme},
    secret::Secret,
    wire::Open,
};

/// Everything that the observer heard.
#[derive(Default)]
pub struct Heard {
    pub records: Vec<EgressRecord>,
    pub tool_uses: Vec<WireToolUse>,
    pub tool_results: Vec<WireToolResult>,
    pub usages: Vec<Usage>,
    pub admitted: Vec<Admission>,
    pub closed: Vec<u64>,
    pub turns: usize,
    pub auth: Vec<u16>,
    pub rate: Vec<(u16, Option<Duration>)>,
    pub cleared: usize,
    pub limits: Vec<LimitReached>,
}

#[derive(Default)]
pub struct Recorder(Mutex<Heard>);

impl Recorder {
    pub fn heard<T>(&self, read: impl FnOnce(&mut Heard) -> T) -> T {
        read(&mut self.0.lock().expect("lock"))
    }

    /// The rules of all records so far.
    pub fn rules(&self) -> Vec<String> {
        self.heard(|heard| heard.records.iter().map(|record| record.rule.clone()).collect())
    }
}

impl Observer for Recorder {
    fn egress(&self, record: EgressRecord) {
        self.heard(|heard| heard.records.push(record));
    }
    fn tool_use(&self, call: WireToolUse) {
        self.heard(|heard| heard.tool_uses.push(call));
    }
    fn tool_result(&self, result: WireToolResult) {
        self.heard(|heard| heard.tool_results.push(result));
    }
    fn usage(&self, usage: Usage) {
        self.heard(|heard| heard.usages.push(usage));
    }
    fn admitted(&self, admission: Admission) {
        self.heard(|heard| heard.admitted.push(admission));
    }
    fn closed(&self, request: u64, is_turn: bool) {
        self.heard(|heard| {
            heard.closed.push(request);
            heard.turns += usize::from(is_turn);
        });
    }
    fn auth_refused(&self, status: u16) {
        self.heard(|heard| heard.auth.push(status));
    }
    fn rate_limited(&self, status: u16, retry_after: Option<Duration>) {
        self.heard(|heard| heard.rate.push((status, retry_after)));
    }
    fn rate_cleared(&self) {
        self.heard(|heard| heard.cleared += 1);
    }
    fn limit_reached(&self, limit: LimitReached) {
        self.heard(|heard| heard.limits.push(limit));
    }
}

/// An egress with its observer; streams end with it.
pub struct Fixture {
    pub egress: Egress,
    pub seen: Arc<Recorder>,
    tasks: JoinSet<()>,
}

impl Fixture {
    pub fn new(routes: Vec<Route>, model: Option<ModelConfig>, limits: Limits) -> Self {
        Self::with(routes, Keys::default(), model, limits)
    }

    pub fn with(routes: Vec<Route>, keys: Keys, model: Option<ModelConfig>, limits: Limits) -> Self {
        let seen = Arc::new(Recorder::default());
        let sink: Arc<dyn Observer> = Arc::clone(&seen) as Arc<dyn Observer>;
        let config = Config { routes, keys, model, limits, sink, secrets: Secrets::default() };
        let egress = Egress::new(config).expect("config");
        Self { egress, seen, tasks: JoinSet::new() }
    }

    pub fn open(&mut self, open: Open) -> DuplexStream {
        let (ours, theirs) = duplex(64 * 1024);
        let egress = self.egress.clone();
        self.tasks.spawn(async move { egress.serve(open, theirs).await });
        ours
    }

    /// Waits until every stream has ended.
    pub async fn settle(&mut self) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        timeout(Duration::from_secs(10), all).await.expect("streams end");
    }

    /// Sends bytes, ends our side, and reads to the end. Agents do not end their side before the model has answered.
    pub async fn talk(&mut self, open: Open, bytes: &[u8]) -> String {
        let ends = open != Open::Model;
        let mut stream = self.open(open);
        let _ = stream.write_all(bytes).await;
        if ends {
            let _ = stream.shutdown().await;
        }
        read_to_end(&mut stream).await
    }
}

pub async fn read_to_end(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut out = Vec::new();
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut out)).await.expect("an end");
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads until the text ends in `end`.
pub async fn read_until(stream: &mut (impl tokio::io::AsyncRead + Unpin), end: &str) -> String {
    let mut out = Vec::new();
    let read = async {
        while !out.ends_with(end.as_bytes()) {
            match stream.read_u8().await {
                Ok(byte) => out.push(byte),
                Err(_) => break,
            }
        }
    };
    timeout(Duration::from_secs(10), read).await.expect("in time");
    String::from_utf8_lossy(&out).into_owned()
}

pub fn route(endpoint: &str, kind: RouteKind, address: Option<SocketAddr>) -> Route {
    let scheme = if kind == RouteKind::Http { Scheme::Http } else { Scheme::Https };
    Route { address, ..Route::new(Endpoint::parse(endpoint).expect(endpoint), kind, scheme) }
}

/// A target that records what it gets and answers each connection with fixed bytes.
pub struct Target {
    pub address: SocketAddr,
    pub got: Arc<Mutex<Vec<Vec<u8>>>>,
    _tasks: JoinSet<()>,
}

impl Target {
    /// `answer` is written for each request, or at once on raw connections.
    pub async fn http(answer: impl Into<Vec<u8>>) -> Self {
        Self::start(vec![("", answer.into())], true, Duration::ZERO).await
    }

    /// Each request gets the first answer whose words are in it.
    pub async fn choosing(answers: Vec<(&'static str, String)>) -> Self {
        let answers = answers.into_iter().map(|(words, answer)| (words, answer.into_bytes())).collect();
        Self::start(answers, true, Duration::ZERO).await
    }

    /// The same, which takes its time for each answer.
    pub async fn slow(answer: impl Into<Vec<u8>>, pause: Duration) -> Self {
        Self::start(vec![("", answer.into())], true, pause).await
    }

    pub async fn raw(answer: impl Into<Vec<u8>>) -> Self {
        Self::start(vec![("", answer.into())], false, Duration::ZERO).await
    }

    async fn start(answers: Vec<(&'static str, Vec<u8>)>, http: bool, pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let got: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&got);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answers, shared) = (answers.clone(), Arc::clone(&shared));
                let slot = {
                    let mut got = shared.lock().expect("lock");
                    got.push(Vec::new());
                    got.len() - 1
                };
                connections.spawn(async move {
                    let mut buf = vec![0; 4096];
                    let mut answered = 0;
                    loop {
                        let asked = if http {
                            let got = shared.lock().expect("lock");
                            let whole = got[slot].windows(4).any(|window| window == b"\r\n\r\n");
                            let lines = got[slot].windows(10).filter(|window| *window == b" HTTP/1.1\r").count();
                            if whole { lines } else { 0 }
                        } else {
                            1
                        };
                        while answered < asked {
                            answered += 1;
                            tokio::time::sleep(pause).await;
                            let text = String::from_utf8_lossy(&shared.lock().expect("lock")[slot]).into_owned();
                            let last = text.rfind(" HTTP/1.1\r").map_or("", |at| &text[at..]);
                            let fitting = answers.iter().find(|(words, _)| last.contains(words));
                            let _ = stream.write_all(&fitting.expect("an answer for every request").1).await;
                        }
                        match stream.read(&mut buf).await {
                            Ok(0) | Err(_) => return,
                            Ok(count) => shared.lock().expect("lock")[slot].extend_from_slice(&buf[..count]),
                        }
                    }
                });
            }
        });
        Self { address, got, _tasks: tasks }
    }

    pub fn connections(&self) -> usize {
        self.got.lock().expect("lock").len()
    }

    /// Requests on all connections.
    pub fn requests(&self) -> usize {
        let got = self.got.lock().expect("lock");
        got.iter().map(|bytes| bytes.windows(10).filter(|window| *window == b" HTTP/1.1\r").count()).sum()
    }

    pub fn text(&self, connection: usize) -> String {
        String::from_utf8_lossy(&self.got.lock().expect("lock")[connection]).into_owned()
    }
}

/// A gateway to a plain endpoint on loopback.
pub fn upstream(address: SocketAddr) -> ModelConfig {
    let url = format!("http://{address}").parse().expect("url");
    let credential = Credential::ApiKey(Secret::new(KEY));
    let models = vec!["claude-sonnet-4-6".into(), "claude-opus-4-6".into()];
    ModelConfig::new(Backend::Upstream(UpstreamConfig { url, credential }), models)
}

/// A whole answer of the model that took these tokens: input, output, cache write, cache read.
pub fn message(tokens: [u64; 4]) -> String {
    message_by("claude-sonnet-4-6", tokens)
}

/// The same by another model.
pub fn message_by(model: &str, tokens: [u64; 4]) -> String {
    let [input, output, write, read] = tokens;
    let body = serde_json::json!({
        "id": "m", "type": "message", "role": "assistant", "model": model, "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "ok"}],
        "usage": {"input_tokens": input, "output_tokens": output, "cache_creation_input_tokens": write, "cache_read_input_tokens": read},
    });
    answer("200 OK", &body.to_string())
}

/// An HTTP answer with a JSON body.
pub fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A plain request for an answer of at most so many tokens.
pub fn ask_for(max_tokens: u64) -> Vec<u8> {
    ask_of("claude-sonnet-4-6", max_tokens)
}

/// The same for another model.
pub fn ask_of(model: &str, max_tokens: u64) -> Vec<u8> {
    let body = serde_json::json!({
        "model": model, "max_tokens": max_tokens, "messages": [{"role": "user", "content": "go"}],
    });
    post("/v1/messages", &body.to_string())
}

pub const KEY: &str = "sk-operator-key";

/// A request as the agent sends it.
pub fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nx-api-key: placeholder\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A ClientHello of a real TLS library for a name.
pub fn client_hello(name: &str) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = name.to_owned().try_into().expect("name");
    let mut client = rustls::ClientConnection::new(config.into(), name).expect("client");
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).expect("hello");
    bytes
}
