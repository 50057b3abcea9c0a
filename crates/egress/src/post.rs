//! One JSON document to a URL of the operator's, such as a webhook that tells of a held call. It has nothing to do with what runs
//! inside: no route leads here.
//!
//! What must stay true: the URL can hold a token, so that no error shows it; redirects are not followed; without TLS only internal
//! addresses are connected to; everything ends by the deadline.

use crate::{
    config::ConfigError,
    model::{native_roots, tls_config},
    permit::{DialError, Permit, ResolveError, dial},
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::TlsConnector;
use url::Url;

/// Why a document was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The URL cannot be posted to.
    #[error("the url cannot be posted to: {0}")]
    Url(&'static str),
    /// The host's certificate authorities.
    #[error("tls cannot be set up")]
    Config(#[from] ConfigError),
    /// The name.
    #[error("the url's host cannot be used")]
    Resolve(#[source] Box<ResolveError>),
    /// The connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The other side's certificate, or its handshake.
    #[error("no tls connection came about")]
    Tls(#[source] io::Error),
    /// The exchange.
    #[error("the request failed")]
    Http(#[from] hyper::Error),
    /// It was not taken.
    #[error("the endpoint answered {0}")]
    Status(u16),
    /// Its answer is too long, or broke off.
    #[error("the endpoint's answer cannot be read")]
    Answer,
    /// It took too long.
    #[error("the endpoint did not answer in time")]
    Deadline,
}

/// Posts `body`, JSON, and waits for an answer of the 2xx kind.
///
/// # Errors
/// [`PostError`].
pub async fn post_json(url: &Url, body: Vec<u8>, deadline: Duration) -> Result<(), PostError> {
    match timeout(deadline, post(url, body, None, deadline)).await.map_err(|_| PostError::Deadline)?? {
        (200..=299, _) => Ok(()),
        (status, _) => Err(PostError::Status(status)),
    }
}

/// Posts `body`, JSON, and gives the status and at most `max` bytes of the answer's body.
///
/// # Errors
/// [`PostError`], but for [`PostError::Status`].
pub(crate) async fn exchange_json(
    url: &Url,
    body: Vec<u8>,
    max: usize,
    deadline: Duration,
) -> Result<(u16, Bytes), PostError> {
    timeout(deadline, post(url, body, Some(max), deadline)).await.map_err(|_| PostError::Deadline)?
}

async fn post(url: &Url, body: Vec<u8>, max: Option<usize>, deadline: Duration) -> Result<(u16, Bytes), PostError> {
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(PostError::Url("it has no host"))?;
    let port = url.port_or_known_default().ok_or(PostError::Url("it has no port"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(PostError::Url("it names a user"));
    }
    let is_plain = match url.scheme() {
        "https" => false,
        "http" => true,
        _ => return Err(PostError::Url("use https, or http for an internal address")),
    };
    let shown = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let request = Request::post(&url[url::Position::BeforePath..url::Position::AfterQuery])
        .header(HOST, shown)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, "sandbox")
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| PostError::Url("it cannot stand in a request"))?;
    let permit =
        Permit::for_model(host, port, is_plain, deadline).await.map_err(|error| PostError::Resolve(Box::new(error)))?;
    let stream = dial(&permit, deadline).await?;
    if is_plain {
        return exchange(stream, request, max).await;
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare).map_err(|_| PostError::Url("its host cannot be named in tls"))?;
    let connector = TlsConnector::from(Arc::new(tls_config(native_roots()?)?));
    exchange(connector.connect(name, stream).await.map_err(PostError::Tls)?, request, max).await
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>, max: Option<usize>) -> Result<(u16, Bytes), PostError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::Builder::new().handshake(TokioIo::new(stream)).await?;
    let answered = async {
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = match max {
            Some(max) => Limited::new(body, max).collect().await.map_err(|_| PostError::Answer)?.to_bytes(),
            None => Bytes::new(),
        };
        Ok((parts.status.as_u16(), body))
    };
    tokio::pin!(answered);
    tokio::select! {
        answered = &mut answered => answered,
        // The end of the connection can be the end of the body.
        ended = connection => match ended {
            Ok(()) => answered.await,
            Err(error) => Err(PostError::Http(error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    /// Posts to an endpoint that answers so; gives what it got.
    async fn posted(answer: &'static str) -> (Result<(), PostError>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let url = format!("http://{}/hook/secret-token?x=1", listener.local_addr().expect("address"));
        let url = Url::parse(&url).expect("url");
        let serve = async {
            let (mut stream, _) = listener.accept().await.expect("accept");
            let mut got = Vec::new();
            while !got.ends_with(b"{\"a\":1}") {
                let mut buffer = [0; 1024];
                let count = stream.read(&mut buffer).await.expect("read");
                got.extend_from_slice(&buffer[..count]);
            }
            stream.write_all(answer.as_bytes()).await.expect("write");
            (String::from_utf8(got).expect("text"), stream)
        };
        let (done, (got, _stream)) =
            tokio::join!(post_json(&url, b"{\"a\":1}".to_vec(), Duration::from_millis(500)), serve);
        (done, got)
    }

    #[tokio::test]
    async fn a_document_is_taken_or_an_error_says_why_and_never_shows_the_url() {
        let (done, got) = posted("HTTP/1.1 204 No Content\r\n\r\n").await;
        done.expect("taken");
        assert!(got.starts_with("POST /hook/secret-token?x=1 HTTP/1.1\r\n"), "{got}");
        assert!(got.contains("content-type: application/json\r\n"), "{got}");
        for answer in ["HTTP/1.1 302 Found\r\nlocation: /else\r\ncontent-length: 0\r\n\r\n", "nonsense\r\n\r\n", ""] {
            let error = posted(answer).await.0.expect_err(answer);
            assert!(!format!("{error} {error:?}").contains("secret-token"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn unfit_urls_are_refused_before_anything_is_sent() {
        for bad in ["ftp://127.0.0.1/", "http://u:p@127.0.0.1/", "http://192.0.2.1/"] {
            let url = Url::parse(bad).expect(bad);
            assert!(post_json(&url, Vec::new(), Duration::from_millis(200)).await.is_err(), "{bad}");
        }
    }
}
