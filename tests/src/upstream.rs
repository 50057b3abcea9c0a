//! A model endpoint of the test: it speaks the Messages API on loopback, keeps what it receives, and answers a short script.
//! Unlike a replay it stands where the real endpoint stands, so that the operator's credential really goes out.

use base64::Engine as _;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Duration,
};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// Method and path.
    pub line: String,
    /// Fields by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body; null where it is no JSON.
    pub body: Value,
}

/// One answer of the script.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Text that ends the turn. The text `{key}` stands for the credential that came with the request; when the same is asked for
    /// again, it stands for nothing.
    Text(String),
    /// The same text, and one call.
    Call(String, &'static str, Value),
    /// An API error with this status; its message may hold `{key}`.
    Error(u16, String),
    /// The first times a rate limit, which asks to wait so many seconds; then this.
    Limited {
        /// How often.
        times: usize,
        /// What it asks for.
        retry_after: u64,
        /// The answer that comes in the end.
        then: Box<Answer>,
    },
}

/// The endpoint. A message that says `Redirect me to URL` is answered with 307. It lives as long as the test's process.
#[derive(Debug)]
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    script: Vec<Answer>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    received: Vec<Received>,
    /// Answers from this one on are held back.
    held_from: Option<usize>,
    is_waiting: bool,
    reflected: BTreeSet<usize>,
    limited: BTreeMap<usize, usize>,
}

impl Upstream {
    /// Starts to listen; the last answer is given again when the script is over.
    ///
    /// # Panics
    /// When nothing can be bound, or the script is empty.
    #[must_use]
    pub fn start(script: Vec<Answer>, held_from: Option<usize>) -> Self {
        assert!(!script.is_empty(), "a script has answers");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let state = Mutex::new(State { held_from, ..State::default() });
        let shared = Arc::new(Shared { script, state, changed: Condvar::new() });
        let address = listener.local_addr().expect("address");
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&own);
                thread::spawn(move || serve(&shared, client));
            }
        });
        Self { address, shared }
    }

    /// Waits until an answer is held back, at most a minute.
    ///
    /// # Panics
    /// When none is asked for.
    pub fn wait_until_held(&self) {
        self.wait_until_held_within(Duration::from_secs(60));
    }

    /// The same for runs with much to do before it.
    ///
    /// # Panics
    /// When none is asked for.
    pub fn wait_until_held_within(&self, patience: Duration) {
        let state = self.shared.state.lock().expect("state");
        let wait = self.shared.changed.wait_timeout_while(state, patience, |state| !state.is_waiting);
        let (state, outcome) = wait.expect("state");
        let messages = state.received.iter().map(|request| request.body["messages"].to_string()).collect::<Vec<_>>();
        assert!(!outcome.timed_out(), "no answer is held back; received: {messages:#?}");
    }

    /// What it answers to a request that came another way.
    #[must_use]
    pub fn answer(&self, request: &Received) -> String {
        self.shared.answer_to(request)
    }

    /// Gives the answers that are held back.
    ///
    /// # Panics
    /// When a thread of the endpoint panicked.
    pub fn release(&self) {
        self.shared.state.lock().expect("state").held_from = None;
        self.shared.changed.notify_all();
    }

    /// Every request so far.
    ///
    /// # Panics
    /// When a thread of the endpoint panicked.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.state.lock().expect("state").received.clone()
    }
}

fn serve(shared: &Shared, client: TcpStream) {
    let Ok(reader) = client.try_clone() else { return };
    // A connection that ends before its request is complete has nothing to be answered.
    if let Some(request) = read(BufReader::new(reader)) {
        let answer = shared.answer_to(&request);
        let _ = write!(&client, "{answer}");
    }
}

fn read(mut client: impl BufRead) -> Option<Received> {
    let mut line = String::new();
    client.read_line(&mut line).ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut field = String::new();
        client.read_line(&mut field).ok()?;
        match field.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
            None => break,
        };
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    client.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).ok()?;
    Some(Received { line: line.rsplit_once(' ')?.0.to_owned(), headers, body })
}

