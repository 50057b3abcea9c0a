//! The host's end of a container's channel: one bridge process by exec, one session, and the streams that come out of it
//! handed to the egress.
//!
//! A link is never repaired: after a break another one is made with the next generation.

use egress::Egress;
use runtime::{AnyRuntime, ContainerId, ExecSpec, Runtime};
use std::time::Instant;
use tokio::{sync::watch, task::JoinSet};
use types::wire::{GUEST_PATH, GUEST_UID, GuestStatus, Pressure};

/// A session with the guest. Dropping it ends the bridge and every stream.
pub(crate) struct Link {
    pub(crate) session: channel::Session,
    pub(crate) control: channel::Control,
    /// The guest's last report about the container's limits.
    pub(crate) reports: watch::Receiver<Report>,
    _tasks: JoinSet<()>,
}

/// What the guest told of the container's limits, and when. It tells once a second, so that its silence says something too.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) at: Instant,
    pub(crate) pressure: Pressure,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The bridge cannot be started.
    #[error("the channel's bridge cannot be started")]
    Exec(#[from] runtime::Error),
    /// The guest does not answer as it should.
    #[error("the guest in the container does not answer")]
    Channel(#[from] channel::ChannelError),
}

impl Link {
    /// Starts a bridge and says hello with `generation`, which must be higher than any before.
    pub(crate) async fn attach(
        runtime: &AnyRuntime,
        container: &ContainerId,
        egress: &Egress,
        generation: u64,
    ) -> Result<(Self, GuestStatus), LinkError> {
        let spec = ExecSpec {
            argv: vec![GUEST_PATH.to_owned(), "bridge".to_owned()],
            uid: GUEST_UID,
            gid: GUEST_UID,
            workdir: Some("/".to_owned()),
            stdin: true,
            ..ExecSpec::default()
        };
        let (io, _stderr) = runtime.exec(container, &spec).await?.into_io();
        let (session, incoming, driver) = channel::session(io, channel::Side::Host);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "the channel ended");
            }
        });
        tasks.spawn(serve(incoming, egress.clone()));
        let mut control = channel::Control::open(&session).await?;
        let status = control.hello(generation).await?;
        let (report, reports) = watch::channel(Report { at: Instant::now(), pressure: Pressure::default() });
        let mut reader = channel::PressureReader::open(&session).await?;
        tasks.spawn(async move {
            // Without reports the limits are still the kernel's, and the disk is counted once a minute.
            while let Ok(pressure) = reader.next().await {
                report.send_replace(Report { at: Instant::now(), pressure });
            }
        });
        Ok((Self { session, control, reports, _tasks: tasks }, status))
    }
}

/// Hands every stream that comes out of the container to the egress.
async fn serve(mut incoming: channel::Incoming, egress: Egress) {
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            accepted = incoming.accept() => match accepted {
                Some((open, stream)) => {
                    let egress = egress.clone();
                    streams.spawn(async move { egress.serve(open, stream).await });
                }
                None => break,
            },
            Some(_) = streams.join_next() => {}
        }
    }
}
