//! A container like the product's with the real agent in it, whose host the test plays: it can be silent, crash and talk
//! nonsense, and the managed settings can be broken. The product cannot be made to do any of this on purpose.

mod place;

use agents::{AgentEvent, AnyAgent, Launch, LaunchConfig, RequestId, ResultLine, claude::Codec};
use channel::{Control, OutputReader};
use egress::{Admission, Backend, Config, Egress, LimitReached, ModelConfig, Observer, scan::Secrets};
use place::Place;
use runtime::{AnyRuntime, ExecSpec, Runtime};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    sync::Notify,
    task::JoinSet,
    time::{Instant, timeout_at},
};
use types::{
    call::ToolCall,
    event::{EgressRecord, Usage, WireToolResult, WireToolUse},
    replay::Replay,
    wire::{AGENT_UID, GUEST_PATH, GUEST_UID, Open, Output},
};

const MODEL: &str = "claude-sonnet-4-6";
const SESSION: &str = "11111111-2222-4333-8444-555555555555";
const HOME: &str = "/home/agent";
const WORKSPACE: &str = "/workspace";
/// Time that a person has in these runs; every hook waits longer unless a test says otherwise.
const DEADLINE: Duration = Duration::from_secs(3600);
/// Longest wait for something that must happen.
const SOON: Duration = Duration::from_secs(90);

/// What differs from the product.
pub struct Setup {
    /// The conversation, as `sandbox schema replay` describes it.
    pub conversation: Value,
    /// Files of the work tree.
    pub files: Vec<(String, String)>,
    /// The managed settings; without any their volume is missing.
    pub settings: Option<Value>,
    /// Changes the agent's launch line.
    pub relaunch: fn(Launch) -> Launch,
    /// OCI runtime; the engine's default if none is given.
    pub runtime: Option<String>,
}

impl Setup {
    /// The product's own arrangement for these turns of tool calls.
    pub fn new(turns: &[Vec<(&str, Value)>]) -> Self {
        let turn = |calls: &Vec<(&str, Value)>| {
            let tools: Vec<_> = calls.iter().map(|(name, input)| json!({"name": name, "input": input})).collect();
            json!({"text": "Next.", "tools": tools})
        };
        let mut all: Vec<_> = turns.iter().map(turn).collect();
        all.push(json!({"text": "Done."}));
        Self {
            conversation: json!({"version": 1, "turns": all}),
            files: Vec::new(),
            settings: Some(product_settings()),
            relaunch: |launch| launch,
            runtime: None,
        }
    }
}

/// The product's managed settings.
pub fn product_settings() -> Value {
    let [file] = AnyAgent::Claude.files(DEADLINE);
    serde_json::from_str(&file.content).expect("settings")
}

/// The product's managed settings with another hook.
pub fn settings_with_hook(argv: &[&str], timeout: Duration) -> Value {
    let mut settings = product_settings();
    let hook = &mut settings["hooks"]["PreToolUse"][0]["hooks"][0];
    (hook["command"], hook["args"]) = (json!(argv[0]), json!(argv[1..]));
    hook["timeout"] = json!(timeout.as_secs());
    settings
}

/// The product's opening lines, with another timeout for the callback.
pub fn opening(callback_timeout: Option<Duration>) -> Vec<u8> {
    let bytes = Codec::new(DEADLINE).opening("Work.");
    let Some(span) = callback_timeout else { return bytes };
    rewrite_opening(&bytes, |hooks| hooks["PreToolUse"][0]["timeout"] = json!(span.as_secs()))
}

/// An opening that registers no gate.
pub fn opening_without_gate() -> Vec<u8> {
    rewrite_opening(&opening(None), |hooks| *hooks = json!({}))
}

fn rewrite_opening(bytes: &[u8], change: impl Fn(&mut Value)) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).expect("text");
    let (first, task) = text.split_once('\n').expect("two lines");
    let mut first: Value = serde_json::from_str(first).expect("json");
    change(&mut first["request"]["hooks"]);
    format!("{first}\n{task}").into_bytes()
}

/// A line that answers `request` with anything at all.
pub fn raw_answer(request: &RequestId, response: &Value) -> Vec<u8> {
    let response = json!({"subtype": "success", "request_id": request.as_str(), "response": response});
    format!("{}\n", json!({"type": "control_response", "response": response})).into_bytes()
}

/// What passes the model gateway.
#[derive(Default)]
struct Seen {
    results: Mutex<BTreeMap<String, WireToolResult>>,
    news: Notify,
}

impl Observer for Seen {
    fn egress(&self, _record: EgressRecord) {}
    fn tool_use(&self, _call: WireToolUse) {}
    fn tool_result(&self, result: WireToolResult) {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).insert(result.id.0.clone(), result);
        self.news.notify_one();
    }
    fn usage(&self, _usage: Usage) {}
    fn admitted(&self, _admission: Admission) {}
    fn closed(&self, _request: u64, _is_turn: bool) {}
    fn auth_refused(&self, _status: u16) {}
    fn rate_limited(&self, _status: u16, _retry_after: Option<Duration>) {}
    fn rate_cleared(&self) {}
    fn limit_reached(&self, _limit: LimitReached) {}
}

