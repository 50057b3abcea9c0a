//! Connections to the loopback address that stands for a trusted name inside: the same decisions as for the proxy, for
//! programs that know nothing of one.

use crate::{
    decide::{Decided, decide_named},
    http::{client::Reader, request},
    permit::Permit,
    proxy::{Next, answer_refusal, carry_http, open_tunnel, refuse},
    refusal::Refusal,
    serve::Run,
};
use tokio::io::{AsyncRead, AsyncWrite, split};
use types::{
    host::{Endpoint, HostName},
    route::RouteKind,
};

const VIA: &str = "named";

/// Serves one connection to a trusted name. What is not on a route is closed without an answer, because nothing says which
/// protocol the program speaks.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(run: &Run, host: HostName, port: u16, stream: S) {
    // Parsed anew, because a port 0 can stand in the header but in no endpoint.
    let asked = match Endpoint::parse(&format!("{host}:{port}")) {
        Ok(asked) => asked,
        Err(error) => return run.audit(VIA, &format!("{host}:{port}")).refuse(&Refusal::BadName(error)),
    };
    let route = match decide_named(&asked, &run.routes) {
        Ok(route) => route,
        Err(refused) => return run.audit(VIA, &asked.to_string()).refuse(&refused.into()),
    };
    match route.route().kind {
        RouteKind::Http => plain(run, route, &asked, stream).await,
        RouteKind::Tls | RouteKind::Model => tls(run, route, &asked, stream).await,
    }
}

async fn tls<S: AsyncRead + AsyncWrite + Unpin>(run: &Run, route: Decided<'_>, asked: &Endpoint, stream: S) {
    let audit = run.audit(VIA, &asked.to_string());
    let permit = match Permit::for_route(route, run.limits.resolve).await {
        Ok(permit) => permit,
        Err(error) => return audit.refuse(&error.into()),
    };
    let (reader, writer) = split(stream);
    open_tunnel(run, &permit, asked, Reader::new(reader), writer, audit).await;
}

async fn plain<S: AsyncRead + AsyncWrite + Unpin>(run: &Run, route: Decided<'_>, asked: &Endpoint, stream: S) {
    let (reader, mut writer) = split(stream);
    let mut reader = Reader::new(reader);
    let mut wait = run.limits.head;
    loop {
        let head = match reader.head(wait, run.limits.head).await {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(error) => return refuse(run.audit(VIA, &asked.to_string()), error.into(), reader, writer).await,
        };
        let audit = run.audit(VIA, &asked.to_string());
        let next = match request::plain(&head).and_then(|()| request::origin_target(&head, asked)) {
            Ok(path) => carry_http(run, &mut reader, &mut writer, &head, route, asked, &path, audit).await,
            Err(refusal) => answer_refusal(audit, &refusal, &head, &mut writer).await,
        };
        match next {
            Next::Request => wait = run.limits.keep_alive,
            Next::Close => return reader.linger(writer).await,
            Next::Cut => return,
        }
    }
}
