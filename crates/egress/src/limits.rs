//! Every cap and deadline of the way out, in one place. Reaching one denies; none of them opens anything.

use std::time::Duration;

/// Longest HTTP request head from inside, in bytes.
pub const HEAD_BYTES: usize = 16 * 1024;
/// Most header fields in a request or a response.
pub const HEADERS: usize = 100;
/// Longest journal of a run on the host, each; a run that would write more ends.
pub const JOURNAL_BYTES: u64 = 256 * 1024 * 1024;
/// Longest TLS ClientHello with its record headers, in bytes.
pub const HELLO_BYTES: usize = 16 * 1024;
/// Size of one read on a tunnel, in bytes.
pub const COPY_BYTES: usize = 64 * 1024;
/// Longest line that carries the size of a chunk, without its line break: eight hexadecimal digits.
pub const CHUNK_SIZE_DIGITS: usize = 8;
/// Most addresses of one name that are tried.
pub const DIAL_ADDRESSES: usize = 4;
/// Longest body of a request to the model, in bytes; the API's own limit.
pub const MODEL_BODY_BYTES: usize = 32 * 1024 * 1024;
/// Most values (objects, arrays, strings, …) in one JSON text, so that a small text cannot become a huge tree.
pub const JSON_NODES: usize = 500_000;
/// Requests to the model whose bodies are in memory at the same time; further ones wait their turn.
pub const MODEL_BODIES: usize = 16;
/// Longest server-sent event from the model, in bytes.
pub const SSE_EVENT_BYTES: usize = 4 * 1024 * 1024;
/// Longest input of one tool call as streamed by the model, in bytes.
pub const TOOL_INPUT_BYTES: usize = 16 * 1024 * 1024;
/// Content blocks in one answer of the model.
pub const MODEL_BLOCKS: usize = 4096;
/// Longest answer of the model that is not streamed, in bytes.
pub const MODEL_ANSWER_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of an upstream's error body that are passed on; the rest is cut.
pub const MODEL_ERROR_BYTES: usize = 64 * 1024;
/// Distinct tool results that one gateway remembers; a request that brings more is refused.
pub const TOOL_RESULTS: usize = 100_000;
/// Longest tool_use id in a request, in bytes.
pub const CALL_ID_BYTES: usize = 256;
/// Idle connections kept to the model endpoint.
pub const POOL_IDLE: usize = 8;
/// How long an idle connection to the model endpoint may be used again.
pub const POOL_AGE: Duration = Duration::from_secs(45);
/// How long a request to the model waits for others that hold the rest of the budget, and for others with their bodies in memory.
pub const BUDGET_WAIT: Duration = Duration::from_secs(240);
/// Longest answer of a token endpoint, in bytes.
pub const TOKEN_ANSWER_BYTES: usize = 64 * 1024;
/// From asking a token endpoint to the end of its answer.
pub const TOKEN_DEADLINE: Duration = Duration::from_secs(30);
/// A token that ends within this time is replaced before it is sent again.
pub const TOKEN_MARGIN: Duration = Duration::from_secs(120);
/// While a token still holds, a new one is asked for no more often than this.
pub const TOKEN_PAUSE: Duration = Duration::from_secs(30);
/// Idle connections that one client connection keeps to endpoints of decrypted and plain routes.
pub const UPSTREAM_IDLE: usize = 8;
/// Requests at the same time in one connection that speaks HTTP/2.
pub const H2_STREAMS: u32 = 100;
/// How long and how much is read from a client after a refusal, so that it sees the answer before the end.
pub const LINGER: Duration = Duration::from_millis(500);
/// See [`LINGER`].
pub const LINGER_BYTES: usize = 64 * 1024;

