//! Connections to the loopback address that stands for a trusted name inside: the same decisions as for the proxy, for
//! programs that know nothing of one.

use crate::{
    decide::{Carriage, decide},
    http::{
        client::Reader,
        h1::{self, Form},
    },
    intercept,
    permit::Permit,
    proxy::open_tunnel,
    refusal::Refusal,
    serve::Run,
};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite, split};
use types::{
    host::{Endpoint, HostName},
    route::{RouteKind, Scheme},
};

const VIA: &str = "named";

/// Serves one connection to a trusted name. What is not on a route is closed without an answer, because nothing says which
/// protocol the program speaks.
pub(crate) async fn serve<S>(run: &Arc<Run>, host: HostName, port: u16, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // Parsed anew, because a port 0 can stand in the header but in no endpoint.
    let asked = match Endpoint::parse(&format!("{host}:{port}")) {
        Ok(asked) => asked,
        Err(error) => return run.audit(VIA, &format!("{host}:{port}")).refuse(&Refusal::BadName(error)),
    };
    let audit = run.audit(VIA, &asked.to_string());
    let decided = match decide(&asked, Carriage::Named, &run.routes) {
        Ok(decided) => decided,
        Err(refused) => return audit.refuse(&refused.into()),
    };
    let route = decided.route();
    let (reader, writer) = split(stream);
    let reader = Reader::new(reader);
    match (route.kind, route.scheme) {
        (RouteKind::Http | RouteKind::Git, Scheme::Http) => {
            // Each request is counted and leaves a record.
            let form = Form::Origin(asked, Scheme::Http);
            let _nothing = h1::serve(run, VIA, &form, reader, writer, Some(audit)).await;
        }
        (RouteKind::Http | RouteKind::Git, Scheme::Https) => {
            intercept::serve(run, VIA, &asked, reader, writer, audit).await;
        }
        (RouteKind::Tls | RouteKind::Model, _) => {
            audit.meter(run.meter_of(route));
            let permit = async {
                run.count_request()?;
                Ok::<_, Refusal>(Permit::for_route(decided, run.limits.resolve).await?)
            };
            match permit.await {
                Ok(permit) => open_tunnel(run, &permit, &asked, reader, writer, audit).await,
                Err(refusal) => audit.refuse(&refusal),
            }
        }
    }
}
