//! One record for each connection or request, also when it is cut off: the guard writes it at the latest when dropped.

use crate::{observer::Observer, refusal::Refusal};
use hyper::Method;
use jiff::Timestamp;
use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use types::{event::EgressRecord, text::printable};

/// Longest texts in a record, in characters.
const MAX_TEXT: usize = 300;

/// Bytes of all tunnels and plain requests of the run, against their caps.
#[derive(Debug)]
pub(crate) struct RunBytes {
    up: AtomicU64,
    down: AtomicU64,
    max_up: u64,
    max_down: u64,
}

impl RunBytes {
    /// Nothing used yet.
    pub(crate) fn new(max_up: u64, max_down: u64) -> Self {
        Self { up: AtomicU64::new(0), down: AtomicU64::new(0), max_up, max_down }
    }
}

/// Bytes that went up over one route, against its cap.
#[derive(Debug)]
pub(crate) struct RouteBytes {
    up: AtomicU64,
    max_up: u64,
}

impl RouteBytes {
    /// Nothing used yet.
    pub(crate) fn new(max_up: u64) -> Self {
        Self { up: AtomicU64::new(0), max_up }
    }
}

/// A cap on bytes is reached.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ByteCap {
    /// Towards the world, over all routes.
    #[error("the run's cap on bytes towards the world is reached")]
    Up,
    /// From the world, over all routes.
    #[error("the run's cap on bytes from the world is reached")]
    Down,
    /// Towards the world, over one route.
    #[error("the route's cap on bytes towards its endpoint is reached")]
    RouteUp,
}

/// The bytes of one connection or request.
#[derive(Debug)]
pub(crate) struct Traffic {
    run: Arc<RunBytes>,
    route: OnceLock<Arc<RouteBytes>>,
    up: AtomicU64,
    down: AtomicU64,
}

impl Traffic {
    /// Counts bytes that are about to go up.
    ///
    /// # Errors
    /// [`ByteCap`]: they must not go.
    pub(crate) fn charge_up(&self, count: usize) -> Result<(), ByteCap> {
        let count = count as u64;
        let passes = |used: &AtomicU64, max| used.fetch_add(count, Ordering::Relaxed).saturating_add(count) > max;
        if self.route.get().is_some_and(|route| passes(&route.up, route.max_up)) {
            return Err(ByteCap::RouteUp);
        }
        if passes(&self.run.up, self.run.max_up) {
            return Err(ByteCap::Up);
        }
        self.count_up(count);
        Ok(())
    }

    /// Counts bytes that are about to go down.
    ///
    /// # Errors
    /// [`ByteCap`]: they must not go.
    pub(crate) fn charge_down(&self, count: usize) -> Result<(), ByteCap> {
        let count = count as u64;
        if self.run.down.fetch_add(count, Ordering::Relaxed).saturating_add(count) > self.run.max_down {
            return Err(ByteCap::Down);
        }
        self.count_down(count);
        Ok(())
    }

    /// Counts bytes up that are under no cap of the run.
    pub(crate) fn count_up(&self, count: u64) {
        self.up.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts bytes down that are under no cap of the run.
    pub(crate) fn count_down(&self, count: u64) {
        self.down.fetch_add(count, Ordering::Relaxed);
    }
}

/// A record in the making.
pub(crate) struct Audit {
    sink: Arc<dyn Observer>,
    started: Instant,
    traffic: Arc<Traffic>,
    record: Option<EgressRecord>,
}

impl Audit {
    /// Starts a record. `asked` may be hostile; it is escaped here.
    pub(crate) fn begin(sink: &Arc<dyn Observer>, run: &Arc<RunBytes>, via: &'static str, asked: &str) -> Self {
        let traffic =
            Traffic { run: Arc::clone(run), route: OnceLock::new(), up: AtomicU64::new(0), down: AtomicU64::new(0) };
        let record = EgressRecord {
            at: Timestamp::now(),
            asked: printable(asked, MAX_TEXT),
            request: None,
            via: via.to_owned(),
            allowed: false,
            rule: "cancelled".to_owned(),
            reason: "cut off before it was decided".to_owned(),
            address: None,
            status: None,
            bytes_up: 0,
            bytes_down: 0,
            micros: 0,
        };
        Self { sink: Arc::clone(sink), started: Instant::now(), traffic: Arc::new(traffic), record: Some(record) }
    }