/// The bridge and the tasks behind it. Dropping it is the death of the host.
struct Link {
    session: channel::Session,
    control: Control,
    _tasks: JoinSet<()>,
}

/// The agent's streams over a link.
struct Streams {
    _link: Link,
    stdin: channel::Stream,
    stdout: OutputReader,
}

/// A running agent whose host is the test.
pub struct Rig {
    place: Place,
    egress: Egress,
    seen: Arc<Seen>,
    streams: Option<Streams>,
    codec: Codec,
    events: VecDeque<AgentEvent>,
    generation: u64,
    /// Bytes of the agent's stdout so far, for the report of a test that fails.
    heard: Vec<u8>,
}

impl Rig {
    /// Starts the agent. Nothing was said to it yet.
    pub async fn start(setup: Setup) -> Self {
        let place = Place::make(&setup).await;
        let seen = Arc::new(Seen::default());
        let replay = Replay::parse(&setup.conversation.to_string()).expect("conversation");
        let model = ModelConfig::new(Backend::Replay(replay), vec![MODEL.to_owned()]);
        let config = Config {
            routes: Vec::new(),
            keys: egress::Keys::default(),
            model: Some(model),
            limits: egress::Limits::default(),
            sink: seen.clone(),
            secrets: Secrets::default(),
        };
        let mut rig = Self {
            place,
            egress: Egress::new(config).expect("egress"),
            seen,
            streams: None,
            codec: Codec::new(DEADLINE),
            events: VecDeque::new(),
            generation: 0,
            heard: Vec::new(),
        };
        let mut link = rig.attach().await;
        let listeners = place::listeners();
        link.control.configure(listeners.clone(), SESSION, None).await.expect("configure");
        link.control.arm().await.expect("arm");
        let launch = (setup.relaunch)(AnyAgent::Claude.launch(&LaunchConfig {
            model: MODEL.to_owned(),
            session_id: SESSION.to_owned(),
            resume: false,
            cwd: WORKSPACE.to_owned(),
            home: HOME.to_owned(),
            model_address: listeners.model,
            proxy_address: listeners.proxy,
            placeholder: "placeholder".to_owned(),
            append_system_prompt: None,
            max_turns: None,
            env: Vec::new(),
        }));
        let shim = [GUEST_PATH, "shim", "--"].map(str::to_owned);
        let spec = ExecSpec {
            argv: shim.into_iter().chain(launch.argv).collect(),
            env: launch.env.into_iter().collect(),
            uid: AGENT_UID,
            gid: AGENT_UID,
            workdir: Some(launch.cwd),
            stdin: false,
        };
        rig.place.runtime.exec(&rig.place.container, &spec).await.expect("shim");
        let report = link.control.probe(place::probe_plan(&listeners, setup.runtime.as_deref())).await.expect("canary");
        assert!(report.is_sound(), "{report:?}");
        link.control.launch().await.expect("launch");
        rig.stream(link, 0).await;
        rig
    }

