//! An open proxy as one finds them: it resolves what it is asked for, connects to it, and passes bytes. It has no rules; it takes
//! names as the system's library takes them, up to the first NUL; and its administration listens on the same port.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

/// Longest silence on a connection.
const SILENCE: Duration = Duration::from_secs(10);
/// Longest head.
const MOST_HEAD: usize = 64 * 1024;

/// Listens for as long as the process lives.
pub(super) fn open(at: SocketAddr) {
    each(at, |client| {
        // Whatever breaks, there is nobody to tell.
        let _ = serve(client);
    });
}

/// Passes every connection on to one address.
pub(super) fn pass_on(at: SocketAddr, to: SocketAddr) {
    each(at, move |client| {
        let _ = TcpStream::connect_timeout(&to, SILENCE).and_then(|upstream| join(client, upstream));
    });
}

fn each(at: SocketAddr, serve: impl Fn(TcpStream) + Clone + Send + 'static) {
    let listener = TcpListener::bind(at).unwrap_or_else(|error| panic!("{at}: {error}"));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(client));
        }
    });
}

fn serve(mut client: TcpStream) -> io::Result<()> {
    client.set_read_timeout(Some(SILENCE))?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") && head.len() < MOST_HEAD {
        if client.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if target.starts_with('/') {
        return client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nadmin");
    }
    let rest = target.split_once("://").map_or(target, |(_, rest)| rest);
    let host = rest.split(['/', '?', '\0']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    // What follows the NUL is not read by the library, but the port is there.
    let port = rest.split('/').next().unwrap_or_default().rsplit_once(':').map(|(_, port)| port);
    let name = host.split(':').next().unwrap_or_default();
    let address = match port.and_then(|port| port.parse::<u16>().ok()) {
        Some(port) if host.starts_with('[') => {
            format!("{}:{port}", host.rsplit_once(':').map_or(host, |(host, _)| host))
        }
        Some(port) => format!("{}:{port}", numeric(name)),
        None => format!("{}:80", numeric(name)),
    };
    let upstream = std::net::ToSocketAddrs::to_socket_addrs(&address).ok().and_then(|mut all| all.next());
    let upstream = upstream
        .ok_or_else(|| io::Error::other("no such name"))
        .and_then(|to| TcpStream::connect_timeout(&to, SILENCE));
    let Ok(mut upstream) = upstream else {
        return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    };
    if method == "CONNECT" {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    } else {
        let path = rest.find('/').map_or("/", |at| &rest[at..]);
        upstream.write_all(String::from_utf8_lossy(&head).replacen(target, path, 1).as_bytes())?;
    }
    join(client, upstream)
}

/// As the library reads numbers: in one piece, in octal, in hexadecimal, with parts left out.
fn numeric(name: &str) -> String {
    let parts: Option<Vec<u64>> = name.trim_end_matches('.').split('.').map(number).collect();
    let Some((last, first)) = parts.as_deref().and_then(|parts| parts.split_last()) else { return name.to_owned() };
    let high = first.iter().enumerate().map(|(n, part)| part << (24 - 8 * n)).sum::<u64>();
    u32::try_from(high + last).map_or(name.to_owned(), |all| std::net::Ipv4Addr::from(all).to_string())
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u64::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

/// Passes bytes both ways to the end of both.
fn join(client: TcpStream, upstream: TcpStream) -> io::Result<()> {
    for stream in [&client, &upstream] {
        stream.set_read_timeout(Some(SILENCE))?;
    }
    let (mut from_client, mut to_upstream) = (client.try_clone()?, upstream.try_clone()?);
    let up = thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_upstream);
        let _ = to_upstream.shutdown(Shutdown::Write);
    });
    let (mut from_upstream, mut to_client) = (upstream, client);
    let copied = io::copy(&mut from_upstream, &mut to_client);
    let _ = to_client.shutdown(Shutdown::Both);
    let _ = up.join();
    copied.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_the_library_reads_them() {
        for text in ["127.0.0.1", "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "127.0.0.1."] {
            assert_eq!(numeric(text), "127.0.0.1", "{text}");
        }
        assert_eq!(numeric("0"), "0.0.0.0");
        assert_eq!(numeric("evil.test"), "evil.test");
    }
}
