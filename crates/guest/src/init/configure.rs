//! The listeners, bound once.
//!
//! What must stay true: only loopback is listened on, whatever the host says, and a configuration that cannot be had
//! in full changes nothing.

use super::{
    Guest,
    forward::{self, Lines},
    names, trust,
};
use std::{
    collections::{HashMap, HashSet},
    fs, io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
};
use tokio::{
    net::{TcpListener, UdpSocket},
    task::JoinSet,
};
use types::wire::{Listeners, Open};

/// Most listening sockets.
const MAX_LISTENERS: usize = 1024;
/// Longest session id, in bytes; the hook reads no more.
const MAX_SESSION: usize = 255;

/// Listeners in force; dropping it closes them.
pub(super) struct Network {
    listeners: Listeners,
    session: String,
    authority: Option<String>,
    _tasks: JoinSet<()>,
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigureError {
    #[error("another configuration is in force")]
    Different,
    #[error("nothing is configured yet")]
    Unconfigured,
    #[error("{address} is not a loopback address")]
    NotLoopback { address: SocketAddr },
    #[error("{address} is listed twice")]
    Twice { address: SocketAddr },
    #[error("more than {MAX_LISTENERS} listeners")]
    TooMany,
    #[error("the session id must be 1 to {MAX_SESSION} printable characters without spaces")]
    Session,
    #[error("cannot bind {address}")]
    Bind {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("cannot write the session file")]
    SessionFile(#[source] io::Error),
    #[error("cannot write the run's certificate authority")]
    Trust(#[source] io::Error),
}

/// Writes the session file: from now on the agent's hook lets calls through to the host.
pub(super) async fn arm(guest: &Guest) -> Result<(), ConfigureError> {
    let network = guest.network.lock().await;
    let now = network.as_ref().ok_or(ConfigureError::Unconfigured)?;
    write_session(&guest.options.run_dir, &now.session).map_err(ConfigureError::SessionFile)
}

/// Binds everything and starts to accept.
pub(super) async fn apply(
    guest: &Guest,
    listeners: Listeners,
    session: String,
    authority: Option<String>,
) -> Result<(), ConfigureError> {
    let mut network = guest.network.lock().await;
    if let Some(now) = network.as_ref() {
        let is_same = now.listeners == listeners && now.session == session && now.authority == authority;
        return if is_same { Ok(()) } else { Err(ConfigureError::Different) };
    }
    let plan = plan(&listeners)?;
    if session.is_empty() || session.len() > MAX_SESSION || !session.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(ConfigureError::Session);
    }
    if let Some(authority) = &authority {
        trust::write(&guest.options.run_dir, authority).map_err(ConfigureError::Trust)?;
    }
    let mut bound = Vec::new();
    for (address, open) in plan {
        let listener = TcpListener::bind(address).await.map_err(|source| ConfigureError::Bind { address, source })?;
        bound.push((listener, open));
    }
    let bind_dns = |source| ConfigureError::Bind { address: listeners.dns, source };
    let udp = UdpSocket::bind(listeners.dns).await.map_err(bind_dns)?;
    let tcp = TcpListener::bind(listeners.dns).await.map_err(bind_dns)?;

    let mut tasks = JoinSet::new();
    let lines = Lines::new(guest.uplink.subscribe());
    for (listener, open) in bound {
        tasks.spawn(forward::accept(listener, open, lines.clone()));
    }
    let zone: HashMap<_, _> = listeners.names.iter().map(|name| (name.host.clone(), name.address)).collect();
    let zone = Arc::new(zone);
    tasks.spawn(names::serve_udp(udp, zone.clone()));
    tasks.spawn(names::serve_tcp(tcp, zone));
    *network = Some(Network { listeners, session, authority, _tasks: tasks });
    Ok(())
}

/// Every TCP address with the header that its connections get, checked.
fn plan(listeners: &Listeners) -> Result<Vec<(SocketAddr, Open)>, ConfigureError> {
    let mut plan = vec![(listeners.proxy, Open::Proxy), (listeners.model, Open::Model)];
    for name in &listeners.names {
        for &port in &name.ports {
            let address = SocketAddr::new(IpAddr::V4(name.address), port);
            plan.push((address, Open::Named { host: name.host.clone(), port }));
        }
    }
    if plan.len() > MAX_LISTENERS {
        return Err(ConfigureError::TooMany);
    }
    let mut seen = HashSet::new();
    for address in plan.iter().map(|(address, _)| *address).chain([listeners.dns]) {
        if !address.ip().is_loopback() {
            return Err(ConfigureError::NotLoopback { address });
        }
        if !seen.insert(address) {
            return Err(ConfigureError::Twice { address });
        }
    }
    Ok(plan)
}

/// Readable by the agent's hook, writable by nobody.
fn write_session(run_dir: &Path, session: &str) -> io::Result<()> {
    publish(run_dir, "session", session.as_bytes())
}

/// Writes a file that all may read and nobody may write; it appears whole or not at all.
pub(super) fn publish(run_dir: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let fresh = run_dir.join(format!("{name}.new"));
    fs::write(&fresh, content)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o444))?;
    fs::rename(fresh, run_dir.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{host::HostName, wire::NamedListener};

    fn listeners() -> Listeners {
        Listeners {
            proxy: "127.0.0.1:3128".parse().unwrap(),
            model: "127.0.0.1:8080".parse().unwrap(),
            dns: "127.0.0.1:53".parse().unwrap(),
            names: vec![NamedListener {
                host: HostName::parse("a.example").unwrap(),
                address: "127.9.0.1".parse().unwrap(),
                ports: vec![80, 443],
            }],
        }
    }

    #[test]
    fn each_port_of_a_name_has_its_own_header() {
        let plan = plan(&listeners()).unwrap();
        assert_eq!(plan.len(), 4);
        let host = HostName::parse("a.example").unwrap();
        assert_eq!(plan[3], ("127.9.0.1:443".parse().unwrap(), Open::Named { host, port: 443 }));
    }

    #[test]
    fn only_loopback_and_each_address_once() {
        let mut public = listeners();
        public.proxy = "0.0.0.0:3128".parse().unwrap();
        assert!(matches!(plan(&public), Err(ConfigureError::NotLoopback { .. })));
        let mut named = listeners();
        named.names[0].address = "10.0.0.1".parse().unwrap();
        assert!(matches!(plan(&named), Err(ConfigureError::NotLoopback { .. })));
        let mut twice = listeners();
        twice.model = twice.proxy;
        assert!(matches!(plan(&twice), Err(ConfigureError::Twice { .. })));
        let mut many = listeners();
        many.names[0].ports = (1..1100).collect();
        assert!(matches!(plan(&many), Err(ConfigureError::TooMany)));
    }
}