    /// The counters of this record.
    pub(crate) fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.traffic)
    }

    /// Notes what the request turned out to ask for.
    pub(crate) fn asked(&mut self, asked: &str) {
        self.edit(|record| record.asked = printable(asked, MAX_TEXT));
    }

    /// Notes a request inside: its method and path. A query can hold what must not be written down.
    pub(crate) fn request(&mut self, method: &Method, target: &str) {
        let path = target.split('?').next().unwrap_or_default();
        self.edit(|record| record.request = Some(printable(&format!("{method} {path}"), MAX_TEXT)));
    }

    /// Counts what goes up against a route's cap too, if it has one.
    pub(crate) fn meter(&self, route: Option<Arc<RouteBytes>>) {
        if let Some(route) = route {
            self.traffic.route.get_or_init(|| route);
        }
    }

    /// Notes that the route lets it out.
    pub(crate) fn allow(&mut self, route: &str) {
        self.edit(|record| {
            record.allowed = true;
            record.rule = route.to_owned();
            record.reason = "cut off before its end".to_owned();
        });
    }

    /// Notes where the connection went.
    pub(crate) fn address(&mut self, address: Option<SocketAddr>) {
        self.edit(|record| record.address = address);
    }

    /// Notes the status that the program inside sees.
    pub(crate) fn status(&mut self, status: u16) {
        self.edit(|record| record.status = Some(status));
    }

    /// Ends the record of something that was let out and took its course.
    pub(crate) fn end(mut self, reason: &str) {
        self.edit(|record| record.reason = printable(reason, MAX_TEXT));
    }

    /// Ends the record of a connection that carried no request.
    pub(crate) fn unused(mut self) {
        // Nothing was refused: its route took it.
        self.edit(|record| {
            record.allowed = true;
            record.rule = "unused".to_owned();
        });
        self.end("it carried no request");
    }

    /// Ends the record with a refusal.
    pub(crate) fn refuse(self, refusal: &Refusal) {
        self.refuse_with(refusal.rule(), &refusal.reason());
    }

    /// Ends the record with a refusal by rule and reason. What was let out before stays marked as let out when bytes went
    /// up already.
    pub(crate) fn refuse_with(mut self, rule: &str, reason: &str) {
        let sent = self.traffic.up.load(Ordering::Relaxed) > 0;
        self.edit(|record| {
            record.allowed = record.allowed && sent;
            record.rule = rule.to_owned();
            record.reason = printable(reason, MAX_TEXT);
        });
    }

    fn edit(&mut self, change: impl FnOnce(&mut EgressRecord)) {
        if let Some(record) = &mut self.record {
            change(record);
        }
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        if let Some(mut record) = self.record.take() {
            record.bytes_up = self.traffic.up.load(Ordering::Relaxed);
            record.bytes_down = self.traffic.down.load(Ordering::Relaxed);
            record.micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.sink.egress(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_are_shared_by_the_run_and_refuse_what_would_pass_them() {
        let run = Arc::new(RunBytes::new(10, 5));
        let traffic = || Traffic {
            run: Arc::clone(&run),
            route: OnceLock::new(),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
        };
        let (one, two) = (traffic(), traffic());
        assert_eq!(one.charge_up(6), Ok(()));
        assert_eq!(two.charge_up(4), Ok(()));
        assert_eq!(two.charge_up(1), Err(ByteCap::Up));
        assert_eq!(one.charge_down(5), Ok(()));
        assert_eq!(one.charge_down(1), Err(ByteCap::Down));
        assert_eq!(two.up.load(Ordering::Relaxed), 4);
        let narrow = Traffic { run: Arc::new(RunBytes::new(100, 0)), ..traffic() };
        narrow.route.set(Arc::new(RouteBytes::new(3))).expect("unset");
        assert_eq!(narrow.charge_up(3), Ok(()));
        assert_eq!(narrow.charge_up(1), Err(ByteCap::RouteUp));
    }
}