    /// A bridge of a host's next process.
    async fn attach(&mut self) -> Link {
        let spec = ExecSpec {
            argv: vec![GUEST_PATH.to_owned(), "bridge".to_owned()],
            uid: GUEST_UID,
            gid: GUEST_UID,
            workdir: Some("/".to_owned()),
            stdin: true,
            ..ExecSpec::default()
        };
        let runtime: &AnyRuntime = &self.place.runtime;
        let (io, _) = runtime.exec(&self.place.container, &spec).await.expect("bridge").into_io();
        let (session, mut incoming, driver) = channel::session(io, channel::Side::Host);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _ended = driver.await;
        });
        let egress = self.egress.clone();
        tasks.spawn(async move {
            let mut streams = JoinSet::new();
            while let Some((open, stream)) = incoming.accept().await {
                let egress = egress.clone();
                streams.spawn(async move { egress.serve(open, stream).await });
            }
        });
        let mut control = Control::open(&session).await.expect("control");
        self.generation += 1;
        control.hello(self.generation).await.expect("hello");
        Link { session, control, _tasks: tasks }
    }

    async fn stream(&mut self, link: Link, stdin_offset: u64) {
        let stdin = link.session.open(&Open::Stdin { offset: stdin_offset }).await.expect("stdin");
        let stdout = OutputReader::open(&link.session, Output::Stdout, self.heard.len() as u64).await.expect("stdout");
        self.streams = Some(Streams { _link: link, stdin, stdout });
    }

    /// The host dies: nobody holds the other end of the channel.
    pub fn crash(&mut self) {
        self.streams = None;
    }

    /// Another host takes over.
    pub async fn take_over(&mut self) {
        let mut link = self.attach().await;
        let status = link.control.status().await.expect("status");
        self.stream(link, status.stdin_accepted).await;
    }

    /// Writes to the agent.
    pub async fn say(&mut self, bytes: &[u8]) {
        let streams = self.streams.as_mut().expect("a session");
        streams.stdin.write_all(bytes).await.expect("stdin");
        streams.stdin.flush().await.expect("stdin");
    }

    /// Closes the agent's stdin.
    pub async fn hang_up(&mut self) {
        self.streams.as_mut().expect("a session").stdin.shutdown().await.expect("stdin");
    }

    /// The agent's next event of interest.
    ///
    /// # Panics
    /// When it does not come, with what the agent said.
    pub async fn next<T>(&mut self, what: &str, wanted: impl Fn(&AgentEvent) -> Option<T>) -> T {
        let end = Instant::now() + SOON;
        loop {
            while let Some(event) = self.events.pop_front() {
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
            assert!(self.listen(end).await > 0, "no {what}: the agent is gone after\n{}", self.heard());
        }
    }

    /// Waits until the agent has closed its output.
    ///
    /// # Panics
    /// When it does not, with what it said.
    pub async fn ended(&mut self) {
        let end = Instant::now() + SOON;
        while self.listen(end).await > 0 {}
    }

    /// Takes in what the agent says next; 0 when it has closed its output.
    async fn listen(&mut self, end: Instant) -> usize {
        let mut buffer = vec![0; 64 * 1024];
        let streams = self.streams.as_mut().expect("a session");
        let read = timeout_at(end, streams.stdout.read(&mut buffer)).await;
        let Ok(Ok(count)) = read else { panic!("{read:?} after\n{}", self.heard()) };
        self.heard.extend_from_slice(&buffer[..count]);
        self.events.extend(self.codec.feed(&buffer[..count]));
        // After the end there is nobody to take it.
        let acked = streams.stdout.ack(self.heard.len() as u64).await;
        assert!(acked.is_ok() || count == 0, "{acked:?}");
        count
    }

    /// The next question: a call that waits for its verdict.
    pub async fn call(&mut self) -> (RequestId, ToolCall) {
        self.next("call", asked).await
    }

    /// Lets the next result that the agent brings go to the model.
    pub async fn pass_on(&mut self) {
        let arrived = |event: &AgentEvent| {
            if let AgentEvent::ResultArrived { request, .. } = event { Some(request.clone()) } else { None }
        };
        let request = self.next("result on its way", arrived).await;
        let bytes = self.codec.settle(&request).expect("open");
        self.say(&bytes).await;
    }

    /// Answers every call as `answer` says until the turn's result; an empty answer is silence. Other questions are settled as
    /// the product does it.
    pub async fn host(&mut self, mut answer: impl FnMut(&RequestId, &ToolCall) -> Vec<u8>) -> ResultLine {
        loop {
            let event = self.next("result", |event| Some(event.clone())).await;
            if let AgentEvent::Result(result) = event {
                return result;
            }
            let bytes = match (asked(&event), asked_otherwise(&event)) {
                (Some((request, call)), _) => answer(&request, &call),
                (None, Some(request)) => self.codec.settle(request).unwrap_or_default(),
                (None, None) => continue,
            };
            self.say(&bytes).await;
        }
    }

    /// The codec, for answers as the product writes them.
    pub fn codec(&mut self) -> &mut Codec {
        &mut self.codec
    }

    /// What came back to the model for a call.
    ///
    /// # Panics
    /// When nothing comes.
    pub async fn result(&self, id: &str) -> WireToolResult {
        let end = Instant::now() + SOON;
        loop {
            let news = self.seen.news.notified();
            if let Some(found) = self.results().remove(id) {
                return found;
            }
            assert!(timeout_at(end, news).await.is_ok(), "no result for {id}: {:?}", self.results());
        }
    }

    /// What came back to the model so far, by call.
    pub fn results(&self) -> BTreeMap<String, WireToolResult> {
        self.seen.results.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything the agent said, for the report of a test that fails.
    pub fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }

    /// Names of the files in the work tree, sorted, directories and dot files too.
    pub async fn work_tree(&self) -> Vec<String> {
        self.place.list(WORKSPACE).await
    }
}

fn asked(event: &AgentEvent) -> Option<(RequestId, ToolCall)> {
    if let AgentEvent::CallRequested { request, call } = event { Some((request.clone(), call.clone())) } else { None }
}

fn asked_otherwise(event: &AgentEvent) -> Option<&RequestId> {
    if let AgentEvent::CallUnreadable { request, .. }
    | AgentEvent::PermissionRequested { request, .. }
    | AgentEvent::ResultArrived { request, .. }
    | AgentEvent::ControlRequestUnknown { request, .. } = event
    {
        Some(request)
    } else {
        None
    }
}