/// The caps and deadlines that an operator or a test may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Streams served at the same time; further ones are refused at once. Default 256.
    pub streams: usize,
    /// Connections and requests of the run, refused ones too; further ones are refused. The model is not counted. Default 100,000.
    pub requests: u64,
    /// From the first byte of a request head to its end. Default 10 s.
    pub head: Duration,
    /// From the tunnel's opening to the complete ClientHello. Default 10 s.
    pub hello: Duration,
    /// Resolving one name. Default 10 s.
    pub resolve: Duration,
    /// Connecting, over all addresses, with the TLS handshake where we make it. Default 10 s.
    pub dial: Duration,
    /// Waiting for the next request on a kept connection. Default 75 s.
    pub keep_alive: Duration,
    /// The whole body of a request to the model. Default 120 s.
    pub model_body: Duration,
    /// No byte in either direction on a stream, or none from the model. Default 10 min.
    pub idle: Duration,
    /// Bytes towards the world over all tunnels and plain requests of the run; the model is not counted. Default 256 MiB.
    pub bytes_up: u64,
    /// Bytes from the world, likewise. Default 16 GiB.
    pub bytes_down: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 256,
            requests: 100_000,
            head: Duration::from_secs(10),
            hello: Duration::from_secs(10),
            resolve: Duration::from_secs(10),
            dial: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            model_body: Duration::from_secs(120),
            idle: Duration::from_secs(600),
            bytes_up: 256 * 1024 * 1024,
            bytes_down: 16 * 1024 * 1024 * 1024,
        }
    }
}

/// The caps and deadlines as a page's table, in Markdown: what is bounded, and by how much.
#[must_use]
pub fn table() -> String {
    let Limits { streams, requests, head, hello, resolve, dial, keep_alive, model_body, idle, bytes_up, bytes_down } =
        Limits::default();
    let bytes = |count: u64| types::size::ByteSize::from(count).to_string();
    let size = |count: usize| bytes(count as u64);
    let secs = |span: Duration| format!("{} s", span.as_secs());
    let rows = [
        ("connections of a run at the same time", streams.to_string()),
        ("connections and requests of a run (`trust.requests-max`)", requests.to_string()),
        ("bytes up, all routes of a run (`trust.upload-max`)", bytes(bytes_up)),
        ("bytes down, all routes of a run (`trust.download-max`)", bytes(bytes_down)),
        ("bytes up, one route (`upload-max` of its entry)", "none of its own".to_owned()),
        ("request head: bytes, fields, time", format!("{}, {HEADERS}, {}", size(HEAD_BYTES), secs(head))),
        ("path of a request that rules are held against", size(types::path::MAX_PATH)),
        ("digits of a chunk's size", CHUNK_SIZE_DIGITS.to_string()),
        ("TLS hello: bytes, time", format!("{}, {}", size(HELLO_BYTES), secs(hello))),
        ("requests at the same time on one HTTP/2 connection", H2_STREAMS.to_string()),
        ("idle connections that a client connection keeps to endpoints", UPSTREAM_IDLE.to_string()),
        ("resolving a name; addresses that are tried", format!("{}; {DIAL_ADDRESSES}", secs(resolve))),
        ("connecting, TLS included", secs(dial)),
        ("wait for the next request on a connection", secs(keep_alive)),
        ("silence on a connection", secs(idle)),
        ("body of a fetch by git, also decompressed", size(crate::git::MAX_FETCH)),
        ("commands of a push by git, before its pack", size(crate::git::MAX_COMMANDS)),
        ("request to the model: bytes, JSON values, time", {
            format!("{}, {JSON_NODES}, {}", size(MODEL_BODY_BYTES), secs(model_body))
        }),
        ("requests to the model with their bodies in memory", MODEL_BODIES.to_string()),
        ("answer of the model that is not streamed", size(MODEL_ANSWER_BYTES)),
        ("one event of a streamed answer; blocks of an answer", format!("{}; {MODEL_BLOCKS}", size(SSE_EVENT_BYTES))),
        ("input of one tool call", size(TOOL_INPUT_BYTES)),
        ("error body of the model that is passed on", size(MODEL_ERROR_BYTES)),
        (
            "wait for others that hold the rest of the budget; all bodies in memory",
            format!("{0}; {0}", secs(BUDGET_WAIT)),
        ),
        ("one journal of a run (`egress.jsonl`, `calls.jsonl`, …), then the run ends", bytes(JOURNAL_BYTES)),
        ("answer of a token endpoint: bytes, time", format!("{}, {}", size(TOKEN_ANSWER_BYTES), secs(TOKEN_DEADLINE))),
    ];
    let lines = rows.map(|(what, cap)| format!("| {what} | {cap} |\n"));
    format!("| what is bounded | cap |\n| --- | --- |\n{}", lines.concat())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_has_the_caps_in_force() {
        let page = include_str!("../../../docs/security.md");
        let (_, rest) = page.split_once("<!-- limits: generated -->\n\n").expect("the table's beginning");
        let (table, _) = rest.split_once("<!-- limits: end -->").expect("the table's end");
        assert_eq!(table, super::table());
    }
}
