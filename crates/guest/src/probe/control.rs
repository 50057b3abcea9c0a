//! The exchanges with the host: the model gateway and the proxy must answer, and the proxy must refuse what is denied.

use super::checks::Checks;
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};
use types::probe::ProbePlan;

/// Time for one answer. The host may be loaded.
const DEADLINE: Duration = Duration::from_secs(3);
/// Longest part of an answer that is read, in bytes.
const MAX_ANSWER: u64 = 8 * 1024;
/// What the proxy says about a denied name.
const FORBIDDEN: u16 = 403;

/// Asks both listeners.
pub(super) fn check(plan: &ProbePlan) -> Checks {
    let mut checks = Checks::default();
    let model = status(plan.model, &format!("HEAD / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", plan.model));
    checks.works("control.model", model.map(|status| format!("answered {status}")));
    let name = &plan.denied_name;
    let proxy = status(plan.proxy, &format!("CONNECT {name}:443 HTTP/1.1\r\nHost: {name}:443\r\n\r\n"));
    checks.holds("proxy.denied-name", proxy == Ok(FORBIDDEN), &format!("{proxy:?}"));
    // That it refuses in words is also the evidence that it is there.
    checks.works("control.proxy", proxy.map(|status| format!("answered {status}")));
    checks
}

/// The status of an HTTP answer.
fn status(address: SocketAddr, request: &str) -> Result<u16, String> {
    let answer = exchange(address, request).map_err(|error| error.to_string())?;
    parse(&answer).ok_or_else(|| "the answer is not http".to_owned())
}

fn exchange(address: SocketAddr, request: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut part = [0; 1024];
    // Up to the end of the head, so that an answer that stays open costs no time.
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") && (answer.len() as u64) < MAX_ANSWER {
        match stream.read(&mut part)? {
            0 => break,
            count => answer.extend(&part[..count]),
        }
    }
    Ok(answer)
}

fn parse(answer: &[u8]) -> Option<u16> {
    let rest = answer.strip_prefix(b"HTTP/1.1 ").or_else(|| answer.strip_prefix(b"HTTP/1.0 "))?;
    let code = std::str::from_utf8(rest.get(..3)?).ok()?;
    let is_plain = code.bytes().all(|b| b.is_ascii_digit()) && matches!(rest.get(3), Some(b' ' | b'\r'));
    code.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    #[test]
    fn status_lines() {
        assert_eq!(parse(b"HTTP/1.1 403 Forbidden\r\n\r\n"), Some(403));
        assert_eq!(parse(b"HTTP/1.0 200\r\n\r\n"), Some(200));
        for bad in
            [&b""[..], b"HTTP/1.1 ", b"HTTP/1.1 4", b"HTTP/2 200 OK", b"SSH-2.0-x", b"HTTP/1.1 +40 x", b"HTTP/1.1 4033"]
        {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    fn server(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            stream.write_all(answer).unwrap();
            // Stays open: the probe must not wait for the end.
            thread::sleep(Duration::from_secs(30));
        });
        address
    }

    fn plan(model: SocketAddr, proxy: SocketAddr) -> ProbePlan {
        let denied_name = "denied.example".to_owned();
        ProbePlan {
            proxy,
            model,
            denied_name,
            unreachable: vec![],
            trusted_name: None,
            writable: vec![],
            variables: Default::default(),
            kernel: Default::default(),
        }
    }

    #[test]
    fn a_proxy_that_lets_the_denied_name_through_is_a_surprise() {
        let ok = server(b"HTTP/1.1 200 Connection established\r\n\r\n");
        let forbidden = server(b"HTTP/1.1 403 Forbidden\r\n\r\n");
        let bad = check(&plan(server(b"HTTP/1.1 404 Not Found\r\n\r\n"), ok));
        assert_eq!(bad.outcome("proxy.denied-name"), Some(false));
        assert_eq!(bad.outcome("control.proxy"), Some(true));
        let good = check(&plan(server(b"HTTP/1.1 404 Not Found\r\n\r\n"), forbidden));
        assert_eq!(good.outcome("proxy.denied-name"), Some(true));
        assert_eq!(good.outcome("control.model"), Some(true));
    }

    #[test]
    fn silence_is_no_evidence() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let checks = check(&plan(closed, closed));
        for id in ["control.model", "control.proxy", "proxy.denied-name"] {
            assert_eq!(checks.outcome(id), Some(false), "{id}");
        }
    }
}
