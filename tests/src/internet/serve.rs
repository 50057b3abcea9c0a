//! One connection to a place, from its first byte: everything is heard before it is answered.

use super::{
    authority::Authority,
    dns,
    heard::Hearing,
    map::{Place, Speaks},
    sites::{self, Behind},
};
use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

/// Longest silence on a connection.
const SILENCE: Duration = Duration::from_secs(30);
/// Longest head of a request.
const MOST_HEAD: usize = 64 * 1024;
/// Longest body that is read before the answer.
const MOST_BODY: usize = 16 * 1024 * 1024;

/// A place that listens.
#[derive(Clone)]
pub(super) struct Listener {
    pub(super) place: Place,
    pub(super) hearing: Hearing,
    pub(super) authority: Arc<Authority>,
    pub(super) behind: Behind,
}

/// A request as far as the sites look at it.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// A field's value.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(found, _)| found.trim().eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.trim())
    }
}

/// Accepts for as long as the process lives.
pub(super) fn serve(listener: &Listener, socket: &TcpListener) {
    for client in socket.incoming().flatten() {
        let own = listener.clone();
        thread::spawn(move || own.connection(client));
    }
}

/// A stream whose bytes are heard as they are read.
struct Audible<S> {
    inner: S,
    hearing: Hearing,
    number: usize,
}

impl<S: Read> Read for Audible<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hearing.add(self.number, &buffer[..count]);
        Ok(count)
    }
}

impl<S: Write> Write for Audible<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Listener {
    fn connection(&self, client: TcpStream) {
        let Ok(from) = client.peer_addr() else { return };
        let number = self.hearing.begin(self.place.name, from.ip());
        let _ = client.set_read_timeout(Some(SILENCE));
        let _ = client.set_nodelay(true);
        let audible = |inner| Audible { inner, hearing: self.hearing.clone(), number };
        // A connection that breaks has been heard; there is nobody to tell.
        let _ = match self.place.speaks {
            Speaks::Tcp => io::copy(&mut audible(client), &mut io::sink()).map(|_| ()),
            Speaks::DnsTcp => question(&mut audible(client)),
            Speaks::Http => self.requests(&mut audible(client)),
            // The hello is heard as it comes, and what is in the stream once it is decrypted.
            Speaks::Tls => match self.authority.accept(audible(client)) {
                Some(stream) => {
                    let mut stream = Audible { inner: stream, hearing: self.hearing.clone(), number };
                    let served = self.requests(&mut stream);
                    // Without this an answer that ends with the connection looks cut off.
                    stream.inner.conn.send_close_notify();
                    served.and_then(|()| stream.flush())
                }
                None => Ok(()),
            },
            Speaks::Udp | Speaks::Dns => Ok(()),
        };
    }

    /// Answers requests until the client wants no more.
    fn requests(&self, stream: &mut (impl Read + Write)) -> io::Result<()> {
        let mut rest = Vec::new();
        while let Some(request) = read_request(stream, &mut rest)? {
            if request.field("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
                return echo(stream, &rest);
            }
            let closes = request.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
            let answer = sites::answer(self.place.name, &request, &self.behind);
            stream.write_all(&answer.render(closes))?;
            stream.flush()?;
            if closes || answer.is_last() {
                break;
            }
        }
        Ok(())
    }
}

/// Agrees to the upgrade and gives every byte back.
fn echo(stream: &mut (impl Read + Write), first: &[u8]) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n")?;
    // The answer to the key of the specification's example, which all tests send.
    stream.write_all(b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")?;
    stream.write_all(first)?;
    let mut piece = [0; 16 * 1024];
    loop {
        stream.flush()?;
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            count => stream.write_all(&piece[..count])?,
        }
    }
}

/// A length in two bytes, then a question.
fn question(stream: &mut (impl Read + Write)) -> io::Result<()> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut asked = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut asked)?;
    let Some((_, answer)) = dns::answer(&asked) else { return Ok(()) };
    let length = u16::try_from(answer.len()).unwrap_or(u16::MAX).to_be_bytes();
    stream.write_all(&[&length[..], &answer].concat())
}

/// The next request, or none at the end. Line ends are taken as lenient servers take them.
fn read_request(stream: &mut impl Read, rest: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let end = loop {
        let whole = |end: &[u8]| rest.windows(end.len()).position(|window| window == end).map(|at| at + end.len());
        if let Some(end) = whole(b"\r\n\r\n").or_else(|| whole(b"\n\n")) {
            break end;
        }
        if rest.len() > MOST_HEAD || !read_more(stream, rest)? {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&rest[..end]).into_owned();
    rest.drain(..end);
    let line = head.lines().next().unwrap_or_default().to_owned();
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut request = Request { method, target, head, body: Vec::new() };
    let length = request.field("content-length").and_then(|text| text.parse::<usize>().ok());
    if request.field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        request.body = read_chunks(stream, rest)?;
    } else if let Some(length) = length.filter(|length| *length <= MOST_BODY) {
        while rest.len() < length && read_more(stream, rest)? {}
        request.body = rest.drain(..length.min(rest.len())).collect();
    }
    Ok(Some(request))
}

fn read_chunks(stream: &mut impl Read, rest: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = loop {
            match rest.windows(2).position(|window| window == b"\r\n") {
                Some(end) => break end,
                None if read_more(stream, rest)? => {}
                None => return Ok(body),
            }
        };
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest.drain(..end + 2);
        let length = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16).unwrap_or(0);
        let whole = length.min(MOST_BODY) + 2;
        while rest.len() < whole && read_more(stream, rest)? {}
        body.extend(rest.drain(..length.min(rest.len())));
        rest.drain(..2.min(rest.len()));
        if length == 0 || body.len() > MOST_BODY {
            return Ok(body);
        }
    }
}

fn read_more(stream: &mut impl Read, rest: &mut Vec<u8>) -> io::Result<bool> {
    let mut piece = [0; 16 * 1024];
    let count = stream.read(&mut piece)?;
    rest.extend_from_slice(&piece[..count]);
    Ok(count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let (mut rest, mut out) = (Vec::new(), Vec::new());
        while let Some(request) = read_request(&mut bytes, &mut rest).expect("bytes") {
            out.push((request.target, request.body));
        }
        out
    }

    #[test]
    fn requests_follow_each_other_with_their_bodies() {
        let bytes = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\n\r\n\
            POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nde\r\n0\r\n\r\nGET /d HTTP/1.1\n\n";
        let found = all(bytes);
        let wanted = [("/a", "abc"), ("/b", ""), ("/c", "de"), ("/d", "")];
        assert_eq!(found, wanted.map(|(target, body)| (target.to_owned(), body.as_bytes().to_vec())));
    }
}
