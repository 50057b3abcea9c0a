//! A small internet of our own: two network namespaces joined by a cable. In one of them is this process with its container
//! engine; in the other stands everything that can be reached from it, under the addresses and names that it has elsewhere.
//!
//! Whatever reaches a place in it is heard (`heard`), so that silence says something. Nothing leaves the two namespaces: no
//! packet of a test reaches a network that is not the test's.

pub mod authority;
mod dns;
mod git;
pub mod heard;
pub mod map;
mod namespaces;
mod places;
mod serve;
mod sites;

pub use heard::{Heard, Hearing};
pub use namespaces::{NAMESPACES, is_inside};

use crate::upstream::Upstream;
use authority::Authority;
use namespaces::Namespaces;
use sites::Behind;
use std::{
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
    time::Duration,
};
use tempfile::TempDir;

/// How long a direct contact may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The whole of it. It ends with the process.
#[derive(Debug)]
pub struct Internet {
    /// What every place has heard.
    pub hearing: Hearing,
    authority: Arc<Authority>,
    behind: Behind,
    dir: TempDir,
    namespaces: Namespaces,
}

impl Internet {
    /// Builds it up around this process, which must have been started in namespaces of its own (see [`NAMESPACES`]).
    ///
    /// # Panics
    /// When it was not, or when something cannot be set up.
    #[must_use]
    pub fn start() -> Self {
        let dir = TempDir::new().expect("directory");
        let namespaces = Namespaces::lay_cable(dir.path());
        let authority = Arc::new(Authority::new(map::NAMES.iter().map(|name| name.host)));
        std::fs::write(dir.path().join("ca.pem"), authority.pem()).expect("certificate");
        let hearing = Hearing::default();
        let behind = Behind { repositories: dir.path().join("git"), customers: Arc::default() };
        for name in git::REPOSITORIES {
            git::make_repository(&behind.repositories, name);
        }
        let internet = Self { hearing, authority, behind, dir, namespaces };
        internet.namespaces.in_world(|| internet.open(map::Side::World));
        internet.open(map::Side::Host);
        internet
    }

    fn open(&self, side: map::Side) {
        places::open(side, &self.hearing, &self.authority, &self.behind);
    }

    /// Gives the host the bridge's address where no engine makes a bridge in these namespaces.
    ///
    /// # Panics
    /// When the host has it already.
    pub fn stand_in_for_bridge(&self) {
        self.namespaces.add_bridge_address();
    }

    /// Opens the places that need the engine's bridge, which exists once the engine runs.
    ///
    /// # Panics
    /// When there is no bridge.
    pub fn open_bridge(&self) {
        self.open(map::Side::Bridge);
    }

    /// Adds a repository to the forge.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn add_repository(&self, name: &str) {
        git::make_repository(&self.behind.repositories, name);
    }

    /// The refs of a repository of the forge's.
    ///
    /// # Panics
    /// When there is no such repository.
    #[must_use]
    pub fn refs(&self, repository: &str) -> Vec<String> {
        git::refs(&self.behind.repositories.join(repository))
    }

    /// The vendor gives whoever comes with `key` this conversation.
    pub fn welcome(&self, key: &str, conversation: Arc<Upstream>) {
        self.behind.customers.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), conversation);
    }

    /// The certificate of the authority that every place's certificate comes from.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A directory that lives as long as this.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Reaches a place as a program on the host does, with `mark`, and says whether it heard that.
    #[must_use]
    pub fn reaches(&self, place: &map::Place, mark: &str) -> bool {
        let address: SocketAddr = map::reached_at(place);
        let sent = match place.speaks {
            map::Speaks::Tcp | map::Speaks::Http | map::Speaks::DnsTcp => greet(address, mark),
            map::Speaks::Tls => self.authority.request(address, mark),
            map::Speaks::Udp | map::Speaks::Dns => datagram(address, mark),
        };
        sent.is_ok() && self.hearing.waits_for(place.name, mark)
    }
}

/// A request that is at the same time plain text for those that do not speak HTTP. Its answer is not waited for.
fn greet(address: SocketAddr, mark: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    write!(stream, "GET /{mark} HTTP/1.1\r\nHost: direct.test\r\nConnection: close\r\n\r\n")?;
    stream.shutdown(Shutdown::Write)
}

fn datagram(address: SocketAddr, mark: &str) -> io::Result<()> {
    // What is sent to a group goes where the sender's address is.
    let from = match address.ip() {
        IpAddr::V4(to) if map::GROUPS.iter().any(|(_, group)| *group == to) => IpAddr::V4(map::BRIDGE),
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((from, 0))?;
    socket.set_broadcast(true)?;
    socket.send_to(mark.as_bytes(), address).map(|_| ())
}
