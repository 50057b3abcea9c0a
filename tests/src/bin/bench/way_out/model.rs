//! How long the gateway keeps the first token of a streamed answer: a scripted endpoint writes the time into its first event.

use super::own::MODEL;
use serde_json::json;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, SystemTime},
};

/// Time between the first token and the rest, so that nothing is sent along with it.
const PAUSE: Duration = Duration::from_millis(5);

/// Listens and streams.
pub(crate) fn start() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let address = listener.local_addr().expect("address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    address
}

fn now() -> u128 {
    SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_nanos()
}

fn serve(stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
            let lower = line.to_ascii_lowercase();
            length = lower.strip_prefix("content-length:").map_or(length, |text| text.trim().parse().unwrap_or(0));
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        let stream = reader.get_mut();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            .ok()?;
        let usage = json!({"input_tokens": 1, "output_tokens": 1});
        let start = json!({"type": "message_start", "message": {"id": format!("msg_{}", now()), "type": "message",
            "role": "assistant", "model": MODEL, "content": [], "stop_reason": null, "usage": usage}});
        event(stream, "message_start", &start)?;
        thread::sleep(PAUSE);
        let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
        event(stream, "content_block_start", &block)?;
        let delta = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi."}});
        event(stream, "content_block_delta", &delta)?;
        event(stream, "content_block_stop", &json!({"type": "content_block_stop", "index": 0}))?;
        let end = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": usage});
        event(stream, "message_delta", &end)?;
        event(stream, "message_stop", &json!({"type": "message_stop"}))?;
        stream.write_all(b"0\r\n\r\n").ok()?;
    }
}

fn event(stream: &mut TcpStream, name: &str, data: &serde_json::Value) -> Option<()> {
    let text = format!("event: {name}\ndata: {data}\n\n");
    stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).ok()
}

/// A connection that asks.
pub(crate) struct Asker(BufReader<TcpStream>);

impl Asker {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("connect");
        stream.set_nodelay(true).expect("nodelay");
        Self(BufReader::new(stream))
    }

    /// Time from the endpoint's write of the first event to its arrival here.
    pub(crate) fn first_token(&mut self) -> Duration {
        let body = json!({"model": MODEL, "max_tokens": 16, "stream": true,
            "messages": [{"role": "user", "content": "Say hi."}]})
        .to_string();
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: model\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.0.get_mut().write_all([head, body].concat().as_bytes()).expect("request");
        let (mut line, mut took) = (String::new(), None);
        loop {
            line.clear();
            assert!(self.0.read_line(&mut line).expect("answer") > 0, "the answer broke off");
            if took.is_none()
                && let Some((_, rest)) = line.split_once("\"id\":\"msg_")
            {
                let sent: u128 = rest.split('"').next().and_then(|text| text.parse().ok()).expect("a time");
                took = Some(Duration::from_nanos(u64::try_from(now().saturating_sub(sent)).expect("short")));
            }
            if line == "0\r\n" {
                self.0.read_line(&mut line).expect("the end");
                return took.expect("a first event");
            }
        }
    }
}
