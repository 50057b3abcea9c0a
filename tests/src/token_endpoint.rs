//! A token endpoint of the test: it gives one new pair after another and keeps what it was asked.

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// The endpoint. It lives as long as the test's process.
#[derive(Debug)]
pub struct TokenEndpoint {
    /// Where it listens.
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl TokenEndpoint {
    /// Starts to listen. The nth pair is made of these names with `{n}` in them; each token lives for an hour.
    ///
    /// # Panics
    /// When nothing can be bound.
    #[must_use]
    pub fn start(access: &'static str, refresh: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let address = listener.local_addr().expect("address");
        let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
        let shared = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Some(body) = client.try_clone().ok().and_then(|reader| read(BufReader::new(reader))) else {
                    continue;
                };
                let number = {
                    let mut asked = shared.lock().expect("asked");
                    asked.push(body);
                    asked.len().to_string()
                };
                let named = |name: &str| name.replace("{n}", &number);
                grant(
                    &client,
                    &json!({"access_token": named(access), "refresh_token": named(refresh), "expires_in": 3600}),
                );
            }
        });
        Self { address, asked }
    }

    /// The bodies of all requests so far.
    ///
    /// # Panics
    /// When a thread of the endpoint panicked.
    #[must_use]
    pub fn asked(&self) -> Vec<Value> {
        self.asked.lock().expect("asked").clone()
    }
}

fn grant(mut client: &TcpStream, body: &Value) {
    let body = body.to_string();
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    let _ = write!(client, "{head}\r\ncontent-length: {length}\r\n\r\n{body}");
}

fn read(mut client: impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        client.read_line(&mut line).ok()?;
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(count) = line.strip_prefix("content-length:") {
            length = count.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = Vec::new();
    client.take(length).read_to_end(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
