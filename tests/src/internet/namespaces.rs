//! The two namespaces and the cable between them.

use super::map;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    fs::{self, File},
    os::fd::AsFd,
    path::Path,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

/// Set in a process that was started in namespaces of its own.
const MARK: &str = "SYSTEM_TEST_NAMESPACES";

/// What a process is started with to have a network, mounts and a host name of its own.
pub const NAMESPACES: [&str; 6] = ["unshare", "--net", "--mount", "--uts", "env", "SYSTEM_TEST_NAMESPACES=1"];

/// True in a process that was started in namespaces of its own.
#[must_use]
pub fn is_inside() -> bool {
    std::env::var_os(MARK).is_some()
}

/// The namespace beyond the cable; a process keeps it.
#[derive(Debug)]
pub(super) struct Namespaces {
    keeper: Child,
    world: File,
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

impl Namespaces {
    /// Makes the other namespace and joins both; the host's resolver and name are ours from here on.
    pub(super) fn lay_cable(dir: &Path) -> Self {
        assert!(is_inside(), "this process has the machine's own network");
        let keeper = Command::new("setpriv")
            .args(["--pdeathsig=KILL", "unshare", "--net", "sleep", "infinity"])
            .spawn()
            .expect("setpriv and unshare");
        let path = format!("/proc/{}/ns/net", keeper.id());
        let own = fs::read_link("/proc/self/ns/net").expect("own namespace");
        let end = Instant::now() + Duration::from_secs(10);
        while fs::read_link(&path).map_or(true, |found| found == own) {
            assert!(Instant::now() < end, "no second namespace");
            thread::sleep(Duration::from_millis(5));
        }
        let world = File::open(&path).expect("namespace");
        let namespaces = Self { keeper, world };
        namespaces.connect();
        name_host(dir);
        namespaces
    }

    fn connect(&self) {
        let keeper = self.keeper.id().to_string();
        let on_host = |args: &[&str]| run("ip", args);
        let net = format!("--net=/proc/{keeper}/ns/net");
        let in_world = |args: &[&str]| run("nsenter", &[&[&net, "ip"], args].concat());
        on_host(&["link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", &keeper]);
        for (ip, v4, v6) in
            [(&on_host as &dyn Fn(&[&str]), map::HOST, map::HOST_V6), (&in_world, map::ROUTER, map::ROUTER_V6)]
        {
            ip(&["link", "set", "lo", "up"]);
            ip(&["addr", "add", &format!("{v4}/24"), "dev", "cable"]);
            ip(&["addr", "add", &format!("{v6}/64"), "dev", "cable", "nodad"]);
            ip(&["link", "set", "cable", "up"]);
        }
        on_host(&["addr", "add", &format!("{}/32", map::HOST_PUBLIC), "dev", "cable"]);
        on_host(&["route", "add", "default", "via", &map::ROUTER.to_string()]);
        on_host(&["-6", "route", "add", "default", "via", &map::ROUTER_V6.to_string()]);
        for address in map::world_addresses() {
            let prefix = if address.is_ipv4() { 32 } else { 128 };
            in_world(&["addr", "add", &format!("{address}/{prefix}"), "dev", "lo"]);
        }
        in_world(&["route", "add", map::BRIDGE_NET, "via", &map::HOST.to_string()]);
        in_world(&["route", "add", &format!("{}/32", map::HOST_PUBLIC), "via", &map::HOST.to_string()]);
        in_world(&["-6", "route", "add", map::BRIDGE_NET_V6, "via", &map::HOST_V6.to_string()]);
        // Both belong to the namespace: containers on the bridge are let through to the world.
        for path in ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"] {
            fs::write(path, "1").expect(path);
        }
    }

    /// The bridge's address, on the cable.
    pub(super) fn add_bridge_address(&self) {
        run("ip", &["addr", "add", &format!("{}/16", map::BRIDGE), "dev", "cable"]);
    }

    /// Runs `work` on a thread beyond the cable: the sockets that it makes stay there.
    pub(super) fn in_world<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let entered = || {
            move_into_link_name_space(self.world.as_fd(), Some(LinkNameSpaceType::Network)).expect("namespace");
            work()
        };
        thread::scope(|scope| scope.spawn(entered).join()).expect("a thread in the other namespace")
    }
}

/// The host's resolver is the fake internet's, and its name is one that would be found.
fn name_host(dir: &Path) {
    run("mount", &["--make-rprivate", "/"]);
    for (path, text) in [
        ("/etc/resolv.conf", format!("nameserver {}\n", map::RESOLVER)),
        ("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n".to_owned()),
    ] {
        let own = dir.join(path.replace('/', "-"));
        fs::write(&own, text).expect("write");
        run("mount", &["--bind", &own.display().to_string(), path]);
    }
    run("hostname", &[super::heard::HOST_NAME]);
}

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}