impl Shared {
    fn answer_to(&self, request: &Received) -> String {
        let mut state = self.state.lock().expect("state");
        state.received.push(request.clone());
        if let Some(to) = redirect(request) {
            return format!(
                "HTTP/1.1 307 Scripted\r\nlocation: {to}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            );
        }
        if request.line.contains("count_tokens") {
            return whole(200, &json!({"input_tokens": 1}));
        }
        if request.body["tools"].as_array().is_none_or(Vec::is_empty) {
            // A title or another helper beside the conversation.
            return events(&Answer::Text("Aside.".to_owned()), 0, "");
        }
        let body = request.body.to_string();
        let number = (0..self.script.len()).filter(|n| body.contains(&call_id(*n))).count();
        let key = if state.reflected.insert(number) { credential(request) } else { "" };
        if state.held_from.is_some_and(|from| number >= from) {
            state.is_waiting = true;
            self.changed.notify_all();
            drop(self.changed.wait_while(state, |state| state.held_from.is_some()).expect("state"));
        } else {
            drop(state);
        }
        match self.script.get(number).or(self.script.last()) {
            Some(Answer::Error(status, message)) => {
                let message = reflect(message, credential(request));
                whole(*status, &json!({"type": "error", "error": {"type": "api_error", "message": message}}))
            }
            Some(Answer::Limited { times, retry_after, then }) => {
                let mut state = self.state.lock().expect("state");
                let so_far = state.limited.entry(number).or_default();
                *so_far += 1;
                if *so_far > *times {
                    return events(then, number, key);
                }
                let error = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}});
                whole(429, &error).replacen("\r\n", &format!("\r\nretry-after: {retry_after}\r\n"), 1)
            }
            Some(answer) => events(answer, number, key),
            None => String::new(),
        }
    }
}

/// Where a request wants to be redirected to, by the words of its first message.
fn redirect(request: &Received) -> Option<&str> {
    request.body["messages"][0]["content"].as_str()?.strip_prefix("Redirect me to ")
}

/// The text with the key in place of `{key}`, and in other spellings in place of `{key64}`, `{keyhex}` and `{keyurl}`.
fn reflect(text: &str, key: &str) -> String {
    let spelled = |spell: fn(&u8) -> String| key.as_bytes().iter().map(spell).collect::<String>();
    text.replace("{key}", key)
        .replace("{key64}", &base64::engine::general_purpose::STANDARD.encode(key))
        .replace("{keyhex}", &spelled(|byte| format!("{byte:02X}")))
        .replace("{keyurl}", &spelled(|byte| format!("%{byte:02x}")))
}

fn credential(request: &Received) -> &str {
    let bearer = || request.headers.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
    request.headers.get("x-api-key").map(String::as_str).or_else(bearer).unwrap_or_default()
}

fn call_id(number: usize) -> String {
    format!("toolu_upstream_{number}")
}

fn whole(status: u16, body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// An answer as server-sent events; it also reflects the credential in a field.
fn events(answer: &Answer, number: usize, key: &str) -> String {
    let (text, call) = match answer {
        Answer::Text(text) => (text, None),
        Answer::Call(text, name, input) => (text, Some((name, input))),
        Answer::Error(_, message) => (message, None),
        Answer::Limited { then, .. } => return events(then, number, key),
    };
    let text = reflect(text, key);
    let usage =
        json!({"input_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 1});
    let mut all = vec![
        json!({"type": "message_start", "message": {
            "id": format!("msg_{number}"), "type": "message", "role": "assistant", "model": "claude-sonnet-4-6",
            "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage,
        }}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
        json!({"type": "content_block_stop", "index": 0}),
    ];
    if let Some((name, input)) = call {
        let block = json!({"type": "tool_use", "id": call_id(number), "name": name, "input": {}});
        let delta = json!({"type": "input_json_delta", "partial_json": input.to_string()});
        all.push(json!({"type": "content_block_start", "index": 1, "content_block": block}));
        all.push(json!({"type": "content_block_delta", "index": 1, "delta": delta}));
        all.push(json!({"type": "content_block_stop", "index": 1}));
    }
    let reason = if call.is_some() { "tool_use" } else { "end_turn" };
    all.push(json!({
        "type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null}, "usage": {"output_tokens": 1},
    }));
    all.push(json!({"type": "message_stop"}));
    let line = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    let body: String = all.iter().map(line).collect();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: {key}\r\nanthropic-ratelimit-key: {key}\r\nconnection: close\r\n\r\n{body}"
    )
}
