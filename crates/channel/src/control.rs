//! The host's end of the control stream: one request, one reply, in order, each with a deadline.

use crate::{error::ChannelError, frame, session::Session, stream::Stream};
use std::time::Duration;
use tokio::time::timeout;
use types::{
    probe::{ProbePlan, ProbeReport},
    text::printable,
    wire::{GuestStatus, Listeners, MAX_FRAME, Open, Reply, Request, VERSION},
};

/// Time for requests that PID 1 answers on its own.
const SHORT: Duration = Duration::from_secs(10);
/// Time for requests that wait for the shim: thirty seconds for it to appear and ten for it to act, in the guest.
const SHIM: Duration = Duration::from_secs(45);

/// The control stream. [`Control::hello`] comes first; any failure but [`ChannelError::Refused`] ends its use.
#[derive(Debug)]
pub struct Control {
    /// Gone while an exchange is under way, so that one that was cut short leaves no half-read reply behind.
    stream: Option<Stream>,
}

impl Control {
    /// Opens the control stream of a new session.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn open(session: &Session) -> Result<Self, ChannelError> {
        Ok(Self { stream: Some(session.open(&Open::Control).await?) })
    }

    /// Takes the guest over: older sessions are dropped. `generation` must be higher than any before.
    ///
    /// # Errors
    /// [`ChannelError::Refused`] for a generation that is not higher, [`ChannelError::Version`] for another build.
    pub async fn hello(&mut self, generation: u64) -> Result<GuestStatus, ChannelError> {
        let reply = self.exchange("hello", &Request::Hello { version: VERSION, generation }, SHORT).await?;
        let Reply::Status { version, status } = reply else { return self.unexpected("hello") };
        if version != VERSION {
            self.stream = None;
            return Err(ChannelError::Version { guest: version, host: VERSION });
        }
        Ok(status)
    }

    /// Binds the guest's listeners and hands it the agent's session id. The same again is accepted.
    ///
    /// # Errors
    /// [`ChannelError::Refused`] when an address cannot be bound or another configuration is in force.
    pub async fn configure(
        &mut self,
        listeners: Listeners,
        session: &str,
        authority: Option<&str>,
    ) -> Result<(), ChannelError> {
        let request =
            Request::Configure { listeners, session: session.to_owned(), authority: authority.map(str::to_owned) };
        let Reply::Configured = self.exchange("configure", &request, SHORT).await? else {
            return self.unexpected("configure");
        };
        Ok(())
    }

    /// Lets the agent's hook pass calls on to the host, which the agent has taken as its gate.
    ///
    /// # Errors
    /// [`ChannelError::Refused`] before [`Control::configure`].
    pub async fn arm(&mut self) -> Result<(), ChannelError> {
        let Reply::Armed = self.exchange("arm", &Request::Arm, SHORT).await? else {
            return self.unexpected("arm");
        };
        Ok(())
    }

    /// Runs the canary in the waiting shim. The caller judges the report with [`ProbeReport::is_sound`]; the guest
    /// keeps its own judgement and refuses to launch after an unsound one.
    ///
    /// # Errors
    /// [`ChannelError::Refused`] when no shim came or it died.
    pub async fn probe(&mut self, plan: ProbePlan) -> Result<ProbeReport, ChannelError> {
        let Reply::Probed { report } = self.exchange("probe", &Request::Probe { plan }, SHIM).await? else {
            return self.unexpected("probe");
        };
        Ok(report)
    }

    /// Lets the shim take its stdio and execute the agent; returns when it has.
    ///
    /// # Errors
    /// [`ChannelError::Refused`] without a sound probe, on a second launch, or when the agent cannot be executed.
    pub async fn launch(&mut self) -> Result<(), ChannelError> {
        let Reply::Launched = self.exchange("launch", &Request::Launch, SHIM).await? else {
            return self.unexpected("launch");
        };
        Ok(())
    }

    /// How far the relay is.
    ///
    /// # Errors
    /// Only those of the channel itself.
    pub async fn status(&mut self) -> Result<GuestStatus, ChannelError> {
        let Reply::Status { status, .. } = self.exchange("status", &Request::Status, SHORT).await? else {
            return self.unexpected("status");
        };
        Ok(status)
    }

    async fn exchange(
        &mut self,
        what: &'static str,
        request: &Request,
        deadline: Duration,
    ) -> Result<Reply, ChannelError> {
        let mut stream = self.stream.take().ok_or(ChannelError::Closed)?;
        let talk = async {
            frame::write_frame(&mut stream, request, MAX_FRAME).await?;
            frame::read_frame(&mut stream, MAX_FRAME).await?.ok_or(frame::FrameError::Missing)
        };
        let reply = timeout(deadline, talk)
            .await
            .map_err(|_| ChannelError::Deadline { what, after: deadline })?
            .map_err(|source| ChannelError::Frame { what, source })?;
        self.stream = Some(stream);
        if let Reply::Failed { reason } = reply {
            return Err(ChannelError::Refused { request: what, reason: printable(&reason, 400) });
        }
        Ok(reply)
    }

    fn unexpected<T>(&mut self, request: &'static str) -> Result<T, ChannelError> {
        self.stream = None;
        Err(ChannelError::Unexpected { request })
    }
}
