//! The guest's end of the control stream: each request gets one reply, in order.

use super::{Guest, configure, takeoff::Order};
use channel::{Stream, frame};
use std::{sync::Arc, time::Duration};
use tokio::{sync::oneshot, time::timeout};
use types::wire::{GuestStatus, MAX_FRAME, Reply, Request, VERSION};

/// Time for the shim's part of a request, its arrival included; below the host's own deadline.
const ORDER_DEADLINE: Duration = Duration::from_secs(42);
/// Time for the host to take a reply.
const REPLY_DEADLINE: Duration = Duration::from_secs(10);

/// Answers the accepted hello and then requests until the stream ends or is out of step.
pub(super) async fn serve(mut stream: Stream, guest: Arc<Guest>) {
    let mut reply = status(&guest).await;
    loop {
        let sent = timeout(REPLY_DEADLINE, frame::write_frame(&mut stream, &reply, MAX_FRAME)).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
        // No deadline: a host may have nothing to ask for as long as the agent works.
        let Ok(Some(request)) = frame::read_frame(&mut stream, MAX_FRAME).await else { return };
        reply = match handle(request, &guest).await {
            Ok(reply) => reply,
            Err(reason) => Reply::Failed { reason },
        };
    }
}

async fn handle(request: Request, guest: &Guest) -> Result<Reply, String> {
    match request {
        Request::Hello { .. } => Err("this session has said hello".to_owned()),
        Request::Configure { listeners, session, authority } => {
            configure::apply(guest, listeners, session, authority)
                .await
                .map_err(|error| crate::command::chain("configure", &error))?;
            Ok(Reply::Configured)
        }
        Request::Arm => {
            configure::arm(guest).await.map_err(|error| crate::command::chain("arm", &error))?;
            Ok(Reply::Armed)
        }
        Request::Probe { plan } => {
            order(guest, |reply| Order::Probe { plan, reply }).await.map(|report| Reply::Probed { report })
        }
        Request::Launch => order(guest, |reply| Order::Launch { reply }).await.map(|()| Reply::Launched),
        Request::Status => Ok(status(guest).await),
    }
}

/// Hands an order to the task that owns the shim. It is carried out even if this session ends meanwhile.
async fn order<T>(guest: &Guest, make: impl FnOnce(oneshot::Sender<Result<T, String>>) -> Order) -> Result<T, String> {
    let (reply, answer) = oneshot::channel();
    let late = |_| "the shim did not act in time".to_owned();
    let done = async {
        guest.orders.send(make(reply)).await.map_err(|_| "pid 1 is ending".to_owned())?;
        answer.await.map_err(|_| "pid 1 is ending".to_owned())?
    };
    timeout(ORDER_DEADLINE, done).await.map_err(late)?
}

async fn status(guest: &Guest) -> Reply {
    let configured = guest.network.lock().await.is_some();
    Reply::Status { version: VERSION, status: GuestStatus { configured, ..guest.stdio.status() } }
}
